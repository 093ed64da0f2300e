/* Translated blocks, found by location. Blocks of memory that changes are dropped; when the cache is full everything is
 * dropped. Neither can be seen by the guest.
 *
 * A cache that is part of a CodeShare (share.h) only grows: cache_find and what hangs on a block that it returns may be
 * used by several threads while one, under the share's lock, adds to it. */
#ifndef EXEC_CACHE_H
#define EXEC_CACHE_H

#include "base/vec.h"
#include "exec/jit.h"
#include "exec/windows.h"
#include "ir/ir.h"

struct CacheBlock {
    IrBlock ir; /* without ops while nobody has needed them: exec_complete */
    const IrBlock *literal; /* the same for host code, with literals from ROM known, or NULL. (The interpreter loads
                               them: it runs where rights are checked.) */
    unsigned limit; /* translated with at most this many instructions; 0 = whole block; CACHE_TRAP + the number of a
                     * trap: what that does, which depends on no memory */
    bool cut; /* a whole block that ends where another one begins: its length is not what translation would give */
    bool dead;
    uint32_t code; /* offset of its host code, 0 = none */
    uint32_t index; /* of the block in the engine's code, if it has code */
    uint32_t region, region_cost; /* offset of the region that begins here, 0 = none; what it takes from the budget */
    uint32_t guard, refused; /* of a region with blocks in several pages: index + 1 of the number of the bank with which
                              * they are there; how often they were not. 0: there is no such region */
    bool interpret; /* it cannot be lowered */
    bool quick, improved; /* its code was made by jit_compile_quick; by jit_improve */
    uint32_t landings; /* where its indirect branch has led: index + 1 of the first one; 0 = none */
    uint32_t heat; /* of quick code: index of its counter of runs, if it has one */
    uint32_t runs; /* of a prefix in the interpreter, up to where it gets host code */
};

typedef struct GranuleEntry {
    CacheBlock *block;
    uint32_t granule; /* guest address >> MEM_GRANULE_SHIFT, the low half */
    uint32_t next; /* index + 1 of the next entry of the bucket, 0 = end */
} GranuleEntry;

enum { CACHE_TRAP = 1 << 16 };
enum { CACHE_FRONT_SLOTS = 1024, CACHE_GRANULE_BUCKETS = 4096 };
enum { EXEC_REGION_BLOCKS_MAX = 40, EXEC_REGION_INSNS_MAX = 400 };

/** Open addressing, never full. */
typedef struct CacheTable {
    size_t cap; /* power of two */
    uint32_t *tags; /* of the PC, so that few blocks have to be looked at */
    CacheBlock *slots[];
} CacheTable;

/** What a cache and its translations are made with. */
typedef struct CacheOptions {
    size_t bytes_max; /* of IR; what the host code may take stands in `jit` */
    bool translate; /* to host code; else all is interpreted */
    JitOptions jit;
} CacheOptions;

typedef struct CodeCache {
    Arena arena;
    Arena scratch; /* for the translation of one block */
    size_t bytes_max;
    bool shared;
    ExecWindows windows; /* of the window memory scheme, or none; not for a share */
    CacheTable *table;
    size_t len;
    VEC(CacheTable *) outgrown; /* somebody may still look at them */
    CacheBlock *front[CACHE_FRONT_SLOTS]; /* a cache of the table: cache_find */
    uint32_t granules[CACHE_GRANULE_BUCKETS]; /* by granule: index + 1 of the first entry; not for a share */
    VEC(GranuleEntry) entries;
    Jit *jit; /* told of blocks that die; NULL: all is interpreted */
    uint64_t translations, flushes; /* statistics */
} CodeCache;

/** cache->jit is NULL if the host permits no executable memory. `windows` may be NULL. */
CodeCache *cache_new(const CacheOptions *options, const ExecWindows *windows);
/** NULL is fine. */
void cache_free(CodeCache *cache);
/** In the table; `front` is where the block shall be found the next time. */
CacheBlock *cache_search(CodeCache *cache, IrLoc loc, unsigned limit, CacheBlock **front);
static inline bool cache_matches(const CacheBlock *block, IrLoc loc, unsigned limit) {
    return block->ir.loc.pc == loc.pc && block->ir.loc.aux == loc.aux && block->ir.loc.page == loc.page &&
           block->limit == limit && !block->dead;
}
/** NULL if it is not there. */
static inline CacheBlock *cache_find(CodeCache *cache, IrLoc loc, unsigned limit) {
    CacheBlock **front = &cache->front[((loc.pc >> 1) + CACHE_FRONT_SLOTS / 4 * limit) % CACHE_FRONT_SLOTS];
    CacheBlock *block = __atomic_load_n(front, __ATOMIC_ACQUIRE);
    return LIKELY(block && cache_matches(block, loc, limit)) ? block : cache_search(cache, loc, limit, front);
}
bool cache_is_full(const CodeCache *cache);
/** Drops host code that stores without a look to what now holds marks. */
void cache_cover(CodeCache *cache);
/** Adds a block whose ops stand in cache->arena (`literal` may be NULL). Host code that stores to its memory
 * without a look is dropped. A block without bytes (its fetch failed, and may succeed when the rights have
 * changed) is dead: it is not found later. */
CacheBlock *cache_add(CodeCache *cache, const IrBlock *ir, const IrBlock *literal, unsigned limit);
/** What host code is made from. */
static inline const IrBlock *cache_host_ir(const CacheBlock *block) {
    return block->literal ? block->literal : &block->ir;
}
/** Its host code, 0 if there is none yet; without the lock of a share. */
static inline uint32_t cache_code(const CacheBlock *block) {
    return __atomic_load_n(&block->code, __ATOMIC_ACQUIRE);
}
static inline bool cache_has_ops(const CacheBlock *block) {
    return __atomic_load_n(&block->ir.ops, __ATOMIC_ACQUIRE) != NULL;
}
/** Gives a block that was added without ops what it lacks. */
void cache_complete(CodeCache *cache, CacheBlock *block, const IrBlock *ir, const IrBlock *literal);
/** Drops the blocks that were translated from any byte of [addr, addr + size). */
void cache_invalidate(CodeCache *cache, uint64_t addr, uint64_t size);
/** Drops everything. `serial`: see jit_flush. */
void cache_flush(CodeCache *cache, uint64_t serial);

#endif
