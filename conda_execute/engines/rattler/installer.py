"""Packages of a solution are downloaded, verified, and linked into a prefix."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Sequence
from typing import Any

import rattler
from rattler import RepoDataRecord
from rattler.exceptions import InstallerError, IoError
from rattler.install import InstallerReporter
from rattler.networking import Client

from ...errors import CreationError
from ...files import delete, digest, open_plain, try_to_unlink
from ...model import Request
from ...terminal.progress import Progress
from ...text import megabytes
from .. import Options, Solution, network, stem
from . import bridge, cached, explain, solver
from .incoming import Incoming
from .leading import Links
from .packages import is_local, is_wheel, path_of

#: Where packages come from: those that are unpacked, and what fetches the others.
Source = tuple[bridge.PackageCache, Client]

#: How many bytes of a package's message after installation are shown.
_LONGEST_MESSAGE = 1 << 16

#: Seconds that an interrupted install waits for files that other threads are linking.
_PATIENCE = 2.0


async def create(
    request: Request, prefix: str, options: Options, solution: Solution | None, installing: Installing
) -> list[RepoDataRecord]:
    found = solution if solution is not None else await solver.solve(request, options)
    records = list(found.records)
    archives = [record for record in records if not is_wheel(record)]
    whole = options.compares_files or request.lock is not None
    packages = bridge.package_cache(options.packages, full=whole)
    installing.expect(archives, options.packages)
    # This costs another solve, which ends before the packages are linked.
    compared = (
        asyncio.ensure_future(solver.would_differ_with_cuda(request, options, found.state[1], records))
        if found.state
        else None
    )
    try:
        if packages.borrows:
            await asyncio.to_thread(installing.borrow, archives, options.package_caches)
        await asyncio.to_thread(installing.look_at_cached, options.offline)
        await _check_archives([one for one in archives if not installing.has_borrowed(one)], packages, options)
        if options.settings.attestations == "require" and (request.pypi or len(archives) < len(records)):
            raise explain.cannot_be_attested()
        client = (
            network.unconnected() if options.offline else (found.state or network.connect(request.channels, options))[0]
        )
        if options.settings.attestations == "warn":
            installing.unattested += await _unattested(archives, client)
        options.progress.step("install", len(archives), network.hosts(package.url for package in found.packages))
        options.progress.packages([f"{one} ({megabytes(one.size or 0)})" for one in found.packages], found.download)
        await _install_from((packages, client), archives, request, options, installing)
        installing.cuda_matters = compared is not None and await compared
    finally:
        if compared is not None:
            compared.cancel()
            await asyncio.gather(compared, return_exceptions=True)
    return records


async def _install_from(
    source: Source, records: list[RepoDataRecord], request: Request, options: Options, installing: Installing
) -> None:
    try:
        await _install(source, records, request, options, installing)
    except CreationError:
        await asyncio.to_thread(installing.incoming.move_in)  # what was downloaded before need not be downloaded again
        raise
    await asyncio.to_thread(installing.incoming.move_in)


async def _unattested(records: Sequence[RepoDataRecord], client: Client) -> list[str]:
    """The warning about packages without valid attestations."""
    policy = bridge.attestation_policy("warn")["attestation_policy"]  # raises if py-rattler cannot do it
    from rattler.sigstore import verify_attestation

    outcomes = await asyncio.gather(*(verify_attestation(record, policy, client) for record in records))
    names = [one.name.normalized for one, outcome in zip(records, outcomes, strict=True) if outcome.warnings]
    return [f"no valid attestation: {', '.join(sorted(names))}"] if names else []


async def _install(
    source: Source, records: list[RepoDataRecord], request: Request, options: Options, installing: Installing
) -> None:
    packages, client = source
    requested: Any = [spec._match_spec for spec in solver.parse(request.specs, options)]
    where = await packages.arguments(records, installing.incoming)
    asyncio.get_running_loop().call_soon(_load_what_follows)
    try:
        await rattler.install(
            records,
            target_prefix=installing.prefix,
            installed_packages=[],
            platform=bridge.Subdir(request.platform),
            execute_link_scripts=options.run_link_scripts and request.platform == request.host_platform,
            show_progress=False,
            client=client,
            requested_specs=requested,
            **bridge.attestation_policy("require" if options.settings.attestations == "require" else "off"),
            reporter=installing,
            **where,
        )
    except InstallerError as error:
        text = str(error)
        if installing.refused:
            raise explain.refused(installing.refused) from None
        if unattested := explain.unattested(text):
            raise unattested from None
        unlinked = explain.not_linked(text)
        if options.offline or unlinked not in installing.cached:
            urls = {record.file_name: record.url for record in records}
            raise explain.install_failed(text, request, urls, options.packages, options.locate) from None
        await asyncio.to_thread(installing.settle)
        installing.incoming.give_back(stem(unlinked))
        cached.distrust(os.path.join(options.packages, stem(unlinked)))
        installing.cached.clear()  # a package that was just downloaded and cannot be linked is broken at its source
        delete(installing.prefix)
    else:
        if installing.refused:  # the engine knew all that it needed
            raise explain.refused(installing.refused)
        return
    await _install(source, records, request, options, installing)


def _load_what_follows() -> None:
    """Import what is needed after the links, while the engine's threads make them."""
    from ... import durable  # noqa: F401


async def _check_archives(records: Sequence[RepoDataRecord], packages: bridge.PackageCache, options: Options) -> None:
    """Before anything is written, check that everything is cached if offline, and that archives on this disk are
    undamaged.

    py-rattler 0.28 checks the hash of what it downloads, but not of what a `file:` URL names.
    """
    if not options.offline and not any(is_local(record) for record in records):
        return
    try:
        absent = await packages.absent(records)
    except IoError:
        absent = list(records)  # no cache, or an unreadable one: the installer reports the problem
    if options.offline and (missing := [record for record in absent if not is_local(record)]):
        raise explain.not_cached([f"{record.name.normalized} {record.version}" for record in missing])
    local = [record for record in absent if is_local(record) and (record.sha256 or record.md5)]
    await asyncio.gather(*(asyncio.to_thread(_check_archive, record) for record in local))


def _check_archive(record: RepoDataRecord) -> None:
    algorithm, expected = ("sha256", record.sha256) if record.sha256 else ("md5", record.md5)
    assert expected is not None
    try:
        found = digest(path_of(record.url), algorithm)
    except OSError:
        return  # the installer reports the problem
    if found != expected:
        raise explain.wrong_hash(record.file_name, record.url, algorithm, expected.hex(), found.hex())


class Installing(InstallerReporter):
    """Follows the packages while they are installed. Called from rattler's threads."""

    def __init__(self, prefix: str, progress: Progress, *, wheels: bool = False) -> None:
        """`wheels`: PyPI packages are installed as well, when this is done."""
        self.prefix = prefix
        self.progress = progress
        #: Messages of post-link scripts, by package.
        self.messages: dict[str, str] = {}
        #: Warnings about packages without an attestation.
        self.unattested: list[str] = []
        self.failed_scripts: list[tuple[str, str]] = []
        self.sizes: dict[str, int | None] = {}
        #: Archives whose packages were in the cache before.
        self.cached: set[str] = set()
        #: Why a package must not be linked, by archive.
        self.refused: dict[str, str] = {}
        self._packages: dict[str, tuple[str, str]] = {}
        #: Unpacked packages that were looked at and are as they should be, and whether they have links out.
        self._sound: dict[str, bool] = {}
        self.incoming = Incoming("")
        self.cuda_matters = False
        self._links = Links(wheels=wheels)
        self._linking: set[str] = set()
        self._names: list[str] = []
        self._scripts: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def expect(self, records: Sequence[RepoDataRecord], cache: str) -> None:
        """Announces what will be installed, and where it is unpacked."""
        self.sizes = {record.name.normalized: record.size for record in records}
        self._packages = {
            record.name.normalized: (record.file_name, os.path.join(cache, stem(record.file_name)))
            for record in records
        }
        self.incoming = Incoming(cache)

    def borrow(self, records: Sequence[RepoDataRecord], caches: Sequence[str]) -> None:
        """Borrow undamaged packages from caches of others."""
        for record in records:
            self.incoming.borrow(stem(record.file_name), record.sha256, caches)
            if self.has_borrowed(record):
                self.cached.add(record.file_name)

    def has_borrowed(self, record: RepoDataRecord) -> bool:
        return stem(record.file_name) in self.incoming.borrowed

    def look_at_cached(self, offline: bool) -> None:
        """Before downloads start, drop damaged packages from the cache, so that they are downloaded again."""
        for archive, package in self._packages.values():
            if os.path.isdir(package) and os.path.basename(package) not in self.incoming.borrowed:
                self.cached.add(archive)
                unpacked = cached.Unpacked(package)
                if (damage := unpacked.damage()) is not None:
                    if offline:
                        raise explain.damaged_in_cache(archive, f"{package}: {damage}")
                    cached.distrust(package)
                elif unpacked.intrusion() is None:
                    self._sound[package] = unpacked.has_links_out

    def _look_at(self, archive: str, package: str) -> None:
        """Refuse a package with files that no package may have, or not here. The engine ignores exceptions of its
        reporter, but cannot link a package without its index."""
        name = os.path.basename(package)
        borrowed = self.incoming.borrowed.get(name)
        package = borrowed or self.incoming.fetched(package) or package
        intrusion = None if borrowed or package in self._sound else cached.Unpacked(package).intrusion()
        if intrusion is None:
            with self._lock:
                conflict = self._links.conflict(package, has_links_out=self._sound.get(package, True))
            if conflict is None:
                return
            # It may be linked already, and the engine may know all of this package that it needs.
            try_to_unlink(os.path.join(self.prefix, conflict.link))
            archive, intrusion = os.path.basename(conflict.package), conflict.why
            if archive not in self.incoming.borrowed:
                delete(conflict.package)
        self.refused[archive] = intrusion
        if borrowed:
            self.incoming.give_back(name)
        else:
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
        name = self._names[download_idx]
        self.progress.download(name, progress, total or self.sizes.get(name))

    def on_link_start(self, operation: int, package_name: str) -> int:
        archive, package = self._packages[package_name]
        self._look_at(archive, package)
        self._linking.add(package_name)
        return self._token(package_name)

    def on_link_complete(self, index: int) -> None:
        name = self._names[index]
        self._linking.discard(name)
        self.progress.linked(name)

    def on_post_link_start(self, package_name: str, script_path: str) -> int:
        self.progress.doing(f"running the link script of {package_name}")
        with self._lock:
            self._scripts.append((package_name, script_path))
            return len(self._scripts) - 1

    def on_post_link_complete(self, index: int, success: bool) -> None:
        self.progress.doing("")
        # The file in which link scripts leave messages for people; rattler deletes it when this returns.
        try:
            with open_plain(os.path.join(self.prefix, ".messages.txt")) as file:
                self.messages[self._scripts[index][0]] = file.read(_LONGEST_MESSAGE).decode(errors="replace").strip()
        except OSError:
            pass  # there is none, or it is a link to another file
        if not success:
            self.failed_scripts.append(self._scripts[index])

    def settle(self) -> None:
        """Wait a little for links that have begun: interrupting an install does not stop its threads."""
        deadline = time.monotonic() + _PATIENCE
        while self._linking and time.monotonic() < deadline:
            time.sleep(0.01)
