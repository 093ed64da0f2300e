/* Which blocks belong to a hot loop: those that its first block reaches by direct jumps, by calls, and by returns that
 * have been seen, that have run already, and from which the first block is reached again. */
#include "exec/region.h"

#include <string.h>

#include "bus/mem.h"
#include "exec/probe.h"

/* What is known of a block that was looked at; NULL: it may not be in a region. */
typedef struct Known {
    const CacheBlock *block;
    const IrBlock *ir;
} Known;

enum { KNOWN_MAX = 2 * EXEC_REGION_BLOCKS_MAX };

typedef struct Gather {
    Cpu *cpu;
    CodeCache *cache;
    Arena *arena;
    Loop loop;
    bool keep_regions_apart; /* blocks where another region begins stay out: there was no room for all of it */
    Known known[KNOWN_MAX];
    unsigned n_known;
} Gather;

static bool has_literals(const Gather *g, const IrBlock *ir) {
    for (uint32_t i = 0; i < ir->n_ops; i++) {
        if (ir->ops[i].op == IR_LOAD && exec_is_literal(g->cpu, ir, &ir->ops[i])) {
            return true;
        }
    }
    return false;
}

/* As the guest's rows make it. */
static const IrBlock *make_raw(const Gather *g, const CacheBlock *block, unsigned limit) {
    IrBlock *ir = ARENA_NEW(g->arena, IrBlock);
    *ir = exec_translate_raw(g->cpu, block->loc, limit, &g->cache->scratch, NULL);
    g->cpu->map->code_refused = false; /* as in exec_complete */
    const IrOp *ops = ir->ops;
    ir->ops = ARENA_ARRAY_RAW(g->arena, IrOp, ir->n_ops);
    memcpy(ir->ops, ops, ir->n_ops * sizeof *ops);
    return ir;
}

/* What is known of a block before it is known to loop. */
static const IrBlock *find_raw(Gather *g, CacheBlock *block) {
    for (unsigned i = 0; i < g->n_known; i++) {
        if (g->known[i].block == block) {
            return g->known[i].ir;
        }
    }
    const IrBlock *ir = cache_has_ops(block) ? cache_host_ir(block) : make_raw(g, block, exec_limit_of(block));
    ir = x64_region_allows(ir) ? ir : NULL;
    if (g->n_known < KNOWN_MAX) {
        g->known[g->n_known++] = (Known){block, ir};
    }
    return ir;
}

/* The block, as it has been finished, with its literals known, of which the cache knows. */
static const IrBlock *with_literals(const Gather *g, const LoopBlock *b, const IrBlock *finished) {
    if (!b->cut) {
        return cache_host_ir(b->block);
    }
    const IrBlock *folded = b->block->made->literal ? exec_fold_literals(g->cpu, finished, g->arena) : NULL;
    g->cpu->map->code_refused = false;
    return folded ? folded : finished;
}

/* Few blocks of a region are needed as a finished block, too: only literals are the cache's, which drops the block when
 * they change. */
static const IrBlock *finish(const Gather *g, const LoopBlock *b) {
    IrBlock *ir = ARENA_NEW(g->arena, IrBlock);
    *ir = *b->own;
    ir->n_faults = 0; /* they are made anew */
    ir_finish_in_region(ir, g->arena);
    if (UNLIKELY(g->cpu->probe != NULL)) {
        probe_ir(g->cpu, ir, EXEC_STAGE_OPT, false);
    }
    if ((b->cut || !cache_has_ops(b->block)) && has_literals(g, ir)) {
        exec_complete(g->cpu, g->cache, b->block);
        *ir = *with_literals(g, b, ir);
        ir->n_faults = 0;
        ir_finish_in_region(ir, g->arena);
    }
    return ir;
}

static void finish_blocks(Gather *g) {
    for (unsigned i = 0; i < g->loop.n; i++) {
        LoopBlock *b = &g->loop.blocks[i];
        if (b->loops) {
            b->own = b->ir = finish(g, b);
        }
    }
}

/* What is known of the block; NULL if it may not join. */
static const IrBlock *may_join(Gather *g, CacheBlock *block) {
    bool runs = block && block->code && !block->dead && !(g->keep_regions_apart && jit_region_of(g->cache->jit, block));
    return runs ? find_raw(g, block) : NULL;
}

/* Index of the block, which is added if it is new; -1 if it may not join or there is no room. */
static int add(Gather *g, CacheBlock *block) {
    Loop *l = &g->loop;
    for (unsigned i = 0; i < l->n; i++) {
        if (l->blocks[i].block == block) {
            return (int)i;
        }
    }
    const IrBlock *ir = may_join(g, block);
    if (!ir) {
        return -1;
    }
    if (l->n == EXEC_REGION_BLOCKS_MAX || l->n_insns + ir->n_insns > EXEC_REGION_INSNS_MAX) {
        l->cut = true;
        return -1;
    }
    l->n_insns += ir->n_insns;
    l->blocks[l->n] = (LoopBlock){.block = block, .own = ir, .ir = ir, .taken = -1, .next = -1};
    return (int)l->n++;
}

static int add_target(Gather *g, const IrBlock *from, uint32_t offset, uint32_t aux) {
    IrLoc loc = ir_loc_at(from->loc, offset, aux);
    bool known = loc.page != IR_PAGE_UNKNOWN || exec_look(g->cpu, loc.pc, &loc.page);
    return known ? add(g, cache_find(g->cache, loc, 0)) : -1;
}

static void add_landing(LoopBlock *b, int to) {
    for (unsigned i = 0; i < b->n_landings; i++) {
        if (b->landings[i] == to) {
            return;
        }
    }
    if (to >= 0 && b->n_landings < REGION_LANDINGS_MAX) {
        b->landings[b->n_landings++] = to;
    }
}

/* True if what has been there is what would be there now. */
static bool is_there(Cpu *cpu, IrLoc loc) {
    uint32_t page;
    return cpu->tlb_bank ? exec_look(cpu, loc.pc, &page) && page == loc.page : !loc.page;
}

static bool is_indirect(const IrBlock *ir) {
    return ir->ops[ir->n_ops - 1].op == IR_GOTO_IND;
}

/* Breadth first, so that what is near the first block comes in before the limits are reached. */
static void gather(Gather *g, CacheBlock *head) {
    Loop *l = &g->loop;
    CacheBlock *to;
    l->n = l->n_insns = 0;
    l->cut = false;
    add(g, head);
    for (unsigned i = 0; i < l->n; i++) {
        const CacheBlock *from = l->blocks[i].block;
        const IrBlock *ir = l->blocks[i].own;
        for (uint32_t k = 0; k < ir->n_ops; k++) {
            const IrOp *op = &ir->ops[k];
            if (op->op == IR_GOTO_IF) {
                l->blocks[i].taken = add_target(g, ir, op->b, op->c);
            } else if (op->op == IR_GOTO) {
                l->blocks[i].next = add_target(g, ir, op->a, op->c);
            }
        }
        for (size_t k = 0; is_indirect(ir) && (to = jit_landing(g->cache->jit, from, k)) != NULL; k++) {
            if (is_there(g->cpu, to->loc)) {
                add_landing(&l->blocks[i], add(g, to));
            }
        }
    }
}

/* The block of the loop that begins behind the first instruction of block i, and the instructions up to there; -1 if
 * there is none. */
static int find_overlap(const Loop *l, unsigned i, unsigned *n_insns) {
    const IrBlock *ir = l->blocks[i].own;
    *n_insns = 0;
    for (uint32_t k = 0; k < ir->n_ops; k++) {
        const IrOp *op = &ir->ops[k];
        if (op->op != IR_INSN) {
            continue;
        }
        for (unsigned j = 0; *n_insns > 0 && op->c == 0 && j < l->n; j++) {
            IrLoc loc = l->blocks[j].block->loc;
            bool begins = (uint32_t)loc.pc == (uint32_t)(ir->loc.pc + op->a) && loc.aux == 0;
            if (begins && loc.page == ir->loc.page) {
                return (int)j;
            }
        }
        ++*n_insns;
    }
    return -1;
}

/* Blocks do not end where others begin. In a loop what they have in common is there once; but a few instructions run
 * faster where nothing has to be as another way there has it. */
static void cut_overlaps(Gather *g) {
    enum { COMMON_MIN = 8 };
    unsigned n_insns;
    for (unsigned i = 0; i < g->loop.n; i++) {
        LoopBlock *b = &g->loop.blocks[i];
        int next = find_overlap(&g->loop, i, &n_insns);
        if (next < 0 || b->own->n_insns - n_insns < COMMON_MIN) {
            continue;
        }
        const IrBlock *part = make_raw(g, b->block, n_insns);
        const IrOp *last = &part->ops[part->n_ops - 1];
        bool leads_there = last->op == IR_GOTO && last[-1].op != IR_GOTO_IF && last->c == 0 &&
                           (uint32_t)(part->loc.pc + last->a) == (uint32_t)g->loop.blocks[next].block->loc.pc;
        if (part->n_insns == n_insns && leads_there) {
            b->own = b->ir = part;
            b->cut = true;
            b->taken = -1;
            b->next = next;
            b->n_landings = 0;
        }
    }
}

/* A target has been noticed at the first branch to it only, so the returns of a function share what they have noticed;
 * a switch, which leads to many places, has no part in that. */
static void share_landings(Loop *l) {
    enum { RETURNS_MAX = 4 };
    bool any = false;
    for (unsigned i = 0; i < l->n; i++) {
        any |= l->blocks[i].n_landings != 0;
    }
    if (!any) {
        return;
    }
    const Loop noticed = *l;
    for (unsigned i = 0; i < l->n; i++) {
        for (unsigned k = 0; is_indirect(l->blocks[i].own) && k < l->n; k++) {
            bool few = noticed.blocks[i].n_landings <= RETURNS_MAX && noticed.blocks[k].n_landings <= RETURNS_MAX;
            for (unsigned j = 0; few && j < noticed.blocks[k].n_landings; j++) {
                add_landing(&l->blocks[i], noticed.blocks[k].landings[j]);
            }
        }
    }
}

static bool leads_on(const Loop *l, int to) {
    return to == 0 || (to > 0 && l->blocks[to].loops);
}

static void find_looping(Loop *l) {
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned i = 0; i < l->n; i++) {
            LoopBlock *b = &l->blocks[i];
            bool loops = leads_on(l, b->taken) || leads_on(l, b->next);
            for (unsigned k = 0; k < b->n_landings; k++) {
                loops |= leads_on(l, b->landings[k]);
            }
            changed |= loops && !b->loops;
            b->loops |= loops;
        }
    }
}

/* The slot of the window pointer if the loop uses windows, and moves them by what is known, else IR_NONE. */
static uint32_t find_window(const Loop *loop) {
    uint32_t window = IR_NONE;
    int32_t move;
    for (unsigned i = 0; i < loop->n && window == IR_NONE; i++) {
        if (loop->blocks[i].loops && !ir_window_pointer(loop->blocks[i].ir, &window)) {
            return IR_NONE;
        }
    }
    for (unsigned i = 0; i < loop->n && window != IR_NONE; i++) {
        if (loop->blocks[i].loops && !ir_window_move(loop->blocks[i].ir, window, &move)) {
            return IR_NONE;
        }
    }
    return window;
}

/* What is known of each block before versions are made. */
static void describe_blocks(Loop *loop) {
    for (unsigned i = 0; i < loop->n; i++) {
        LoopBlock *b = &loop->blocks[i];
        b->move = 0;
        if (!b->loops) {
            continue;
        }
        b->needs = (uint8_t)ir_flags_needed(b->ir);
        if (loop->window != IR_NONE) {
            ir_window_move(b->ir, loop->window, &b->move);
        }
    }
}

static unsigned count_insns(const Loop *loop) {
    unsigned n = 0;
    for (unsigned i = 0; i < loop->n; i++) {
        n += loop->blocks[i].loops ? loop->blocks[i].own->n_insns : 0;
    }
    return n;
}

static unsigned form_region(Gather *g, CacheBlock *head) {
    Loop *loop = &g->loop;
    if (jit_region_of(g->cache->jit, head) || !may_join(g, head)) {
        return 0;
    }
    gather(g, head);
    if (loop->cut) {
        g->keep_regions_apart = true;
        gather(g, head);
    }
    cut_overlaps(g);
    share_landings(loop);
    exec_find_depths(loop);
    find_looping(loop);
    if (!loop->blocks[0].loops) {
        return 0;
    }
    finish_blocks(g);
    loop->window = find_window(loop);
    exec_join_blocks(g->cpu, g->cache, loop, g->arena);
    describe_blocks(loop);
    return exec_compile_loop(g->cpu, g->cache, loop, g->arena);
}

unsigned exec_form_region(Cpu *cpu, CodeCache *cache, CacheBlock *head) {
    ExecProbe *probe = cpu->probe;
    Gather g;
    g.cpu = cpu;
    g.cache = cache;
    g.arena = jit_scratch(cache->jit);
    g.keep_regions_apart = false;
    g.n_known = 0;
    if (LIKELY(!probe)) {
        return form_region(&g, head);
    }
    probe->forming = true;
    unsigned n_insns = form_region(&g, head);
    probe->forming = false;
    probe->stats.t1_guest_insns += n_insns ? count_insns(&g.loop) : 0;
    return n_insns;
}
