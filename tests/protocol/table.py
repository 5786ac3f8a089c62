"""What the model explores, as a table: `python -m tests.protocol.table`.

For each setting the worlds that can be reached, the steps between them, and the histories (ways from the beginning to
an end, no step of an orphan that changes nothing counted); for each law, where leaving it out breaks something first.
"""

from __future__ import annotations

import time

from conda_execute.lean.values import replace
from tests.protocol.model import Setting, World, explore, moves, without
from tests.protocol.test_model import NEEDED, SETTINGS


def count(setting: Setting) -> tuple[int, int, int]:
    """Worlds, steps and histories."""
    histories: dict[World, int] = {}
    steps = 0
    first = setting.begin()
    stack = [(first, _following(first, setting))]
    while stack:
        world, following = stack[-1]
        missing = next((after for after in following if after not in histories), None)
        if missing is not None:
            stack.append((missing, _following(missing, setting)))
            continue
        histories[world] = sum(histories[after] for after in following) or 1
        steps += len(following)
        stack.pop()
    return len(histories), steps, histories[first]


def _following(world: World, setting: Setting) -> list[World]:
    return [after for _, after in moves(world, setting) if after != world]


def main() -> None:
    print("| setting | worlds | steps | histories |", "|---|---:|---:|---:|", sep="\n")
    started, total = time.monotonic(), [0, 0]
    for name, setting in SETTINGS.items():
        worlds, steps, histories = count(setting)
        total = [total[0] + worlds, total[1] + steps]
        print(f"| {name} | {worlds:,} | {steps:,} | {histories:.1e} |")
    print(f"| all, in {time.monotonic() - started:.0f} s | {total[0]:,} | {total[1]:,} | |", end="\n\n")
    print("| law left out | setting | what happens | after steps |", "|---|---|---|---:|", sep="\n")
    for law, name in NEEDED.items():
        outcome = explore(replace(SETTINGS[name], laws=without(law)))
        print(f"| `{law}` | {name} | {outcome.complaint} | {len(outcome.history)} |")


if __name__ == "__main__":
    main()
