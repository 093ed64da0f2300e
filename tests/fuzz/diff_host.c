#include "diff_host.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

extern char **environ;

enum { QEMU_SECONDS = 120 };

void fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(2);
}

void bytes_add(Bytes *bytes, const void *data, size_t len) {
    if (bytes->len + len > bytes->cap) {
        bytes->cap = 2 * (bytes->len + len);
        bytes->data = realloc(bytes->data, bytes->cap);
        assert(bytes->data);
    }
    memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
}

Bytes bytes_of_file(const char *path) {
    Bytes bytes = {0};
    FILE *f = fopen(path, "rb");
    if (!f) {
        fail("%s: %s", path, strerror(errno));
    }
    uint8_t chunk[65536];
    for (size_t len; (len = fread(chunk, 1, sizeof chunk, f));) {
        bytes_add(&bytes, chunk, len);
    }
    fclose(f);
    return bytes;
}

void bytes_to_file(const char *path, const void *data, size_t len) {
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, len, f) != len || fclose(f)) {
        fail("%s: %s", path, strerror(errno));
    }
}

pid_t qemu_start(char **arguments, const char *output) {
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    if (output) {
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    }
    int error = posix_spawnp(&pid, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error) {
        fail("%s: %s", arguments[0], strerror(error));
    }
    return pid;
}

bool qemu_wait(pid_t pid) {
    int status;
    for (unsigned i = 0; i < QEMU_SECONDS * 100; i++) {
        if (waitpid(pid, &status, WNOHANG) == pid) {
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        }
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return false;
}

static void log_line(void *user, OrrLogLevel level, const char *line) {
    (void)user;
    (void)level;
    fprintf(stderr, "orrery: %s\n", line);
}

OrrWorld *diff_world(void) {
    return orr_world_new(&(OrrWorldOptions){.log_level = ORR_LOG_ERROR, .log = log_line});
}

uint64_t number(const char *text) {
    uint64_t value;
    if (!text_parse_u64(text, &value)) {
        fail("%s: expected a number", text);
    }
    return value;
}

OrrEngine engine_named(const char *text) {
    const char *name, *summary;
    for (size_t i = 0; (name = orr_engine_name(i, &summary)) != NULL; i++) {
        if (strcmp(name, text) == 0) {
            return (OrrEngine)i;
        }
    }
    fail("%s: expected an engine (orrery list engines)", text);
}
