#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

bool err_set(Err *err, const char *fmt, ...) {
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(err->text, sizeof err->text, fmt, ap);
        va_end(ap);
    }
    return false;
}

bool err_at(Err *err, const char *file, unsigned line, unsigned col, const char *fmt, ...) {
    if (err) {
        int n = line ? snprintf(err->text, sizeof err->text, "%s:%u:%u: ", file, line, col)
                     : snprintf(err->text, sizeof err->text, "%s: ", file);
        if (n >= 0 && (size_t)n < sizeof err->text) {
            va_list ap;
            va_start(ap, fmt);
            vsnprintf(err->text + n, sizeof err->text - (size_t)n, fmt, ap);
            va_end(ap);
        }
    }
    return false;
}
