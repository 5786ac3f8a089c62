"""The conda-script proposal: TOML between `/// conda-script` and `/// end-conda-script`, in any language's comments.

::

    // /// conda-script
    // channels = ["conda-forge"]
    // entrypoint = "gcc -o ${CACHE}/main ${SCRIPT} && ${CACHE}/main"
    //
    // [dependencies]
    // gcc = "*"
    // /// end-conda-script

The rules are those of the proposal (prefix-dev/pixi issue 3751): the prefix is what comes before the opening line,
without letters or digits; every line repeats it, and only the keys listed here may occur.
"""

from __future__ import annotations

from ...errors import HeaderError, Location
from ...lean.values import replace
from ...specs import platforms
from . import dependencies, fields
from .keys import OWN, Header, own
from .toml import Block, Document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model import Entrypoint
    from .fields import Value
    from .text import Head

FORMAT = "conda-script"

OPENING = "/// conda-script"
CLOSING = "/// end-conda-script"

_KEYS = ("channels", "entrypoint", "dependencies", "tool")
_FOREIGN_KEYS = fields.foreign("dependencies", "entrypoint")


def opening(line: str) -> str | None:
    """The comment prefix, trailing space included, if this line opens a conda-script block."""
    trimmed = line.rstrip()
    if not trimmed.endswith(OPENING):
        return None
    prefix = trimmed[: -len(OPENING)]
    return prefix if prefix and not any(character.isalnum() for character in prefix) else None


def blocks(script: Head) -> Iterator[Block]:
    """Every block, in order. Raises HeaderError if one is not closed, or opened inside another."""
    index = 0
    while index < len(script.lines):
        prefix = opening(script.lines[index]) if OPENING in script.lines[index] else None
        if prefix is None:
            index += 1
            continue
        block = _block(script, index, prefix)
        yield block
        index = block.last


def _block(script: Head, first: int, prefix: str) -> Block:
    starts: list[int] = []
    texts: list[str] = []
    trimmed = prefix.rstrip()
    opened = script.line(first + 1)
    closed = f"close it with a line `{prefix}{CLOSING}`"
    if "/*" in prefix:
        raise HeaderError(
            "this header is in a block comment",
            where=opened,
            hint="begin each of its lines with a comment sign of its own, such as `// `",
        )
    for index in range(first + 1, len(script.lines)):
        line = script.lines[index]
        if line.startswith(prefix):
            text = line[len(prefix) :]
            if text.rstrip() == CLOSING:
                return Block(first + 1, index + 1, prefix, tuple(starts), tuple(texts))
            if text.rstrip() == OPENING:
                raise HeaderError(
                    "a header is opened inside another",
                    where=(opened, script.line(index + 1)),
                    hint=f"close the first with a line `{prefix}{CLOSING}`, and keep only one of them",
                )
            starts.append(len(prefix))
            texts.append(text)
        elif line.rstrip() == trimmed:
            starts.append(len(line))
            texts.append("")
        elif "///" in (text.rstrip() for text in texts):
            number = first + 2 + [text.rstrip() for text in texts].index("///")
            raise HeaderError(
                "this header is closed with the line of another format",
                where=(opened, script.line(number)),
                hint=closed,
            )
        else:
            raise HeaderError(
                f"this header is not closed: a line does not begin with `{prefix}`",
                where=(opened, script.line(index + 1) if line.strip() else script.at(index + 1)),
                hint=f"{closed}; every line before it begins with `{trimmed}`, empty ones too",
            )
    if not script.whole:
        raise script.not_within(first + 1)
    raise HeaderError("this header is not closed", where=opened, hint=closed)


def read(script: Head, block: Block, platform: str) -> Header:
    """Read the header, for one platform. Raises HeaderError."""
    document = Document(script, block)
    root = document.root()
    keys = root.known(_KEYS, _FOREIGN_KEYS)
    for key, sample in (("channels", 'channels = ["conda-forge"]'), ("entrypoint", 'entrypoint = "python ${SCRIPT}"')):
        if key not in keys:
            raise HeaderError(f"the header has no `{key}`", where=script.line(block.first), hint=f"add `{sample}`")
    locations: list[tuple[str, Location]] = [(name, node.key_where) for name, node in keys.items() if name != "tool"]
    channels, moments = dependencies.channels(keys["channels"], locations)
    header = Header(
        FORMAT,
        channels=channels,
        exclude_newer_of=moments,
        entrypoint=_entrypoint(keys["entrypoint"], platform),
        lines=(block.first, block.last),
    )
    if "dependencies" in keys:
        wanted = dependencies.table_specs(keys["dependencies"], platform, locations)
        header = replace(header, specs=tuple(wanted.values()))
    tool = keys["tool"].table() if "tool" in keys else {}
    if "pixi" in tool:
        from . import pixi

        header = pixi.added(header, tool["pixi"], platform, locations)
    if "conda-execute" in tool:
        header = replace(header, **own(tool["conda-execute"].known(OWN)))
    specs = dependencies.with_python(header.specs) if header.pypi else header.specs
    return replace(header, specs=specs, locations=tuple(locations))


def _entrypoint(node: Value, platform: str) -> Entrypoint:
    """The command for the platform. Those for other platforms are read too, so that mistakes show on every platform."""
    from .entrypoint import parse

    if isinstance(node.value, str):
        return parse(node.value, node.where)
    if not isinstance(node.value, dict):
        raise node.error(
            f"`entrypoint` must be a string or a table of platforms, found {node.kind}",
            'write `entrypoint = "python ${SCRIPT}"`',
        )
    commands: dict[str, Entrypoint] = {}
    for selector, child in dependencies.by_platform(node, platform).items():
        commands[selector] = parse(child.string('write the command in quotes: `"..."`'), child.where)
    for selector in (platform, *platforms.families(platform)):
        if selector in commands:
            return commands[selector]
    family = platforms.families(platform)[-1]
    raise node.error(
        f"the script has no entrypoint for {platform}",
        f'add `{family} = "..."` to the table' if commands else "name one",
    )
