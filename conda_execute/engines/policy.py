"""A site's policy about packages (not channels): each engine obeys or refuses it.

If an engine cannot do what a setting asks for, that is an error with the place of the setting; nothing is ignored. Pins
and virtual packages are not policy but part of a request (`resolve`). The reference lists every setting of conda's with
what it does here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from ..configuration.declared import BACKENDS, Settings
from ..errors import CreationError, SettingsError
from ..model import Channel, Request
from . import Backend, Solution

#: The index files with all packages of a channel, or the latest ones.
_WHOLE_INDEXES = ("repodata.json", "current_repodata.json")


def check(settings: Settings, request: Request, backend: Backend) -> None:
    """Raise SettingsError if `backend` cannot do what the settings ask for."""
    for name, problem in _problems(settings, request, backend):
        other = next(name for name in BACKENDS if name != backend.name)
        hint = f"set `backend: {other}`, which can, or remove it" if problem.startswith("the backend") else None
        raise SettingsError(f"{problem} (`{name}`)", where=settings.origin(name), hint=hint)


def _problems(settings: Settings, request: Request, backend: Backend) -> Iterator[tuple[str, str]]:
    """Each setting that the engine cannot follow, and why."""
    if not settings.non_admin_enabled and hasattr(os, "geteuid") and os.geteuid() != 0:
        yield "non_admin_enabled", "only an administrator may install packages here"
    if any(name not in _WHOLE_INDEXES for name in settings.repodata_fns):
        yield "repodata_fns", "packages are taken from `repodata.json` alone"
    yield from backend.limits(settings, request)


def said_of(channel: Channel, settings: Settings) -> Iterator[tuple[str, str | None]]:
    """The `channel_settings` of this channel: by its name, or by a pattern with the same scheme."""
    for entry in settings.channel_settings:
        pattern = dict(entry).get("channel") or ""
        wanted = urlsplit(pattern)
        for url in channel.urls:
            parts = urlsplit(url)
            matches = fnmatchcase(f"{parts.netloc}{parts.path}/", f"{wanted.netloc}{wanted.path}".rstrip("/") + "/")
            if pattern == channel.name or (wanted.scheme == parts.scheme and matches):
                yield from entry


def check_packages(settings: Settings, request: Request, solution: Solution) -> None:
    """Raise CreationError for a solution with a disallowed package; conda checks its own solutions."""
    if not settings.disallowed_packages:
        return
    import rattler
    from rattler.exceptions import InvalidMatchSpecError

    from .rattler import bridge

    for text in settings.disallowed_packages:
        where = settings.origin("disallowed_packages", text) or settings.origin("disallowed_packages")
        try:
            spec = rattler.MatchSpec(bridge.with_url(text, request.channels), strict=False)
        except InvalidMatchSpecError as error:
            raise SettingsError(f"`{text}` is not a valid match spec: {error}", where=where) from None
        for record in solution.records:
            if record.matches(spec):
                package = f"{record.name.normalized} {record.version}"
                raise CreationError(
                    f"{package} is not allowed here: `disallowed_packages` has `{text}`",
                    step="solve",
                    where=where,
                    hint="ask for other packages or versions",
                )
