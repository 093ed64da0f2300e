/* A user's mistake, reported to the caller: one line of text, ready to print.
 * Functions that can fail on user input take `Err *err` last and return false (or NULL). */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/common.h"

typedef struct Err {
    char text[512];
} Err;

/** Stores a message; err may be NULL. Always returns false, so `return err_set(...)` reads well. */
bool err_set(Err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/** Stores `file:line:col: message`; line and col count from 1. Returns false. */
bool err_at(Err *err, const char *file, unsigned line, unsigned col, const char *fmt, ...) PRINTF_LIKE(5, 6);

#endif
