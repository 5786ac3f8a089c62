/* Preloaded into real programs, so that the system answers as some systems do:
 *
 *   SHIM_FLOCK=<errno>:<text>     flock of a file whose path contains <text> fails with it, as without locks
 *   SHIM_OPEN=<errno>:<text>      making a file whose path contains <text> fails with it, as on a full disk
 *   SHIM_CLOCK=<seconds>          the clock of the system (not of the file system) is that much ahead
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int fails(const char *name, const char *path)
{
    const char *rule = getenv(name), *text = rule ? strchr(rule, ':') : NULL;
    if (!text || !path || !strstr(path, text + 1)) return 0;
    errno = atoi(rule);
    return 1;
}

int flock(int descriptor, int operation)
{
    static int (*real)(int, int);
    char link[64], path[4096] = "";
    if (!real) real = (int (*)(int, int))dlsym(RTLD_NEXT, "flock");
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    if (readlink(link, path, sizeof path - 1) > 0 && fails("SHIM_FLOCK", path)) return -1;
    return real(descriptor, operation);
}

#define OPEN(name, parameters, arguments)                                          \
    int name parameters                                                            \
    {                                                                              \
        static int (*real) parameters;                                             \
        mode_t mode = 0;                                                           \
        if (!real) real = (int (*) parameters)dlsym(RTLD_NEXT, #name);             \
        if (flags & O_CREAT) {                                                     \
            va_list rest;                                                          \
            va_start(rest, flags);                                                 \
            mode = (mode_t)va_arg(rest, int);                                      \
            va_end(rest);                                                          \
        }                                                                          \
        return (flags & O_CREAT) && fails("SHIM_OPEN", path) ? -1 : real arguments;                          \
    }

OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, (int where, const char *path, int flags, ...), (where, path, flags, mode))
OPEN(openat64, (int where, const char *path, int flags, ...), (where, path, flags, mode))

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    const char *ahead = getenv("SHIM_CLOCK");
    int status = real(clock, now);
    if (status == 0 && clock == CLOCK_REALTIME) now->tv_sec += ahead ? atol(ahead) : 0;
    return status;
}

time_t time(time_t *where)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where) *where = now.tv_sec;
    return now.tv_sec;
}
