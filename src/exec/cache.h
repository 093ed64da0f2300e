/* Translated blocks of one CPU, found by location. Blocks of memory that changes are dropped; when the cache is full
 * everything is dropped. Neither can be seen by the guest. */
#ifndef EXEC_CACHE_H
#define EXEC_CACHE_H

#include "base/map.h"
#include "base/vec.h"
#include "ir/ir.h"

typedef struct CacheBlock CacheBlock;
struct CacheBlock {
    IrBlock ir;
    unsigned limit; /* translated with at most this many instructions; 0 = whole block */
    bool dead;
    uint32_t code; /* offset of its host code, 0 = none */
    uint32_t index; /* of the block in the engine's code, if it has code */
    uint32_t region, region_cost; /* offset of the region that begins here, 0 = none; what it takes from the budget */
    bool interpret; /* it cannot be lowered */
};

typedef struct GranuleEntry {
    CacheBlock *block;
    uint32_t next; /* index + 1 of the next entry of the granule, 0 = end */
} GranuleEntry;

enum { CACHE_FRONT_SLOTS = 1024, EXEC_REGION_BLOCKS_MAX = 40, EXEC_REGION_INSNS_MAX = 400 };

typedef struct CodeCache {
    Arena arena;
    Arena scratch; /* for the translation of one block */
    size_t bytes_max;
    CacheBlock **table; /* open addressing, never full */
    size_t cap, len;
    CacheBlock *front[CACHE_FRONT_SLOTS]; /* whole blocks by PC: a cache of the table */
    Map granules; /* guest address >> MEM_GRANULE_SHIFT -> index + 1 of the first entry */
    VEC(GranuleEntry) entries;
    struct Jit *jit; /* told of blocks that die, or NULL */
    uint64_t translations, flushes; /* statistics */
} CodeCache;

void cache_init(CodeCache *cache, size_t bytes_max);
void cache_free(CodeCache *cache);
/** NULL if it is not there. */
CacheBlock *cache_find(CodeCache *cache, IrLoc loc, unsigned limit);
/** Makes room for a block (may drop everything) and gives the arena to translate into. */
Arena *cache_reserve(CodeCache *cache);
/** Adds a block whose ops stand in that arena. */
CacheBlock *cache_add(CodeCache *cache, const IrBlock *ir, unsigned limit);
/** Drops the blocks that were translated from any byte of [addr, addr + size). */
void cache_invalidate(CodeCache *cache, uint64_t addr, uint64_t size);
void cache_flush(CodeCache *cache);

#endif
