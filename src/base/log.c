#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

bool log_enabled(const Log *log, LogLevel level) {
    return log && log->sink && level <= log->level;
}

void log_line(const Log *log, LogLevel level, const char *fmt, ...) {
    if (!log_enabled(log, level)) {
        return;
    }
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    log->sink(log->user, level, line);
}
