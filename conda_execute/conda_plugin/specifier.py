"""A script with a header as one of conda's environment files: `conda env create --name NAME --file script.py`.

This creates a permanent environment with what the script needs, solved and installed by conda. conda asks every kind of
environment file whether it can handle a file; this one declines all files without a header in their first 64 KiB, so it
does not interfere with other files.
"""

from __future__ import annotations

from conda.plugins.types import EnvironmentSpecBase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from conda.models.environment import Environment


class ScriptSpec(EnvironmentSpecBase):
    """conda creates one for a path, asks it whether it can handle the file, and then for the environment."""

    detection_supported = True

    def __init__(self, filename: str | None = None, **options: object) -> None:
        self.filename = filename or ""

    def can_handle(self) -> bool:
        """Whether the file has a header. A file with a faulty header is ours as well, so that its error is shown."""
        from ..errors import HeaderError
        from ..script.header import find_header

        try:
            return find_header(self._head(), self.filename) is not None
        except HeaderError:
            return True

    @property
    def env(self) -> Environment:
        from conda.base.context import context
        from conda.exceptions import CondaError
        from conda.models.environment import Environment, EnvironmentConfig
        from conda.models.match_spec import MatchSpec

        from ..errors import ExecuteError
        from ..script.header import read_header
        from ..terminal.errors import render

        data = self._head()
        try:
            if not data:
                raise CondaError(f"cannot read {self.filename}")
            header = read_header(data, self.filename, context.subdir)
        except ExecuteError as error:
            raise CondaError(render(error)) from None
        specs = list(header.specs)
        if header.pypi:
            names = {MatchSpec(spec).name for spec in specs}
            specs += [name for name in ("python", "pip") if name not in names]
        return Environment(
            platform=context.subdir,
            requested_packages=[MatchSpec(spec) for spec in specs],
            external_packages={"pip": list(header.pypi)} if header.pypi else {},
            variables=dict(header.variables),
            config=EnvironmentConfig(channels=header.channels) if header.channels else EnvironmentConfig(),
        )

    def _head(self) -> bytes:
        """The beginning of the file; empty if it cannot be read."""
        from ..files import content_of
        from ..script.header import ENOUGH

        return content_of(self.filename, ENOUGH) or b""
