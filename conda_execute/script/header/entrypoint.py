"""The entrypoint of a conda-script: commands, read without a shell.

::

    commands      = command *( "&&" command )
    command       = word *( spaces word )
    word          = 1*( bare text / 'text' / "text" / variable / substitution )
    variable      = "${SCRIPT}" / "${CACHE}"             also within double quotes
    substitution  = "$(" commands ")"                    also within double quotes; bare, its output is split at spaces

There are no escapes: a backslash is a backslash. Shell syntax that this language does not have is an error, so that an
entrypoint has the same meaning everywhere.
"""

from __future__ import annotations

import re

from ...errors import HeaderError, Location
from ...model import Entrypoint, Substitution, Text, Variable, Word

VARIABLES = ("SCRIPT", "CACHE")

_BLANKS = " \t\r\n"
_NAME = re.compile(r"\$\{([^}]*)\}")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_ESCAPE = re.compile(r"\\(?:u.{4}|U.{8}|x..|.)")
_DEEPEST = 10

_QUOTE = "put it in quotes if it is meant literally"
_REFUSED = {
    "|": ("pipes", "an entrypoint has no pipes; let the script do it, or a program such as `bash -c '...'`"),
    "<": ("redirections", "an entrypoint has no redirections; let the script open the file"),
    ">": ("redirections", "an entrypoint has no redirections; let the script write the file"),
    ";": ("`;`", "separate commands with `&&`"),
    "&": ("`&`", "separate commands with `&&`"),
    "`": ("backticks", "write `$(command)`"),
    "*": ("patterns", _QUOTE),
    "?": ("patterns", _QUOTE),
    "[": ("patterns", _QUOTE),
    "(": ("parentheses", _QUOTE),
    ")": ("parentheses", _QUOTE),
}


def parse(text: str, location: Location) -> Entrypoint:
    """Parse the commands of an entrypoint; `location` is the position of its text. Raises HeaderError."""
    return Entrypoint(_Reader(text, location).commands(0))


class _Reader:
    def __init__(self, text: str, location: Location) -> None:
        self.text = text
        self.location = location
        self.position = 0

    def error(self, message: str, start: int, end: int, hint: str) -> HeaderError:
        """An error at these characters of the text if they are literally in the script, otherwise at the whole text."""
        where = self.location
        column = where.column
        if where.text is not None and column is not None:
            written = where.text[column - 1 :]
            opening = len(written) - len(written.lstrip("\"'"))
            if written[:1] == '"' and "\\" in written and opening < 3:
                start, end = (_written_offset(written[1:], offset) for offset in (start, end))
                where = Location(where.path, where.line, column + 1 + start, max(1, end - start), where.text)
            elif written.startswith(self.text, opening) and "\n" not in self.text:
                where = Location(where.path, where.line, column + opening + start, max(1, end - start), where.text)
        return HeaderError(f"the entrypoint {message}", where=where, hint=hint)

    def peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def commands(self, depth: int) -> tuple[tuple[Word, ...], ...]:
        """The commands up to the end, or within a substitution up to its parenthesis."""
        commands = [self.command(depth)]
        while self.text.startswith("&&", self.position):
            self.position += 2
            commands.append(self.command(depth))
        return tuple(commands)

    def command(self, depth: int) -> tuple[Word, ...]:
        """The words up to `&&` or the end, or within a substitution up to its parenthesis."""
        start = self.position
        words: list[Word] = []
        while True:
            while self.peek() and self.peek() in _BLANKS:
                self.position += 1
            if not self.peek() or (depth and self.peek() == ")"):
                break
            if self.text.startswith("&&", self.position):
                break
            begin = self.position
            word = self.word(depth)
            if not words and (found := _ASSIGNMENT.match(self.text, begin)):
                raise self.error(
                    f"sets a variable: `{found.group()}`",
                    begin,
                    found.end(),
                    "let the script set it; or use `env NAME=value`",
                )
            words.append(word)
        if not words:
            problem = "has no command here" if self.text.strip() else "is empty"
            raise self.error(problem, start, self.position, "write a command, such as `python ${SCRIPT}`")
        return tuple(words)

    def word(self, depth: int) -> Word:
        pieces: list[Text | Variable | Substitution] = []
        while (character := self.peek()) and character not in _BLANKS:
            if self.text.startswith("&&", self.position) or (depth and character == ")"):
                break
            if character in ("'", '"'):
                pieces += self.quoted(character, depth)
            elif character == "$":
                pieces.append(self.dollar(depth, split=True))
            elif character in _REFUSED:
                self.refuse(character)
            else:
                pieces.append(Text(character))
                self.position += 1
        return Word(_joined(pieces))

    def refuse(self, character: str) -> None:
        what, hint = _REFUSED[character]
        length = 2 if self.text[self.position : self.position + 2] in ("||", ">>", "<<") else 1
        if length == 2 and character == "|":
            what, hint = "`||`", "separate commands with `&&`, which stops at the first that fails"
        raise self.error(f"holds {what}", self.position, self.position + length, hint)

    def quoted(self, quote: str, depth: int) -> list[Text | Variable | Substitution]:
        """The pieces up to the same quotation mark; within single ones, everything is text."""
        start = self.position
        self.position += 1
        pieces: list[Text | Variable | Substitution] = []
        while (character := self.peek()) != quote:
            if not character:
                raise self.error("has a quotation mark that is not closed", start, start + 1, "close it")
            if character == "$" and quote == '"':
                pieces.append(self.dollar(depth, split=False))
            elif character == "`" and quote == '"':
                self.refuse(character)
            else:
                pieces.append(Text(character))
                self.position += 1
        self.position += 1
        return pieces

    def dollar(self, depth: int, *, split: bool) -> Variable | Substitution:
        start = self.position
        if found := _NAME.match(self.text, start):
            self.position = found.end()
            if found.group(1) not in VARIABLES:
                raise self.error(
                    f"holds `{found.group()}`, which is not defined",
                    start,
                    found.end(),
                    "there are `${SCRIPT}`, the script's path, and `${CACHE}`, a directory of its own that persists",
                )
            return Variable(found.group(1))
        if self.text.startswith("$(", start):
            if depth >= _DEEPEST:
                raise self.error("nests `$(...)` too deeply", start, start + 2, "nest it less")
            self.position += 2
            inner = self.commands(depth + 1)
            if self.peek() != ")":
                raise self.error("has a `$(` that is not closed", start, start + 2, "close it with `)`")
            self.position += 1
            return Substitution(inner, split)
        if self.text.startswith("${", start):
            raise self.error("has a `${` that is not closed", start, start + 2, "close it with `}`")
        hint = "put it in single quotes if it is meant literally"
        if name := re.match(r"\$([A-Za-z_]\w*)", self.text[start:]):
            hint = f"write `${{{name[1]}}}`, or {hint}"
        raise self.error("holds a `$` that begins neither `${NAME}` nor `$(command)`", start, start + 1, hint)


def _written_offset(written: str, offset: int) -> int:
    """The position of a character in its TOML string, in which escapes are longer than the characters that they
    mean."""
    place = 0
    for _ in range(offset):
        found = _ESCAPE.match(written, place)
        place = found.end() if found else place + 1
    return place


def _joined(
    pieces: list[Text | Variable | Substitution],
) -> tuple[Text | Variable | Substitution, ...]:
    """The pieces of a word with adjacent texts made one; an empty word is an empty text."""
    joined: list[Text | Variable | Substitution] = []
    for piece in pieces:
        if isinstance(piece, Text) and joined and isinstance(joined[-1], Text):
            joined[-1] = Text(joined[-1].text + piece.text)
        else:
            joined.append(piece)
    return tuple(joined) or (Text(""),)
