"""Files that we write into a prefix besides its packages, so that other tools recognise it.

The history, in conda's form: `conda env export --from-history` finds the specs there, `conda list --revisions` the
packages. The marker `conda-meta/frozen` (CEP 22) is written after everything else: it prevents conda and similar tools
from changing an environment that scripts share. `EXTERNALLY-MANAGED` (PEP 668) does the same for pip and uv, after our
own installation. A `pip` that only says what to do prevents a script without pip from using, and changing, another
environment's. `pyvenv.cfg` hides the user's site-packages, but only from this interpreter, its programs and its
children. Package records get the mode of the umask, since other users may read a shared prefix.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..files import content_of, listed, umask, write_atomically

FROZEN = "frozen"

_MESSAGE = (
    "This environment was made by conda-execute and is shared by every script that needs the same packages.\n"
    "Instead of changing it, add what is missing to the script's header (conda execute --add SPEC SCRIPT): the script "
    "then gets an environment of its own. `conda tmpenv clear {name}` removes this one, once no script uses it."
)

#: PEP 668: what pip and uv print instead of installing.
MANAGED = "EXTERNALLY-MANAGED"
_MANAGED = """\
[externally-managed]
Error=This environment was made by conda-execute, and every script that needs the same packages
 shares it, so nothing is installed into it. Add what is missing to the script's header:

     conda execute --add pypi:NAME SCRIPT

 The script then gets an environment of its own. What can only be installed while the script runs,
 such as a model, can go into a directory of the script's own: pip install --target DIRECTORY NAME
"""

#: What a script calls that has a Python and no pip: on PATH there may be one, and it installs into its own environment.
PIP = ("bin/pip", "bin/pip3")
_NO_PIP = """\
#!/bin/sh
# By conda-execute.
cat >&2 <<'EOF'
error: this environment has no pip, and pip of another environment would install into that one
hint: add what is missing to the script's header: conda execute --add pypi:NAME SCRIPT
      to call pip all the same, ask for it: conda execute --add pip SCRIPT
EOF
exit 1
"""

#: `site` reads it and leaves the user's site-packages out. Without `home` it does not make a virtual environment.
NO_USER_SITE = "pyvenv.cfg"
_NO_USER_SITE = "# By conda-execute; not a virtual environment.\ninclude-system-site-packages = false\n"

#: For a symbolic link rattler records the hash of its target's name. conda expects the hash of the target's content, so
#: `conda doctor` would report every link as altered. Without a hash it compares nothing.
_HASH_OF_LINK = rb'("path_type":\s*"softlink"[^{}]*?),\s*"sha256_in_prefix":\s*"[0-9a-f]*"'

_SIZE = rb'"size_in_bytes":\s*(\d+)'


def write_history(prefix: str, command: str, installed: Iterable[str], requested: Sequence[str], now: float) -> None:
    """Write the prefix's history as conda does. `installed` are names such as `conda-forge/noarch::six-1.16-pyh_0`."""
    lines = [
        time.strftime("==> %Y-%m-%d %H:%M:%S <==", time.localtime(now)),
        "# cmd: " + " ".join(command.split()),
        *(f"+{package}" for package in sorted(installed)),
        f"# update specs: {list(requested)!r}",
    ]
    # The name of a script in the command may contain any bytes.
    text = "\n".join(lines) + "\n"
    _write(os.path.join(prefix, "conda-meta", "history"), text.encode(errors="backslashreplace"))


def settle_records(prefix: str, moved: Sequence[tuple[str, str]] = ()) -> int:
    """Give the package records the umask's mode, and return the size of the files that they list, in bytes. `moved`:
    package directories named in the records, and their present paths."""
    import json

    places = [tuple(json.dumps(path)[1:-1].encode() for path in pair) for pair in moved]
    mode, size = 0o666 & ~umask(), 0
    for entry in os.scandir(os.path.join(prefix, "conda-meta")):
        if not entry.name.endswith(".json") or not entry.is_file(follow_symlinks=False):
            continue
        with open(entry.path, "rb") as file:
            data = file.read()
        size += sum(map(int, re.findall(_SIZE, data)))
        settled = re.sub(_HASH_OF_LINK, rb"\1", data)
        for was, place in places:
            settled = settled.replace(was, place)
        if settled != data:
            _write(entry.path, settled)
        elif sys.platform != "win32":
            os.chmod(entry.path, mode)
    return size


def freeze(prefix: str) -> None:
    """Mark the prefix as frozen (CEP 22)."""
    import json

    text = json.dumps({"message": _MESSAGE.format(name=os.path.basename(prefix))}, indent=1) + "\n"
    _write(os.path.join(prefix, "conda-meta", FROZEN), text.encode())


def _write(path: str, content: bytes, mode: int = 0o666) -> None:
    """Make a file of this mode, less the umask, hold this. A package may have laid another there, or a link: that is
    replaced, since who writes into it writes into the package cache, or anywhere."""
    write_atomically(path, content, before=lambda new: os.chmod(new, mode & ~umask()))


def protect_python(prefix: str, *, user_libraries: bool) -> None:
    """Prevent other tools from installing into the prefix's Python, and hide the user's site-packages unless they are
    wanted. Files of packages may be hard links into the package cache, so they are replaced, not changed."""
    folders = _standard_libraries(prefix)
    for folder in folders:
        _write(os.path.join(folder, MANAGED), _MANAGED.encode())
    if folders and not user_libraries:
        _write(os.path.join(prefix, NO_USER_SITE), _NO_USER_SITE.encode())
    for path in (os.path.join(prefix, name) for name in PIP) if folders and sys.platform != "win32" else ():
        if os.path.isdir(os.path.dirname(path)) and not os.path.lexists(path):
            _write(path, _NO_PIP.encode(), 0o777)


def stand_ins(prefix: str) -> list[str]:
    """The names in `PIP` that are not pip, but what we put in its place."""
    ours = _NO_PIP.encode()
    return [name for name in PIP if content_of(os.path.join(prefix, name), len(ours) + 1) == ours]


def _standard_libraries(prefix: str) -> list[str]:
    """The standard libraries of the Pythons in the prefix: at most one, except for other implementations."""
    if sys.platform == "win32":
        folders = [os.path.join(prefix, "Lib")]
    else:
        library = os.path.join(prefix, "lib")
        names = os.listdir(library) if os.path.isdir(library) else []
        folders = [os.path.join(library, name) for name in sorted(names) if re.match(r"(pypy|python)\d", name)]
    return [folder for folder in folders if os.path.exists(os.path.join(folder, "os.py"))]


def each(prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The package records of a prefix by their files' names; one that cannot be read is empty."""
    import json

    meta = os.path.join(prefix, "conda-meta")
    for name in sorted(listed(meta)):
        if name.endswith(".json"):
            try:
                with open(os.path.join(meta, name), encoding="utf-8") as file:
                    record = json.load(file)
            except (OSError, ValueError):
                record = None
            yield name, record if isinstance(record, dict) else {}


def altered(prefix: str, made: float) -> list[str]:
    """Python packages that have changed since the prefix was `made` (seconds since the epoch, by its file system):
    recorded ones that are gone, and those that other tools installed later."""
    from .pypi.installed import distributions

    complaints = []
    for _, record in each(prefix):
        files = (path for path in record.get("files", ()) if path.endswith(".dist-info/METADATA"))
        if not all(os.path.exists(os.path.join(prefix, path)) for path in files):
            complaints.append(f"{record['name']} {record['version']} was replaced or removed")
    later = (one for one in distributions(prefix) if one.installer not in ("", "conda"))
    complaints += [
        f"{one.name} {one.version} was installed later, by {one.installer}"
        for one in later
        if os.stat(one.path).st_ctime > made
    ]
    return complaints
