"""Pairs of small worlds, a conda channel and a PyPI index that need each other, and a search that tries everything."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from hypothesis import strategies as st

from tests import tiny

#: A requirement: a name, and the versions that it allows.
Needs = Mapping[str, frozenset[int]]

#: Python's minor version, the conda packages and those of PyPI, with their versions.
Answer = tuple[int, dict[str, int], dict[str, int]]

#: More versions than any package has.
MOST = 5


@dataclass(frozen=True)
class Release:
    """One version of a package: what it needs, and the oldest Python (minor version) that it runs on."""

    needs: Needs = field(default_factory=dict)
    python: int = 0
    #: What a conda package's Python metadata needs beside its own depends: packages of PyPI.
    metadata: Needs = field(default_factory=dict)


@dataclass(frozen=True)
class Pair:
    """Two worlds and a script. Versions are 1, 2 and so on; Python's are 3.11 and later."""

    pythons: tuple[int, ...]
    conda: Mapping[str, Mapping[int, Release]]
    pypi: Mapping[str, Mapping[int, Release]]
    specs: Needs
    requirements: Needs


def bounds(allowed: frozenset[int]) -> str:
    """A range in the words of both worlds."""
    if not allowed or allowed >= frozenset(range(1, MOST)):
        return ""
    return f">={min(allowed)},<{max(allowed) + 1}"


def pairs() -> st.SearchStrategy[Pair]:
    """Worlds of equal chances: hypothesis itself likes small and equal ones, in which nothing is in anybody's way."""
    return st.integers(0, 2**32).map(lambda seed: _pair(Random(seed)))


def _range(random: Random) -> frozenset[int]:
    low, high = sorted((random.randint(1, 3), random.randint(1, 3)))
    return random.choice(
        (
            frozenset(range(1, MOST)),
            frozenset(range(1, MOST)),
            frozenset(range(1, high + 1)),
            frozenset(range(1, high + 1)),
            frozenset(range(low, MOST)),
            frozenset(range(low, high + 1)),
        )
    )


def _needs(random: Random, names: Sequence[str], most: int) -> Needs:
    chosen = random.sample(names, min(len(names), random.randint(0, most)))
    return {name: _range(random) for name in chosen}


def _pair(random: Random) -> Pair:
    pythons = tuple(random.sample((11, 12, 13), random.randint(1, 3)))
    modules, libraries, wheels = ["mod-a", "mod-b", "mod-c", "mod-d"], ["lib-x", "lib-y"], ["whl-a", "whl-b", "whl-c"]
    conda: dict[str, dict[int, Release]] = {}
    for number, name in enumerate([*libraries, *modules]):
        # What a conda package needs was there before it, as in a channel that was built in order.
        earlier = [*libraries, *modules][:number]
        conda[name] = {
            version: Release(
                _needs(random, earlier, 2),
                random.choice((0, 0, 0, 0, 0, 11, 12, 13)) if name in modules else 0,
                _needs(random, wheels, 1) if name in modules and random.random() < 0.15 else {},
            )
            for version in range(1, random.randint(2, MOST))
        }
    pypi = {
        name: {
            version: Release(_needs(random, [*modules, *wheels], 3), random.choice((0, 0, 0, 0, 0, 11, 12, 13)))
            for version in range(1, random.randint(2, MOST))
        }
        for name in [*wheels, *modules]
    }
    specs = {
        name: frozenset(range(random.choice((1, 1, 1, 2)), MOST))
        for name in random.sample([*modules, *libraries], random.randint(1, 3))
    }
    return Pair(
        pythons,
        conda,
        pypi,
        specs,
        dict.fromkeys(random.sample(wheels, random.randint(1, 2)), frozenset(range(1, MOST))),
    )


# -- trying everything -----------------------------------------------------------------------------------------------


def answers(pair: Pair) -> Iterator[Answer]:
    """Every answer: Python, conda packages and PyPI packages."""
    for python in pair.pythons:
        for conda in _closures(pair.conda, pair.specs, python):
            # What conda installs is there in just one version, and its Python metadata counts.
            there = {name: {version: _metadata(pair, name, version)} for name, version in conda.items()}
            for chosen in _closures({**pair.pypi, **there}, pair.requirements, python):
                yield python, conda, {name: version for name, version in chosen.items() if name not in there}


def first(pair: Pair) -> Answer | None:
    return next(answers(pair), None)


def is_answer(pair: Pair, python: str, chosen: Mapping[str, str]) -> bool:
    """Whether this is one of the answers."""
    found = {name: int(version) for name, version in chosen.items()}
    return any(f"3.{minor}.0" == python and {**conda, **pypi} == found for minor, conda, pypi in answers(pair))


def is_held_back(pair: Pair, chosen: Mapping[str, str]) -> bool:
    """Whether other conda packages would allow newer ones of what the script asks PyPI for, and nothing of that
    older."""
    mine = {name: int(chosen.get(name, 0)) for name in pair.requirements}
    for _, _, pypi in answers(pair):
        theirs = {name: pypi.get(name, 0) for name in mine}
        if theirs != mine and all(theirs[name] >= mine[name] for name in mine):
            return True
    return False


def _metadata(pair: Pair, name: str, version: int) -> Release:
    release = pair.conda[name][version]
    modules = {other: allowed for other, allowed in release.needs.items() if other.startswith("mod-")}
    return Release({**modules, **release.metadata})


def _closures(
    world: Mapping[str, Mapping[int, Release]],
    wanted: Mapping[str, frozenset[int]],
    python: int,
    chosen: Mapping[str, int] | None = None,
) -> Iterator[dict[str, int]]:
    """Every choice of versions of what is wanted and of what that needs."""
    chosen = chosen or {}
    if any(chosen[name] not in wanted[name] for name in chosen):
        return
    name = next((name for name in wanted if name not in chosen), None)
    if name is None:
        yield dict(chosen)
        return
    for version, release in sorted(world.get(name, {}).items(), reverse=True):
        if version in wanted[name] and release.python <= python:
            merged = dict(wanted)
            for other, allowed in release.needs.items():
                merged[other] = merged.get(other, frozenset(range(1, MOST))) & allowed
            yield from _closures(world, merged, python, {**chosen, name: version})


# -- on disk ---------------------------------------------------------------------------------------------------------


def write_index(directory: Path, pair: Pair) -> str:
    """The PyPI world as wheels and pages; its URL."""
    for name, releases in pair.pypi.items():
        page = directory / name / "index.html"
        page.parent.mkdir(parents=True)
        links = []
        for version, release in releases.items():
            python = f">=3.{release.python}" if release.python else None
            path = tiny.wheel(page.parent, name, str(version), _requires(release.needs), python=python)
            wanted = f' data-requires-python="&gt;=3.{release.python}"' if release.python else ""
            links.append(f'<a href="{path.as_uri()}"{wanted}>{path.name}</a>\n')
        page.write_text("".join(links))
    return directory.as_uri()


def _requires(needs: Needs) -> list[str]:
    return [f"{name}{bounds(allowed)}" for name, allowed in needs.items()]


def write_channel(directory: Path, pair: Pair) -> Path:
    """The conda world as a channel. Packages are written once for each Python they run on."""
    packages = [tiny.Tiny("python", f"3.{minor}.0") for minor in pair.pythons]
    for name, releases in pair.conda.items():
        for version, release in releases.items():
            depends = tuple(f"{other} {bounds(allowed)}".strip() for other, allowed in release.needs.items())
            if not name.startswith("mod-"):
                packages.append(tiny.Tiny(name, str(version), depends))
                continue
            requires = [*_requires(release.needs), *_requires(release.metadata)]
            requires = [each for each in requires if not each.startswith("lib-")]
            text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            text += "".join(f"Requires-Dist: {each}\n" for each in requires)
            for minor in pair.pythons:
                if minor >= release.python:
                    info = f"lib/python3.{minor}/site-packages/{name.replace('-', '_')}-{version}.dist-info"
                    files = {f"{info}/METADATA": text.encode(), f"{info}/INSTALLER": b"conda\n"}
                    python = f"python 3.{minor}.*"
                    packages.append(
                        tiny.Tiny(name, str(version), (*depends, python), build=f"py3{minor}_0", files=files)
                    )
    return tiny.channel(directory, *packages)


def describe(pair: Pair) -> str:
    """The pair as text, for a failure that somebody has to read."""

    def world(releases: Mapping[str, Mapping[int, Release]]) -> dict[str, dict[str, list[str]]]:
        return {
            name: {
                str(version): [
                    *_requires(one.needs),
                    *_requires(one.metadata),
                    *[f"python>=3.{one.python}"] * bool(one.python),
                ]
                for version, one in each.items()
            }
            for name, each in releases.items()
        }

    asked = [*_requires(pair.specs), *(f"pypi:{each}" for each in _requires(pair.requirements))]
    return json.dumps(
        {"asked": asked, "pythons": pair.pythons, "conda": world(pair.conda), "pypi": world(pair.pypi)}, indent=1
    )
