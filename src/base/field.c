#include "base/field.h"

#include <string.h>

static uint64_t element_get(const uint8_t *p, unsigned size) {
    uint64_t value = 0;
    memcpy(&value, p, size);
    return value;
}

/* Most large arrays are buffers that nobody has used since the reset before: they are not touched, so that pages that
 * hold nothing else take no room. */
static void zero(uint8_t *p, size_t len) {
    if (p[0] || memcmp(p, p + 1, len - 1) != 0) {
        memset(p, 0, len);
    }
}

void field_reset(const Field *fields, size_t n, void *object, bool cold) {
    for (const Field *f = fields; f < fields + n; f++) {
        uint8_t *p = (uint8_t *)object + f->offset;
        if ((f->keep && !cold) || f->count == 0) {
            continue;
        }
        if (f->reset == 0) {
            zero(p, (size_t)f->size * f->count);
            continue;
        }
        for (uint32_t i = 0; i < f->count; i++) {
            memcpy(p + (size_t)i * f->size, &f->reset, f->size);
        }
    }
}

void field_hash(const Field *fields, size_t n, const void *object, Hash *hash) {
    for (const Field *f = fields; f < fields + n; f++) {
        const uint8_t *p = (const uint8_t *)object + f->offset;
        if (f->size == 1) {
            hash_bytes(hash, p, f->count);
            continue;
        }
        for (uint32_t i = 0; i < f->count; i++) {
            hash_u64(hash, element_get(p + (size_t)i * f->size, f->size));
        }
    }
}

void field_layout_hash(const Field *fields, size_t n, Hash *hash) {
    for (const Field *f = fields; f < fields + n; f++) {
        hash_text(hash, f->name);
        hash_u64(hash, f->size);
        hash_u64(hash, f->count);
    }
}

size_t field_bytes(const Field *fields, size_t n) {
    size_t total = 0;
    for (const Field *f = fields; f < fields + n; f++) {
        total += (size_t)f->size * f->count;
    }
    return total;
}

void field_save(const Field *fields, size_t n, const void *object, uint8_t *out) {
    for (const Field *f = fields; f < fields + n; f++) {
        size_t len = (size_t)f->size * f->count;
        memcpy(out, (const uint8_t *)object + f->offset, len);
        out += len;
    }
}

const Field *field_check(const Field *fields, size_t n, const uint8_t *in) {
    for (const Field *f = fields; f < fields + n; f++) {
        for (uint32_t i = 0; f->max && i < f->count; i++) {
            if (element_get(in + (size_t)i * f->size, f->size) > f->max) {
                return f;
            }
        }
        in += (size_t)f->size * f->count;
    }
    return NULL;
}

void field_load(const Field *fields, size_t n, void *object, const uint8_t *in) {
    for (const Field *f = fields; f < fields + n; f++) {
        size_t len = (size_t)f->size * f->count;
        memcpy((uint8_t *)object + f->offset, in, len);
        in += len;
    }
}
