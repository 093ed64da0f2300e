/* Backward pass: marks for each PUT and flag op whether its result is needed on the normal way (hot) or only if the
 * block is left in its middle (cold), turns ops that nobody needs into NOPs, then squeezes the NOPs out.
 *
 * The CPU state must be precise wherever a block can be left: at its ends everything is needed; at a fault entry
 * everything is needed cold, so that an engine may keep it in registers and store it on the way out only. */
#include <string.h>

#include "ir/ir.h"

/* Slots are looked at in words of 4 bytes, the first ones as bits of masks, since registers come first in most state
 * structs; those behind, and those of windows, in a list. */
enum { WORDS_MAX = 64, WORD_SHIFT = 2, WINDOW_SLOTS_MAX = 48 };

/* A slot that a later PUT or PUTX overwrites: it is needed only as `hot` and `cold` say. */
typedef struct DeadSlot {
    uint32_t slot;
    IrVal root; /* the value that the slot is counted from; IR_NONE: it is one of the state */
    uint8_t bytes;
    bool hot, cold;
} DeadSlot;

typedef struct Liveness {
    IrBlock *block;
    bool *used; /* per op: a kept op uses its value */
    uint64_t hidden; /* words that a later PUT overwrites: they are needed only as the next two say */
    uint64_t hot, cold;
    DeadSlot window[WINDOW_SLOTS_MAX];
    uint32_t n_window;
    unsigned flags_hot, flags_cold; /* masks of N Z C V */
    unsigned skip_depth; /* inside parts that may be skipped nothing is surely overwritten */
} Liveness;

static void need_all_hot(Liveness *l) {
    l->hidden = 0;
    l->n_window = 0;
    l->flags_hot = l->flags_cold = 0xf;
}

static void need_all_cold(Liveness *l) {
    l->cold = UINT64_MAX;
    for (uint32_t i = 0; i < l->n_window; i++) {
        l->window[i].cold = true;
    }
    l->flags_cold = 0xf;
}

/* The words that a slot touches. */
static uint64_t words_of(const IrOp *op) {
    uint32_t first = op->a >> WORD_SHIFT, last = (op->a + (op->type == IR_I64 ? 7 : 3)) >> WORD_SHIFT;
    uint64_t from_first = first < WORDS_MAX ? UINT64_MAX << first : 0;
    return last < WORDS_MAX - 1 ? from_first & ~(UINT64_MAX << (last + 1)) : from_first;
}

/* True if the slot is whole words that masks can tell of. */
static bool is_tracked(const IrOp *op) {
    uint32_t bytes = op->type == IR_I64 ? 8 : 4;
    return op->a % (1u << WORD_SHIFT) == 0 && op->a + bytes <= WORDS_MAX << WORD_SHIFT;
}

static bool is_listed(const IrOp *op) {
    return op->a >= WORDS_MAX << WORD_SHIFT && op->a < IR_SHADOW_SLOT;
}

static void slot_read(Liveness *l, const IrOp *op) {
    l->hot |= words_of(op);
}

/* Returns the IR_LIVE_* mask of a PUT and notes that it hides earlier ones. */
static unsigned slot_written(Liveness *l, const IrOp *op) {
    uint64_t words = words_of(op);
    bool tracked = is_tracked(op), hidden = tracked && (words & ~l->hidden) == 0;
    unsigned live = (!hidden || l->hot & words ? IR_LIVE_HOT : 0u) | (!hidden || l->cold & words ? IR_LIVE_COLD : 0u);
    if (tracked && l->skip_depth == 0) {
        l->hidden |= words;
        l->hot &= ~words;
        l->cold &= ~words;
    }
    return live;
}

static uint8_t slot_bytes(const IrOp *op) {
    return op->type == IR_I64 ? 8 : 4;
}

/* Whether they may share bytes: with another root that is not known. GETX and PUTX never do so with GET and PUT. */
static bool overlaps(const DeadSlot *d, const IrOp *op) {
    if ((d->root == IR_NONE) != (op->b == IR_NONE)) {
        return false;
    }
    return d->root != op->b || (d->slot < op->a + slot_bytes(op) && op->a < d->slot + d->bytes);
}

static void window_read(Liveness *l, const IrOp *op) {
    for (uint32_t i = 0; i < l->n_window; i++) {
        l->window[i].hot |= overlaps(&l->window[i], op);
    }
}

static unsigned window_written(Liveness *l, const IrOp *op) {
    unsigned live = IR_LIVE_HOT | IR_LIVE_COLD;
    DeadSlot *exact = NULL;
    for (uint32_t i = 0; i < l->n_window; i++) {
        DeadSlot *d = &l->window[i];
        if (d->slot == op->a && d->root == op->b && d->bytes == slot_bytes(op)) {
            exact = d;
            live = (d->hot ? IR_LIVE_HOT : 0u) | (d->cold ? IR_LIVE_COLD : 0u);
        } else if (d->root == op->b && overlaps(d, op)) {
            d->hot = d->cold = true;
        }
    }
    if (l->skip_depth == 0 && !exact && l->n_window < WINDOW_SLOTS_MAX) {
        exact = &l->window[l->n_window++];
    }
    if (l->skip_depth == 0 && exact) {
        *exact = (DeadSlot){.slot = op->a, .root = op->b, .bytes = slot_bytes(op)};
    }
    return live;
}

static unsigned flags_written(Liveness *l, unsigned mask) {
    unsigned live = (l->flags_hot & mask) | (l->flags_cold & mask) << 4;
    if (l->skip_depth == 0) {
        l->flags_hot &= ~mask;
        l->flags_cold &= ~mask;
    }
    return live;
}

/* What one op means for liveness before it; false if it is not needed at all. */
static bool visit(Liveness *l, IrOp *op, uint32_t index) {
    unsigned mask;
    const IrOpInfo *info = &ir_op_info[op->op];
    if (info->traits & IR_TRAIT_PURE) {
        return l->used[index];
    }
    if (!l->used[index] && (op->op == IR_COND || op->op == IR_GET || op->op == IR_GETX)) {
        return false;
    }
    if (ir_sets_flags(op->op, &mask)) {
        op->n = (uint16_t)flags_written(l, mask);
        return op->n != 0;
    }
    switch (op->op) {
    case IR_PUT:
        if (is_listed(op)) {
            op->n = (uint16_t)window_written(l, &(IrOp){.a = op->a, .type = op->type, .b = IR_NONE});
            return op->n != 0;
        }
        op->n = (uint16_t)slot_written(l, op);
        return op->n != 0;
    case IR_PUTX:
        op->n = (uint16_t)window_written(l, op);
        return op->n != 0;
    case IR_GET:
        if (is_listed(op)) {
            window_read(l, &(IrOp){.a = op->a, .type = op->type, .b = IR_NONE});
        } else {
            slot_read(l, op);
        }
        break;
    case IR_GETX:
        window_read(l, op);
        break;
    case IR_COND:
        l->flags_hot |= ir_cond_reads(op->a);
        break;
    case IR_CALL: case IR_GOTO_IF:
        need_all_hot(l);
        break;
    case IR_LABEL:
        l->skip_depth++;
        break;
    case IR_SKIP:
        l->skip_depth--;
        break;
    default:
        if (info->traits & IR_TRAIT_END) {
            need_all_hot(l);
        } else if (info->traits & IR_TRAIT_FAULT) {
            need_all_cold(l);
        }
    }
    return true;
}

static void mark_uses(Liveness *l, const IrOp *op) {
    unsigned values = ir_op_info[op->op].values;
    if (values & 1 && op->a != IR_NONE) {
        l->used[op->a] = true;
    }
    if (values & 2 && op->b != IR_NONE) {
        l->used[op->b] = true;
    }
    if (values & 4 && op->c != IR_NONE) {
        l->used[op->c] = true;
    }
}

/* Drops NOPs and renumbers. What comes before is named, but by a SKIP: until its LABEL comes, the number of that tells
 * where the SKIP is. */
static void squeeze(IrBlock *block, Arena *arena) {
    uint32_t *new_of = ARENA_ARRAY_RAW(arena, uint32_t, block->n_ops);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < block->n_ops; i++) {
        const IrOp op = block->ops[i];
        if (op.op == IR_NOP) {
            continue;
        }
        if (op.op == IR_SKIP) {
            new_of[op.b] = kept;
        } else if (op.op == IR_LABEL) {
            block->ops[new_of[i]].b = kept;
        }
        new_of[i] = kept;
        block->ops[kept++] = ir_renumbered(op, new_of);
    }
    block->n_ops = kept;
    block->n_faults = 0; /* they named ops by their old index */
}

static void mark_liveness(IrBlock *block, bool *used) {
    Liveness l = {.block = block, .used = used};
    need_all_hot(&l);
    for (uint32_t i = block->n_ops; i-- > 0;) {
        IrOp *op = &block->ops[i];
        if (!visit(&l, op, i)) {
            *op = (IrOp){.op = IR_NOP};
        } else {
            mark_uses(&l, op);
        }
    }
}

void ir_pass_liveness(IrBlock *block, Arena *arena) {
    mark_liveness(block, ARENA_ARRAY(arena, bool, block->n_ops));
    squeeze(block, arena);
}
