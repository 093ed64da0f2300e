/* A text, or a POSIX extended regular expression, in a stream of bytes: found at the byte that completes it, however
 * the stream is cut.
 *
 * Regular expressions see one line: `$` is its end (a CR before the LF is not part of it), and of a line that is longer
 * than MATCH_LINE_BYTES only the last ones count. NULs are left out. */
#ifndef API_MATCH_H
#define API_MATCH_H

#include <regex.h>

#include "base/alloc.h"
#include "base/err.h"

enum { MATCH_LINE_BYTES = 1024, MATCH_TEXT_BYTES_MAX = 4096 };

typedef struct Match {
    /* A text: `border[i]` is the length of the longest proper prefix that ends text[0..i] (Knuth, Morris, Pratt). */
    const char *text;
    uint32_t *border;
    size_t len, have;
    /* A regular expression: */
    bool is_regex;
    regex_t regex;
    char *line;
    size_t line_len;
} Match;

/** One of `text` and `regex`; memory comes from the arena, what the regular expression takes from match_close. */
bool match_open(Match *match, Arena *arena, const char *text, const char *regex, Err *err);
void match_close(Match *match);
/** The next byte: true if something that is looked for ends with it. */
bool match_byte(Match *match, uint8_t byte);

#endif
