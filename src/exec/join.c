/* Forks in a loop whose ways join again after a few instructions without effects but on registers: such a block, what
 * lies on the ways, and the jump to where they join become one block, with choices in place of the branch (ir/join.c).
 * That the host cannot predict badly, and the blocks behind know more.
 *
 * A way is a block, or the beginning of one: blocks do not end where others begin. */
#include "exec/region.h"

static IrLoc leads_to(const IrBlock *ir, uint32_t offset, uint32_t aux) {
    return ir_loc_at(ir->loc, offset, aux);
}

static bool same_place(IrLoc x, IrLoc y) {
    return (uint32_t)x.pc == (uint32_t)y.pc && x.aux == y.aux;
}

static int find_block(const Loop *l, IrLoc loc) {
    for (unsigned i = 0; i < l->n; i++) {
        if (l->blocks[i].loops && same_place(l->blocks[i].block->loc, loc)) {
            return (int)i;
        }
    }
    return -1;
}

/* Where a block goes on that has one way only. */
static bool has_one_way(const IrBlock *ir, IrLoc *to) {
    const IrOp *last = &ir->ops[ir->n_ops - 1];
    *to = leads_to(ir, last->a, last->c);
    for (uint32_t i = 0; i < ir->n_ops; i++) {
        if (ir->ops[i].op == IR_GOTO_IF) {
            return false;
        }
    }
    return last->op == IR_GOTO;
}

/* Instructions of a block before the one at `pc`; 0 if it holds none there. */
static unsigned insns_before(const IrBlock *ir, uint64_t pc) {
    unsigned n = 0;
    for (uint32_t i = 0; i < ir->n_ops; i++) {
        if (ir->ops[i].op == IR_INSN) {
            if ((uint32_t)(ir->loc.pc + ir->ops[i].a) == (uint32_t)pc) {
                return ir->ops[i].c == 0 ? n : 0;
            }
            n++;
        }
    }
    return 0;
}

/* The way along block `from` to the join: all of it, or its beginning, made anew. False if there is none. */
static bool find_way(Cpu *cpu, CodeCache *cache, const LoopBlock *from, IrLoc join, Arena *arena, IrBlock *way) {
    const IrBlock *ir = from->own;
    IrLoc to;
    *way = *ir;
    if (has_one_way(ir, &to) && same_place(to, join)) {
        return true;
    }
    unsigned n = join.aux ? 0 : insns_before(ir, join.pc);
    if (n == 0 || n > IR_REFUND_MAX) {
        return false;
    }
    *way = exec_translate(cpu, ir->loc, n, &cache->scratch, arena);
    return way->n_insns == n && has_one_way(way, &to) && same_place(to, join);
}

/* An access in the last instruction: if the CPU has to leave behind it, it must not go on to the join. */
static bool ends_with_access(const IrBlock *ir) {
    for (uint32_t i = ir->n_ops; i-- > 0 && ir->ops[i].op != IR_INSN;) {
        uint8_t op = ir->ops[i].op;
        if (op == IR_LOAD || op == IR_STORE || op == IR_CALL) {
            return true;
        }
    }
    return false;
}

typedef struct Ways {
    IrBlock taken, next;
    bool has_taken, has_next;
    IrLoc join;
} Ways;

/* The ways from a fork to `join`; each is empty if the fork leads right there. */
static bool find_ways(Cpu *cpu, CodeCache *cache, const Loop *l, const LoopBlock *fork, Ways *w, Arena *arena) {
    const LoopBlock *taken = &l->blocks[fork->taken], *next = &l->blocks[fork->next];
    bool windowed = l->window != IR_NONE;
    w->has_taken = !same_place(taken->block->loc, w->join);
    w->has_next = !same_place(next->block->loc, w->join);
    if (w->has_taken == w->has_next && !w->has_taken) {
        return false;
    }
    return (!w->has_taken || (find_way(cpu, cache, taken, w->join, arena, &w->taken) &&
                              ir_may_join(&w->taken, windowed))) &&
           (!w->has_next || (find_way(cpu, cache, next, w->join, arena, &w->next) &&
                             ir_may_join(&w->next, windowed)));
}

/* Where the ways of a fork may join: where it is taken to, where it goes on, or where one of these goes on. */
static bool find_join(Cpu *cpu, CodeCache *cache, const Loop *l, const LoopBlock *fork, Ways *w, Arena *arena) {
    const IrBlock *taken = l->blocks[fork->taken].own, *next = l->blocks[fork->next].own;
    IrLoc candidates[4] = {taken->loc, next->loc};
    unsigned n = 2;
    n += has_one_way(taken, &candidates[n]);
    n += has_one_way(next, &candidates[n]);
    for (unsigned i = 0; i < n; i++) {
        w->join = candidates[i];
        if (!w->join.aux && find_block(l, w->join) >= 0 && find_ways(cpu, cache, l, fork, w, arena)) {
            return true;
        }
    }
    return false;
}

void exec_join_blocks(Cpu *cpu, CodeCache *cache, Loop *loop, Arena *arena) {
    for (unsigned i = 0; i < loop->n; i++) {
        LoopBlock *b = &loop->blocks[i];
        Ways w;
        bool forks = b->loops && b->taken >= 0 && b->next >= 0 && loop->blocks[b->taken].loops &&
                     loop->blocks[b->next].loops && b->taken != (int)i && b->next != (int)i;
        if (!forks || ends_with_access(b->ir) || !find_join(cpu, cache, loop, b, &w, arena)) {
            continue;
        }
        IrBlock *made = ARENA_NEW(arena, IrBlock);
        *made = ir_join(b->ir, w.has_taken ? &w.taken : NULL, w.has_next ? &w.next : NULL, w.join.pc, arena);
        b->ir = made;
        b->taken = -1;
        b->next = find_block(loop, w.join);
    }
}
