/* Reading a hash log. */
#include <stdlib.h>
#include <string.h>

#include "front/hashlog.h"

typedef struct HashReader {
    LogReader in;
    HashLog *log;
    size_t points_cap;
} HashReader;

static bool take_point(LogReader *r, HashPoint *point) {
    return textlog_decimal(r, &point->instructions) && textlog_space(r) && textlog_decimal(r, &point->time_ns) &&
           textlog_space(r) && textlog_hash(r, &point->hash) && textlog_end(r);
}

static bool read_point(HashReader *r) {
    HashLog *log = r->log;
    HashPoint point;
    char *number = r->in.at;
    if (!take_point(&r->in, &point)) {
        return false;
    }
    if (log->n_points && point.instructions <= log->points[log->n_points - 1].instructions) {
        r->in.at = number;
        return textlog_fail(&r->in, "more instructions than at the point before");
    }
    if (log->n_points == r->points_cap) {
        r->points_cap = r->points_cap ? r->points_cap * 2 : 1024;
        HashPoint *grown = realloc(log->points, r->points_cap * sizeof *grown);
        if (!grown) {
            return textlog_fail(&r->in, "fewer points: the host has no memory for more");
        }
        log->points = grown;
    }
    log->points[log->n_points++] = point;
    return true;
}

static bool read_end(HashReader *r) {
    r->log->ended = true;
    return textlog_name(&r->in, &r->log->reason) && take_point(&r->in, &r->log->end);
}

static bool read_head_line(HashReader *r) {
    if (!textlog_word(&r->in, "every")) {
        return textlog_head_line(&r->in, "every");
    }
    return textlog_decimal(&r->in, &r->log->every) && textlog_end(&r->in) &&
           (r->log->every > 0 || textlog_fail(&r->in, "a number above 0"));
}

static bool read_line(HashReader *r) {
    if (r->in.number == 1) {
        return strcmp(r->in.line, HASH_LOG_HEAD) == 0 || textlog_fail(&r->in, "the line '" HASH_LOG_HEAD "'");
    }
    if (r->log->ended) {
        return textlog_fail(&r->in, "nothing behind the end line");
    }
    if (!r->log->every) {
        return read_head_line(r);
    }
    if (textlog_word(&r->in, "point")) {
        return read_point(r);
    }
    return textlog_word(&r->in, "end") ? read_end(r) : textlog_fail(&r->in, "point or end");
}

bool hash_log_parse(HashLog *log, const char *name, const char *text, size_t len, OrrError *error) {
    *log = (HashLog){0};
    HashReader r = {.log = log};
    bool failed = !textlog_open(&r.in, &log->head, name, text, len, error);
    while (!failed && textlog_line(&r.in, &failed)) {
        failed = !read_line(&r);
    }
    return !failed && ((log->every && log->head.version) || textlog_fail(&r.in, "a head with version and every"));
}

void hash_log_free(HashLog *log) {
    free(log->head.text);
    free(log->points);
    *log = (HashLog){0};
}
