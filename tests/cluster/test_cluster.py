"""What a cluster does to environments that hosts share; `make cluster` runs it, as root, and prints what it measured.

Hosts are namespaces (`hosts`); for sshfs, `make cluster` installs Debian's. None of it needs a network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conda_execute.environments.store import Store
from tests.channel import Package
from tests.cluster.hosts import Host, Sshfs, seconds
from tests.conftest import World
from tests.protocol import small

Hosts = Callable[..., list[Host]]

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("namespaces")]

#: Uses a program of its environment, waits, and looks whether it is still there.
SCRIPT = """\
# conda execute
# env: [lua]
# run_with: sh

lua -e "" || exit 71
echo running
sleep "${1:-0}"
[ -e "$CONDA_PREFIX/bin/lua" ] || { echo "the environment is gone"; exit 72; }
lua -e "print('lua says ' .. 6 * 7)" || exit 73
basename "$CONDA_PREFIX"/conda-meta/conda-execute.uses-*
"""


@pytest.fixture
def shared(world: World, channel: Path) -> World:
    """A world on a disk that all hosts see; what a test of hosts needs to know of is not cleaned in between."""
    if not any(channel.glob("*/lua-*")):
        pytest.skip("the local channel has no lua")
    return world


@pytest.fixture
def hosts(shared: World) -> Iterator[Callable[..., list[Host]]]:
    up: list[Host] = []

    def boot(*names: str) -> list[Host]:
        up.extend(Host(name, shared) for name in names)
        return up[-len(names) :]

    yield boot
    for host in up:
        host.die()


def running_elsewhere(done: subprocess.CompletedProcess[str]) -> int:
    return sum(" notes of " in line or "a note of " in line for line in done.stdout.splitlines())


def kept(done: subprocess.CompletedProcess[str]) -> str:
    return "\n".join(line for line in done.stdout.splitlines() if line.startswith("kept "))


@pytest.mark.parametrize("tasks", [60])
def test_array_on_three_hosts_and_what_is_left_of_it(
    shared: World, hosts: Hosts, tasks: int, capsys: pytest.CaptureFixture[str]
) -> None:
    script = shared.script("task.sh", SCRIPT)
    nodes = hosts("n1", "n2", "n3")
    report: list[str] = []
    for kind in ("cold", "warm"):
        started = time.monotonic()
        processes = []
        for number in range(tasks):
            processes.append(nodes[number % 3].start("conda-execute", script))
            if len(processes) >= 24:
                processes[number - 23].wait()
        outputs = [process.communicate() for process in processes]
        assert [process.returncode for process in processes] == [0] * tasks, outputs
        builds = {output.splitlines()[2] for output, _ in outputs}
        report.append(f"array, {kind}: {tasks} tasks on 3 hosts, {len(builds)} creation, {seconds(started)}")
        assert len(builds) == 1
    store = Store(str(shared.tmp_envs))
    [name] = store.list()
    [uses] = (shared.tmp_envs / name / "conda-meta").glob("conda-execute.uses-*")
    report.append(f"after it: {len(list(uses.iterdir()))} notes")
    started = time.monotonic()
    for node in nodes:
        node.run("conda-tmpenv", "clear", "--min-age", "25")
        report.append(f"  {len(list(uses.iterdir()))} after one cleaning of {node.name}, {seconds(started)}")
    listed = nodes[0].run("conda-tmpenv", "list")
    report.append(f"  `list` then tells of other hosts in {running_elsewhere(listed)} lines")
    with capsys.disabled():
        print("", *report, sep="\n")
    assert list(uses.iterdir()) == []
    assert running_elsewhere(listed) == 0
    day = time.time() - 26 * 3600
    os.utime(uses, (day, day))
    assert "removed 1 environment" in nodes[2].run("conda-tmpenv", "clear", "--min-age", "25").stdout


def test_last_run_of_each_host_does_not_keep_an_environment(shared: World, hosts: Hosts) -> None:
    """The automatic cleaning alone: each host's first run starts it, and its own note goes when it has ended."""
    script = shared.script("task.sh", SCRIPT)
    nodes = hosts("n1", "n2", "n3")
    for node in nodes:
        assert node.run("conda-execute", script).returncode == 0
    [name] = Store(str(shared.tmp_envs)).list()
    [uses] = (shared.tmp_envs / name / "conda-meta").glob("conda-execute.uses-*")
    small.wait_for(lambda: list(uses.iterdir()) == [], 60)


def test_clear_on_two_hosts_beside_an_array_on_three(shared: World, hosts: Hosts) -> None:
    script = shared.script("task.sh", SCRIPT)
    nodes = hosts("n1", "n2", "n3")
    stop = threading.Event()
    freed = 0

    def clean(node: Host) -> None:
        nonlocal freed
        while not stop.is_set():
            freed += "removed 1" in node.run("conda-tmpenv", "clear", "--min-age", "0").stdout

    cleaners = [threading.Thread(target=clean, args=(node,)) for node in nodes[:2]]
    for cleaner in cleaners:
        cleaner.start()
    try:
        for _ in range(6):
            processes = [node.start("conda-execute", script, "0.2") for node in nodes for _ in range(3)]
            outputs = [process.communicate() for process in processes]
            assert [process.returncode for process in processes] == [0] * 9, outputs
    finally:
        stop.set()
        for cleaner in cleaners:
            cleaner.join()
    print(f"54 runs on 3 hosts, {freed} removals")


def test_two_hosts_of_one_name_and_one_disk(shared: World, hosts: Hosts) -> None:
    script = shared.script("task.sh", SCRIPT)
    one, other = hosts("ubuntu", "ubuntu")
    user = one.start("conda-execute", script, "15")
    assert user.stdout is not None
    assert user.stdout.readline() == "running\n"
    for words in (("list",), ("clear",), ("clear", "--min-age", "0")):
        done = other.run("conda-tmpenv", *words)
        assert "ubuntu" in done.stdout
    output, errors = user.communicate()
    assert user.returncode == 0, output + errors


@pytest.mark.parametrize("moment", ["creating", "using"])
def test_host_that_dies(shared: World, hosts: Hosts, moment: str, make_channel: object) -> None:
    one, other = hosts("n1", "n2")
    assert callable(make_channel)
    link = '#!/bin/sh\n[ -e "$HOME/quick" ] || sleep 60\n'
    url = make_channel(Package("slow", "1.0", {"bin/.slow-post-link.sh": link}))
    script = shared.script(
        "slow.sh", f"# conda execute\n# env: [slow]\n# channels: ['{url}']\n# run_with: sh\nsleep $1\n"
    )
    quick = shared.home / "quick"
    if moment == "using":
        quick.touch()
    one.start("conda-execute", script, "60")
    if moment == "creating":
        small.wait_for(lambda: list(shared.tmp_envs.glob("*/conda-meta")), 60)
        time.sleep(1)
    else:
        small.wait_for(lambda: list(shared.tmp_envs.glob("*/conda-meta/*.uses-*/*@n1+*")), 60)
    one.die()
    quick.touch()
    started = time.monotonic()
    assert other.run("conda-execute", script, "0").returncode == 0
    assert time.monotonic() - started < 50, "the kernel gave the lock back at once"
    assert len(Store(str(shared.tmp_envs)).list()) == 1


def test_containers_of_one_machine(shared: World) -> None:
    """They have its boot; the machine knows when their runs have ended."""
    script = shared.script("task.sh", SCRIPT)
    containers = [*("unshare", "--uts", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc")]
    for _ in range(3):
        shared.run([*containers, "sh", "-c", 'hostname pod; exec "$@"', "sh", "conda-execute", script], check=True)
    done = shared.tmpenv("clear", "--min-age", "25", check=True)
    assert "cannot be asked" not in kept(done)
    assert "removed 1 environment" in shared.tmpenv("clear", check=True).stdout


@pytest.fixture
def mounts(shared: World) -> Iterator[list[Sshfs]]:
    if shutil.which("sshfs") is None or not os.path.exists(Sshfs.SERVER):
        pytest.skip("no sshfs and sftp-server here: apt-get install sshfs openssh-sftp-server")
    real = shared.root / "real"
    real.mkdir(mode=0o700)
    made = [Sshfs(real, shared.root / name) for name in ("mount-a", "mount-b")]
    yield made
    for mount in made:
        mount.unmount()


def test_two_hosts_that_share_sshfs_never_create_at_once(
    shared: World, hosts: Hosts, mounts: list[Sshfs], make_channel: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its locks count on each host alone; a package without links, since none can be made there that leads nowhere."""
    assert callable(make_channel)
    link = '#!/bin/sh\nmkdir "$PREFIX/made" || touch "$PREFIX/twice"; sleep 3\n'
    url = make_channel(Package("slow", "1.0", {"bin/.slow-post-link.sh": link}))
    text = f"# conda execute\n# env: [slow]\n# channels: ['{url}']\n# run_with: sh\n"
    text += 'sleep 2; [ -d "$CONDA_PREFIX/made" ] && [ ! -e "$CONDA_PREFIX/twice" ] || exit 71\n'
    text += 'cat "$CONDA_PREFIX/conda-meta/conda-execute"\n'
    script = shared.script("slow.sh", text)
    both = hosts("a", "b")
    rounds, builds, started = 3, [], time.monotonic()
    for number in range(rounds):
        processes = []
        for mount, host in zip(mounts, both, strict=True):
            place = {
                "CONDA_EXECUTE_ENV_DIR": str(mount.mount / f"envs-{number}"),
                "CONDA_EXECUTE_CACHE_DIR": str(shared.root / f"cache-{host.name}"),
                "RATTLER_CACHE_DIR": str(shared.root / f"packages-{host.name}"),
                "CONDA_EXECUTE_AUTO_CLEAN": "false",
            }
            processes += [host.start("conda-execute", script, **place) for _ in range(2)]
        outputs = [process.communicate() for process in processes]
        assert [process.returncode for process in processes] == [0] * 4, outputs
        builds.append({line for output, _ in outputs for line in output.splitlines() if '"build"' in line})
    with capsys.disabled():
        print(
            f"\nsshfs: {rounds} rounds of 2 hosts, 2 processes each:",
            f"{[len(one) for one in builds]} builds, {seconds(started)}",
        )
    assert [len(one) for one in builds] == [1] * rounds


def test_creator_on_sshfs_that_is_cancelled_leaves_the_others_environment_alone(
    shared: World, hosts: Hosts, mounts: list[Sshfs], make_channel: object
) -> None:
    assert callable(make_channel)
    url = make_channel(
        Package("slow", "1.0", {"bin/.slow-post-link.sh": '#!/bin/sh\nsleep "$SLOW"\n', "bin/mine": "x"})
    )
    text = f"# conda execute\n# env: [slow]\n# channels: ['{url}']\n# run_with: sh\n"
    script = shared.script("slow.sh", text + 'sleep 10; test -e "$CONDA_PREFIX/bin/mine"\n')
    one, other = hosts("a", "b")
    places = [
        {
            "CONDA_EXECUTE_ENV_DIR": str(mount.mount / "envs"),
            "CONDA_EXECUTE_CACHE_DIR": str(shared.root / f"cache-{number}"),
            "RATTLER_CACHE_DIR": str(shared.root / f"packages-{number}"),
        }
        for number, mount in enumerate(mounts)
    ]
    first = one.start("conda-execute", script, SLOW="2", **places[0])
    second = other.start("conda-execute", script, SLOW="12", **places[1])
    time.sleep(8)
    second.terminate()
    second.communicate()
    output, errors = first.communicate()
    assert first.returncode == 0, output + errors


def test_sshfs_that_keeps_no_dangling_links_is_named(shared: World, hosts: Hosts, mounts: list[Sshfs]) -> None:
    script = shared.script("x.py", "# conda execute\n# env: [python]\n# run_with: python\n")
    [host] = hosts("a")
    done = host.run("conda-execute", script, CONDA_EXECUTE_ENV_DIR=str(mounts[0].mount / "envs"))
    assert done.returncode == 125
    assert "keeps no links to what is not there yet" in done.stderr
    assert "CONDA_EXECUTE_ENV_DIR" in done.stderr
