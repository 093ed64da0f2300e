/* What hash logs and journals share: text files of one fact per line, with a head that tells what ran.
 *
 *     orrery journal 1                  what the file is
 *     version 0.1.0
 *     argument --machine                the command line behind `run`, one argument per line
 *     file 7d0c... firmware.elf         each file that the run reads: FNV-1a hash of its bytes, path
 *
 * In texts \xNN stands for a control character and for the backslash; in names and bytes also for other characters. */
#ifndef FRONT_TEXTLOG_H
#define FRONT_TEXTLOG_H

#include "front/front.h"

enum { LOG_ARGUMENTS_MAX = 256, LOG_FILES_MAX = 1024 };

typedef struct LogFile {
    char *path;
    uint64_t sum;
} LogFile;

typedef struct LogHead {
    const char *name; /* of the log itself */
    char *text; /* owned; what the pointers below point into */
    char *version;
    char *arguments[LOG_ARGUMENTS_MAX];
    int n_arguments;
    LogFile files[LOG_FILES_MAX];
    size_t n_files;
} LogHead;

/* ---- Reading: it may be anything. It is read in place, in a copy of the text ---- */

typedef struct LogReader {
    LogHead *head;
    char *at, *line, *next, *end;
    unsigned number; /* of the line */
    OrrError *error;
} LogReader;

/** Starts reading; false if the host has no memory for a copy. */
bool textlog_open(LogReader *r, LogHead *head, const char *name, const char *text, size_t len, OrrError *error);
/** The next line. False at the end, or with *failed if it holds a NUL. */
bool textlog_line(LogReader *r, bool *failed);
/** A line of the head that is no `last`; false is a mistake. */
bool textlog_head_line(LogReader *r, const char *last);
/** `name:line:col: expected ...`; returns false. */
bool textlog_fail(const LogReader *r, const char *expected);
/** Moves over a word and the space behind it, or the end of the line; false if it is another one, without a mistake. */
bool textlog_word(LogReader *r, const char *word);
bool textlog_decimal(LogReader *r, uint64_t *value);
bool textlog_hash(LogReader *r, uint64_t *value); /* 16 hexadecimal digits */
bool textlog_space(LogReader *r);
bool textlog_end(LogReader *r);
/** A name up to the next space, or to the end of the line; its escapes undone. Not empty. */
bool textlog_name(LogReader *r, char **out);
/** The rest of the line, its escapes undone. Texts have no NUL, bytes may. */
bool textlog_text(LogReader *r, char **out);
bool textlog_bytes(LogReader *r, char **out, size_t *len);

/* ---- Writing ---- */

/** `keyword text` without newline. */
void textlog_put_text(FILE *f, const char *keyword, const char *text);
/** A space and a name; a space and bytes. */
void textlog_put_name(FILE *f, const char *name);
void textlog_put_bytes(FILE *f, const void *bytes, size_t len);
/** The head but for files; argv is what stands behind `run`. */
void textlog_put_head(FILE *f, const char *what, int argc, char *const *argv);
/** A file of the head; false and a text if it cannot be read. */
bool textlog_put_file(FILE *f, const char *path, OrrError *error);

/** Whether what ran is still there: this version, all files with these hashes. Tells on stdout if not. */
bool textlog_replayable(const LogHead *head);
/** Hash of a file's bytes; false and a text. */
bool file_sum(const char *path, uint64_t *sum, OrrError *error);

#endif
