"""A program of the project that is killed where it reaches a step (`tests.protocol.steps`):
`killer.py STEP MODULE [ARGUMENTS...]`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main(step: str, module: str, *arguments: str) -> None:
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    from tests.protocol import steps

    steps.at(step, steps.die)
    sys.argv[1:] = arguments
    importlib.import_module(module).program()


main(*sys.argv[1:])
