/* The boards of boards/ *.repl, embedded at build time by tools/embed: `--machine microbit` needs no file. */
#ifndef LOAD_BOARDS_H
#define LOAD_BOARDS_H

#include "base/common.h"

typedef struct EmbeddedFile {
    const char *name; /* file name without .repl */
    const char *bytes; /* len bytes and a NUL */
    size_t len;
} EmbeddedFile;

/** orr_boards_count files, sorted by name (strcmp), no two of the same name. */
extern const EmbeddedFile orr_boards[];
/** The first line of each one's head comment, or an empty text. */
extern const char *const orr_board_summaries[];
extern const size_t orr_boards_count;

#endif
