"""What a cluster does to environments that hosts share; `make cluster` runs it, as root, and prints what it measured.

Hosts are namespaces (`hosts`); for sshfs, `make cluster` installs Debian's. None of it needs a network.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable

import pytest

from conda_execute.environments.store import Store
from tests.channel import Package
from tests.cluster.hosts import Host, seconds
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


@pytest.mark.parametrize("cloned", [False, True], ids=["of one name", "of one machine id"])
def test_two_hosts_that_look_alike_and_share_a_disk(shared: World, hosts: Hosts, cloned: bool) -> None:
    script = shared.script("task.sh", SCRIPT)
    one, other = hosts("ubuntu", "ubuntu", cloned=cloned)
    user = one.start("conda-execute", script, "15")
    assert user.stdout is not None
    assert user.stdout.readline() == "running\n"
    for words in (("list",), ("clear",), ("clear", "--min-age", "0")):
        done = other.run("conda-tmpenv", *words)
        assert "ubuntu" in done.stdout
    output, errors = user.communicate()
    assert user.returncode == 0, output + errors


def pass_time(world: World, days: float) -> None:
    """As if so much time had passed: everything there, and what machines wrote down, is so much older."""
    seconds = days * 24 * 3600
    for path in [world.tmp_envs, *world.tmp_envs.rglob("*")]:
        if path.parent.name == ".boots" and "." not in path.name:
            identity, began, *former = path.read_text().split()
            path.write_text("\n".join([identity, f"{float(began) - seconds:.0f}", *former]) + "\n")
        status = path.lstat()
        os.utime(path, (status.st_atime - seconds, status.st_mtime - seconds), follow_symlinks=False)


def test_run_of_eight_days_alone_on_its_host_keeps_its_environment(
    shared: World, hosts: Hosts, report: Callable[[str, str], None]
) -> None:
    """Nothing else runs on its host, so nothing there renews its note; another host cleans all the time."""
    script = shared.script("task.sh", SCRIPT)
    other_script = shared.script("other.sh", "# conda execute\n# env: [alpha]\n# run_with: sh\ntrue\n")
    one, other = hosts("n1", "n2")
    run = one.start("conda-execute", script, "7777")
    assert run.stdout is not None
    assert run.stdout.readline() == "running\n"
    [prefix] = shared.prefixes()
    for _ in range(32):  # a quarter of a day each
        pass_time(shared, 0.25)
        other.run("conda-execute", other_script)  # which cleans, since that is due
        assert "kept" in other.must("conda-tmpenv", "clear", "--min-age", "25")
        assert (prefix / "bin" / "lua").exists()
    one.must("pkill", "-f", "^sleep 7777$")  # of that host's processes alone
    output, errors = run.communicate()
    assert run.returncode == 0, output + errors
    report("a run of eight days alone on its host, another host cleans 64 times", "kept its environment")
    one.must("conda-tmpenv", "clear", "--min-age", "25")
    pass_time(shared, 2)
    assert "removed" in other.must("conda-tmpenv", "clear", "--min-age", "25")
    assert not (prefix / "bin" / "lua").exists()
    report("after it: one cleaning of its host, and 26 hours", "the environment went")


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
    assert "cannot be checked" not in kept(done)
    assert "removed 1 environment" in shared.tmpenv("clear", check=True).stdout
