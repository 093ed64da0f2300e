#include "exec/cache.h"

#include <string.h>

#include "bus/mem.h"
#include "exec/jit.h"

void cache_init(CodeCache *cache, size_t bytes_max) {
    *cache = (CodeCache){.bytes_max = bytes_max, .cap = 4096};
    cache->table = mem_alloc(cache->cap * sizeof *cache->table);
}

void cache_free(CodeCache *cache) {
    arena_free(&cache->arena);
    arena_free(&cache->scratch);
    mem_free(cache->table);
    map_free(&cache->granules);
    vec_free(&cache->entries);
}

static size_t hash_of(IrLoc loc, unsigned limit) {
    uint64_t h = (loc.pc >> 1) * UINT64_C(0x9e3779b97f4a7c15);
    h ^= ((uint64_t)loc.aux << 8 | limit) * UINT64_C(0xc2b2ae3d27d4eb4f);
    return (size_t)(h ^ h >> 29);
}

static bool matches(const CacheBlock *block, IrLoc loc, unsigned limit) {
    return block->ir.loc.pc == loc.pc && block->ir.loc.aux == loc.aux && block->limit == limit;
}

/* The place of a block, or the free place where it belongs. Dead blocks keep their place until the next flush, and a
 * live one for the same location comes behind them. */
static CacheBlock **place_of(const CodeCache *cache, IrLoc loc, unsigned limit) {
    size_t mask = cache->cap - 1, i = hash_of(loc, limit) & mask;
    while (cache->table[i] && (cache->table[i]->dead || !matches(cache->table[i], loc, limit))) {
        i = (i + 1) & mask;
    }
    return &cache->table[i];
}

static CacheBlock **front_of(CodeCache *cache, IrLoc loc) {
    return &cache->front[(loc.pc >> 1) % CACHE_FRONT_SLOTS];
}

CacheBlock *cache_find(CodeCache *cache, IrLoc loc, unsigned limit) {
    CacheBlock **front = front_of(cache, loc);
    if (*front && !(*front)->dead && matches(*front, loc, limit)) {
        return *front;
    }
    CacheBlock *block = *place_of(cache, loc, limit);
    if (block) {
        *front = block;
    }
    return block;
}

void cache_flush(CodeCache *cache) {
    if (cache->jit) {
        jit_flush(cache->jit);
    }
    memset(cache->table, 0, cache->cap * sizeof *cache->table);
    memset(cache->front, 0, sizeof cache->front);
    map_clear(&cache->granules);
    cache->entries.len = 0;
    cache->len = 0;
    arena_reset(&cache->arena);
    cache->flushes++;
}

Arena *cache_reserve(CodeCache *cache) {
    if (cache->arena.total > cache->bytes_max) {
        cache_flush(cache);
    }
    return &cache->arena;
}

static void grow(CodeCache *cache) {
    CacheBlock **old = cache->table;
    size_t old_cap = cache->cap;
    cache->cap *= 2;
    cache->table = mem_alloc(cache->cap * sizeof *cache->table);
    cache->len = 0;
    for (size_t i = 0; i < old_cap; i++) {
        if (old[i] && !old[i]->dead) {
            *place_of(cache, old[i]->ir.loc, old[i]->limit) = old[i];
            cache->len++;
        }
    }
    mem_free(old);
}

CacheBlock *cache_add(CodeCache *cache, const IrBlock *ir, unsigned limit) {
    if (cache->len * 2 >= cache->cap) {
        grow(cache);
    }
    CacheBlock *block = ARENA_NEW(&cache->arena, CacheBlock);
    *block = (CacheBlock){.ir = *ir, .limit = limit};
    *place_of(cache, ir->loc, limit) = block;
    cache->len++;
    cache->translations++;
    uint64_t last = (ir->source + (ir->n_bytes ? ir->n_bytes - 1 : 0)) >> MEM_GRANULE_SHIFT;
    for (uint64_t g = ir->source >> MEM_GRANULE_SHIFT; g <= last; g++) {
        uint64_t *head = map_get(&cache->granules, g);
        GranuleEntry entry = {block, head ? (uint32_t)*head : 0};
        vec_push(&cache->entries, entry);
        map_set(&cache->granules, g, cache->entries.len);
    }
    return block;
}

void cache_invalidate(CodeCache *cache, uint64_t addr, uint64_t size) {
    uint64_t last = (addr + size - 1) >> MEM_GRANULE_SHIFT;
    for (uint64_t g = addr >> MEM_GRANULE_SHIFT; g <= last; g++) {
        uint64_t *head = map_get(&cache->granules, g);
        for (uint32_t i = head ? (uint32_t)*head : 0; i; i = cache->entries.data[i - 1].next) {
            CacheBlock *block = cache->entries.data[i - 1].block;
            if (cache->jit && !block->dead) {
                jit_kill(cache->jit, block);
            }
            block->dead = true;
        }
        map_remove(&cache->granules, g);
    }
}
