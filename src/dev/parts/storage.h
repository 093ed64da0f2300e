/* Contents of serial memories: bytes that are 0xFF when erased and survive resets. */
#ifndef DEV_PARTS_STORAGE_H
#define DEV_PARTS_STORAGE_H

#include "bus/device.h"

typedef struct Storage {
    uint8_t *bytes; /* in the board's arena */
    uint32_t size;
} Storage;

/** For init: erased contents of `size` bytes, a power of 2 up to 16 MiB. */
bool storage_init(Storage *storage, const Device *dev, uint32_t size, Err *err);
/** For the hooks of the type: pages that are erased are left out. */
void storage_hash(const Storage *storage, Hash *hash);
void storage_save(const Storage *storage, ByteVec *out);
bool storage_load(Storage *storage, StateReader *in);

#endif
