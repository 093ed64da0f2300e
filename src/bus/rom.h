/* Contents of read-only memories that several nodes have in common. A memory begins with bytes that hold its fill, and
 * takes those of another node that has loaded the same images in the same order; the first that is going to change
 * them, whatever for, gets a copy of its own (memory_unshare). Nodes are added by one thread at a time; copies may be
 * made by several. */
#ifndef BUS_ROM_H
#define BUS_ROM_H

#include "bus/mem.h"

typedef struct Rom Rom;

RomStore *rom_store_new(MemPool *pool);
/** After the memories. NULL is fine. */
void rom_store_free(RomStore *store);

/** Gives a memory that has no bytes yet those that are all `fill`. The map's store must not be NULL. */
void rom_fill(MemMap *map, Memory *memory, uint64_t size, uint8_t fill);
/** A memory whose bytes are shared takes those that came of them when `image` was loaded (which is compared, never
 * looked into), if some node has done so; false if none has. */
bool rom_load(MemMap *map, Memory *memory, const void *image);
/** The memory's own bytes, which are `before` with `image` loaded, are there for others from now on. */
void rom_keep(MemMap *map, Memory *memory, const Rom *before, const void *image);

#endif
