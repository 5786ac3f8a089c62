"""PyPI requirements, installed by uv into a prefix that conda packages already fill.

What conda installed is never replaced. Its Python packages, known by the metadata they brought (a conda package's own
name may differ: `pytorch` is `torch` to PyPI), become constraints: a requirement they satisfy installs nothing, one
that contradicts them is an error that names both sides. Afterwards their metadata must still be the same files.

uv inherits the creation lock, and with it every build that it starts.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from functools import partial

from ...credentials import leave_out
from ...environments import layout
from ...errors import CreationError
from ...files import delete, write_atomically
from ...model import Built, Request
from ...specs.requirement import requirement_name
from ...text import megabytes
from .. import Options, PyPIPackage
from . import cached, complaints, project
from .installed import Distribution, distributions


def install(
    request: Request,
    prefix: str,
    options: Options,
    chosen: Sequence[PyPIPackage] | None = None,
    *,
    anywhere: bool = False,
) -> Built:
    """Install `request.pypi` into `prefix`, or exactly the packages `chosen`, checked against their hashes; `anywhere`:
    also for another platform than this machine's.

    Raises CreationError and InterruptError; then the prefix is unusable.
    """
    # Only a lock says beforehand which packages uv will need.
    options.progress.step("pypi", len(chosen or ()), () if options.offline else ("PyPI",))
    uv, target = project.find_uv(options.environ), project.target(request, prefix, anywhere)
    present = distributions(prefix)
    before = [(distribution, distribution.identity) for distribution in present]
    directory = os.path.join(layout.conda_meta(prefix), project.NAME)
    records = _records(prefix)
    os.mkdir(directory, 0o700)
    if chosen is None:
        _refuse_other_sources(request, present, options)
        *asked, constraints = project.write(directory, request, options, present)
        arguments = [word for file in asked for word in ("-r", file)]
        arguments += ["-c", constraints, *project.limits(request, options)]
    else:
        arguments = project.exactly(directory, chosen, request, options)
    command = [uv, "pip", "install", *target, *project.isolation(directory), *arguments]
    status, said = 1, ""
    if chosen is not None and not options.offline:
        # Packages with the right hash need no request. uv would send one to an index that does not mark its files as
        # permanent, and there may be no network.
        status, said = project.run([*command, "--offline"], request, options, (directory, prefix))
    if status != 0:
        status, said = project.run(command, request, options, (directory, prefix), watched=True)
    if status == 0 and _removed_damaged(request, prefix, options, present):
        status, said = project.run(command, request, options, (directory, prefix), watched=True)
    if status != 0 or complaints.UNREAD in said:
        raise complaints.explain(said, request, prefix, present, options)
    delete(directory)
    _refuse_records(records, _records(prefix))
    added = _compare(prefix, before)
    options.progress.installed([f"{one.name} {one.version} ({megabytes(one.size)})" for one in added])
    return Built(len(added), sum(distribution.size for distribution in added))


def _removed_damaged(request: Request, prefix: str, options: Options, present: Sequence[Distribution]) -> bool:
    """Remove damaged packages, here and from uv's cache; False if there are none."""
    whole, before = options.compares_files, {one.path for one in present}
    damaged = cached.damaged([one for one in distributions(prefix) if one.path not in before], whole=whole)
    names = {one.name for one in damaged}
    directory = os.path.join(layout.conda_meta(prefix), project.NAME)
    if not names or not project.forgets_damaged(request, options, directory, names, whole=whole):
        return False  # it is also damaged at its source
    for one in damaged:
        delete(one.path)
    return True


def _refuse_other_sources(request: Request, present: Sequence[Distribution], options: Options) -> None:
    """Refuse requirements by URL or path for packages of conda: uv would replace them."""
    installed = {distribution.name: distribution for distribution in present}
    for requirement in request.pypi:
        name = requirement_name(requirement)
        if name in installed and "@" in requirement.partition(";")[0]:
            raise CreationError(
                f"`{requirement}` would replace {name} {installed[name].version}, which conda installs",
                step="pypi",
                where=options.locate(requirement) or (),
                hint=f"ask for `{name}` in one way only",
            )


def _records(prefix: str) -> dict[str, tuple[int, int]]:
    """What is among the records of conda packages, where we say what is true of the environment as well."""
    with os.scandir(layout.conda_meta(prefix)) as entries:
        found = {entry.name: entry.stat(follow_symlinks=False) for entry in entries}
    return {name: (one.st_ino, one.st_mtime_ns) for name, one in found.items()}


def _refuse_records(before: Mapping[str, tuple[int, int]], after: Mapping[str, tuple[int, int]]) -> None:
    """A wheel may have files for any directory of the environment, but not for this one."""
    changed = {name for name, _ in before.items() ^ after.items()}
    if changed:
        raise CreationError(
            f"a PyPI package has `conda-meta/{min(changed)}`, which is among the records of conda packages",
            step="pypi",
            hint="no package may contain such a file: report it to its authors",
        )


def _compare(prefix: str, before: Sequence[tuple[Distribution, tuple[int, int]]]) -> list[Distribution]:
    """The added packages; an error if a conda package was changed."""
    after = distributions(prefix)
    now = {distribution.path: distribution.identity for distribution in after}
    for distribution, identity in before:
        if now.get(distribution.path) != identity:
            name = distribution.name
            raise CreationError(
                f"a PyPI package would replace {name} {distribution.version}, which conda installs",
                step="pypi",
                hint=f"ask for `{name}` in one way only",
            )
    old = {distribution.path for distribution, _ in before}
    added = [distribution for distribution in after if distribution.path not in old]
    for distribution in added:
        _leave_out_secrets(distribution)
    return added


def _leave_out_secrets(added: Distribution) -> None:
    """Remove secrets from the URLs that uv records for packages: it leaves out passwords, but not tokens."""
    name = "direct_url.json"
    said, listed = added.read(name), added.read("RECORD")
    if leave_out(said) != said:
        hashless = re.sub(rf"(?m)^(.*/{name}),.*$", r"\1,,", listed)
        for file, text in ((name, leave_out(said)), ("RECORD", hashless)):
            path = os.path.join(added.path, file)
            # The old file may be a link into uv's cache.
            write_atomically(path, text.encode(), before=partial(shutil.copymode, path))
