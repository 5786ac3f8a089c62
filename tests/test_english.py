"""Plain English where people read: the words that made readers stop are in no message, help page, document or comment.

CONTRIBUTING has the style in ten pairs. A word that is right where it is found (code, a quotation) is written in
backticks there.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from conda_execute.cli.help import page
from conda_execute.options import COMMANDS, CommandLine, RunOptions, TmpenvOptions
from tests.conftest import CHECKOUT

#: What not to write, and what to write instead.
INSTEAD = {
    r"blanks?": "space, empty line",
    r"behind (?:its|it|the|each|every|whatever|what)": "after",
    r"parted": "separated",
    r"mend(?:s|ed|ing)?": "fix",
    r"anew": "again",
    r"whom": "(say it in two sentences)",
    r"whoever|whosoever": "anyone who, the person who",
    r"stands? (?:in|on|at|for|here|there|before|alone|within|among|beside|below|above|as)\b": "is",
    r"left aside": "ignored",
    r"(?<!there )is no (?:version|date|number|spec|platform|error|JSON|YAML|script|file|channel|link|lock|record"
    r"|name|list|text|type|key|value|option|command|program|directory|address|match)": "is not a",
    r"beside": "next to, together with",
    r"of ours|of theirs": "our, their",
    r"vouch(?:ed|es)?": "trust",
    r"at any price": "always",
    r"as good as": "the same as",
    r"its like": "similar",
    r"(?:is|are) told (?:of|with|once)": "is reported",
    r"part (?:\w+ )?(?:by|with)": "separate with",
    r"for ever": "forever, endlessly",
    r"has not(?=[,.;]|$)": "does not have",
    r"leads? (?:round|nowhere)": "redirects in circles, is a broken link",
    r"(?<=, )say(?=[,.;)])": "for example",
    r"word for word": "literally",
    r"in good time": "early enough",
    r"somebody else's": "another user's",
    r"told apart|tells? \w+ apart": "distinguished, distinguishes",
    r"throws? \w+ away|thrown away": "deletes, deleted",
    r"ha(?:s|ve|d) (?:its|their) (?:way|say)": "takes precedence",
    r"is understood, and never": "works too, and is never",
    r"hung up": "closed",
    r"was exchanged for": "was replaced with",
}  # fmt: skip
WORDS = re.compile(rf"(?i)(?<![\w`-])(?:{'|'.join(INSTEAD)})(?![\w`-])")
#: Developers read of values of ours, and of the other programs that theirs come from.
IN_COMMENTS = re.compile(WORDS.pattern.replace("|of ours|of theirs", ""))


def messages(path: Path) -> Iterator[tuple[int, str]]:
    """Text of a module that may be shown: its literals, but not its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def comments(path: Path) -> Iterator[tuple[int, str]]:
    """Docstrings and comments of a module, without what they quote and without examples."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            for line in (ast.get_docstring(node) or "").splitlines():
                if not line.lstrip().startswith(">>>"):
                    yield getattr(node, "lineno", 1), re.sub(r"`[^`]*`", "", line)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], re.sub(r"`[^`]*`", "", token.string)


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a document outside of its code."""
    inside = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            inside = not inside
        elif not inside:
            yield number, re.sub(r"`[^`]*`|\]\([^)]*\)", "", line)


MODULES = sorted((CHECKOUT / "conda_execute").rglob("*.py"))
DOCUMENTS = sorted([CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md", *(CHECKOUT / "docs").rglob("*.md")])


def found(lines: Iterator[tuple[int, str]], words: re.Pattern[str] = WORDS) -> list[str]:
    return [f"line {number}: {match[0]}" for number, text in lines for match in words.finditer(text)]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_messages_are_in_plain_english(module: Path) -> None:
    assert found(messages(module)) == []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_docstrings_and_comments_are_in_plain_english(module: Path) -> None:
    assert found(comments(module), IN_COMMENTS) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_documents_are_in_plain_english(document: Path) -> None:
    assert found(prose(document)) == []


@pytest.mark.parametrize("kind", [RunOptions, TmpenvOptions, *COMMANDS.values()], ids=lambda kind: kind.__name__)
def test_help_is_in_plain_english(kind: type[CommandLine]) -> None:
    assert WORDS.findall(page(kind, 80)) == []
