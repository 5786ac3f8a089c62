"""What py-rattler chooses from the channels, and why it cannot."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import rattler
from rattler import MatchSpec, RepoDataRecord
from rattler.exceptions import GatewayError, InvalidMatchSpecError, SolverError
from rattler.repo_data import Gateway

from ...errors import CreationError
from ...files import delete
from ...model import Channel, Request
from .. import Options, Solution, network, virtual_packages
from . import bridge, cached, explain, unsharded
from .packages import described


async def solve(
    request: Request, options: Options, like: Solution | None = None, keep: Sequence[RepoDataRecord] = ()
) -> Solution:
    if options.verify and not options.offline:
        delete(os.path.join(options.repodata, "shards-v1"))  # their hashes are not of the stored form
    sources = network.hosts(url for channel in request.channels for url in channel.urls)
    options.progress.step("solve" if like is None else "joint", hosts=sources)
    connection = (
        like.state if like is not None and like.state is not None else network.connect(request.channels, options)
    )
    machine = virtual_packages.packages(request)
    try:
        try:
            records = await _ask(request, options, connection[1], machine, keep)
        except GatewayError as error:
            if options.offline or not _is_for_what_is_cached(str(error), options.repodata):
                raise
            connection = network.connect(request.channels, options, fresh=True)
            records = await _ask(request, options, connection[1], machine, keep)
    except SolverError as error:
        raise await _explain_unsolvable(str(error), request, options, connection[1]) from None
    except GatewayError as error:
        raise explain.repodata_failed(str(error), request, options.offline, options.repodata, options.locate) from None
    return Solution(
        described(records, [options.packages, *options.package_caches]),
        tuple(records),
        state=connection,
    )


def _is_for_what_is_cached(text: str, cache: str) -> bool:
    """Whether damaged cached repodata made a channel unreadable; the cache is then dropped: a list of packages that a
    power cut left empty would never be downloaded again."""
    return explain.UNDATED in text or (explain.may_be_damaged(text) and cached.forget_repodata(cache))


async def _ask(
    request: Request,
    options: Options,
    gateway: Gateway,
    machine: Sequence[rattler.GenericVirtualPackage],
    keep: Sequence[RepoDataRecord] = (),
) -> list[RepoDataRecord]:
    """Solve. The wheels of a channel without shards are known only after its list was downloaded."""
    wheels = _wheels(request, options)
    while True:
        try:
            found, error = await _choose(request, options, gateway, machine, keep=keep, wheels=wheels), None
        except SolverError as unsolvable:
            found, error = [], unsolvable
        known, wheels = wheels, _wheels(request, options)
        if wheels != known:
            continue
        if error is not None:
            raise error
        return found


def _wheels(request: Request, options: Options) -> unsharded.Found:
    urls = [url for channel in request.channels for url in channel.urls]
    return unsharded.wheels(urls, _platforms(request), options.repodata)


async def _choose(
    request: Request,
    options: Options,
    gateway: Gateway,
    machine: Sequence[rattler.GenericVirtualPackage],
    *,
    keep: Sequence[RepoDataRecord],
    wheels: unsharded.Found,
) -> list[RepoDataRecord]:
    counts = _counts(request, options)
    grouped = counts is not None or bool(wheels)
    newest = _newest(request, options) if counts is None else None
    specs, constraints = parse(request.specs, options), parse(request.constraints, options)
    if request.channel_priority == "strict":
        specs, constraints = [_whole(spec) for spec in specs], [*constraints, *specs]

    async def solve(platforms: Sequence[Any]) -> list[RepoDataRecord]:
        found = await rattler.solve(
            sources=await bridge.sources(request.channels, gateway, platforms, counts, wheels),
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
        return bridge.restored(found, request.channels, grouped)

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
    return None if request.exclude_newer is None else options.moment(request.exclude_newer)


def _counts(request: Request, options: Options) -> Callable[[Channel, RepoDataRecord], bool] | None:
    """Returns a function that says whether a record of a channel is old enough, if packages or channels have moments of
    their own; None: one moment is for all, and the solver handles it."""
    if not request.exclude_newer_of and not (request.indexed_timestamps and request.exclude_newer):
        return None
    general = _newest(request, options)
    moments = {what: None if when == "no" else options.moment(when) for what, when in request.exclude_newer_of}

    def counts(channel: Channel, record: RepoDataRecord) -> bool:
        of_channel = moments.get(f"channel {channel.name}", general)
        newest = moments.get(f"package {record.name.normalized}", of_channel)
        when = getattr(record, "indexed_timestamp", None)
        if when is None and not request.indexed_timestamps:
            when = record.timestamp
        return newest is None or (when is not None and when <= newest)

    return counts


async def available(
    request: Request, options: Options, names: Sequence[str], gateway: Gateway
) -> dict[str, list[RepoDataRecord]]:
    counts = _counts(request, options)
    newest = None if counts else _newest(request, options)
    wheels = _wheels(request, options)
    grouped = counts is not None or bool(wheels)
    limits = bridge.addressed(parse((*request.specs, *request.constraints), options), request.channels, grouped)
    platforms = _platforms(request)
    sources = await bridge.sources(request.channels, gateway, platforms, counts, wheels)
    found = await gateway.query(sources, platforms, names, recursive=False)
    records: dict[str, list[RepoDataRecord]] = {name: [] for name in names}
    for record in (record for of_source in found for record in of_source):
        mine = [spec for spec in limits if _name(spec) == record.name.normalized]
        when = getattr(record, "indexed_timestamp", None) or record.timestamp
        if all(record.matches(spec) for spec in mine) and not (newest and (when is None or when > newest)):
            records[record.name.normalized].append(record)
    return {name: _newest_first(each) for name, each in records.items()}


async def would_differ_with_cuda(
    request: Request, options: Options, gateway: Gateway, records: Sequence[RepoDataRecord]
) -> bool:
    """Whether a machine with a GPU would get other packages than this one, which has none.

    GPU nodes with the same home directory must not use an environment of a login node without a GPU.
    """
    machine = virtual_packages.packages(request)
    if not request.platform.startswith(("linux-", "win-")) or any(p.name.normalized == "__cuda" for p in machine):
        return False
    try:
        others = await _ask(request, options, gateway, [*machine, virtual_packages.package("__cuda", _ANY_CUDA)])
    except (SolverError, GatewayError):
        return False
    return {record.url for record in others} != {record.url for record in records}


#: A version of CUDA that satisfies any package.
_ANY_CUDA = "99"


#: `not python <3` would be read as a package of that name.
_NOT = r"(?:^|[\s(])not(?![\w.-])"


def parse(written: Sequence[str], options: Options) -> list[MatchSpec]:
    specs = []
    for spec in written:
        try:
            parsed = rattler.MatchSpec(spec, strict=False)
        except (InvalidMatchSpecError, UnicodeEncodeError) as error:
            raise explain.not_a_spec(spec, str(error), options.locate(spec)) from None
        if re.search(_NOT, parsed.condition or ""):
            raise explain.not_a_spec(spec, "a condition on packages cannot contain `not`", options.locate(spec))
        specs.append(parsed)
    return specs


def _whole(spec: MatchSpec) -> MatchSpec:
    """The spec for any version; unchanged if it names a channel, or has parts that constraints do not support.

    py-rattler 0.28 forgets the packages that a spec does not match before it looks which channel comes first, so that
    `a >=2` of the second channel would be taken although the first one has an `a`.
    """
    if spec.channel is not None or spec.extras or "url=" in str(spec):
        return spec
    return rattler.MatchSpec(_name(spec))


def _platforms(request: Request) -> list[Any]:
    return [bridge.Subdir(request.platform), bridge.Subdir("noarch")]


async def _explain_unsolvable(text: str, request: Request, options: Options, gateway: Gateway) -> CreationError:
    """Check the channels for the most common reasons: a name or a version that none of them has."""
    specs = parse(request.specs, options)
    asked = [(_name(spec), spec_text) for spec, spec_text in zip(specs, request.specs, strict=True)]
    written = dict(asked)
    platforms = _platforms(request)
    described = [
        f"{package.name.normalized} {package.version} {package.build_string}"
        for package in virtual_packages.packages(request)
    ]
    here = {one.split()[0] for one in described}
    if absent := {name: spec for name, spec in written.items() if name.startswith("__") and name not in here}:
        return explain.another_machine(absent, request, options.locate)
    try:
        sources = await bridge.sources(request.channels, gateway, platforms, wheels=_wheels(request, options))
        names = {name.normalized for name in await gateway.names(sources, platforms)}
        found = await gateway.query(sources, platforms, list(written), recursive=False)
    except GatewayError:  # offline, and not everything is cached
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
            versions = dict.fromkeys(str(record.version) for record in _newest_first(mine))
            return explain.missing_versions(spec_text, name, list(versions), request, options.locate)
    return explain.unsolvable(text, asked, request, described, options.locate)


def _name(spec: MatchSpec) -> str:
    return str(spec.name.normalized)


def _newest_first(records: Iterable[RepoDataRecord]) -> list[RepoDataRecord]:
    return sorted(records, key=lambda record: record.version, reverse=True)
