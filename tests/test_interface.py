"""Laws of the Python interface: it answers as the programs do, and leaves its caller's process alone."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import conda_execute
from tests.conftest import World
from tests.serving import serving

SIX = "# conda execute\n# env: [python, six]\nimport six; print(six.__version__)\n"


def ask(world: World, code: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """A program of somebody else's, which may use the interface."""
    return world.run([sys.executable, "-c", "from conda_execute import *\n" + textwrap.dedent(code)], **options)


def printed(world: World, code: str) -> Any:
    done = ask(world, "import json\n" + textwrap.dedent(code), check=True)
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_names_are_imported_when_they_are_used() -> None:
    code = "import sys, conda_execute; before = set(sys.modules); conda_execute.find; print(*before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "conda_execute.interface" not in done.stdout.split()
    assert set(dir(conda_execute)) >= {"read_header", "find", "prepare", "list_environments", "clear", "ExecuteError"}
    with pytest.raises(AttributeError, match="nothing"):
        conda_execute.nothing  # noqa: B018


def test_header_is_read_for_a_platform(tmp_path: Path) -> None:
    script = tmp_path / "x.py"
    script.write_text("# conda execute\n# env:\n#  - python\n#  - pywin32  # [win]\n")
    assert conda_execute.read_header(script, "win-64").specs == ("python", "pywin32")
    assert conda_execute.read_header(script, "linux-64").specs == ("python",)


def test_mistake_in_a_header_is_an_error_with_its_line(tmp_path: Path) -> None:
    script = tmp_path / "x.py"
    script.write_text("# conda execute\n# env: numpy\n")
    with pytest.raises(conda_execute.ExecuteError, match="must be a list") as caught:
        conda_execute.read_header(script)
    assert caught.value.where[0].line == 2
    assert caught.value.hint


def test_prepared_environment_is_that_of_a_run_and_in_use_until_the_caller_ends(world: World) -> None:
    script = world.script("x.py", SIX)
    told = printed(
        world,
        f"""
        assert find({str(script)!r}) is None
        made = prepare({str(script)!r})
        assert find({str(script)!r}) == made
        report = clear()
        print(json.dumps([made.prefix, [why for _, why in report.kept], [one.name for one in list_environments()]]))
        """,
    )
    prefix, kept, names = told
    assert prefix == world.execute("--print-prefix", script, check=True).stdout.strip()
    assert [Path(prefix).name] == names
    assert "in use by process" in kept[0]
    assert world.execute(script, check=True).stdout
    assert printed(world, "print(json.dumps([one.name for one in clear().freed]))") == names
    assert not Path(prefix).exists()


def test_environment_of_a_locked_script_is_found(world: World) -> None:
    script = world.script("x.py", SIX)
    world.execute("--lock", script, check=True)
    locked = world.execute("--print-prefix", script, check=True).stdout.strip()
    assert printed(world, f"print(json.dumps(find({str(script)!r}).prefix))") == locked
    assert printed(world, f"print(json.dumps(prepare({str(script)!r}, locked=True).prefix))") == locked


def test_packages_that_do_not_exist_are_an_error_and_nothing_is_printed(world: World) -> None:
    script = world.script("x.py", "# conda execute\n# env: [no-such-package]\n")
    told = printed(
        world,
        f"""
        from conda_execute.errors import CreationError
        try:
            prepare({str(script)!r})
        except CreationError as error:
            print(json.dumps([str(error), error.step, error.where[0].line]))
        """,
    )
    assert "no-such-package" in told[0]
    assert told[1:] == ["solve", 2]
    assert world.prefixes() == []


def test_notices_go_to_the_caller(world: World) -> None:
    script = world.script("x.py", "# /// script\n# nonsense = 1\n# dependencies = []\n# ///\n")
    told = printed(world, f"lines = []; prepare({str(script)!r}, notice=lines.append); print(json.dumps(lines))")
    assert any("nonsense" in line for line in told)


def test_caller_keeps_its_signals_variables_and_directory(world: World) -> None:
    script = world.script("x.py", SIX)
    code = f"""
        import os, signal, sys
        def state():
            handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
            return handlers, dict(os.environ), os.getcwd(), sorted(os.listdir("/proc/self/fd"))
        before = state()
        prepare({str(script)!r})
        assert state() == before
        assert "rattler" not in sys.modules
        """
    ask(world, code, check=True)


def test_script_from_the_web_must_be_trusted(world: World) -> None:
    script = world.script("x.py", SIX)
    with serving(script.parent) as url:
        address = f"{url}/x.py"
        refused = ask(world, f"prepare({address!r})")
        assert "is not trusted" in refused.stderr
        assert world.prefixes() == []
        world.execute("--trust", address, check=True)
        (prefix,) = world.prefixes()
        assert printed(world, f"print(json.dumps(prepare({address!r}).prefix))") == str(prefix)


@pytest.mark.stress
def test_no_process_that_prepared_an_environment_dies_at_its_exit(world: World) -> None:
    """600 exits, four at once: an interpreter that used py-rattler may crash while it ends, and ours must not."""
    code = "from conda_execute import *; import sys; prepare(sys.argv[1])"
    statuses: list[int] = []
    for number in range(150):
        script = world.script(f"x{number}.sh", f"# conda execute\n# env: ['six !=0.{number}']\n")
        running = [world.start([sys.executable, "-c", code, script]) for _ in range(4)]
        statuses += [process.wait() for process in running]
    assert statuses == [0] * 600
