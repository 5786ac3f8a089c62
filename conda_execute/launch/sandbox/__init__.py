"""A sandbox for the script: entered by this process just before it becomes the script, and never left.

The promises, where `enter` returns:

- what the policy does not allow cannot be opened, written to or connected to, by any path;
- there is no network, except a loopback of its own, unless the policy allows one;
- processes outside cannot be signalled or traced, and their limits cannot be changed;
- the process id, the streams and the user's own ids are what they were.

Namespaces provide the first two, Landlock the first and the third, a filter of system calls what is between them. If
user namespaces are forbidden, the filter forbids sockets, including loopback and Unix sockets. A sandbox that cannot be
entered completely is refused: `SandboxError`, whose exit status is 126. This process may then be half inside, and must
end.
"""

from __future__ import annotations

import errno
import os
import stat
import sys

from ...cache import private_directory
from ...errors import ExecuteError, SandboxError
from .policy import DEVICES, is_within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from .kernel import Kernel
    from .policy import SandboxPolicy


def require(*, environments_only: bool) -> None:
    """Raise SandboxError if there can be no such sandbox here, before an environment is created for it."""
    if sys.platform == "win32":
        raise SandboxError(
            "there is no sandbox for scripts on Windows",
            hint="run it in a virtual machine or in WSL 2; without `--sandbox` it runs with all your permissions",
        )
    if sys.platform == "linux":
        from .kernel import look

        _require(look(), environments_only)


def _require(kernel: Kernel, environments_only: bool) -> None:
    from .kernel import lack

    lacking = lack(kernel, environments_only=environments_only)
    if lacking is not None:
        raise SandboxError(
            f"this kernel (Linux {kernel.release}) cannot provide a sandbox: {lacking}",
            hint="docs/how-to/sandbox.md has a table of kernels; without a sandbox it runs with all your permissions",
        )


def run_inside(policy: SandboxPolicy, go_on: Callable[..., NoReturn], *arguments: Any) -> NoReturn:
    """Enter the sandbox, and call `go_on` with its TMPDIR and these arguments.

    Only a process with one thread can enter a user namespace. A process that has created an environment has more: it
    replaces itself with a new one that only continues, with the same id.
    """
    if sys.platform == "linux" and len(os.listdir("/proc/self/task")) > 1:
        _start_again(policy, go_on, arguments)
    go_on(enter(policy), *arguments)


def enter(policy: SandboxPolicy, kernel: Kernel | None = None) -> str:
    """Enter the sandbox, and return its TMPDIR; empty if only environments are protected. Raises SandboxError."""
    if sys.platform == "darwin":
        from . import seatbelt

        return seatbelt.enter(policy, _scratch())
    if sys.platform != "linux":
        require(environments_only=bool(policy.protected))
    from .kernel import look

    kernel = kernel or look()
    _require(kernel, bool(policy.protected))
    try:
        if policy.protected:
            return _protect(policy)
        _close_directories()
        return _enter(kernel, policy)
    except OSError as error:
        raise SandboxError(f"this kernel (Linux {kernel.release}) refuses a sandbox: {error}") from None


def _protect(policy: SandboxPolicy) -> str:
    if sys.platform != "linux":
        raise AssertionError
    from . import namespaces

    if not namespaces.unshare(net=True, queues=False):
        raise OSError(errno.EPERM, "user namespaces are forbidden here")
    namespaces.Root().protect(policy.protected, policy.folder)
    namespaces.bar_privileges()
    namespaces.give_up_privileges()
    return ""


def _enter(kernel: Kernel, policy: SandboxPolicy) -> str:
    if sys.platform != "linux":
        raise AssertionError
    from . import namespaces, restrictions

    internet = (*restrictions.INTERNET, restrictions.NETLINK)
    if kernel.forbids_namespaces is None and namespaces.unshare(net=policy.net):
        root = namespaces.Root()
        for path in policy.write:
            root.take(path, writable=True)
        for path in dict.fromkeys((*policy.read, *DEVICES)):
            if path not in policy.write:
                root.take(path)
        root.enter(policy.folder)
        namespaces.give_up_privileges()
        restrictions.restrict(kernel, policy, (namespaces.TEMPORARY, "/dev/shm", "/dev/pts"), root=True, net=True)
        restrictions.install(restrictions.filtering(kernel.processor, (restrictions.UNIX, *internet), shares=True))
        return namespaces.TEMPORARY
    tmp = _scratch()
    namespaces.give_up_privileges()
    restrictions.restrict(kernel, policy, (tmp,), net=policy.net)
    restrictions.install(restrictions.filtering(kernel.processor, internet if policy.net else (), shares=False))
    return tmp


def _close_directories() -> None:
    """Close inherited descriptors of directories: paths that begin there would lead out of the new root."""
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        try:
            if stat.S_ISDIR(os.fstat(number).st_mode):
                os.close(number)
                if number < 3:
                    os.open(os.devnull, os.O_RDWR)
        except OSError:
            pass  # it was the descriptor of the list itself


def _scratch() -> str:
    """A temporary directory for this process, without namespaces; those of ended processes are deleted."""
    folder = os.path.join(private_directory(os.environ), "sandbox")
    os.makedirs(folder, 0o700, exist_ok=True)
    for name in os.listdir(folder):
        if name.isdigit() and not _is_running(int(name)):
            import shutil

            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
    path = os.path.join(folder, str(os.getpid()))
    os.makedirs(path, 0o700, exist_ok=True)
    return path


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _start_again(policy: SandboxPolicy, go_on: Callable[..., NoReturn], arguments: tuple[Any, ...]) -> NoReturn:
    if sys.platform != "linux":
        raise AssertionError
    import pickle

    descriptor = os.memfd_create("conda-execute", 0)
    os.write(descriptor, pickle.dumps((policy, go_on, arguments)))
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.execv(sys.executable, [sys.executable, "-I", "-c", _AGAIN, _package(), str(descriptor)])


#: Only what is written in a memory of ours is read, so nobody else can have put it there.
_AGAIN = """\
import sys
sys.path.insert(1, sys.argv[1])
from conda_execute.launch import sandbox
sandbox.go_on(int(sys.argv[2]))
"""


def _package() -> str:
    here = os.path.abspath(__file__)
    return here.removesuffix(os.path.join("", "conda_execute", "launch", "sandbox", "__init__.py"))


def go_on(descriptor: int) -> NoReturn:
    """Continue what `run_inside` began, in the new process."""
    import pickle

    with open(descriptor, "rb") as file:
        policy, then, arguments = pickle.load(file)
    try:
        then(enter(policy), *arguments)
    except ExecuteError as error:
        hint = f"\nhint: {error.hint}" if error.hint else ""
        sys.stderr.write(f"error: {error.message}{hint}\n")
        sys.exit(error.exit_status)
    raise AssertionError("a program was to take over")


def command_inside(policy: SandboxPolicy, command: list[str]) -> list[str]:
    """A command that enters the sandbox and becomes `command`, to be started as a child."""
    import json

    return [sys.executable, "-I", "-c", _CHILD, _package(), json.dumps(vars(policy)), *command]


_CHILD = """\
import json, os, sys
sys.path.insert(1, sys.argv[1])
from conda_execute.launch import sandbox
from conda_execute.launch.sandbox.policy import SandboxPolicy
os.environ["TMPDIR"] = sandbox.enter(SandboxPolicy(**json.loads(sys.argv[2])))
os.execv(sys.argv[3], sys.argv[3:])
"""

__all__ = ["command_inside", "enter", "go_on", "is_within", "require", "run_inside"]
