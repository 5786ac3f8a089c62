"""Job arrays of a real Slurm: three nodes, eight slots each, that share a disk. `TASKS` sets how large they are."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conda_execute.environments.store import Store
from tests.channel import Package
from tests.cluster.conftest import TASKS
from tests.cluster.hosts import Host
from tests.cluster.slurm import SLOTS, Slurm
from tests.conftest import CHECKOUT, World
from tests.protocol import small

Report = Callable[[str, str], None]

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("namespaces")]

#: Uses a program of its environment, waits, and looks whether it is still there. Says `ok` and the build at its end.
SCRIPT = """\
# conda execute
# env: [{package}]
# channels: [{channel}]
# run_with: sh
test -e "$CONDA_PREFIX/bin/{package}" || exit 71
sleep "${{1:-0}}"
test -e "$CONDA_PREFIX/bin/{package}" || {{ echo "the environment is gone"; exit 72; }}
echo "ok $(basename "$CONDA_PREFIX"/conda-meta/conda-execute.uses-*)"
"""

#: A package whose link script takes a minute, unless a file says that it is in a hurry.
SLOW = '#!/bin/sh\nfor i in $(seq 600); do [ -e "$HOME/quick" ] && exit; sleep 0.1; done\n'


def job(world: World, package: str = "lua", channel: str = "conda-forge", seconds: float = 0, within: str = "") -> Path:
    """A job's script, which runs a script of that package for so long; `within`: words before the command."""
    script = world.script(f"{package}-{seconds}.sh", SCRIPT.format(package=package, channel=channel))
    return world.script(f"job-{package}-{seconds}", f"#!/bin/sh\nexec {within} conda-execute {script} {seconds}\n")


def builds(said: list[str]) -> set[str]:
    """The environments that tasks ran in, of which each must have ended well."""
    lines = [text.strip().splitlines()[-1] if text.strip() else "nothing" for text in said]
    assert all(line.startswith("ok ") for line in lines), said
    return set(lines)


def uses(world: World) -> Path:
    """The notes of the only environment."""
    [directory] = world.tmp_envs.glob("*/conda-meta/conda-execute.uses-*")
    return directory


def make_due(world: World) -> None:
    """As if each host had cleaned an hour ago."""
    for path in (world.tmp_envs / ".boots").glob("*.due"):
        os.utime(path, (1, 1))


def slow(make_channel: Callable[..., str]) -> str:
    return repr(make_channel(Package("slow", "1.0", {"bin/.slow-post-link.sh": SLOW, "bin/slow": "x"}), name="slow"))


def is_creating(world: World) -> bool:
    return bool(list(world.tmp_envs.glob("*/conda-meta"))) and not list(world.tmp_envs.glob("*/conda-meta/*.uses-*"))


@contextmanager
def cleaning(nodes: list[Host]) -> Iterator[list[int]]:
    """Each of these hosts clears all the time; counts cleanings, and environments that went."""
    stop, counted = threading.Event(), [0, 0]

    def clean(node: Host) -> None:
        while not stop.is_set():
            done = node.run("conda-tmpenv", "clear", "--min-age", "0")
            counted[0] += 1
            counted[1] += "removed 1" in done.stdout

    cleaners = [threading.Thread(target=clean, args=(node,)) for node in nodes]
    for cleaner in cleaners:
        cleaner.start()
    try:
        yield counted
    finally:
        stop.set()
        for cleaner in cleaners:
            cleaner.join()


def test_array_creates_once_and_is_forgotten_within_a_sweep_of_each_host(slurm: Slurm, report: Report) -> None:
    world = slurm.world
    bare = slurm.wait(slurm.submit(world.script("bare", "#!/bin/sh\nexec true\n"), f"--array=1-{TASKS}", name="bare"))
    report(f"array of {TASKS} that do nothing, without us", f"{bare:.0f} s")
    made = set()
    for kind in ("cold", "warm"):
        took = slurm.wait(slurm.submit(job(world), f"--array=1-{TASKS}", name=kind))
        said = slurm.said(kind)
        assert len(said) == TASKS
        made |= builds(said)
        report(f"array of {TASKS}, {kind}", f"{len(said)} ok, {len(made)} creation, {took:.0f} s")
    assert len(made) == 1
    ended = time.monotonic()
    report(f"notes after {2 * TASKS} tasks", str(len(list(uses(world).iterdir()))))
    make_due(world)
    for node in slurm.nodes:
        slurm.wait(slurm.submit(job(world), f"--nodelist={node.name}", name=f"one-{node.name}"))
    small.wait_for(lambda: list(uses(world).iterdir()) == [], 60)
    report("the first run on each of 3 hosts an hour later", f"0 notes, {time.monotonic() - ended:.1f} s")
    for node in slurm.nodes:
        [line] = [line for line in node.must("conda-tmpenv", "list").splitlines() if " lua" in line]
        assert " notes of " not in line
        assert "kept for" not in node.must("conda-tmpenv", "clear", "--min-age", "25")
    day = time.time() - 26 * 3600
    os.utime(uses(world), (day, day))
    make_due(world)
    other = slurm.submit(job(world, "true", slow_channel_of_nothing(world)), "--nodelist=n3", name="other")
    slurm.wait(other)
    small.wait_for(lambda: not list(world.tmp_envs.glob("*/bin/lua")), 60)
    report("26 hours after the array, a run of another script on one host", "its environment went")


def slow_channel_of_nothing(world: World) -> str:
    from tests.channel import write_channel

    return repr(write_channel(world.root / "other", [Package("true", "1.0", {"bin/true": "x"})]))


def test_array_beside_clear_on_two_of_its_hosts(slurm: Slurm, report: Report) -> None:
    with cleaning(slurm.nodes[:2]) as counted:
        took = slurm.wait(slurm.submit(job(slurm.world), f"--array=1-{TASKS}", name="beside"))
    made = builds(slurm.said("beside"))
    assert len(slurm.said("beside")) == TASKS
    report(
        f"array of {TASKS} beside `clear` on two hosts",
        f"all ok, {counted[0]} cleanings, {counted[1]} removals, {len(made)} environments, {took:.0f} s",
    )


@pytest.mark.parametrize("moment", ["creating", "using"])
def test_node_that_dies(slurm: Slurm, report: Report, make_channel: Callable[..., str], moment: str) -> None:
    """Slurm gives its tasks to others once it notices; the node comes back, and knows what its former boot left."""
    world, dying = slurm.world, slurm.nodes[0]
    (world.home / "quick").touch()
    if moment == "creating":
        (world.home / "quick").unlink()
    script = job(world, "slow", slow(make_channel), seconds=5)
    number = slurm.submit(script, f"--array=1-{3 * SLOTS}", "--requeue", name="tasks")
    if moment == "creating":
        small.wait_for(lambda: is_creating(world), 60)
        [lock] = (world.tmp_envs / ".locks").glob("*.lock")
        small.wait_for(lambda: "@n" in lock.read_text())
        dying = next(node for node in slurm.nodes if f"@{node.name}+" in lock.read_text())
    else:
        small.wait_for(lambda: list(world.tmp_envs.glob("*/conda-meta/*.uses-*/*@n1+*")), 60)
    dying.die()
    (world.home / "quick").touch()
    time.sleep(1)
    slurm.boot(dying)
    slurm.start_at_once(number)
    took = slurm.wait(number)
    made = builds(slurm.said("tasks"))
    assert len(slurm.said("tasks")) == 3 * SLOTS
    assert len(made) == 1
    assert len(Store(str(world.tmp_envs)).list()) == 1
    for node in slurm.nodes:
        node.must("conda-tmpenv", "clear", "--min-age", "25")
    left = len(list(uses(world).iterdir()))
    report(
        f"node killed while {moment}, booted again",
        f"{3 * SLOTS} ok, {len(made)} environment, {took:.0f} s, {left} notes left",
    )
    assert left == 0


def test_cancelled_creations_leave_nothing(slurm: Slurm, report: Report, make_channel: Callable[..., str]) -> None:
    world = slurm.world
    script = job(world, "slow", slow(make_channel))
    number = slurm.submit(script, "--array=1-12", name="all")
    small.wait_for(lambda: is_creating(world), 60)
    slurm.ctl.must("scancel", number)
    slurm.wait(number)
    small.wait_for(lambda: Store(str(world.tmp_envs)).list() == [] and not any((world.tmp_envs / ".trash").iterdir()))
    report("scancel of 12 tasks while one creates", "prefix and trash gone")
    number = slurm.submit(script, "--array=1-12", name="one")
    small.wait_for(lambda: is_creating(world), 60)
    [lock] = (world.tmp_envs / ".locks").glob("*.lock")
    small.wait_for(lambda: "@n" in lock.read_text())
    creator = lock.read_text()
    node = next(node for node in slurm.nodes if f"@{node.name}+" in creator)
    node.must("kill", "-9", creator.partition("-")[0])
    (world.home / "quick").touch()
    slurm.wait(number)
    ended = [
        text
        for text in slurm.said("one")
        if text.strip().splitlines()[-1:] and text.strip().splitlines()[-1].startswith("ok")
    ]
    assert len(ended) == 11
    assert len(builds(ended)) == 1
    report("SIGKILL of the creator of 12", "11 others ok, 1 environment")


def test_suspended_creator_holds_up_no_other_environment(
    slurm: Slurm, report: Report, make_channel: Callable[..., str]
) -> None:
    """`scontrol suspend` stops all processes of a job."""
    world = slurm.world
    number = slurm.submit(job(world, "slow", slow(make_channel)), "--nodelist=n1", name="stopped")
    small.wait_for(lambda: is_creating(world), 60)
    slurm.ctl.must("scontrol", "suspend", number)
    waiting = slurm.submit(job(world, "slow", slow(make_channel)), "--nodelist=n2", name="waiting")
    took = slurm.wait(slurm.submit(job(world), "--array=1-24", name="others"), 120)
    assert len(builds(slurm.said("others"))) == 1
    small.wait_for(lambda: "waiting for process" in slurm.said("waiting")[0], 30)
    (world.home / "quick").touch()
    slurm.ctl.must("scontrol", "resume", number)
    slurm.wait(number)
    slurm.wait(waiting)
    assert len(builds(slurm.said("stopped") + slurm.said("waiting"))) == 1
    report("24 tasks of another environment beside a suspended creator", f"all ok, {took:.1f} s")


#: A /tmp of its own, in which what the trial itself has there is kept.
PRIVATE = """\
#!/bin/sh
[ "$1" = inside ] || exec unshare --mount "$0" inside "$@"
shift
mkdir "/run/tmp.$$" && mount --bind /tmp "/run/tmp.$$" && mount -t tmpfs none /tmp || exit 99
for each in {kept}; do mkdir -p "$each" && mount --bind "/run/tmp.$$${{each#/tmp}}" "$each" || exit 99; done
mkdir "$TMPDIR" && exec "$@"
"""
CONTAINER = """\
#!/bin/sh
[ "$1" = inside ] || exec unshare --mount --pid --uts --fork --kill-child=KILL --mount-proc "$0" inside "$@"
shift
mount --bind /run/boot_id /proc/sys/kernel/random/boot_id && hostname pod && exec "$@"
"""


@pytest.mark.parametrize("kind", ["private /tmp", "container"])
def test_jobs_in_namespaces_of_their_own(slurm: Slurm, report: Report, session_directory: Path, kind: str) -> None:
    """Beside `clear` on their own hosts, which see their processes, under other numbers; containers bear one name."""
    world = slurm.world
    kept = " ".join(str(path) for path in (session_directory, CHECKOUT) if path.is_relative_to("/tmp"))
    within = str(world.script("within", PRIVATE.format(kept=kept) if kind == "private /tmp" else CONTAINER))
    with cleaning(slurm.nodes) as counted:
        slurm.wait(slurm.submit(job(world, seconds=1, within=within), "--array=1-48", name="apart"))
    made = builds(slurm.said("apart"))
    report(
        f"48 tasks with a {kind} of their own beside `clear`",
        f"all ok, {counted[0]} cleanings, {len(made)} environments",
    )
    for node in slurm.nodes:
        node.must("conda-tmpenv", "clear", "--min-age", "25")
    for _, notes in [(one, list(one.iterdir())) for one in world.tmp_envs.glob("*/conda-meta/conda-execute.uses-*")]:
        assert notes == []
