/* Log lines with a level and a category, to a sink that the embedder chooses. One Log belongs to one world. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/common.h"

typedef enum LogLevel { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG } LogLevel;

typedef struct Log {
    LogLevel level; /* lines above this level are dropped */
    void (*sink)(void *user, LogLevel level, const char *line); /* line without newline; NULL drops all */
    void *user;
} Log;

/** Writes one line, cut at 1023 bytes. log may be NULL. */
void log_line(const Log *log, LogLevel level, const char *fmt, ...) PRINTF_LIKE(3, 4);
/** True if a line of that level would be written: guards costly formatting. */
bool log_enabled(const Log *log, LogLevel level);

#endif
