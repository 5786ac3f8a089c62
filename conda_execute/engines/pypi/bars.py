"""uv's progress, read from what it draws on a terminal, since uv reports it nowhere else."""

from __future__ import annotations

import re

from ...terminal.progress import Progress

#: As in `numpy    ------------     10.88 MiB/16.13 MiB`, and `Building numpy==2.4.6`.
_BAR = re.compile(r"(\S+) +-+ +([\d.]+) ([KMG]?i?B)/([\d.]+) ([KMG]?i?B)")
_BUILDING = re.compile(r"Building (\S+)")

_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


class Bars:
    """Reports the downloads and builds that uv shows to `progress`."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._sizes: dict[str, int] = {}

    def look(self, screen: str) -> None:
        """`screen` is what uv shows at the moment."""
        for name in self._sizes:
            if f"{name} " not in screen:  # a bar disappears when its download is complete
                self._progress.download(name, self._sizes[name], self._sizes[name])
        for name, done, unit, size, of in _BAR.findall(screen):
            self._sizes[name] = round(float(size) * _BYTES[of])
            self._progress.download(name, round(float(done) * _BYTES[unit]), self._sizes[name])
        building = _BUILDING.search(screen)
        self._progress.doing(f"building {building[1]} from PyPI" if building else "")
