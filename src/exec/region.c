/* Which blocks belong to a hot loop: those that its first block reaches by direct jumps, that have run already, and
 * from which the first block is reached again. */
#include "exec/exec.h"
#include "exec/jit.h"
#include "host/x64/x64.h"

typedef struct Loop {
    CodeCache *cache;
    CacheBlock *blocks[EXEC_REGION_BLOCKS_MAX];
    int taken[EXEC_REGION_BLOCKS_MAX], next[EXEC_REGION_BLOCKS_MAX]; /* indices, -1 = elsewhere */
    bool loops[EXEC_REGION_BLOCKS_MAX]; /* reaches the first block again */
    int order[EXEC_REGION_BLOCKS_MAX]; /* indices in reverse postorder, of those that loop */
    bool visited[EXEC_REGION_BLOCKS_MAX];
    unsigned n, n_insns, n_ordered;
} Loop;

/* The block at a direct target, if it has run and may be in a region. */
static CacheBlock *target_block(const Loop *l, const IrBlock *from, uint32_t offset, uint32_t aux) {
    IrLoc loc = {(uint32_t)(from->loc.pc + offset), aux};
    CacheBlock *block = cache_find(l->cache, loc, 0);
    return block && block->code && !block->dead && x64_region_allows(&block->ir) ? block : NULL;
}

/* Index of the block, which is added if it is new; -1 if there is no room. */
static int add(Loop *l, CacheBlock *block) {
    if (!block) {
        return -1;
    }
    for (unsigned i = 0; i < l->n; i++) {
        if (l->blocks[i] == block) {
            return (int)i;
        }
    }
    if (l->n == EXEC_REGION_BLOCKS_MAX || l->n_insns + block->ir.n_insns > EXEC_REGION_INSNS_MAX) {
        return -1;
    }
    l->n_insns += block->ir.n_insns;
    l->blocks[l->n] = block;
    return (int)l->n++;
}

/* Breadth first, so that what is near the first block comes in before the limits are reached. */
static void gather(Loop *l) {
    for (unsigned i = 0; i < l->n; i++) {
        const IrBlock *ir = &l->blocks[i]->ir;
        l->taken[i] = l->next[i] = -1;
        for (uint32_t k = 0; k < ir->n_ops; k++) {
            const IrOp *op = &ir->ops[k];
            if (op->op == IR_GOTO_IF) {
                l->taken[i] = add(l, target_block(l, ir, op->b, op->c));
            } else if (op->op == IR_GOTO) {
                l->next[i] = add(l, target_block(l, ir, op->a, op->c));
            }
        }
    }
}

static bool leads_on(const Loop *l, int to) {
    return to == 0 || (to > 0 && l->loops[to]);
}

static void find_looping(Loop *l) {
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned i = 0; i < l->n; i++) {
            if (!l->loops[i] && (leads_on(l, l->taken[i]) || leads_on(l, l->next[i]))) {
                l->loops[i] = changed = true;
            }
        }
    }
}

/* Depth is bounded by the number of blocks. */
static void visit(Loop *l, int i) {
    if (i < 0 || l->visited[i] || !l->loops[i]) {
        return;
    }
    l->visited[i] = true;
    visit(l, l->taken[i]);
    visit(l, l->next[i]);
    l->order[EXEC_REGION_BLOCKS_MAX - ++l->n_ordered] = i;
}

/* What is prepaid at a block: the longest way on from it that does not go back. */
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

bool exec_form_region(CodeCache *cache, CacheBlock *head) {
    Loop l = {.cache = cache};
    if (!head->code || head->region || !x64_region_allows(&head->ir)) {
        return false;
    }
    add(&l, head);
    gather(&l);
    find_looping(&l);
    visit(&l, 0);
    if (!l.n_ordered) {
        return false;
    }
    int place[EXEC_REGION_BLOCKS_MAX];
    X64RegionBlock blocks[EXEC_REGION_BLOCKS_MAX];
    CacheBlock *members[EXEC_REGION_BLOCKS_MAX];
    const int *order = &l.order[EXEC_REGION_BLOCKS_MAX - l.n_ordered];
    for (unsigned i = 0; i < l.n; i++) {
        place[i] = -1;
    }
    for (unsigned i = 0; i < l.n_ordered; i++) {
        place[order[i]] = (int)i;
    }
    for (unsigned i = 0; i < l.n_ordered; i++) {
        int from = order[i];
        members[i] = l.blocks[from];
        blocks[i] = (X64RegionBlock){.ir = &members[i]->ir, .block = members[i]->index,
                                     .taken = l.taken[from] < 0 ? -1 : place[l.taken[from]],
                                     .next = l.next[from] < 0 ? -1 : place[l.next[from]]};
    }
    find_costs(blocks, l.n_ordered);
    X64Region region = {blocks, l.n_ordered};
    return jit_compile_region(cache->jit, members, &region);
}
