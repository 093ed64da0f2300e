/* State hash: xxHash3, 64 bits, fed in a fixed order. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/common.h"

typedef struct Hash Hash;

Hash *hash_new(void);
void hash_free(Hash *hash);
void hash_bytes(Hash *hash, const void *data, size_t len);
/** Feeds a number in little-endian order whatever the host's order. */
void hash_u64(Hash *hash, uint64_t value);
/** Feeds a text and its length; NULL is as the empty text. */
void hash_text(Hash *hash, const char *text);
/** The hash of everything fed so far. */
uint64_t hash_value(const Hash *hash);

#endif
