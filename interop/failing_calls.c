/* One call on a path fails: the FAIL_AT-th of FAIL_CALL on a file whose path has FAIL_PATH in it, with the error FAIL_ERROR. FAIL_DONE is made
   then. Loaded before the C library; calls are counted over all threads. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_int seen;

static int fails(const char *call, const char *path) {
    const char *wanted = getenv("FAIL_CALL"), *part = getenv("FAIL_PATH"), *done = getenv("FAIL_DONE");
    if (!wanted || !part || !done || strcmp(wanted, call) || !path || !strstr(path, part)) return 0;
    if (atomic_fetch_add(&seen, 1) + 1 != atoi(getenv("FAIL_AT"))) return 0;
    int (*make)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");
    close(make(done, O_CREAT | O_WRONLY, 0600));
    errno = atoi(getenv("FAIL_ERROR"));
    return 1;
}

static int fd_fails(const char *call, int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(call, path);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    if (flags & O_CREAT && fails("create", path)) return -1;
    int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");
    return next(path, flags, mode);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    if (fd_fails("write", fd)) return -1;
    ssize_t (*next)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    return next(fd, bytes, count);
}

int rename(const char *from, const char *to) {
    if (fails("rename", from)) return -1;
    int (*next)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
    return next(from, to);
}

int mkdir(const char *path, mode_t mode) {
    if (fails("mkdir", path)) return -1;
    int (*next)(const char *, mode_t) = dlsym(RTLD_NEXT, "mkdir");
    return next(path, mode);
}

int fsync(int fd) {
    if (fd_fails("fsync", fd)) return -1;
    int (*next)(int) = dlsym(RTLD_NEXT, "fsync");
    return next(fd);
}
