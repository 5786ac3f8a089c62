"""PEP 723, inline script metadata: TOML between `# /// script` and `# ///`.

::

    # /// script
    # requires-python = ">=3.11"
    # dependencies = ["rich"]
    # [tool.conda]
    # dependencies = ["numpy"]
    # ///

Blocks are found as by the specification's reference expression, but in one pass over the lines instead of a search that
may try every line again; an empty block counts too, as in uv. `dependencies` come from PyPI; `[tool.conda]`, or else
`[tool.pixi]`, adds conda packages; `[tool.uv]` is handed to uv.
"""

from __future__ import annotations

import re

from ...errors import HeaderError, Location
from ...lean.values import dataclass, replace
from ...specs.match_spec import spec_name
from ...text import nearest, shown
from .. import interpreter
from . import fields
from .dependencies import channels, with_python
from .keys import OWN, SHARED, Header, own
from .toml import Block, Document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .fields import Value
    from .text import Head

FORMAT = "script"

_OPENING = r"# /// ([a-zA-Z0-9-]+)\Z"
_CLOSING = "# ///"

_KEYS = ("requires-python", "dependencies", "tool")
_FOREIGN_KEYS = {"python-requires": "requires-python", "python": "requires-python", **fields.foreign("dependencies")}
_CONDA_KEYS = ("dependencies", "channels", "exclude-newer", "run-with", "system")
_CONDA_FOREIGN_KEYS = {"channel": "channels", **fields.foreign("dependencies", "run-with")}


@dataclass(frozen=True)
class AnyBlock:
    """A block of any type: its lines, counted from 1, including the opening and closing lines."""

    type: str
    first: int
    last: int


def find(lines: Sequence[str]) -> Iterator[AnyBlock]:
    """Every block, as the reference expression finds it: consecutive content lines up to the last closing line."""
    index = 0
    run_end = 0
    closing = -1
    while index < len(lines):
        opening = re.match(_OPENING, lines[index]) if lines[index].startswith("# /// ") else None
        if opening is None:
            index += 1
            continue
        if run_end <= index:
            # The lines that may be content, and the last closing mark among them; the next opening in the same run,
            # if this one is not closed, sees the same.
            run_end, closing = index + 1, -1
            while run_end < len(lines) and (lines[run_end] == "#" or lines[run_end].startswith("# ")):
                if lines[run_end] == _CLOSING:
                    closing = run_end
                run_end += 1
        if closing > index:
            yield AnyBlock(opening.group(1), index + 1, closing + 1)
            index = closing + 1
        else:
            index += 1


def blocks(script: Head) -> list[Block]:
    """The blocks of the type `script`, in order. Raises HeaderError if there is only one that is not closed."""
    if "# /// script" not in script.lines:
        return []
    found = list(find(script.lines))
    scripts = [_block(script, each) for each in found if each.type == "script"]
    inside = {number for each in found for number in range(each.first, each.last + 1)}
    for number, line in enumerate(script.lines, 1):
        if line == "# /// script" and number not in inside and not scripts:
            raise _not_closed(script, number)
    return scripts


def _block(script: Head, found: AnyBlock) -> Block:
    lines = script.lines[found.first : found.last - 1]
    return Block(
        found.first, found.last, "# ", tuple(min(2, len(line)) for line in lines), tuple(line[2:] for line in lines)
    )


def _not_closed(script: Head, opening: int) -> HeaderError:
    number = opening + 1
    while number <= len(script.lines) and (line := script.lines[number - 1]) != "" and line.startswith("#"):
        if line != "#" and not line.startswith("# "):
            return HeaderError(
                "a line of this header does not begin with `# `",
                where=(script.line(opening), script.line(number)),
                hint="put a space after the `#`",
            )
        if line.rstrip() == _CLOSING:
            return HeaderError(
                "the last line of this header ends in spaces",
                where=(script.line(opening), script.line(number)),
                hint=f"write `{_CLOSING}` and nothing after it",
            )
        number += 1
    if number > len(script.lines) and not script.whole:
        return script.not_within(opening)
    hint = "close it with a line `# ///`; every line in between must begin with `#`, empty ones too"
    places = [script.line(opening)]
    if number <= len(script.lines) and any(line == _CLOSING for line in script.lines[number:]):
        places.append(script.at(number))
    return HeaderError("this header is not closed", where=places, hint=hint)


def read(script: Head, block: Block, platform: str) -> Header:
    """Read the header, for one platform. Raises HeaderError."""
    document = Document(script, block)
    keys = document.root().table()
    locations: list[tuple[str, Location]] = [(name, keys[name].key_where) for name in _KEYS[:2] if name in keys]
    tool = keys["tool"].table() if "tool" in keys else {}
    locations += [("tool.uv", tool["uv"].key_where)] if "uv" in tool else []
    if is_r(script):
        return _of_r(Header(FORMAT, lines=(block.first, block.last)), keys, tool, platform, locations)
    header = Header(
        FORMAT,
        pypi=_requirements(keys["dependencies"], locations) if "dependencies" in keys else (),
        uv=_uv(tool["uv"], document.plain(("tool", "uv"))) if "uv" in tool else None,
        lines=(block.first, block.last),
    )
    header = _with_conda_part(header, tool, platform, locations)
    specs = _with_python(header.specs, keys.get("requires-python"), locations)
    notices = (*_ignored(keys), *header.notices)
    header = replace(header, specs=specs, notices=notices, locations=tuple(locations))
    words = interpreter.shebang(script.lines[0].encode())
    if words is None:
        return header
    from ..runner import with_options_of_uv

    return with_options_of_uv(header, words)


def is_r(script: Head) -> bool:
    """Whether this is an R script, whose packages are not on PyPI."""
    if script.path.endswith(".py"):
        return False
    from .. import languages

    language = languages.of(script.path) or languages.of_shebang(script.lines[0])
    return language is not None and language.package == "r-base"


def _of_r(
    header: Header,
    keys: dict[str, Value],
    tool: dict[str, Value],
    platform: str,
    locations: list[tuple[str, Location]],
) -> Header:
    """The header of an R script, whose `dependencies` are R packages in all tools, never PyPI packages."""
    if "requires-python" in keys:
        raise HeaderError(
            "an R script has no `requires-python`",
            where=keys["requires-python"].key_where,
            hint="name Python under `[tool.conda]`: `dependencies = ['python >=3.12']`",
        )
    header = _with_conda_part(header, tool, platform, locations)
    specs = list(header.specs)
    for text, where in keys["dependencies"].strings("an R package") if "dependencies" in keys else ():
        specs.append(r_package(text, where))
        locations += [(specs[-1], where), (text, where)]
    if all(spec_name(spec) != "r-base" for spec in specs):
        specs.append("r-base")
    complete = with_python(specs) if header.pypi else tuple(specs)
    notices = (*_ignored(keys), *header.notices)
    return replace(header, specs=complete, notices=notices, locations=tuple(locations))


_R_PACKAGE = (
    r"(?:(?P<source>bioc|cran)::)?(?P<name>[A-Za-z][A-Za-z0-9.]*)\s*"
    r"(?:@\s*(?P<exact>[\w.-]+)|\(?(?P<versions>[<>=!][^()]*)\)?)?"
)


def r_package(text: str, where: Location | tuple[()] = ()) -> str:
    """`dplyr >=1.1` as conda-forge's `r-dplyr >=1.1`, and `bioc::limma` as bioconda's `bioconductor-limma`."""
    found = re.fullmatch(_R_PACKAGE, text.strip())
    if found is None:
        raise HeaderError(
            f"`{shown(text)}` is not an R package",
            where=where,
            hint="write its name and then its versions: `dplyr >=1.1`, or `bioc::limma` for one of Bioconductor; PyPI"
            " packages go under `[tool.pixi.pypi-dependencies]`",
        )
    name = ("bioconda::bioconductor-" if found["source"] == "bioc" else "r-") + found["name"].lower()
    versions = f"=={found['exact']}" if found["exact"] else "".join((found["versions"] or "").split())
    # A dash in a version of an R package is an underscore in conda.
    return f"{name} {versions.replace('-', '_')}".strip()


def _ignored(keys: dict[str, Value]) -> tuple[str, ...]:
    """A notice for each key that is not in PEP 723: other runners ignore them, and run the script."""
    return tuple(
        f"`{shown(name)}` is not a key of PEP 723 and is ignored"
        + (f"; {hint}" if (hint := nearest(name, _KEYS, _FOREIGN_KEYS)).startswith("did") else "")
        for name in keys
        if name not in _KEYS
    )


def _requirements(node: Value, locations: list[tuple[str, Location]]) -> tuple[str, ...]:
    found = node.strings("a requirement")
    locations += found
    return tuple(fields.requirement(text, where) for text, where in found)


def _with_python(specs: tuple[str, ...], node: Value | None, locations: list[tuple[str, Location]]) -> tuple[str, ...]:
    """The specs, and python: the script is written in it."""
    if node is None:
        return with_python(specs)
    from ...specs.pep440 import conda_version

    version = conda_version(node.string('write it in quotes: `">=3.10"`'), "requires-python", node.where)
    complete = with_python(specs, version)
    if len(complete) > len(specs):
        locations.append((complete[-1], node.where))
    return complete


def _with_conda_part(
    header: Header, tool: dict[str, Value], platform: str, locations: list[tuple[str, Location]]
) -> Header:
    """The header with the values of `[tool.conda]`, or else `[tool.pixi]`, and of `[tool.conda-execute]`."""
    if "conda-execute" in tool:
        header = replace(header, **own(tool["conda-execute"].known(OWN)))
    if "conda" in tool:
        both = "the script has both `tool.conda` and `tool.pixi`: the first is used, the second left out"
        return replace(_with_conda(header, tool["conda"], locations), notices=(both,) if "pixi" in tool else ())
    if "pixi" not in tool:
        return header
    from . import pixi

    return pixi.added(header, tool["pixi"], platform, locations)


def _with_conda(header: Header, table: Value, locations: list[tuple[str, Location]]) -> Header:
    keys = table.known(_CONDA_KEYS, _CONDA_FOREIGN_KEYS)
    specs: list[str] = []
    for text, where in keys["dependencies"].strings("a spec") if "dependencies" in keys else ():
        specs.append(fields.spec(text, where))
        locations.append((specs[-1], where))
    names, moments = channels(keys["channels"], locations) if "channels" in keys else (None, ())
    return replace(
        header,
        specs=tuple(specs),
        channels=names,
        exclude_newer_of=moments,
        **own(keys, SHARED),
    )


def _uv(said: Value, plain: object) -> str | None:
    """The table as canonical JSON, since it decides what is installed; `plain` is the same without places."""
    table = said.table()
    if not table:
        return None
    # These are read here for their paths; uv checks the rest.
    if "sources" in table:
        table["sources"].table()
    for index in table["index"].items("write `[[tool.uv.index]]`, and `url` below it") if "index" in table else ():
        index.table()
    import json
    from datetime import date, time

    def written(value: object) -> str:
        assert isinstance(value, (date, time))
        return value.isoformat()

    return json.dumps(plain, sort_keys=True, separators=(",", ":"), default=written)
