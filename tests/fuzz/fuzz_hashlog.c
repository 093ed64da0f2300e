/* Fuzzes hash logs. What was read must keep the promises of front/hashlog.h; what was refused must say where. */
#include <stdlib.h>
#include <string.h>

#include "front/hashlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool held) {
    if (!held) {
        abort(); /* not assert: the fuzzer must stop in every build */
    }
}

static void check(const HashLog *log, size_t size) {
    require(log->head.version && log->every > 0 && strlen(log->head.version) < size);
    require(log->head.n_arguments <= LOG_ARGUMENTS_MAX && log->head.n_files <= LOG_FILES_MAX);
    size_t len = 0;
    for (int i = 0; i < log->head.n_arguments; i++) {
        len += strlen(log->head.arguments[i]);
    }
    for (size_t i = 0; i < log->head.n_files; i++) {
        len += strlen(log->head.files[i].path);
    }
    require(len < size);
    for (size_t i = 1; i < log->n_points; i++) {
        require(log->points[i].instructions > log->points[i - 1].instructions);
    }
    require(!log->ended || (log->reason && log->reason[0]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    HashLog log;
    OrrError error = {0};
    if (hash_log_parse(&log, "log", (const char *)data, size, &error)) {
        check(&log, size);
    } else {
        unsigned line = 0, column = 0;
        int used = 0;
        require(sscanf(error.text, "log:%u:%u: expected %n", &line, &column, &used) == 2 && used > 0);
        require(line >= 1 && column >= 1 && column <= size + 1 && error.text[used]);
    }
    hash_log_free(&log);
    return 0;
}
