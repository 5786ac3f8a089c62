"""The embedded engine: py-rattler solves, downloads and links within this process; no conda is needed.

Packages and repodata are cached where rattler keeps them (`RATTLER_CACHE_DIR`, else the user's cache directory), and
so shared with pixi and rattler-build; rattler itself locks that cache. SIGINT, SIGTERM and SIGHUP end a solve or an
install at once; writing into the prefix has then ended, and the caller must delete the prefix.

Facts of py-rattler that shape this module, up to 0.28: its threads may crash the interpreter's shutdown, so a process
that used it ends with exec or `os._exit`; `install(requested_specs=...)` needs the specs' inner objects; a failing
post-link script is only reported to the reporter. What older versions lack is in `bridge`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import rattler
from rattler import RepoDataRecord

from ... import limits
from ...cache import HOMES
from ...configuration.declared import Settings
from ...lean.values import replace
from ...model import Built, Request
from .. import Options, Solution, policy, stem, virtual_packages
from .. import records as seal
from ..network import environment
from . import bridge, explain, installer, solver
from .interruptible import Result, inherited, run
from .packages import is_wheel
from .silence import Silence


class Rattler:
    """The engine `rattler`."""

    name = "rattler"
    solves_first = True

    def program(self, environ: Mapping[str, str]) -> str:
        """The library and its version."""
        return f"py-rattler {rattler.__version__}"

    def require(self) -> None:
        """Raise SettingsError if py-rattler is too old."""
        bridge.require()

    def limits(self, settings: Settings, request: Request) -> Iterator[tuple[str, str]]:
        """Signatures, plugins of conda, and packages that share a file."""
        for channel in request.channels:
            if plugin := dict(policy.said_of(channel, settings)).get("auth"):
                yield "channel_settings", f"the backend `rattler` has no plugin `{plugin}` for `{channel.name}`"
        if settings.signing_metadata_url_base:
            yield "signing_metadata_url_base", "the backend `rattler` cannot verify signatures"
        if settings.path_conflict == "prevent":
            yield "path_conflict", "the backend `rattler` cannot refuse packages that share a file"

    def check(self, request: Request, options: Options) -> None:
        """Raise CreationError for a spec that does not parse."""
        solver.parse(request.specs, options)
        solver.parse(request.constraints, options)

    def solve(
        self, request: Request, options: Options, *, like: Solution | None = None, keep: Sequence[Any] = ()
    ) -> Solution:
        """Solve, and check which packages are cached. Raises CreationError and InterruptError."""
        return _bounded(options, lambda: run(lambda: solver.solve(request, options, like, keep), "solve"))

    def create(self, request: Request, prefix: str, options: Options, solution: Solution | None = None) -> Built:
        """Solve unless `solution` is given, download and link. Raises CreationError and InterruptError."""
        installing = installer.Installing(  # type: ignore[abstract]  # its unused methods do nothing
            prefix, options.progress, wheels=bool(request.pypi)
        )

        def install() -> list[RepoDataRecord]:
            try:
                return run(
                    lambda: installer.create(request, prefix, options, solution, installing),
                    "install",
                    installing.settle,
                )
            finally:
                installing.incoming.drop()

        with inherited(options.inherited):
            records = _bounded(options, install)
        if installing.failed_scripts:
            sources = {r.name.normalized: os.path.join(options.packages, stem(r.file_name)) for r in records}
            raise explain.link_scripts_failed(installing.failed_scripts, sources, installing.messages)
        wheels = [record for record in records if is_wheel(record)]
        if wheels:
            from ..pypi import channel_wheels

            channel_wheels.add(request, prefix, options, wheels)
        built = _finish(request, options, records, installing)
        return replace(built, messages=tuple(installing.messages.items()), notices=tuple(installing.unattested))


def available(
    request: Request, options: Options, names: Sequence[str], like: Solution
) -> dict[str, list[RepoDataRecord]]:
    """For each of these names the records that `request` alone allows, newest first, from the channels as they were for
    a solution."""
    return _bounded(options, lambda: run(lambda: solver.available(request, options, names, like.state[1]), "solve"))


def _bounded(options: Options, work: Callable[[], Result]) -> Result:
    """Do the work with the right home directory: wait for servers only as long as the settings say, and raise one of
    our errors if Rust panics."""
    limits.check()
    home = environment({name: options.environ.get(name) for name in HOMES})
    timeouts = options.settings.remote_connect_timeout_secs, options.settings.remote_read_timeout_secs
    silence = Silence(*timeouts, options.progress.received)
    try:
        with home, silence:
            return work()
    except explain.UnreachableError as error:
        if silence.why is None:
            raise
        raise error.because(silence.why) from None
    except BaseException as error:
        if not type(error).__module__.startswith("pyo3"):
            raise
        raise limits.reached(error) or explain.panicked(str(error)) from None


def _finish(
    request: Request, options: Options, records: Sequence[RepoDataRecord], installing: installer.Installing
) -> Built:
    names = {url.rstrip("/"): channel.name for channel in request.channels for url in channel.urls}
    installed = []
    for record in records:
        channel = (record.channel or "").rstrip("/")
        installed.append(f"{names.get(channel, channel)}/{record.subdir}::{stem(record.file_name)}")
    seal.write_history(installing.prefix, options.command, installed, request.specs, time.time())
    relied_on = {*virtual_packages.relied_on(records, request.specs)}
    if request.platform == request.host_platform:
        relied_on.update(virtual_packages.decisive(records, request.specs, request.overrides))
    if installing.cuda_matters:
        relied_on.add("!__cuda")
    return Built(
        len(records), seal.settle_records(installing.prefix, installing.incoming.moved()), tuple(sorted(relied_on))
    )
