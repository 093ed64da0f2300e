#include "exec/cache.h"

#include <assert.h>
#include <string.h>

#include "bus/mem.h"
#include "exec/jit.h"

enum {
    TABLE_CAP = 4096,
    INDEX_BITS = 21, /* of a slot */
    BLOCKS_MAX = 1 << 20, /* 48 MiB */
    ENTRIES = 8192, /* room for most programs; memory comes when it is used */
    STRETCH_SHIFT = 8, /* of bytes that have one bucket: most blocks lie in one or two */
};

_Static_assert(BLOCKS_MAX < 1 << INDEX_BITS, "with 0 for a free slot");

static CacheTable *table_new(size_t cap) {
    CacheTable *table = mem_alloc(sizeof *table);
    if (!stretch_new(&table->room, cap * sizeof *table->slots)) {
        mem_exhausted("a table of code");
    }
    stretch_need(&table->room, table->room.bytes); /* it is used everywhere at once */
    table->cap = cap;
    table->slots = (uint32_t *)(void *)table->room.data;
    return table;
}

static void table_free(CacheTable *table) {
    stretch_free(&table->room);
    mem_free(table);
}

CodeCache *cache_new(const CacheOptions *options, const ExecWindows *windows) {
    CodeCache *cache = mem_alloc(sizeof *cache);
    cache->bytes_max = options->bytes_max;
    cache->shared = options->jit.shared;
    cache->jit = options->translate ? jit_new(&options->jit) : NULL;
    cache->table = table_new(TABLE_CAP);
    if (!stretch_new(&cache->room, BLOCKS_MAX * sizeof(CacheBlock))) {
        mem_exhausted("blocks of code");
    }
    if (windows) {
        cache->windows = *windows;
    }
    return cache;
}

static void drop_outgrown(CodeCache *cache) {
    for (size_t i = 0; i < cache->outgrown.len; i++) {
        table_free(cache->outgrown.data[i]);
    }
    cache->outgrown.len = 0;
}

void cache_free(CodeCache *cache) {
    if (!cache) {
        return;
    }
    jit_free(cache->jit);
    arena_free(&cache->arena);
    stretch_free(&cache->room);
    arena_free(&cache->scratch);
    drop_outgrown(cache);
    vec_free(&cache->outgrown);
    table_free(cache->table);
    vec_free(&cache->entries);
    mem_free(cache);
}

static CacheBlock *block_of(const CodeCache *cache, uint32_t index) {
    return (CacheBlock *)(void *)cache->room.data + index;
}

/* Blocks that lie near each other are near each other in the table, too: they are often looked for one after the other.
 * Stretches of code, and what differs in more than the address, lie anywhere. */
static size_t hash_of(IrLoc loc, unsigned limit) {
    enum { NEAR_SHIFT = 6, PAGE_SHIFT = 20 };
    uint64_t other = (uint64_t)loc.page << PAGE_SHIFT ^ ((uint64_t)loc.aux << 8 | limit) << 32;
    uint64_t h = (loc.pc >> NEAR_SHIFT ^ other) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)((h >> 32) + (loc.pc >> 2));
}

static uint32_t slot_of(uint64_t pc, uint32_t number) {
    return (uint32_t)(pc >> 1) << INDEX_BITS | number;
}

static CacheBlock *block_in(const CodeCache *cache, uint32_t slot) {
    return block_of(cache, (slot & ((1u << INDEX_BITS) - 1)) - 1);
}

/* Where the block stands, or a free place: then what is returned is NULL. Dead blocks keep their place until the next
 * flush, and a live one for the same location comes behind them. What other threads add may stand at the free place by
 * now, so only who has the lock may look at it. */
IN_LINE CacheBlock *search(const CodeCache *cache, const CacheTable *table, IrLoc loc, unsigned limit,
                           size_t *place) {
    size_t mask = table->cap - 1, i = hash_of(loc, limit) & mask;
    uint32_t slot, bits = slot_of(loc.pc, 0);
    while ((slot = __atomic_load_n(&table->slots[i], __ATOMIC_ACQUIRE)) != 0) {
        if ((slot ^ bits) >> INDEX_BITS == 0 && cache_matches(block_in(cache, slot), loc, limit)) {
            break;
        }
        i = (i + 1) & mask;
    }
    *place = i;
    return slot ? block_in(cache, slot) : NULL;
}

static void add(const CodeCache *cache, CacheTable *table, uint32_t index) {
    const CacheBlock *block = block_of(cache, index);
    size_t place;
    search(cache, table, block->loc, block->limit, &place);
    __atomic_store_n(&table->slots[place], slot_of(block->loc.pc, index + 1), __ATOMIC_RELEASE);
}

CacheBlock *cache_search(CodeCache *cache, IrLoc loc, unsigned limit, CacheBlock **front) {
    size_t place;
    CacheBlock *block = search(cache, __atomic_load_n(&cache->table, __ATOMIC_ACQUIRE), loc, limit, &place);
    if (block) {
        __atomic_store_n(front, block, __ATOMIC_RELEASE);
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
    memset(cache->buckets, 0, sizeof cache->buckets);
    cache->entries.len = 0;
    cache->flushes += cache->len > 0;
    cache->len = 0;
    cache->n_blocks = 0;
    arena_reset(&cache->arena);
}

size_t cache_bytes(const CodeCache *cache) {
    return cache->arena.total + cache->n_blocks * sizeof(CacheBlock);
}

bool cache_is_full(const CodeCache *cache) {
    return cache_bytes(cache) > cache->bytes_max || cache->n_blocks == BLOCKS_MAX;
}

static void grow(CodeCache *cache) {
    CacheTable *old = cache->table, *table = table_new(old->cap * 2);
    cache->len = 0;
    for (size_t i = 0; i < old->cap; i++) {
        uint32_t slot = old->slots[i];
        if (slot && !block_in(cache, slot)->dead) {
            add(cache, table, (uint32_t)(block_in(cache, slot) - block_of(cache, 0)));
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

static uint32_t *bucket_of(CodeCache *cache, uint64_t addr) {
    return &cache->buckets[(addr >> STRETCH_SHIFT) % CACHE_BUCKETS];
}

/* So that stores there find it. */
static void note_bytes(CodeCache *cache, const CacheBlock *block, uint64_t addr, uint64_t size) {
    uint64_t last = (addr + size - 1) >> STRETCH_SHIFT;
    uint32_t index = (uint32_t)(block - block_of(cache, 0));
    vec_reserve(&cache->entries, ENTRIES);
    for (uint64_t s = addr >> STRETCH_SHIFT; s <= last; s++) {
        uint32_t *head = bucket_of(cache, s << STRETCH_SHIFT);
        StretchEntry entry = {index, *head};
        vec_push(&cache->entries, entry);
        *head = (uint32_t)cache->entries.len;
    }
}

/* True for the op of a finished block whose value its host code knows from ROM; with the bytes that it loads. */
static bool is_literal(const CacheIr *made, uint32_t i, uint64_t *addr, uint64_t *size) {
    const IrOp *op = &made->ir.ops[i];
    if (op->op != IR_LOAD || made->literal->ops[i].op != IR_CONST) {
        return false;
    }
    *addr = ir_const_value(&made->ir.ops[op->a]);
    *size = UINT64_C(1) << (op->n & IR_MEM_SIZE);
    return true;
}

/* The block goes when its bytes change, or the literals that its host code knows. */
static void note_literals(CodeCache *cache, const CacheBlock *block) {
    uint64_t addr, size;
    for (uint32_t i = 0; block->made->literal && i < block->made->ir.n_ops; i++) {
        if (is_literal(block->made, i, &addr, &size)) {
            note_bytes(cache, block, addr, size);
        }
    }
}

CacheBlock *cache_add_head(CodeCache *cache, const IrBlock *ir, unsigned limit) {
    cache_cover(cache);
    if (cache->len * 8 >= cache->table->cap * 5) { /* fuller ones are slow */
        grow(cache);
    }
    assert(cache->n_blocks < BLOCKS_MAX && ir->n_insns <= UINT8_MAX && ir->n_bytes <= UINT16_MAX);
    assert(limit <= UINT16_MAX);
    uint32_t index = cache->n_blocks++;
    stretch_need(&cache->room, cache->n_blocks * sizeof(CacheBlock));
    CacheBlock *block = block_of(cache, index);
    *block = (CacheBlock){.loc = ir->loc, .limit = (uint16_t)limit, .n_insns = (uint8_t)ir->n_insns,
                          .n_bytes = (uint16_t)ir->n_bytes, .dead = ir->n_bytes == 0 && !ir->is_trap};
    cache->translations++;
    if (block->dead) {
        return block;
    }
    if (!cache->shared && ir->n_bytes) {
        note_bytes(cache, block, ir->source, ir->n_bytes);
    }
    add(cache, cache->table, index);
    cache->len++;
    return block;
}

/* Other threads look at the block meanwhile, and at what it is made from behind cache_has_ops. */
void cache_complete(CodeCache *cache, CacheBlock *block, const IrBlock *ir, const IrBlock *literal) {
    assert(ir->n_insns == block->n_insns && ir->n_bytes == block->n_bytes && ir->loc.pc == block->loc.pc);
    CacheIr *made = ARENA_NEW(&cache->arena, CacheIr);
    *made = (CacheIr){*ir, literal};
    __atomic_store_n(&block->made, made, __ATOMIC_RELEASE);
    if (!cache->shared) {
        note_literals(cache, block);
    }
}

CacheBlock *cache_add(CodeCache *cache, const IrBlock *ir, const IrBlock *literal, unsigned limit) {
    CacheBlock *block = cache_add_head(cache, ir, limit);
    cache_complete(cache, block, ir, literal);
    return block;
}

/* Whole granules of memory. */
typedef struct Granules {
    uint64_t first, last;
} Granules;

static bool has_any_of(uint64_t addr, uint64_t size, Granules changed) {
    return addr >> MEM_GRANULE_SHIFT <= changed.last && (addr + size - 1) >> MEM_GRANULE_SHIFT >= changed.first;
}

static bool is_made_of(const CacheBlock *block, Granules changed) {
    const CacheIr *made = block->made;
    uint64_t addr, size;
    bool is = block->n_bytes && has_any_of(ir_loc_source(block->loc), block->n_bytes, changed);
    for (uint32_t i = 0; !is && made && made->literal && i < made->ir.n_ops; i++) {
        is = is_literal(made, i, &addr, &size) && has_any_of(addr, size, changed);
    }
    return is;
}

static void invalidate_in(CodeCache *cache, uint32_t *link, Granules changed) {
    while (*link) {
        StretchEntry *entry = &cache->entries.data[*link - 1];
        CacheBlock *block = block_of(cache, entry->block);
        if (!block->dead && !is_made_of(block, changed)) {
            link = &entry->next;
            continue;
        }
        if (cache->jit && !block->dead) {
            jit_kill(cache->jit, block);
        }
        block->dead = true;
        *link = entry->next;
    }
}

void cache_invalidate(CodeCache *cache, uint64_t addr, uint64_t size) {
    Granules changed = {addr >> MEM_GRANULE_SHIFT, (addr + size - 1) >> MEM_GRANULE_SHIFT};
    for (uint64_t s = addr >> STRETCH_SHIFT; s <= (addr + size - 1) >> STRETCH_SHIFT; s++) {
        invalidate_in(cache, bucket_of(cache, s << STRETCH_SHIFT), changed);
    }
}
