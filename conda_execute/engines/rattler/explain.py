"""What py-rattler's failures mean: its messages turned into errors that say what is wrong, where, and what to try.

The messages are parsed, since py-rattler's exceptions have no other data; unknown ones are shown unchanged.
Pure: facts about the channels that an explanation needs arrive as arguments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from ...credentials import leave_out
from ...errors import CreationError, Location
from ...model import Channel, Request
from ...specs import mistakes, platforms
from ...text import listed
from .. import network

Locate = Callable[[str], Location | None]

# Patterns are compiled when something has failed, not on import.

#: Longest list of names or versions in one sentence.
_FEW = 8
#: How many lines of the solver's explanation are shown.
_LONGEST_TREE = 40
_BRANCHES = " │├└─"
#: How similar a name must be to be suggested.
_ALIKE = 0.6

#: A server that answers so without a date (Python's http.server: conda/rattler#2719) is not understood.
UNDATED = "304 Not Modified"

_CAUSE = r"(?:^|\n)\s*Caused by:\s*"
_URL = r"\b(?:https?|file|s3|oci)://[^\s'\"`)]+"
_ANY_VERSION = r"(?<=[\w.-]) \*(?=[ ,.\n]|$)"
_PREAMBLE = r"^Cannot solve the request because of:\s*"
_FAILED_FETCH = r"failed to fetch (\S+)"
_FAILED_LINK = r"failed to link (\S+)"
_STATUS = r"HTTP status (?:client|server) error \((\d{3})[^)]*\)"
_MISMATCH = r"hash mismatch .*expected ([0-9a-f]+), got ([0-9a-f]+)"
_VIRTUAL = r"(__\w+)([^,\n]*), (?:for which no candidates were found|which cannot be installed)"

#: py-rattler 0.28 sets the time of a link before its target exists; sshfs cannot do that.
_NO_DANGLING_LINKS = "could not update file modification and access time"

_NO_ACCESS = ("401", "403", "407")
_DISK_FULL = ("os error 28", "No space left", "os error 122", "os error 112")
#: Signs of a limit that was reached, with what to do.
_LIMITS = {
    "os error 24": "`ulimit -n` raises how many files a process may have open",
    "os error 27": "`ulimit -f` raises how large a file may be",
}
_NOT_WRITABLE = (
    "os error 30",
    "os error 13",
    "os error 1)",
    "os error 20",
    "Read-only file system",
    "Permission denied",
)
_CORRUPT = (
    "hash mismatch", "failed to unpack", "decompression", "bz2", "zstd", "EOF", "invalid Zip", "invalid zip",
    "Could not find EOCD", "invalid gzip", "checksum", "sha256", "md5", "corrupt",
)  # fmt: skip
_NETWORK = (
    "error sending request", "dns error", "Connection refused", "connection closed", "timed out", "tcp connect",
    "error decoding response body", "Connection reset", "network is unreachable",
)  # fmt: skip


def causes(text: str) -> list[str]:
    """The sentences of an error and its causes, outermost first, without those that are repeated later."""
    parts = [part.strip() for part in re.split(_CAUSE, text.strip()) if part.strip()]
    told = [part for index, part in enumerate(parts) if not any(part in later for later in parts[index + 1 :])]
    return told or ["no reason given"]


def tidy(text: str) -> str:
    """The solver's tree, without its preamble, repetitions, and the `*` that says any version will do."""
    text = re.sub(_PREAMBLE, "", text.strip())
    text = text.removeprefix("The following packages are incompatible\n")
    text = re.sub(_ANY_VERSION, "", text).rstrip(". \n")
    lines = text.split("\n")
    bare = [line.lstrip(_BRANCHES).rstrip(".") for line in lines]
    # Builds of one version fail in the same way, in consecutive lines; the last line closes the branch.
    kept = [line for line, this, following in zip(lines, bare, [*bare[1:], None], strict=True) if this != following]
    if len(kept) > _LONGEST_TREE:
        kept = [*kept[:_LONGEST_TREE], f"... and {len(kept) - _LONGEST_TREE} more lines"]
    return "\n".join(kept)


def near(name: str, names: Iterable[str]) -> list[str]:
    """Names of the channel that someone who wrote `name` may have meant, best first."""
    import difflib  # for tens of thousands of names, which `text.close` compares one by one

    swapped = [name.replace("_", "-"), name.replace("-", "_"), name.replace(".", "-")]
    prefixed = [prefix + name for prefix in ("r-", "python-", "py", "lib")]
    stripped = [name.removeprefix(prefix) for prefix in ("python-", "py", "lib")]
    known = set(names)
    variants = [variant for variant in swapped + prefixed + stripped if variant in known]
    alike = difflib.get_close_matches(name, known, n=3, cutoff=_ALIKE)
    return list(dict.fromkeys(variants + alike))[:3]


def _in_file(where: Location | None) -> bool:
    """Whether the place is in a file: arguments have no line."""
    return where is not None and where.line is not None


_CONDITION = r"could not parse condition .*"


def not_a_spec(spec: str, text: str, where: Location | None) -> CreationError:
    """A spec that does not parse, and the parser's reason."""
    reason = re.sub(_CONDITION, "its condition cannot be read", causes(text)[-1])
    turned = re.sub("=([<>])", r"\1=", spec)
    hint = f"did you mean `{turned}`?" if turned != spec else mistakes.meant(spec, in_file=_in_file(where))
    return CreationError(
        f"`{spec}` is not a valid match spec: {reason if reason.endswith(' .') else reason.rstrip('.')}",
        step="solve",
        where=where or (),
        hint=hint
        or '`NAME`, `NAME >=1.2,<2`, `CHANNEL::NAME 1.2.*`, `NAME[when="python <3.11"]` or `NAME[extras=[EXTRA]]`',
    )


def missing_packages(
    missing: Mapping[str, str], names: Iterable[str], request: Request, locate: Locate, details: str | None = None
) -> CreationError:
    """Packages that no channel has: `missing` maps each name to the spec that asks for it."""
    known = list(names)
    channels = _channel_names(request.channels)
    hints = []
    for name, spec in missing.items():
        if hint := mistakes.meant(spec, in_file=_in_file(locate(spec))):
            hints.append(hint)
        elif close := near(name, known):
            of = "" if len(missing) == 1 else f"for `{name}`, "
            hints.append(f"{of}did you mean {listed(close, 'or')}?")
    what = "is no package" if len(missing) == 1 else "are no packages"
    where = [place for spec in missing.values() if (place := locate(spec)) is not None]
    name = next(iter(missing))
    if not hints and any(place.path.endswith(".txt") for place in where):
        hints.append(f"the file is read as conda specs; if it is only on PyPI, write `pypi:{name}` in its line")
    elif not hints and any(map(_in_file, where)):
        hints.append(
            "check the spelling; if it is in another channel, add that under `channels:`; if it is only on PyPI, write"
            f" `- pip: [{name}]` below `env`"
        )
    elif not hints:
        name = name if len(missing) == 1 else "NAME"
        hints.append(f"`--channel CHANNEL` adds another channel; `pypi:{name}` asks for a package of PyPI")
    return CreationError(
        f"there {what} {listed(missing)} for {request.platform} in {channels}",
        step="solve",
        where=where,
        hint="\n".join(hints),
        details=details,
    )


def another_machine(missing: Mapping[str, str], request: Request, locate: Locate) -> CreationError:
    """Virtual packages that are asked for by name and that this machine does not have, each with its spec."""
    name, spec = next(iter(missing.items()))
    selector = name.removeprefix("__")
    if selector in platforms.FAMILIES:
        hint: str | None = f"mark what only that system needs: `- PACKAGE  # [{selector}]`"
    else:
        hint = _override(name, spec.partition(" ")[2])
    return CreationError(
        f"this machine ({request.platform}) has no {listed(missing)}",
        step="solve",
        where=[place for each in missing.values() if (place := locate(each)) is not None],
        hint=hint,
    )


def missing_versions(spec: str, name: str, versions: Sequence[str], request: Request, locate: Locate) -> CreationError:
    """No version fits a single spec; `versions` are those in the channels, newest first."""
    where = locate(spec)
    shown = ", ".join(versions[:_FEW]) + (f" and {len(versions) - _FEW} older" if len(versions) > _FEW else "")
    newer = " (`exclude-newer` hides those published later)" if request.exclude_newer else ""
    hint = f"there is {name} {shown}{newer}" if versions else f"no version of {name} is left{newer}"
    # What follows a space is the build.
    separated = re.sub(r"(?<=[\w.*]) ?(?:and |& ?)?(?=[<>!~])", ",", spec.partition(" ")[2])
    if wrong := mistakes.exact(spec, [*versions]) or mistakes.meant(spec, in_file=_in_file(where)):
        # If no version was asked for, a list of versions does not help.
        hint = f"{wrong}\n{hint}" if re.search(r"[\d*]", spec) else wrong
    elif separated not in spec:
        hint = f"did you mean `{name} {separated}`? A comma separates versions\n{hint}"
    return CreationError(
        f"no `{name}` of {_channel_names(request.channels)} for {request.platform} fits `{spec}`",
        step="solve",
        where=where or (),
        hint=hint,
    )


def unsolvable(
    text: str, specs: Sequence[tuple[str, str]], request: Request, virtual: Sequence[str], locate: Locate
) -> CreationError:
    """The solver's own explanation. `specs` are specs with their names; `virtual` this machine's virtual packages."""
    tree = tidy(text)
    hint = None
    if wanted := re.search(_VIRTUAL, tree):
        hint = _virtual_hint(wanted[1], wanted[2].strip(), virtual)
    elif request.exclude_newer:
        hint = f"packages published after {request.exclude_newer} were left out (`exclude-newer`)"
    elif request.channel_priority == "strict" and len(request.channels) > 1:
        hint = "with strict channel priority a package is taken from the first channel that has it, or not at all"
    elif len(specs) > 1:
        hint = "ask for other versions, or for fewer packages"
    concerned = [spec for name, spec in specs if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", tree)]
    where = [place for spec in concerned if (place := locate(spec)) is not None]
    return CreationError(
        "the packages asked for cannot be installed together"
        if len(specs) > 1
        else f"`{specs[0][1] if specs else 'nothing'}` cannot be installed",
        step="solve",
        details=tree,
        hint=hint,
        where=where,
    )


def _virtual_hint(name: str, version: str, virtual: Sequence[str]) -> str:
    present = next((package for package in virtual if package.split()[0] == name), None)
    machine = f"this machine has {present}" if present else f"this machine has no {name}"
    override = _override(name, version)
    return f"{machine}; {override}" if override else machine


def _override(name: str, version: str) -> str | None:
    """How to solve for a machine that has this virtual package; None if there is no variable for it."""
    variable = {"__cuda": "CUDA", "__glibc": "GLIBC", "__osx": "OSX", "__archspec": "ARCHSPEC", "__linux": "LINUX"}
    if name not in variable:
        return None
    number = re.search(r"\d[\d.]*", version)
    return f"CONDA_OVERRIDE_{variable[name]}={number[0] if number else 'VERSION'} solves as if it had"


def undetected(text: str) -> CreationError:
    """The machine's virtual packages cannot be detected: a `CONDA_OVERRIDE_*` variable is invalid."""
    return CreationError(
        f"the virtual packages of this machine cannot be detected: {causes(text)[-1]}",
        step="solve",
        hint="check the environment variables `CONDA_OVERRIDE_...`",
    )


class UnreachableError(CreationError):
    """A server could not be asked, or did not answer. `named` is what it serves."""

    named = ""

    def because(self, reason: str) -> CreationError:
        """The same error with a better reason."""
        return CreationError(
            f"{self.named} cannot be reached: {reason}",
            step=self.step,
            where=self.where,
            details=self.details,
            hint="check the network; the settings `remote_connect_timeout_secs` and `remote_read_timeout_secs` say how "
            "long to wait, `remote_max_retries` how often",
        )


def repodata_failed(text: str, request: Request, offline: bool, cache: str, locate: Locate) -> CreationError:
    """A channel's list of packages could not be downloaded, or not be stored in the `cache`."""
    text = leave_out(text)
    sentences = causes(text)
    found = re.search(_URL, text)
    url = found[0].rstrip(".") if found else None
    channel = channel_of(url, request.channels)
    named = f"channel `{channel.name}`" if channel else "a channel"
    fail = partial(CreationError, step="solve", where=(locate(channel.name) if channel else None) or ())
    slip = mistakes.channel(channel.name) if channel else None
    if offline and ("no usable repodata cache" in text or "cache" in sentences[-1]):
        problem = f"{named} is not in the cache, and `--offline` does not allow downloading it"
        return fail(problem, hint="run once without `--offline`")
    if "could not find subdir" in text:
        spelling = "check its spelling, and the settings `channel_alias` and `custom_channels`"
        return fail(f"{named} does not exist: nothing at {url}", hint=slip or spelling)
    if error := _not_served(text, named, url, fail):
        error.hint = f"{slip}\n{error.hint}" if slip and isinstance(error, UnreachableError) else error.hint
        return error
    if any(sign in text for sign in _DISK_FULL):
        return _disk_full(text, "solve", cache)
    hint = _raise_limit(text) or "check that this is the address of a channel, and that no proxy answers in its place"
    if UNDATED in text:
        sentences = ["the server answered `304 Not Modified` without a date"]
        hint = "set `repodata_use_shards: false` to use another protocol"
    problem = f"cannot read the packages of {named}" + (f" at {url}" if url else "")
    return fail(problem, details="\n".join(sentences), hint=hint)


def _raise_limit(text: str) -> str | None:
    """What to do if a limit of the process was reached."""
    return next((hint for sign, hint in _LIMITS.items() if sign in text), None)


def panicked(text: str) -> CreationError:
    """Rust panicked, and printed why on standard error."""
    return CreationError(
        "the engine stopped unexpectedly",
        step="install",
        details=text,
        hint="the environment was deleted; if this happens again, report it with the text above",
    )


def may_be_damaged(text: str) -> bool:
    """Whether damaged cached repodata may be the reason: the text mentions neither the network nor the disk."""
    signs = (*_NETWORK, *_DISK_FULL, *_NOT_WRITABLE, *_LIMITS, "could not find subdir")
    return not re.search(_STATUS, text) and not any(sign in text for sign in signs)


def not_linked(text: str) -> str | None:
    """The archive that could not be linked, unless the disk is full or not writable."""
    signs = (*_DISK_FULL, *_NOT_WRITABLE, *_LIMITS)
    found = None if any(sign in text for sign in signs) else re.search(_FAILED_LINK, text)
    return found[1] if found else None


def damaged_in_cache(archive: str | None, details: str | None = None) -> CreationError:
    """A damaged package that may not be downloaded again. `details`: what is wrong with it, and where it is."""
    return CreationError(
        f"the package {archive} is damaged in the cache, and `--offline` does not allow downloading it again",
        step="download",
        details=details,
        hint="run once without `--offline`",
    )


def refused(packages: Mapping[str, str]) -> CreationError:
    """Packages with forbidden files: what is wrong, by archive."""
    return CreationError(
        f"refused to install {listed(packages)}",
        step="link",
        details="\n".join(f"{archive}: {why}" for archive, why in packages.items()),
        hint="no package may contain such a file: report it to the channel, and check its other packages",
    )


def cannot_be_attested() -> CreationError:
    return CreationError(
        "attestations of PyPI packages and wheels are not verified, and the setting `attestations` requires them",
        step="verify",
        hint="take them from a conda channel that signs its packages, or set `attestations` to `warn`",
    )


def unattested(text: str) -> CreationError | None:
    """A package has no valid attestation, if that is what the text says."""
    text = leave_out(text)
    found = re.search(r"attestation verification failed for (\S+)", text)
    if found is None:
        return None
    return CreationError(
        f"`{found[1]}` has no valid attestation, and the setting `attestations` requires one",
        step="verify",
        details=causes(text)[-1],
        hint="take packages from a channel that signs them, or set `attestations` to `warn`",
    )


def install_failed(text: str, request: Request, urls: Mapping[str, str], cache: str, locate: Locate) -> CreationError:
    """A package could not be downloaded, unpacked or linked. `urls` maps file names of archives to their URLs."""
    text = leave_out(text)
    sentences = causes(text)
    fetched, linked = re.search(_FAILED_FETCH, text), re.search(_FAILED_LINK, text)
    step = "download" if fetched else "link"
    archive = fetched[1] if fetched else linked[1] if linked else None
    url = leave_out(urls.get(archive or "", ""))
    if any(sign in text for sign in _DISK_FULL):
        return _disk_full(text, step, cache if fetched else None)
    if network.OFFLINE in text:
        return damaged_in_cache(archive)
    if fetched and (known := _fetch_failed(text, archive or "", url, request, locate)):
        return known
    if "global cache lock" in text or "create cache directory" in text or (
        fetched and any(sign in text for sign in _NOT_WRITABLE)
    ):  # fmt: skip
        where = f"{cache}/.cache.lock" if "os error 21" in text else cache
        return CreationError(
            f"the package cache {where} cannot be written to: {sentences[-1]}",
            step="download",
            hint="set RATTLER_CACHE_DIR to another directory",
        )
    if not fetched and (known := _link_failed(text, archive, sentences)):
        return known
    return CreationError(
        f"cannot {'fetch' if fetched else 'link'} {archive}" if archive else "cannot install the packages",
        step=step,
        details="\n".join([*sentences, url] if url else sentences),
        hint=_raise_limit(text),
    )


def _link_failed(text: str, archive: str | None, sentences: Sequence[str]) -> CreationError | None:
    """A problem with the file system of the environments."""
    if _NO_DANGLING_LINKS in text:
        return CreationError(
            f"cannot link {archive}: the file system of the environments does not allow links to missing files",
            step="link",
            details="\n".join(sentences),
            hint="sshfs is one example; set `env-dir`, or CONDA_EXECUTE_ENV_DIR, to a directory elsewhere",
        )
    if any(sign in text for sign in _NOT_WRITABLE):
        return CreationError(
            f"the environment cannot be written: {sentences[-1]}",
            step="link",
            hint="set `env-dir` to another directory",
        )
    return None


def _fetch_failed(text: str, archive: str, url: str, request: Request, locate: Locate) -> CreationError | None:
    channel = channel_of(url, request.channels)
    named = f"channel `{channel.name}`" if channel else "its channel"
    reason = causes(text)[-1]
    status = re.search(_STATUS, text)
    if "os error 2)" in text or (status and status[1] in ("404", "410")):
        return CreationError(
            f"{named} lists {archive} but does not have it: {url}",
            step="download",
            hint="the channel may be changing right now: try again in a minute",
            where=(locate(channel.name) if channel else None) or (),
        )
    if mismatch := re.search(_MISMATCH, text):
        return wrong_hash(archive, url, "sha256", mismatch[1], mismatch[2])
    if error := _not_served(text, named, url, partial(CreationError, step="download")):
        return error
    # A name such as `zstd-1.5-0.tar.bz2` must not count as a sign of what went wrong.
    if any(sign in reason.replace(archive, "") for sign in _CORRUPT) and not _raise_limit(text):
        return CreationError(
            f"the package {archive} is broken: {reason}",
            step="download",
            details=url,
            hint="it was damaged in transit or on the server; it was not kept, so try again",
        )
    return None


def wrong_hash(archive: str, url: str, algorithm: str, expected: str, found: str) -> CreationError:
    """An archive that differs from what its channel or the lock describes."""
    return CreationError(
        f"the package {archive} is broken: its {algorithm} does not match",
        step="download",
        details=f"{url}\nexpected {expected}\nfound    {found}",
        hint="it was damaged or replaced after the channel was indexed or the lock file was written",
    )


def link_scripts_failed(
    failed: Sequence[tuple[str, str]], sources: Mapping[str, str], messages: Mapping[str, str]
) -> CreationError:
    """Post-link scripts that failed: pairs of package and script; `sources` are the unpacked packages, `messages` the
    output of the scripts."""
    packages = listed(package for package, _ in failed)
    return CreationError(
        f"the post-link script of {packages} failed",
        step="link",
        details="\n".join(
            line
            for package, path in failed
            for line in (f"{sources[package]}/{path}" if package in sources else path, messages.get(package, ""))
            if line
        ),
        hint="the setting `run-link-scripts: false` skips such scripts",
    )


def not_cached(packages: Sequence[str]) -> CreationError:
    """Packages that would have to be downloaded with `--offline`."""
    shown = ", ".join(packages[:_FEW]) + (f" and {len(packages) - _FEW} more" if len(packages) > _FEW else "")
    plural = "packages are" if len(packages) > 1 else "package is"
    return CreationError(
        f"{len(packages)} {plural} not in the cache, and `--offline` does not allow downloads: {shown}",
        step="download",
        hint="run once without `--offline`",
    )


def channel_of(url: str | None, channels: Sequence[Channel]) -> Channel | None:
    """The channel that a URL belongs to; if there is only one channel, that one."""
    if url is not None:
        for channel in channels:
            if any(
                url.startswith(base.rstrip("/") + "/") or url.rstrip("/") == base.rstrip("/") for base in channel.urls
            ):
                return channel
    return channels[0] if len(channels) == 1 else None


def _not_served(text: str, named: str, url: str | None, fail: partial[CreationError]) -> CreationError | None:
    """A server that refuses access, fails, or could not be reached, if that is what the text says."""
    status = re.search(_STATUS, text)
    if status and status[1] in _NO_ACCESS:
        hint = "store credentials for it, or check the settings `proxy_servers` and `channel_alias`"
        return fail(f"{named} refuses access ({status[1]}): {url}", hint=hint)
    if not status and not any(sign in text for sign in _NETWORK):
        return None
    error = UnreachableError(
        f"{named} cannot be reached: {f'HTTP status {status[1]}' if status else causes(text)[-1]}",
        details=url,
        hint="check the network and the setting `proxy_servers`; `--offline` uses what is in the caches",
        **fail.keywords,
    )
    error.named = named
    return error


def _disk_full(text: str, step: str, cache: str | None = None) -> CreationError:
    path = re.search(r" to (/[^:\n]+):", text)
    place = cache or (path[1] if path else None)
    another = (
        "set RATTLER_CACHE_DIR to a directory on another disk"
        if cache
        else "set `env-dir` to a directory on another disk"
    )
    return CreationError(
        "no space left on the disk" + (f": {place}" if place else ""),
        step=step,
        hint=f"`conda tmpenv clear` deletes environments that are not in use; {another}",
    )


def _channel_names(channels: Sequence[Channel]) -> str:
    return listed(channel.name for channel in channels)
