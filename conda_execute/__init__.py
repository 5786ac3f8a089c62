"""Run a script in the conda environment declared in its own comments.

The Python interface: `read_header`, `find`, `prepare`, `list_environments` and `clear`, the values they return, and
`ExecuteError`.
"""

__version__ = "1.1.0.dev0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .environments.removal import Found
    from .environments.sweep import Report
    from .errors import ExecuteError
    from .interface import clear, find, list_environments, prepare, read_header
    from .model import Environment
    from .script.header.keys import Header

__all__ = [
    "Environment",
    "ExecuteError",
    "Found",
    "Header",
    "Report",
    "clear",
    "find",
    "list_environments",
    "prepare",
    "read_header",
]


def __getattr__(name: str) -> object:
    """Import names of the Python interface when they are used: the program needs none of them."""
    if name not in __all__:
        raise AttributeError(f"module `conda_execute` has no attribute `{name}`")
    from importlib import import_module

    return getattr(import_module("conda_execute.interface"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
