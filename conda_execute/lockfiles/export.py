"""A script's environment for other tools: as a file to create it from, or as an archive.

Exports contain what is installed, with exact versions: `environment.yml` for `conda env create`, `explicit` (URLs
and hashes, for `conda create --file`), a `pixi.lock`, or a bill of materials (`cyclonedx`, `spdx`). `pack` makes an
archive with conda-pack: unpacked anywhere, with no network and no conda, `bin/conda-unpack` adjusts it to its new
place.
"""

from __future__ import annotations

import os

from ..engines import records
from ..errors import CreationError, ExecuteError, UsageError
from ..options import BILLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from ..engines import Backend, Options
    from ..engines.pypi.installed import Distribution
    from ..model import Request

#: Suffixes of archives; conda-pack supports a few more, which few programs can unpack.
ARCHIVES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar", ".zip", ".squashfs")

#: Our own files, which have no meaning elsewhere.
_OURS = (
    "conda-meta/conda-execute*",
    "conda-meta/frozen",
    "CACHEDIR.TAG",
    records.NO_USER_SITE,
    f"lib/py*/{records.MANAGED}",
)


def export(
    prefix: str,
    form: str,
    request: Request,
    *,
    name: str,
    backend: Backend,
    options: Options,
    hashes: Mapping[str, str] | None = None,
) -> str:
    """The text of the environment in `prefix`, which was made for `request`, in one of `options.FORMATS`.

    `name` is what `environment.yml` calls it; `hashes` are those of PyPI packages, by name. Raises CreationError if
    PyPI packages cannot be looked up (for a `pixi.lock`).
    """
    from ..engines.pypi.installed import from_pypi
    from ..engines.rattler.packages import installed

    if form in BILLS:
        from datetime import datetime, timezone

        from ..engines.inventory import components
        from . import bill

        listed = components(prefix, hashes)
        return (
            bill.cyclonedx(name, listed) if form == "cyclonedx" else bill.spdx(name, listed, datetime.now(timezone.utc))
        )
    records = installed(prefix)
    added = from_pypi(prefix)
    if form == "environment.yml":
        return _environment_yml(name, request, records, added)
    if form == "explicit":
        return _explicit(request, records, added)
    from . import lockfile

    found = lockfile.of_environment(prefix, request, backend, options)
    return lockfile.text_of(request.channels, {request.platform: (found.records, found.pypi or ())}, home="")


def _environment_yml(name: str, request: Request, records: Sequence[Any], added: Sequence[Distribution]) -> str:
    lines = [f"name: {_quoted(name)}", "channels:", *(f"  - {_quoted(each.name)}" for each in request.channels)]
    lines.append("dependencies:")
    for record in sorted(records, key=lambda record: str(record.name.normalized)):
        lines.append(f"  - {record.name.normalized}={record.version}={record.build}")
    if added:
        if not any(record.name.normalized == "pip" for record in records):
            lines.append("  - pip")  # `conda env create` installs the following entries with it
        lines.append("  - pip:")
        lines += [f"      - {_quoted(one.pinned)}" for one in added]
    return "\n".join(lines) + "\n"


def _explicit(request: Request, records: Sequence[Any], added: Sequence[Distribution]) -> str:
    lines = [
        "# This file may be used to create an environment using:",
        "# $ conda create --name <env> --file <this file>",
        f"# platform: {request.platform}",
        *(f"# from PyPI, to be installed afterwards: {one.pinned}" for one in added),
        "@EXPLICIT",
    ]
    for record in records:
        digest = record.md5.hex() if record.md5 else record.sha256.hex() if record.sha256 else ""
        lines.append(f"{record.url}#{digest}" if digest else record.url)
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A YAML string, in quotes only if needed."""
    import json
    import re

    plain = re.fullmatch(r"(?!(?:true|false|yes|no|on|off|null|y|n)\Z)[A-Za-z][\w.+/=-]*", text, re.IGNORECASE)
    return text if plain else json.dumps(text)


def check_archive(target: str) -> None:
    """Raise UsageError for an archive that cannot be written under this name, and PlaceError without its folder."""
    from ..files import check_folder

    if not target.endswith(ARCHIVES):
        known = ", ".join(f"`{suffix}`" for suffix in ARCHIVES)
        raise UsageError(f"`--pack` cannot write `{target}`", hint=f"the name of an archive ends in {known}")
    check_folder(target)


def pack(prefix: str, target: str) -> None:
    """Write the environment to a relocatable archive; the suffix of `target` says which kind.

    Raises ExecuteError without conda-pack, and CreationError if it fails.
    """
    from ..files import umask

    try:
        import conda_pack  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        raise ExecuteError(
            "`--pack` needs conda-pack, which is not there", hint="install `conda-execute[pack]`, or `conda-pack`"
        ) from None
    try:
        environment = conda_pack.CondaEnv.from_prefix(prefix)
        for pattern in (*_OURS, *records.stand_ins(prefix)):
            environment = environment.exclude(pattern)
        environment.pack(output=target, force=True)
        os.chmod(target, 0o666 & ~umask())  # conda-pack makes it readable only for its owner
    except ModuleNotFoundError as error:
        raise CreationError(
            f"the environment cannot be packed into `{target}` without the Python package {error.name}",
            step="pack",
            hint=f"install `{error.name}`, or choose `.tar.gz`",
        ) from None
    except (conda_pack.CondaPackException, OSError, SystemError) as error:  # SystemError: no mksquashfs
        raise CreationError(f"the environment cannot be packed into `{target}`: {error}", step="pack") from None
