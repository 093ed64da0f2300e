#include "exec/cache.h"

#include <assert.h>
#include <string.h>

#include "bus/mem.h"
#include "exec/jit.h"

enum { TABLE_CAP = 4096 };

static CacheTable *table_new(size_t cap) {
    CacheTable *table = mem_alloc(sizeof *table + cap * (sizeof table->slots[0] + sizeof table->tags[0]));
    table->cap = cap;
    table->tags = (uint32_t *)(void *)&table->slots[cap];
    return table;
}

CodeCache *cache_new(const CacheOptions *options, const ExecWindows *windows) {
    CodeCache *cache = mem_alloc(sizeof *cache);
    cache->bytes_max = options->bytes_max;
    cache->shared = options->jit.shared;
    cache->jit = options->translate ? jit_new(&options->jit) : NULL;
    cache->table = table_new(TABLE_CAP);
    if (windows) {
        cache->windows = *windows;
    }
    return cache;
}

static void drop_outgrown(CodeCache *cache) {
    for (size_t i = 0; i < cache->outgrown.len; i++) {
        mem_free(cache->outgrown.data[i]);
    }
    cache->outgrown.len = 0;
}

void cache_free(CodeCache *cache) {
    if (!cache) {
        return;
    }
    jit_free(cache->jit);
    arena_free(&cache->arena);
    arena_free(&cache->scratch);
    drop_outgrown(cache);
    vec_free(&cache->outgrown);
    mem_free(cache->table);
    vec_free(&cache->entries);
    mem_free(cache);
}

/* Blocks that lie near each other are near each other in the table, too: they are often looked for one after the other.
 * Stretches of code, and what differs in more than the address, lie anywhere. */
static size_t hash_of(IrLoc loc, unsigned limit) {
    enum { STRETCH_SHIFT = 10 };
    uint64_t h = (loc.pc >> STRETCH_SHIFT) * UINT64_C(0x9e3779b97f4a7c15);
    h ^= ((uint64_t)loc.aux << 8 | limit) * UINT64_C(0xc2b2ae3d27d4eb4f);
    h ^= loc.page * UINT64_C(0x165667b19e3779f9);
    return (size_t)((h ^ h >> 29) + (loc.pc >> 2));
}

static CacheBlock *load(CacheBlock *const *slot) {
    return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

static void store(CacheBlock **slot, CacheBlock *block) {
    __atomic_store_n(slot, block, __ATOMIC_RELEASE);
}

/* The block, or NULL. Dead blocks keep their place until the next flush, and a live one for the same location comes
 * behind them. `place` becomes where it stands, or the free place where it belongs: what other threads add may stand
 * there by now, so only who has the lock may look at it. */
static CacheBlock *search(CacheTable *table, IrLoc loc, unsigned limit, size_t *place) {
    size_t mask = table->cap - 1, i = hash_of(loc, limit) & mask;
    CacheBlock *block;
    while ((block = load(&table->slots[i])) != NULL) {
        if (table->tags[i] == (uint32_t)loc.pc && cache_matches(block, loc, limit)) {
            break;
        }
        i = (i + 1) & mask;
    }
    *place = i;
    return block;
}

static void add(CacheTable *table, CacheBlock *block) {
    size_t place;
    search(table, block->ir.loc, block->limit, &place);
    table->tags[place] = (uint32_t)block->ir.loc.pc;
    store(&table->slots[place], block);
}

CacheBlock *cache_search(CodeCache *cache, IrLoc loc, unsigned limit, CacheBlock **front) {
    size_t place;
    CacheBlock *block = search(__atomic_load_n(&cache->table, __ATOMIC_ACQUIRE), loc, limit, &place);
    if (block) {
        store(front, block);
    }
    return block;
}

void cache_flush(CodeCache *cache, uint64_t serial) {
    if (cache->jit) {
        jit_flush(cache->jit, serial);
    }
    drop_outgrown(cache);
    memset(cache->table->slots, 0, cache->table->cap * sizeof cache->table->slots[0]);
    memset(cache->front, 0, sizeof cache->front);
    memset(cache->granules, 0, sizeof cache->granules);
    cache->entries.len = 0;
    cache->flushes += cache->len > 0;
    cache->len = 0;
    arena_reset(&cache->arena);
}

bool cache_is_full(const CodeCache *cache) {
    return cache->arena.total > cache->bytes_max;
}

static void grow(CodeCache *cache) {
    CacheTable *old = cache->table, *table = table_new(old->cap * 2);
    cache->len = 0;
    for (size_t i = 0; i < old->cap; i++) {
        if (old->slots[i] && !old->slots[i]->dead) {
            add(table, old->slots[i]);
            cache->len++;
        }
    }
    __atomic_store_n(&cache->table, table, __ATOMIC_RELEASE);
    vec_push(&cache->outgrown, old);
}

void cache_cover(CodeCache *cache) {
    for (unsigned k = 0; cache->jit && k < cache->windows.n; k++) {
        jit_cover(cache->jit, k, exec_windows_code_end(&cache->windows, k));
    }
}

/* So that stores there find it. */
static void note_bytes(CodeCache *cache, CacheBlock *block, uint64_t addr, uint64_t size) {
    uint64_t last = (addr + size - 1) >> MEM_GRANULE_SHIFT;
    for (uint64_t g = addr >> MEM_GRANULE_SHIFT; g <= last; g++) {
        uint32_t *head = &cache->granules[g % CACHE_GRANULE_BUCKETS];
        GranuleEntry entry = {block, (uint32_t)g, *head};
        vec_push(&cache->entries, entry);
        *head = (uint32_t)cache->entries.len;
    }
}

/* The block goes when its bytes change, or the literals that its host code knows. */
static void note_literals(CodeCache *cache, CacheBlock *block) {
    const IrBlock *ir = &block->ir;
    for (uint32_t i = 0; block->literal && i < ir->n_ops; i++) {
        const IrOp *op = &ir->ops[i];
        if (op->op == IR_LOAD && block->literal->ops[i].op == IR_CONST) {
            note_bytes(cache, block, ir_const_value(&ir->ops[op->a]), 1u << (op->n & IR_MEM_SIZE));
        }
    }
}

CacheBlock *cache_add(CodeCache *cache, const IrBlock *ir, const IrBlock *literal, unsigned limit) {
    cache_cover(cache);
    if (cache->len * 2 >= cache->table->cap) {
        grow(cache);
    }
    CacheBlock *block = ARENA_NEW(&cache->arena, CacheBlock);
    *block = (CacheBlock){.ir = *ir, .literal = literal, .limit = limit, .dead = ir->n_bytes == 0 && !ir->is_trap};
    cache->translations++;
    if (block->dead) {
        return block;
    }
    if (!cache->shared && ir->n_bytes) {
        note_bytes(cache, block, ir->source, ir->n_bytes);
        note_literals(cache, block);
    }
    add(cache->table, block);
    cache->len++;
    return block;
}

/* Other threads look at the rest meanwhile, and at the ops behind cache_has_ops. */
void cache_complete(CodeCache *cache, CacheBlock *block, const IrBlock *ir, const IrBlock *literal) {
    IrBlock *to = &block->ir;
    assert(ir->n_insns == to->n_insns && ir->n_bytes == to->n_bytes && ir->source == to->source);
    to->n_ops = ir->n_ops;
    to->faults = ir->faults;
    to->n_faults = ir->n_faults;
    block->literal = literal;
    __atomic_store_n(&to->ops, ir->ops, __ATOMIC_RELEASE);
    if (!cache->shared) {
        note_literals(cache, block);
    }
}

static void invalidate_granule(CodeCache *cache, uint64_t granule) {
    uint32_t *link = &cache->granules[granule % CACHE_GRANULE_BUCKETS];
    while (*link) {
        GranuleEntry *entry = &cache->entries.data[*link - 1];
        if (entry->granule != (uint32_t)granule) {
            link = &entry->next;
            continue;
        }
        if (cache->jit && !entry->block->dead) {
            jit_kill(cache->jit, entry->block);
        }
        entry->block->dead = true;
        *link = entry->next;
    }
}

void cache_invalidate(CodeCache *cache, uint64_t addr, uint64_t size) {
    uint64_t last = (addr + size - 1) >> MEM_GRANULE_SHIFT;
    for (uint64_t g = addr >> MEM_GRANULE_SHIFT; g <= last; g++) {
        invalidate_granule(cache, g);
    }
}
