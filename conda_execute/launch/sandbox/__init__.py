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
from ...lean.values import replace
from ..process import python_command
from .policy import DEVICES, SandboxPolicy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn

    from ..activation import Activation
    from .kernel import Kernel


def require(*, environments_only: bool, kernel: Kernel | None = None) -> None:
    """Raise SandboxError if there can be no such sandbox here, before an environment is created for it."""
    if sys.platform == "win32":
        raise SandboxError(
            "there is no sandbox for scripts on Windows",
            hint="run it in a virtual machine or in WSL 2; without `--sandbox` it runs with all your permissions",
        )
    if sys.platform != "linux":
        return
    from .kernel import lack, look

    kernel = kernel or look()
    lacking = lack(kernel, environments_only=environments_only)
    if lacking is not None:
        raise SandboxError(
            f"this kernel (Linux {kernel.release}) cannot provide a sandbox: {lacking}",
            hint="docs/how-to/sandbox.md has a table of kernels; without a sandbox it runs with all your permissions",
        )


def run_inside(
    policy: SandboxPolicy,
    allowed: Sequence[str],
    activation: Activation,
    go_on: Callable[..., NoReturn],
    *arguments: Any,
) -> NoReturn:
    """Enter the sandbox, and call `go_on` with these arguments and the activation as it is inside.

    There it has a home directory of its own, unless `HOME` is one of the variables that are `allowed`.

    Only a process with one thread can enter a user namespace. A process that has created an environment has more: it
    replaces itself with a new one that only continues, with the same id.
    """
    if sys.platform == "linux" and len(os.listdir("/proc/self/task")) > 1:
        _start_again(policy, allowed, activation, go_on, arguments)
    if tmp := enter(policy):
        environ = {**activation.environ, "TMPDIR": tmp}
        if "HOME" not in allowed:
            environ["HOME"] = os.path.join(tmp, "home")
            os.makedirs(environ["HOME"], 0o700, exist_ok=True)
        activation = replace(activation, environ=environ)
    go_on(*arguments, activation)


def enter(policy: SandboxPolicy, kernel: Kernel | None = None) -> str:
    """Enter the sandbox, and return its TMPDIR; empty if only environments are protected. Raises SandboxError."""
    if sys.platform == "darwin":
        from . import seatbelt

        return seatbelt.enter(policy, _scratch())
    from .kernel import look

    kernel = kernel or look()
    require(environments_only=bool(policy.protected), kernel=kernel)
    try:
        if policy.protected:
            return _protect(policy)
        _close_directories()
        return _enter(kernel, policy)
    except OSError as error:
        raise SandboxError(f"this kernel (Linux {kernel.release}) refuses a sandbox: {error}") from None


def _protect(policy: SandboxPolicy) -> str:
    if sys.platform != "linux":
        raise AssertionError("Linux only")
    from . import namespaces

    if not namespaces.unshare(net=True, queues=False):
        raise OSError(errno.EPERM, "user namespaces are forbidden here")
    namespaces.Root().protect(policy.protected, policy.folder)
    namespaces.bar_privileges()
    namespaces.give_up_privileges()
    return ""


def _enter(kernel: Kernel, policy: SandboxPolicy) -> str:
    if sys.platform != "linux":
        raise AssertionError("Linux only")
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


def _start_again(*arguments: Any) -> NoReturn:
    """Call `run_inside` with these arguments in a new process, which replaces this one."""
    if sys.platform != "linux":
        raise AssertionError("Linux only")
    import pickle

    descriptor = os.memfd_create("conda-execute", 0)
    os.write(descriptor, pickle.dumps(arguments))
    os.lseek(descriptor, 0, os.SEEK_SET)
    command = python_command("from conda_execute.launch import sandbox; sandbox.go_on(int(sys.argv[1]))")
    os.execv(command[0], [*command, str(descriptor)])


def go_on(descriptor: int) -> NoReturn:
    """Continue what `run_inside` began, in the new process. Nobody else can write to a memory of ours."""
    import pickle

    with open(descriptor, "rb") as file:
        policy, allowed, activation, then, arguments = pickle.load(file)
    try:
        run_inside(policy, allowed, activation, then, *arguments)
    except ExecuteError as error:
        hint = f"\nhint: {error.hint}" if error.hint else ""
        sys.stderr.write(f"error: {error.message}{hint}\n")
        sys.exit(error.exit_status)


def command_inside(policy: SandboxPolicy, command: list[str]) -> list[str]:
    """A command that enters the sandbox and becomes `command`, to be started as a child."""
    import json

    code = "from conda_execute.launch import sandbox; sandbox.become(sys.argv[1], sys.argv[2:])"
    return [*python_command(code), json.dumps(vars(policy)), *command]


def become(policy: str, command: list[str]) -> NoReturn:
    """What a command of `command_inside` does."""
    import json

    os.environ["TMPDIR"] = enter(SandboxPolicy(**json.loads(policy)))
    os.execv(command[0], command)
