"""`python -m benchmarks`: measure everything once; print the figures, and put them into `docs` and the README."""

from __future__ import annotations

import argparse
import os
import platform
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks import cases, report, timing, world
from benchmarks.cases import Effort, Section

_TITLE = """\
# What a run costs

`make bench` measures this on your machine and writes this page. Only ratios mean something elsewhere.

![bars](benchmarks.svg)

"""

DOCS = world.CHECKOUT / "docs"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few rounds, to see that it works")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where the table and the plot go")
    chosen = parser.parse_args()
    sections = []
    with tempfile.TemporaryDirectory(prefix="conda-execute-bench-") as root:
        for section in _measure(world.make(Path(root) / "world"), cases.QUICK if chosen.quick else Effort()):
            sections.append(section)
            print(report.markdown([section], _where()), flush=True)
    if chosen.quick:
        return 0
    chosen.docs.mkdir(exist_ok=True)
    (chosen.docs / "benchmarks.md").write_text(_TITLE + report.markdown(sections, _where()), encoding="utf-8")
    (chosen.docs / "benchmarks.svg").write_text(report.svg(sections), encoding="utf-8")
    _fill_in(chosen.docs.parent / "README.md", report.summary(sections, _where()))
    broken = [promise.text for section in sections for promise in section.promises if not promise.kept]
    print("\n".join(["not kept:", *broken]) if broken else "every promise is kept")
    return 0


def _measure(place: world.World, effort: Effort) -> Iterator[Section]:
    runners = cases.Runners(place)
    yield cases.warm(place, runners, effort)
    in_sandboxes = cases.sandboxes(place, runners, effort)
    if in_sandboxes is not None:
        yield in_sandboxes
    yield cases.imports(place, runners)
    yield cases.storms(place, runners, effort)
    yield cases.working_storms(place, runners, effort)
    yield cases.programs(place, effort)
    yield cases.cold(place, effort)
    yield cases.uncached(place, effort)
    with_pypi = cases.pypi(place, effort)
    if with_pypi is not None:
        yield with_pypi


def _fill_in(readme: Path, text: str) -> None:
    """Put the figures between the two comments in the README that say where they go."""
    if readme.exists():
        begin = re.escape("<!-- bench:begin") + "[^>]*-->\n"
        found = re.search(f"({begin}).*(<!-- bench:end -->)", readme.read_text(encoding="utf-8"), re.DOTALL)
        if found is not None:
            whole = found.string
            readme.write_text(f"{whole[: found.end(1)]}{text}{whole[found.start(2) :]}", encoding="utf-8")


def _where() -> str:
    """The machine, and how much else it had to do."""
    machine = (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()},"
        f" files on {_file_system(tempfile.gettempdir())}"
    )
    if not timing.BUSY:
        return machine
    return f"{machine}; it was busy (a load of {timing.LOAD:.0f}), so comparisons are by the processor's time"


def _file_system(path: str) -> str:
    """The kind of file system there: each run makes a file, which some of them are slow at."""
    real = os.path.realpath(path)
    mounts = [(each.mountpoint, each.fstype) for each in psutil.disk_partitions(all=True)]
    return max((len(place), kind) for place, kind in mounts if os.path.commonpath([real, place]) == place)[1]


if __name__ == "__main__":
    raise SystemExit(main())
