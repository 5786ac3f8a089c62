"""The steps of making and removing an environment, and how a process is stopped at one of them.

The product knows nothing of this. An operation is patched, in one test or in a process that a test has started; what
is not patched but only called (`before_call`) is known by Python's audit events.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Step:
    """`module:name` of an operation; the step lies after it, or before it."""

    operation: str
    after: bool = True
    #: A step that lies earlier; before it, the same operation is another step.
    follows: str | None = None

    def owner(self) -> tuple[Any, str]:
        module, _, path = self.operation.partition(":")
        owner = importlib.import_module(module)
        *classes, name = path.split(".")
        for one in classes:
            owner = getattr(owner, one)
        return owner, name


_HERE = "conda_execute.environments"

CREATION = {
    "locked": Step(f"{_HERE}.lock:take"),
    "begin": Step(f"{_HERE}.ensure:_Work._make", after=False),
    "installed": Step(f"{_HERE}.store:Store.finish", after=False),
    "uses made": Step(f"{_HERE}.marker:text", after=False),
    "marker written": Step("os:replace", after=False, follows="uses made"),
    "marked": Step(f"{_HERE}.store:Store.finish"),
    "before note": Step(f"{_HERE}.uses:write_note", after=False),
    "noted": Step(f"{_HERE}.uses:write_note"),
}

CLEANING = {
    "sweep locked": Step(f"{_HERE}.store:Store.try_to_lock"),
    "unmarked": Step(f"{_HERE}.store:Store.unmark"),
    "notes listed": Step(f"{_HERE}.observer:Observer.sort", after=False, follows="unmarked"),
    "in trash": Step(f"{_HERE}.store:Store.discard"),
    "deleted": Step("conda_execute.files:delete", follows="in trash"),
}

STEPS = {
    **CREATION,
    **CLEANING,
    "marked again": Step(f"{_HERE}.store:Store.mark_again"),
    "marker unlinked": Step("conda_execute.files:delete", after=False),
}


def at(name: str, act: Callable[[], object], patch: Callable[[Any, str, Any], object] = setattr) -> None:
    """Call `act` whenever this step is reached, in this process."""
    step = STEPS[name]
    passed = [step.follows is None]
    if step.follows is not None:
        at(step.follows, lambda: passed.__setitem__(0, True), patch)
    owner, attribute = step.owner()
    operation = getattr(owner, attribute)

    def patched(*arguments: Any, **options: Any) -> Any:
        if not step.after and passed[0]:
            act()
        result = operation(*arguments, **options)
        if step.after and passed[0]:
            act()
        return result

    patch(owner, attribute, patched)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before_call(number: int, act: Callable[[], object], tmp_envs: str) -> None:
    """Call `act` before the call of this number that concerns a file below `tmp_envs`."""
    left = [number]

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        if arguments and event.startswith(("open", "os.", "fcntl.")):
            path = os.fsdecode(arguments[0]) if isinstance(arguments[0], (str, bytes)) else ""
            if event == "fcntl.flock" or path.startswith(tmp_envs):
                left[0] -= 1
                if left[0] == -1:
                    act()

    sys.addaudithook(audit)
