"""Everything at once, at random: runs, long runs, forced creations, clears, keeps, kills, stops, caches that go.

A run prints what its script says, or fails with a message of ours; nothing hangs, nothing ends in a traceback, and
afterwards all of it works. `CHAOS_SECONDS` says how long (600).
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter

import pytest

from tests.conftest import World

pytestmark = pytest.mark.stress

SECONDS = float(os.environ.get("CHAOS_SECONDS", "600"))
THREADS = 4
SPECS = ("lua", "lua 5.*", "lua >=5", "lua <6")
#: What may vanish below the world's directories: the caches, whole or in part.
CACHES = ("cache", "cache/launch", "cache/code", "rattler", "rattler/pkgs", "rattler/repodata")


class Chaos:
    """Threads that do something at random until the time is over, and what was wrong."""

    def __init__(self, world: World) -> None:
        self.world, self.done, self.wrong = world, Counter[str](), list[str]()
        self.scripts = [
            world.script(f"s{number}.sh", f"# conda execute\n# env: ['{spec}']\n# run_with: sh\nsleep $1; lua -v\n")
            for number, spec in enumerate(SPECS)
        ]
        self.until = time.monotonic() + SECONDS

    def live(self, seed: int) -> None:
        chosen = random.Random(seed)
        acts = (
            self.run,
            self.run,
            self.run,
            self.long,
            self.force,
            self.clear,
            self.keep,
            self.kill,
            self.stop,
            self.rm,
        )
        while time.monotonic() < self.until and not self.wrong:
            act = chosen.choice(acts)
            act(chosen)
            self.done[act.__name__] += 1

    def finish(self, words: list[str]) -> None:
        done = self.world.run(words, timeout=180)
        said = f"{words}: {done.returncode} {done.stdout}{done.stderr}"
        # 1: `clear NAME` of what is in use, or is being made just now.
        if (
            done.returncode not in (0, 1, 125)
            or "Traceback" in said
            or (done.returncode and not done.stdout + done.stderr)
        ):
            self.wrong.append(said)
        if words[0] == "conda-execute" and done.returncode != 125 and not done.stdout.startswith("Lua 5"):
            self.wrong.append(said)
        self.done["failed with a message"] += done.returncode == 125

    def words(self, chosen: random.Random, *options: str, seconds: float = 0) -> list[str]:
        return ["conda-execute", *options, str(chosen.choice(self.scripts)), str(seconds)]

    def run(self, chosen: random.Random) -> None:
        # An environment may be taken from below a run by `rm`, never by anything else.
        self.finish(self.words(chosen))

    def long(self, chosen: random.Random) -> None:
        self.finish(self.words(chosen, seconds=chosen.random() * 3))

    def force(self, chosen: random.Random) -> None:
        self.finish(self.words(chosen, "--force-env"))

    def clear(self, chosen: random.Random) -> None:
        self.finish(["conda-tmpenv", "clear", *chosen.choice(([], ["--min-age", "1"], [str(self.scripts[0])]))])

    def keep(self, chosen: random.Random) -> None:
        for command in ("keep", "release"):
            self.finish(["conda-tmpenv", command, str(chosen.choice(self.scripts))])

    def kill(self, chosen: random.Random) -> None:
        running = self.start(chosen)
        time.sleep(chosen.random())
        running.kill()
        running.communicate()

    def stop(self, chosen: random.Random) -> None:
        running = self.start(chosen)
        time.sleep(chosen.random())
        running.send_signal(signal.SIGSTOP)
        time.sleep(chosen.random() * 3)
        running.send_signal(signal.SIGCONT)
        running.communicate(timeout=180)

    def start(self, chosen: random.Random) -> subprocess.Popen[str]:
        words = chosen.choice((self.words(chosen), self.words(chosen, "--force-env"), ["conda-tmpenv", "clear"]))
        return self.world.start(words)

    def rm(self, chosen: random.Random) -> None:
        shutil.rmtree(self.world.root / chosen.choice(CACHES), ignore_errors=True)


def test_nothing_is_lost_in_chaos(world: World) -> None:
    chaos = Chaos(world.with_(RATTLER_CACHE_DIR=str(world.root / "rattler")))
    threads = [threading.Thread(target=chaos.live, args=(seed,)) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(dict(chaos.done))
    assert chaos.wrong == []
    for script in chaos.scripts:
        assert world.run(["conda-execute", str(script), "0"], check=True).stdout.startswith("Lua 5")
        world.tmpenv("release", script, check=True)
    world.tmpenv("clear", check=True)
    assert world.prefixes() == []
    assert list((world.tmp_envs / ".trash").glob("*")) == []
