"""What is measured, and what is promised about it."""

from __future__ import annotations

import os
import shlex
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import timing
from benchmarks.timing import Times
from benchmarks.world import CONDA_EXEC, NATIVE, PEP_723, SEED, World
from conda_execute import durable


@dataclass(frozen=True)
class Row:
    """One figure: milliseconds, and how they compare with what is named in the section."""

    name: str
    value: float
    spread: float = 0.0
    #: Milliseconds of the processor; where others use the machine too, they tell more than the clock on the wall.
    processor: float = 0.0
    note: str = ""
    #: The plot shows it in the colour of ours.
    ours: bool = False


@dataclass(frozen=True)
class Promise:
    text: str
    found: float
    limit: float

    @property
    def kept(self) -> bool:
        return self.found <= self.limit


@dataclass(frozen=True)
class Section:
    title: str
    explanation: str
    rows: tuple[Row, ...]
    promises: tuple[Promise, ...] = ()
    plotted: bool = True


@dataclass(frozen=True)
class Effort:
    """How often things are repeated."""

    warm: int = 200
    storms: int = 5
    working_storms: int = 2
    storm_runs: int = 512
    at_once: int = 64
    cold: int = 7
    uncached: int = 3


QUICK = Effort(warm=20, storms=1, working_storms=1, storm_runs=64, at_once=16, cold=2, uncached=1)


class Runners:
    """The ways to run one and the same script, once everything is warm."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.native = world.script("native.py", NATIVE)
        world.run(world.launcher, self.native)
        world.run(world.launcher, self.native)
        self.bare = [world.python(), self.native]
        self.half = [world.half, self.native]
        self.floor = [world.script("floor", f'#!/bin/sh\nexec {world.python()} "$@"', ""), self.native]
        self.dash = self._launcher("dash")
        self.bash = self._launcher("bash")
        self.uv, self.uv_bare = self._uv()
        self.by_conda = dict(self._by_conda())

    def _launcher(self, shell: str) -> list[str] | None:
        path = self.world.shell(shell)
        return None if path is None else [path, self.world.launcher, self.native]

    def _uv(self) -> tuple[list[str] | None, list[str] | None]:
        """`uv run --script` of the same script with the same interpreter, and its environment's bare interpreter."""
        try:
            import uv
        except ImportError:
            return None, None
        ask = self.world.script("ask.py", PEP_723, "import sys; print(sys.executable)\n")
        script = self.world.script("uv.py", PEP_723)
        words = [str(uv.find_uv_bin()), "run", "--quiet", "--python", self.world.python(), "--script"]
        asked = self.world.run(*words, ask, check=False)
        if asked.returncode != 0:
            return None, None
        self.world.run(*words, script)
        python = self.world.run(*words, script.replace("uv.py", "ask.py")).stdout.strip()
        return [*words, script], [python, script]

    def all(self) -> dict[str, list[str]]:
        found = {
            "the interpreter alone": self.bare,
            "conda-execute (dash)": self.dash,
            "conda-execute (bash as sh)": self.bash,
            "conda-execute without the launcher": self.half,
            "uv run --script": self.uv,
            "uv's interpreter alone": self.uv_bare,
        }
        return {name: words for name, words in found.items() if words is not None}

    def _by_conda(self) -> Iterator[tuple[str, list[str]]]:
        """What starts the script by a conda on PATH, as far as that has it."""
        conda = shutil.which("conda")
        if conda is None:
            return
        yield "conda run", [conda, "run", "-p", os.path.dirname(os.path.dirname(self.world.python())), *self.bare]
        if _has(self.world, conda, "exec"):
            words = _conda_exec(self.world, conda)
            self.world.run(*words)
            yield "conda exec", words
        if _has(self.world, conda, "execute"):
            yield "conda execute", [conda, "execute", self.native]


def _has(world: World, conda: str, subcommand: str) -> bool:
    """Whether a plugin of this conda brings the subcommand."""
    return world.run(conda, subcommand, "--help", check=False).returncode == 0


def _conda_exec(world: World, conda: str) -> list[str]:
    return [conda, "exec", world.script("exec.py", CONDA_EXEC)]


def warm(world: World, runners: Runners, effort: Effort) -> Section:
    times = timing.compare(runners.all(), world.environ, effort.warm)
    # Apart, since they take a hundred times as long, and so seldom that caches are cold after each.
    times |= timing.compare(runners.by_conda, world.environ, max(effort.warm // 10, 3))
    bare = times["the interpreter alone"].cost
    over = {name: taken.cost - bare for name, taken in times.items()}
    uv = None
    if "uv run --script" in times:
        uv = over["uv run --script"] = times["uv run --script"].cost - times["uv's interpreter alone"].cost
    own = timing.compare({"own": [sys.executable, "-c", "pass"]}, world.environ, max(effort.warm // 4, 5))["own"].median
    rows = [
        _row(name, taken, f"+{over[name]:.1f} ms" if name not in _BARE else "", ours=name.startswith("conda-execute"))
        for name, taken in times.items()
    ]
    rows.append(Row("a start of our own interpreter", own))
    half = "conda-execute without the launcher"
    promises = [Promise("through Python, over the interpreter alone, by an interpreter's start", over[half] / bare, 3)]
    for name, limit, share in (("conda-execute (dash)", 2.5, 0.2), ("conda-execute (bash as sh)", 4, 0.3)):
        if name in over:
            promises.append(Promise(f"{name}, over the interpreter alone", over[name], limit))
            if uv:
                promises.append(Promise(f"{name}, as a part of what uv adds", over[name] / uv, share))
    text = "One script with python and numpy that does nothing, run again. Last column: over the bare interpreter."
    return Section("A warm run", text, tuple(rows), tuple(promises))


_BARE = ("the interpreter alone", "uv's interpreter alone")


def _row(name: str, taken: Times, note: str = "", ours: bool = False) -> Row:
    processor = statistics.median(taken.processor) if taken.processor else 0.0
    return Row(name, taken.median, taken.spread, processor, note, ours)


def sandboxes(world: World, runners: Runners, effort: Effort) -> Section | None:
    """The same script in a sandbox, by us and by bubblewrap, and the kernel's part; None where it can hold none."""
    if not hasattr(os, "memfd_create") or world.run(world.half, "--sandbox", runners.native, check=False).returncode:
        return None
    chosen = {
        "the interpreter alone": runners.bare,
        "conda-execute without the launcher": runners.half,
        "conda-execute --sandbox": [world.half, "--sandbox", runners.native],
        "conda-execute --sandbox=env": [world.half, "--sandbox=env", runners.native],
    }
    own, kernel = "a program that does nothing", "that program in namespaces of its own"
    unshare, bwrap, nothing = (shutil.which(name) for name in ("unshare", "bwrap", "true"))
    if unshare and nothing:
        chosen |= {own: [unshare, nothing], kernel: [unshare, "--user", "--mount", "--ipc", "--net", nothing]}
    if bwrap:
        chosen["bwrap with the same mounts"] = _bwrap(bwrap, world, runners.bare)
    times = timing.compare(chosen, world.environ, max(effort.warm // 2, 10))
    cost = {name: taken.cost for name, taken in times.items()}
    over = {name: taken - cost["the interpreter alone"] for name, taken in cost.items()}
    sandbox = cost["conda-execute --sandbox"] - cost["conda-execute without the launcher"]
    rows = [
        _row(
            name, taken, "" if name in (*_BARE, own, kernel) else f"+{over[name]:.1f} ms", ours=name.startswith("conda")
        )
        for name, taken in times.items()
    ]
    floor = cost[kernel] - cost[own] if kernel in cost else 0.0
    text = (
        "The script of the first table. Namespaces of a user's own, a network among them, are the kernel's part"
        f" ({floor:.1f} ms of {sandbox:.1f} in this run). Last column: over the bare interpreter."
    )
    promises = [
        Promise("what a sandbox adds, by an interpreter's start", sandbox / cost["the interpreter alone"], 0.35)
    ]
    if bwrap:
        promises.append(
            Promise("what a sandbox adds, by what bwrap adds", sandbox / over["bwrap with the same mounts"], 1.3)
        )
    return Section("A warm run in a sandbox", text, tuple(rows), tuple(promises))


def _bwrap(bwrap: str, world: World, command: list[str]) -> list[str]:
    """The command with the system and its environment to read, and the working directory to write to."""
    work, environment = str(world.root / "work"), os.path.dirname(os.path.dirname(command[0]))
    words = [bwrap, "--unshare-user", "--unshare-net", "--unshare-ipc", "--dev", "/dev"]
    for name in ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/opt", "/proc", "/sys", environment):
        words += ["--ro-bind-try", name, name]
    return [*words, "--bind", work, work, "--chdir", work, *command]


def imports(world: World, runners: Runners) -> Section:
    """Where the time of a warm run through Python goes: imports by package, as the interpreter tells."""
    best: dict[str, int] = {}
    for _ in range(5):
        environ = {**world.environ, "PYTHONPROFILEIMPORTTIME": "1"}
        done = subprocess.run(runners.half, env=environ, capture_output=True, text=True, check=True)
        # The script's own interpreter tells as well, after ours: its site is the second one.
        ours = done.stderr.split("import time: self [us]")[1]
        for line in ours.splitlines()[1:]:
            if line.startswith("import time:"):
                own, _, name = line.removeprefix("import time:").split("|")
                name = name.strip()
                best[name] = min(best.get(name, 1 << 30), int(own))
    names = [sys.executable, "-c", "import sys; print(*sys.modules)"]
    startup = set(subprocess.run(names, capture_output=True, text=True, check=True).stdout.split())
    groups: dict[str, float] = {}
    for name, microseconds in best.items():
        if name not in startup:
            first = name.split(".")[0].lstrip("_")
            group = first if first in ("conda_execute", "yaml", "re", "json", "datetime") else "the rest"
            groups[group] = groups.get(group, 0.0) + microseconds / 1000
    rows = tuple(Row(name, value) for name, value in sorted(groups.items(), key=lambda item: -item[1]))
    text = "What a warm run without the launcher imports beyond the bare interpreter, the profiler's own cost included."
    return Section("The way through Python, by import", text, rows, plotted=False)


def storms(world: World, runners: Runners, effort: Effort) -> Section:
    """Many runs at once, as a pipeline or a job array starts them."""
    chosen = {
        "the interpreter alone": runners.bare,
        "a shell that becomes the interpreter": runners.floor,
        "conda-execute": [world.launcher, runners.native],
        "uv run --script": runners.uv,
    }
    text = (
        f"{effort.storm_runs} runs of that script, {effort.at_once} at a time, until the last one has ended. A script"
        " that does nothing shows what a start costs, and a shell that does nothing but become the interpreter is the"
        " least that a launcher can cost."
    )
    title = "A storm of a script that does nothing"
    return _storms(world, effort, chosen, effort.storms, title=title, text=text)


def working_storms(world: World, runners: Runners, effort: Effort) -> Section:
    """The same with the script that asked for all this: it draws three random numbers, and loads numpy to do so."""
    native = world.script("example.py", NATIVE, SEED)
    chosen: dict[str, list[str] | None] = {
        "the interpreter alone": [runners.bare[0], native],
        "conda-execute": [world.launcher, native],
        "uv run --script": runners.uv and [*runners.uv[:-1], world.script("uv-example.py", PEP_723, SEED)],
    }
    for words in chosen.values():
        for _ in range(2):
            if words is not None:
                world.run(*words)
    title = "A storm of a script that does something"
    text = f"{effort.storm_runs} runs, {effort.at_once} at a time, of the first example of the README: numpy's numbers."
    return _storms(world, effort, chosen, effort.working_storms, title=title, text=text)


def _storms(
    world: World, effort: Effort, chosen: dict[str, list[str] | None], rounds: int, *, title: str, text: str
) -> Section:
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name, words in chosen.items() if words is not None}
    for round_ in range(rounds):
        for name in list(taken) if round_ % 2 else reversed(taken):
            words = chosen[name]
            assert words is not None
            taken[name].append(timing.storm(words, world.environ, effort.storm_runs, effort.at_once))
    times = {name: Times(*(tuple(times) for times in zip(*values, strict=True))) for name, values in taken.items()}
    bare = times["the interpreter alone"].cost
    rows = [
        _row(name, each, "" if name in _BARE else f"{each.cost / bare:.2f} times", ours=name == "conda-execute")
        for name, each in times.items()
    ]
    promise = Promise(
        f"{title[0].lower()}{title[1:]}, by the bare interpreter's", times["conda-execute"].cost / bare, 1.1
    )
    return Section(title, text, tuple(rows), (promise,))


#: A program of the package of its name, which both worlds have, and its arguments.
WORDS = ("python", "-c", "pass")


def programs(world: World, effort: Effort) -> Section:
    """A program of a package without a script, by us and by others, and a storm of it."""
    ours = [world.launcher, "-x", *WORDS]
    for _ in range(2):
        world.run(*ours)
    prefix = world.run(world.half, "--print-prefix", *ours[1:]).stdout.strip()
    alone = "the program alone"
    chosen = {alone: [f"{prefix}/bin/{WORDS[0]}", *WORDS[1:]], "conda-execute -x": ours}
    conda = shutil.which("conda")
    others = {"uvx": _uvx(f"{prefix}/bin/python")}
    if conda is not None and _has(world, conda, "exec"):
        others["conda exec"] = [conda, "exec", *WORDS]
    for name, words in others.items():
        if words is not None and world.run(*words, check=False).returncode == 0:
            chosen[name] = words
    times = timing.compare(chosen, world.environ, max(effort.warm // 4, 10))
    added = {name: taken.cost - times[alone].cost for name, taken in times.items()}
    rows = [
        _row(name, taken, "" if name == alone else f"+{added[name]:.1f} ms", ours=name == "conda-execute -x")
        for name, taken in times.items()
    ]
    storm = {name: words for name, words in chosen.items() if name != "conda exec"}
    taken = {
        name: timing.storm(words, world.environ, effort.storm_runs, effort.at_once) for name, words in storm.items()
    }
    least = taken[alone][timing.BUSY]
    rows += [
        Row(f"{effort.storm_runs} of {name}", wall, 0.0, used, f"{(wall, used)[timing.BUSY] / least:.2f} times")
        for name, (wall, used) in taken.items()
    ]
    text = (
        f"`{' '.join(WORDS)}` by `-x`, run again, and {effort.storm_runs} runs, {effort.at_once} at a time. Last"
        " column: over the program alone."
    )
    promises = []
    if "uvx" in added:
        promises.append(Promise("-x, as a part of what uvx adds", added["conda-execute -x"] / added["uvx"], 0.3))
    return Section("A program of a package", text, tuple(rows), tuple(promises), plotted=False)


def _uvx(python: str) -> list[str] | None:
    try:
        import uv
    except ImportError:
        return None
    return [str(uv.find_uv_bin()), "tool", "run", "--quiet", "--python", python, *WORDS]


#: The same solve and link, by py-rattler alone: the least that any tool built on it can take.
DIRECTLY = """\
import asyncio, os, sys
import rattler

async def main(channel, prefix, *specs):
    cache = os.environ["RATTLER_CACHE_DIR"]
    gateway = rattler.Gateway(cache_dir=os.path.join(cache, "repodata"))
    specs = [rattler.MatchSpec(spec) for spec in specs]
    records = await rattler.solve(
        sources=[rattler.Channel(channel)], specs=specs, gateway=gateway,
        platforms=[rattler.Subdir("linux-64"), rattler.Subdir("noarch")],
        virtual_packages=[found.into_generic() for found in rattler.VirtualPackage.detect()],
    )
    await rattler.install(
        records, target_prefix=prefix, show_progress=False,
        package_cache=rattler.PackageCache(os.path.join(cache, "pkgs")),
    )

asyncio.run(main(*sys.argv[1:]))
sys.stdout.flush()
os._exit(0)
"""


def _directly(world: World, prefix: str, *specs: str) -> list[str]:
    return [sys.executable, world.script("directly.py", "", DIRECTLY), world.channel.as_uri(), prefix, *specs]


def _cold_commands(world: World) -> Iterator[tuple[str, list[str]]]:
    yield "conda-execute", [world.launcher, world.script("native.py", NATIVE)]
    yield "py-rattler directly", _directly(world, str(world.root / "envs" / "directly"), "python", "numpy")
    conda = shutil.which("conda")
    if conda is not None:
        prefix = str(world.root / "envs" / "by-conda")
        yield "conda create", [
            conda, "create", "--quiet", "--yes", "--override-channels", "-c", world.channel.as_uri(), "-p", prefix,
            "python", "numpy",
        ]  # fmt: skip
        if _has(world, conda, "exec"):
            yield "conda exec", _conda_exec(world, conda)


def cold(world: World, effort: Effort) -> Section:
    """The first run: solve, link, run; every package is in the cache already."""
    commands = dict(_cold_commands(world))
    for words in commands.values():
        world.forget_environments()
        world.run(*words)
    times = timing.compare(commands, world.environ, effort.cold, lambda name: world.forget_environments())
    own = timing.compare({"own": [sys.executable, "-c", "pass"]}, world.environ, 11)["own"].cost
    ours, least = times["conda-execute"].cost, times["py-rattler directly"].cost
    synced = timing.inside(effort.cold, lambda: _unsynced(world), lambda prefix: durable.settle(prefix, _size(prefix)))
    rows = (*_cold_rows(times), _row("the sync alone, a part of conda-execute's", synced))
    promise = Promise("conda-execute, less an interpreter's start, by py-rattler", (ours - own) / least, 1.35)
    text = (
        "The environment is missing and is made: python and numpy, all packages in the cache, from a channel on disk."
    )
    return Section("A cold run, packages cached", text, rows, (promise,))


def _unsynced(world: World) -> str:
    """The same environment by the engine alone, which leaves its files in memory; its prefix."""
    world.forget_environments()
    prefix = str(world.root / "envs" / "unsynced")
    world.run(*_directly(world, prefix, "python", "numpy"))
    return prefix


def _size(prefix: str) -> int:
    return sum(path.lstat().st_size for path in Path(prefix).rglob("*"))


def uncached(world: World, effort: Effort) -> Section:
    """The very first run: nothing is in any cache."""

    def prepare(name: str) -> None:
        world.forget_environments()
        world.forget_packages()

    times = timing.compare(dict(_cold_commands(world)), world.environ, effort.uncached, prepare)
    text = "The same with an empty package cache: packages are read from a channel on disk and unpacked."
    return Section("A cold run, nothing cached", text, _cold_rows(times))


#: Ten that scripts often ask for; they bring about as many more.
FROM_PYPI = ("attrs", "click", "httpx", "jinja2", "pydantic", "pyyaml", "requests", "rich", "tqdm", "typer")


def pypi(world: World, effort: Effort) -> Section | None:
    """An environment with packages from PyPI, by us and by the engine and uv; None where there is no uv, or no PyPI."""
    try:
        import uv
    except ImportError:
        return None
    asked = "".join(f"#     - {name}\n" for name in FROM_PYPI)
    script = world.script("pypi.py", f"# conda execute\n# env:\n#  - python\n#  - pip:\n{asked}# run_with: python\n")
    prefix = str(world.root / "envs" / "with-pypi")
    install = [str(uv.find_uv_bin()), "pip", "install", "--quiet", "--break-system-packages", "--python", prefix]
    steps = [_directly(world, prefix, "python"), [*install, *FROM_PYPI], [f"{prefix}/bin/python", "-c", "pass"]]
    lines = " && ".join(" ".join(map(shlex.quote, words)) for words in steps)
    if world.run("/bin/sh", world.script("fetch.sh", "", lines + "\n"), check=False).returncode != 0:
        return None
    both = world.script("both.sh", "", lines.replace(" --quiet", " --quiet --offline") + "\n")
    commands = {
        "conda-execute": [world.launcher, "--offline", script],
        "py-rattler and uv directly": ["/bin/sh", both],
    }
    for words in commands.values():
        world.forget_environments()
        world.run(*words)
    times = timing.compare(commands, world.environ, effort.cold, lambda name: world.forget_environments())
    ours, least = times["conda-execute"].cost, times["py-rattler and uv directly"].cost
    text = (
        "The environment is missing and is made, offline: python, and ten packages from PyPI with what they need,"
        " all of them cached."
    )
    promise = Promise("conda-execute, by py-rattler and uv", ours / least, 1.2)
    return Section("Ten packages from PyPI", text, _cold_rows(times), (promise,))


def _cold_rows(times: dict[str, Times]) -> tuple[Row, ...]:
    least = next(each.cost for name, each in times.items() if name.endswith("directly"))
    return tuple(
        _row(name, each, "" if each.cost == least else f"{each.cost / least:.2f} times", ours=name == "conda-execute")
        for name, each in times.items()
    )
