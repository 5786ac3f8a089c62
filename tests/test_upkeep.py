"""What `conda execute` does to scripts instead of running them, as a user sees it: edited headers, locks."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.channel import Package, write_channel
from tests.oracle import conda_program
from tests.test_lock import Channel

if TYPE_CHECKING:
    from tests.conftest import World

SIX = """\
#!/usr/bin/env conda-execute
# conda execute
# env:
#  - python >=3  # ours
#  - six

import six, sys
print(six.__version__, sys.argv[1:])
"""


def hashes(world: World) -> set[tuple[str, str]]:
    """Name and SHA-256 of what is installed in the only environment."""
    (prefix,) = world.prefixes()
    records = [json.loads(path.read_text()) for path in (prefix / "conda-meta").glob("*.json")]
    return {(record["name"], record["sha256"]) for record in records}


# Editing -----------------------------------------------------------------------------------------------------------


def test_add_puts_a_spec_into_the_header_and_nothing_else_changes(world: World) -> None:
    script = world.script("s.py", SIX)
    script.chmod(0o751)
    world.execute("--add", "idna >=3", script, check=True)
    assert script.read_text() == SIX.replace("#  - six\n", "#  - six\n#  - idna >=3\n")
    assert script.stat().st_mode & 0o777 == 0o751


def test_remove_undoes_add(world: World) -> None:
    script = world.script("s.py", SIX)
    world.execute("--add", "idna", script, check=True)
    world.execute("--remove", "idna", script, check=True)
    assert script.read_text() == SIX


def test_the_only_spec_can_be_exchanged(world: World) -> None:
    script = world.script("s.sh", "# conda execute\n# env:\n#  - six\n# run_with: sh\n")
    world.execute("--remove", "six", "--add", "idna", script, check=True)
    assert script.read_text() == "# conda execute\n# env:\n#  - idna\n# run_with: sh\n"


def test_an_edit_that_cannot_be_solved_is_not_written(world: World) -> None:
    script = world.script("s.py", SIX)
    done = world.execute("--add", "sixx", script)
    assert done.returncode == 125
    assert "did you mean `six`?" in done.stderr
    assert script.read_text() == SIX


def test_dry_run_of_an_edit_shows_the_difference(world: World) -> None:
    script = world.script("s.py", SIX)
    done = world.execute("--add", "idna", "--dry-run", script, check=True)
    assert "+#  - idna\n" in done.stdout
    assert script.read_text() == SIX


def test_init_writes_a_header_that_works(world: World) -> None:
    script = world.script("s.py", "#!/usr/bin/env python\nprint('works')\n")
    world.execute("--init", "--add", "six", script, check=True)
    assert world.execute(script, check=True).stdout == "works\n"


def test_init_makes_a_script_that_is_not_there_yet(world: World) -> None:
    world.execute("--init", "new.lua", check=True)
    assert (world.work / "new.lua").read_text().startswith("-- conda execute\n")


def test_init_in_a_folder_that_is_not_there_is_refused_before_anything_is_solved(world: World) -> None:
    done = world.execute("--init", "--add", "no-such-package", "new/s.py")
    assert done.returncode == 125
    assert "mkdir -p new" in done.stderr
    assert "no-such-package" not in done.stderr


def test_what_was_saved_meanwhile_is_not_overwritten(world: World, tmp_path: Path) -> None:
    """Solving takes a while, and the script may be open in an editor."""
    write_channel(tmp_path / "slow", [Package("tool", "1.0"), Package("other", "1.0")])
    script = world.work / "s.sh"
    with Channel(tmp_path / "slow", then=lambda: script.write_text(text + "more\n")) as server:
        text = f"# conda execute\n# env: [tool]\n# channels: ['{server.url}']\n"
        world.script("s.sh", text)
        done = world.execute("--add", "other", script)
    assert done.returncode == 125
    assert "was changed by another program" in done.stderr
    assert script.read_text() == text + "more\n"


@pytest.mark.skipif(sys.platform == "win32", reason="FIFOs")
def test_what_is_no_file_is_not_edited(world: World) -> None:
    """A FIFO would be replaced by a file."""
    pipe = world.work / "pipe"
    os.mkfifo(pipe)
    editor = world.start(["conda-execute", "--add", "idna", pipe])
    pipe.write_text(SIX)
    _, said = editor.communicate(timeout=60)
    assert editor.returncode == 125
    assert "only the header of a file can be edited" in said
    assert pipe.is_fifo()


@pytest.mark.parametrize("option", ["--add", "--remove"])
def test_editing_needs_a_script_that_is_there(world: World, option: str) -> None:
    assert world.execute(option, "six", "none.py").returncode == 127
    assert not (world.work / "none.py").exists()


# Locks -------------------------------------------------------------------------------------------------------------


def test_a_lock_gives_the_same_packages_without_repodata_or_network(world: World) -> None:
    """Lock, delete the environment and what is known of the channels, cut the network: the same, by hash."""
    script = world.script("s.py", SIX)
    world.execute(script, check=True)
    before = hashes(world)
    world.execute("--lock", script, check=True)
    world.tmpenv("clear", check=True)
    repodata = Path(world.environ["RATTLER_CACHE_DIR"]) / "repodata"
    private = world.root / "rattler"
    shutil.copytree(repodata.parent / "pkgs", private / "pkgs", symlinks=True)
    elsewhere = world.with_(RATTLER_CACHE_DIR=str(private), CONDARC=None)
    done = elsewhere.execute("--offline", "--locked", script, check=True)
    assert done.stdout.startswith("1.")
    assert hashes(world) == before


def test_a_newer_package_does_not_unsettle_a_lock(world: World, tmp_path: Path) -> None:
    tool = "#!/bin/sh\necho {}\n"
    where = tmp_path / "moving"
    url = write_channel(where, [Package("tool", "1.0", files={"bin/tool": tool.format(1)})])
    script = world.script("s.sh", f"# conda execute\n# env: [tool]\n# channels: ['{url}']\ntool\n")
    world.execute("--lock", script, check=True)
    write_channel(where, [Package("tool", "2.0", files={"bin/tool": tool.format(2)})])
    assert world.execute(script, check=True).stdout == "1\n"
    assert world.execute("--no-lock", script, check=True).stdout == "2\n"


def test_an_environment_that_is_too_old_is_made_again_beside_the_old_one(world: World, tmp_path: Path) -> None:
    directory = tmp_path / "channel"
    old, new = (Package("greet", version, {"bin/greet": f"#!/bin/sh\necho {version}\n"}) for version in ("1.0", "1.1"))
    write_channel(directory, [old])
    header = f"# conda execute\n# env:\n#  - greet\n# channels: [{directory.as_uri()}]\n# run_with: sh\n"
    script = world.script("s.sh", header + "\ngreet\n")
    renewing = world.script("r.sh", header + "# renew-after: 30\n\ngreet\n")
    assert world.execute(renewing, check=True).stdout == "1.0\n"
    write_channel(directory, [old, new])
    assert world.execute(renewing, check=True).stderr == ""
    (prefix,) = world.prefixes()
    moment = time.time() - 31 * 86400
    for path in (prefix / "conda-meta" / "conda-execute", *prefix.glob("conda-meta/conda-execute.renew-*")):
        os.utime(path, (moment, moment))
    assert world.execute(script, check=True).stdout == "1.0\n", "the setting is off by default"
    done = world.execute(renewing, check=True)
    assert (done.stdout, done.stderr.count("`renew-after`")) == ("1.1\n", 1)
    assert {path.name for path in world.prefixes()} == {prefix.name, f"{prefix.name}.1"}
    assert (world.execute(renewing, check=True).stdout, world.execute(renewing, check=True).stderr) == ("1.1\n", "")
    assert world.with_(CONDA_EXECUTE_RENEW_AFTER="30").execute(script, check=True).stdout == "1.1\n"


def test_a_stale_lock_is_ignored_with_one_line_or_refused(world: World) -> None:
    script = world.script("s.py", SIX)
    world.execute("--lock", script, check=True)
    script.write_text(SIX.replace("six\n\n", "six >=1\n\n"))
    done = world.execute(script, check=True)
    assert "is ignored" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    refused = world.execute("--locked", script)
    assert refused.returncode == 125
    assert "requirements have changed since it was written" in refused.stderr
    assert world.execute(script, check=True).stderr == done.stderr, "every run tells of it, launched or not"


def test_what_one_run_asks_for_is_not_said_of_the_script(world: World) -> None:
    script = world.script("s.py", SIX)
    world.execute("--lock", script, check=True)
    lock = script.with_name("s.py.conda-execute.lock")
    done = world.execute("--with", "attrs", script, check=True)
    told = f"the lock `{lock}` is ignored: `--with` asks for something that it does not contain\n"
    assert done.stderr == f"conda-execute: {told}"
    refused = world.execute("--locked", "--with", "attrs", script)
    assert refused.returncode == 125
    assert refused.stderr.endswith("hint: leave out `--with` or `--locked`\n")
    assert world.execute("--locked", script, check=True).stderr == ""


def test_a_lock_that_is_a_directory_is_one_line(world: World) -> None:
    script = world.script("s.py", SIX)
    lock = script.with_name("s.py.conda-execute.lock")
    lock.mkdir()
    assert world.execute(script).stderr == f"error (lock): the lock `{lock}` cannot be read: Is a directory\n"


def test_locked_without_a_lock_is_refused(world: World) -> None:
    done = world.execute("--locked", world.script("s.py", SIX))
    assert done.returncode == 125
    assert "there is no lock" in done.stderr
    assert not world.prefixes()


@pytest.mark.parametrize(("old", "new"), [("six-1.17.0", "six-1.16.0"), ("sha256: ", "sha256: 0")], ids=["url", "hash"])
def test_a_lock_that_was_tampered_with_is_refused(world: World, old: str, new: str) -> None:
    script = world.script("s.py", SIX)
    world.execute("--lock", script, check=True)
    lock = script.with_name("s.py.conda-execute.lock")
    assert old in lock.read_text()
    lock.write_text(lock.read_text().replace(old, new))
    done = world.execute(script)
    assert done.returncode == 125
    assert "was changed after it was written" in done.stderr
    assert not world.prefixes()


def test_a_package_that_was_exchanged_is_refused(world: World, tmp_path: Path) -> None:
    where = tmp_path / "exchanged"
    url = write_channel(where, [Package("tool", "1.0", files={"bin/tool": "#!/bin/sh\necho good\n"})])
    script = world.script("s.sh", f"# conda execute\n# env: [tool]\n# channels: ['{url}']\ntool\n")
    world.execute("--lock", script, check=True)
    write_channel(where, [Package("tool", "1.0", files={"bin/tool": "#!/bin/sh\necho evil\n"})])
    done = world.execute(script, env={"RATTLER_CACHE_DIR": str(tmp_path / "cold")})
    assert done.returncode == 125
    assert "sha256" in done.stderr
    assert not world.prefixes()


@pytest.fixture
def unpacked(world: World, tmp_path: Path) -> tuple[World, Path, Path]:
    """A world with a package cache of its own, a script with a lock, and the file of its package in that cache."""
    where = tmp_path / "unpacked"
    url = write_channel(where, [Package("tool", "1.0", files={"bin/tool": "#!/bin/sh\necho good\n"})])
    mine = world.with_(RATTLER_CACHE_DIR=str(tmp_path / "cache"))
    script = mine.script("s.sh", f"# conda execute\n# env: [tool]\n# channels: ['{url}']\ntool\n")
    mine.execute("--lock", script, check=True)
    mine.execute(script, check=True)
    mine.tmpenv("clear", check=True)
    (file,) = (tmp_path / "cache" / "pkgs").glob("tool-*/bin/tool")
    return mine, script, file


def test_what_was_changed_in_the_package_cache_is_fetched_again_for_a_lock(unpacked: tuple[World, Path, Path]) -> None:
    world, script, file = unpacked
    file.chmod(0o755)
    file.write_text("#!/bin/sh\necho evil\n")
    done = world.execute("--locked", script, check=True)
    assert done.stdout == "good\n"


@pytest.mark.parametrize("option", ["--locked", "--no-lock"])
def test_what_is_gone_from_the_package_cache_is_fetched_again(unpacked: tuple[World, Path, Path], option: str) -> None:
    world, script, file = unpacked
    file.unlink()
    assert world.execute(option, script, check=True).stdout == "good\n"


def test_a_damaged_package_cache_does_not_break_offline(unpacked: tuple[World, Path, Path], tmp_path: Path) -> None:
    """Nothing is asked of the network, and what was changed does not run."""
    world, script, file = unpacked
    text = script.read_text()
    with Channel(tmp_path / "unpacked") as server:
        script.write_text(text.replace((tmp_path / "unpacked").as_uri(), server.url))
        world.execute("--lock", script, check=True)
        world.execute(script, check=True)
        world.tmpenv("clear", check=True)
        file.chmod(0o755)
        file.write_text("#!/bin/sh\necho evil\n")
        server.asked.clear()
        done = world.execute("--offline", script)
        assert done.returncode == 125
        assert "damaged in the cache, and `--offline` does not allow" in done.stderr
        assert not server.asked
        assert not world.prefixes()


def test_a_lock_decides_for_every_backend(world: World, tmp_path: Path) -> None:
    program = conda_program()
    where = tmp_path / "moving"
    url = write_channel(where, [Package("tool", "1.0", files={"bin/tool": "#!/bin/sh\necho 1\n"})])
    script = world.script("s.sh", f"# conda execute\n# env: [tool]\n# channels: ['{url}']\ntool\n")
    world.execute("--lock", script, check=True)
    write_channel(where, [Package("tool", "2.0", files={"bin/tool": "#!/bin/sh\necho 2\n"})])
    by_conda = world.with_(CONDA_EXE=program, CONDA_PKGS_DIRS=str(tmp_path / "pkgs"), CONDA_SOLVER="classic")
    assert by_conda.execute("--backend", "conda", "--locked", script, check=True).stdout == "1\n"
    assert by_conda.execute("--backend", "conda", "--no-lock", script, check=True).stdout == "2\n"


def test_a_lock_for_another_platform_is_refused(world: World, tmp_path: Path) -> None:
    url = write_channel(tmp_path / "any", [Package("tool", "1.0", files={"bin/tool": "#!/bin/sh\n"}, subdir="noarch")])
    script = world.script("s.sh", f"# conda execute\n# env: [tool]\n# channels: ['{url}']\ntool\n")
    world.execute("--lock", "--platform", "osx-arm64", script, check=True)
    done = world.execute(script)
    assert done.returncode == 125
    assert "contains no packages for linux-64" in done.stderr
    both = ["--platform", "osx-arm64", "--platform", "linux-64"]
    world.execute("--lock", *both, *both, script, check=True)
    assert script.with_name("s.sh.conda-execute.lock").read_text().count("# input ") == 2
    world.execute("--locked", script, check=True)


def test_an_embedded_lock_is_found_and_leaves_the_rest_of_the_script(world: World) -> None:
    script = world.script("s.py", SIX)
    world.execute("--lock", "--embed", script, check=True)
    lines = script.read_text().splitlines()
    assert [line for line in lines[: len(SIX.splitlines()) + 1] if "embedded lock" not in line] == SIX.splitlines()
    assert world.execute("--locked", script, "a", check=True).stdout.endswith("['a']\n")
    text = script.read_text()
    world.execute("--lock", "--embed", script, check=True)
    assert script.read_text() == text, "locking again changes nothing"


@pytest.mark.parametrize("left", [0, 900], ids=["all", "half"])
def test_a_script_that_lost_the_lock_at_its_end_does_not_run_without(world: World, left: int) -> None:
    """A file that was cut off must not be solved again in silence; and `--lock` fixes it."""
    script = world.script("s.py", SIX)
    world.execute("--lock", "--embed", script, check=True)
    whole = script.read_text()
    script.write_text(whole[: whole.index("# /// conda-execute-lock") + left])
    done = world.execute(script)
    assert done.returncode == 125
    assert done.stderr.startswith("error (lock)")
    assert not world.prefixes()
    world.execute("--no-lock", script, check=True)
    world.execute("--lock", "--embed", script, check=True)
    assert script.read_text() == whole


@pytest.mark.parametrize("mark", ["__END__", "__DATA__\r"])
def test_a_lock_is_not_embedded_where_a_script_keeps_data(world: World, mark: str) -> None:
    text = f"# conda execute\n# env: [six]\nprint while <DATA>;\n{mark}\nmine\n"
    script = world.script("s.pl", text.encode())
    done = world.execute("--lock", "--embed", script)
    assert done.returncode == 125
    assert "leave out `--embed`" in done.stderr
    assert script.read_bytes() == text.encode()


def test_a_lock_is_not_embedded_where_it_would_be_printed(world: World) -> None:
    text = "<?php\n// conda execute\n// env: [lua]\n?>\n<p>Hello</p>\n<?php echo 1; ?>\n"
    script = world.script("s.php", text)
    done = world.execute("--lock", "--embed", script)
    assert done.returncode == 125
    assert "would print a lock" in done.stderr
    assert script.read_text() == text


def test_a_header_within_a_comment_of_several_lines_has_its_lock_outside_of_it(world: World) -> None:
    header = "/*\n * conda execute\n * env: [lua]\n * run_with: cat\n */\ncode();\n"
    script = world.script("s.js", header)
    world.execute("--lock", "--embed", script, check=True)
    _, code, behind = script.read_text().partition("code();\n")
    assert code
    assert all(line.startswith("// ") for line in behind.splitlines())
    world.execute("--locked", script, check=True)
    unknown = world.script("s.odd", header)
    assert "might not be a comment" in world.execute("--lock", "--embed", unknown).stderr
    assert unknown.read_text() == header


@pytest.mark.parametrize("mark", ["REM", "@rem", "dnl"])
def test_a_lock_is_found_in_comments_that_begin_with_a_word(world: World, mark: str) -> None:
    text = f"{mark} conda execute\n{mark} env: [lua]\n{mark} run_with: cat\n\ncode\n"
    script = world.script("s.odd", text)
    world.execute("--lock", "--embed", script, check=True)
    once = script.read_text()
    world.execute("--locked", script, check=True)
    world.execute("--lock", script, check=True)
    assert script.read_text() == once


@pytest.mark.parametrize("gone", ["# conda-execute lock", "# input", "# packages", "#"])
@pytest.mark.parametrize("option", [[], ["--embed"]], ids=["beside", "embedded"])
def test_a_lock_without_one_of_its_first_lines_is_refused(world: World, gone: str, option: list[str]) -> None:
    """Without them nobody can tell whether the lock was changed; the title says nothing that a file's name does not."""
    script = world.script("s.py", SIX)
    world.execute("--lock", *option, script, check=True)
    path = script if option else script.with_name("s.py.conda-execute.lock")
    start = f"# {gone}" if option else gone
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith(start) or line.startswith("# ///")))
    done = world.execute(script)
    if gone == "# conda-execute lock" and not option:
        assert done.returncode == 0
        return
    assert done.returncode == 125
    assert not world.prefixes()


def test_a_lock_has_nothing_of_channels_that_are_not_allowed(world: World, tmp_path: Path) -> None:
    url = write_channel(tmp_path / "mine", [Package("six", "99", files={"bin/six": "#!/bin/sh\n"})])
    script = world.script("s.sh", f"# conda execute\n# env: [six]\n# channels: ['{url}']\n# run_with: cat\n")
    world.execute("--lock", "--lock-file", "s.sh.pixi.lock", script, check=True)
    plain = world.script("s.sh", "# conda execute\n# env: [six]\n# run_with: cat\n")
    lock = world.work / "s.sh.pixi.lock"
    lock.write_text("".join(line for line in lock.read_text().splitlines(True) if not line.startswith("#")))
    for setting in ("allowlist_channels: [conda-forge]\n", f"denylist_channels: ['{url}']\n"):
        done = world.with_settings(setting).execute(plain)
        assert done.returncode == 125
        assert f"the lock `{lock}` has packages of it" in done.stderr
        assert not world.prefixes()
    world.execute(plain, check=True)


def test_a_script_that_carries_its_lock_gets_the_new_one_in_its_place(world: World) -> None:
    script = world.script("s.py", SIX)
    world.execute("--lock", "--embed", script, check=True)
    world.execute("--add", "idna", script, check=True)
    world.execute("--lock", script, check=True)
    assert not script.with_name("s.py.conda-execute.lock").exists()
    assert "is ignored" not in world.execute("--locked", script, check=True).stderr


@pytest.mark.parametrize("target", ["s.py", "notes.txt"])
def test_a_lock_overwrites_nothing_but_a_lock(world: World, target: str) -> None:
    world.script("s.py", SIX)
    (world.work / "notes.txt").write_text("mine\n")
    before = (world.work / target).read_text()
    done = world.execute("--lock", "--lock-file", target, "s.py")
    assert done.returncode == 125
    assert "is not a lock file" in done.stderr
    assert (world.work / target).read_text() == before


def test_a_lock_that_was_named_and_is_missing_is_an_error(world: World) -> None:
    done = world.execute("--lock-file", "typo.lock", world.script("s.py", SIX))
    assert done.returncode == 125
    assert "there is no lock at `typo.lock`" in done.stderr
    assert "--lock-file typo.lock" in done.stderr


def test_a_lock_that_lost_its_beginning_is_refused(world: World) -> None:
    script = world.script("s.py", SIX)
    script.with_name("s.py.conda-execute.lock").write_text("")
    done = world.execute(script)
    assert done.returncode == 125
    assert not world.prefixes()


def test_an_edit_whose_requirement_is_not_on_pypi_is_not_written(world: World) -> None:
    script = world.script("s.py", SIX)
    done = world.execute("--add", "pypi:no-such-package-of-anybody-1", script)
    assert done.returncode == 125
    assert script.read_text() == SIX


def test_a_lock_elsewhere_serves_where_it_is_named(world: World) -> None:
    script = world.script("s.py", SIX)
    (world.work / "locks").mkdir()
    world.execute("--lock", "--lock-file", "locks/s.lock", script, check=True)
    assert not script.with_name("s.py.conda-execute.lock").exists()
    world.execute("--locked", "--lock-file", "locks/s.lock", script, check=True)
    assert world.execute("--locked", script).returncode == 125


def test_the_launcher_notices_a_lock(world: World) -> None:
    """One that appears, that changes and that goes: each run has what a run through Python would have."""
    script = world.script("s.py", SIX.replace("print(", "print(sys.prefix, "))
    plain = world.execute(script, check=True).stdout.split()[0]
    assert world.execute(script, check=True).stdout.split()[0] == plain
    world.execute("--lock", script, check=True)
    locked = world.execute(script, check=True).stdout.split()[0]
    assert locked != plain
    assert world.execute(script, check=True).stdout.split()[0] == locked
    script.with_name("s.py.conda-execute.lock").unlink()
    assert world.execute(script, check=True).stdout.split()[0] == plain


# Passing on --------------------------------------------------------------------------------------------------------


def test_an_exported_file_makes_the_same_environment(world: World) -> None:
    script = world.script("s.py", SIX)
    text = world.execute("--export", "environment.yml", script, check=True).stdout
    before = hashes(world)
    (world.work / "environment.yml").write_text(text)
    world.tmpenv("clear", check=True)
    world.tmpenv("create", "--file", "environment.yml", check=True)
    assert hashes(world) == before


def test_an_exported_environment_has_a_name_that_conda_takes(world: World) -> None:
    for script, name in (("my plot: #1.py", "my-plot-1"), ("on.py", '"on"')):
        done = world.execute("--export", "environment.yml", world.script(script, SIX), check=True)
        assert done.stdout.startswith(f"name: {name}\n")


def test_a_packed_environment_runs_elsewhere_with_the_original_gone(world: World, tmp_path: Path) -> None:
    pytest.importorskip("conda_pack", reason="conda-pack is an extra")
    script = world.script("s.py", SIX)
    archive = tmp_path / "packed.tar.gz"
    world.execute("--pack", archive, script, check=True)
    world.tmpenv("clear", check=True)
    assert not world.prefixes()
    place = tmp_path / "else where"
    shutil.unpack_archive(archive, place)
    world.run([place / "bin" / "python", place / "bin" / "conda-unpack"], check=True)
    done = world.run([place / "bin" / "python", script, "a"], check=True)
    assert done.stdout.endswith("['a']\n")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--embed", "s.py"], "`--embed` goes with `--lock`"),
        (["--platform", "linux-64", "s.py"], "`--platform` goes with `--lock`"),
        (["--lock", "--platform", "linux64", "s.py"], "did you mean `linux-64`?"),
        (["--locked", "--no-lock", "s.py"], "contradict"),
        (["--lock", "--shell", "s.py"], "ask for different things"),
        (["--add", "x", "--lock", "s.py"], "ask for different things"),
        (["--lock", "-c", "# conda execute", "# env: [six]"], "a script that is a file"),
        (["--add", "six", "--remove", "six", "s.py"], "both added and removed"),
        (["--lock", "--embed", "--lock-file", "x", "s.py"], "name different places"),
        (["--export", "explicti", "s.py"], "did you mean `explicit`?"),
        (["--export", "explicit", "--shell", "s.py"], "ask for different things"),
        (["--add", "six", "-"], "only the header of a file"),
        (["--init", "--remove", "six", "s.py"], "nothing to remove"),
        (["--add", "six", "--channel", "bioconda", "s.py"], "`--channel` is for one run"),
        (["--remove", "six", "--with", "idna", "s.py"], "`--with` is for one run"),
        (["--init", "--exclude-newer", "2026-01-01", "s.py"], "`--exclude-newer` is for one run"),
        (["--add", "six", "s.py", "idna"], "the script is the last word: `conda-execute --add six idna s.py`"),
        (["--add", "six", "--remove", "idna", "attrs", "s.py"], "`--add attrs` or `--remove attrs`"),
        (["--init", "idna", "s.py"], "unexpected argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_line_is_one_message(world: World, argv: list[str], words: str) -> None:
    script = world.script("s.py", SIX)
    done = world.execute(*argv)
    assert done.returncode == 125
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert script.read_text() == SIX
