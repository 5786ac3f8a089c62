"""Only `timedelta`: until Python 3.12, importing `datetime` creates every class twice, in Python and then in C."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import timedelta
else:
    from _datetime import timedelta

__all__ = ["timedelta"]
