/* Writing a hash log, while its run goes on. */
#include "front/hashlog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool file_sum(const char *path, uint64_t *sum, OrrError *error) {
    size_t len;
    unsigned char *bytes = read_whole(path, &len, error);
    *sum = UINT64_C(0xcbf29ce484222325); /* FNV-1a: it finds a changed file, it is no proof against malice */
    for (size_t i = 0; bytes && i < len; i++) {
        *sum = (*sum ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    free(bytes);
    return bytes != NULL;
}

/* ---- Writing ---- */

static void write_text(FILE *f, const char *keyword, const char *text) {
    fprintf(f, "%s ", keyword);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        fprintf(f, *p < ' ' || *p == '\\' || *p == 0x7f ? "\\x%02x" : "%c", *p);
    }
}

static bool write_file(FILE *f, const char *path, OrrError *error) {
    uint64_t sum;
    if (!file_sum(path, &sum, error)) {
        return false;
    }
    char keyword[32];
    snprintf(keyword, sizeof keyword, "file %016llx", (unsigned long long)sum);
    write_text(f, keyword, path);
    fputc('\n', f);
    return true;
}

static bool write_files(FILE *f, const RunOptions *o, OrrError *error) {
    const char *const plain[] = {o->repl, o->dtb, o->input, o->load};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (plain[i] && !write_file(f, plain[i], error)) {
            return false;
        }
    }
    for (size_t i = 0; i < o->kernels.n; i++) {
        char path[4096];
        bool has_addr;
        uint64_t addr;
        if (!kernel_split(o->kernels.values[i], path, sizeof path, &has_addr, &addr) ||
            !write_file(f, path, error)) {
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
    fputs(HASH_LOG_HEAD "\nversion " ORR_VERSION "\n", log->f);
    for (int i = 0; i < argc; i++) {
        write_text(log->f, "argument", argv[i]);
        fputc('\n', log->f);
    }
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
