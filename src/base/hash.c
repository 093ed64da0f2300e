#include "base/hash.h"

#include <string.h>

#include <xxhash.h>

#include "base/alloc.h"

struct Hash {
    XXH3_state_t *state;
};

Hash *hash_new(void) {
    Hash *hash = mem_alloc(sizeof *hash);
    hash->state = XXH3_createState();
    XXH3_64bits_reset(hash->state);
    return hash;
}

void hash_free(Hash *hash) {
    if (hash) {
        XXH3_freeState(hash->state);
        mem_free(hash);
    }
}

void hash_bytes(Hash *hash, const void *data, size_t len) {
    XXH3_64bits_update(hash->state, data, len);
}

void hash_u64(Hash *hash, uint64_t value) {
    unsigned char le[8];
    for (int i = 0; i < 8; i++) {
        le[i] = (unsigned char)(value >> (8 * i));
    }
    hash_bytes(hash, le, sizeof le);
}

uint64_t hash_value(const Hash *hash) {
    return XXH3_64bits_digest(hash->state);
}

void hash_text(Hash *hash, const char *text) {
    size_t len = text ? strlen(text) : 0;
    hash_u64(hash, len);
    if (len) {
        hash_bytes(hash, text, len);
    }
}
