/* Byte streams of saved state: numbers are little-endian, nothing is aligned. A reader that was asked for more than is
 * left has failed, gives zeros from then on, and stays so: callers check once at the end of a step. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "base/vec.h"

typedef VEC(uint8_t) ByteVec;

void bytes_put(ByteVec *out, const void *data, size_t len);
void bytes_put_u8(ByteVec *out, uint8_t value);
void bytes_put_u32(ByteVec *out, uint32_t value);
void bytes_put_u64(ByteVec *out, uint64_t value);

typedef struct ByteReader {
    const uint8_t *at;
    size_t left;
    bool failed;
} ByteReader;

/** The next len bytes, or NULL if fewer are left. */
const uint8_t *bytes_take(ByteReader *in, uint64_t len);
uint8_t bytes_take_u8(ByteReader *in);
uint32_t bytes_take_u32(ByteReader *in);
uint64_t bytes_take_u64(ByteReader *in);

#endif
