#include "sim/code.h"

#include <string.h>

#include "sim/node_internal.h"

enum { CACHE_BYTES_MAX = 64 << 20, PAGE_BYTES = 4096, CROWD_MAX = 1 << 14 };

/* ---- Windows ---- */

static bool holds_code(const Node *node, const MemRegion *r) {
    for (size_t i = 0; i < node->images.len; i++) {
        const Image *image = &node->images.data[i]->image;
        for (size_t s = 0; s < image->n_segments; s++) {
            const ImageSegment *segment = &image->segments[s];
            uint64_t code = segment->addr + segment->code_at;
            if (code < r->base + r->size && r->base < code + segment->code_size) {
                return true;
            }
        }
    }
    return false;
}

/* How many registers point into the region: to the end of a stack, that is right behind its last byte. */
static unsigned registers_into(const Node *node, const MemRegion *r) {
    const Isa *isa = node->cpu->isa;
    unsigned n = 0;
    cpu_settle(node->cpu);
    for (size_t f = 0; f < isa->n_fields; f++) {
        const Field *field = &isa->fields[f];
        const uint8_t *at = (const uint8_t *)node->cpu->state + field->offset;
        for (uint32_t i = 0; field->size == 4 && i < field->count; i++) {
            uint32_t value;
            memcpy(&value, at + 4 * i, sizeof value);
            n += value > r->base && value - 1 - r->base < r->size;
        }
    }
    return n;
}

/* The RAM that is used most: that of the stack, as registers tell after the reset; else the largest without code. */
static const MemRegion *main_memory(const Node *node) {
    const MemMap *map = &node->board.map;
    const MemRegion *best = NULL;
    uint64_t best_score = 0;
    for (uint32_t i = 0; i < map->n_regions; i++) {
        const MemRegion *r = &map->regions[i];
        if (!r->is_memory || mem_memory_of(map, r)->read_only) {
            continue;
        }
        /* Small numbers look like pointers into a memory at 0, where code often is. */
        uint64_t pointers = registers_into(node, r), without_code = !holds_code(node, r);
        uint64_t score = pointers ? (without_code << 62) + (pointers << 40) : without_code ? r->size >> 8 : 0;
        if (!best || score > best_score) {
            best = r;
            best_score = score;
        }
    }
    return best;
}

static bool is_shown(const ExecWindows *windows, const Memory *memory) {
    bool shown = false;
    for (unsigned k = 0; k < windows->n; k++) {
        shown |= mem_memory_of(windows->map, windows->regions[k]) == memory;
    }
    return shown;
}

/* The most used memory first, then where the code is with its constants, then the others, each once. */
static void choose_windows(const Node *node, ExecWindows *windows) {
    const MemMap *map = &node->board.map;
    const MemRegion *first = main_memory(node);
    if (first) {
        exec_windows_add(windows, map, first);
    }
    for (unsigned pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < map->n_regions; i++) {
            const MemRegion *r = &map->regions[i];
            if (r->is_memory && !is_shown(windows, mem_memory_of(map, r)) && (pass == 1 || holds_code(node, r))) {
                exec_windows_add(windows, map, r);
            }
        }
    }
}

/* ---- What a node is made of, as far as its code is concerned ---- */

typedef struct CodePlan {
    CacheOptions options;
    ExecWindows windows;
} CodePlan;

static void expect_code(Node *node) {
    for (size_t i = 0; i < node->images.len; i++) {
        const Image *image = &node->images.data[i]->image;
        for (size_t s = 0; s < image->n_segments; s++) {
            const ImageSegment *segment = &image->segments[s];
            mem_code_expect(&node->board.map, segment->addr + segment->code_at, segment->code_size,
                            segment->code_told);
        }
    }
}

static CodePlan plan_of(Node *node) {
    CodePlan plan = {.options = {.bytes_max = CACHE_BYTES_MAX, .translate = node->engine != ENGINE_INTERP}};
    expect_code(node);
    plan.options.jit = (JitOptions){.regions = node->engine == ENGINE_JIT, .code_bytes = node->code_bytes};
    if (node->memory == MEM_WINDOW) {
        choose_windows(node, &plan.windows);
        for (unsigned i = 0; i < node->n_cores; i++) {
            exec_windows_attach(&plan.windows, node->cores[i].cpu);
        }
        plan.options.jit.memory = exec_windows_memory(&plan.windows);
    }
    return plan;
}

static CacheOptions options_of(const NodeCore *core, const CodePlan *plan) {
    CacheOptions options = plan->options;
    options.jit.flags_slot = core->cpu->isa->flags_slot;
    return options;
}

/* All kinds of cores together: with the marks of their memories they leave a share. */
static void finish(Node *node) {
    for (unsigned i = 1; i < node->n_cores; i++) {
        if (node->cores[i].is_first_user) {
            code_use_bind(&node->code, node->cores[i].code);
        }
    }
    node->code_ready = true;
}

/* Results are the same with every engine, so a host that permits no translated code only costs time. */
static void use_own(Node *node, const CodePlan *plan) {
    for (unsigned i = 0; i < node->n_cores; i++) {
        NodeCore *core = &node->cores[i];
        CacheOptions options = options_of(core, plan);
        if (core->is_first_user) {
            code_use_own(core->code, &options, &plan->windows);
        }
        if (core->cpu->probe) {
            exec_probe_attach(core->cpu, core->code->own, core->cpu->probe);
        }
    }
    finish(node);
    if (plan->options.translate && !node->code.own->jit) {
        log_line(node->board.log, LOG_WARN, "%s: the host permits no executable memory: interpreting, which is slow",
                 node->board.name);
    }
}

void node_code_init(Node *node) {
    CodePlan plan = plan_of(node);
    use_own(node, &plan);
}

void node_code_probe(Node *node, ExecProbe *probe) {
    if (probe) {
        code_use_leave(&node->code, &node->board.map);
    }
    for (unsigned i = 0; i < node->n_cores; i++) {
        exec_probe_attach(node->cores[i].cpu, node->cores[i].code->own, probe);
    }
}

void node_code_free(Node *node) {
    for (unsigned i = 0; i < node->n_cores; i++) {
        if (node->cores[i].code) {
            code_use_free(node->cores[i].code);
        }
    }
}

void node_code_stats(const Node *node, CodeStats *stats) {
    for (unsigned i = 0; i < node->n_cores; i++) {
        if (node->cores[i].is_first_user) {
            code_use_stats(node->cores[i].code, stats);
        }
    }
}

static void caches_invalidate(Node *node, uint64_t addr, uint64_t size) {
    for (unsigned i = 0; i < node->n_cores; i++) {
        if (node->cores[i].is_first_user && node->cores[i].code->own) {
            cache_invalidate(node->cores[i].code->own, addr, size);
        }
    }
}

static void forget_tables(Node *node) {
    for (unsigned i = 0; i < node->n_cores; i++) {
        tlb_forget(node->cores[i].cpu->tlb);
    }
}

void node_code_marked(MemMap *map, const Memory *memory, uint64_t offset, uint64_t size) {
    Node *node = (Node *)map->board;
    for (unsigned i = 0; i < node->n_cores; i++) {
        tlb_forget_stores(node->cores[i].cpu->tlb, memory->host + offset, size);
    }
}

/* Translated code may have the old place in a register. */
void node_code_moved(MemMap *map, const Memory *memory) {
    Node *node = (Node *)map->board;
    (void)memory;
    forget_tables(node);
    for (unsigned i = 0; i < node->n_cores && node->code_ready; i++) {
        exec_windows_attach(&node->cores[i].code->windows, node->cores[i].cpu);
        node->cores[i].cpu->leave = true;
    }
}

/* Memory that code was translated from, or that holds tables, has changed, at any of the addresses where it is mapped.
 */
void node_code_changed(MemMap *map, Memory *memory, uint64_t offset, uint64_t size) {
    Node *node = (Node *)map->board;
    forget_tables(node);
    for (uint32_t i = 0; i < map->n_regions; i++) {
        const MemRegion *r = &map->regions[i];
        if (mem_memory_of(map, r) == memory && offset < r->offset + r->size && r->offset < offset + size) {
            caches_invalidate(node, r->base + offset - r->offset, size);
        }
    }
    code_use_will_leave(&node->code);
    node->cores[node->board.current_cpu].cpu->leave = true;
}

/* ---- Which nodes are alike ---- */

typedef struct ShareEntry {
    uint64_t key;
    const Isa *isa;
    unsigned n; /* nodes that have come with this key */
    bool marked; /* the memories of the first of them */
    CodeShare *shares[NODE_CORES_MAX]; /* by the first core of a kind; all NULL: there was one node only */
} ShareEntry;

struct CodeShares {
    VEC(ShareEntry) entries;
    Map by_key; /* index + 1 */
    Map rom_hashes; /* of contents, by Rom * */
};

/* Number of a memory in its node: that of the first region that shows it. */
static unsigned memory_index(const MemMap *map, const Memory *memory) {
    unsigned i = 0;
    while (mem_memory_of(map, &map->regions[i]) != memory) {
        i++;
    }
    return i;
}

static bool is_first(const MemMap *map, uint32_t region) {
    const Memory *memory = mem_memory_of(map, &map->regions[region]);
    return memory && memory_index(map, memory) == region;
}

/* Pages of zeros count as if nobody had touched them. */
static void hash_contents(const Memory *memory, uint64_t from, uint64_t end, Hash *hash) {
    static const uint8_t zeros[PAGE_BYTES];
    uint64_t at = from, touched_end = from;
    while (at < end) {
        if (at >= touched_end) {
            memory_touched(memory, at, &at, &touched_end);
            continue;
        }
        uint64_t next = (at | (PAGE_BYTES - 1)) + 1, n = (next < end ? next : end) - at;
        if (memcmp(memory->host + at, zeros, (size_t)n) != 0) {
            hash_u64(hash, at);
            hash_bytes(hash, memory->host + at, (size_t)n);
        }
        at += n;
    }
}

/* A part of a memory: whole granules, as far as it has them. */
typedef struct Range {
    Memory *memory;
    unsigned index;
    uint64_t offset, size;
} Range;

typedef void (*RangeVisit)(void *user, const Range *range);

/* The part of a segment that a region shows. */
static bool range_of(const MemMap *map, const MemRegion *region, const ImageSegment *segment, Range *range) {
    uint64_t code = segment->addr + segment->code_at, code_end = code + segment->code_size;
    if (segment->code_size == 0 || code_end <= region->base || code >= region->base + region->size) {
        return false;
    }
    uint64_t from = region->offset + (code > region->base ? code - region->base : 0);
    uint64_t end = region->offset + (code_end - region->base < region->size ? code_end - region->base : region->size);
    enum { GRANULE = 1 << MEM_GRANULE_SHIFT };
    from &= ~(uint64_t)(GRANULE - 1);
    end = (end + GRANULE - 1) & ~(uint64_t)(GRANULE - 1);
    Memory *memory = mem_memory_of(map, region);
    end = end < memory->size ? end : memory->size;
    *range = (Range){memory, memory_index(map, memory), from, end - from};
    return true;
}

/* Where code for all may stand: read-only memories, and what the images put elsewhere to be executed. */
static void visit_ranges(const Node *node, RangeVisit visit, void *user) {
    const MemMap *map = &node->board.map;
    for (uint32_t r = 0; r < map->n_regions; r++) {
        const MemRegion *region = &map->regions[r];
        Memory *memory = mem_memory_of(map, region);
        if (is_first(map, r) && memory->read_only) {
            Range all = {memory, r, 0, memory->size};
            visit(user, &all);
        }
        for (size_t k = 0; memory && !memory->read_only && k < node->images.len; k++) {
            const Image *image = &node->images.data[k]->image;
            for (size_t s = 0; s < image->n_segments; s++) {
                Range range;
                if (range_of(map, region, &image->segments[s], &range)) {
                    visit(user, &range);
                }
            }
        }
    }
}

typedef struct Keying {
    Hash *hash;
    Map *roms; /* Rom * -> hash of its contents: it is a part of many nodes */
} Keying;

static uint64_t contents_hash(const Range *range) {
    Hash *hash = hash_new();
    hash_contents(range->memory, range->offset, range->offset + range->size, hash);
    uint64_t value = hash_value(hash);
    hash_free(hash);
    return value;
}

static void hash_range(void *user, const Range *range) {
    const Keying *k = user;
    bool whole = range->size == range->memory->size;
    uint64_t rom = whole ? (uint64_t)(uintptr_t)range->memory->rom : 0;
    const uint64_t *known = rom ? map_get(k->roms, rom) : NULL;
    uint64_t value = known ? *known : contents_hash(range);
    if (rom && !known) {
        map_set(k->roms, rom, value);
    }
    hash_u64(k->hash, range->index);
    hash_u64(k->hash, range->offset);
    hash_u64(k->hash, range->size);
    hash_u64(k->hash, value);
}

/* All that translations depend on. */
static uint64_t key_of(CodeShares *shares, const Node *node, const CodePlan *plan) {
    const MemMap *map = &node->board.map;
    Hash *hash = hash_new();
    Keying keying = {hash, &shares->rom_hashes};
    for (unsigned i = 0; i < node->n_cores; i++) {
        hash_text(hash, node->cores[i].cpu->isa->name);
        hash_u64(hash, node->cores[i].cpu->features);
    }
    hash_u64(hash, node->engine);
    hash_u64(hash, node->memory);
    hash_u64(hash, node->code_bytes);
    for (uint32_t i = 0; i < map->n_regions; i++) {
        const MemRegion *r = &map->regions[i];
        uint64_t words[] = {r->base, r->size, UINT64_MAX, 0, 0, 0};
        const Memory *memory = mem_memory_of(map, r);
        if (memory) {
            words[2] = memory_index(map, memory);
            words[3] = r->offset;
            words[4] = memory->size;
            words[5] = memory->read_only;
        }
        hash_bytes(hash, words, sizeof words);
    }
    for (unsigned k = 0; k < plan->windows.n; k++) {
        hash_u64(hash, (uint64_t)(plan->windows.regions[k] - map->regions));
        hash_u64(hash, exec_windows_code_end(&plan->windows, k));
    }
    visit_ranges(node, hash_range, &keying);
    uint64_t key = hash_value(hash);
    hash_free(hash);
    return key;
}

/* ---- The shares of a world ---- */

CodeShares *code_shares_new(void) {
    return mem_alloc(sizeof(CodeShares));
}

void code_shares_free(CodeShares *shares) {
    for (size_t i = 0; shares && i < shares->entries.len; i++) {
        for (unsigned k = 0; k < NODE_CORES_MAX; k++) {
            share_free(shares->entries.data[i].shares[k]);
        }
    }
    if (shares) {
        vec_free(&shares->entries);
        map_free(&shares->by_key);
        map_free(&shares->rom_hashes);
        mem_free(shares);
    }
}

void code_shares_stats(const CodeShares *shares, CodeStats *stats) {
    for (size_t i = 0; i < shares->entries.len; i++) {
        for (unsigned k = 0; k < NODE_CORES_MAX; k++) {
            if (shares->entries.data[i].shares[k]) {
                share_stats(shares->entries.data[i].shares[k], stats);
            }
        }
    }
}

static ShareEntry *entry_of(CodeShares *shares, uint64_t key, const Isa *isa) {
    const uint64_t *found = map_get(&shares->by_key, key);
    if (!found) {
        ShareEntry entry = {.key = key, .isa = isa};
        vec_push(&shares->entries, entry);
        map_set(&shares->by_key, key, shares->entries.len);
        found = map_get(&shares->by_key, key);
    }
    ShareEntry *entry = &shares->entries.data[*found - 1];
    return entry->isa == isa ? entry : NULL;
}

typedef struct Marking {
    CodeShare *share; /* that of the first core: it holds the marks for all of them */
    MemMap *map;
    bool first; /* it makes the marks */
} Marking;

static void mark_range(void *user, const Range *range) {
    const Marking *m = user;
    uint8_t *marks = share_marks(m->share, range->index, range->memory->size);
    if (m->first) {
        uint64_t first = range->offset >> MEM_GRANULE_SHIFT;
        uint64_t last = (range->offset + range->size - 1) >> MEM_GRANULE_SHIFT;
        memset(marks + first, MEM_PRISTINE, (size_t)(last - first + 1));
    }
    mem_marks_share(m->map, range->memory, marks, range->offset, range->size);
}

static void use_share(Node *node, const CodePlan *plan, ShareEntry *entry) {
    MemMap *map = &node->board.map;
    Marking marking = {entry->shares[0], map, !entry->marked};
    for (uint32_t i = 0; i < map->n_regions; i++) {
        if (is_first(map, i)) {
            mem_marks_share(map, mem_memory_of(map, &map->regions[i]), NULL, 0, 0);
        }
    }
    visit_ranges(node, mark_range, &marking);
    entry->marked = true;
    for (unsigned i = 0; i < node->n_cores; i++) {
        CacheOptions options = options_of(&node->cores[i], plan);
        if (node->cores[i].is_first_user) {
            code_use_share(node->cores[i].code, entry->shares[i], &options, &plan->windows);
        }
    }
    finish(node);
}

/* For the kinds of cores that such nodes have. */
static void make_shares(ShareEntry *entry, const Node *node, const CodePlan *plan) {
    for (unsigned i = 0; i < node->n_cores; i++) {
        CacheOptions options = options_of(&node->cores[i], plan);
        options.jit.crowd = entry->n < CROWD_MAX ? entry->n : CROWD_MAX;
        if (node->cores[i].is_first_user) {
            entry->shares[i] = share_new(&options, node->board.map.n_regions);
        }
    }
}

static void join(Node *node, const CodePlan *plan, ShareEntry *entry) {
    if (!entry || entry->n < 2 || node->cpu->probe) {
        use_own(node, plan);
        return;
    }
    if (!entry->shares[0]) {
        make_shares(entry, node, plan);
    }
    use_share(node, plan, entry);
}

void code_shares_join(CodeShares *shares, Node *const *nodes, size_t n) {
    uint64_t *keys = mem_alloc((n + 1) * sizeof *keys);
    CodePlan *plans = mem_alloc((n + 1) * sizeof *plans);
    for (size_t i = 0; i < n; i++) {
        if (!nodes[i]->code_ready) {
            node_start(nodes[i]);
            plans[i] = plan_of(nodes[i]);
            keys[i] = key_of(shares, nodes[i], &plans[i]);
            ShareEntry *entry = entry_of(shares, keys[i], nodes[i]->cpu->isa);
            if (entry) {
                entry->n++;
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (!nodes[i]->code_ready) {
            join(nodes[i], &plans[i], entry_of(shares, keys[i], nodes[i]->cpu->isa));
        }
    }
    mem_free(plans);
    mem_free(keys);
}
