"""PyPI requirements, installed into a prefix that conda packages already fill."""

from __future__ import annotations

from ..errors import CreationError
from . import Built, Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..model import Request


def install(request: Request, prefix: str, options: Options, *, lock_fd: int | None = None) -> Built:
    """Install `request.pypi` into `prefix`."""
    raise CreationError("PyPI packages cannot be installed yet", step="pypi")
