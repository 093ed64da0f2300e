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

/** What code is made from again. */
typedef struct CacheIr {
    IrBlock ir;
    const IrBlock *literal; /* the same for host code, with literals from ROM known, or NULL. (The interpreter loads
                               them: it runs where rights are checked.) */
} CacheIr;

/** There are many. */
struct CacheBlock {
    IrLoc loc;
    const CacheIr *made; /* NULL while nobody has needed it: exec_complete */
    uint32_t code; /* offset of its host code, 0 = none */
    uint32_t index; /* of the block in the engine's code, if it has code */
    uint32_t runs; /* of quick code: index of its counter of runs, if it has one. Of a prefix: its runs in the
                    * interpreter, up to where it gets host code */
    uint32_t more; /* index + 1 of what the engine's code knows of a region that begins here, and of an indirect branch
                    * at the block's end; 0: nothing */
    uint16_t limit; /* translated with at most this many instructions; 0 = whole block; CACHE_TRAP + the number of a
                     * trap: what that does, which depends on no memory */
    uint16_t n_bytes;
    uint8_t n_insns; /* as in IrBlock, as n_bytes */
    bool dead;
    bool interpret; /* it cannot be lowered */
    bool cut : 1; /* a whole block that ends where another one begins: its length is not what translation would give */
    bool quick : 1, improved : 1; /* its code was made by jit_quick_end; by jit_improve */
};
_Static_assert(sizeof(CacheBlock) == 48, "most code is made of small blocks that run once");

/** A block with bytes in a stretch of memory, or whose host code knows some of there. */
typedef struct StretchEntry {
    uint32_t block; /* index */
    uint32_t next; /* index + 1 of the next entry of the bucket, 0 = end */
} StretchEntry;

enum { CACHE_TRAP = 1 << 15 };
enum { CACHE_FRONT_SLOTS = 1024, CACHE_BUCKETS = 4096 };
enum { EXEC_REGION_BLOCKS_MAX = 40, EXEC_REGION_INSNS_MAX = 400 };

/** Open addressing, never full. A slot is the index + 1 of a block, below some bits of its PC, so that few blocks have
 * to be looked at; 0 is free. */
typedef struct CacheTable {
    size_t cap; /* power of two */
    Stretch room;
    uint32_t *slots;
} CacheTable;

/** What a cache and its translations are made with. */
typedef struct CacheOptions {
    size_t bytes_max; /* of IR; what the host code may take stands in `jit` */
    bool translate; /* to host code; else all is interpreted */
    JitOptions jit;
} CacheOptions;

typedef struct CodeCache {
    Arena arena; /* of what blocks are made from */
    Stretch room; /* of the blocks */
    uint32_t n_blocks;
    Arena scratch; /* for the translation of one block */
    size_t bytes_max;
    bool shared;
    ExecWindows windows; /* of the window memory scheme, or none; not for a share */
    CacheTable *table;
    size_t len; /* of the table: slots that are not free */
    VEC(CacheTable *) outgrown; /* somebody may still look at them */
    CacheBlock *front[CACHE_FRONT_SLOTS]; /* a cache of the table: cache_find */
    uint32_t buckets[CACHE_BUCKETS]; /* by stretch of memory: index + 1 of the first entry; not for a share */
    VEC(StretchEntry) entries;
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
    return block->loc.pc == loc.pc && block->loc.aux == loc.aux && block->loc.page == loc.page &&
           block->limit == limit && !block->dead;
}
/** NULL if it is not there. */
static inline CacheBlock *cache_find(CodeCache *cache, IrLoc loc, unsigned limit) {
    CacheBlock **front = &cache->front[((loc.pc >> 1) + CACHE_FRONT_SLOTS / 4 * limit) % CACHE_FRONT_SLOTS];
    CacheBlock *block = __atomic_load_n(front, __ATOMIC_ACQUIRE);
    return LIKELY(block && cache_matches(block, loc, limit)) ? block : cache_search(cache, loc, limit, front);
}
bool cache_is_full(const CodeCache *cache);
/** What blocks take, without host code. */
size_t cache_bytes(const CodeCache *cache);
/** Drops host code that stores without a look to what now holds marks. */
void cache_cover(CodeCache *cache);
/** Adds a block whose ops stand in cache->arena (`literal` may be NULL). Host code that stores to its memory
 * without a look is dropped. A block without bytes (its fetch failed, and may succeed when the rights have
 * changed) is dead: it is not found later. The cache is not full. */
CacheBlock *cache_add(CodeCache *cache, const IrBlock *ir, const IrBlock *literal, unsigned limit);
/** The same for a block of which nothing is kept, until cache_complete. */
CacheBlock *cache_add_head(CodeCache *cache, const IrBlock *ir, unsigned limit);
/** What host code is made from. */
static inline const IrBlock *cache_host_ir(const CacheBlock *block) {
    return block->made->literal ? block->made->literal : &block->made->ir;
}
/** Its host code, 0 if there is none yet; without the lock of a share. */
static inline uint32_t cache_code(const CacheBlock *block) {
    return __atomic_load_n(&block->code, __ATOMIC_ACQUIRE);
}
static inline bool cache_has_ops(const CacheBlock *block) {
    return __atomic_load_n(&block->made, __ATOMIC_ACQUIRE) != NULL;
}
/** Gives a block of which nothing was kept what it lacks; the ops stand in cache->arena. */
void cache_complete(CodeCache *cache, CacheBlock *block, const IrBlock *ir, const IrBlock *literal);
/** Drops the blocks that were translated from any byte of [addr, addr + size). */
void cache_invalidate(CodeCache *cache, uint64_t addr, uint64_t size);
/** Drops everything. `serial`: see jit_flush. */
void cache_flush(CodeCache *cache, uint64_t serial);

#endif
