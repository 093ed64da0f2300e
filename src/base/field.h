/* Declared state: one table per CPU or device says which members of its struct are state. Reset, save, load, hash,
 * register lists and documentation come from that table; nothing is serialised by hand. */
#ifndef BASE_FIELD_H
#define BASE_FIELD_H

#include "base/hash.h"

typedef struct Field {
    const char *name;
    const char *description;
    uint32_t offset; /* in the struct */
    uint16_t size; /* bytes of one element: 1, 2, 4, 8; raw bytes: 1 */
    uint32_t count; /* elements */
    uint64_t reset; /* every element's value after reset */
    uint64_t max; /* largest value that the code can bear, 0 = all: saved state beyond it is refused */
    bool keep; /* survives a reset (cold boot only): flash contents, strap settings */
} Field;

/* A scalar member and an array member; the reset value goes to every element. */
#define FIELD(type, member, reset_value, text)                                                                         \
    { .name = #member, .description = (text), .offset = offsetof(type, member), .size = sizeof(((type *)0)->member),   \
      .count = 1, .reset = (reset_value) }
#define FIELD_ARRAY(type, member, reset_value, text)                                                                   \
    { .name = #member, .description = (text), .offset = offsetof(type, member),                                        \
      .size = sizeof(((type *)0)->member[0]),                                                                          \
      .count = sizeof(((type *)0)->member) / sizeof(((type *)0)->member[0]), .reset = (reset_value) }

/* A scalar that selects or counts something: an index, an enumeration, a boolean. */
#define FIELD_MAX(type, member, reset_value, max_value, text)                                                          \
    { .name = #member, .description = (text), .offset = offsetof(type, member), .size = sizeof(((type *)0)->member),   \
      .count = 1, .reset = (reset_value), .max = (max_value) }

/** Sets every field that a reset reaches (all of them if cold). */
void field_reset(const Field *fields, size_t n, void *object, bool cold);
/** Feeds name-independent contents, element by element, in table order. */
void field_hash(const Field *fields, size_t n, const void *object, Hash *hash);
/** Feeds names, sizes and counts: what saved state must agree on. */
void field_layout_hash(const Field *fields, size_t n, Hash *hash);
/** Bytes that field_save writes. */
size_t field_bytes(const Field *fields, size_t n);
void field_save(const Field *fields, size_t n, const void *object, uint8_t *out);
/** The first field that would get a value beyond its `max` from those bytes, or NULL. */
const Field *field_check(const Field *fields, size_t n, const uint8_t *in);
void field_load(const Field *fields, size_t n, void *object, const uint8_t *in);

#endif
