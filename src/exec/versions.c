/* The blocks of a loop, specialised for what the flags are where they begin, in the order in which they are lowered.
 *
 * A version is a block together with an entry, the flag ops of the block before it, and with how far the window pointer
 * has moved since the region was entered. Versions are made from the head on; a block that would get too many of them
 * has one more for all the others, which finds its flags in the state. */
#include <string.h>

#include "exec/probe.h"
#include "exec/region.h"

enum { VERSIONS_MAX = X64_REGION_BLOCKS_MAX, VERSIONS_PER_BLOCK = 3 /* for one place of the window */ };

/* How far the window pointer may be from where it was when the region was entered: with recursion there is no end to
 * it. */
enum { WINDOW_MOVED_MAX = 3 * 16 };

typedef struct Version {
    unsigned loop_block;
    int32_t moved; /* of the window pointer since the region's entry, in words */
    IrEntry entry;
    unsigned known; /* flags that the entry tells */
    const IrBlock *plain; /* the same without the entry */
    IrBlock ir;
    int taken, next, landings[REGION_LANDINGS_MAX]; /* versions */
    unsigned n_landings;
    bool visited;
} Version;

typedef struct Versions {
    const Loop *loop;
    Arena *arena;
    Version *all;
    unsigned n, max;
    int order[VERSIONS_MAX]; /* reverse postorder, from index VERSIONS_MAX - n_ordered */
    unsigned n_ordered;
} Versions;

static bool same_entry(const IrEntry *x, const IrEntry *y) {
    return x->n == y->n && memcmp(x->ops, y->ops, x->n * sizeof *x->ops) == 0;
}

/* What a block is where the window has moved so far, without an entry. */
static const IrBlock *make_plain(const Versions *v, unsigned block, int32_t moved) {
    const LoopBlock *b = &v->loop->blocks[block];
    if (v->loop->window == IR_NONE && b->ir == b->own) {
        return b->ir;
    }
    IrBlock *plain = ARENA_NEW(v->arena, IrBlock);
    *plain = *b->ir;
    if (v->loop->window != IR_NONE) {
        *plain = ir_with_window_slots(plain, v->loop->window, moved, v->arena);
    }
    plain->n_faults = 0; /* they are made anew */
    ir_finish_in_region(plain, v->arena);
    return plain;
}

/* Index of the version with that entry; made if there is room; -1 if there is none. */
static int find_version(Versions *v, unsigned block, int32_t moved, const IrEntry *entry, unsigned known) {
    const IrBlock *plain = NULL;
    unsigned of_block = 0;
    for (unsigned i = 0; i < v->n; i++) {
        if (v->all[i].loop_block == block && v->all[i].moved == moved) {
            of_block++;
            plain = v->all[i].plain;
            if (same_entry(&v->all[i].entry, entry)) {
                return (int)i;
            }
        }
    }
    /* One place per block is kept for the version without entry. */
    if (entry->n && (of_block >= VERSIONS_PER_BLOCK || v->n + v->loop->n >= v->max)) {
        return find_version(v, block, moved, &(IrEntry){0}, 0);
    }
    if (v->n == v->max || moved < -WINDOW_MOVED_MAX || moved > WINDOW_MOVED_MAX) {
        return -1;
    }
    plain = plain ? plain : make_plain(v, block, moved);
    v->all[v->n] = (Version){.loop_block = block, .moved = moved, .entry = *entry, .known = known, .plain = plain,
                             .ir = ir_with_entry(plain, entry, v->arena), .taken = -1, .next = -1};
    return (int)v->n++;
}

/* What the flags are at the end of a version, for blocks that need the same ones: as mostly all of them do. */
typedef struct EndFlags {
    IrShadows shadows;
    IrEntry entry;
    unsigned wanted, known;
    bool found;
} EndFlags;

/* The version of loop block `to` that follows a version. */
static int follow(Versions *v, const Version *from, int to, EndFlags *end) {
    if (to < 0 || !v->loop->blocks[to].loops) {
        return -1;
    }
    unsigned wanted = v->loop->blocks[to].needs;
    if (!end->found || end->wanted != wanted) {
        end->known = ir_flags_at_end(&from->ir, wanted, &end->entry, &end->shadows);
        end->wanted = wanted;
        end->found = true;
    }
    int32_t moved = from->moved + v->loop->blocks[from->loop_block].move;
    return find_version(v, (unsigned)to, moved, &end->entry, end->known);
}

static void make_versions(Versions *v) {
    find_version(v, 0, 0, &(IrEntry){0}, 0);
    for (unsigned i = 0; i < v->n; i++) {
        Version *made = &v->all[i];
        const LoopBlock *b = &v->loop->blocks[made->loop_block];
        EndFlags end;
        end.shadows = (IrShadows){{IR_NONE, IR_NONE, IR_NONE, IR_NONE}};
        end.found = false;
        made->taken = follow(v, made, b->taken, &end);
        made->next = follow(v, made, b->next, &end);
        for (unsigned k = 0; k < b->n_landings; k++) {
            int landing = follow(v, made, b->landings[k], &end);
            if (landing >= 0) {
                made->landings[made->n_landings++] = landing;
            }
        }
        ir_put_shadows(&made->ir, &end.shadows, v->arena);
    }
}

/* Depth is bounded by the number of versions. What is visited last comes next in the order: the fall-through. */
static void visit(Versions *v, int i) {
    if (i < 0 || v->all[i].visited) {
        return;
    }
    Version *version = &v->all[i];
    version->visited = true;
    for (unsigned k = version->n_landings; k-- > 0;) {
        visit(v, version->landings[k]);
    }
    visit(v, version->taken);
    visit(v, version->next);
    v->order[VERSIONS_MAX - ++v->n_ordered] = i;
}

/* What is prepaid at a block: the longest way on from it by direct jumps that does not go back. */
static void find_costs(X64RegionBlock *blocks, unsigned n) {
    for (unsigned i = n; i-- > 0;) {
        uint32_t longest = 0;
        const int behind[2] = {blocks[i].taken, blocks[i].next};
        for (unsigned k = 0; k < 2; k++) {
            if (behind[k] > (int)i && blocks[behind[k]].cost > longest) {
                longest = blocks[behind[k]].cost;
            }
        }
        blocks[i].cost = blocks[i].ir->n_insns + longest;
    }
}

static void fill_block(const Versions *v, const int *place, const Version *from, X64RegionBlock *to) {
    const LoopBlock *b = &v->loop->blocks[from->loop_block];
    *to = (X64RegionBlock){
        .ir = &from->ir, .block = b->block->index,
        .taken = from->taken < 0 ? -1 : place[from->taken],
        .next = from->next < 0 ? -1 : place[from->next],
        .needs = (uint8_t)(b->needs & ~from->known),
        .n_landings = from->n_landings,
        .depth = b->depth,
    };
    for (unsigned k = 0; k < from->n_landings; k++) {
        to->landings[k] = (unsigned)place[from->landings[k]];
    }
}

/* As many versions as there may be, within reason: one place of the window, or many. */
static unsigned most_versions(const Loop *loop) {
    unsigned most = loop->n * (loop->window == IR_NONE ? VERSIONS_PER_BLOCK + 2 : 5 * VERSIONS_PER_BLOCK);
    return most < VERSIONS_MAX ? most : VERSIONS_MAX;
}

unsigned exec_compile_loop(Cpu *cpu, CodeCache *cache, const Loop *loop, Arena *arena) {
    Versions v = {.loop = loop, .arena = arena, .max = most_versions(loop)};
    CacheBlock *members[EXEC_REGION_BLOCKS_MAX];
    int place[VERSIONS_MAX];
    unsigned n_members = 0, n_insns = 0;
    v.all = ARENA_ARRAY_RAW(arena, Version, v.max);
    make_versions(&v);
    visit(&v, 0);
    X64RegionBlock *blocks = ARENA_ARRAY(arena, X64RegionBlock, v.n_ordered);
    const int *order = &v.order[VERSIONS_MAX - v.n_ordered];
    for (unsigned i = 0; i < v.n_ordered; i++) {
        place[order[i]] = (int)i;
    }
    for (unsigned i = 0; i < v.n_ordered; i++) {
        fill_block(&v, place, &v.all[order[i]], &blocks[i]);
        n_insns += blocks[i].ir->n_insns;
    }
    for (unsigned i = 0; i < loop->n; i++) {
        if (loop->blocks[i].loops) {
            members[n_members++] = loop->blocks[i].block;
        }
    }
    find_costs(blocks, v.n_ordered);
    X64Region region = {blocks, v.n_ordered, loop->window, IR_NONE};
    bool ok = jit_compile_region(cache->jit, members, n_members, region);
    if (UNLIKELY(ok && cpu->probe)) {
        probe_region(cpu, cache, members[0]);
    }
    return ok ? n_insns : 0;
}
