/* Strings and files. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/alloc.h"
#include "base/err.h"

/** Whole file into the arena, NUL-terminated beyond *len. NULL and an error if it cannot be read or exceeds
 * 1 GiB. */
char *file_read(Arena *arena, const char *path, size_t *len, Err *err);

/** Different for different texts and seeds, as a rule: a key for a Map. */
uint64_t text_hash(const char *s, uint64_t seed);

/** Different as a rule if a file has been changed since; 0 if there is none. */
uint64_t file_stamp(const char *path);

/** Of names[0..n), the one nearest to name by edit distance, or NULL if none is near enough to suggest. */
const char *text_nearest(const char *name, const char *const *names, size_t n);

/** Parses a whole decimal or 0x-hexadecimal number, underscores allowed between digits. False if malformed or
 * beyond 64 bits. */
bool text_parse_u64(const char *s, uint64_t *value);

/** "2s", "1.5ms", "10us", "7ns", "3" (seconds) in nanoseconds, with up to nine decimals. False if malformed or beyond
 * 64 bits. */
bool text_parse_time(const char *s, uint64_t *ns);

/** "0.25" as parts of 10^9; up to nine decimals. False if malformed or above 1. */
bool text_parse_chance(const char *s, uint32_t *parts);

#endif
