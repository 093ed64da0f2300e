/* What the differential tests share: QEMU as a child process, files, a world of Orrery, arguments. Whatever the host
 * refuses ends the program with exit code 2 and a message. */
#ifndef DIFF_HOST_H
#define DIFF_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "orrery/orrery.h"

enum { SHOWN_MAX = 20, MISMATCHES_MAX = 100, PATH_BYTES = 512 };
/** Virtual time after which a batch has not ended as it should. */
#define VIRTUAL_NS UINT64_C(100000000000)

__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);

typedef struct Bytes {
    uint8_t *data;
    size_t len, cap;
} Bytes;

void bytes_add(Bytes *bytes, const void *data, size_t len);
/** The whole file; data is the caller's to free. */
Bytes bytes_of_file(const char *path);
void bytes_to_file(const char *path, const void *data, size_t len);

/** Starts arguments[0]; its standard output goes to the file `output` unless that is NULL. */
pid_t qemu_start(char **arguments, const char *output);
/** False: killed because it took longer than two minutes, or it ended in an error. */
bool qemu_wait(pid_t pid);

/** A world that logs errors on standard error. */
OrrWorld *diff_world(void);

uint64_t number(const char *text);
OrrEngine engine_named(const char *text);

#endif
