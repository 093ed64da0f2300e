/* Static fault entries: for every op that can leave the block in its middle, what is known there at translation. */
#include <stdio.h>
#include <stdlib.h>

#include "ir/ir.h"

typedef struct Place {
    uint32_t insns; /* begun so far */
    int32_t pc_offset;
    uint32_t aux;
    uint32_t flags[4];
} Place;

static inline void note_flags(Place *place, unsigned mask, uint32_t index) {
    for (unsigned i = 0; i < 4; i++) {
        place->flags[i] = mask & 1u << i ? index : place->flags[i];
    }
}

static void forget_flags(Place *place) {
    for (unsigned i = 0; i < 4; i++) {
        place->flags[i] = IR_NONE;
    }
}

static void add_entry(IrBlock *block, const Place *place, uint32_t index) {
    IrOp *op = &block->ops[index];
    IrFault *fault = &block->faults[block->n_faults];
    *fault = (IrFault){.op = index, .insn = place->insns, .pc_offset = place->pc_offset, .aux = place->aux};
    if (op->op == IR_POLL) {
        fault->pc_offset = (int32_t)op->a;
        fault->aux = op->b;
    }
    for (unsigned i = 0; i < 4; i++) {
        fault->flags[i] = place->flags[i];
    }
    op->c = block->n_faults++;
}

void ir_pass_faults(IrBlock *block, Arena *arena) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < block->n_ops; i++) {
        n += ir_op_info[block->ops[i].op].operand[2] == IR_OPERAND_FAULT;
    }
    block->faults = ARENA_ARRAY_RAW(arena, IrFault, n ? n : 1);
    block->n_faults = 0;
    Place place = {.aux = block->loc.aux};
    forget_flags(&place);
    for (uint32_t i = 0; i < block->n_ops; i++) {
        const IrOp *op = &block->ops[i];
        unsigned flags = ir_flags_set[op->op];
        if (op->op == IR_INSN) {
            place.insns++;
            place.pc_offset = (int32_t)op->a;
            place.aux = op->c;
        } else if (flags) {
            note_flags(&place, flags, i);
        } else if (ir_op_info[op->op].operand[2] == IR_OPERAND_FAULT) {
            add_entry(block, &place, i);
        }
        if (op->op == IR_CALL || op->op == IR_LABEL) {
            forget_flags(&place); /* a helper may have set them; a skipped part may not have run */
        }
    }
}

/* With ORRERY_VERIFY_IR (debug and sanitizer builds) a pass that breaks a rule of ops.def ends the process here. */
static void check(const IrBlock *block) {
#ifdef ORRERY_VERIFY_IR
    Err err;
    if (!ir_verify(block, &err)) {
        fputs(err.text, stderr);
        abort();
    }
#else
    (void)block;
#endif
}

static void run_passes(IrBlock *block, Arena *arena, bool in_region) {
    check(block);
    (in_region ? ir_pass_fold_in_region : ir_pass_fold)(block, arena);
    check(block);
    ir_pass_liveness(block, arena);
    check(block);
    ir_pass_faults(block, arena);
    check(block);
}

void ir_finish(IrBlock *block, Arena *arena) {
    run_passes(block, arena, false);
}

void ir_finish_in_region(IrBlock *block, Arena *arena) {
    run_passes(block, arena, true);
}
