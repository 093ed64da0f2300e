/* How deep the blocks of a region are in its loops: natural loops (Aho, Sethi, Ullman: Compilers, section 10.4), found
 * in the graph of the guest's blocks, where nothing is there twice yet. A call leads into the function and its returns
 * lead back, so a function is in the loops around its calls. */
#include "exec/region.h"

_Static_assert(EXEC_REGION_BLOCKS_MAX <= 64, "sets of blocks are words");

typedef struct Nest {
    uint64_t to[EXEC_REGION_BLOCKS_MAX], from[EXEC_REGION_BLOCKS_MAX]; /* edges, as sets of blocks */
    uint64_t back[EXEC_REGION_BLOCKS_MAX]; /* blocks that jump back to a block */
    uint64_t seen, open; /* by the search; open: those that it has not left yet */
} Nest;

static uint64_t set_of(int block) {
    return block < 0 ? 0 : UINT64_C(1) << block;
}

static void add_edges(Nest *nest, const Loop *loop, unsigned i) {
    const LoopBlock *b = &loop->blocks[i];
    nest->to[i] = set_of(b->taken) | set_of(b->next);
    for (unsigned k = 0; k < b->n_landings; k++) {
        nest->to[i] |= set_of(b->landings[k]);
    }
    for (uint64_t to = nest->to[i]; to; to &= to - 1) {
        nest->from[__builtin_ctzll(to)] |= set_of((int)i);
    }
}

/* Depth first; what leads to a block that is still open leads back. */
static void search(Nest *nest, unsigned i) {
    uint64_t self = set_of((int)i);
    nest->seen |= self;
    nest->open |= self;
    for (uint64_t to = nest->to[i]; to; to &= to - 1) {
        unsigned next = (unsigned)__builtin_ctzll(to);
        if (nest->open & set_of((int)next)) {
            nest->back[next] |= self;
        } else if (!(nest->seen & set_of((int)next))) {
            search(nest, next);
        }
    }
    nest->open &= ~self;
}

/* The head, the blocks that jump back to it, and what leads to those without passing the head. */
static uint64_t body_of(const Nest *nest, unsigned head) {
    uint64_t body = nest->back[head] | set_of((int)head), unseen = nest->back[head] & ~set_of((int)head);
    while (unseen) {
        uint64_t more = nest->from[__builtin_ctzll(unseen)] & ~body;
        unseen = (unseen & (unseen - 1)) | more;
        body |= more;
    }
    return body;
}

void exec_find_depths(Loop *loop) {
    Nest nest = {0};
    for (unsigned i = 0; i < loop->n; i++) {
        add_edges(&nest, loop, i);
    }
    search(&nest, 0);
    for (unsigned head = 1; head < loop->n; head++) {
        for (uint64_t body = nest.back[head] ? body_of(&nest, head) : 0; body; body &= body - 1) {
            loop->blocks[__builtin_ctzll(body)].depth++;
        }
    }
}
