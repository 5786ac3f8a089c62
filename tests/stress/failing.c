/* Preloaded into real programs, so that a disk fails once: FAILING=<n>:<file>:<text>. Of the calls that contain <text>
 * when written as a line "<name> <path>", by all processes together, the n-th fails with EIO. <file> holds 8 bytes of zeros,
 * which count those calls; the one that failed is appended to it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int due(const char *call, const char *path)
{
    static long *count;
    static char file[PATH_MAX];
    static const char *text;
    static long number;
    if (!count) {
        const char *rule = getenv("FAILING");
        if (!rule || sscanf(rule, "%ld:%4095[^:]", &number, file) != 2) return 0;
        text = strchr(strchr(rule, ':') + 1, ':') + 1;
        long opened = syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC);
        if (opened < 0) return 0;
        void *mapped = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, (int)opened, 0);
        syscall(SYS_close, opened);
        if (mapped == MAP_FAILED) return 0;
        count = mapped;
    }
    char line[2 * PATH_MAX];
    int length = snprintf(line, sizeof line, "%s %s\n", call, path);
    if (!strstr(line, text) || __atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST) != number) return 0;
    long log = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_APPEND | O_CLOEXEC);
    syscall(SYS_write, log, line, (size_t)length);
    syscall(SYS_close, log);
    errno = EIO;
    return 1;
}

static int due_of(const char *call, int descriptor)
{
    int kept = errno;
    char link[64], path[PATH_MAX] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    if (syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1) < 0) { errno = kept; return 0; }
    if (due(call, path)) return 1;
    errno = kept;
    return 0;
}

static int due_at(const char *call, int where, const char *path)
{
    int kept = errno;
    char link[64], whole[2 * PATH_MAX] = "";
    if (path && path[0] != '/' && where != AT_FDCWD) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", where);
        long length = syscall(SYS_readlinkat, AT_FDCWD, link, whole, PATH_MAX);
        if (length < 0) length = 0;
        snprintf(whole + length, PATH_MAX, "/%s", path);
        path = whole;
    }
    if (path && due(call, path)) return 1;
    errno = kept;
    return 0;
}

/* type, name, parameters, arguments, what says whether it is due, what it returns then */
#define CALL(type, name, parameters, arguments, is_due, failure)                         \
    type name parameters                                                                 \
    {                                                                                    \
        static type (*real) parameters;                                                  \
        if (!real) real = (type (*) parameters)dlsym(RTLD_NEXT, #name);                  \
        return (is_due) ? (failure) : real arguments;                                    \
    }
#define OF(name, parameters, arguments) CALL(int, name, parameters, arguments, due_of(#name, fd), -1)
#define SIZED(name, parameters, arguments) CALL(ssize_t, name, parameters, arguments, due_of(#name, fd), -1)
#define AT(name, parameters, arguments) CALL(int, name, parameters, arguments, due_at(#name, at, path), -1)
#define BY(name, parameters, arguments) CALL(int, name, parameters, arguments, due_at(#name, AT_FDCWD, path), -1)
#define OPEN(name, parameters, arguments, where)                                         \
    int name parameters                                                                  \
    {                                                                                    \
        static int (*real) parameters;                                                   \
        va_list rest;                                                                    \
        if (!real) real = (int (*) parameters)dlsym(RTLD_NEXT, #name);                   \
        va_start(rest, flags);                                                           \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;        \
        va_end(rest);                                                                    \
        return due_at(#name, where, path) ? -1 : real arguments;                         \
    }

OPEN(open, (const char *path, int flags, ...), (path, flags, mode), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode), AT_FDCWD)
OPEN(openat, (int at, const char *path, int flags, ...), (at, path, flags, mode), at)
OPEN(openat64, (int at, const char *path, int flags, ...), (at, path, flags, mode), at)

AT(fstatat, (int at, const char *path, struct stat *to, int flags), (at, path, to, flags))
AT(fstatat64, (int at, const char *path, struct stat64 *to, int flags), (at, path, to, flags))
AT(statx, (int at, const char *path, int flags, unsigned mask, struct statx *to), (at, path, flags, mask, to))
AT(mkdirat, (int at, const char *path, mode_t mode), (at, path, mode))
AT(unlinkat, (int at, const char *path, int flags), (at, path, flags))
AT(utimensat, (int at, const char *path, const struct timespec times[2], int flags), (at, path, times, flags))
AT(fchmodat, (int at, const char *path, mode_t mode, int flags), (at, path, mode, flags))
AT(faccessat, (int at, const char *path, int mode, int flags), (at, path, mode, flags))
CALL(int, linkat, (int from, const char *old, int at, const char *path, int flags), (from, old, at, path, flags),
     due_at("linkat", at, path), -1)
CALL(int, symlinkat, (const char *old, int at, const char *path), (old, at, path), due_at("symlinkat", at, path), -1)
CALL(int, renameat, (int from, const char *old, int at, const char *path), (from, old, at, path),
     due_at("renameat", from, old), -1)

BY(stat, (const char *path, struct stat *to), (path, to))
BY(stat64, (const char *path, struct stat64 *to), (path, to))
BY(lstat, (const char *path, struct stat *to), (path, to))
BY(lstat64, (const char *path, struct stat64 *to), (path, to))
BY(access, (const char *path, int mode), (path, mode))
BY(mkdir, (const char *path, mode_t mode), (path, mode))
BY(rmdir, (const char *path), (path))
BY(unlink, (const char *path), (path))
BY(chmod, (const char *path, mode_t mode), (path, mode))
BY(link, (const char *old, const char *path), (old, path))
BY(symlink, (const char *old, const char *path), (old, path))
BY(rename, (const char *path, const char *new), (path, new))
BY(execve, (const char *path, char *const words[], char *const environ[]), (path, words, environ))
CALL(ssize_t, readlink, (const char *path, char *to, size_t size), (path, to, size),
     due_at("readlink", AT_FDCWD, path), -1)
CALL(char *, realpath, (const char *path, char *to), (path, to), due_at("realpath", AT_FDCWD, path), NULL)
CALL(void *, opendir, (const char *path), (path), due_at("opendir", AT_FDCWD, path), NULL)
CALL(void *, fdopendir, (int fd), (fd), due_of("fdopendir", fd), NULL)

SIZED(read, (int fd, void *to, size_t size), (fd, to, size))
SIZED(write, (int fd, const void *from, size_t size), (fd, from, size))
SIZED(writev, (int fd, const struct iovec *from, int number), (fd, from, number))
SIZED(pread64, (int fd, void *to, size_t size, off64_t at), (fd, to, size, at))
OF(fstat, (int fd, struct stat *to), (fd, to))
OF(fstat64, (int fd, struct stat64 *to), (fd, to))
OF(fsync, (int fd), (fd))
OF(fdatasync, (int fd), (fd))
OF(syncfs, (int fd), (fd))
OF(ftruncate64, (int fd, off64_t size), (fd, size))
OF(fchmod, (int fd, mode_t mode), (fd, mode))
OF(flock, (int fd, int operation), (fd, operation))
