"""`conda tmpenv keep` and `release`: whether an environment may be deleted automatically."""

from __future__ import annotations

from ...environments import sweep
from .which import one, opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...options import KeepOptions, ReleaseOptions


def keep(options: KeepOptions) -> int:
    _, store = opened()
    sweep.keep(one(options.words[0], store))
    return 0


def release(options: ReleaseOptions) -> int:
    _, store = opened()
    sweep.release(one(options.words[0], store))
    return 0
