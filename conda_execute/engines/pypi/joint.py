"""One solution for conda and PyPI: the two solvers alternate until neither restricts the other without need.

conda's solver chooses first, and uv chooses packages that fit (*pinned*). If those are the newest versions, nothing was
held back, and that is the answer. Otherwise uv chooses again, with everything that conda provides removed from all
requirements (*free*). If the pinned choice fails, or has an older version of something, uv chooses from PyPI and from
what conda's channels could provide instead (`offer`). Its choice of conda packages becomes constraints for conda's next
solve, and uv is asked again with the result: at most three times. What conda installs then, and what uv chooses with
the real metadata, is the result.

No PyPI package is silently older than it could be: notices say what would be newer without conda packages, and which of
the packages that the script asks for is not the newest, and why.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...errors import CreationError
from ...lean.values import dataclass, replace
from ...model import Built, Request
from ...specs.requirement import canonical, requirement_name
from .. import Backend, Options, Solution
from . import complaints, install, installed, offer, project
from .offer import Trial, Versions

#: How often conda's solver is asked again.
ROUNDS = 3

#: For how many packages notices give the reason: each costs a call of uv.
_EXPLAINED = 3

#: A requirement that only one version satisfies.
_EXACT = r"===?\s*[^\s,;*]+\s*(?:;|$)|@"


def build(engine: Backend, request: Request, prefix: str, options: Options, solution: Solution | None = None) -> Built:
    """Fill `prefix` with conda packages and PyPI packages that were chosen together."""
    from ... import files

    def attempt(solution: Solution | None) -> Trial:
        files.delete(prefix)
        built = engine.create(request, prefix, options, solution)
        trial = Trial(solution or Solution(()), prefix, tuple(installed.distributions(prefix)))
        try:
            added = install.install(request, prefix, options)
        except CreationError as error:
            return replace(trial, error=error)
        chosen = {one.name: one.version for one in installed.distributions(prefix) if one.name not in trial.provided}
        built = replace(built, packages=built.packages + added.packages, size=built.size + added.size)
        return replace(trial, chosen=chosen, result=built)

    if solution is None and engine.solves_first:
        solution = engine.solve(request, options)
    best, notices = Talk(engine, request, options, attempt).agree(solution)
    built: Built = best.result
    return replace(built, notices=notices)


@dataclass
class Talk:
    """The dialogue of the two solvers."""

    engine: Backend
    request: Request
    options: Options
    #: Links a solution and lets uv choose with it.
    attempt: Callable[[Any], Trial]
    #: conda records that are preferred.
    keep: Sequence[Any] = ()

    def agree(self, solution: Solution | None) -> tuple[Trial, tuple[str, ...]]:
        """The best answer, and the notices about it. Raises CreationError if there is none, and InterruptError."""
        first = self.attempt(solution)
        if first.error is not None and not isinstance(first.error, complaints.UnfitError):
            raise first.error
        python = self._newest_python(first)
        if first.error is None and self._is_free(first, python):
            return first, ()
        asking = Asking(self.request, self.options)
        newest = asking.newest(first, python)
        if first.error is None and newest is not None and not _older(first.chosen, newest):
            return first, ()
        best, free = first, asking.freely(first, python)
        agree = first.error is None and free is not None and not _older(first.chosen, free)
        if not agree and self.engine.solves_first:
            best = _Rounds(self, first, asking, free or {}).best()
        if best.error is not None:
            raise best.error
        return best, tuple(asking.notices(first, best, free, newest or {}))

    def _is_free(self, trial: Trial, python: str) -> bool:
        """Whether nothing can have been held back: conda provides nothing else that could be required, or the script
        itself fixes the version of everything that was installed."""
        exact = {requirement_name(each) for each in self.request.pypi if re.search(_EXACT, each)}
        return python == trial.python and (not trial.present or set(trial.chosen or ()) <= exact)

    def _newest_python(self, first: Trial) -> str:
        """The Python that conda would choose if the script asked for nothing else."""
        alone = offer.specs_of(self.request, "python")
        if not self.engine.solves_first or len(alone) == len(self.request.specs):
            return first.python
        found = self.solve(replace(self.request, specs=alone or ("python",)), first.solution)
        return next((each.version for each in found.packages if each.name == "python"), "") if found else first.python

    def solve(self, request: Request, like: Solution) -> Solution | None:
        """conda's choice; None if there is none."""
        try:
            return self.engine.solve(request, self.options, like=like, keep=self.keep)
        except CreationError:
            return None


def _older(chosen: Versions | None, free: Versions) -> list[str]:
    """The packages that are older than these."""
    return [name for name, version in (chosen or {}).items() if offer.is_older(version, free.get(name, ""))]


@dataclass
class _Rounds:
    """The rounds after the first."""

    talk: Talk
    first: Trial
    asking: Asking
    free: Versions

    def best(self) -> Trial:
        """The best trial; its prefix exists."""
        best = last = self.first
        seen = {_identity(best.solution)}
        #: Versions of conda packages that cannot be combined with the rest.
        excluded: set[tuple[str, str]] = set()
        for _ in range(ROUNDS):
            solution = self._next(last, best, excluded)
            if solution is None or _identity(solution) in seen:
                break
            seen.add(_identity(solution))
            last = self.talk.attempt(solution)
            if self._rank(last.chosen) < self._rank(best.chosen):
                best = last
            if best.error is None and not _older(best.chosen, self.free):
                break
        return best if best is last or best.error is not None else self.talk.attempt(best.solution)

    def _rank(self, chosen: Versions | None) -> tuple[bool, int, int]:
        """Lower is better: first failures count, then requested packages that are older than they could be, then other
        older packages."""
        older = _older(chosen, self.free)
        asked = {requirement_name(requirement) for requirement in self.talk.request.pypi}
        return chosen is None, sum(name in asked for name in older), len(older)

    def _next(self, trial: Trial, best: Trial, excluded: set[tuple[str, str]]) -> Solution | None:
        """Another solution of conda: the packages that uv prefers, as far as conda can provide them."""
        available = offer.available(self.talk.request, self.talk.options, trial)
        for _ in range(ROUNDS):
            wish = self._wish(trial, available, excluded)
            if wish is None or self._rank(wish[1]) >= self._rank(best.chosen):
                return None
            wanted = wish[0].wanted(wish[1])
            solution = self._solve(trial, wanted)
            if solution is not None:
                return solution
            excluded.add(self._culprit(trial, wanted))
        return None

    def _wish(
        self, trial: Trial, available: offer.Available, excluded: set[tuple[str, str]]
    ) -> tuple[offer.Offer, Versions] | None:
        """What uv would choose among PyPI and conda packages: with this Python, or with another allowed one, one of
        each minor version."""
        minors = {offer.minor(trial.python): trial.python}
        for version in available.pythons:
            minors.setdefault(offer.minor(version), version)
        wishes = []
        for minor, python in minors.items():
            offered = offer.Offer.of(available, self.talk.request, trial, python, excluded)
            if ("python", minor) in excluded or offered is None:
                continue
            chosen = self.asking.offered(trial, offered)
            if chosen is not None:
                wishes.append((offered, chosen))
            if not any(self._rank(chosen)):
                break
        return min(wishes, key=lambda wish: self._rank(wish[1]), default=None)

    def _solve(self, trial: Trial, wanted: Mapping[str, str]) -> Solution | None:
        request = self.talk.request
        constraints = (f"{name} {version}" for name, version in wanted.items())
        return self.talk.solve(replace(request, constraints=(*request.constraints, *constraints)), trial.solution)

    def _culprit(self, trial: Trial, wanted: Mapping[str, str]) -> tuple[str, str]:
        """The version to give up: one that conda cannot provide in any combination, else the last that differs from
        conda's own choice."""
        there = {package.name: package.version for package in trial.solution.packages}
        changed = [name for name in wanted if wanted[name] != f"=={there.get(name)}"] or list(wanted)
        alone = (name for name in changed if self._solve(trial, {name: wanted[name]}) is None)
        name = next(alone, changed[-1])
        return name, wanted[name].removeprefix("==").removesuffix(".*")


def _identity(solution: Solution) -> frozenset[str]:
    return frozenset(package.url for package in solution.packages)


# -- what uv is asked ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asking:
    """Questions to uv that install nothing."""

    request: Request
    options: Options

    def newest(self, trial: Trial, python: str) -> Versions | None:
        """The newest versions of the chosen and the requested packages, regardless of dependencies. None: unknown."""
        others = set(trial.chosen or ()) - self._asked
        return self._without(trial, python, "--no-deps", also=sorted(others))

    def freely(self, trial: Trial, python: str) -> Versions | None:
        """What uv chooses if what conda provides is ignored: no index is asked for it, and no source of it is built.
        None: uv finds nothing."""
        return self._without(trial, python)

    def _without(self, trial: Trial, python: str, *words: str, also: Sequence[str] = ()) -> Versions | None:
        with tempfile.TemporaryDirectory(prefix="conda-execute-") as directory:
            files = project.write(directory, self.request, self.options, trial.present)[:2]
            excludes = project.write_file(directory, "provided.txt", *sorted(trial.provided))
            others = project.write_file(directory, "others.txt", *also)
            return self._choose(directory, trial, python, [*files, others, "--excludes", excludes, *words])

    def offered(self, trial: Trial, offered: offer.Offer) -> Versions | None:
        """What uv chooses from the offer, instead of the installed packages."""
        with tempfile.TemporaryDirectory(prefix="conda-execute-") as directory:
            files = project.write(directory, self.request, self.options, trial.present, also=offered.roots)[:2]
            words = [*files, "--index-strategy", "first-index"]
            words += ["--index", offered.write(os.path.join(directory, "offered"))]
            return self._choose(directory, trial, offered.python, words, offered.versions)

    def _reason(self, trial: Trial, wanted: str) -> str:
        """What prevents a version, as uv reports it when asked for that version."""
        with tempfile.TemporaryDirectory(prefix="conda-execute-") as directory:
            *files, constraints = project.write(directory, self.request, self.options, trial.present)
            offer.write_present(directory, trial.present)
            words = [*files, project.write_file(directory, "wanted.txt", wanted), "--constraints", constraints]
            words += ["--find-links", directory]
            try:
                self._run(directory, trial, trial.python, words, trial.provided)
            except CreationError as error:
                against = complaints.mentioned(trial.present, str(error.details))
                if against:
                    return " and ".join(f"{one.name} {one.version}" for one in against)
                if "Python" in str(error.details):
                    return f"Python {trial.python}"
            return "the other packages"

    def _choose(
        self, directory: str, trial: Trial, python: str, words: Sequence[str], on_offer: Iterable[str] = ()
    ) -> Versions | None:
        try:
            return self._run(directory, trial, python, words, on_offer)
        except CreationError:
            return None

    def _run(
        self, directory: str, trial: Trial, python: str, words: Sequence[str], on_offer: Iterable[str]
    ) -> Versions:
        target = os.path.join(directory, "chosen.txt")
        self.write(target, trial, python, [*words, "--no-annotate"], on_offer)
        with open(target, encoding="utf-8") as lines:
            return dict(_versions(lines))

    def write(self, target: str, trial: Trial, python: str, words: Sequence[str], on_offer: Iterable[str]) -> None:
        """Write what uv chooses for this Python to `target`, next to the project of the request. Raises CreationError
        and InterruptError."""
        directory = os.path.dirname(target)
        uv = project.find_uv(self.options.environ)
        command = [uv, "pip", "compile", "--quiet", "--no-header", "--output-file", target, *words]
        command += [*project.platform(self.request, trial.prefix, python), *project.isolation(directory)]
        command += project.limits(self.request, self.options, on_offer)
        status, said = project.run(command, self.request, self.options, (directory, trial.prefix))
        if status != 0 or complaints.UNREAD in said:
            raise complaints.explain(said, self.request, trial.prefix, trial.present, self.options)

    # -- what is said of it

    def notices(self, first: Trial, best: Trial, free: Versions | None, newest: Versions) -> Iterator[str]:
        """Notices: what was changed for PyPI packages, and which of them are older than they could be."""
        chosen = best.chosen or {}
        before = {package.name: package.version for package in first.solution.packages}
        changed = [
            f"{package.name} {package.version} instead of {before[package.name]}"
            for package in best.solution.packages
            if before.get(package.name, package.version) != package.version
        ]
        if changed:
            gained = [name for name in chosen if (first.chosen or {}).get(name) != chosen[name]]
            fitting = ", ".join(f"{name} {chosen[name]}".strip() for name in self._asked_first(gained)[:_EXPLAINED])
            yield f"chose {', '.join(changed)} from conda, to fit {fitting or 'the PyPI packages'}"
        if free is None:
            yield "could not check whether conda packages keep PyPI packages from being newer"
            return
        # The reason may be other conda packages, other PyPI packages, or nothing that could be changed.
        wanted = {name: f"the newest is {newest[name]}" for name in _older(chosen, newest) if name in self._asked}
        wanted.update({name: f"it would be {free[name]}" for name in _older(chosen, free)})
        older = self._asked_first(wanted)
        for name in older[:_EXPLAINED]:
            reason = self._reason(best, f"{name}=={wanted[name].rpartition(' ')[2]}")
            yield f"kept {name} {chosen[name]} because of {reason} ({wanted[name]})"
        if len(older) > _EXPLAINED:
            rest = (f"{name} {chosen[name]} ({wanted[name]})" for name in older[_EXPLAINED:])
            yield f"kept for similar reasons: {', '.join(rest)}"

    @property
    def _asked(self) -> set[str]:
        return {requirement_name(requirement) for requirement in self.request.pypi}

    def _asked_first(self, names: Iterable[str]) -> list[str]:
        return sorted(names, key=lambda name: (name not in self._asked, name))


def _versions(lines: Iterator[str] | Any) -> Iterator[tuple[str, str]]:
    for line in lines:
        requirement = line.partition(";")[0].strip()
        name, equals, version = requirement.partition("==")
        if equals or "@" in requirement:
            yield canonical(name.partition("@")[0].strip()), version
