"""Whose is it? What another user can change decides nothing of what runs, and root takes nothing of a user's."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conda_execute import ownership
from conda_execute.cache import for_our_work, launch_records, private_directory
from conda_execute.configuration.channels import resolve_channels
from conda_execute.configuration.declared import Settings
from conda_execute.configuration.settings import load
from conda_execute.errors import PlaceError, SettingsError
from conda_execute.script import local_package
from tests import tiny
from tests.channel import File, Package
from tests.conftest import World

OTHER = 61234
GROUP = 61235
MINE = 61236

SCRIPT = "# conda execute\n# env: [lua]\n# run_with: sh\nlua -e 'print(6 * 7)'\n"
PIP = "# conda execute\n# env: [python, {pip: [six]}]\n"

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be other users")


@pytest.fixture
def open_world(world: World, tmp_path: Path) -> Iterator[Path]:
    """A directory that every user can reach."""
    place = Path("/var/tmp") / f"conda-execute-test-{os.getpid()}-{os.urandom(3).hex()}"
    place.mkdir(mode=0o755)
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


def owned(path: Path, user: int = 0, mode: int = 0o755, group: int | None = None) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    os.chown(path, user, user if group is None else group)
    path.chmod(mode)
    return path


class TestTheOneAnswer:
    @pytest.mark.parametrize(
        ("user", "mode", "group", "said"),
        [
            (0, 0o755, 0, None),
            (OTHER, 0o755, OTHER, "belongs to another user"),
            (0, 0o777, 0, "other users can write"),
            (0, 0o1777, 0, "other users can write"),
            (0, 0o775, GROUP, "other users can write"),
            (0, 0o2775, GROUP, "other users can write"),
        ],
    )
    def test_of_the_thing_itself(self, open_world: Path, user: int, mode: int, group: int, said: str | None) -> None:
        found = ownership.others(str(owned(open_world / "it", user, mode, group)))
        assert (found is None) if said is None else (found is not None and said in found)

    @pytest.mark.parametrize(
        ("user", "mode", "group", "good"),
        [
            (0, 0o755, 0, True),
            (0, 0o1777, 0, True),  # as /tmp
            (0, 0o775, 0, True),  # root's own group
            (OTHER, 0o755, OTHER, False),
            (0, 0o777, 0, False),
            (0, 0o2775, GROUP, False),
        ],
    )
    def test_of_a_directory_above(self, open_world: Path, user: int, mode: int, group: int, good: bool) -> None:
        above = owned(open_world / "above", user, mode, group)
        assert (ownership.others(str(owned(above / "mine"))) is None) == good
        assert (ownership.others(str(above / "to" / "come")) is None) == good

    def test_of_a_link_and_of_what_it_leads_to(self, open_world: Path) -> None:
        good, theirs = owned(open_world / "good"), owned(open_world / "theirs", OTHER)
        (open_world / "to-good").symlink_to(good)
        (open_world / "to-theirs").symlink_to(theirs)
        assert ownership.others(str(open_world / "to-good")) is None
        assert ownership.others(str(open_world / "to-theirs")) is not None
        os.lchown(open_world / "to-good", OTHER, OTHER)
        assert ownership.others(str(open_world / "to-good")) is not None

    def test_of_all_that_lies_on_the_way(self, open_world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Also of what leads to a home, and of each link where one leads to the next."""
        home, shared = owned(open_world / "home"), owned(open_world / "shared", 0, 0o1777)
        monkeypatch.setenv("HOME", str(home))
        mine, theirs = open_world / "mine", owned(shared / "theirs", OTHER)
        (shared / "to-home").symlink_to(home)
        mine.symlink_to(shared / "to-home")
        (theirs / "mine").symlink_to(home)
        assert [ownership.others(str(way)) for way in (mine, shared / "to-home", home)] == [None] * 3
        os.lchown(shared / "to-home", OTHER, OTHER)
        for way in (mine, shared / "to-home", mine / "below", theirs / "mine"):
            assert ownership.others(str(way)) is not None, way

    def test_of_an_access_control_list(self, open_world: Path) -> None:
        """Its mask is the group bits, whoever it allows to write."""
        place = owned(owned(open_world / "above", 0, 0o775) / "mine")
        assert ownership.others(str(place)) is None
        entries = ((1, 7, -1), (2, 7, OTHER), (4, 5, -1), (0x10, 7, -1), (0x20, 5, -1))
        content = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
        try:
            os.setxattr(place.parent, "system.posix_acl_access", content)
        except OSError:
            pytest.skip("a file system without access control lists")
        assert ownership.others(str(place)) is not None
        assert ownership.others(str(place), ["0"]) is not None

    @pytest.mark.parametrize(
        ("mode", "user", "foreign"), [(0o755, 0, False), (0o775, 0, False), (0o1777, 0, True), (0o755, OTHER, True)]
    )
    def test_of_a_home(self, open_world: Path, mode: int, user: int, foreign: bool) -> None:
        home = owned(open_world / "home", user, mode)
        assert [ownership.is_foreign(str(place)) for place in (home, home / "to-come")] == [foreign] * 2
        assert not ownership.is_foreign(str(home), ["everyone"])

    def test_a_group_that_is_trusted_is_no_other(self, open_world: Path) -> None:
        place = owned(owned(open_world / "lab", 0, 0o2775, GROUP) / "mine", OTHER, 0o2775, GROUP)
        assert ownership.others(str(place)) is not None
        assert ownership.others(str(place), [str(GROUP)]) is None
        assert ownership.others(str(place), ["everyone"]) is None
        assert ownership.others(str(place), ["no-such-group"]) is not None


@pytest.mark.parametrize("mode", [0o2775, 0o777])
def test_environments_are_refused_below_a_directory_that_others_can_write_to(
    world: World, open_world: Path, mode: int
) -> None:
    shared = owned(open_world / "shared", 0, mode, GROUP)
    script = world.script("x.sh", SCRIPT)
    world = world.with_(CONDA_EXECUTE_ENV_DIR=str(shared), CONDA_EXECUTE_AUTO_CLEAN="false")
    done = world.execute(script)
    assert (done.returncode, str(shared) in done.stderr, "trusted-groups" in done.stderr) == (
        125,
        True,
        True,
    )  # by name, with the way out
    trusted = world.execute(script, env={"CONDA_EXECUTE_TRUSTED_GROUPS": str(GROUP) if mode == 0o2775 else "everyone"})
    assert (trusted.returncode, trusted.stdout) == (0, "42\n"), trusted.stderr


def test_a_link_that_another_user_laid_is_no_place_for_environments(world: World, open_world: Path) -> None:
    shared, mine = owned(open_world / "tmp", 0, 0o1777), owned(open_world / "home")
    (shared / "tmp_envs").symlink_to(mine)
    os.lchown(shared / "tmp_envs", OTHER, OTHER)
    done = world.with_(CONDA_EXECUTE_ENV_DIR=str(shared / "tmp_envs")).execute(world.script("x.sh", SCRIPT))
    assert done.returncode == 125
    assert os.listdir(mine) == []


@pytest.mark.parametrize("variable", ["CONDA_EXECUTE_CACHE_DIR", "RATTLER_CACHE_DIR", "UV_CACHE_DIR"])
def test_a_cache_of_another_user_is_refused_by_name(world: World, open_world: Path, variable: str) -> None:
    theirs = owned(open_world / "cache", OTHER)
    script = SCRIPT if variable != "UV_CACHE_DIR" else f"{PIP}import six\n"
    done = world.with_(**{variable: str(theirs)}).execute("-c", script)
    assert (done.returncode, str(theirs) in done.stderr) == (125, True), done.stderr
    assert os.listdir(theirs) == []


def test_a_usual_cache_of_another_user_is_not_uv_s(world: World, open_world: Path, tmp_path: Path) -> None:
    tiny.wheel(tmp_path / "wheels", "plain")
    theirs = owned(open_world / "caches", OTHER)
    index = (tmp_path / "wheels").as_uri()
    world = world.with_(XDG_CACHE_HOME=str(theirs), UV_CACHE_DIR=None, UV_FIND_LINKS=index, UV_NO_INDEX="1")
    world.tmpenv("create", "python", "pypi:plain", check=True)
    assert os.listdir(theirs) == []


def test_a_project_above_what_uv_is_told_says_nothing(world: World, tmp_path: Path) -> None:
    """uv takes a project for a member of a workspace whose file is in a directory above, such as `/tmp`."""
    mine, theirs = (
        tiny.wheel(tmp_path / name, "plain", version) for name, version in (("mine", "1.0"), ("theirs", "6"))
    )
    planted = Path(world.environ["TMPDIR"]) / "pyproject.toml"
    sources = f"[tool.uv.sources]\nplain = {{ path = '{theirs}' }}\n"
    planted.write_text(f"[tool.uv.workspace]\nmembers = ['conda-execute-*/*']\n{sources}")
    uv = f"[tool.uv]\nno-index = true\nfind-links = ['{mine.parent}']\n[tool.uv.sources]\nother = {{ path = 'x' }}\n"
    header = f"/// script\ndependencies = ['plain']\n{uv}///\n"
    script = world.script("x.py", "".join(f"# {line}\n" for line in header.splitlines()))
    world.execute("--lock", script, check=True)
    lock = Path(f"{script}.conda-execute.lock").read_text()
    assert ("plain-1.0" in lock, "plain-6" in lock) == (True, False)


def test_a_project_that_another_user_put_above_a_local_package_is_refused(open_world: Path) -> None:
    package = owned(owned(open_world / "tmp", 0, 0o1777) / "mine" / "package")
    planted = open_world / "tmp" / "pyproject.toml"
    planted.write_text("[tool.uv.workspace]\nmembers = ['mine/*']\n")
    assert local_package.keys([str(package)], None, {})
    os.chown(planted, OTHER, OTHER)
    with pytest.raises(PlaceError, match=f"`{planted}` belongs to another user"):
        local_package.keys([str(package)], None, {})
    assert local_package.keys([str(package)], None, {}, [str(OTHER)])


class TestSettings:
    """Each in the place where it counts, as another user would plant it there."""

    @pytest.fixture
    def home(self, open_world: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        home = owned(open_world / "tmp", 0, 0o1777)
        monkeypatch.setenv("HOME", str(home))
        return home

    @pytest.mark.parametrize(
        "name",
        [
            *("~/.condarc", "~/.conda/.condarc", "~/.conda/condarc.d/a.yml", "~/.config/conda/condarc"),
            *("$XDG_CONFIG_HOME/conda/condarc", "$CONDARC", "$CONDA_ROOT/.condarc", "$CONDA_PREFIX/condarc.d/a.yml"),
        ],
    )
    def test_of_another_user_are_refused(self, home: Path, name: str) -> None:
        start, _, rest = name.partition("/")
        path = home / rest if rest else home / "any.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("channels: [x]\nconda-execute: {trusted-groups: [everyone]}\n")
        environ = {} if start == "~" else {start[1:]: str(home if rest else path)}
        assert load(environ, home=str(home)).channels == ("x",)
        assert ownership.others(str(path)) is None
        os.chown(path, OTHER, OTHER)
        with pytest.raises(SettingsError, match=f"`{path}` belongs to another user") as caught:
            load(environ, home=str(home))
        assert f"set `{'HOME' if start == '~' else start[1:]}`" in str(caught.value.hint)
        for trusted in (str(OTHER), "everyone"):
            assert load({**environ, "CONDA_EXECUTE_TRUSTED_GROUPS": trusted}, home=str(home)).channels == ("x",)

    def test_of_an_installation_count_as_it_does(self, home: Path, open_world: Path) -> None:
        """Its programs run as well; and who can write to it may write its settings."""
        root = owned(open_world / "miniforge", OTHER, 0o2775, GROUP)
        (root / ".condarc").write_text("channels: [x]\n")
        for user, group, mode, good in (
            (OTHER, OTHER, 0o644, True),
            (MINE, GROUP, 0o664, True),
            (MINE, OTHER, 0o644, False),
            (OTHER, GROUP, 0o666, False),
        ):
            os.chown(root / ".condarc", user, group)
            (root / ".condarc").chmod(mode)
            with contextlib.nullcontext() if good else pytest.raises(SettingsError):
                assert load({"CONDA_ROOT": str(root)}, home=str(home)).channels == ("x",)

    def test_are_not_handed_to_what_works_for_us(self, home: Path, open_world: Path) -> None:
        """git and uv read more in a home than we could ask about, at any time."""
        mine = owned(open_world / "mine")
        environ = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "x"), "XDG_DATA_HOME": str(mine), "A": "b"}
        environ["TMPDIR"] = str(owned(open_world / "temporary"))
        expected = {**environ, "HOME": private_directory(environ)}
        del expected["XDG_CONFIG_HOME"]
        assert for_our_work(environ) == expected
        assert for_our_work(environ, ["everyone"]) == environ
        assert for_our_work({"HOME": str(mine)}) == {"HOME": str(mine)}

    def test_of_local_packages_are_no_channel(self, home: Path) -> None:
        owned(home / "conda-bld", OTHER)
        with pytest.raises(SettingsError, match="there is none here"):
            resolve_channels(["local"], Settings())


def test_a_script_that_another_user_wrote_for_a_command_is_not_run(
    world: World, open_world: Path, make_channel: Callable[..., str]
) -> None:
    url = make_channel(Package("lua", "9.9", files={"bin/lua": "#!/bin/sh\necho hijacked\n"}))
    caches = owned(open_world / "tmp", 0, 0o1777)
    commands = owned(owned(caches / "conda-execute", OTHER) / "commands", OTHER)
    (commands / "lua").write_text(f"# conda execute\n# env: [lua]\n# channels: ['{url}']\n")
    os.chown(commands / "lua", OTHER, OTHER)
    world = world.with_(XDG_CACHE_HOME=str(caches), CONDA_EXECUTE_CACHE_DIR=None)
    assert world.execute("-x", "lua", "-e", "print(6 * 7)").stdout == "42\n"
    done = world.execute(commands / "lua")
    assert (done.returncode, "belongs to another user" in done.stderr) == (125, True), done.stdout


@pytest.mark.parametrize("planted", ["a file of another user", "a link of another user"])
def test_a_launch_record_of_another_user_is_not_read(furnished: World, tmp_path: Path, planted: str) -> None:
    script = furnished.script("x.py", "# conda execute\n# env: [python]\nprint(6 * 7)\n")
    for _ in range(2):
        assert furnished.execute(script).stdout == "42\n"
    (record,) = (path for path in map(Path, launch_records(str(furnished.cache), str(script))) if path.exists())
    shell = "# conda-execute\necho hijacked; exit 0\n"
    record.write_text(shell)
    assert furnished.execute(script).stdout == "hijacked\n", "as ours, it is run"
    if planted.startswith("a link"):
        (tmp_path / "record").write_text(shell)
        record.unlink()
        record.symlink_to(tmp_path / "record")
    os.lchown(record, OTHER, OTHER)
    assert furnished.execute(script).stdout == "42\n"


class TestLocksBesideAScript:
    @pytest.fixture
    def planted(self, world: World, open_world: Path, make_channel: Callable[..., str]) -> Callable[..., Any]:
        """The script in a shared directory, locked by another user with a channel of theirs of the same name."""
        shared = owned(open_world / "shared", 0, 0o1777)
        script = shared / "mine.sh"
        script.write_text(SCRIPT)
        evil = Package("lua", "9.9", files={"bin/lua": "#!/bin/sh\necho hijacked\n"})
        condarc = world.root / "theirs.yml"
        url = make_channel(evil, name="conda-forge")
        condarc.write_text(f"channels: [conda-forge]\ncustom_channels:\n  conda-forge: {url.rsplit('/', 1)[0]}\n")

        def plant(suffix: str = ".conda-execute.lock", user: int = OTHER, mode: int = 0o644) -> Path:
            lock = shared / f"mine.sh{suffix}"
            world.execute("--lock", "--lock-file", lock, script, env={"CONDARC": str(condarc)}, check=True)
            os.chown(lock, user, user)
            lock.chmod(mode)
            return script

        return plant

    @pytest.mark.parametrize("suffix", [".conda-execute.lock", ".conda-exec.lock", ".pixi.lock"])
    def test_one_of_another_user_is_refused(self, world: World, planted: Callable[..., Path], suffix: str) -> None:
        done = world.execute(planted(suffix))
        assert (done.returncode, suffix in done.stderr, "hijacked" in done.stdout) == (125, True, False), done.stderr
        assert world.execute("--no-lock", planted(suffix)).stdout == "42\n"

    def test_after_a_warm_run_too(self, world: World, planted: Callable[..., Path], open_world: Path) -> None:
        script = open_world / "shared" / "mine.sh"
        for _ in range(2):
            assert world.execute(script).stdout == "42\n"
        assert world.execute(planted()).returncode == 125

    def test_one_that_others_can_write_to_is_refused(self, world: World, planted: Callable[..., Path]) -> None:
        assert world.execute(planted(user=0, mode=0o666)).returncode == 125

    def test_one_of_the_owner_of_the_script_counts(self, world: World, planted: Callable[..., Path]) -> None:
        script = planted()
        os.chown(script, OTHER, OTHER)
        assert world.execute(script).stdout == "hijacked\n"

    def test_one_of_a_trusted_group_counts(self, world: World, planted: Callable[..., Path]) -> None:
        done = world.execute(planted(), env={"CONDA_EXECUTE_TRUSTED_GROUPS": str(OTHER)})
        assert done.stdout == "hijacked\n"


class TestRootWithTheHomeOfAUser:
    @pytest.fixture
    def sudo(self, world: World, open_world: Path) -> World:
        home = owned(open_world / "home", OTHER)
        cleared = dict.fromkeys(
            ("CONDA_EXECUTE_ENV_DIR", "CONDA_EXECUTE_CACHE_DIR", "RATTLER_CACHE_DIR", "UV_CACHE_DIR")
        )
        return world.with_(HOME=str(home), **cleared)

    def test_leaves_nothing_in_it(self, sudo: World) -> None:
        done = sudo.execute(sudo.script("x.sh", SCRIPT))
        assert done.stdout == "42\n", done.stderr
        assert os.listdir(sudo.home) == []

    def test_links_no_package_from_it(self, sudo: World, world: World) -> None:
        theirs = sudo.home / ".cache" / "rattler"
        os.chown(sudo.home, 0, 0)
        first = world.with_(RATTLER_CACHE_DIR=str(theirs / "cache"), CONDA_EXECUTE_ENV_DIR=str(world.root / "other"))
        first.execute(world.script("y.sh", SCRIPT), check=True)
        subprocess.run(["chown", "-R", f"{OTHER}:{OTHER}", sudo.home], check=True)
        (lua,) = theirs.glob("cache/pkgs/lua-*/bin/lua")
        lua.write_bytes(b"#!/bin/sh\necho hijacked".ljust(lua.stat().st_size, b"\n"))
        assert sudo.execute(sudo.script("x.sh", SCRIPT)).stdout == "42\n"

    def test_gives_it_to_no_program_that_installs(self, sudo: World, make_channel: Callable[..., str]) -> None:
        code = b'#!/bin/sh\necho left > "$HOME/left"\necho "at $HOME and $XDG_CACHE_HOME" > "$PREFIX/.messages.txt"\n'
        url = make_channel(Package("linked", files={"bin/.linked-post-link.sh": File(code, executable=True)}))
        sudo = sudo.with_(XDG_CACHE_HOME=str(sudo.home / "cache"))
        done = sudo.tmpenv("create", "-c", url, "linked", check=True)
        assert f"at {sudo.environ['TMPDIR']}/conda-execute-0 and\n" in done.stderr
        assert os.listdir(sudo.home) == []

    def test_asks_git_without_it(self, sudo: World) -> None:
        """A setting of git's has it run a program."""
        program = sudo.script("program", f"#!/bin/sh\ntouch {sudo.root}/ran\n")
        settings = f"[log]\nshowSignature = true\n[gpg]\nprogram = {program}\n"
        script = sudo.script("x.sh", SCRIPT.replace("# run_with", "# exclude-newer: commit\n# run_with"))
        commit = "git init -q && git add x.sh && git -c user.name=a -c user.email=a@b commit -qm x"
        sudo.run(["sh", "-c", commit], check=True)
        content = "tree $(git write-tree)\nauthor a <a@b> 1700000000 +0000\ncommitter a <a@b> 1700000000 +0000\n"
        content += "gpgsig -----BEGIN PGP SIGNATURE-----\n \n =x\n -----END PGP SIGNATURE-----\n\nsigned\n"
        signed = f'printf "{content}" | git hash-object -t commit -w --stdin'
        sudo.run(["sh", "-c", f"git update-ref HEAD $({signed})"], check=True)
        for file in (sudo.home / ".gitconfig", sudo.work / ".git" / "config"):
            file.write_text(settings)
            assert (sudo.run(["git", "log", "-1"]).returncode, (sudo.root / "ran").exists()) == (0, True)
            (sudo.root / "ran").unlink()
            sudo.execute("--check", script, check=True)
            assert not (sudo.root / "ran").exists()
            file.unlink()

    @pytest.mark.stress
    def test_opens_nothing_below_it(self, sudo: World, make_channel: Callable[..., str], tmp_path: Path) -> None:
        """As the kernel saw it, whatever is done. What is only looked for (stat, access) changes nothing."""
        if shutil.which("strace") is None:
            pytest.skip("no strace")
        for name in (".netrc", ".condarc", ".gitconfig", ".config/uv/uv.toml", ".config/pip/pip.conf", ".bashrc"):
            (sudo.home / name).parent.mkdir(parents=True, exist_ok=True)
            (sudo.home / name).write_text("# of the user\n")
        subprocess.run(["chown", "-R", f"{OTHER}:{OTHER}", sudo.home], check=True)
        there = sorted(sudo.home.rglob("*"))
        link = File(b"#!/bin/sh\necho > ~/left; cat ~/.netrc\n", executable=True)
        again = "export ACTIVE=1\n"
        url = make_channel(
            Package("active", files={"etc/conda/activate.d/a.sh": again, "bin/.active-post-link.sh": link})
        )
        lua, pip = sudo.script("lua.sh", SCRIPT), sudo.script("pip.py", f"{PIP}import six\n")
        active = sudo.script("active.sh", f"# conda execute\n# env: [active]\n# channels: ['{url}']\n# run_with: sh\n")
        for words in (
            *(["conda-execute", "--trust", *options] for options in ([lua], [pip], [active], ["-v", active], [pip])),
            *(["conda-execute", *options] for options in (["--lock", pip], [pip], ["-c", SCRIPT], ["-x", "lua", "-v"])),
            *(["conda-execute", *options, lua] for options in (["--check"], ["--dry-run"], ["--export", "explicit"])),
            *(["conda-execute", *options, lua] for options in (["--add", "lua"], ["--force-env"], ["--print-prefix"])),
            *(["conda-tmpenv", *options] for options in (["audit"], ["list"], ["info", lua], ["clear", "--caches"])),
        ):
            trace = tmp_path / "trace"
            sudo.run(["strace", "-f", "-qq", "-s", "4096", "-e", "trace=file", "-o", trace, *words])
            looks = r"\w*stat\w*|access|faccessat2?|readlink|statx"
            touched = re.findall(rf'\d+ +(?!(?:{looks})\()(\w+\(.*?"{sudo.home}[^"]*".*)', trace.read_text())
            assert touched == [], words
            assert sorted(sudo.home.rglob("*")) == there, words

    def test_has_no_local_channel_in_it(self, sudo: World) -> None:
        (sudo.home / "conda-bld").mkdir()
        done = sudo.execute("--check", "-c", SCRIPT.replace("# run_with", "# channels: [local]\n# run_with"))
        assert (done.returncode, "there is none here" in done.stderr) == (125, True), done.stderr

    def test_reads_no_settings_from_it(self, sudo: World) -> None:
        (sudo.home / ".condarc").write_text("conda-execute: {no-such-setting: 1}\n")
        os.chown(sudo.home / ".condarc", OTHER, OTHER)
        assert sudo.execute("--check", sudo.script("x.sh", SCRIPT)).returncode == 0


def test_what_is_refused_is_named(open_world: Path) -> None:
    theirs = owned(open_world / "theirs", OTHER)
    with pytest.raises(PlaceError, match="belongs to another user") as caught:
        ownership.refuse_others(str(theirs / "below"))
    assert f"`{theirs}`" in caught.value.message
