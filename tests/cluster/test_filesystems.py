"""What hosts do to environments on file systems that they share: glusterfs, sshfs, and one that has no locks.

glusterfs is Debian's, fetched and seen by the hosts alone; sshfs has to be installed (`make cluster` does that).
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.channel import Package
from tests.cluster.conftest import installed
from tests.cluster.filesystems import Glusterfs, Sshfs
from tests.cluster.hosts import Host, seconds
from tests.cluster.test_slurm import SCRIPT, builds, slow
from tests.conftest import World
from tests.protocol import small

Hosts = Callable[..., list[Host]]
Report = Callable[[str, str], None]

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("namespaces")]


def places(shared: World, envs: Path, host: Host) -> dict[str, str]:
    """Environments that hosts share, and everything else on each one's own disk."""
    return {
        "CONDA_EXECUTE_ENV_DIR": str(envs),
        "CONDA_EXECUTE_CACHE_DIR": str(shared.root / f"cache-{host.name}"),
        "RATTLER_CACHE_DIR": str(shared.root / f"packages-{host.name}"),
    }


def race(shared: World, script: Path, where: dict[Host, Path], each: int, **variables: str) -> set[str]:
    """So many runs at once on each host; the environments that they ran in."""
    runs = []
    for host, envs in where.items():
        runs += [host.start("conda-execute", script, **places(shared, envs, host), **variables) for _ in range(each)]
    outputs = [run.communicate() for run in runs]
    assert [run.returncode for run in runs] == [0] * len(runs), outputs
    return builds([output for output, _ in outputs])


@pytest.fixture
def gluster(shared: World, hosts: Hosts) -> dict[Host, Path]:
    """Two hosts, and where each has the same directory mounted."""
    one, other = hosts("a", "b", tree=installed(*Glusterfs.PACKAGES))
    served = Glusterfs(shared.root, one)
    place = shared.root / "mount"
    served.mount(one, place)
    served.mount(other, place)
    return {one: place, other: place}


def test_hosts_that_share_glusterfs_create_once(
    shared: World, gluster: dict[Host, Path], report: Report, channel_url: str
) -> None:
    script = shared.script("task.sh", SCRIPT.format(package="lua", channel=channel_url))
    rounds, started = 5, time.monotonic()
    made = [
        race(shared, script, {host: mount / f"envs-{number}" / "tmp_envs" for host, mount in gluster.items()}, 4)
        for number in range(rounds)
    ]
    report(
        f"glusterfs: {rounds} races of 2 hosts, 4 runs each",
        f"{[len(one) for one in made]} creations, {seconds(started)}",
    )
    assert [len(one) for one in made] == [1] * rounds


def test_creator_on_glusterfs_that_is_killed_is_followed_by_another_host(
    shared: World, gluster: dict[Host, Path], report: Report, make_channel: Callable[..., str]
) -> None:
    script = shared.script("slow.sh", SCRIPT.format(package="slow", channel=slow(make_channel)))
    [(other, mount), (one, _)] = gluster.items()  # the first host has the disk
    envs = mount / "envs" / "tmp_envs"
    one.start("conda-execute", script, **places(shared, envs, one))
    small.wait_for(lambda: one.run("sh", "-c", f"ls {envs}/*/conda-meta").returncode == 0, 60)
    one.die()
    (shared.home / "quick").touch()
    started = time.monotonic()
    made = race(shared, script, {other: envs}, 2)
    report("glusterfs: host of the creator killed", f"{len(made)} environment, {seconds(started)}")
    assert len(made) == 1


def test_run_on_one_host_keeps_its_environment_from_a_cleaning_on_another(
    shared: World, gluster: dict[Host, Path], report: Report, channel_url: str
) -> None:
    """The cleaning waits two minutes; runs begin before that, during it and as it ends."""
    script = shared.script("task.sh", SCRIPT.format(package="lua", channel=channel_url))
    [(one, mount), (other, _)] = gluster.items()
    envs = mount / "envs" / "tmp_envs"
    race(shared, script, {one: envs, other: envs}, 1)
    cleaning = one.start("conda-tmpenv", "clear", "--min-age", "0", **places(shared, envs, one))
    time.sleep(10)
    made = race(shared, script, {other: envs}, 1)
    run = other.start("conda-execute", script, "130", **places(shared, envs, other))
    cleaned, errors = cleaning.communicate()
    output, problems = run.communicate()
    assert run.returncode == 0, output + problems
    assert "used meanwhile" in cleaned, cleaned + errors
    assert builds([output]) == made
    report("glusterfs: a run on one host beside a cleaning of two minutes on the other", "kept its environment")


@pytest.fixture
def mounts(shared: World) -> Iterator[list[Path]]:
    """One directory, mounted twice by sshfs."""
    if shutil.which("sshfs") is None or not os.path.exists(Sshfs.SERVER):
        pytest.skip("no sshfs and sftp-server here: apt-get install sshfs openssh-sftp-server")
    real = shared.root / "real"
    real.mkdir(mode=0o700)
    made = [Sshfs(real, shared.root / name) for name in ("mount-a", "mount-b")]
    yield [one.mount for one in made]
    for one in made:
        one.unmount()


def test_hosts_that_share_sshfs_never_create_at_once(
    shared: World, hosts: Hosts, mounts: list[Path], report: Report, make_channel: Callable[..., str]
) -> None:
    """Its locks count on each host alone; a package without links, since none can be made there that leads nowhere."""
    link = '#!/bin/sh\nmkdir "$PREFIX/made" || touch "$PREFIX/twice"; sleep 3\n'
    url = make_channel(Package("slow", "1.0", {"bin/.slow-post-link.sh": link, "bin/slow": "x"}))
    text = SCRIPT.format(package="slow", channel=repr(url))
    script = shared.script(
        "slow.sh", text + '[ -d "$CONDA_PREFIX/made" ] && [ ! -e "$CONDA_PREFIX/twice" ] || exit 74\n'
    )
    both = hosts("a", "b")
    rounds, made, started = 5, [], time.monotonic()
    for number in range(rounds):
        where = {host: mount / f"envs-{number}" / "tmp_envs" for host, mount in zip(both, mounts, strict=True)}
        made.append(race(shared, script, where, 2, CONDA_EXECUTE_AUTO_CLEAN="false"))
    report(
        f"sshfs: {rounds} races of 2 hosts, 2 runs each", f"{[len(one) for one in made]} creations, {seconds(started)}"
    )
    assert [len(one) for one in made] == [1] * rounds


def test_creator_on_sshfs_that_is_cancelled_leaves_the_others_environment_alone(
    shared: World, hosts: Hosts, mounts: list[Path], report: Report, make_channel: Callable[..., str]
) -> None:
    link = {"bin/.slow-post-link.sh": '#!/bin/sh\nsleep "$SLOW"\n', "bin/slow": "x"}
    script = shared.script(
        "slow.sh", SCRIPT.format(package="slow", channel=repr(make_channel(Package("slow", "1.0", link))))
    )
    one, other = hosts("a", "b")
    first = one.start("conda-execute", script, "10", SLOW="2", **places(shared, mounts[0] / "envs" / "tmp_envs", one))
    second = other.start(
        "conda-execute", script, "10", SLOW="12", **places(shared, mounts[1] / "envs" / "tmp_envs", other)
    )
    time.sleep(8)
    second.terminate()
    second.communicate()
    output, errors = first.communicate()
    assert first.returncode == 0, output + errors
    report("sshfs: one of two creators cancelled", "the other's environment stayed")


def test_sshfs_that_keeps_no_dangling_links_is_named(shared: World, hosts: Hosts, mounts: list[Path]) -> None:
    script = shared.script("x.py", "# conda execute\n# env: [python]\n# run_with: python\n")
    [host] = hosts("a")
    done = host.run("conda-execute", script, CONDA_EXECUTE_ENV_DIR=str(mounts[0] / "envs" / "tmp_envs"))
    assert done.returncode == 125
    assert "does not allow links to missing files" in done.stderr
    assert "CONDA_EXECUTE_ENV_DIR" in done.stderr


def without_locks(shim: str, envs: Path) -> dict[str, str]:
    return {"LD_PRELOAD": shim, "SHIM_FLOCK": f"{errno.ENOLCK}:{envs}"}


def test_hosts_whose_disk_has_no_locks_create_once(
    shared: World, hosts: Hosts, shim: str, report: Report, make_channel: Callable[..., str]
) -> None:
    (shared.home / "quick").touch()
    script = shared.script("slow.sh", SCRIPT.format(package="slow", channel=slow(make_channel)))
    both, rounds = hosts("a", "b"), 5
    made = []
    for number in range(rounds):
        envs = shared.root / f"envs-{number}" / "tmp_envs"
        made.append(race(shared, script, dict.fromkeys(both, envs), 4, **without_locks(shim, envs)))
    report(f"no locks (ENOLCK): {rounds} races of 2 hosts, 4 runs each", f"{[len(one) for one in made]} creations")
    assert [len(one) for one in made] == [1] * rounds


@pytest.fixture
def slow_script(shared: World, make_channel: Callable[..., str]) -> Path:
    return shared.script("slow.sh", SCRIPT.format(package="slow", channel=slow(make_channel)))


@pytest.mark.parametrize("who", ["the host itself, booted again", "a person on another host"])
def test_link_of_a_host_that_died_is_freed(
    hosts: Hosts, shim: str, report: Report, slow_script: Path, who: str
) -> None:
    script, (one, other) = slow_script, hosts("a", "b")
    shared = one.world
    envs = shared.root / "envs" / "tmp_envs"
    variables = without_locks(shim, envs)
    one.must("conda-tmpenv", "clear")  # each machine says who it is when it first cleans
    one.run("conda-tmpenv", "clear", **places(shared, envs, one), **variables)
    one.start("conda-execute", script, **places(shared, envs, one), **variables)
    small.wait_for(lambda: list(envs.glob("*/conda-meta")), 60)
    one.die()
    (shared.home / "quick").touch()
    waiting = other.start("conda-execute", script, **places(shared, envs, other), **variables)
    assert waiting.stderr is not None
    while "removes its lock" not in (line := waiting.stderr.readline()):
        assert line, waiting.communicate()
    if who.startswith("the host"):
        time.sleep(1)
        one.boot()
        freed = one.run("conda-execute", script, **places(shared, envs, one), **variables)
        assert freed.returncode == 0, freed.stderr
    else:
        [name] = [path.name for path in envs.iterdir() if not path.name.startswith(".")]
        other.run("conda-tmpenv", "clear", "--foreign", name, **places(shared, envs, other), **variables)
    output, errors = waiting.communicate()
    assert waiting.returncode == 0, output + errors
    report("no locks (ENOLCK): the link of a host that died while it created", f"freed by {who}")
