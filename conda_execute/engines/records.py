"""What is written into a prefix around its packages, so that other tools read it as their own.

The history, in conda's form: `conda env export --from-history` finds the specs there, `conda list --revisions` the
packages. The marker `conda-meta/frozen` (CEP 22) is written after everything else: it keeps conda and its peers from
changing an environment that scripts share. Package records get the mode that the umask says, since a shared prefix is
to be read by others than its maker.
"""

from __future__ import annotations

import os
import re
import sys
import time

from ..files import umask, write_atomically

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FROZEN = "frozen"

_MESSAGE = (
    "This environment was made by conda-execute and is shared by every script that needs the same packages.\n"
    "Instead of changing it, add what is missing to the script's header (conda execute --add SPEC SCRIPT): the script "
    "then gets an environment of its own. `conda tmpenv clear {name}` removes this one, once no script uses it."
)

#: For a symbolic link rattler records the hash of its target's name. To conda it is the hash of the target's content,
#: so that `conda doctor` would call every link altered. Without one nothing is compared.
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
    # The name of a script in the command may be any bytes.
    text = "\n".join(lines) + "\n"
    _write(os.path.join(prefix, "conda-meta", "history"), text.encode(errors="backslashreplace"))


def settle_records(prefix: str) -> int:
    """Give the package records the umask's mode, and return the size of the files that they list, in bytes."""
    mode, size = 0o666 & ~umask(), 0
    for entry in os.scandir(os.path.join(prefix, "conda-meta")):
        if not entry.name.endswith(".json") or not entry.is_file(follow_symlinks=False):
            continue
        with open(entry.path, "rb") as file:
            data = file.read()
        size += sum(map(int, re.findall(_SIZE, data)))
        settled = re.sub(_HASH_OF_LINK, rb"\1", data)
        if settled != data:
            _write(entry.path, settled)
        elif sys.platform != "win32":
            os.chmod(entry.path, mode)
    return size


def freeze(prefix: str) -> None:
    """Mark the prefix as one not to be changed (CEP 22)."""
    import json

    text = json.dumps({"message": _MESSAGE.format(name=os.path.basename(prefix))}, indent=1) + "\n"
    _write(os.path.join(prefix, "conda-meta", FROZEN), text.encode())


def _write(path: str, content: bytes) -> None:
    """Make a file of the umask's mode hold this. A package may have laid another there, or a link: that is replaced,
    since who writes into it writes into the package cache, or anywhere."""
    write_atomically(path, content, before=lambda new: os.chmod(new, 0o666 & ~umask()))
