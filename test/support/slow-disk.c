/* A disk that is slow: each write and sync of a file below $SLOW_DISK takes as many milliseconds as the file
   $SLOW_DISK_MS says at that moment. For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void wait_for_disk(int fd) {
    const char* folder = getenv("SLOW_DISK");
    const char* file = getenv("SLOW_DISK_MS");
    char link[64], path[4096], text[16] = "";
    if (!folder || !file) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < (ssize_t)strlen(folder) || strncmp(path, folder, strlen(folder)) != 0) return;
    int speed = open(file, O_RDONLY | O_CLOEXEC);
    if (speed < 0) return;
    if (read(speed, text, sizeof text - 1) < 0) text[0] = 0;
    close(speed);
    long milliseconds = atol(text);
    struct timespec rest = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&rest, NULL);
}

ssize_t write(int fd, const void* octets, size_t count) {
    static ssize_t (*real)(int, const void*, size_t);
    if (!real) real = (ssize_t(*)(int, const void*, size_t))dlsym(RTLD_NEXT, "write");
    wait_for_disk(fd);
    return real(fd, octets, count);
}

int fdatasync(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    wait_for_disk(fd);
    return real(fd);
}

int fsync(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    wait_for_disk(fd);
    return real(fd);
}
