#include "dev/parts/storage.h"

#include <string.h>

enum { PAGE = 256, SIZE_MAX_BYTES = 16 << 20 };

bool storage_init(Storage *storage, const Device *dev, uint32_t size, Err *err) {
    if (size < PAGE / 2 || size > SIZE_MAX_BYTES || (size & (size - 1))) {
        return err_set(err, "%s: size must be a power of 2 from 128 to 16777216", dev->name);
    }
    storage->bytes = ARENA_ARRAY(dev->board->arena, uint8_t, size);
    storage->size = size;
    memset(storage->bytes, 0xFF, size);
    return true;
}

static uint32_t page_len(const Storage *storage) {
    return storage->size < PAGE ? storage->size : PAGE;
}

/* The next page that is not erased, from `at` on; the size if there is none. */
static uint32_t page_next(const Storage *storage, uint32_t at) {
    uint32_t len = page_len(storage);
    for (; at < storage->size; at += len) {
        const uint8_t *page = storage->bytes + at;
        if (page[0] != 0xFF || memcmp(page, page + 1, len - 1) != 0) {
            break;
        }
    }
    return at;
}

void storage_hash(const Storage *storage, Hash *hash) {
    uint32_t len = page_len(storage);
    for (uint32_t at = 0; (at = page_next(storage, at)) < storage->size; at += len) {
        hash_u64(hash, at);
        hash_bytes(hash, storage->bytes + at, len);
    }
}

/* Pairs of an address and its page, ended by the size. */
void storage_save(const Storage *storage, ByteVec *out) {
    uint32_t len = page_len(storage);
    for (uint32_t at = 0; (at = page_next(storage, at)) < storage->size; at += len) {
        bytes_put_u32(out, at);
        bytes_put(out, storage->bytes + at, len);
    }
    bytes_put_u32(out, storage->size);
}

bool storage_load(Storage *storage, StateReader *in) {
    uint32_t len = page_len(storage), next = 0;
    if (in->apply) {
        memset(storage->bytes, 0xFF, storage->size);
    }
    for (;;) {
        uint32_t at = bytes_take_u32(&in->in);
        if (at == storage->size && !in->in.failed) {
            return true;
        }
        const uint8_t *page = at < storage->size && at >= next && at % len == 0 ? bytes_take(&in->in, len) : NULL;
        if (!page) {
            return err_set(in->err, "a page of its contents at an impossible place");
        }
        if (in->apply) {
            memcpy(storage->bytes + at, page, len);
        }
        next = at + len;
    }
}
