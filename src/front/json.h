/* JSON as the control interface needs it (RFC 8259): one object of scalars per line in, text out. Nested values are
 * refused, since no request has any. */
#ifndef FRONT_JSON_H
#define FRONT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { JSON_MEMBERS_MAX = 16 };

typedef enum JsonKind { JSON_TEXT, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL } JsonKind;

typedef struct JsonMember {
    const char *name; /* UTF-8, NUL-terminated, without a NUL in it */
    JsonKind kind;
    const char *text; /* JSON_TEXT: UTF-8, NUL-terminated; text_len bytes */
    size_t text_len;
    bool is_whole; /* JSON_NUMBER: it fits `number`, without sign, fraction and exponent */
    uint64_t number;
    const char *source; /* as it stands in the line, source_len bytes */
    size_t source_len;
} JsonMember;

typedef struct JsonObject {
    JsonMember members[JSON_MEMBERS_MAX];
    size_t n;
} JsonObject;

/** Parses `len` bytes, all of them. Texts go to `storage`, which has room for len + 1 bytes and must outlive the
 * object. False and `COLUMN: expected ...` in `mistake`. */
bool json_parse(JsonObject *object, const char *line, size_t len, char *storage, char *mistake, size_t mistake_size);
/** The member of that name, or NULL. */
const JsonMember *json_member(const JsonObject *object, const char *name);
/** Code points up to 255 as bytes, in place of the UTF-8: *len of them in `out`, which has room for text_len. False if
 * there are others. */
bool json_bytes(const JsonMember *member, uint8_t *out, size_t *len);

/** A quoted text that is UTF-8 or ASCII. */
void json_put_text(FILE *out, const char *text);
/** A quoted text of which each character is a byte. */
void json_put_bytes(FILE *out, const uint8_t *bytes, size_t len);

#endif
