"""Where environments are: in the first suitable directory that only we can write to."""

from __future__ import annotations

import os
import sys

from ..cache import cache_dir, private_directory
from ..errors import PlaceError
from ..files import is_full, is_own, make_directory_or_fail
from ..ownership import others, refuse_others
from . import layout
from .store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def choose_tmp_envs(
    env_dir: str | None,
    trusted: Sequence[str],
    environ: Mapping[str, str],
    platform: str,
    *,
    name: str | None = None,
    notice: Callable[[str], None] | None = None,
) -> str:
    """Return the first place that fits, created if needed. PlaceError if none fits, or if the one that was asked for
    (`env_dir`) does not.

    A place fits if only we, and the `trusted` groups, can write to it. One that cannot be written to at all fits if it
    holds the environment `name` already, or if no name is given; so does a default one that is full. `notice` is called
    if no ordinary place was available.
    """
    if env_dir:
        asked = os.path.abspath(env_dir)
        place = asked if os.path.basename(asked) == layout.TMP_ENVS else os.path.join(asked, layout.TMP_ENVS)
        _fit(place, name, trusted)
        return place
    root = _root_prefix()
    cache = cache_dir(environ)
    defaults = ([os.path.join(root, layout.TMP_ENVS)] if root else []) + (
        [os.path.join(cache, platform, layout.TMP_ENVS)] if cache else []
    )
    why = "HOME is not set"
    for place in defaults:
        try:
            # Checked before anything is created: root leaves nothing in the home of another user.
            if (owned := others(place, trusted)) is not None:
                raise PlaceError(owned)
            _fit(place, name, trusted)
            if name is not None and Store(place).find(name) is None and is_full(place):
                raise PlaceError(f"no space left on the disk of `{place}`")
        except PlaceError as error:
            why = error.message
            continue
        return place
    place = os.path.join(private_directory(environ), platform, layout.TMP_ENVS)
    _fit(place, name, trusted)
    if notice is not None:
        notice(f"environments go to `{place}`, which may not last: {why}")
    return place


def _root_prefix() -> str | None:
    """conda's root prefix, if conda-execute is installed in it and the caller owns it."""
    is_conda = all(os.path.isdir(os.path.join(sys.prefix, folder)) for folder in ("condabin", "conda-meta"))
    return sys.prefix if is_conda and is_own(os.stat(sys.prefix)) else None


def _fit(tmp_envs: str, name: str | None, trusted: Sequence[str]) -> None:
    """Create the place if needed; PlaceError says why it does not fit."""
    if os.name == "posix" and (":" in tmp_envs or "\n" in tmp_envs):
        # Programs would be searched elsewhere, and others of the same name found.
        raise PlaceError(
            f"`{tmp_envs}` cannot hold environments: PATH and shebangs cannot contain a colon or a line break",
            hint="set `CONDA_EXECUTE_ENV_DIR` to a directory without them in its path",
        )
    make_directory_or_fail(tmp_envs)
    refuse_others(tmp_envs, trusted, hint="set `CONDA_EXECUTE_ENV_DIR` to a directory of your own")
    if not os.access(tmp_envs, os.W_OK | os.X_OK) and name is not None and Store(tmp_envs).find(name) is None:
        raise PlaceError(
            f"no environment can be created in `{tmp_envs}`: it is read-only",
            hint="set `CONDA_EXECUTE_ENV_DIR` to a directory that you can write to",
        )
