#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_BYTES_MAX = 1 << 30, NAME_MAX_LEN = 64 };

char *file_read(Arena *arena, const char *path, size_t *len, Err *err) {
    FILE *f = fopen(path, "rb");
    if (!f) {
        err_set(err, "%s: %s", path, strerror(errno));
        return NULL;
    }
    struct stat st;
    char *data = NULL;
    if (fstat(fileno(f), &st) != 0) {
        err_set(err, "%s: %s", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        err_set(err, "%s: not a regular file", path);
    } else if (st.st_size > FILE_BYTES_MAX) {
        err_set(err, "%s: larger than 1 GiB", path);
    } else {
        data = arena_alloc(arena, (size_t)st.st_size + 1);
        *len = fread(data, 1, (size_t)st.st_size, f);
        if (*len != (size_t)st.st_size) {
            err_set(err, "%s: read %zu of %lld bytes", path, *len, (long long)st.st_size);
            data = NULL;
        }
    }
    fclose(f);
    return data;
}

static uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 32;
}

uint64_t file_stamp(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0) {
        return 0;
    }
    uint64_t hash = mix(mix(1, (uint64_t)st.st_ino), (uint64_t)st.st_size);
    return mix(mix(mix(hash, (uint64_t)st.st_dev), (uint64_t)st.st_mtim.tv_sec), (uint64_t)st.st_mtim.tv_nsec);
}

/* FNV-1a (Fowler, Noll, Vo), 64 bits. */
uint64_t text_hash(const char *s, uint64_t seed) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ seed;
    for (; *s; s++) {
        hash = (hash ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static size_t edit_distance(const char *a, size_t a_len, const char *b, size_t b_len) {
    size_t row[NAME_MAX_LEN + 1];
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[b_len];
}

const char *text_nearest(const char *name, const char *const *names, size_t n) {
    size_t name_len = strlen(name), best = name_len / 3 + 2;
    const char *nearest = NULL;
    if (name_len > NAME_MAX_LEN) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(names[i]);
        size_t distance = len > NAME_MAX_LEN ? best : edit_distance(name, name_len, names[i], len);
        if (distance < best) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}

static int digit_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

bool text_parse_u64(const char *s, uint64_t *value) {
    uint64_t base = 10, v = 0;
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        base = 16;
        s += 2;
    }
    bool digit_before = false;
    for (; *s; s++) {
        if (*s == '_' && digit_before && s[1] && s[1] != '_') {
            continue;
        }
        uint64_t d = (uint64_t)digit_value(*s);
        if (d >= base || v > (UINT64_MAX - d) / base) {
            return false;
        }
        v = v * base + d;
        digit_before = true;
    }
    *value = v;
    return digit_before;
}

/* Digits, and up to nine more behind a point: whole, and parts of 10^9. Returns what follows, NULL without digits. */
static const char *parse_decimal(const char *s, uint64_t *whole, uint64_t *parts) {
    const char *p = s;
    for (*whole = 0; *p >= '0' && *p <= '9' && *whole < UINT64_MAX / 20; p++) {
        *whole = *whole * 10 + (uint64_t)(*p - '0');
    }
    if (p == s) {
        return NULL;
    }
    *parts = 0;
    if (*p == '.') {
        p++;
        for (uint64_t unit = 100000000; *p >= '0' && *p <= '9' && unit; unit /= 10) {
            *parts += (uint64_t)(*p++ - '0') * unit;
        }
    }
    return p;
}

bool text_parse_time(const char *s, uint64_t *ns) {
    static const struct {
        const char *suffix;
        uint64_t unit;
    } units[] = {{"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"ns", 1}, {"", 1000000000}};
    uint64_t whole, parts;
    const char *suffix = parse_decimal(s, &whole, &parts);
    for (size_t i = 0; suffix && i < ARRAY_LEN(units); i++) {
        if (strcmp(suffix, units[i].suffix) == 0) {
            unsigned __int128 total = (unsigned __int128)whole * units[i].unit +
                                      (unsigned __int128)parts * units[i].unit / 1000000000;
            *ns = (uint64_t)total;
            return total < UINT64_MAX;
        }
    }
    return false;
}

bool text_parse_chance(const char *s, uint32_t *parts) {
    uint64_t whole, fraction;
    const char *end = parse_decimal(s, &whole, &fraction);
    if (!end || *end || whole > 1 || (whole == 1 && fraction)) {
        return false;
    }
    *parts = (uint32_t)(whole * 1000000000 + fraction);
    return true;
}
