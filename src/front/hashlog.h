/* Hash logs: what `orrery run --hash-every N --hash-log FILE` writes and `orrery tracediff` reads. Behind a head as of
 * front/textlog.h:
 *
 *     every 1000
 *     point 1000 40000 88800292828dc390     instructions, time in nanoseconds, state hash
 *     end exit 1234 49360 5f1d...           the same when the run ended, and why */
#ifndef FRONT_HASHLOG_H
#define FRONT_HASHLOG_H

#include "front/textlog.h"

#define HASH_LOG_HEAD "orrery hash log 1"

typedef struct HashPoint {
    uint64_t instructions, time_ns, hash;
} HashPoint;

typedef struct HashLog {
    LogHead head;
    uint64_t every;
    HashPoint *points; /* instructions rise */
    size_t n_points;
    bool ended; /* there is an `end` line */
    char *reason;
    HashPoint end;
} HashLog;

/** Reads a log. Errors: `name:line:col: expected ...`. To be freed with hash_log_free, also after a failure. */
bool hash_log_parse(HashLog *log, const char *name, const char *text, size_t len, OrrError *error);
void hash_log_free(HashLog *log);

typedef struct HashLogWriter {
    FILE *f;
    uint64_t every, next; /* instructions: the distance of points, the next one */
} HashLogWriter;

/** Creates the file and writes its head; argv is what stands behind `run`. */
bool hash_log_create(HashLogWriter *log, const RunOptions *options, int argc, char *const *argv, OrrError *error);
/** Writes a point if the node has come to one. */
void hash_log_point(HashLogWriter *log, const OrrNode *node);
/** Writes the end; false, and a complaint, if the log could not be written. */
bool hash_log_end(HashLogWriter *log, const OrrNode *node, const char *reason);
void hash_log_close(HashLogWriter *log);

#endif
