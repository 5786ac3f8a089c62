"""What newer conda specs can say (CEP 43 to 45): conditions, extras and flags, in every format of a header."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import rattler

from conda_execute.engines import Options, virtual_packages
from conda_execute.engines.rattler import engine
from conda_execute.errors import ExecuteError
from conda_execute.script import specfile
from conda_execute.script.header import read_header
from conda_execute.script.header.keys import Header
from tests import tiny
from tests.conftest import World

#: What is said of a package, as in a table of dependencies.
Said = Mapping[str, "str | list[str]"]

FEATURES: dict[str, Said] = {
    "a condition on a package": {"when": "python <3.11"},
    "a condition and a version": {"version": ">=2,<3", "when": "python >=3.10"},
    "a condition on the machine": {"when": "__cuda >=12"},
    "several conditions": {"when": "(__cuda or python >=3.12) and lua"},
    "an extra": {"extras": ["jupyter"]},
    "extras and a version": {"version": ">=24", "extras": ["jupyter", "fast"]},
    "a flag": {"flags": ["cuda"]},
    "all of them": {"version": ">=1", "extras": ["fast"], "flags": ["cuda"], "when": "python >=3.9"},
}


def _spec(said: Said) -> str:
    """The bracket form, as people write it."""
    parts = [f"{key}=[{','.join(value)}]" for key, value in said.items() if isinstance(value, list)]
    parts += [f'{key}="{value}"' for key, value in said.items() if key == "when"]
    return f"pkg {said.get('version', '')}".strip() + f"[{','.join(parts)}]"


def _table(said: Said) -> str:
    return "pkg = { " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in said.items()) + " }"


def _header(text: str, name: str = "script.py") -> Header:
    return read_header("".join(f"# {line}".rstrip() + "\n" for line in text.splitlines()).encode(), name, "linux-64")


def _block(*lines: str) -> Header:
    return _header("\n".join(["/// script", *lines, "///"]))


def _conda_script(*lines: str) -> Header:
    return _header("\n".join(["/// conda-script", *lines, "/// end-conda-script"]))


#: How each format says it.
FORMATS: dict[str, Callable[[Said], Header]] = {
    "native": lambda said: _header(f"conda execute\nenv:\n - {_spec(said)}"),
    "native, in quotes": lambda said: _header(f"conda execute\nenv: [python, '{_spec(said)}']"),
    "native, for a platform": lambda said: _header(f"conda execute\nenv:\n - {_spec(said)}  # [linux]"),
    "tool.conda": lambda said: _block("[tool.conda]", f"dependencies = [{json.dumps(_spec(said))}]"),
    "tool.pixi": lambda said: _block("[tool.pixi.dependencies]", _table(said)),
    "tool.pixi, for a platform": lambda said: _block("[tool.pixi.target.linux.dependencies]", _table(said)),
    "conda-script": lambda said: _conda_script(
        'channels = ["a"]', 'entrypoint = "sh"', "[dependencies]", _table(said)
    ),
    "tool.pixi of conda-script": lambda said: _conda_script(
        'channels = ["a"]', 'entrypoint = "sh"', "[tool.pixi.dependencies]", _table(said)
    ),
    "environment.yml": lambda said: specfile.environment_yml(f"dependencies:\n  - {_spec(said)}\n".encode(), "e.yml"),
    "a word": lambda said: specfile.from_words([_spec(said)]),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("said", FEATURES.values(), ids=FEATURES)
def test_every_format_can_say_it(form: Callable[[Said], Header], said: Said) -> None:
    (found,) = (spec for spec in form(said).specs if not spec.startswith("python"))
    assert str(rattler.MatchSpec(found)) == str(rattler.MatchSpec(_spec(said)))
    request = tiny.request(found, channels={})
    engine.Rattler().check(request, Options())


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"when": "not python <3.11"}, "a condition on packages cannot contain `not`|cannot be read"),
        ({"when": "lua and (not python <3.11)"}, "a condition on packages cannot contain `not`|cannot be read"),
        ({"when": "python >=3 and"}, "cannot be read"),
        ({"when": ""}, "cannot be read|is empty|must be|not a valid match spec"),
        ({"flags": ["~cuda"]}, "invalid flag"),
    ],
    ids=["not", "not within", "cut off", "empty", "flag"],
)
def test_what_cannot_be_read_is_an_error_in_every_format(
    form: Callable[[Said], Header], said: Said, message: str
) -> None:
    with pytest.raises(ExecuteError) as caught:
        engine.Rattler().check(tiny.request(*form(said).specs, channels={}), Options())
    assert re.search(message, caught.value.message)
    assert "Parsing Error" not in caught.value.message


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tiny.channel(
        tmp_path_factory.mktemp("channel"),
        *(tiny.Tiny("python", version) for version in ("3.10.0", "3.12.0")),
        tiny.Tiny("tomli"),
        tiny.Tiny("quick"),
        tiny.Tiny("pkg", "1.0"),
    )
    listed = directory / "noarch/repodata.json"
    said = json.loads(listed.read_text())
    like = next(entry for entry in said["packages"].values() if entry["name"] == "pkg")
    later = {
        **like,
        "version": "2.0",
        "extra_depends": {"fast": ["quick"]},
        "depends": ['tomli[when="python <3.11"]'],
    }
    flagged = {**later, "build": "cuda_0", "flags": ["cuda"], "build_number": 0}
    said["v3"] = {"tar.bz2": {"pkg-2.0-0": {**later, "build_number": 1}, "pkg-2.0-cuda_0": flagged}}
    listed.write_text(json.dumps(said))
    for path in (directory / "noarch").glob("repodata*"):
        if path != listed:
            path.unlink()
    return directory


class TestSolved:
    """What is chosen of a channel that has such packages."""

    @pytest.mark.parametrize(
        ("specs", "chosen"),
        [
            (["pkg"], "pkg 2.0 0, python 3.12.0 0"),
            (["pkg", "python 3.10.*"], "pkg 2.0 0, python 3.10.0 0, tomli 1.0 0"),
            (["pkg[extras=[fast]]"], "pkg 2.0 0, python 3.12.0 0, quick 1.0 0"),
            (["pkg[flags=[cuda]]"], "pkg 2.0 cuda_0, python 3.12.0 0"),
            (['tomli[when="python <3.11"]'], "python 3.12.0 0"),
            (['tomli[when="python <3.11"]', "python 3.10.*"], "python 3.10.0 0, tomli 1.0 0"),
            (['tomli[when="__unix and python >=3"]'], "python 3.12.0 0, tomli 1.0 0"),
        ],
    )
    def test_it_counts(self, newer: Path, tmp_path: Path, specs: list[str], chosen: str) -> None:
        request = tiny.request("python", *specs, channels={"made": newer})
        solution = engine.Rattler().solve(request, Options(cache=str(tmp_path)))
        assert ", ".join(map(str, solution.packages)) == chosen


def test_what_a_condition_says_of_the_machine_is_remembered() -> None:
    """On a machine where it holds otherwise, another environment is right."""
    specs = ['a[when="__glibc >=2.1"]', 'b[when="__glibc >=99 and python"]', 'c[when="__unix"]', "d >=1"]
    assert virtual_packages.decisive((), specs) == ("__glibc>=2.1", "!__glibc>=99")
    assert virtual_packages.fits(["!__glibc >=99", "__glibc >=2.1"])
    assert not virtual_packages.fits(["!__glibc >=2.1"])


@pytest.mark.skipif(sys.platform == "win32", reason="the local channel is made for POSIX")
def test_a_lock_has_what_counted(world: World) -> None:
    script = world.script(
        "run.py",
        """\
        # conda execute
        # env:
        #  - python >=3
        #  - attrs[when="python <3"]
        #  - six[when="python >=3"]
        import six
        print("six")
        """,
    )
    world.execute("--lock", script, check=True)
    lock = Path(f"{script}.conda-execute.lock")
    assert world.execute("--locked", script).stdout == "six\n"
    assert world.execute("--lock", "--check", script).returncode == 0
    lock.write_text(lock.read_text().replace("six-1", "other-1"))
    assert world.execute("--locked", script).returncode == 125
