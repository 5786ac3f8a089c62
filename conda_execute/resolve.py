"""From what a script says to what will be installed: all defaults are filled in here and nowhere else.

`resolve` combines the header with the settings and with the options of one run. The result is frozen, and
`environments.name` gives its name.
"""

from __future__ import annotations

import os

from . import credentials
from .configuration.channels import resolve_channels, split_spec
from .errors import SettingsError, UsageError
from .lean.values import replace
from .model import COMMIT, Channel, Request
from .options import RunOptions
from .script.header.keys import Header
from .specs import platforms
from .specs.match_spec import normalise_spec, spec_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .configuration.declared import Settings


def resolve(
    header: Header,
    settings: Settings,
    options: RunOptions = RunOptions(),
    *,
    folder: str = "",
    script: str = "",
    environ: Mapping[str, str] | None = None,
    platform: str | None = None,
    sandboxed: bool = False,
) -> Request:
    """The request of a script in `folder` (relative local paths among its PyPI requirements start there). `script` is
    its path if it is a file. `sandboxed`: no code of packages may run before the script's sandbox is entered.

    Raises SettingsError if a channel is not allowed here, UsageError for options that contradict the settings.
    """
    environ = os.environ if environ is None else environ
    header = _with_extras(header, options.requirements)
    pypi = tuple(sorted({as_asked(requirement, folder, script) for requirement in header.pypi}))
    uv = _absolute_uv(header.uv, folder, script) if pypi and header.uv is not None else None
    secrets = [pair for text in (*header.pypi, uv or "") for pair in credentials.separated(text)[1]]
    _check_archives(header, settings, folder or None)
    specs = _specs(header, with_python=bool(pypi))
    names = _channel_names(header, settings, options, specs)
    channels = resolve_channels(names, settings, folder=folder or None, where=header.location)
    request = Request(
        specs=specs,
        channels=channels,
        platform=platform or _platform(settings, platforms.host()),
        host_platform=platforms.host(),
        pypi=pypi,
        channel_priority=header.channel_priority or settings.channel_priority,
        solve_strategy=header.solve_strategy,
        indexed_timestamps=settings.require_indexed_timestamp,
        # conda's word for a constraint that holds for every environment.
        constraints=tuple(sorted({normalise_spec(spec) for spec in (*header.constraints, *settings.pinned_packages)})),
        uv=credentials.leave_out(uv) if uv is not None else None,
        local=_local(pypi, uv, environ, settings),
        link_scripts=settings.run_link_scripts and not sandboxed,
        builds=not sandboxed,
        attested=settings.attestations == "require",
        user_libraries=settings.user_libraries,
        system=header.overrides,
        overrides=tuple(sorted({**_configured(settings), **dict(header.overrides), **_overrides(environ)}.items())),
        secrets=tuple(secrets),
    )
    return _with_moments(request, header, settings, options, folder=folder, script=script)


def _specs(header: Header, with_python: bool) -> tuple[str, ...]:
    """The conda specs, normalised; for PyPI packages, `python` is added if the header does not have it."""
    specs = {normalise_spec(spec) for spec in header.specs}
    if with_python and not any(spec_name(spec) == "python" for spec in specs):
        specs.add("python")
    return tuple(sorted(specs))


def _platform(settings: Settings, host: str) -> str:
    if settings.subdir is not None and settings.subdir not in {*platforms.KNOWN, host}:
        raise SettingsError(
            f"`subdir` is not a platform: `{settings.subdir}`",
            where=settings.origin("subdir"),
            hint="such as `linux-64`, `osx-arm64` or `win-64`",
        )
    return settings.subdir or host


def _with_extras(header: Header, extra: tuple[str, ...]) -> Header:
    if not extra:
        return header
    from .script import specfile

    wishes = specfile.from_words(extra)
    return replace(header, specs=header.specs + wishes.specs, pypi=header.pypi + wishes.pypi)


def _channel_names(header: Header, settings: Settings, options: RunOptions, specs: Sequence[str]) -> tuple[str, ...]:
    """The channels in order of priority; one that only a spec names (`bioconda::samtools`) comes after all others."""
    if options.override_channels:
        if not settings.override_channels_enabled:
            raise UsageError(
                "`--override-channels` is not allowed here",
                hint="the setting `override_channels_enabled` is false in this installation's condarc",
            )
        if not options.channels:
            raise UsageError("`--override-channels` needs at least one `--channel`")
        names: Iterable[str] = options.channels
    else:
        names = (*options.channels, *(settings.channels if header.channels is None else header.channels))
    named = (split_spec(spec)[0] for spec in specs)
    return tuple(dict.fromkeys((*names, *(name for name in named if name is not None))))


def _check_archives(header: Header, settings: Settings, folder: str | None) -> None:
    """Check the channels of specs that are the URL or path of an archive, or contain one, or name their channel in
    brackets."""
    if not settings.allowlist_channels and not settings.denylist_channels:
        return
    import re

    for spec in header.specs:
        archives = re.findall(r"(?:[a-z0-9+]+:/)?[./~][^\s'\"\],#]*\.(?:conda|tar\.bz2)", spec, re.IGNORECASE)
        said = re.findall(r"[\[,]\s*channel\s*=\s*['\"]?([^\s'\"\],]+)", spec, re.IGNORECASE)
        place = header.location(spec)
        for channel in (*(archive.rsplit("/", 2)[0] for archive in archives), *said):
            resolve_channels((channel,), settings, folder=folder, where=lambda _, place=place: place)  # type: ignore[misc]


def as_asked(requirement: str, folder: str, script: str = "") -> str:
    """A PyPI requirement of a script in `folder` as a request has it: without credentials, local paths absolute."""
    return credentials.leave_out(_absolute(requirement, folder, script))


def beside(path: str, folder: str, script: str) -> str:
    """A path that a script names: next to the script; or, if the script is a link and nothing is there, next to its
    target."""
    here = os.path.normpath(os.path.join(folder, os.path.expanduser(path)))
    if not os.path.exists(here) and os.path.islink(script):
        there = os.path.normpath(os.path.join(os.path.dirname(os.path.realpath(script)), path))
        return there if os.path.exists(there) else here
    return here


def _absolute(requirement: str, folder: str, script: str) -> str:
    """A PyPI requirement with a relative local path made absolute: `./lib`, `~/lib`, `lib @ ../lib` and the like."""
    name, at, path = requirement.partition("@")
    if at and "://" not in path and path.strip().startswith((".", "~")):
        path, semicolon, marker = path.partition(";")
        condition = f" ; {marker.strip()}" if semicolon else ""
        return f"{name.strip()} @ {_file_url(beside(path.strip(), folder, script))}{condition}"
    if requirement.startswith(("./", "../", "~/")) or requirement in (".", ".."):
        return beside(requirement, folder, script)
    return requirement


def _file_url(path: str) -> str:
    from urllib.request import pathname2url

    return "file://" + pathname2url(path)


def _absolute_uv(table: str, folder: str, script: str) -> str:
    """The `[tool.uv]` table, as canonical JSON, with its relative local paths made absolute: in another folder they
    mean something else, so they must not give the same environment."""
    if not any(f'"{name}"' in table for name in ("sources", "index", "find-links", "extra-index-url")):
        return table
    import json

    settings = json.loads(table)

    def absolute(path: object) -> object:
        relative = isinstance(path, str) and "://" not in path
        return beside(str(path), folder, script) if relative else path

    for source in (settings.get("sources") or {}).values():
        for one in source if isinstance(source, list) else [source]:
            if isinstance(one, dict) and "path" in one:
                one["path"] = absolute(one["path"])
    for index in settings.get("index") or []:
        if isinstance(index, dict) and "url" in index:
            index["url"] = absolute(index["url"])
    for name in ("find-links", "extra-index-url"):
        if isinstance(settings.get(name), list):
            settings[name] = [absolute(each) for each in settings[name]]
    return json.dumps(settings, sort_keys=True, separators=(",", ":"))


def _local(
    pypi: Sequence[str], uv: str | None, environ: Mapping[str, str], settings: Settings
) -> tuple[tuple[str, str], ...]:
    if not any("/" in requirement for requirement in pypi) and '"path"' not in (uv or ""):
        return ()
    from .script import local_package

    return local_package.keys(pypi, uv, environ, settings.trusted_groups)


def _overrides(environ: Mapping[str, str]) -> dict[str, str]:
    """The `CONDA_OVERRIDE_*` variables: conda's way to tell the solver of another machine's virtual packages."""
    return {name: value for name, value in environ.items() if name.startswith("CONDA_OVERRIDE_")}


def _moments_of(
    header: Header, settings: Settings, channels: Sequence[Channel], folder: str
) -> tuple[tuple[str, str], ...]:
    """Moments of single packages and of these channels; the header's take precedence over those of the settings. A
    channel is identified by its name, however it was written. Without a general moment, exemptions have no effect."""
    names = {channel.name for channel in channels}
    said = [(f"package {name}", when or "no") for name, when in settings.exclude_newer_package]
    said += [(f"channel {name}", when or "no") for name, when in settings.exclude_newer_channel]
    found: dict[str, str] = {}
    for what, when in (*said, *header.exclude_newer_of):
        kind, _, name = what.partition(" ")
        if kind == "package":
            from .specs.requirement import canonical

            found[f"package {canonical(name)}"] = when
            continue
        try:
            named = resolve_channels((name,), settings, folder=folder or None)[0].name
        except SettingsError:
            continue  # not allowed here, so nothing comes from it
        if named in names:
            found[f"channel {named}"] = when
    general = header.exclude_newer or settings.exclude_newer or header.pypi_exclude_newer
    return tuple(sorted(found.items())) if general or {*found.values()} - {"no"} else ()


def _configured(settings: Settings) -> dict[str, str]:
    """The same from the setting `override_virtual_packages`; a header and variables take precedence."""
    return {
        f"CONDA_OVERRIDE_{name.removeprefix('__').upper()}": version
        for name, version in settings.override_virtual_packages
        if version is not None
    }


def _with_moments(
    request: Request, header: Header, settings: Settings, options: RunOptions, *, folder: str, script: str
) -> Request:
    """The request with the moments after which packages are ignored: from the option, else the header, else the
    setting."""
    conda = options.exclude_newer or header.exclude_newer or settings.exclude_newer
    pypi = options.exclude_newer or header.pypi_exclude_newer or conda
    single = _moments_of(header, settings, request.channels, folder) if options.exclude_newer is None else ()
    return replace(
        request,
        exclude_newer=_moment(conda, script, settings),
        exclude_newer_of=single,
        pypi_exclude_newer=_moment(pypi, script, settings) if request.pypi else None,
    )


def _moment(when: str | None, script: str, settings: Settings) -> str | None:
    if when == COMMIT:
        from .script.history import commit_day

        return commit_day(script, settings.trusted_groups)
    return when
