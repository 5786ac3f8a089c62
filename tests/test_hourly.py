"""The automatic sweep: when it is due, how it is started, and what else it looks after."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta
from pathlib import Path

from conda_execute import housekeeping
from conda_execute.cache import SCRIPT_LINK, code_folder, parsed_text, script_cache
from conda_execute.environments import layout, uses
from conda_execute.environments.store import Store
from conda_execute.launch import entrypoint
from conda_execute.model import Environment
from tests.protocol import small
from tests.protocol.small import idle

HOUR = timedelta(hours=1)


class TestAutomatic:
    def note(self, environment: Environment) -> str:
        uses.hold(environment, uses.this_process())
        return uses.note_path(environment, uses.this_process())

    def test_due_once_an_hour_by_the_time_of_the_note(self, tmp_envs: str, tmp_path: Path) -> None:
        environment = idle(tmp_envs)
        note = self.note(environment)
        store = Store(tmp_envs)
        boot = uses.boot()
        assert housekeeping._is_due(store, boot, note), "never swept"
        now = os.stat(note).st_mtime
        os.mkdir(layout.boots(tmp_envs))
        housekeeping._set_due(store, boot, now)
        assert not housekeeping._is_due(store, boot, note)
        assert housekeeping._is_due(store, "another", note), "each machine for itself"
        for later, due in ((3599, False), (3601, True), (-1, True)):
            os.utime(note, (now + later, now + later))
            assert housekeeping._is_due(store, boot, note) == due, later

    def test_starts_a_sweeper_that_is_nobodys_child(self, tmp_envs: str) -> None:
        code = """
import datetime, os, sys
from conda_execute import housekeeping as hourly
from conda_execute.environments import uses as usage
from conda_execute.environments.store import Store
from tests.protocol import small
environment = small.ensure(sys.argv[1])
note = usage.note_path(environment, usage.this_process())
hour = datetime.timedelta(hours=1)
print(*(hourly.start_if_due(Store(sys.argv[1]), note, hour, hour) for _ in range(2)))
try:
    os.wait()
except ChildProcessError:
    print("no child")
"""
        old, young = idle(tmp_envs, "a", age=2 * HOUR), idle(tmp_envs, "b")
        output, _ = small.python(code, tmp_envs).communicate()
        assert output.splitlines() == ["True False", "no child"]
        small.wait_for(lambda: not os.path.exists(old.prefix))
        assert os.path.exists(young.prefix)

    def test_sweeper_holds_no_pipe_of_the_script(self, tmp_envs: str, tmp_path: Path) -> None:
        """Who reads the script's output to its end must not wait for the sweeper."""
        code = """
import os, sys
from conda_execute import housekeeping as hourly
os.set_inheritable(int(sys.argv[2]), True)
hourly._detach(["/bin/sh", "-c", f"echo $$ > {sys.argv[3]}; exec sleep 600"])
"""
        reading, writing = os.pipe()
        pid = tmp_path / "pid"
        process = small.python(code, tmp_envs, str(writing), str(pid), pass_fds=[writing])
        os.close(writing)
        process.communicate()
        assert os.read(reading, 1) == b""
        small.wait_for(lambda: pid.exists() and pid.read_text().endswith("\n"))
        os.kill(int(pid.read_text()), signal.SIGKILL)  # an error if it has ended
        os.close(reading)

    def test_read_only_place_is_left_to_others(self, tmp_envs: str) -> None:
        assert not housekeeping.start_if_due(Store(tmp_envs), os.path.join(tmp_envs, "no-note"), HOUR, HOUR)


class TestCache:
    def test_cache_of_a_vanished_script_goes(self, tmp_path: Path) -> None:
        folders = []
        for script in (tmp_path / "there.py", tmp_path / "gone.py"):
            folder = Path(script_cache(str(tmp_path), str(script)))
            assert entrypoint.made_cache(str(script), {"CONDA_EXECUTE_CACHE_DIR": str(tmp_path)}) == str(folder)
            (folder / "compiled").mkdir(parents=True)
            folders.append(folder)
        (tmp_path / "there.py").touch()
        housekeeping.clean_cache(str(tmp_path))
        assert sorted(path.name for path in folders[0].parent.iterdir()) == [
            folders[0].name,
            folders[0].name + SCRIPT_LINK,
        ]

    def test_code_that_was_not_run_for_long_goes(self, tmp_path: Path) -> None:
        old, young = (Path(code_folder(str(tmp_path), name)) for name in ("old", "young"))
        for folder in (old, young):
            folder.mkdir(parents=True)
            (folder / "script").touch()
        long_ago = time.time() - 31 * 24 * 3600
        os.utime(old / "script", (long_ago, long_ago))
        os.utime(old, (long_ago, long_ago))
        parsed = Path(parsed_text(str(tmp_path), "old"))
        parsed.parent.mkdir()
        for text in (parsed, parsed.with_name("young")):
            text.touch()
        os.utime(parsed, (long_ago, long_ago))
        housekeeping.clean_cache(str(tmp_path))
        assert (old.exists(), young.exists()) == (False, True)
        assert [text.name for text in parsed.parent.iterdir()] == ["young"]

    def test_no_cache_is_no_error(self, tmp_path: Path) -> None:
        housekeeping.clean_cache(str(tmp_path / "none"))
