"""Limits of a process (`ulimit`) that are too low: errors name the limit, and not whatever fails first."""

from __future__ import annotations

import errno
import functools
import os
import re
import sys

from .errors import CreationError, ExecuteError

#: Stack size in bytes of these threads, which do not need more.
_STACK = 1 << 16

#: Bytes of address space that the creation of any environment needs.
_MEMORY = 512 << 20

#: What the stacks of the threads take besides that.
_MEMORY_FOR_EACH_CORE = 4 << 20

#: `M_ARENA_MAX` of glibc.
_ARENAS = -8

#: Threads that an engine starts besides two for each core; if it cannot, it may wait forever.
_THREADS = 8


def reached(error: BaseException) -> ExecuteError | None:
    """Our error for a text that means that a limit was reached; None for any other text."""
    text = str(error)
    number = getattr(error, "errno", None)
    if number in (errno.EMFILE, errno.ENFILE) or re.search("os error 24|TooManyOpenFiles", text):
        return ExecuteError("no more files can be opened", hint="`ulimit -n` raises how many a process may have open")
    if re.search("start new thread|before it is started|spawn worker thread", text):
        return _too_few_threads()
    if isinstance(error, MemoryError) or "failed to map segment" in text or number == errno.ENOMEM:
        return _too_little_memory()
    return None


@functools.cache
def check() -> None:
    """Raise CreationError if an engine could not start its threads, or would soon run out of memory, which would end it
    at once."""
    if sys.platform == "win32":
        return
    import resource
    import threading

    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    if most != resource.RLIM_INFINITY:
        if most < _MEMORY + _MEMORY_FOR_EACH_CORE * (os.cpu_count() or 1):
            raise _too_little_memory()
        _share_one_heap()
    over, before = threading.Event(), threading.stack_size(_STACK)
    started = [threading.Thread(target=over.wait, daemon=True) for _ in range(_THREADS + 2 * (os.cpu_count() or 1))]
    try:
        for one in started:
            one.start()
    except RuntimeError:
        raise _too_few_threads() from None
    finally:
        threading.stack_size(before)
        over.set()
        for one in started:
            if one.ident is not None:
                one.join()


def _share_one_heap() -> None:
    """Have all threads take memory from one place. glibc reserves 64 MB of addresses for each thread, which alone
    reaches a limit; the engine then ends the process at once."""
    import ctypes

    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_ARENAS, 1)


def _too_little_memory() -> CreationError:
    return CreationError("there is not enough memory", hint="`ulimit -v` raises how much a process may have")


def _too_few_threads() -> CreationError:
    return CreationError(
        "no more threads can be started",
        hint="`ulimit -u` and `ulimit -v` show the limits of a user; a container may have lower ones",
    )
