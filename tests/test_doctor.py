"""What `conda doctor` is told about the environments of scripts, found on a disk and judged as values."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from conda_execute.conda_plugin.health import examine, judge
from conda_execute.configuration.declared import Settings
from conda_execute.environments.removal import Found
from conda_execute.model import Marker

NAME = "ea977067a8fbeb21a594"
HOUR = 3600.0
NOW = 1_000_000.0


def marker(packages: int = 1) -> Marker:
    return Marker(
        build="b",
        name=NAME,
        specs=("python",),
        channels=("conda-forge",),
        platform="linux-64",
        backend="rattler",
        version="1",
        created=NOW,
        seconds=1.0,
        packages=packages,
        size=1,
        script="plot.py",
    )


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """A prefix with one package and one program."""
    (tmp_path / NAME / "conda-meta").mkdir(parents=True)
    (tmp_path / NAME / "conda-meta" / "python-3-0.json").write_text("{}")
    (tmp_path / NAME / "conda-meta" / "conda-execute").write_text("{}")
    (tmp_path / NAME / "bin").mkdir()
    (tmp_path / NAME / "bin" / "python3").write_text("")
    (tmp_path / NAME / "bin" / "python").symlink_to("python3")
    return tmp_path / NAME


def complaints(prefix: Path, *, settings: Settings | None = None, idle: float = 0, **rest: object) -> tuple[str, ...]:
    values = {"state": "ready", "marker": marker(), "last_used": NOW - idle, **rest}
    found = Found(NAME, str(prefix), **values)  # type: ignore[arg-type]
    return judge([found], NOW, settings or Settings(), str(prefix.parent)).complaints


def test_a_sound_environment_is_no_complaint(prefix: Path) -> None:
    assert complaints(prefix) == ()


def test_what_is_being_made_is_no_complaint(prefix: Path) -> None:
    assert complaints(prefix, state="unfinished", marker=None, busy=True) == ()


@pytest.mark.parametrize("state", ["unfinished", "aside"])
def test_what_a_crash_left_behind_is_named(prefix: Path, state: str) -> None:
    (complaint,) = complaints(prefix, state=state, marker=None if state == "unfinished" else marker())
    assert complaint.startswith(f"{NAME}: ")


def test_lost_records_are_noticed(prefix: Path) -> None:
    (prefix / "conda-meta" / "python-3-0.json").unlink()
    assert complaints(prefix) == (
        f"{NAME}: its 1 package records are gone; `conda execute --force-env SCRIPT` creates it again",
    )


def test_a_program_that_leads_nowhere_is_noticed(prefix: Path) -> None:
    (prefix / "bin" / "python3").unlink()
    assert "`bin/python` is a broken link" in complaints(prefix)[0]


@pytest.mark.parametrize(
    ("idle", "overdue", "rest"),
    [
        (49, False, {}),
        (51, True, {}),
        (51, False, {"kept": True}),
        (51, False, {"settings": Settings(auto_clean=False)}),
        (51, False, {"settings": Settings(remove_if_unused_for=timedelta(hours=100))}),
        (3, True, {"settings": Settings(remove_if_unused_for=timedelta(hours=1))}),
    ],
    ids=["soon", "overdue", "kept", "no-cleaning", "longer", "shorter"],
)
def test_what_should_be_gone_since_long_is_named(
    prefix: Path, idle: float, overdue: bool, rest: dict[str, object]
) -> None:
    found = complaints(prefix, idle=idle * HOUR, **rest)  # type: ignore[arg-type]
    assert bool(found) == overdue
    assert all(f"unused for {idle} hours" in complaint for complaint in found)


def test_the_summary_counts(prefix: Path) -> None:
    sound = Found(NAME, str(prefix), "ready", marker(), NOW)
    broken = Found("0" * 20, str(prefix) + "x", "unfinished", None, NOW)
    findings = judge([sound, broken], NOW, Settings(), "/t/tmp_envs")
    assert findings.summary == "2 environments of scripts in /t/tmp_envs, 1 with a problem:"
    assert findings.details == (f"{NAME}: ok",)
    assert judge([sound], NOW, Settings(), "/t").summary == "1 environment of scripts in /t, nothing wrong."


def test_programs_that_only_base_finds_are_named_with_the_command_that_helps(tmp_path: Path) -> None:
    """As after an installation by pip into base; the conda package has them in `condabin`."""
    root = tmp_path / "root of conda"
    environ = {"HOME": str(tmp_path)}
    assert examine(str(tmp_path), environ, str(root)).complaints == ()
    for folder in ("bin", "condabin"):
        (root / folder).mkdir(parents=True)
    for name in ("conda-execute", "conda-tmpenv"):
        (root / "bin" / name).touch()
    (complaint,) = examine(str(tmp_path), environ, str(root)).complaints
    subprocess.run(["sh", "-c", complaint.split("`")[1]], check=True)
    assert (root / "condabin" / "conda-execute").resolve() == root / "bin" / "conda-execute"
    assert examine(str(tmp_path), environ, str(root)).complaints == ()


def test_settings_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    (tmp_path / ".condarc").write_text("conda-execute: {bakend: conda}\n")
    findings = examine(str(tmp_path), {"HOME": str(tmp_path)})
    assert "unknown setting `bakend`" in findings.summary
    assert findings.complaints == ("did you mean `backend`?",)
