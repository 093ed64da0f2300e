/* Hash logs: what `orrery run --hash-every N --hash-log FILE` writes and `orrery tracediff` reads.
 *
 *     orrery hash log 1
 *     version 0.1.0
 *     argument --machine            the command line behind `run`, one argument per line
 *     file 7d0c... firmware.elf     each file that the run reads: FNV-1a hash of its bytes, path
 *     every 1000
 *     point 1000 40000 88800292828dc390     instructions, time in nanoseconds, state hash
 *     end exit 1234 49360 5f1d...           the same when the run ended, and why
 *
 * In texts \xNN stands for a control character and for the backslash. */
#ifndef FRONT_HASHLOG_H
#define FRONT_HASHLOG_H

#include "front/front.h"

#define HASH_LOG_HEAD "orrery hash log 1"
enum { HASH_LOG_ARGUMENTS_MAX = 256, HASH_LOG_FILES_MAX = 64 };

typedef struct HashPoint {
    uint64_t instructions, time_ns, hash;
} HashPoint;

typedef struct HashFile {
    char *path;
    uint64_t sum;
} HashFile;

typedef struct HashLog {
    const char *name; /* of the log itself */
    char *text; /* owned; what the pointers below point into */
    char *version;
    char *arguments[HASH_LOG_ARGUMENTS_MAX];
    int n_arguments;
    HashFile files[HASH_LOG_FILES_MAX];
    size_t n_files;
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

/** Hash of a file's bytes; false and a text. */
bool file_sum(const char *path, uint64_t *sum, OrrError *error);

#endif
