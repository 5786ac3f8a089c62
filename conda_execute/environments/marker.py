"""The marker: the file in a prefix that says that the environment is ready, and what it is."""

from __future__ import annotations

import errno
import json

from ..errors import PlaceError
from ..files import open_plain
from ..model import Marker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Version of the marker's format. We cannot read markers of a newer format: such a prefix counts as unfinished, and is
#: never discarded while in use.
FORMAT = 1

#: An upper bound for sizes and times in a marker; it rejects infinity and NaN.
_BEYOND_COUNTING = 1 << 53


def text(marker: Marker) -> str:
    """The content of the file, which `read` parses."""
    return json.dumps({"format": FORMAT, **vars(marker)}, indent=1) + "\n"


def read(path: str) -> Marker | None:
    """The marker in this file; None if there is none, or none that can be trusted. PlaceError if it cannot be read."""
    try:
        with open_plain(path) as stream:
            content = json.loads(stream.read())
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    except OSError as error:
        if error.errno in (errno.ESTALE, errno.ELOOP):
            return None
        raise PlaceError(
            f"`{path}` cannot be read: {error.strerror}",
            hint="delete this environment, or set `CONDA_EXECUTE_ENV_DIR` to another directory",
        ) from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        return None
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in content.items()
        if key in Marker.__annotations__  # a later version may add fields
    }
    if not all(_is_of(Marker.__annotations__[key], value) for key, value in values.items()):
        return None
    try:
        return Marker(**values) if values.get("build", "").isalnum() else None
    except TypeError:
        return None


def _is_of(annotation: str, value: object) -> bool:
    """Whether a value in a marker has the type that its field in Marker is annotated with."""
    if isinstance(value, tuple):
        return annotation == "tuple[str, ...]" and all(isinstance(item, str) for item in value)
    if annotation == "str":
        return isinstance(value, str)
    kinds = {"int": (int,), "float": (int, float)}.get(annotation, ())
    return isinstance(value, kinds) and not isinstance(value, bool) and abs(value) < _BEYOND_COUNTING
