"""The native format: YAML in comments, opened by the words `conda execute`, in the comments of any language.

::

    # conda execute
    # env:
    #  - python >=3
    #  - numpy
    # run_with: python

The header ends at the first line that is not a comment with the same prefix. YAML is read as events and never
constructed: every scalar stays text, so that `3.10` and dates keep their form, and knows its position for the caret.
Aliases, anchors, tags and repeated keys are refused, and so is a value of several lines, which is nearly always wrong
indentation.
"""

from __future__ import annotations

import re

from ...errors import HeaderError, Location
from ...lean.values import dataclass
from ...text import nearest, shown
from . import fields
from .keys import OWN, SHARED, Header, own
from .yaml import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .fields import Value
    from .text import Head

FORMAT = "conda execute"

#: The comment signs of many languages. Words must be followed by a space.
_PREFIX = r"(?:#+'?|//+!?|--+|;+|%+|!+|\*+|::)(?=[ \t]|conda execute)|(?:\"|(?i:@?rem|dnl|c))(?=[ \t])"

#: A platform condition: a comment at the end of a line that consists of words in brackets.
_CONDITION = r"(?:^|[ \t])(#[ \t]*\[([^\[\]#]*)\][ \t]*)$"

#: Headers are written by people; the limit keeps a hostile one cheap.
_LONGEST = 16 * 1024

_KEYS = ("env", "channels", "run_with", "exclude-newer", *OWN, "system", "quiet", "verbose")
_FOREIGN_KEYS = fields.foreign("env", "run_with")

#: A line after the header that seems to have lost its comment sign: an entry of a list, or a key.
#: Compiled when it is used: most headers are valid.
_LOST = rf"[ \t]*(?:-[ \t]+[\w\"'*]|(?:{'|'.join(_KEYS)}|pip)[ \t]*:)"

_ONE_SPEC = "write one spec per line, each after `- `"
_ONE_CHANNEL = "write one channel per line, each after `- `; without `channels`, the configured ones are used"
_ONE_REQUIREMENT = "write one requirement per line, each after `- `"


@dataclass(frozen=True)
class CommentBlock:
    """The position of the header: its lines, counted from 1, and their comment prefix."""

    first: int
    last: int
    prefix: str


def opening(line: str) -> str | None:
    """The comment prefix, if this line opens a native header."""
    stripped = line.strip(" \t")
    if stripped in ("# conda execute", "# conda execute:"):
        return "#"  # as in nearly all scripts: nothing to compile
    found = re.match(_PREFIX, stripped)
    if found and stripped[found.end() :].lstrip(" \t") in ("conda execute", "conda execute:"):
        return found.group()
    return None


def blocks(script: Head) -> Iterator[CommentBlock]:
    """Every native header of the script, in order."""
    last = 0
    for index, line in enumerate(script.lines):
        if "conda execute" not in line or index < last:
            continue
        prefix = opening(line)
        if prefix is not None:
            last = index + 1
            while last < len(script.lines) and _body(script.lines[last], prefix) is not None:
                last += 1
            yield CommentBlock(index + 1, last, prefix)


def _body(line: str, prefix: str) -> int | None:
    """Where the text of a comment line begins; None if the line is not a comment with this prefix."""
    indent = len(line) - len(line.lstrip(" \t"))
    start = indent + len(prefix)
    if not line.startswith(prefix, indent):
        return None
    if prefix[-1].isalpha() and line[start : start + 1] not in ("", " ", "\t"):
        return None
    if prefix.startswith("*") and line.startswith("/", start):
        # The end of a C comment.
        return None
    return start


def keys_of(script: Head, block: CommentBlock, platform: str) -> tuple[dict[str, Value], bool]:
    """The values of the header by key, including `env`, and whether lines were left out for this platform."""
    starts, texts, omitted = _texts(script, block, platform)
    try:
        root = Reader(script, block.first + 1, starts, _hint(block.prefix)).tree("\n".join(texts))
    except HeaderError as error:
        # YAML reads a key without a colon as a text that continues in the next line.
        raise _without_colon(script, block, texts) or error from None
    opened = script.line(block.first)
    if root is None:
        raise _separated(script, block, "the header is empty", opened) or HeaderError(
            "the header is empty", where=opened, hint=_hint(block.prefix)
        )
    if not isinstance(root.value, dict):
        raise _without_colon(script, block, texts) or HeaderError(
            f"the header must be made of keys and values, found {root.kind}", where=root.where, hint=_hint(block.prefix)
        )
    keys = root.known(_KEYS, _FOREIGN_KEYS)
    if "env" not in keys:
        raise _separated(script, block, "the header has no `env`", opened) or HeaderError(
            "the header has no `env`", where=opened, hint=_hint(block.prefix)
        )
    return keys, omitted


def _without_colon(script: Head, block: CommentBlock, texts: list[str]) -> HeaderError | None:
    """The error for a line that would open a list with a colon, or with a space after its colon."""
    # Keys have the indentation of the first line; lines with more indentation are part of a value.
    first = next((text for text in texts if text.strip()), "")
    indent = first[: len(first) - len(first.lstrip(" \t"))]
    for number, text in enumerate(texts, block.first + 1):
        found = re.match(r"(env|channels)[ \t]*(?:(?P<end>$)|(?P<sign>=)|:(?=\S))", text.removeprefix(indent))
        if found is None or not text.startswith(indent):
            continue
        name = found.group(1)
        where = script.at(number, script.lines[number - 1].index(name) + 1, len(found.group().rstrip()))
        if found.group("end") is not None or found.group("sign"):
            return HeaderError(f"`{name}` needs a colon", where=where, hint=f"write `{name}:`")
        return HeaderError(f"`{name}:` needs a space after its colon", where=where, hint=f"write `{name}: `")
    return None


def is_conditional(line: str) -> bool:
    """Whether this line applies on some platforms only."""
    return "[" in line and re.search(_CONDITION, line) is not None


def read(script: Head, block: CommentBlock, platform: str) -> Header:
    """Read the header, for one platform. Raises HeaderError."""
    keys, omitted = keys_of(script, block, platform)
    locations: list[tuple[str, Location]] = [(name, value.key_where) for name, value in keys.items()]
    if keys["env"].value is None:
        raise _empty_env(script, block, keys["env"].key_where, f" on {platform}" if omitted else "")
    specs, pypi = _env(keys["env"], locations)
    channels = keys["channels"].strings("a channel", _ONE_CHANNEL, empty=_ONE_CHANNEL) if "channels" in keys else None
    locations += channels or ()
    quiet, verbose = (name in keys and keys[name].truth() for name in ("quiet", "verbose"))
    if quiet and verbose:
        raise HeaderError(
            "`quiet` and `verbose` contradict each other",
            where=(keys["quiet"].key_where, keys["verbose"].key_where),
            hint="keep one of them",
        )
    if pypi:
        from .dependencies import with_python

        specs = with_python(specs)
    lost = _lost_entries(script, block)
    return Header(
        format=FORMAT,
        specs=specs,
        pypi=pypi,
        channels=None if channels is None else tuple(text for text, _ in channels),
        quiet=quiet,
        verbose=verbose,
        notices=lost,
        has_lost_lines=bool(lost),
        lines=(block.first, block.last),
        locations=tuple(locations),
        **own(keys, OWN, SHARED),
    )


def _hint(prefix: str) -> str:
    lines = ("conda execute", "env:", " - python >=3")
    return "a header needs at least this:\n" + "\n".join(f"{prefix} {line}" for line in lines)


# From comment lines to YAML


def _texts(script: Head, block: CommentBlock, platform: str) -> tuple[list[int], list[str], bool]:
    """The column (from 0) where the YAML of each line after the first begins, the YAML, and whether lines are left out.

    Comments inside the comment and lines whose condition is false become empty lines, so that line numbers stay the
    same.
    """
    starts: list[int] = []
    texts: list[str] = []
    length = 0
    omitted = False
    for number in range(block.first + 1, block.last + 1):
        line = script.lines[number - 1]
        start = _body(line, block.prefix)
        assert start is not None
        text = line[start:]
        length += len(text) + 1
        if length > _LONGEST:
            raise HeaderError(
                f"the header is longer than {_LONGEST // 1024} KiB",
                where=script.at(number),
                hint="end it with an empty line, or with any line that is not a comment",
            )
        starts.append(start)
        if _is_note(text, block.prefix):
            texts.append("")
            continue
        texts.append(_conditional(script, number, start, text, platform))
        omitted = omitted or (bool(text.strip()) and not texts[-1])
    return starts, texts, omitted


def _is_note(text: str, prefix: str) -> bool:
    """Whether the text of a comment line is a comment itself: `## note`, `# # note`, `// // note`."""
    stripped = text.lstrip(" \t")
    if prefix[0] in '"*':
        # These open values in YAML, unless they directly repeat the prefix.
        return text.startswith(prefix[0]) or stripped.startswith("#")
    if prefix[0] != "-" and not prefix[0].isalpha() and text.startswith(prefix[0]):
        return True
    return stripped.startswith((prefix, "#"))


def _conditional(script: Head, number: int, start: int, text: str, platform: str) -> str:
    """The text without its platform condition, or nothing if the condition is false."""
    if "[" not in text and "(" not in text:
        return text
    if not (found := re.search(_CONDITION, text)):
        _check_closed(script, number, start, text, platform)
        return text
    from ...specs import condition, platforms

    before = text[: found.start(1)].rstrip(" \t")
    try:
        keep = condition.holds(found.group(2), condition.platform_names(platform))
    except condition.ConditionError as error:
        names = (*platforms.FAMILIES, platform, *platforms.KNOWN)
        hint = nearest(error.name, names) if error.name else ""
        if not hint.startswith("did"):
            hint = "conditions are `# [linux]`, `# [osx]`, `# [win]`, `# [unix]`, `# [linux-64]`, `# [not win]`"
        column = start + found.start(2) + error.start + 1
        raise HeaderError(
            f"the condition of this line cannot be read: {error.problem}",
            where=script.at(number, column, error.end - error.start),
            hint=hint,
        ) from None
    if before.endswith(":"):
        raise HeaderError(
            "a condition holds for its line alone, and this line opens a list",
            where=script.at(number, start + found.start(1) + 1, len(found.group(1).rstrip())),
            hint="put the condition after every entry of the list",
        )
    return before if keep else ""


def _check_closed(script: Head, number: int, start: int, text: str, platform: str) -> None:
    """Refuse a condition in other brackets, or without the closing one: it would be a comment, and the line would apply
    on every platform."""
    pattern = r"(?:^|[ \t])(#[ \t]*(?:\[([^\[\]#]*)|\(([^()#]*)\)[ \t]*))$"
    found = re.search(pattern, text)
    inner = (found[2] or found[3] or "").split() if found else []
    if found is None or not inner:
        return
    from ...specs import condition

    if inner[inner[0] == "not" and len(inner) > 1] in condition.platform_names(platform):
        opened = found[2] is not None
        raise HeaderError(
            "the condition of this line is not closed" if opened else "a condition is written in square brackets",
            where=script.at(number, start + found.start(1) + 1, len(found[1].rstrip())),
            hint=f"write `# [{' '.join(inner)}]`",
        )


# From YAML to a header


def _empty_env(script: Head, block: CommentBlock, where: Location, here: str) -> HeaderError:
    """The error for an empty `env`; `here` is the platform, if lines were left out for it."""
    if not here and (separated := _separated(script, block, "`env` is empty", where)):
        return separated
    following = script.lines[block.last] if block.last < len(script.lines) else ""
    if not here and re.match(_LOST, following):
        return HeaderError(
            f"`env` is empty: the header ends before line {block.last + 1}, which lacks `{block.prefix}`",
            where=(where, script.line(block.last + 1)),
            hint=f"begin that line with `{block.prefix}`, as those above it",
        )
    return HeaderError(f"`env` is empty{here}", where=where, hint=_ONE_SPEC)


def _behind_empty_line(script: Head, block: CommentBlock) -> int | None:
    """The number of a comment line with the header's prefix after the header and empty lines, if there is one."""
    after = block.last
    while after < len(script.lines) and not script.lines[after].strip():
        after += 1
    if not block.last < after < len(script.lines) or _body(script.lines[after], block.prefix) is None:
        return None
    return after + 1


def _separated(script: Head, block: CommentBlock, problem: str, where: Location) -> HeaderError | None:
    """The error for a header that lacks something because of an empty line in it, if there is one."""
    number = _behind_empty_line(script, block)
    if number is None:
        return None
    line = script.lines[number - 1]
    if not re.match(_LOST, line[_body(line, block.prefix) :]):
        return None
    return HeaderError(
        f"{problem}: an empty line ends the header before line {number}",
        where=(where, script.line(number)),
        hint=f"remove the empty line, or begin it with `{block.prefix}`",
    )


def _lost_entries(script: Head, block: CommentBlock) -> tuple[str, ...]:
    """A notice about entries that an empty line separates from their list: they seem to count, but do not."""
    number = _behind_empty_line(script, block)
    if number is None:
        return ()
    entry = re.match(rf"[ \t]*{re.escape(block.prefix)}[ \t]*-[ \t]+", script.lines[block.last - 1])
    if entry is None or not script.lines[number - 1].startswith(entry.group()):
        return ()
    return (f"line {number} of `{script.path}` does not count: an empty line ends the header before it",)


def _env(value: Value, locations: list[tuple[str, Location]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Specs and PyPI requirements."""
    specs: list[str] = []
    pypi: list[str] = []
    items = value.items(_ONE_SPEC, empty=_ONE_SPEC)
    for index, item in enumerate(items):
        if isinstance(item.value, dict):
            for text, where in _pip(item, items[index + 1 :]):
                pypi.append(fields.requirement(text, where))
                locations.append((pypi[-1], where))
        else:
            specs.append(fields.spec(item.string(_ONE_SPEC, "an entry of `env`"), item.where))
            locations.append((specs[-1], item.where))
    return tuple(specs), tuple(pypi)


def _pip(item: Value, following: list[Value]) -> list[tuple[str, Location]]:
    """The requirements of an entry `pip: [...]`, with their places; `following` are the entries after it."""
    for name, value in item.table().items():
        if name.lower() in ("pypi", "pip3", "uv"):
            raise HeaderError(f"`{name}:` is not known here", where=value.key_where, hint="did you mean `pip`?")
        if name != "pip":
            version = value.value if isinstance(value.value, str) else ">=1.0"
            written = f"{name} {version}{'.*' * version.replace('.', '').isdigit()}"
            raise HeaderError(
                f"`{shown(name)}:` is not expected here: of all entries of `env`, only `pip` has a colon",
                where=value.key_where,
                hint=f"write a spec without a colon, such as `- {shown(written)}`",
            )
        if value.value is None:
            raise _nothing_below(value.key_where, following)
        return value.strings("a requirement", _ONE_REQUIREMENT, empty=_ONE_REQUIREMENT)
    raise HeaderError("an entry of `env` is an empty mapping", where=item.where, hint="write a spec, or remove it")


def _nothing_below(where: Location, following: list[Value]) -> HeaderError:
    """The error for an empty `- pip:`: its entries may have the same indentation as the key."""
    line, column = where.text or "", (where.column or 1) - 1
    entry = next((one.value for one in following if isinstance(one.value, str)), "NAME")
    dash = line.rfind("-", 0, column)
    below = f"{line[:dash]} {' ' * (column - dash - 1)}- {entry}"
    # In brackets there is nothing to indent.
    hint = f"write `pip: [{entry}]`"
    if dash >= 0 and not line[dash + 1 : column].strip():
        hint = f"indent them more than `- pip:`:\n{line}\n{below}"
    return HeaderError("`pip:` has no entries of its own", where=where, hint=hint)
