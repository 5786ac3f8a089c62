"""At home in conda: our subcommands, settings, environment files and health check in a real conda.

Runs where conda can be imported: by this interpreter, or by the one that CONDA_EXECUTE_TEST_CONDA_PYTHON names, which
must have conda-execute's requirements too.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conda_execute.configuration.declared import OURS
from tests import oracle
from tests.conftest import CHECKOUT, World

NEEDED = ("conda", "rattler", "yaml", "psutil", "filelock", "tomli")


@dataclass
class Conda:
    """A conda with our plugin, in a world of its own."""

    world: World
    python: str

    def __call__(self, *args: str | Path, **options: Any) -> subprocess.CompletedProcess[Any]:
        return self.world.run([self.python, "-m", "conda", *args], **options)

    def script(self, name: str, text: str) -> Path:
        return self.world.script(name, text)

    def needs(self, module: str, name: str) -> None:
        """Skip where this conda is too old to have this name."""
        code = f"import importlib; getattr(importlib.import_module({module!r}), {name!r})"
        if subprocess.run([self.python, "-c", code], capture_output=True, check=False).returncode:
            pytest.skip(f"this conda has no {module}.{name}")

    def needs_hook(self, name: str) -> None:
        self.needs("conda.plugins.types", name)


@pytest.fixture(scope="session")
def conda_python() -> str:
    python = oracle.conda_python()
    tried = subprocess.run([python, "-c", f"import {', '.join(NEEDED)}"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"that conda lacks a requirement of ours: {tried.stderr.strip().splitlines()[-1]}")
    return python


@pytest.fixture(scope="session")
def installed(conda_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that makes this checkout an installed distribution, entry points included."""
    folder = tmp_path_factory.mktemp("installed")
    code = "import importlib.metadata as m; print(m.version('conda-execute'))"
    if subprocess.run([conda_python, "-c", code], capture_output=True, check=False).returncode:
        info = folder / "conda_execute-0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: conda-execute\nVersion: 0\n")
        (info / "entry_points.txt").write_text("[conda]\nconda-execute = conda_execute.plugin\n")
    return folder


@pytest.fixture
def conda(world: World, conda_python: str, installed: Path) -> Conda:
    world = world.with_(
        PYTHONPATH=os.pathsep.join([str(installed), str(CHECKOUT)]),
        CONDA_PKGS_DIRS=str(world.root / "pkgs"),
        CONDA_ENVS_DIRS=str(world.root / "envs"),
        CONDA_SOLVER=os.environ.get("CONDA_EXECUTE_TEST_CONDA_SOLVER", "classic"),
        REQUESTS_CA_BUNDLE=None,
    )
    return Conda(world, conda_python)


HELLO = """\
    #!/usr/bin/env python
    # conda execute
    # env:
    #  - python
    import sys
    print("hello", sys.argv[1:])
    """


def test_conda_lists_both_subcommands(conda: Conda) -> None:
    listed = " ".join(conda("--help", check=True).stdout.split())  # wrapped as wide as the terminal is
    assert "Run a script in the environment declared in its comments" in listed
    assert "tmpenv" in listed


def test_a_script_runs_as_it_does_without_conda(conda: Conda) -> None:
    script = conda.script("hello.py", HELLO)
    through = conda("execute", "-v", script, "a", "b c")
    assert through.stdout == "hello ['a', 'b c']\n"
    assert "Using specification: \nenv: [python]\nrun_with: [/usr/bin/env, python]\n" in through.stderr
    without = conda.world.run([conda.python, "-m", "conda_execute", "-v", script, "a", "b c"])
    assert without.stdout == through.stdout


def test_the_transcript_that_the_project_began_with(conda: Conda) -> None:
    script = conda.script(
        "my_script.py",
        """\
        #!/usr/bin/env python
        # conda execute
        # env:
        #  - python >=3
        #  - numpy

        import numpy as np

        print(np.random.normal(size=3))
        """,
    )
    ran = conda("execute", "-v", script.name, check=True)
    assert re.fullmatch(r"\[( *-?\d+\.\d*(e-\d+)?){3} *\]\n", ran.stdout)
    spec = "Using specification: \nenv: [python >=3, numpy]\nrun_with: [/usr/bin/env, python]\n\n"
    assert ran.stderr.startswith(spec)
    assert ran.stderr.endswith("/tmp_envs/ea977067a8fbeb21a594\n\n")
    listed = conda("tmpenv", "list", check=True).stdout
    assert "ea977067a8fbeb21a594" in listed
    assert "removed 1 environment" in conda("tmpenv", "clear", check=True).stdout


def test_words_after_the_script_are_its_own(conda: Conda) -> None:
    script = conda.script("hello.py", HELLO)
    assert conda("execute", script, "--help", "--json", "-v", "--", "-x").stdout == (
        "hello ['--help', '--json', '-v', '--', '-x']\n"
    )


def test_after_two_hyphens_no_word_is_condas(conda: Conda) -> None:
    script = conda.script("hello.py", HELLO)
    words = ("--json=out", "--no", "--debug", "--no-plugins", "-vfoo", "--trace")
    assert conda("execute", "--", script, *words).stdout == f"hello {list(words)}\n"


def test_the_status_and_the_environment_are_the_scripts_own(conda: Conda) -> None:
    script = conda.script(
        "status.sh", "#!/bin/sh\n# conda execute\n# env: [python]\n# run_with: sh\nenv | sort\nexit 7\n"
    )
    world = conda.world.with_(PYTHONPATH=conda.world.environ["PYTHONPATH"])
    without = world.run([conda.python, "-m", "conda_execute", script])
    through = conda("execute", script)
    assert (through.returncode, without.returncode) == (7, 7)

    def variables(text: str) -> set[str]:
        return {line for line in text.splitlines() if not line.startswith(("_=", "PYTHON"))}

    assert variables(through.stdout) == variables(without.stdout)


def test_a_failure_of_ours_has_our_status_and_no_traceback(conda: Conda) -> None:
    failed = conda("execute", "no-such-script")
    assert failed.returncode == 127
    assert "no-such-script" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_help_is_ours(conda: Conda) -> None:
    assert conda("execute", "--help").stdout.startswith("usage: conda execute")
    assert conda("tmpenv", "--help").stdout.startswith("usage: conda tmpenv")


def test_environments_are_listed_and_cleared(conda: Conda) -> None:
    conda("execute", conda.script("hello.py", HELLO), check=True)
    listed = json.loads(conda("tmpenv", "list", "--json", check=True).stdout)
    assert [found["specs"] for found in listed] == [["python"]]
    conda("tmpenv", "clear", check=True)
    assert conda.world.prefixes() == []


def test_settings_are_known_to_conda(conda: Conda) -> None:
    conda.needs("conda.plugins.config", "PluginConfig")
    described = conda("config", "--describe", check=True).stdout
    for setting in OURS:
        assert f"plugins.conda_execute_{setting.field} " in described
    world = conda.world.with_settings("plugins:\n  conda_execute_remove_if_unused_for: 2.5\n")
    shown = Conda(world, conda.python)("config", "--show", "--json", check=True).stdout
    assert json.loads(shown)["plugins"]["conda_execute_remove_if_unused_for"] == 2.5


def test_conda_checks_a_setting_as_we_do(conda: Conda) -> None:
    conda.needs("conda.plugins.config", "PluginConfig")
    world = conda.world.with_settings("plugins:\n  conda_execute_backend: mamba\n")
    refused = Conda(world, conda.python)("config", "--show", "plugins.conda_execute_backend")
    assert "must be `rattler` or `conda`" in refused.stdout + refused.stderr
    ours = world.run([conda.python, "-m", "conda_execute", conda.script("hello.py", HELLO)])
    assert "must be `rattler` or `conda`, found `mamba`" in ours.stderr


# --- What conda makes of an environment of ours


@pytest.fixture
def prefix(conda: Conda) -> str:
    script = conda.script("hello.py", HELLO)
    return str(conda("execute", "--print-prefix", script, check=True).stdout.strip())


def test_conda_list_run_and_export_work(conda: Conda, prefix: str) -> None:
    packages = json.loads(conda("list", "-p", prefix, "--json", check=True).stdout)
    assert [package["name"] for package in packages] == ["python"]
    ran = conda("run", "-p", prefix, "python", "-c", "import sys; print(sys.prefix)", check=True)
    assert ran.stdout.strip() == prefix
    exported = conda("env", "export", "-p", prefix, "--from-history", check=True).stdout
    assert "dependencies:\n  - python\n" in exported


def test_conda_doctor_finds_nothing_wrong_with_an_environment(conda: Conda, prefix: str) -> None:
    conda.needs("conda.plugins.subcommands.doctor.health_checks.missing_files", "__name__")
    checks = ("altered-files", "missing-files", "consistency", "pinned", "conda-execute environments")
    report = conda("doctor", "-p", prefix, *checks, check=True).stdout
    assert "❌" not in report
    assert "1 environment of scripts" in report


def test_conda_does_not_change_a_shared_environment(conda: Conda, prefix: str) -> None:
    conda.needs("conda.base.constants", "PREFIX_FROZEN_FILE")
    for asked in (["install", "lua"], ["remove", "--all"], ["env", "remove"]):
        refused = conda(*asked, "-y", "-p", prefix)
        assert refused.returncode != 0
        assert "conda execute --add SPEC SCRIPT" in refused.stderr
        assert f"conda tmpenv clear {Path(prefix).name}" in refused.stderr


def test_our_environments_are_not_listed_as_conda_s(conda: Conda, prefix: str) -> None:
    assert prefix not in conda("env", "list", check=True).stdout


# --- A lasting environment


def test_an_environment_is_created_from_a_script(conda: Conda) -> None:
    conda.needs_hook("CondaEnvironmentSpecifier")
    script = conda.script(
        "needs.py",
        "# conda execute\n# env:\n#  - python\n#  - numpy\n# channels: [conda-forge]\nimport numpy\nprint(numpy.pi)\n",
    )
    conda("env", "create", "-n", "lasting", "--file", script, check=True)
    packages = json.loads(conda("list", "-n", "lasting", "--json", check=True).stdout)
    assert {package["name"] for package in packages} >= {"python", "numpy"}


@pytest.mark.parametrize("text", ["print(1)\n", "import os\n# env: [python]\n"], ids=["plain", "no-header"])
def test_a_file_without_a_header_is_left_to_others(conda: Conda, text: str) -> None:
    conda.needs_hook("CondaEnvironmentSpecifier")
    script = conda.script("plain.py", text)
    asked = conda("env", "create", "-n", "other", "--env-spec", "conda-execute", "--file", script)
    assert asked.returncode != 0
    assert "unable to handle environment spec" in asked.stderr
    asked = conda("env", "create", "-n", "other", "--file", script)
    assert asked.returncode != 0
    assert "Traceback" not in asked.stderr


def test_a_list_of_packages_is_still_one(conda: Conda) -> None:
    conda("env", "create", "-n", "listed", "--file", conda.script("requirements.txt", "lua\n"), check=True)


def test_a_script_that_could_be_a_list_of_packages_is_a_script(conda: Conda) -> None:
    """conda's own requirements.txt takes any file whose lines look like specs."""
    conda.needs_hook("CondaEnvironmentSpecifier")
    script = conda.script("needs.sh", "# conda execute\n# env: [lua]\nlua\n")
    conda("env", "create", "-n", "lasting", "--file", script, check=True)
    packages = json.loads(conda("list", "-n", "lasting", "--json", check=True).stdout)
    assert [package["name"] for package in packages] == ["lua"]


def test_a_wrong_header_is_explained(conda: Conda) -> None:
    conda.needs_hook("CondaEnvironmentSpecifier")
    script = conda.script("wrong.py", "# conda execute\n# env: numpy\nimport numpy\n")
    failed = conda("env", "create", "-n", "wrong", "--env-spec", "conda-execute", "--file", script)
    assert failed.returncode != 0
    assert "`env` must be a list" in failed.stderr
    assert "wrong.py:2" in failed.stderr


# --- Health


def damage_nothing(prefix: Path) -> None:
    pass


def remove_marker(prefix: Path) -> None:
    (prefix / "conda-meta" / "conda-execute").unlink()


def remove_records(prefix: Path) -> None:
    for path in (prefix / "conda-meta").glob("*.json"):
        path.unlink()


def break_link(prefix: Path) -> None:
    (prefix / "bin" / "gone").symlink_to("nowhere")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (damage_nothing, "1 environment of scripts in"),
        (remove_marker, "was left unfinished"),
        (remove_records, "1 package records are gone"),
        (break_link, "`bin/gone` is a broken link"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_doctor_reports_broken_environments(
    conda: Conda, prefix: str, damage: Callable[[Path], None], said: str
) -> None:
    conda.needs("conda.plugins.subcommands.doctor.health_checks.missing_files", "__name__")
    damage(Path(prefix))
    report = conda("doctor", "conda-execute environments", check=True).stdout
    assert said in report
    assert ("❌" in report) == (damage is not damage_nothing)


# --- Cost


def test_loading_the_plugin_loads_nothing_else(conda: Conda) -> None:
    code = """\
        import sys
        import conda.cli.main, conda.plugins.manager
        import conda_execute.plugin
        list(conda_execute.plugin.conda_subcommands())
        print(*[name for name in sys.modules if name.startswith("conda_execute")])
        """
    command = [conda.python, "-c", textwrap.dedent(code)]
    assert conda.world.run(command, check=True).stdout.split() == ["conda_execute", "conda_execute.plugin"]
