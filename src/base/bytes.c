#include "base/bytes.h"

#include <string.h>

void bytes_put(ByteVec *out, const void *data, size_t len) {
    if (len) {
        vec_reserve(out, out->len + len);
        memcpy(out->data + out->len, data, len);
        out->len += len;
    }
}

static void put_number(ByteVec *out, uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; i++) {
        vec_push(out, (uint8_t)(value >> (8 * i)));
    }
}

void bytes_put_u8(ByteVec *out, uint8_t value) {
    put_number(out, value, 1);
}

void bytes_put_u32(ByteVec *out, uint32_t value) {
    put_number(out, value, 4);
}

void bytes_put_u64(ByteVec *out, uint64_t value) {
    put_number(out, value, 8);
}

const uint8_t *bytes_take(ByteReader *in, uint64_t len) {
    if (in->failed || len > in->left) {
        in->failed = true;
        return NULL;
    }
    const uint8_t *at = in->at;
    in->at += len;
    in->left -= (size_t)len;
    return at;
}

static uint64_t take_number(ByteReader *in, unsigned size) {
    const uint8_t *p = bytes_take(in, size);
    uint64_t value = 0;
    for (unsigned i = 0; p && i < size; i++) {
        value |= (uint64_t)p[i] << (8 * i);
    }
    return value;
}

uint8_t bytes_take_u8(ByteReader *in) {
    return (uint8_t)take_number(in, 1);
}

uint32_t bytes_take_u32(ByteReader *in) {
    return (uint32_t)take_number(in, 4);
}

uint64_t bytes_take_u64(ByteReader *in) {
    return take_number(in, 8);
}
