/* Device-tree sources: dtc makes the blob. Labels are kept (-@), they name the devices. Sources that are meant for the
 * C preprocessor (#include) must have gone through it, as Zephyr's build/zephyr/zephyr.dts has. */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "front/front.h"

enum { BLOB_MAX = (4 << 20) + 1 }; /* one more than the library reads: what is too large is refused there */

static bool fail(OrrError *error, const char *path, const char *why) {
    snprintf(error->text, sizeof error->text, "%.300s: %s", path, why);
    return false;
}

static bool dtc_start(const char *path, pid_t *pid, int *out) {
    char *const arguments[] = {"dtc", "-q", "-@", "-I", "dts", "-O", "dtb", "--", (char *)path, NULL};
    int ends[2];
    posix_spawn_file_actions_t actions;
    if (pipe(ends) != 0) {
        return false;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    int status = posix_spawnp(pid, "dtc", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    *out = ends[0];
    if (status != 0) {
        close(ends[0]);
        errno = status;
    }
    return status == 0;
}

static size_t read_all(int fd, uint8_t *bytes, size_t size) {
    size_t len = 0;
    for (ssize_t n = 1; n != 0 && len < size;) {
        n = read(fd, bytes + len, size - len);
        if (n < 0 && errno != EINTR) {
            break;
        }
        len += n > 0 ? (size_t)n : 0;
    }
    return len;
}

bool dts_compile(const char *path, uint8_t **bytes, size_t *len, OrrError *error) {
    pid_t pid;
    int out, status = 0;
    if (!dtc_start(path, &pid, &out)) {
        return fail(error, path, errno == ENOENT ? "dtc compiles .dts files and is not installed (Debian package "
                                                   "device-tree-compiler); or give the .dtb"
                                                 : strerror(errno));
    }
    *bytes = malloc(BLOB_MAX);
    if (!*bytes) {
        abort();
    }
    *len = read_all(out, *bytes, BLOB_MAX);
    close(out);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (*len < BLOB_MAX && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
        free(*bytes);
        return fail(error, path, "dtc has refused it; sources with #include must be preprocessed first, "
                                 "as Zephyr's build/zephyr/zephyr.dts is");
    }
    return true;
}

void dts_last_free(DtsLast *last) {
    free(last->path);
    free(last->bytes);
    *last = (DtsLast){0};
}

bool dts_compile_once(void *user, const char *path, const void **dtb, size_t *len, OrrError *error) {
    DtsLast *last = user;
    if (!last->path || strcmp(last->path, path) != 0) {
        dts_last_free(last);
        if (!dts_compile(path, &last->bytes, &last->len, error)) {
            last->bytes = NULL;
            return false;
        }
        last->path = strdup(path);
        if (!last->path) {
            abort();
        }
    }
    *dtb = last->bytes;
    *len = last->len;
    return true;
}
