/* Writing a hash log, while its run goes on. */
#include "front/hashlog.h"

#include <errno.h>
#include <string.h>

static bool write_files(FILE *f, const RunOptions *o, OrrError *error) {
    const char *const plain[] = {o->repl, o->dtb, o->input, o->load};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (plain[i] && !textlog_put_file(f, plain[i], error)) {
            return false;
        }
    }
    for (size_t i = 0; i < o->kernels.n; i++) {
        char path[4096];
        bool has_addr;
        uint64_t addr;
        if (!kernel_split(o->kernels.values[i], path, sizeof path, &has_addr, &addr) ||
            !textlog_put_file(f, path, error)) {
            return false;
        }
    }
    return true;
}

bool hash_log_create(HashLogWriter *log, const RunOptions *o, int argc, char *const *argv, OrrError *error) {
    log->every = log->next = o->hash_every;
    log->f = fopen(o->hash_log, "w");
    if (!log->f) {
        snprintf(error->text, sizeof error->text, "--hash-log %.200s: %s", o->hash_log, strerror(errno));
        return false;
    }
    textlog_put_head(log->f, HASH_LOG_HEAD, argc, argv);
    if (!write_files(log->f, o, error)) {
        return false;
    }
    fprintf(log->f, "every %llu\n", (unsigned long long)log->every);
    return true;
}

static void write_point(FILE *f, const OrrNode *node) {
    fprintf(f, " %llu %llu %016llx\n", (unsigned long long)orr_node_instructions(node),
            (unsigned long long)orr_node_time_ns(node), (unsigned long long)orr_node_hash(node));
}

void hash_log_point(HashLogWriter *log, const OrrNode *node) {
    uint64_t now = orr_node_instructions(node);
    if (log->f && now >= log->next) {
        log->next = (now / log->every + 1) * log->every;
        fputs("point", log->f);
        write_point(log->f, node);
    }
}

bool hash_log_end(HashLogWriter *log, const OrrNode *node, const char *reason) {
    fprintf(log->f, "end %s", reason);
    write_point(log->f, node);
    bool written = !ferror(log->f);
    written &= fclose(log->f) == 0;
    log->f = NULL;
    if (!written) {
        complain("--hash-log: %s", strerror(errno));
    }
    return written;
}

void hash_log_close(HashLogWriter *log) {
    if (log->f) {
        fclose(log->f);
        log->f = NULL;
    }
}
