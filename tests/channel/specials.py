"""Packages made up for one property each: what a law of the tests needs and no real package shows so plainly."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.channel import debian
from tests.channel.package import PLACEHOLDER, File, Package

_PREFIX_IN_BINARY = """
#include <stdio.h>
const char *volatile prefix = "%s";
int main(void) { puts(prefix); return 0; }
"""

_ACTIVATE = """\
export ACTIVATED_PREFIX="$CONDA_PREFIX"
export ACTIVATED_BY=script
"""

_POST_LINK = """\
#!/bin/sh
printf '%s\\n' "$PREFIX" "$PKG_NAME" > "$PREFIX/post-link-ran"
"""


def packages(workplace: Path, downloads: Path) -> list[Package]:
    """All of them that this machine can make."""
    return [*solving(), *prefixed(), *activated(), *linked(), *virtual(), *corrupt(), *tools(workplace, downloads)]


def solving() -> list[Package]:
    """`alpha` comes in versions and builds of different age; `beta` and `gamma` need versions of it that conflict."""
    alphas = [
        ("1.0", 0, "2021-01-01"),
        ("1.0", 1, "2021-06-01"),
        ("1.1", 0, "2022-01-01"),
        ("2.0", 0, "2024-01-01"),
        ("2.0", 1, "2024-06-01"),
        ("2.1", 0, "2025-01-01"),
    ]
    return [
        *(
            Package("alpha", version, _says("alpha", f"{version} {number}"), build_number=number, timestamp=when)
            for version, number, when in alphas
        ),
        Package("alpha", "2.1", _says("alpha", "2.1 debug"), build="debug_0", track_features="debug"),
        Package("beta", "1.0", _says("beta", "1.0"), depends=["alpha >=1,<2"], noarch="generic"),
        Package("gamma", "1.0", _says("gamma", "1.0"), depends=["alpha >=2"], noarch="generic"),
        Package("delta", "1.0", _says("delta", "1.0"), constrains=["alpha <2"], noarch="generic"),
        Package("unsolvable", "1.0", depends=["alpha >=3"], noarch="generic"),
    ]


def _says(name: str, what: str) -> dict[str, str]:
    return {f"bin/{name}": f"#!/bin/sh\necho {what}\n"}


def prefixed() -> list[Package]:
    """Its prefix in a shebang and in a configuration file."""
    program = f"#!{PLACEHOLDER}/bin/python\nimport sys\nprint(sys.executable)\n"
    shell = f'#!/bin/sh\n. "{PLACEHOLDER}/share/prefixed-text.conf"\necho "$prefix"\n'
    files = {
        "bin/prefixed-text": program,
        "bin/prefixed-shell": shell,
        "share/prefixed-text.conf": f"prefix={PLACEHOLDER}\n",
    }
    return [Package("prefixed-text", "1.0", files, depends=["python"])]


def activated() -> list[Package]:
    """Variables of `env_vars.d`, and a script of `activate.d` that sees them."""
    return [
        Package(
            "activated",
            "1.0",
            {
                "etc/conda/activate.d/activated.sh": _ACTIVATE,
                "etc/conda/deactivate.d/activated.sh": "unset ACTIVATED_PREFIX ACTIVATED_BY\n",
                "etc/conda/env_vars.d/activated.json": json.dumps({"ACTIVATED_VARIABLE": "of env_vars.d"}),
            },
            noarch="generic",
        ),
        Package(
            "variables-only",
            "1.0",
            {"etc/conda/env_vars.d/variables-only.json": json.dumps({"ONLY_VARIABLE": "of env_vars.d"})},
            noarch="generic",
        ),
    ]


def linked() -> list[Package]:
    """A post-link script that writes `post-link-ran`, and one that fails."""
    failing = {"bin/.post-link-fails-post-link.sh": "#!/bin/sh\necho no luck >&2\nexit 1\n"}
    return [
        Package("post-link", "1.0", {"bin/.post-link-post-link.sh": _POST_LINK}),
        Package("post-link-fails", "1.0", failing),
    ]


def virtual() -> list[Package]:
    """What only some machines can install."""
    return [
        Package("needs-linux", "1.0", _says("needs-linux", "1.0"), depends=["__linux"], noarch="generic"),
        Package("needs-cuda", "1.0", _says("needs-cuda", "1.0"), depends=["__cuda >=1"], noarch="generic"),
        Package("needs-windows", "1.0", _says("needs-windows", "1.0"), depends=["__win"], noarch="generic"),
    ]


def corrupt() -> list[Package]:
    """An archive that `spoil` cuts short once it is indexed."""
    return [Package("corrupt", "1.0", {"share/corrupt": os.urandom(4096)}, noarch="generic")]


def spoil(channel: Path) -> None:
    """Cut the archive of `corrupt` short: its record goes on promising a hash that it no longer has."""
    archive = next(channel.glob("noarch/corrupt-*.conda"))
    archive.write_bytes(archive.read_bytes()[:-1024])


def tools(workplace: Path, downloads: Path) -> list[Package]:
    """Programs of this machine: interpreters that are not Python, a C compiler, and a binary that it made."""
    found = [*_lua(downloads), *_perl()]
    compiler = shutil.which("gcc")
    if compiler:
        wrapper = f'#!/bin/sh\nexec {compiler} "$@"\n'
        found += [Package("gcc", "1.0", {"bin/gcc": wrapper, "bin/cc": wrapper}), _prefixed_binary(compiler, workplace)]
    return found


def _prefixed_binary(compiler: str, workplace: Path) -> Package:
    source, program = workplace / "prefixed-binary.c", workplace / "prefixed-binary"
    source.write_text(_PREFIX_IN_BINARY % PLACEHOLDER)
    subprocess.run([compiler, "-O1", "-o", str(program), str(source)], check=True)
    return Package("prefixed-binary", "1.0", {"bin/prefixed-binary": File(program, executable=True)})


def _lua(downloads: Path) -> list[Package]:
    """The machine's Lua or Debian's, if its archive can be had; the program needs no file but itself."""
    program: str | Path | None = shutil.which("lua5.4")
    if program is None:
        program = debian.program("lua5.4", "usr/bin/lua5.4", downloads)
    if program is None or not debian.runs([str(program), "-v"]):
        print("note: no Lua on this machine and none from its package archive: the channel has none", file=sys.stderr)
        return []
    return [Package("lua", "5.4", {"bin/lua": File(Path(program), executable=True)})]


def _perl() -> list[Package]:
    """The machine's own perl, without modules: what `-e` and plain scripts need."""
    program = shutil.which("perl", path="/usr/bin:/bin:/usr/local/bin")
    if program is None or not debian.runs([program, "-e", "1"]):
        return []
    return [Package("perl", "5", {"bin/perl": File(Path(os.path.realpath(program)), executable=True)})]
