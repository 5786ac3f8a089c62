"""The embedded engine: py-rattler solves, downloads and links within this process; no conda is needed.

Packages and repodata are cached where rattler keeps them (`RATTLER_CACHE_DIR`, else the user's cache directory), and
so shared with pixi and rattler-build; rattler itself locks that cache. SIGINT, SIGTERM and SIGHUP end a solve or an
install at once; whatever was being written into the prefix is then finished or given up, and the prefix is the
caller's to throw away.

Facts of py-rattler that shape this module, up to 0.28: its threads may crash the interpreter's shutdown, so a process
that used it leaves by exec or `os._exit`; `install(requested_specs=...)` wants the specs' inner objects; a post-link
script that fails is reported to the reporter only. What an older one lacks is in `bridge`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from contextlib import nullcontext
from datetime import datetime, timezone
from typing import Any
from urllib.parse import unquote, urlsplit

import rattler
from rattler.exceptions import (
    GatewayError,
    InstallerError,
    InvalidMatchSpecError,
    IoError,
    SolverError,
)
from rattler.install import InstallerReporter

from ... import limits
from ...cache import rattler_cache
from ...errors import CreationError
from ...files import delete, open_plain
from ...lean.values import replace
from ...model import Built
from ...text import megabytes
from .. import Options, Package, Solution, policy, stem, virtual_packages
from .. import records as seal
from . import bridge, cached, explain
from .incoming import Incoming
from .interruptible import Result, inherited, run
from .silence import Silence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rattler import MatchSpec, RepoDataRecord
    from rattler.networking import Client
    from rattler.repo_data import Gateway

    from ...configuration.declared import Settings
    from ...model import Channel, Request
    from ...terminal.progress import Progress

    #: What `Options.connect` gives: a client for downloads, and a gateway for repodata that works as offline as asked.
    Connection = tuple[Client, Gateway]

#: Bytes of what a package says after its installation that anybody reads.
_LONGEST_MESSAGE = 1 << 16

#: Seconds that an interrupted install waits for files that other threads are linking.
_PATIENCE = 2.0


class Rattler:
    """The engine `rattler`."""

    name = "rattler"
    solves_first = True

    def program(self, environ: Mapping[str, str]) -> str:
        """The library and its version."""
        return f"py-rattler {rattler.__version__}"

    def require(self) -> None:
        """Raise SettingsError where py-rattler is too old."""
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
        _parse(request.specs, options)
        _parse(request.constraints, options)

    def solve(
        self, request: Request, options: Options, *, like: Solution | None = None, keep: Sequence[Any] = ()
    ) -> Solution:
        """Solve, and look which packages are cached. Raises CreationError and InterruptError."""
        return _bounded(options, lambda: run(lambda: _solve(request, options, like, keep), "solve"))

    def create(
        self,
        request: Request,
        prefix: str,
        options: Options,
        *,
        lock_fd: int | None = None,
        solution: Solution | None = None,
    ) -> Built:
        """Solve unless `solution` is given, download and link. Raises CreationError and InterruptError."""
        installing = _Installing(prefix, options.progress)  # type: ignore[abstract]  # its unused methods do nothing

        def install() -> list[RepoDataRecord]:
            try:
                return run(
                    lambda: _create(request, prefix, options, solution, installing), "install", installing.settle
                )
            finally:
                installing.incoming.drop()

        with inherited(lock_fd):
            records = _bounded(options, install)
        if installing.failed_scripts:
            cache = os.path.join(cache_dir(options), "pkgs")
            sources = {r.name.normalized: os.path.join(cache, stem(r.file_name)) for r in records}
            raise explain.link_scripts_failed(installing.failed_scripts, sources, installing.messages)
        wheels = [record for record in records if _is_wheel(record)]
        if wheels:
            from ..pypi import channel_wheels

            channel_wheels.add(request, prefix, options, wheels, lock_fd)
        built = _finish(request, options, records, installing)
        return replace(built, messages=tuple(installing.messages.items()), notices=tuple(installing.unattested))


def available(
    request: Request, options: Options, names: Sequence[str], like: Solution
) -> dict[str, list[RepoDataRecord]]:
    """For each of these names the records that `request` allows by itself, newest first, from the channels as they
    were for a solution."""
    return _bounded(options, lambda: run(lambda: _available(request, options, names, like.state), "solve"))


def cache_dir(options: Options) -> str:
    """Where rattler and its peers keep packages and repodata."""
    return options.cache or rattler_cache(options.environ)


def _bounded(options: Options, work: Callable[[], Result]) -> Result:
    """Do the work: wait for servers only as long as the settings say, and end by an error of ours if Rust panics."""
    limits.check()
    try:
        with Silence(*options.timeouts) if options.timeouts else nullcontext() as silence:
            return work()
    except explain.UnreachableError as error:
        if silence is None or silence.why is None:
            raise
        raise error.because(silence.why) from None
    except BaseException as error:
        if not type(error).__module__.startswith("pyo3"):
            raise
        raise limits.reached(error) or explain.panicked(str(error)) from None


# -- solving ---------------------------------------------------------------------------------------------------------


async def _solve(
    request: Request, options: Options, like: Solution | None = None, keep: Sequence[RepoDataRecord] = ()
) -> Solution:
    cache = os.path.join(cache_dir(options), "repodata")
    if options.verify and not options.offline:
        delete(os.path.join(cache, "shards-v1"))  # whose hashes are not of what is kept
    if options.progress is not None:
        options.progress.step("solve", hosts=_hosts(url for channel in request.channels for url in channel.urls))
    gateway = like.state if like is not None and like.state is not None else _connect(options)[1]
    machine = virtual_packages.packages(request)
    try:
        try:
            records = await _ask(request, options, gateway, machine, keep)
        except GatewayError as error:
            if options.offline or not _is_for_what_is_cached(str(error), cache):
                raise
            gateway = _connect(options, fresh=True)[1]
            records = await _ask(request, options, gateway, machine, keep)
    except SolverError as error:
        raise await _explain_unsolvable(str(error), request, options, gateway) from None
    except GatewayError as error:
        raise explain.repodata_failed(str(error), request, options.offline, cache, options.locate) from None
    return Solution(
        described(records, [os.path.join(cache_dir(options), "pkgs"), *options.package_caches]),
        tuple(records),
        state=gateway,
    )


def _is_for_what_is_cached(text: str, cache: str) -> bool:
    """Whether a channel could not be read for what is cached of it, which is then forgotten: a list of packages that a
    power cut left empty would never be asked for again."""
    return explain.is_undated(text) or (explain.may_be_damaged(text) and cached.forget_repodata(cache))


async def _ask(
    request: Request,
    options: Options,
    gateway: Gateway,
    machine: Sequence[rattler.GenericVirtualPackage],
    keep: Sequence[RepoDataRecord] = (),
) -> list[RepoDataRecord]:
    counts = _counts(request, options)
    grouped = counts is not None
    newest = None if grouped else _newest(request, options)
    specs, constraints = _parse(request.specs, options), _parse(request.constraints, options)
    if request.channel_priority == "strict":
        specs, constraints = [_whole(spec) for spec in specs], [*constraints, *specs]

    async def solve(platforms: Sequence[Any]) -> list[RepoDataRecord]:
        found = await rattler.solve(
            sources=await bridge.sources(request.channels, gateway, platforms, counts),
            specs=bridge.addressed(specs, request.channels, grouped),
            gateway=gateway,
            platforms=platforms,
            locked_packages=list(keep),
            virtual_packages=machine,
            channel_priority=rattler.ChannelPriority[request.channel_priority.capitalize()],
            exclude_newer=newest,
            strategy=request.solve_strategy or "highest",  # type: ignore[arg-type]
            constraints=bridge.addressed(constraints, request.channels, grouped),
        )
        return bridge.restored(found, grouped)

    platforms = _platforms(request)
    try:
        return await solve(platforms)
    except GatewayError as error:
        # py-rattler 0.28 does not remember that a channel has nothing for the platform itself.
        if options.offline and len(request.channels) == 1 and f"/{request.platform}/" in str(error):
            return await solve(platforms[1:])
        raise


def _newest(request: Request, options: Options) -> datetime | None:
    """The last moment of publication that counts."""
    if request.exclude_newer is None:
        return None
    from ...specs.moment import cutoff

    return cutoff(request.exclude_newer, datetime.now(timezone.utc), options.locate(request.exclude_newer))


def _counts(request: Request, options: Options) -> Callable[[RepoDataRecord, Channel], bool] | None:
    """Whether a record of a channel is old enough, where packages or channels have moments of their own; None: one
    moment is for all, which the solver can be told."""
    if not request.exclude_newer_of and not (request.indexed_timestamps and request.exclude_newer):
        return None
    from ...specs.moment import cutoff

    now = datetime.now(timezone.utc)
    general = _newest(request, options)
    moments = {
        what: None if when == "no" else cutoff(when, now, options.locate(when))
        for what, when in request.exclude_newer_of
    }

    def counts(record: RepoDataRecord, channel: Channel) -> bool:
        of_channel = moments.get(f"channel {channel.name}", general)
        newest = moments.get(f"package {record.name.normalized}", of_channel)
        when = getattr(record, "indexed_timestamp", None)
        if when is None and not request.indexed_timestamps:
            when = record.timestamp
        return newest is None or (when is not None and when <= newest)

    return counts


async def _available(
    request: Request, options: Options, names: Sequence[str], gateway: Gateway
) -> dict[str, list[RepoDataRecord]]:
    counts = _counts(request, options)
    newest = None if counts else _newest(request, options)
    grouped = counts is not None
    limits = bridge.addressed(_parse((*request.specs, *request.constraints), options), request.channels, grouped)
    platforms = _platforms(request)
    sources = await bridge.sources(request.channels, gateway, platforms, counts)
    found = await gateway.query(sources, platforms, names, recursive=False)
    records: dict[str, list[RepoDataRecord]] = {name: [] for name in names}
    for record in (record for of_source in found for record in of_source):
        mine = [spec for spec in limits if _name(spec) == record.name.normalized]
        when = getattr(record, "indexed_timestamp", None) or record.timestamp
        if all(record.matches(spec) for spec in mine) and not (newest and (when is None or when > newest)):
            records[record.name.normalized].append(record)
    return {name: sorted(each, key=_newest_first) for name, each in records.items()}


async def _would_differ_with_cuda(
    request: Request, options: Options, gateway: Gateway, records: Sequence[RepoDataRecord]
) -> bool:
    """Whether a machine with a GPU would get other packages than this one, which has none.

    A login node's build must not be what the GPU nodes of the same home use.
    """
    machine = virtual_packages.packages(request)
    if not request.platform.startswith(("linux-", "win-")) or any(p.name.normalized == "__cuda" for p in machine):
        return False
    try:
        others = await _ask(request, options, gateway, [*machine, virtual_packages.package("__cuda", _ANY_CUDA)])
    except (SolverError, GatewayError):
        return False
    return {record.url for record in others} != {record.url for record in records}


#: A version that satisfies whatever a package wants of CUDA.
_ANY_CUDA = "99"


def _parse(written: Sequence[str], options: Options) -> list[MatchSpec]:
    specs = []
    for spec in written:
        try:
            specs.append(rattler.MatchSpec(spec, strict=False))
        except (InvalidMatchSpecError, UnicodeEncodeError) as error:
            raise explain.not_a_spec(spec, str(error), options.locate(spec)) from None
    return specs


def _whole(spec: MatchSpec) -> MatchSpec:
    """Any version of what a spec asks for, unless it says from where, or more than a constraint can.

    py-rattler 0.28 forgets the packages that a spec does not match before it looks which channel comes first, so that
    `a >=2` of the second channel would be taken although the first one has an `a`.
    """
    if spec.channel is not None or spec.extras or "url=" in str(spec):
        return spec
    return rattler.MatchSpec(_name(spec))


def _platforms(request: Request) -> list[Any]:
    return [bridge.Subdir(request.platform), bridge.Subdir("noarch")]


async def _explain_unsolvable(text: str, request: Request, options: Options, gateway: Gateway) -> CreationError:
    """Look at the channels for the commonest reasons: a name that is in none of them, a version that none has."""
    specs = _parse(request.specs, options)
    asked = [(_name(spec), spec_text) for spec, spec_text in zip(specs, request.specs, strict=True)]
    written = dict(asked)
    platforms = _platforms(request)
    described = [virtual_packages.describe(package) for package in virtual_packages.packages(request)]
    try:
        sources = await bridge.sources(request.channels, gateway, platforms)
        names = {name.normalized for name in await gateway.names(sources, platforms)}
        found = await gateway.query(sources, platforms, list(written), recursive=False)
    except GatewayError:  # offline, not all of it is cached
        return explain.unsolvable(text, asked, request, described, options.locate)
    missing = {name: spec for name, spec in written.items() if name not in names and not name.startswith("__")}
    if missing:
        return explain.missing_packages(missing, names, request, options.locate)
    records = [record for of_source in found for record in of_source]
    for spec, spec_text in zip(specs, request.specs, strict=True):
        name = _name(spec)
        mine = [record for record in records if record.name.normalized == name]
        anywhere = rattler.MatchSpec(spec_text.rpartition("::")[2], strict=False)
        if mine and not any(record.matches(anywhere) for record in mine):
            versions = dict.fromkeys(str(record.version) for record in sorted(mine, key=_newest_first))
            return explain.missing_versions(spec_text, name, list(versions), request, options.locate)
    return explain.unsolvable(text, asked, request, described, options.locate)


def _name(spec: MatchSpec) -> str:
    return str(spec.name.normalized)


def _newest_first(record: RepoDataRecord) -> Any:
    return _Reversed(record.version)


class _Reversed:
    """Sorts the other way round: versions have an order but no negative."""

    def __init__(self, version: Any) -> None:
        self.version = version

    def __lt__(self, other: _Reversed) -> bool:
        return bool(other.version < self.version)


# -- installing ------------------------------------------------------------------------------------------------------


async def _create(
    request: Request, prefix: str, options: Options, solution: Solution | None, installing: _Installing
) -> list[RepoDataRecord]:
    found = solution if solution is not None else await _solve(request, options)
    gateway, records = found.state, list(found.records)
    archives = [record for record in records if not _is_wheel(record)]
    whole = options.verify or options.verify_files or request.lock is not None
    packages = bridge.package_cache(os.path.join(cache_dir(options), "pkgs"), full=whole)
    installing.expect(archives, os.path.join(cache_dir(options), "pkgs"))
    if packages.borrows:
        await asyncio.to_thread(installing.borrow, archives, options.package_caches)
    await asyncio.to_thread(installing.look_at_cached, options.offline)
    await _check_archives([one for one in archives if not installing.has_borrowed(one)], packages, options)
    if options.attestations == "require" and (request.pypi or len(archives) < len(records)):
        raise explain.cannot_be_attested()
    if options.attestations == "warn":
        installing.unattested += await _unattested(archives, options)
    if options.progress is not None:
        options.progress.step("install", len(archives), _hosts(package.url for package in found.packages))
        options.progress.packages([f"{one} ({megabytes(one.size or 0)})" for one in found.packages], found.download)
    # Costs another solve, which is over before the packages are linked.
    compared = asyncio.ensure_future(_would_differ_with_cuda(request, options, gateway, records)) if gateway else None
    try:
        await _install_from(packages, archives, request, options, installing)
        installing.cuda_matters = compared is not None and await compared
    finally:
        if compared is not None:
            compared.cancel()
            await asyncio.gather(compared, return_exceptions=True)
    return records


def _hosts(urls: Iterable[str]) -> list[str]:
    """The hosts that have to answer; none for files."""
    return list(dict.fromkeys(host for url in urls if (host := urlsplit(url).netloc.rpartition("@")[2])))


async def _install_from(
    packages: bridge.PackageCache,
    records: list[RepoDataRecord],
    request: Request,
    options: Options,
    installing: _Installing,
) -> None:
    try:
        await _install(records, request, options, installing, packages)
    except CreationError:
        await asyncio.to_thread(installing.incoming.move_in)  # what was fetched before need not be fetched again
        raise
    await asyncio.to_thread(installing.incoming.move_in)


async def _unattested(records: Sequence[RepoDataRecord], options: Options) -> list[str]:
    """What to say of packages whose attestations do not verify."""
    policy = bridge.attestation_policy("warn")["attestation_policy"]  # raises where py-rattler cannot
    from rattler.sigstore import verify_attestation

    client = _unconnected() if options.offline else _connect(options)[0]
    outcomes = await asyncio.gather(*(verify_attestation(record, policy, client) for record in records))
    names = [one.name.normalized for one, outcome in zip(records, outcomes, strict=True) if outcome.warnings]
    return [f"no attestation that verifies: {', '.join(sorted(names))}"] if names else []


async def _install(
    records: list[RepoDataRecord],
    request: Request,
    options: Options,
    installing: _Installing,
    packages: bridge.PackageCache,
) -> None:
    requested: Any = [spec._match_spec for spec in _parse(request.specs, options)]
    try:
        await rattler.install(
            records,
            target_prefix=installing.prefix,
            installed_packages=[],
            platform=bridge.Subdir(request.platform),
            execute_link_scripts=options.run_link_scripts and request.platform == request.host_platform,
            show_progress=False,
            client=_unconnected() if options.offline else _connect(options)[0],
            requested_specs=requested,
            **bridge.attestation_policy("require" if options.attestations == "require" else "off"),
            reporter=installing,
            **await packages.arguments(records, installing.incoming),
        )
    except InstallerError as error:
        text, cache = str(error), os.path.join(cache_dir(options), "pkgs")
        if installing.refused:
            raise explain.refused(installing.refused) from None
        if unattested := explain.unattested(text):
            raise unattested from None
        unlinked = explain.not_linked(text)
        if options.offline or unlinked not in installing.cached:
            urls = {record.file_name: record.url for record in records}
            raise explain.install_failed(text, request, urls, cache, options.locate) from None
        await asyncio.to_thread(installing.settle)
        installing.incoming.give_back(stem(unlinked))
        cached.distrust(os.path.join(cache, stem(unlinked)))
        installing.cached.clear()  # what is fetched just now and cannot be linked is broken at its source
        delete(installing.prefix)
    else:
        return
    await _install(records, request, options, installing, packages)


def _unconnected() -> Client:
    """A client that makes no request."""

    def refuse(host: str, path: str) -> dict[str, str]:
        raise RuntimeError(explain.OFFLINE)

    return rattler.networking.Client([rattler.networking.AddHeadersMiddleware(refuse)])


async def _check_archives(records: Sequence[RepoDataRecord], packages: bridge.PackageCache, options: Options) -> None:
    """Before anything is written: offline, whether all is there; always, whether archives on this disk are whole.

    py-rattler 0.28 checks the hash of what it downloads, but not of what a `file:` URL names.
    """
    if not options.offline and not any(_is_local(record) for record in records):
        return
    try:
        absent = await packages.absent(records)
    except IoError:
        absent = list(records)  # no cache, or none that can be read: the installer says what is wrong with it
    if options.offline and (missing := [record for record in absent if not _is_local(record)]):
        raise explain.not_cached([f"{record.name.normalized} {record.version}" for record in missing])
    local = [record for record in absent if _is_local(record) and (record.sha256 or record.md5)]
    await asyncio.gather(*(asyncio.to_thread(_check_archive, record) for record in local))


def _is_wheel(record: RepoDataRecord) -> bool:
    return urlsplit(record.url).path.endswith(".whl")


def _is_local(record: RepoDataRecord) -> bool:
    return record.url.startswith("file:")


def _path(url: str) -> str:
    path = unquote(urlsplit(url).path)
    return path.lstrip("/") if sys.platform == "win32" else path


def _check_archive(record: RepoDataRecord) -> None:
    algorithm, expected = ("sha256", record.sha256) if record.sha256 else ("md5", record.md5)
    assert expected is not None
    try:
        found = bridge.file_digest(_path(record.url), algorithm)
    except OSError:
        return  # the installer says what is wrong with it
    if found != expected:
        raise explain.wrong_hash(record.file_name, record.url, algorithm, expected.hex(), found.hex())


class _Installing(InstallerReporter):
    """What becomes of the packages while they are installed. Called from rattler's threads."""

    def __init__(self, prefix: str, progress: Progress | None) -> None:
        self.prefix = prefix
        self.progress = progress
        #: What post-link scripts say, by package.
        self.messages: dict[str, str] = {}
        #: What is to be said of packages without an attestation.
        self.unattested: list[str] = []
        self.failed_scripts: list[tuple[str, str]] = []
        self.sizes: dict[str, int | None] = {}
        #: Archives whose packages were in the cache before.
        self.cached: set[str] = set()
        #: Why a package is not to be linked, by archive.
        self.refused: dict[str, str] = {}
        self._packages: dict[str, tuple[str, str]] = {}
        self.incoming = Incoming("")
        self.cuda_matters = False
        self._linking: set[str] = set()
        self._names: list[str] = []
        self._scripts: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def expect(self, records: Sequence[RepoDataRecord], cache: str) -> None:
        """What will be installed, and where it is unpacked."""
        self.sizes = {record.name.normalized: record.size for record in records}
        self._packages = {
            record.name.normalized: (record.file_name, os.path.join(cache, stem(record.file_name)))
            for record in records
        }
        self.incoming = Incoming(cache)

    def borrow(self, records: Sequence[RepoDataRecord], caches: Sequence[str]) -> None:
        """Take from caches that others keep what is whole there."""
        for record in records:
            self.incoming.borrow(stem(record.file_name), record.sha256, caches)
            if self.has_borrowed(record):
                self.cached.add(record.file_name)

    def has_borrowed(self, record: RepoDataRecord) -> bool:
        return stem(record.file_name) in self.incoming.borrowed

    def look_at_cached(self, offline: bool) -> None:
        """Before anything is fetched: what is damaged in the cache is fetched again."""
        for archive, package in self._packages.values():
            if os.path.isdir(package) and os.path.basename(package) not in self.incoming.borrowed:
                self.cached.add(archive)
                if (damage := cached.damage(package)) is not None:
                    if offline:
                        raise explain.damaged_in_cache(archive, package, damage)
                    cached.distrust(package)

    def _look_at(self, archive: str, package: str) -> None:
        """Refuse a package with files that none may have. The engine passes over what its reporter raises, but cannot
        link a package without its index."""
        intrusion = cached.intrusion(package)
        if intrusion is not None:
            self.refused[archive] = intrusion
            cached.distrust(package)

    def _token(self, package: str) -> int:
        with self._lock:
            self._names.append(package)
            return len(self._names) - 1

    def on_populate_cache_start(self, operation: int, package_name: str) -> int:
        return self._token(package_name)

    def on_download_start(self, cache_entry: int) -> int:
        return cache_entry

    def on_download_progress(self, download_idx: int, progress: int, total: int | None) -> None:
        if self.progress is not None:
            name = self._names[download_idx]
            self.progress.download(name, progress, total or self.sizes.get(name))

    def on_link_start(self, operation: int, package_name: str) -> int:
        archive, package = self._packages[package_name]
        if os.path.basename(package) not in self.incoming.borrowed:
            self._look_at(archive, self.incoming.fetched(package) or package)
        self._linking.add(package_name)
        return self._token(package_name)

    def on_link_complete(self, index: int) -> None:
        name = self._names[index]
        self._linking.discard(name)
        if self.progress is not None:
            self.progress.linked(name)

    def on_post_link_start(self, package_name: str, script_path: str) -> int:
        with self._lock:
            self._scripts.append((package_name, script_path))
            return len(self._scripts) - 1

    def on_post_link_complete(self, index: int, success: bool) -> None:
        # Their way to speak to people; rattler removes the file when this returns.
        try:
            with open_plain(os.path.join(self.prefix, ".messages.txt")) as file:
                self.messages[self._scripts[index][0]] = file.read(_LONGEST_MESSAGE).decode(errors="replace").strip()
        except OSError:
            pass  # there is none, or it is a link to what is no message
        if not success:
            self.failed_scripts.append(self._scripts[index])

    def settle(self) -> None:
        """Wait a little for links that have begun: threads are not stopped by an interrupted install."""
        deadline = time.monotonic() + _PATIENCE
        while self._linking and time.monotonic() < deadline:
            time.sleep(0.01)


def _finish(request: Request, options: Options, records: Sequence[RepoDataRecord], installing: _Installing) -> Built:
    names = {url.rstrip("/"): channel.name for channel in request.channels for url in channel.urls}
    installed = []
    for record in records:
        channel = (record.channel or "").rstrip("/")
        installed.append(f"{names.get(channel, channel)}/{record.subdir}::{stem(record.file_name)}")
    seal.write_history(installing.prefix, options.command, installed, request.specs, time.time())
    relied_on = virtual_packages.relied_on(records, request.specs) + (("!__cuda",) if installing.cuda_matters else ())
    return Built(len(records), seal.settle_records(installing.prefix, installing.incoming.moved()), relied_on)


# -- running ---------------------------------------------------------------------------------------------------------


def _connect(options: Options, *, fresh: bool = False) -> Connection:
    """A client and a gateway; a `fresh` one has no cache of repodata."""
    if options.connect is not None:
        connection: Connection = options.connect(fresh)
        return connection
    client = rattler.networking.Client.default_client()
    action: Any = "force-cache-only" if options.offline else "no-cache" if fresh else "cache-or-fetch"
    gateway = rattler.Gateway(
        cache_dir=os.path.join(cache_dir(options), "repodata"),  # type: ignore[arg-type]
        default_config=rattler.SourceConfig(cache_action=action),
        client=client,
    )
    return client, gateway


def installed(prefix: str) -> list[rattler.PrefixRecord]:
    """The package records of a prefix, each after those that it depends on."""
    meta = os.path.join(prefix, "conda-meta")
    paths = [os.path.join(meta, name) for name in sorted(os.listdir(meta)) if name.endswith(".json")]
    records = [rattler.PrefixRecord.from_path(path) for path in paths]  # type: ignore[arg-type]
    in_order = rattler.PackageRecord.sort_topologically([*records])
    place = {record.name.normalized: number for number, record in enumerate(in_order)}
    return sorted(records, key=lambda record: place[record.name.normalized])


def described(records: Sequence[RepoDataRecord], caches: Sequence[str] = ()) -> tuple[Package, ...]:
    """Records as values of ours, sorted by name; with `caches`, also whether they are in one of these package caches.

    For people: whether what lies there has the right hash is the installer's business, and a full index of the cache
    takes long where it is large.
    """
    packages = [
        _package(
            record,
            any(os.path.isdir(os.path.join(cache, stem(record.file_name))) for cache in caches) if caches else None,
        )
        for record in records
    ]
    return tuple(sorted(packages, key=lambda package: package.name))


def _package(record: RepoDataRecord, cached: bool | None) -> Package:
    return Package(
        name=record.name.normalized,
        version=str(record.version),
        build=str(record.build),
        channel=(record.channel or "").rstrip("/"),
        subdir=record.subdir,
        url=record.url,
        size=record.size,
        sha256=record.sha256.hex() if record.sha256 else None,
        md5=record.md5.hex() if record.md5 else None,
        cached=cached,
    )
