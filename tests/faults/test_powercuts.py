"""A power cut leaves nothing that is believed and not there; `powercuts` tries a hundred random moments."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import World
from tests.faults.disk import FILE_SYSTEMS, Disk, missing
from tests.faults.powercuts import wrong_files

SCRIPT = "# conda execute\n# env: [lua]\n# run_with: sh\nlua -e 'print(6 * 7)'\n"


@pytest.fixture(params=[pytest.param(kind, marks=[pytest.mark.stress] * (kind != "ext4")) for kind in FILE_SYSTEMS])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    why_not = missing()
    if why_not is not None:
        pytest.skip(why_not)
    try:
        disk = Disk(request.param, tmp_path / "disks").__enter__()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no such disk here: {error}")
    yield disk
    disk.__exit__()


def have_names_written(place: Path) -> None:
    """Flush one small file: a journal then writes the names of all files, and their content when it likes."""
    path = place / "small"
    path.write_text("small")
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def test_an_environment_that_is_ready_after_a_power_cut_has_all_its_files(world: World, disk: Disk) -> None:
    world = world.with_(
        CONDA_EXECUTE_ENV_DIR=str(disk.place / "environments"), RATTLER_CACHE_DIR=str(disk.place / "rattler")
    )
    script = world.script("script.sh", SCRIPT)
    assert world.execute(script, check=True).stdout == "42\n"
    have_names_written(disk.place)
    disk.cut("cut")
    disk.unmount()
    disk.restore("cut")
    prefixes = list(disk.place.glob("environments/tmp_envs/*"))
    ready = [prefix for prefix in prefixes if (prefix / "conda-meta" / "conda-execute").exists()]
    assert [problem for prefix in ready for problem in wrong_files(prefix)] == []
    assert world.execute(script, check=True).stdout == "42\n"


def test_an_environment_is_on_the_disk_before_its_marker_beside_much_that_is_not(tmp_path: Path) -> None:
    """Where others have much to write, each file is flushed alone, then each directory, the innermost first."""
    if sys.platform != "linux":
        pytest.skip("strace is Linux's")
    (tmp_path / "prefix" / "bin").mkdir(parents=True)
    (tmp_path / "prefix" / "bin" / "program").write_text("program")
    (tmp_path / "prefix" / "bin" / "link").symlink_to("program")
    (tmp_path / "prefix" / "link").symlink_to("/nowhere")
    code = (
        "import os, sys; from conda_execute import durable; durable._unwritten = lambda: 1 << 40;"
        "fsync = os.fsync; os.fsync = lambda fd: (print(os.readlink(f'/proc/self/fd/{fd}')), fsync(fd));"
        "durable.settle(sys.argv[1], 7)"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "prefix")]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    prefix = tmp_path / "prefix"
    assert done.stdout.split() == [f"{prefix}/bin/program", f"{prefix}/bin", str(prefix)]
