"""From a Python process to the launcher, which starts a script that it knows faster than Python can.

If it has no record of the script, it would only start Python again. So this process continues, and leaves a record as
if the launcher had started it.
"""

from __future__ import annotations

import os
import sys

from ..cache import cache_dir, launch_records
from .process import LAUNCHED, LAUNCHED_BY, become, inherited_environ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def hand_over(words: Sequence[str], launcher: str | None = None) -> None:
    """Become the launcher with these arguments, if it has a record of the script, which is the first of them."""
    launcher = launcher or os.path.join(os.path.dirname(sys.executable), "conda-execute")
    if sys.platform == "win32" or not words or words[0].startswith("-") or not os.path.isfile(words[0]):
        return
    environ = inherited_environ()
    # As the launcher does it: a shell knows the working directory by the path through which it was entered.
    folder = environ.get("PWD") or os.getcwd()
    script = words[0] if words[0].startswith("/") else f"{folder}/{words[0].removeprefix('./')}"
    cache = cache_dir(environ)
    if cache is None or ".." in script.split("/") or not os.access(launcher, os.X_OK):
        return
    if any(os.path.exists(path) for path in launch_records(cache, script)):
        become(launcher, [launcher, *words], environ)
    os.environ[LAUNCHED], os.environ[LAUNCHED_BY] = script, launcher
