"""A conda package of the Python interpreter at hand, made relocatable.

Three layouts are known, by where the interpreter was installed:

standalone
    pyenv, python-build-standalone, a build of one's own: everything below one prefix that belongs to it.
local
    `/usr/local` of the official images, which holds more than Python: only the interpreter's own files are taken.
debian
    `/usr/bin/python3`, whose `site` and `sysconfig` point into `dist-packages`. The schemes of the original are
    restored, so that `site-packages` is on the path and installers find a prefix that they may write to.

In each, only `bin/python3.X`, `lib/python3.X`, a shared `libpython` and the headers are Python's own. What was
installed beside it (`site-packages`, other programs) stays behind.
"""

from __future__ import annotations

import functools
import glob
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.channel.package import PLACEHOLDER, File, Link, Package

#: Parts of the standard library that no script of the tests needs and that make up most of its size.
_LEFT_OUT = ("test", "tests", "idlelib", "ensurepip", "turtledemo", "tkinter", "lib2to3", "pydoc_data", "site-packages")
_LEFT_OUT_FILES = ("EXTERNALLY-MANAGED", "sitecustomize.py", "_distutils_system_mod.py")

_UPSTREAM_SITE_PACKAGES = """\
import site
import sys


def getsitepackages(prefixes=None):
    version = "python%d.%d" % sys.version_info[:2]
    return [f"{prefix}/lib/{version}/site-packages" for prefix in dict.fromkeys(prefixes or site.PREFIXES)]


site.getsitepackages = getsitepackages
for directory in getsitepackages():
    if directory not in sys.path:
        site.addsitedir(directory)
"""

_QUESTIONS = """
import json, platform, sys, sysconfig
print(json.dumps({
    "version": platform.python_version(),
    "implementation": sys.implementation.name,
    "executable": sys.executable,
    "prefix": sys.base_prefix,
    "standard_library": sysconfig.get_path("stdlib"),
    "headers": sysconfig.get_path("include"),
    "library_directory": sysconfig.get_config_var("LIBDIR"),
    "library": sysconfig.get_config_var("INSTSONAME") if sysconfig.get_config_var("Py_ENABLE_SHARED") else None,
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """A CPython of this machine, and where its own files lie."""

    version: str
    executable: Path
    prefix: Path
    standard_library: Path
    headers: Path
    #: The shared libpython, if the interpreter was built with one.
    library: Path | None

    @property
    def short(self) -> str:
        """`3.13`."""
        return ".".join(self.version.split(".")[:2])

    @property
    def tag(self) -> str:
        """`313`, as in `cp313`."""
        return self.short.replace(".", "")

    @property
    def layout(self) -> str:
        return {"/usr": "debian", "/usr/local": "local"}.get(str(self.prefix), "standalone")

    @property
    def identity(self) -> str:
        """Changes when another interpreter is installed in this one's place."""
        status = self.executable.stat()
        return f"{self.version} {self.executable} {status.st_size} {status.st_mtime_ns}"

    @property
    def requirement(self) -> str:
        """What a package compiled for this interpreter depends on."""
        major, minor = self.short.split(".")
        return f"python >={self.short},<{major}.{int(minor) + 1}.0a0"


def ask(executable: str | Path) -> Interpreter | None:
    """What this interpreter says of itself; None if it is none that the channel can use."""
    command = [str(executable), "-I", "-c", _QUESTIONS]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        facts = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    version = tuple(int(part) for part in re.findall(r"\d+", facts["version"])[:2])
    if facts["implementation"] != "cpython" or facts["free_threaded"] or version < (3, 10):
        return None
    if not re.fullmatch(r"\d+\.\d+\.\d+", facts["version"]):
        return None  # a pre-release: few wheels exist for it
    program = Path(os.path.realpath(Path(facts["prefix"], "bin", f"python{version[0]}.{version[1]}")))
    return Interpreter(
        version=facts["version"],
        executable=program,
        prefix=Path(facts["prefix"]),
        standard_library=Path(facts["standard_library"]),
        headers=Path(facts["headers"]),
        library=_shared_library(program, facts),
    )


def _shared_library(program: Path, facts: dict[str, str]) -> Path | None:
    """The libpython that the program loads. Debian ships one, and a program that does without."""
    if not facts["library"] or facts["library"].encode() not in program.read_bytes():
        return None
    library = Path(facts["library_directory"], facts["library"])
    return library if library.exists() else None


@functools.cache
def find_all() -> tuple[Interpreter, ...]:
    """Every usable interpreter of this machine; the one that runs the tests first, then the newest first."""
    home = os.path.expanduser("~")
    patterns = (
        f"{home}/.pyenv/versions/3.*/bin/python3",
        f"{home}/.local/share/uv/python/cpython-3.*/bin/python3",
        "/opt/python/3.*/bin/python3",
        "/usr/local/bin/python3.[0-9][0-9]",
        "/usr/bin/python3.[0-9][0-9]",
    )
    running = sys._base_executable or sys.executable  # type: ignore[attr-defined]
    candidates = sorted({os.path.realpath(path) for pattern in patterns for path in glob.glob(pattern)})
    with ThreadPoolExecutor() as threads:
        own, *others = threads.map(ask, [running, *candidates])
    found = {one.executable: one for one in others if one and one.executable.exists()}
    if own is not None:
        found.pop(own.executable, None)
    newest_first = sorted(found.values(), key=lambda one: [int(part) for part in one.version.split(".")], reverse=True)
    return (*([own] if own else []), *newest_first)


def choose(interpreters: Sequence[Interpreter]) -> list[Interpreter]:
    """At most two of different minor versions, one of them that of the tests, both able to run numpy's wheels."""
    if not interpreters:
        raise SystemExit("no CPython 3.10 or later found on this machine: nothing to make a `python` package from")
    first, *rest = interpreters
    return [first, *[one for one in rest if one.short != first.short][:1]]


def package(interpreter: Interpreter, workplace: Path) -> Package:
    """The interpreter as a conda package; `workplace` is an empty directory where its files are put together."""
    short = interpreter.short
    program = f"bin/python{short}"
    library = f"lib/python{short}"
    copy = workplace / library
    shutil.copytree(interpreter.standard_library, copy, ignore=_ignore, symlinks=False)
    (copy / "site-packages").mkdir()
    (copy / "site-packages" / "README.txt").write_text("Packages are installed here.\n")
    (workplace / "bin").mkdir()
    shutil.copy2(interpreter.executable, workplace / program)
    if interpreter.headers.is_dir():
        shutil.copytree(interpreter.headers, workplace / "include" / f"python{short}", symlinks=False)
    if interpreter.library:
        shutil.copy2(interpreter.library, workplace / "lib" / interpreter.library.name)
    if interpreter.layout == "debian":
        _restore_upstream_schemes(copy)
    _strip(workplace)
    _relocate(workplace, interpreter)
    compile_modules(workplace / program, copy)
    files: dict[str, str | bytes | File | Link] = {
        str(path.relative_to(workplace)): File(path, executable=os.access(path, os.X_OK))
        for path in workplace.rglob("*")
        if path.is_file()
    }
    for name in ("bin/python", "bin/python3"):
        files[name] = Link(f"python{short}")
    if interpreter.library:
        files[f"lib/libpython{short}.so"] = Link(interpreter.library.name)
    return Package(
        "python",
        interpreter.version,
        files,
        depends=["__glibc >=2.17"] if sys.platform == "linux" and os.confstr("CS_GNU_LIBC_VERSION") else [],
        build=f"{interpreter.layout}_0",
    )


def _ignore(directory: str, names: list[str]) -> set[str]:
    left_out = {name for name in names if name in ("__pycache__", *_LEFT_OUT) or name in _LEFT_OUT_FILES}
    # Tk cannot be relocated with its library alone, and the static library is most of a development build.
    left_out |= {name for name in names if name.endswith((".a", ".o")) or name.startswith(("_tkinter.", "_test"))}
    if os.path.basename(directory).startswith("config-"):
        left_out |= {name for name in names if name.startswith("libpython")}
    return left_out


def _restore_upstream_schemes(library: Path) -> None:
    """Undo Debian's `dist-packages` and `/usr/local`, which are for the one Python that dpkg owns."""
    for module in (library / "sysconfig.py", library / "sysconfig" / "__init__.py"):
        if module.exists():
            source = module.read_text(encoding="utf-8")
            # The choice between its own schemes is made in a function; the name of upstream's one is put there.
            source = re.sub(r"prefix_scheme = '(deb_system|posix_local)'", "prefix_scheme = 'posix_prefix'", source)
            module.write_text(source, encoding="utf-8")
    # `site` itself is frozen into the program since 3.11, so that its source counts for nothing.
    (library / "sitecustomize.py").write_text(_UPSTREAM_SITE_PACKAGES)


def _strip(workplace: Path) -> None:
    """Drop debugging symbols where the machine can: a development build has 20 MB of them."""
    strip = shutil.which("strip")
    if strip:
        binaries = [str(path) for path in workplace.rglob("*") if path.is_file() and _is_elf(path)]
        for path in binaries:
            os.chmod(path, 0o755)
        subprocess.run([strip, "--strip-unneeded", *binaries], check=True, capture_output=True)


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _relocate(workplace: Path, interpreter: Interpreter) -> None:
    """Replace the prefix that the interpreter was built for: by a placeholder in text, by `$ORIGIN` in binaries."""
    word = re.compile(
        rb"(?<![\w/.+-])" + re.escape(os.fsencode(interpreter.prefix)) + rb"(?=[/'\"\s:,;)]|$)", re.MULTILINE
    )
    runpath = os.fsencode(interpreter.prefix / "lib")
    for path in workplace.rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        if data.startswith(b"\x7fELF"):
            depth = len(path.relative_to(workplace).parts) - 1
            relative = "$ORIGIN" if path.parent == workplace / "lib" else "$ORIGIN/" + "../" * depth + "lib"
            if path.parent.name == "lib-dynload":
                relative = "$ORIGIN/../.."
            new = _shorter(data, runpath, os.fsencode(relative))
        elif b"\0" not in data and _speaks_of_its_prefix(path):
            new = word.sub(PLACEHOLDER.encode(), data)
        else:
            continue
        if new != data:
            path.write_bytes(new)


def _speaks_of_its_prefix(path: Path) -> bool:
    """Whether this is one of the few files that the build wrote its prefix into; `/usr` is a common word elsewhere."""
    return path.name.startswith("_sysconfig") or "config-" in path.parent.name or path.name == "pyconfig.h"


def _shorter(data: bytes, runpath: bytes, relative: bytes) -> bytes:
    """Write `relative` over the run path: a string of the dynamic section may shrink in place, but not grow."""
    old = b"\0" + runpath + b"\0"
    if old not in data or len(relative) > len(runpath):
        return data
    return data.replace(old, b"\0" + relative.ljust(len(runpath), b"\0") + b"\0")


def compile_modules(python: Path, directory: Path) -> None:
    """Byte code that stays valid whatever an extractor does to modification times."""
    command = [str(python), "-I", "-B", "-m", "compileall", "-q", "-j", "2", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([*command, "-s", str(directory), str(directory)], check=True, stdout=subprocess.DEVNULL)
    # A placeholder in byte code would be replaced as in a binary, which does not keep the lengths that it counts.
    for path in directory.rglob("__pycache__/*.pyc"):
        if PLACEHOLDER.encode() in path.read_bytes():
            path.unlink()
