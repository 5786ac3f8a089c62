"""A program of the project that is killed where it reaches a step: `killer.py STEP MODULE [ARGUMENTS...]`.

`environments.store.reached` is called at each named step of making and removing an environment, and does nothing. Here
it sends SIGKILL to itself, at the step given.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path


def main(step: str, module: str, *arguments: str) -> None:
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    from conda_execute.environments import store

    def reached(step: str, wanted: str = step) -> None:
        if step == wanted:
            os.kill(os.getpid(), signal.SIGKILL)

    store.reached = reached
    sys.argv[1:] = arguments
    importlib.import_module(module).program()


main(*sys.argv[1:])
