"""Ways out of a sandbox, each a function that returns where it got out and raises where it was kept in.

Run as a program: `python sandbox_attempts.py WORLD [NAME]`, where WORLD is JSON that says what there is outside. It
prints, for each attempt, 0 if it got out and 3 if it was kept in; anything else is a mistake in here.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import mmap
import os
import platform
import resource
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
import traceback
from typing import Any

assert sys.platform == "linux"

GOT_OUT, KEPT_IN = 0, 3

_X86 = platform.machine() == "x86_64"
_LIBC = ctypes.CDLL(None, use_errno=True)

#: What outside has: paths, ports, pids. Set by `main`.
world: dict[str, Any] = {}


class Kept(Exception):
    """The attempt did nothing."""


def system_call(number, *arguments):
    words = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result = _LIBC.syscall(ctypes.c_long(number), *words)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def read(path):
    with open(path) as file:
        if "secret" not in file.read():
            raise Kept


# Files


def read_by_path():
    read(world["secret"])


def read_by_relative_path():
    read(os.path.relpath(world["secret"]))


def list_a_folder():
    os.listdir(world["home"])


def see_that_a_file_is_there():
    os.stat(world["secret"])


def write_a_new_file():
    os.close(os.open(world["home"] + "/new", os.O_CREAT | os.O_WRONLY))


def append_to_a_file():
    os.close(os.open(world["secret"], os.O_APPEND | os.O_WRONLY))


def shorten_a_file():
    os.truncate(world["victim_file"], 1)


def delete_a_file():
    os.unlink(world["victim_file"])


def make_a_folder():
    os.mkdir(world["home"] + "/folder")


def move_a_file_in():
    os.rename(world["victim_file"], "stolen")


def move_a_file_over_another():
    with open("mine", "w") as file:
        file.write("mine")
    os.rename("mine", world["victim_file"])


def link_a_file_in():
    os.link(world["secret"], "linked")
    read("linked")


def link_a_file_out():
    with open("mine", "w") as file:
        file.write("mine")
    os.link("mine", world["home"] + "/new")


def exchange_two_files():
    with open("mine", "w") as file:
        file.write("mine")
    if _LIBC.renameat2(-100, b"mine", -100, world["victim_file"].encode(), 2):  # RENAME_EXCHANGE
        raise OSError(ctypes.get_errno(), "renameat2")


def make_a_pipe_outside():
    os.mkfifo(world["home"] + "/new")


def make_a_socket_outside():
    with socket.socket(socket.AF_UNIX) as serving:
        serving.bind(os.path.relpath(world["home"] + "/new"))


def write_next_to_the_script():
    os.close(os.open(world["shown"] + "/new", os.O_CREAT | os.O_WRONLY))
    os.unlink(world["shown"] + "/new")


def run_a_program_outside():
    if b"secret" not in subprocess.run([world["tool"]], check=False, capture_output=True).stdout:
        raise Kept


def go_to_a_folder():
    os.chdir(world["home"])


def wait_for_changes_of_a_folder():
    watching = _LIBC.inotify_init1(0)
    if _LIBC.inotify_add_watch(watching, world["home"].encode(), 0x100) < 0:  # IN_CREATE
        raise OSError(ctypes.get_errno(), "inotify_add_watch")


def watch_a_folder():
    watching = _LIBC.fanotify_init(0x200, os.O_RDONLY)  # FAN_REPORT_FID, which needs no privilege
    if watching < 0 or _LIBC.fanotify_mark(watching, 1, ctypes.c_uint64(0x100), -100, world["home"].encode()):
        raise OSError(ctypes.get_errno(), "fanotify")


def follow_a_symbolic_link():
    os.symlink(world["secret"], "link")
    read("link")


def follow_a_link_made_outside():
    read("link-outside")


def through_own_root():
    read("/proc/self/root" + world["secret"])


def through_root_of_another():
    read(f"/proc/{world['victim']}/root{world['secret']}")


def through_folder_of_another():
    read(f"/proc/{world['victim']}/cwd/secret")


def through_descriptor_of_another():
    read(f"/proc/{world['victim']}/fd/{world['victim_fd']}")


def through_root_of_init():
    read(f"/proc/1/root{world['secret']}")


def from_an_inherited_folder():
    descriptor = os.open("secret", os.O_RDONLY, dir_fd=world["inherited"])
    if b"secret" not in os.read(descriptor, 100):
        raise Kept


def by_changing_root():
    _own_user_namespace(0x10000000)
    os.makedirs("jail", exist_ok=True)
    os.chroot("jail")
    for _ in range(64):
        os.chdir("..")
    os.chroot(".")
    read(world["secret"])


def by_a_bind_mount():
    _own_user_namespace(0x10000000 | 0x00020000)
    os.makedirs("mounted", exist_ok=True)
    if _LIBC.mount(world["home"].encode(), b"mounted", None, 4096 | 16384, None):
        raise OSError(ctypes.get_errno(), "mount")
    read("mounted/secret")


def by_mounting_proc_again():
    _own_user_namespace(0x10000000 | 0x00020000 | 0x20000000)
    if os.fork() == 0:
        os.makedirs("proc", exist_ok=True)
        os._exit(1 if _LIBC.mount(b"proc", b"proc", b"proc", 0, None) else 0)
    if os.wait()[1]:
        raise Kept


def by_cloning_a_mount():
    _own_user_namespace(0x10000000 | 0x00020000)
    tree = system_call(428, -100, ctypes.c_char_p(world["home"].encode()), 1)  # open_tree, OPEN_TREE_CLONE
    if b"secret" not in os.read(os.open("secret", os.O_RDONLY, dir_fd=tree), 100):
        raise Kept


def by_making_mounts_writable():
    _own_user_namespace(0x10000000 | 0x00020000)
    path = world["environment"].encode()
    if _LIBC.mount(path, path, None, 4096, None) or _LIBC.mount(None, path, None, 4096 | 32, None):
        raise OSError(ctypes.get_errno(), "mount")
    write_to_the_environment()


def by_file_handle():
    handle = ctypes.create_string_buffer(struct.pack("=Ii", 128, 0) + bytes(128))
    mount = ctypes.c_int()
    if _LIBC.name_to_handle_at(-100, world["secret"].encode(), handle, ctypes.byref(mount), 0):
        raise OSError(ctypes.get_errno(), "handle")
    root = os.open("/usr", os.O_RDONLY)
    descriptor = _LIBC.open_by_handle_at(root, handle, os.O_RDONLY)
    if descriptor < 0 or b"secret" not in os.read(descriptor, 100):
        raise Kept


def by_a_device_of_the_disk():
    os.mknod("disk", 0o600 | stat.S_IFBLK, os.stat(world["secret"]).st_dev)
    os.close(os.open("disk", os.O_RDONLY))


def by_another_device_of_the_machine():
    os.close(os.open(world["device"], os.O_RDONLY | os.O_NONBLOCK))


def by_io_uring():
    os.close(system_call(425, 4, ctypes.create_string_buffer(120)))


def by_asking_landlock_again():
    attributes = struct.pack("=QQQ", 1 << 2, 0, 0)
    rules = system_call(444, attributes, len(attributes), 0)
    root = os.open("/", os.O_PATH)
    system_call(445, rules, 1, struct.pack("=Qi", 1 << 2, root), 0)
    _LIBC.prctl(38, 1, 0, 0, 0)
    system_call(446, rules, 0)
    read_by_path()


def write_to_the_environment():
    os.close(os.open(world["environment"] + "/bin/new", os.O_CREAT | os.O_WRONLY))


def change_a_program_of_the_environment():
    with open(world["environment"] + "/bin/program", "r+b"):
        pass


def delete_a_program_of_the_environment():
    os.unlink(world["environment"] + "/bin/other-program")


def change_mode_outside():
    os.chmod(world["victim_file"], 0o600)


def change_mode_in_the_environment():
    os.chmod(world["environment"] + "/bin/program", 0o700)


def change_times_outside():
    os.utime(world["victim_file"], (1, 1))


def change_owner_outside():
    os.chown(world["victim_file"], os.getuid(), os.getgid())


def set_attributes_outside():
    os.setxattr(world["victim_file"], "user.mark", b"1")


def read_shared_memory_file():
    read(world["shared_file"])


def read_temporary_file_of_others():
    read(world["temporary"])


def write_to_another_terminal():
    descriptor = os.open(world["terminal"], os.O_WRONLY | os.O_NOCTTY)
    os.write(descriptor, b"\x1b[2J")


def type_into_the_terminal():
    _, slave = os.openpty()
    fcntl.ioctl(slave, 0x5412, b"x")


def paste_into_the_console():
    for name in ("/dev/tty0", "/dev/console", "/dev/tty1"):
        descriptor = os.open(name, os.O_WRONLY | os.O_NOCTTY)
        fcntl.ioctl(descriptor, 0x541C, b"\x06")  # TIOCLINUX: which shift keys are held


def press_a_key_of_the_kernel():
    os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY))


def read_memory_of_the_kernel():
    with open("/proc/kcore", "rb") as file:
        file.read(64)


def read_the_log_of_the_kernel():
    buffer = ctypes.create_string_buffer(4096)
    if _LIBC.klogctl(3, buffer, 4096) < 0:
        raise OSError(ctypes.get_errno(), "klogctl")


def open_a_file_of_the_system_to_write():
    os.close(os.open("/etc/passwd", os.O_WRONLY))


def make_another_the_first_to_die():
    with open(f"/proc/{world['victim']}/oom_score_adj", "w") as file:
        file.write("1000")


def write_a_setting_of_the_kernel():
    os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))


def write_below_sys():
    os.close(os.open("/sys/kernel/mm/transparent_hugepage/enabled", os.O_WRONLY))


def leave_the_control_group():
    with open("/sys/fs/cgroup/cgroup.procs", "w") as file:
        file.write(str(os.getpid()))


def make_a_control_group():
    path = f"/sys/fs/cgroup/attempt-{os.getpid()}"
    os.mkdir(path)
    os.rmdir(path)


# Network


def connect_by_tcp():
    socket.create_connection(("127.0.0.1", world["tcp"]), 2).close()


def connect_by_tcp_to_version_6():
    socket.create_connection(("::1", world["tcp6"]), 2).close()


def connect_by_tcp_to_any_address():
    socket.create_connection(("0.0.0.0", world["tcp"]), 2).close()


def _ask(data, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.5)
        asking.sendto(data, ("127.0.0.1", port))
        return asking.recv(1000)


def send_by_udp():
    if _ask(b"secret", world["udp"]) != b"secret":
        raise Kept


def ask_a_name_server():
    query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x06secret\x07example\x00\x00\x01\x00\x01"
    if not _ask(query, world["udp"]).startswith(b"\x12\x34"):
        raise Kept


def connect_to_a_socket_file():
    with socket.socket(socket.AF_UNIX) as connecting:
        connecting.connect(world["unix"])


def connect_to_a_socket_file_through_proc():
    with socket.socket(socket.AF_UNIX) as connecting:
        connecting.connect(f"/proc/self/fd/{world['inherited']}/s")


def connect_to_an_abstract_socket():
    with socket.socket(socket.AF_UNIX) as connecting:
        connecting.connect("\0" + world["abstract"])


def send_to_an_abstract_socket():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
        sending.sendto(b"secret", "\0" + world["abstract"] + "-datagrams")


def open_a_raw_socket():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()


def open_a_packet_socket():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()


def open_a_socket_to_the_host_of_this_machine():
    socket.socket(40, socket.SOCK_STREAM).close()  # AF_VSOCK


def ask_netlink_for_interfaces():
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as asking:
        asking.send(struct.pack("=LHHLLB15x", 32, 18, 0x301, 1, 0, 0))
        if world["interface"].encode() + b"\0" not in asking.recv(65536):
            raise Kept


def serve_to_the_outside():
    with socket.socket() as serving:
        serving.bind(("127.0.0.1", world["free_port"]))
        serving.listen()
        serving.settimeout(1)
        serving.accept()


def enter_the_network_of_another():
    descriptor = os.open(f"/proc/{world['victim']}/ns/net", os.O_RDONLY)
    if _LIBC.setns(descriptor, 0):
        raise OSError(ctypes.get_errno(), "setns")


def enter_all_of_another_by_descriptor():
    if _LIBC.setns(os.pidfd_open(world["victim"]), 0x40000000 | 0x08000000):
        raise OSError(ctypes.get_errno(), "setns")


# Processes


def signal_another():
    os.kill(world["victim"], signal.SIGCONT)


def signal_the_parent():
    os.kill(world["parent"], 0)


def signal_a_group():
    os.killpg(world["victim"], signal.SIGCONT)


def signal_everybody():
    """SIGCONT harms nobody; it wakes a process that was stopped. Not as root outside, who would wake the machine."""
    if world["is_all"]:
        raise Kept
    os.kill(-1, signal.SIGCONT)
    for _ in range(50):
        if _state_of(world["stopped"]) != "T":
            return
        time.sleep(0.01)
    raise Kept


def _state_of(process):
    with open(f"/proc/{process}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def signal_by_descriptor():
    signal.pidfd_send_signal(os.pidfd_open(world["victim"]), signal.SIGCONT)


def signal_a_thread():
    system_call(234 if _X86 else 131, world["victim"], world["victim"], int(signal.SIGCONT))


def signal_by_a_pipe_that_is_ready():
    reading, writing = os.pipe()
    fcntl.fcntl(reading, fcntl.F_SETOWN, world["mortal"])
    fcntl.fcntl(reading, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    os.write(writing, b"x")
    for _ in range(50):
        if _state_of(world["mortal"]) == "Z":
            return
        time.sleep(0.01)
    raise Kept


def trace_another():
    system_call(101 if _X86 else 117, 0x4206, world["victim"], 0, 0)  # PTRACE_SEIZE


def read_memory_of_another():
    with open(f"/proc/{world['victim']}/mem", "rb"):
        pass


def read_memory_of_another_by_vector():
    here = ctypes.create_string_buffer(8)
    local = struct.pack("=QQ", ctypes.addressof(here), 8)
    remote = struct.pack("=QQ", world["victim_address"], 8)
    system_call(310 if _X86 else 270, world["victim"], local, 1, remote, 1, 0)


def read_variables_of_another():
    with open(f"/proc/{world['victim']}/environ", "rb") as file:
        if b"SECRET" not in file.read():
            raise Kept


def take_a_descriptor_of_another():
    system_call(438, os.pidfd_open(world["victim"]), world["victim_fd"], 0)


def limit_another():
    resource.prlimit(world["victim"], resource.RLIMIT_CORE, resource.prlimit(0, resource.RLIMIT_CORE))


def slow_another_down():
    os.setpriority(os.PRIO_PROCESS, world["victim"], 19)


def slow_the_user_down():
    os.setpriority(os.PRIO_USER, 0, os.getpriority(os.PRIO_USER, 0))


def give_another_other_processors():
    mine, before = os.sched_getaffinity(0), os.sched_getaffinity(world["victim"])
    os.sched_setaffinity(world["victim"], {min(mine)} if len(before) > 1 else mine - before)
    if os.sched_getaffinity(world["victim"]) == before:
        raise Kept


def give_another_another_scheduler():
    before = os.sched_getscheduler(world["victim"])
    os.sched_setscheduler(
        world["victim"], os.SCHED_OTHER if before == os.SCHED_BATCH else os.SCHED_BATCH, os.sched_param(0)
    )
    if os.sched_getscheduler(world["victim"]) == before:
        raise Kept


def give_another_other_attributes_of_scheduling():
    before = os.sched_getscheduler(world["victim"])
    wanted = os.SCHED_OTHER if before == os.SCHED_BATCH else os.SCHED_BATCH
    attributes = struct.pack("=IIQiIQQQ", 48, wanted, 0, 19, 0, 0, 0, 0)
    system_call(314 if _X86 else 274, world["victim"], attributes, 0)
    if os.sched_getscheduler(world["victim"]) == before:
        raise Kept


def slow_the_disk_of_another():
    system_call(251 if _X86 else 30, 1, world["victim"], 3 << 13)  # IOPRIO_WHO_PROCESS, IOPRIO_CLASS_IDLE


def slow_the_disk_of_the_user():
    system_call(251 if _X86 else 30, 3, os.getuid(), 2 << 13 | 4)  # IOPRIO_WHO_USER, as usual


def count_what_another_does():
    attributes = struct.pack("=IIQQQQQ", 1, 64, 0, 0, 0, 0, 1 << 5 | 1 << 6) + bytes(16)  # software, the clock
    os.close(system_call(298 if _X86 else 241, attributes, world["victim"], -1, -1, 0))


def compare_another():
    system_call(312 if _X86 else 272, os.getpid(), world["victim"], 1, 0, 0)  # KCMP_VM


def push_another_out_of_memory():
    remote = struct.pack("=QQ", world["victim_address"] & ~4095, 4096)
    system_call(440, os.pidfd_open(world["victim"]), remote, 1, 21, 0)  # process_madvise, MADV_PAGEOUT


def move_another_in_memory():
    nodes = ctypes.create_string_buffer(struct.pack("=Q", 1), 8)
    system_call(256 if _X86 else 238, world["victim"], 64, nodes, nodes)  # migrate_pages


def send_to_a_message_queue():
    if _LIBC.msgsnd(world["queue"], struct.pack("=l8s", 1, b"x"), 1, 0o4000):
        raise OSError(ctypes.get_errno(), "msgsnd")


def change_a_semaphore():
    if _LIBC.semctl(world["semaphores"], 0, 16, 7):  # SETVAL
        raise OSError(ctypes.get_errno(), "semctl")


def open_a_queue_of_posix():
    if _LIBC.mq_open(world["posix_queue"].encode(), os.O_RDWR) < 0:
        raise OSError(ctypes.get_errno(), "mq_open")


def read_shared_memory_segment():
    _LIBC.shmat.restype = ctypes.c_void_p
    where = _LIBC.shmat(world["segment"], None, 0o10000)
    if where in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), "shmat")
    if ctypes.string_at(where, 6) != b"secret":
        raise Kept


def read_keys_of_the_session():
    system_call(250 if _X86 else 219, 0, -3, 0)  # KEYCTL_GET_KEYRING_ID of the session's keyring


def load_a_program_into_the_kernel():
    os.close(system_call(321 if _X86 else 280, 0, struct.pack("=IIIII52x", 1, 4, 4, 1, 0), 72))


def rename_the_machine():
    socket.sethostname(socket.gethostname())


def gain_rights_by_a_setuid_program():
    done = subprocess.run([world["setuid"], world["of_another"]], check=False, capture_output=True)
    if b"secret" not in done.stdout:
        raise Kept


def gain_rights_by_a_program_with_capabilities():
    done = subprocess.run([world["capable"], world["of_another"]], check=False, capture_output=True)
    if b"secret" not in done.stdout:
        raise Kept


def in_a_child():
    command = [sys.executable, "-I", __file__, json.dumps(world), "read_by_path"]
    done = subprocess.run(command, check=False, capture_output=True)
    if json.loads(done.stdout)["read_by_path"] != GOT_OUT:
        raise Kept


def in_a_shell():
    done = subprocess.run(["/bin/sh", "-c", f"cat '{world['secret']}'"], check=False, capture_output=True)
    if b"secret" not in done.stdout:
        raise Kept


def in_a_daemon():
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        try:
            read_by_path()
            os.write(writing, b"out")
        finally:
            os._exit(0)
    os.close(writing)
    if os.read(reading, 3) != b"out":
        raise Kept


def in_a_program_from_memory():
    descriptor = os.memfd_create("program")
    with open("/bin/cat", "rb") as file:
        os.write(descriptor, file.read())
    command = [f"/proc/self/fd/{descriptor}", world["secret"]]
    done = subprocess.run(command, pass_fds=[descriptor], check=False, capture_output=True)
    if b"secret" not in done.stdout:
        raise Kept


def with_system_calls_of_32_bits():
    """`open` by `int $0x80`, whose number a filter of 64-bit calls does not know."""
    if not _X86:
        raise Kept
    # push rbx; mov eax, 20 (getpid); int 0x80; pop rbx; ret
    code = bytes([0x53, 0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0x5B, 0xC3])
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    if call() != os.getpid():
        raise Kept


def _own_user_namespace(flags):
    user, group = os.getuid(), os.getgid()
    if _LIBC.unshare(flags):
        raise OSError(ctypes.get_errno(), "unshare")
    with open("/proc/self/setgroups", "w") as file:
        file.write("deny")
    with open("/proc/self/uid_map", "w") as file:
        file.write(f"0 {user} 1")
    with open("/proc/self/gid_map", "w") as file:
        file.write(f"0 {group} 1")


#: All ways, in the order in which they are listed here.
ATTEMPTS = [
    name
    for name, value in list(globals().items())
    if callable(value)
    and getattr(value, "__module__", "") == __name__
    and not name.startswith("_")
    and name not in ("Kept", "system_call", "read")
]


def _prepare():
    """Everything in its place again, after an attempt that got out. Where we are kept in, nothing was moved."""
    for name in os.listdir("."):
        if os.path.islink(name) or os.path.isfile(name):
            os.unlink(name)
    os.symlink(world["secret"], "link-outside")
    environment, home = world["environment"], world["home"]
    for path in (world["victim_file"], f"{environment}/bin/program", f"{environment}/bin/other-program"):
        _write(path, "secret")
    for path in (f"{environment}/bin/new", f"{home}/new", f"{home}/folder"):
        if os.path.exists(path):
            os.rmdir(path) if os.path.isdir(path) else os.unlink(path)


def _write(path, text):
    try:
        with open(path, "w") as file:
            file.write(text)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EROFS, errno.ENOENT):
            raise


def _attempt(name):
    """How an attempt ends, in a process of its own: it may change what it has."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    signal.alarm(20)
    status = 1
    try:
        globals()[name]()
        status = GOT_OUT
    except (Kept, OSError) as error:
        code = errno.errorcode.get(getattr(error, "errno", None) or 0, type(error).__name__)
        print(f"{name}: {code}", file=sys.stderr, flush=True)
        status = KEPT_IN
    finally:
        if status == 1:
            traceback.print_exc()
            sys.stderr.flush()
        os._exit(status)


def main():
    """All attempts, or one; how each ended goes to standard output as JSON."""
    world.update(json.loads(sys.argv[1]))
    names = sys.argv[2:] or ATTEMPTS
    ended = {}
    for name in names:
        if not sys.argv[2:]:
            _prepare()
        ended[name] = _attempt(name)
    print(json.dumps(ended))


if __name__ == "__main__":
    main()
