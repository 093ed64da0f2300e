/* Writing text logs, and whether what they tell of is still there. */
#include "front/textlog.h"

#include <stdlib.h>
#include <string.h>

void textlog_put_text(FILE *f, const char *keyword, const char *text) {
    fprintf(f, "%s ", keyword);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        fprintf(f, *p < ' ' || *p == '\\' || *p == 0x7f ? "\\x%02x" : "%c", *p);
    }
}

static void put_escaped(FILE *f, unsigned char c, bool may_be_space) {
    bool plain = c > ' ' && c < 0x7f && c != '\\';
    fprintf(f, plain || (c == ' ' && may_be_space) ? "%c" : "\\x%02x", c);
}

void textlog_put_name(FILE *f, const char *name) {
    putc(' ', f);
    for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
        put_escaped(f, *p, false);
    }
}

void textlog_put_bytes(FILE *f, const void *bytes, size_t len) {
    putc(' ', f);
    for (size_t i = 0; i < len; i++) {
        put_escaped(f, ((const unsigned char *)bytes)[i], true);
    }
}

void textlog_put_head(FILE *f, const char *what, int argc, char *const *argv) {
    fprintf(f, "%s\nversion " ORR_VERSION "\n", what);
    for (int i = 0; i < argc; i++) {
        textlog_put_text(f, "argument", argv[i]);
        putc('\n', f);
    }
}

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

bool textlog_put_file(FILE *f, const char *path, OrrError *error) {
    uint64_t sum;
    if (!file_sum(path, &sum, error)) {
        return false;
    }
    char keyword[32];
    snprintf(keyword, sizeof keyword, "file %016llx", (unsigned long long)sum);
    textlog_put_text(f, keyword, path);
    putc('\n', f);
    return true;
}

bool textlog_replayable(const LogHead *head) {
    if (strcmp(head->version, ORR_VERSION) != 0) {
        printf("no replay: %s is of version %s, this is " ORR_VERSION "\n", head->name, head->version);
        return false;
    }
    for (size_t i = 0; i < head->n_files; i++) {
        OrrError error;
        uint64_t sum;
        if (!file_sum(head->files[i].path, &sum, &error)) {
            printf("no replay: %s\n", error.text);
            return false;
        }
        if (sum != head->files[i].sum) {
            printf("no replay: %s has changed since %s was written\n", head->files[i].path, head->name);
            return false;
        }
    }
    return true;
}
