"""Scripts in a sandbox, run as a user runs them: what they may do, what they may not, and what is refused."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conda_execute.errors import HeaderError, UsageError
from conda_execute.launch.sandbox import policy, seatbelt
from conda_execute.launch.sandbox.kernel import FLOOR, PROCESSORS, Kernel, lack, look
from conda_execute.model import Narrowing
from tests.channel import Package
from tests.conftest import CHECKOUT, World, needs_kernel
from tests.tiny import wheel

HEADER = "# conda execute\n# env:\n#  - python\n"


def script(project: Path, code: str, header: str = HEADER) -> Path:
    path = project / "script.py"
    path.write_text(f"{header}\n{code}\n")
    return path


TRIES = """
import json, os, sys

def can(attempt):
    try:
        attempt()
    except OSError as error:
        return False
    return True

def connect():
    import socket
    socket.create_connection(("127.0.0.1", int(os.environ.get("PORT", "1"))), 1).close()

told = {
    "pid": os.getpid(),
    "reads the secret": can(lambda: open(%(secret)r).read()),
    "reads its folder": can(lambda: open(%(script)r).read()),
    "writes here": can(lambda: open("written", "w").close()),
    "writes to the environment": can(lambda: open(sys.prefix + "/written", "w").close()),
    "writes to TMPDIR": can(lambda: open(os.environ.get("TMPDIR", "/tmp") + "/written", "w").close()),
    "variables": sorted(os.environ),
    "home": os.path.expanduser("~"),
    "here": os.getcwd(),
}
print(json.dumps(told))
"""


def tries(world: World, project: Path, *options: str, header: str = HEADER) -> dict[str, object]:
    path = script(project, "", header)
    path.write_text(header + TRIES % {"secret": str(world.home / "secret"), "script": str(path)})
    done = world.with_(SECRET="secret").execute(*options, path, cwd=project, check=True)
    told: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return told


@needs_kernel
def test_script_in_a_sandbox_reads_its_folder_and_writes_where_it_works(world: World, project: Path) -> None:
    told = tries(world, project, "--sandbox")
    assert told["reads its folder"]
    assert told["writes here"]
    assert told["writes to TMPDIR"]
    assert told["here"] == str(project)
    assert not told["reads the secret"]
    assert not told["writes to the environment"]
    assert told["home"] != str(world.home)
    assert (project / "written").exists()


@needs_kernel
def test_variables_are_a_short_list(world: World, project: Path) -> None:
    assert "SECRET" not in str(tries(world, project, "--sandbox")["variables"])
    assert "SECRET" in str(tries(world, project, "--sandbox", "--allow-env", "SECRET")["variables"])
    assert "SECRET" in str(tries(world, project, "--sandbox", "--allow-env", "SEC*")["variables"])


@needs_kernel
def test_entering_imports_nothing_that_takes_longer_than_the_kernel_does(tmp_path: Path) -> None:
    code = f"""
import os, sys
sys.path.insert(0, {str(CHECKOUT)!r})
before = set(sys.modules)
from conda_execute.launch import sandbox
from conda_execute.launch.sandbox.policy import SYSTEM, SandboxPolicy
sandbox.enter(SandboxPolicy((*SYSTEM, os.path.dirname(os.__file__)), ({str(tmp_path)!r},), folder={str(tmp_path)!r}))
os.write(1, "\\n".join(set(sys.modules) - before).encode())
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert not {"ctypes", "struct", "_socket", "fcntl", "shutil", "json", "pickle"} & set(done.stdout.split())


@needs_kernel
def test_process_stays_what_it_was(world: World, project: Path) -> None:
    """Its id, its status, its streams and its signals are the script's own."""
    path = script(project, "import os, sys; print(os.getpid(), sys.stdin.read()); sys.exit(7)")
    started = world.start(
        ["conda-execute", "--sandbox", path], cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    printed, _ = started.communicate("asked")
    assert printed == f"{started.pid} asked\n"
    assert started.returncode == 7
    path.write_text(HEADER + "import os, signal; os.kill(os.getpid(), signal.SIGTERM)\n")
    assert world.execute("--sandbox", path, cwd=project).returncode == -signal.SIGTERM


@needs_kernel
def test_folder_that_is_allowed_is_the_only_one_to_write_to(world: World, project: Path) -> None:
    (project / "out").mkdir()
    path = script(project, "open('out/x', 'w').close()\ntry: open('x', 'w')\nexcept OSError: print('kept')")
    assert world.execute("--sandbox", "--allow-write", "out", path, cwd=project, check=True).stdout == "kept\n"


@needs_kernel
def test_folder_that_is_a_link_is_written_to_by_both_names(world: World, project: Path) -> None:
    (world.home / "far").mkdir()
    (project / "out").symlink_to(world.home / "far")
    path = script(project, f"open('out/x', 'w').close(); open({str(world.home / 'far' / 'y')!r}, 'w').close()")
    world.execute("--sandbox", "--allow-write", "out", path, cwd=project, check=True)
    assert sorted(one.name for one in (world.home / "far").iterdir()) == ["x", "y"]


@needs_kernel
@pytest.mark.parametrize("namespaces", [True, False])
def test_folder_that_is_exchanged_for_a_link_is_not_opened(tmp_path: Path, namespaces: bool) -> None:
    """By a script that runs at the same time, after it was looked at."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "secrets")
    code = f"""
import os, sys
sys.path.insert(0, {str(CHECKOUT)!r})
from conda_execute.lean.values import replace
from conda_execute.launch import sandbox
from conda_execute.launch.sandbox import kernel, policy
found = replace(kernel.look(), forbids_namespaces={None if namespaces else "test"!r})
out = {str(tmp_path / "out")!r}
read = (*policy.SYSTEM, os.path.dirname(os.__file__))
sandbox.enter(policy.SandboxPolicy(read, (out,)), found)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "was replaced with a link" in done.stderr


@needs_kernel
def test_home_as_working_directory_stays_closed(world: World, project: Path) -> None:
    path = script(project, f"import os; print(os.path.exists({str(world.home / 'secret')!r}))")
    done = world.execute("--sandbox", path, cwd=world.home, check=True)
    assert done.stdout == "False\n"
    assert "holds more than one project" in done.stderr


@needs_kernel
def test_folder_of_all_environments_cannot_be_opened(world: World, project: Path) -> None:
    done = world.execute("--sandbox", "--allow-write", world.tmp_envs, script(project, ""), cwd=project)
    assert done.returncode == 125
    assert "which other scripts use" in done.stderr


@needs_kernel
def test_header_asks_for_a_sandbox_and_narrows_it(world: World, project: Path) -> None:
    header = HEADER + "# sandbox: {write: [out], net: false}\n"
    told = tries(world, project, header=header)
    assert not told["reads the secret"]
    assert not told["writes here"]
    assert (project / "out").is_dir()


@needs_kernel
@pytest.mark.parametrize("kind", ["native", "inline"])
def test_what_a_sandbox_allows_is_shown_before_anything_is_done(world: World, project: Path, kind: str) -> None:
    header = HEADER + "# sandbox: {write: [out], net: false}\n"
    if kind == "inline":
        table = "# [tool.conda-execute]\n# sandbox = { net = false, write = ['out'] }\n"
        header = f"# /// script\n# dependencies = []\n{table}# ///\n"
    path = script(project, "", header)
    said = world.execute("--check", "-v", path, cwd=project, check=True).stdout
    assert f"write={project / 'out'}" in said
    told = json.loads(world.execute("--check", "--json", "--allow-env", "A_*", path, cwd=project, check=True).stdout)
    shown = {"kind": "script", "network": False, "write": [str(project / "out")], "variables": ["A_*"]}
    assert told["sandbox"] == shown
    assert not (project / "out").exists()


def test_header_that_asks_for_more_is_refused(world: World, project: Path) -> None:
    for asked in ("{net: true}", "false", "{read: [/]}", "{write: out}", "no"):
        done = world.execute(script(project, "", HEADER + f"# sandbox: {asked}\n"), cwd=project)
        assert done.returncode == 125, asked
    outside = script(project, "", HEADER + "# sandbox: {write: ['..']}\n")
    if sys.platform == "linux" and lack(look()) is None:
        done = world.execute(outside, cwd=project)
        assert done.returncode == 125
        assert "only narrow" in done.stderr


@needs_kernel
def test_setting_says_whose_scripts_run_in_a_sandbox(world: World, project: Path) -> None:
    path = script(project, f"import os; print(os.path.exists({str(world.home / 'secret')!r}))")
    assert world.with_(CONDA_EXECUTE_SANDBOX="urls").execute(path, cwd=project, check=True).stdout == "True\n"
    assert world.with_(CONDA_EXECUTE_SANDBOX="always").execute(path, cwd=project, check=True).stdout == "False\n"


@needs_kernel
def test_no_launch_record_leads_around_a_sandbox(world: World, project: Path) -> None:
    """The launcher, which can enter none, runs what was recorded without one only while none is asked for."""
    path = script(project, f"import os; print(os.path.exists({str(world.home / 'secret')!r}))")
    for _ in range(2):
        assert world.execute(path, cwd=project, check=True).stdout == "True\n"
        assert world.execute("--sandbox", path, cwd=project, check=True).stdout == "False\n"
        assert world.with_(CONDA_EXECUTE_SANDBOX="always").execute(path, cwd=project, check=True).stdout == "False\n"
    path.write_text(path.read_text().replace("#  - python\n", "#  - python\n# sandbox: true\n"))
    for _ in range(2):
        assert world.execute(path, cwd=project, check=True).stdout == "False\n"


@needs_kernel
def test_environment_sandbox_protects_environments_alone(world: World, project: Path) -> None:
    told = tries(world, project, "--sandbox=env")
    assert told["reads the secret"]
    assert told["writes here"]
    assert not told["writes to the environment"]
    assert "SECRET" in str(told["variables"])
    assert told["home"] == str(world.home)


@pytest.mark.parametrize("option", ["--allow-net", "--allow-env=A", "--allow-write=."])
def test_what_widens_a_sandbox_needs_one(world: World, project: Path, option: str) -> None:
    done = world.execute(option, script(project, ""), cwd=project)
    assert done.returncode == 125
    assert "goes with `--sandbox`" in done.stderr


def test_a_variable_is_shown_by_its_name_alone(world: World, project: Path) -> None:
    done = world.execute("--sandbox", "--allow-env=A=B", script(project, ""), cwd=project)
    assert (done.returncode, "`A=B conda execute ...`" in done.stderr) == (125, True), done.stderr


# What packages bring


@needs_kernel
def test_activation_scripts_run_inside(world: World, project: Path, make_channel) -> None:
    secret = world.home / "secret"
    text = f"export TOLD=\"$(cat '{secret}' 2>/dev/null; echo kept > '{project}/activated')\"\n"
    url = make_channel(Package("hostile", files={"etc/conda/activate.d/a.sh": text}))
    header = f"# conda execute\n# env: [hostile]\n# channels: ['{url}']\n# run_with: sh\n"
    path = project / "script.sh"
    path.write_text(header + 'echo "told:$TOLD"\n')
    assert world.execute("--sandbox", path, cwd=project, check=True).stdout == "told:\n"
    assert (project / "activated").exists()
    assert world.execute(path, cwd=project, check=True).stdout == "told:secret\n"


@needs_kernel
def test_link_scripts_do_not_run_for_a_sandbox_and_the_name_says_so(world: World, project: Path, make_channel) -> None:
    url = make_channel(Package("linked", files={"bin/.linked-post-link.sh": f"echo ran > '{project}/linked'\n"}))
    path = project / "script.sh"
    path.write_text(f"# conda execute\n# env: [linked]\n# channels: ['{url}']\n# run_with: sh\necho $CONDA_PREFIX\n")
    inside = world.execute("--sandbox", path, cwd=project, check=True).stdout
    assert not (project / "linked").exists()
    outside = world.execute(path, cwd=project, check=True).stdout
    assert (project / "linked").exists()
    assert inside != outside


@needs_kernel
def test_environment_that_only_sandboxed_runs_have_is_found_by_the_script(world: World, project: Path) -> None:
    path = script(project, "")
    world.execute("--sandbox", path, cwd=project, check=True)
    (prefix,) = world.prefixes()
    told = json.loads(world.tmpenv("info", "--json", path, check=True).stdout)
    assert told["prefix"] == str(prefix)
    world.tmpenv("clear", path, check=True)
    assert world.prefixes() == []


@needs_kernel
def test_what_an_interpreter_runs_by_itself_runs_inside(world: World, project: Path, make_channel) -> None:
    """A `.pth` file and a `sitecustomize` of a package: before the script's first line, and in every child."""
    steal = f"import os; os.environ['STOLEN'] = str(os.access({str(world.home / 'secret')!r}, os.R_OK))"
    copy = f"open({str(world.home / 'copy')!r}, 'w').close()"
    files = {
        "site-packages/hostile.pth": f"{steal}\n",
        "site-packages/sitecustomize.py": f"try: {copy}\nexcept OSError: pass\n",
    }
    url = make_channel(Package("hostile", files=files, depends=["python"], noarch="python"))
    header = f"# conda execute\n# env: [python, hostile]\n# channels: ['{url}', conda-forge]\n"
    code = "import os, sitecustomize; print(os.environ['STOLEN'], 'site-packages' in sitecustomize.__file__)"
    path = script(project, code, header)
    assert world.execute("--sandbox", path, cwd=project, check=True).stdout.startswith("False ")
    assert not (world.home / "copy").exists()
    stolen, ours = world.execute(path, cwd=project, check=True).stdout.split()
    assert stolen == "True"
    assert str((world.home / "copy").exists()) == ours, "Debian's Python has a sitecustomize that goes before others"


@needs_kernel
def test_nothing_that_lies_next_to_the_script_runs_outside(world: World, project: Path) -> None:
    """Modules that our own Python imports, files that shells, Python and uv read by themselves: by the working
    directory, and by variables that name it."""
    ran = world.home / "ran"
    names = ("sitecustomize", "usercustomize", "os", "yaml", "signal", "rattler", "_ctypes", "conda", "conda_execute")
    for name in names:
        (project / f"{name}.py").write_text(f"open({str(ran)!r}, 'a').write({name!r})\n")
    for name in (".profile", ".bashrc", ".env", ".envrc", "sh", "python", "uv", "conda"):
        (project / name).write_text(f"#!/bin/sh\necho {name} >> '{ran}'\n")
        (project / name).chmod(0o755)
    (project / "pyvenv.cfg").write_text(f"home = {project}\n")
    (project / "uv.toml").write_text("not = toml =\n")
    (project / "pyproject.toml").write_text("[tool.uv]\nno = no\n")
    here = str(project)
    hostile = world.with_(
        PYTHONPATH=here, PYTHONSTARTUP=f"{here}/yaml.py", ENV=f"{here}/.bashrc", BASH_ENV=f"{here}/.env"
    )
    requirement = f"little @ {wheel(project, 'little').as_uri()}"
    path = script(project, "import little; print('ran')", f"# conda execute\n# env: [python, pip: ['{requirement}']]\n")
    for _ in range(2):
        done = hostile.execute("--sandbox", path, cwd=project, check=True)
        assert done.stdout == "ran\n"
        assert not ran.exists(), ran.read_text()


@needs_kernel
def test_what_an_entrypoint_substitutes_runs_inside(world: World, project: Path) -> None:
    secret = f"$(sh -c 'cat {world.home / 'secret'} || echo kept')"
    entrypoint = f"sh -c 'touch $1/x && echo $0' {secret} ${{CACHE}}"
    block = f"""\
# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "{entrypoint}"
# [dependencies]
# python = "*"
# /// end-conda-script
"""
    path = project / "s.sh"
    path.write_text(block)
    assert world.execute("--sandbox", path, cwd=project, check=True).stdout == "kept\n"
    assert world.execute(path, cwd=project, check=True).stdout == "secret\n"


@needs_kernel
@pytest.mark.parametrize("place", ["project", "."])
def test_what_packages_run_while_wheels_are_installed_runs_inside(
    world: World, project: Path, place: str, make_channel: Callable[..., str]
) -> None:
    """uv starts the environment's interpreter, and with it what `.pth` files say. It has a network, and so must not see
    the home, even where that is the script's folder."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief:
        thief.bind(("127.0.0.1", 0))
        thief.setblocking(False)
        sees = f"str(os.access({str(world.home / 'secret')!r}, os.R_OK)).encode()"
        tells = f"socket.socket(type=socket.SOCK_DGRAM).sendto({sees}, {thief.getsockname()})"
        spy = {"site-packages/spy.pth": f"import os, socket; {tells}\n"}
        url = make_channel(Package("spy", files=spy, depends=["python"], noarch="python"))
        needed = f"little @ {wheel(project, 'little').as_uri()}"
        path = world.home / place / "script.py"
        path.write_text(
            f"# conda execute\n# env: [python, spy, pip: ['{needed}']]\n# channels: ['{url}', conda-forge]\n"
        )
        done = world.execute("--sandbox", path, cwd=project)
        assert done.returncode == (0 if place == "project" else 125), done.stderr
        assert set(_received(thief)) == {b"False"}
        world.execute(path, cwd=project, check=True)
        assert set(_received(thief)) == {b"True"}, "else it shows nothing"


@needs_kernel
@pytest.mark.parametrize("kind", ["archive", "folder"])
def test_nothing_is_built_for_a_sandbox_whatever_the_header_says(world: World, project: Path, kind: str) -> None:
    source = project / "evil-1.0"
    source.mkdir()
    (source / "setup.py").write_text(f"open({str(project / 'built')!r}, 'w').close()\n")
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    if kind == "archive":
        source = Path(shutil.make_archive(str(source), "gztar", project, source.name))
    wants = f"# /// script\n# dependencies = ['evil @ {source.as_uri()}']\n# [tool.uv]\n# no-build = false\n"
    done = world.execute(script(project, "", f"{wants}# [tool.conda-execute]\n# sandbox = true\n# ///\n"))
    assert done.returncode == 125
    assert "nothing is built for a script in a sandbox" in done.stderr
    assert not (project / "built").exists()


def _received(listening: socket.socket) -> Iterator[bytes]:
    with contextlib.suppress(BlockingIOError):
        while True:
            yield listening.recv(10)


@needs_kernel
def test_machine_that_allows_no_user_namespaces_keeps_scripts_in_too(world: World, project: Path) -> None:
    """Really forbidden: in a namespace of ours that allows none within."""
    forbid = 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"'
    words = ["unshare", "--user", "--map-root-user", "sh", "-c", forbid, "sh"]
    if shutil.which("unshare") is None or world.run([*words, "true"]).returncode != 0:
        pytest.skip("no namespace can be made here that forbids others")
    code = f"""
import os, socket
secret = {str(world.home / "secret")!r}
for attempt in (lambda: open(secret), lambda: socket.socket(), lambda: os.kill(os.getppid(), 0)):
    try:
        attempt()
    except OSError as error:
        print(type(error).__name__)
open("written", "w").close()
"""
    path = script(project, code)
    done = world.run([*words, "conda-execute", "--sandbox", path], cwd=project, check=True)
    assert done.stdout == "PermissionError\nOSError\nPermissionError\n"
    assert (project / "written").exists()
    refused = world.run([*words, "conda-execute", "--sandbox=env", path], cwd=project)
    assert refused.returncode == 126
    assert "`user.max_user_namespaces=0`" in refused.stderr


# What works inside


@needs_kernel
def test_processes_of_one_program_work_together(world: World, project: Path) -> None:
    code = """
import ctypes, multiprocessing, os, socket, subprocess, sys, tempfile
from multiprocessing import shared_memory
def double(number): return 2 * number
def add_one(name, semaphore):
    shared = shared_memory.SharedMemory(name)
    shared.buf[0] += 1
    semaphore.release()
if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert pool.map(double, range(4)) == [0, 2, 4, 6]
    made = shared_memory.SharedMemory(create=True, size=8)
    made.buf[0] = 7
    semaphore = multiprocessing.Semaphore(0)
    child = multiprocessing.Process(target=add_one, args=(made.name, semaphore))
    child.start()
    assert semaphore.acquire(timeout=60) and made.buf[0] == 8
    child.join()
    made.unlink()
    with multiprocessing.Manager() as manager:
        assert manager.list([1])[0] == 1
    print(subprocess.run([sys.executable, "-c", "print('child')"], capture_output=True, text=True, check=True).stdout)
    with socket.socket() as serving:
        serving.bind(("127.0.0.1", 0))
        serving.listen()
        socket.create_connection(serving.getsockname()).close()
    thread = ctypes.CDLL(None)  # which some libraries give the usual scheduler by number
    thread.pthread_self.restype = ctypes.c_ulong
    assert thread.pthread_setschedparam(ctypes.c_ulong(thread.pthread_self()), 0, ctypes.byref(ctypes.c_int(0))) == 0
    with tempfile.NamedTemporaryFile() as file:
        assert file.name.startswith(tempfile.gettempdir())
"""
    done = world.execute("--sandbox", script(project, code), cwd=project)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "child"


@needs_kernel
@pytest.mark.skipif(not os.path.exists("/usr/bin/cc"), reason="there is no C compiler")
def test_c_program_is_compiled_and_run(world: World, project: Path) -> None:
    path = project / "hello.c"
    header = "// conda execute\n// env: [python]\n// run_with: sh -c 'cc -x c \"$0\" -o hello && ./hello'\n"
    path.write_text(header + '#include <stdio.h>\nint main(void) { puts("compiled"); return 0; }\n')
    assert world.execute("--sandbox", path, cwd=project, check=True).stdout == "compiled\n"


# By values


#: A kernel that refuses one system call, as an old one or a container does: a filter says so, and a program follows.
_REFUSING = """
import errno, os, sys
sys.path.insert(0, sys.argv[1])
from conda_execute.launch.sandbox import kernel, restrictions
number = kernel.call_number(sys.argv[2], os.uname().machine)
kernel.system_call("prctl", 38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
# Load the number; if it is this one, return the error; else allow it.
lines = (0x20, 0, 0, 0), (0x15, 0, 1, number), (6, 0, 0, 0x50000 | getattr(errno, sys.argv[3])), (6, 0, 0, 0x7FFF0000)
restrictions.install([what | yes << 16 | no << 24 | value << 32 for what, yes, no, value in lines])
os.execvp(sys.argv[4], sys.argv[4:])
"""


@needs_kernel
@pytest.mark.parametrize(
    ("call", "error", "reason"),
    [
        ("landlock_create_ruleset", "ENOSYS", "Landlock is not part of this kernel"),
        ("landlock_create_ruleset", "EOPNOTSUPP", "Landlock is switched off at boot"),
        ("landlock_create_ruleset", "EPERM", "Landlock is forbidden, as containers forbid system calls"),
        ("mount_setattr", "ENOSYS", "refuses a sandbox: "),
        ("open_tree", "EPERM", "refuses a sandbox: "),
        ("unshare", "EPERM", None),
    ],
)
def test_what_a_kernel_refuses_ends_the_run_or_is_not_needed(
    world: World, project: Path, call: str, error: str, reason: str | None
) -> None:
    code = f"""
open("ran", "w").close()
try:
    print(open({str(world.home / "secret")!r}).read())
except OSError:
    print("kept")
"""
    words = [sys.executable, "-c", _REFUSING, str(CHECKOUT), call, error, "conda-execute", "--sandbox"]
    done = world.run([*words, script(project, code)], cwd=project)
    if reason is None:
        assert done.stdout == "kept\n", done.stderr
    else:
        assert done.returncode == 126
        assert reason in done.stderr
    assert (project / "ran").exists() is (reason is None)


def kernel(**changes: Any) -> Kernel:
    known: dict[str, Any] = {"release": "6.12.0", "processor": "x86_64", "landlock": FLOOR}
    return Kernel(**{**known, **changes})


@pytest.mark.parametrize("abi", range(FLOOR))
def test_kernel_below_the_floor_is_refused(abi: int) -> None:
    lacking = lack(kernel(landlock=abi, landlock_lack="switched off at boot"))
    assert lacking is not None
    assert ("signals" in lacking) is (abi > 0)
    assert lack(kernel(landlock=abi), environments_only=True) is None


@pytest.mark.parametrize("abi", [FLOOR, FLOOR + 1, FLOOR + 30])
def test_kernel_from_the_floor_on_holds_a_sandbox(abi: int) -> None:
    assert lack(kernel(landlock=abi)) is None


def test_kernel_without_user_namespaces_cannot_protect_environments_alone() -> None:
    forbidding = kernel(forbids_namespaces="user.max_user_namespaces=0")
    assert lack(forbidding) is None
    assert "user.max_user_namespaces=0" in (lack(forbidding, environments_only=True) or "")


def test_processor_that_is_not_known_is_refused() -> None:
    assert "s390x" in (lack(kernel(processor="s390x")) or "")
    assert all(lack(kernel(processor=name)) is None for name in PROCESSORS)


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock is Linux's")
@pytest.mark.parametrize("abi", range(1, 8))
def test_ruleset_has_what_each_version_of_landlock_knows(abi: int) -> None:
    """Sizes and bits as the kernel's own header has them; this machine's kernel takes all that it knows."""
    from conda_execute.launch.sandbox import restrictions
    from conda_execute.launch.sandbox.kernel import system_call

    attributes = restrictions.ruleset(abi, net=False)
    assert len(attributes) == (8 if abi < 4 else 16 if abi < 6 else 24)
    assert restrictions.rights(abi).bit_length() == {1: 13, 2: 14}.get(abi, 15 if abi < 5 else 16)
    if abi <= look().landlock:
        os.close(system_call("landlock_create_ruleset", attributes, len(attributes), 0))


OUTSIDE = policy.Outside(
    environment="/home/u/.cache/conda-execute/tmp_envs/abc",
    script="/home/u/project/script.py",
    has_folder=True,
    folder="/home/u/project",
    home="/home/u",
    shared=("/home/u/.cache/conda-execute",),
)


def outside(**changes: Any) -> policy.Outside:
    return policy.Outside(**{**vars(OUTSIDE), **changes})


@pytest.mark.parametrize("folder", ["/", "/home", "/home/u", "/home/u/.cache", "/tmp", "/usr", "/proc/self"])
def test_folder_of_more_than_one_project_is_not_opened(folder: str) -> None:
    decided, closed = policy.decide(outside(folder=folder, script=f"{folder}/s.py"), None)
    assert closed
    assert decided.write == ()
    assert folder.rstrip("/") not in decided.read or folder in policy.SYSTEM
    assert f"{folder}/s.py" in decided.read


def test_no_variable_leads_to_an_agent_a_bus_or_a_display() -> None:
    agents = ("SSH_AUTH_SOCK", "GPG_AGENT_INFO", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY")
    more = ("XDG_RUNTIME_DIR", "DOCKER_HOST", "KUBECONFIG", "AWS_SECRET_ACCESS_KEY", "LD_PRELOAD", "PYTHONPATH")
    seen = policy.visible({**dict.fromkeys((*agents, *more), "x"), "PATH": "/usr/bin:/home/u/bin:.:/bin"}, ())
    assert seen == {"PATH": "/usr/bin:/bin"}


def test_header_cannot_give_what_was_not_allowed() -> None:
    assert not policy.decide(OUTSIDE, Narrowing(), net=False)[0].net
    assert policy.decide(OUTSIDE, Narrowing(), net=True)[0].net
    assert not policy.decide(OUTSIDE, Narrowing(net=False), net=True)[0].net
    assert policy.decide(OUTSIDE, Narrowing(write=()))[0].write == ()
    with pytest.raises(HeaderError):
        policy.decide(OUTSIDE, Narrowing(write=("../elsewhere",)))
    with pytest.raises(UsageError):
        policy.decide(OUTSIDE, None, write=("nowhere",))


def test_profile_of_macos_denies_what_is_not_allowed() -> None:
    """Read, not run: what a Mac makes of it has not been tried."""
    text = seatbelt.profile(policy.decide(OUTSIDE, None)[0], "/private/tmp/1")
    assert "(deny default)" in text
    assert '(allow file-read* file-write* (subpath "/home/u/project"))' in text
    assert "/home/u/.cache/conda-execute/tmp_envs/abc" in text
    assert '(subpath "/home/u")' not in text
    assert "network" not in text
    assert '(allow file-read-metadata (literal "/home/u"))' in text
    assert text.count("(") == text.count(")")
