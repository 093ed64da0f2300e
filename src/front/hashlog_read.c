/* Reading a hash log: it may be anything. It is read in place, in a copy of the text. */
#include <stdlib.h>
#include <string.h>

#include "front/hashlog.h"

typedef struct LogReader {
    HashLog *log;
    char *at, *line, *end;
    unsigned number; /* of the line */
    size_t points_cap;
    OrrError *error;
} LogReader;

static bool fail(const LogReader *r, const char *expected) {
    snprintf(r->error->text, sizeof r->error->text, "%.200s:%u:%u: expected %s", r->log->name, r->number,
             (unsigned)(r->at - r->line) + 1, expected);
    return false;
}

/* Moves over a word and the space behind it. */
static bool take_word(LogReader *r, const char *word) {
    size_t len = strlen(word);
    if (strncmp(r->at, word, len) != 0 || r->at[len] != ' ') {
        return false;
    }
    r->at += len + 1;
    return true;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_decimal(LogReader *r, uint64_t *value) {
    const char *begin = r->at;
    *value = 0;
    for (; *r->at >= '0' && *r->at <= '9'; r->at++) {
        unsigned digit = (unsigned)(*r->at - '0');
        if (*value > (UINT64_MAX - digit) / 10) {
            return fail(r, "a number below 2^64");
        }
        *value = *value * 10 + digit;
    }
    return r->at > begin || fail(r, "a number");
}

static bool take_hash(LogReader *r, uint64_t *value) {
    *value = 0;
    for (int i = 0; i < 16; i++, r->at++) {
        int digit = hex_digit(*r->at);
        if (digit < 0) {
            return fail(r, "16 hexadecimal digits (0-9, a-f)");
        }
        *value = *value << 4 | (unsigned)digit;
    }
    return true;
}

static bool take_space(LogReader *r) {
    return *r->at == ' ' ? (r->at++, true) : fail(r, "a space");
}

static bool take_end(LogReader *r) {
    return *r->at == '\0' || fail(r, "the end of the line");
}

/* The rest of the line with its escapes undone, in place: it only gets shorter. */
static bool take_text(LogReader *r, char **out) {
    char *to = *out = r->at;
    for (; *r->at; r->at++) {
        int high, low;
        if (*r->at != '\\') {
            *to++ = *r->at;
            continue;
        }
        if (r->at[1] != 'x' || (high = hex_digit(r->at[2])) < 0 || (low = hex_digit(r->at[3])) < 0 || high + low == 0) {
            return fail(r, "\\x and two hexadecimal digits, not 00");
        }
        *to++ = (char)(high << 4 | low);
        r->at += 3;
    }
    *to = '\0';
    return true;
}

static bool take_point(LogReader *r, HashPoint *point) {
    return take_decimal(r, &point->instructions) && take_space(r) && take_decimal(r, &point->time_ns) &&
           take_space(r) && take_hash(r, &point->hash) && take_end(r);
}

static bool read_point(LogReader *r) {
    HashLog *log = r->log;
    HashPoint point;
    char *number = r->at;
    if (!take_point(r, &point)) {
        return false;
    }
    if (log->n_points && point.instructions <= log->points[log->n_points - 1].instructions) {
        r->at = number;
        return fail(r, "more instructions than at the point before");
    }
    if (log->n_points == r->points_cap) {
        r->points_cap = r->points_cap ? r->points_cap * 2 : 1024;
        HashPoint *grown = realloc(log->points, r->points_cap * sizeof *grown);
        if (!grown) {
            return fail(r, "fewer points: the host has no memory for more");
        }
        log->points = grown;
    }
    log->points[log->n_points++] = point;
    return true;
}

static bool read_end(LogReader *r) {
    size_t len = strcspn(r->at, " ");
    r->log->reason = r->at;
    if (len == 0 || r->at[len] == '\0') {
        return fail(r, "why the run ended, and where");
    }
    r->at[len] = '\0';
    r->at += len + 1;
    r->log->ended = true;
    return take_point(r, &r->log->end);
}

static bool read_head_line(LogReader *r) {
    HashLog *log = r->log;
    if (take_word(r, "version")) {
        return take_text(r, &log->version);
    }
    if (take_word(r, "argument")) {
        return log->n_arguments < HASH_LOG_ARGUMENTS_MAX ? take_text(r, &log->arguments[log->n_arguments++])
                                                         : fail(r, "at most 256 arguments");
    }
    if (take_word(r, "file")) {
        HashFile *file = &log->files[log->n_files];
        if (log->n_files == HASH_LOG_FILES_MAX) {
            return fail(r, "at most 64 files");
        }
        log->n_files++;
        return take_hash(r, &file->sum) && take_space(r) && take_text(r, &file->path);
    }
    if (!take_word(r, "every")) {
        return fail(r, "version, argument, file or every");
    }
    return take_decimal(r, &log->every) && take_end(r) && (log->every > 0 || fail(r, "a number above 0"));
}

static bool read_line(LogReader *r) {
    if (r->number == 1) {
        return strcmp(r->line, HASH_LOG_HEAD) == 0 || fail(r, "the line '" HASH_LOG_HEAD "'");
    }
    if (r->log->ended) {
        return fail(r, "nothing behind the end line");
    }
    if (!r->log->every) {
        return read_head_line(r);
    }
    if (take_word(r, "point")) {
        return read_point(r);
    }
    return take_word(r, "end") ? read_end(r) : fail(r, "point or end");
}

bool hash_log_parse(HashLog *log, const char *name, const char *text, size_t len, OrrError *error) {
    *log = (HashLog){.name = name, .text = malloc(len + 1)};
    LogReader r = {.log = log, .at = log->text, .error = error};
    if (!log->text) {
        snprintf(error->text, sizeof error->text, "%.200s: the host has no memory for it", name);
        return false;
    }
    memcpy(log->text, text, len);
    log->text[len] = '\0';
    r.end = log->text + len;
    while (r.at < r.end) {
        char *newline = memchr(r.at, '\n', (size_t)(r.end - r.at));
        char *next = newline ? newline + 1 : r.end;
        r.number++;
        r.line = r.at;
        if (newline) {
            *newline = '\0';
        }
        if (strlen(r.line) != (size_t)((newline ? newline : r.end) - r.line)) {
            r.at = r.line + strlen(r.line);
            return fail(&r, "a text without zero bytes");
        }
        if (!read_line(&r)) {
            return false;
        }
        r.at = next;
    }
    r.line = r.at;
    r.number++;
    return (log->every && log->version) || fail(&r, "a head with version and every");
}

void hash_log_free(HashLog *log) {
    free(log->text);
    free(log->points);
    *log = (HashLog){0};
}
