#include "front/json.h"

#include <string.h>

typedef struct Parser {
    const char *start, *at, *end;
    char *storage;
    char *mistake;
    size_t mistake_size;
} Parser;

static bool fail(Parser *p, const char *expected) {
    snprintf(p->mistake, p->mistake_size, "%zu: expected %s", (size_t)(p->at - p->start) + 1, expected);
    return false;
}

static void skip_blanks(Parser *p) {
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\r' || *p->at == '\n')) {
        p->at++;
    }
}

static bool next_is(const Parser *p, char c) {
    return p->at < p->end && *p->at == c;
}

/* Skips blanks, and the character if it is there. */
static bool take(Parser *p, char c) {
    skip_blanks(p);
    bool there = next_is(p, c);
    p->at += there;
    return there;
}

/* ---- Texts ---- */

static void put_utf8(Parser *p, uint32_t c) {
    if (c < 0x80) {
        *p->storage++ = (char)c;
        return;
    }
    unsigned more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t first[] = {0, 0xc0, 0xe0, 0xf0};
    *p->storage++ = (char)(first[more] | c >> 6 * more);
    while (more-- > 0) {
        *p->storage++ = (char)(0x80 | (c >> 6 * more & 0x3f));
    }
}

static bool hex4(Parser *p, uint32_t *value) {
    *value = 0;
    for (unsigned i = 0; i < 4; i++, p->at++) {
        char c = p->at < p->end ? *p->at : '\0', letter = (char)(c | 0x20);
        if (c >= '0' && c <= '9') {
            *value = *value * 16 + (uint32_t)(c - '0');
        } else if (letter >= 'a' && letter <= 'f') {
            *value = *value * 16 + (uint32_t)(letter - 'a') + 10;
        } else {
            return fail(p, "four hexadecimal digits");
        }
    }
    return true;
}

/* Behind \u: a code point, which may be a pair of surrogates. */
static bool code_point(Parser *p, uint32_t *c) {
    uint32_t low;
    if (!hex4(p, c)) {
        return false;
    }
    if (*c >= 0xd800 && *c < 0xe000) {
        if (*c >= 0xdc00 || p->end - p->at < 6 || p->at[0] != '\\' || p->at[1] != 'u') {
            return fail(p, "a pair of surrogates");
        }
        p->at += 2;
        if (!hex4(p, &low)) {
            return false;
        }
        if (low < 0xdc00 || low >= 0xe000) {
            return fail(p, "a pair of surrogates");
        }
        *c = 0x10000 + ((*c - 0xd800) << 10) + (low - 0xdc00);
    }
    return true;
}

static bool escape(Parser *p) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *known = p->at < p->end && *p->at ? strchr(from, *p->at) : NULL;
    uint32_t c;
    if (known) {
        p->at++;
        *p->storage++ = to[known - from];
        return true;
    }
    if (!next_is(p, 'u')) {
        return fail(p, "an escape: \\\" \\\\ \\/ \\b \\f \\n \\r \\t or \\uHHHH");
    }
    p->at++;
    if (!code_point(p, &c)) {
        return false;
    }
    put_utf8(p, c);
    return true;
}

/* Length of the UTF-8 sequence at `at`, 0 if it is none: no overlong forms, surrogates, or beyond U+10FFFF. */
static unsigned utf8_len(const char *at, const char *end) {
    const uint8_t *b = (const uint8_t *)at;
    unsigned len = b[0] < 0x80 ? 1 : b[0] < 0xc2 ? 0 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : b[0] < 0xf5 ? 4 : 0;
    if (len == 0 || (size_t)(end - at) < len) {
        return 0;
    }
    for (unsigned i = 1; i < len; i++) {
        if ((b[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool refused = (b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f) || (b[0] == 0xf0 && b[1] < 0x90) ||
                   (b[0] == 0xf4 && b[1] > 0x8f);
    return refused ? 0 : len;
}

/* Decoded, no text is longer than its source, quotes included: they leave room for the NUL. */
static bool text(Parser *p, const char **out, size_t *len) {
    if (!take(p, '"')) {
        return fail(p, "a text in double quotes");
    }
    char *begin = p->storage;
    while (!next_is(p, '"')) {
        if (p->at == p->end || (uint8_t)*p->at < 0x20) {
            return fail(p, "a closing quote");
        }
        if (*p->at == '\\') {
            p->at++;
            if (!escape(p)) {
                return false;
            }
            continue;
        }
        unsigned n = utf8_len(p->at, p->end);
        if (n == 0) {
            return fail(p, "UTF-8");
        }
        memcpy(p->storage, p->at, n);
        p->storage += n;
        p->at += n;
    }
    p->at++;
    *out = begin;
    *len = (size_t)(p->storage - begin);
    *p->storage++ = '\0';
    return true;
}

/* ---- Values ---- */

static size_t digits(Parser *p) {
    const char *begin = p->at;
    while (p->at < p->end && *p->at >= '0' && *p->at <= '9') {
        p->at++;
    }
    return (size_t)(p->at - begin);
}

static bool number(Parser *p, JsonMember *m) {
    const char *begin = p->at;
    m->kind = JSON_NUMBER;
    m->is_whole = true;
    m->number = 0;
    if (next_is(p, '-')) {
        m->is_whole = false;
        p->at++;
    }
    bool leading_zero = next_is(p, '0');
    size_t n = digits(p);
    if (n == 0 || (leading_zero && n > 1)) {
        return fail(p, "a text, a number, true, false or null");
    }
    for (const char *c = begin; c < p->at && m->is_whole; c++) {
        uint64_t digit = (uint64_t)(*c - '0');
        m->is_whole = m->number <= (UINT64_MAX - digit) / 10;
        m->number = m->number * 10 + digit;
    }
    if (next_is(p, '.')) {
        m->is_whole = false;
        p->at++;
        if (digits(p) == 0) {
            return fail(p, "digits");
        }
    }
    if (next_is(p, 'e') || next_is(p, 'E')) {
        m->is_whole = false;
        p->at++;
        p->at += next_is(p, '+') || next_is(p, '-');
        if (digits(p) == 0) {
            return fail(p, "digits");
        }
    }
    return true;
}

static bool value(Parser *p, JsonMember *m) {
    static const struct {
        const char *word;
        JsonKind kind;
    } words[] = {{"true", JSON_TRUE}, {"false", JSON_FALSE}, {"null", JSON_NULL}};
    skip_blanks(p);
    m->source = p->at;
    bool ok = false;
    for (size_t i = 0; i < sizeof words / sizeof *words && !ok; i++) {
        size_t len = strlen(words[i].word);
        ok = (size_t)(p->end - p->at) >= len && memcmp(p->at, words[i].word, len) == 0;
        if (ok) {
            m->kind = words[i].kind;
            p->at += len;
        }
    }
    if (!ok && next_is(p, '"')) {
        m->kind = JSON_TEXT;
        ok = text(p, &m->text, &m->text_len);
    } else if (!ok) {
        ok = number(p, m);
    }
    m->source_len = (size_t)(p->at - m->source);
    return ok;
}

static bool member(Parser *p, JsonObject *object) {
    if (object->n == JSON_MEMBERS_MAX) {
        return fail(p, "fewer members");
    }
    JsonMember *m = &object->members[object->n];
    const char *name;
    size_t len;
    *m = (JsonMember){0};
    if (!text(p, &name, &len)) {
        return false;
    }
    if (strlen(name) != len || json_member(object, name)) {
        return fail(p, "each name once, and no NUL in it");
    }
    m->name = name;
    if (!take(p, ':')) {
        return fail(p, "a colon");
    }
    if (!value(p, m)) {
        return false;
    }
    object->n++;
    return true;
}

bool json_parse(JsonObject *object, const char *line, size_t len, char *storage, char *mistake, size_t mistake_size) {
    Parser p = {line, line, line + len, storage, mistake, mistake_size};
    object->n = 0;
    if (!take(&p, '{')) {
        return fail(&p, "an object: {\"do\": ...}");
    }
    bool ok = take(&p, '}');
    while (!ok) {
        if (!member(&p, object)) {
            return false;
        }
        ok = take(&p, '}');
        if (!ok && !take(&p, ',')) {
            return fail(&p, "a comma or a closing brace");
        }
    }
    skip_blanks(&p);
    return p.at == p.end || fail(&p, "nothing behind the object");
}

const JsonMember *json_member(const JsonObject *object, const char *name) {
    for (size_t i = 0; i < object->n; i++) {
        if (strcmp(object->members[i].name, name) == 0) {
            return &object->members[i];
        }
    }
    return NULL;
}

bool json_bytes(const JsonMember *m, uint8_t *out, size_t *len) {
    const uint8_t *in = (const uint8_t *)m->text;
    *len = 0;
    for (size_t i = 0; i < m->text_len; i++) {
        if (in[i] < 0x80) {
            out[(*len)++] = in[i];
        } else if (in[i] == 0xc2 || in[i] == 0xc3) { /* two bytes, since the text is UTF-8 */
            i++;
            out[(*len)++] = (uint8_t)(in[i - 1] << 6 | (in[i] & 0x3f));
        } else {
            return false;
        }
    }
    return true;
}

/* ---- Writing ---- */

static void put_char(FILE *out, uint8_t c, bool is_byte) {
    if (c == '"' || c == '\\') {
        fprintf(out, "\\%c", c);
    } else if (c == '\n') {
        fputs("\\n", out);
    } else if (c < 0x20 || c == 0x7f || (is_byte && c >= 0x80)) {
        fprintf(out, "\\u%04x", c);
    } else {
        fputc(c, out);
    }
}

void json_put_text(FILE *out, const char *text) {
    fputc('"', out);
    for (const char *c = text; *c; c++) {
        put_char(out, (uint8_t)*c, false);
    }
    fputc('"', out);
}

void json_put_bytes(FILE *out, const uint8_t *bytes, size_t len) {
    fputc('"', out);
    for (size_t i = 0; i < len; i++) {
        put_char(out, bytes[i], true);
    }
    fputc('"', out);
}
