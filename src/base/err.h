/* A user's mistake, reported to the caller: one line of text, ready to print.
 * Functions that can fail on user input take `Err *err` last and return false (or NULL). */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/common.h"

/** What kind of mistake it was, for programs; set by the step that refuses, not by who tells. */
typedef enum ErrCode {
    ERR_NONE,
    ERR_ARGUMENT, /* of a function of the library */
    ERR_FILE, /* cannot be read */
    ERR_SYNTAX, /* of a platform file */
    ERR_TYPE, /* device type that is not known */
    ERR_PROPERTY, /* of a device */
    ERR_CONNECTION, /* of a line */
    ERR_ADDRESS, /* place of a device */
    ERR_DEVICE, /* a device or the machine as a whole refuses */
    ERR_IMAGE,
    ERR_STATE, /* saved state */
} ErrCode;

typedef struct Err {
    char text[512];
    ErrCode code;
} Err;

static inline bool err_code(Err *err, ErrCode code) {
    if (err) {
        err->code = code;
    }
    return false;
}

/** Stores a message; err may be NULL. Always returns false, so `return err_set(...)` reads well. */
bool err_set(Err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/** Stores `file:line:col: message`; line and col count from 1, line 0: `file: message`. Returns false. */
bool err_at(Err *err, const char *file, unsigned line, unsigned col, const char *fmt, ...) PRINTF_LIKE(5, 6);

#endif
