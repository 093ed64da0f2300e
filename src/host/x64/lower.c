/* From a finished IR block to code: one pass over the ops, then the slow paths. */
#include "host/x64/lower.h"

#include <string.h>

/* Nothing here can be seen by the guest: a block that cannot be lowered is interpreted. */
static void lower_skip(Lower *l, const IrOp *op) {
    if (l->n_skips == X64_SKIPS_MAX) {
        l->a->full = true;
        return;
    }
    lower_spill_all(l);
    uint32_t jump = asm_jcc(l->a, lower_condition(l, op->a) ^ 1);
    l->skip_label[l->n_skips] = op->b;
    l->skip_site[l->n_skips++] = jump;
}

/* Both ways meet with all values in their spill slots. */
static void lower_label(Lower *l) {
    if (l->n_skips > 0 && l->skip_label[l->n_skips - 1] == l->at) {
        lower_spill_all(l);
        asm_link(l->a, l->skip_site[--l->n_skips], asm_offset(l->a));
    }
    lower_forget(l);
    memset(l->aligned, 0, l->ir->n_ops); /* the tests may have been skipped */
}

Mem lower_slot(uint32_t slot) {
    if (slot >= IR_SHADOW_SLOT) {
        return lower_cpu(offsetof(Cpu, jit_shadow) + slot - IR_SHADOW_SLOT);
    }
    return slot >= IR_WINDOW_SLOT ? asm_indexed(RBP, X64_WINDOW_POINTER, 2, (int32_t)slot - IR_WINDOW_ZERO)
                                  : asm_at(RBP, (int32_t)slot);
}

static void lower_put(Lower *l, const IrOp *op) {
    int32_t imm;
    int pinned = lower_pinned(l, op->a, op->type);
    if (pinned >= 0) {
        lower_put_pinned(l, (unsigned)pinned, op->b);
        return;
    }
    unsigned bits = op->type == IR_I64 ? 64 : 32;
    Mem slot = lower_slot(op->a);
    if (lower_imm(l, op->b, bits == 64, &imm)) {
        asm_store_imm(l->a, bits, slot, imm);
    } else {
        asm_store(l->a, bits, slot, lower_use(l, op->b));
    }
}

void lower_get(Lower *l, const IrOp *op) {
    int pinned = lower_pinned(l, op->a, op->type);
    if (pinned >= 0) {
        lower_get_pinned(l, (unsigned)pinned);
        return;
    }
    unsigned bits = op->type == IR_I64 ? 64 : 32;
    asm_load(l->a, bits, false, bits == 64, lower_define(l, l->at), lower_slot(op->a));
}

/* State slot a + 4 * value b. */
static void lower_indexed(Lower *l, const IrOp *op) {
    unsigned bits = op->type == IR_I64 ? 64 : 32;
    int32_t imm;
    Mem slot = asm_indexed(RBP, lower_use(l, op->b), 2, (int32_t)op->a);
    if (op->op == IR_GETX) {
        asm_load(l->a, bits, false, bits == 64, lower_define(l, l->at), slot);
    } else if (lower_imm(l, op->c, bits == 64, &imm)) {
        asm_store_imm(l->a, bits, slot, imm);
    } else {
        asm_store(l->a, bits, slot, lower_use(l, op->c));
    }
}

void lower_op(Lower *l, uint32_t index) {
    const IrOp *op = &l->ir->ops[index];
    unsigned mask;
    l->at = index;
    l->pinned = 0;
    lower_note(l, l->slow_mode ? X64_NOTE_SLOW : X64_NOTE_OP, index);
    switch (op->op) {
    case IR_INSN: case IR_NOP: case IR_CONST: /* which is made where it is used */
        break;
    case IR_GET:
        if (!l->cold[index]) {
            lower_get(l, op);
        }
        break;
    case IR_PUT: lower_put(l, op); break;
    case IR_COND: lower_cond(l, op); break;
    case IR_SKIP: lower_skip(l, op); break;
    case IR_LABEL: lower_label(l); break;
    case IR_LOAD: case IR_STORE: case IR_CALL: lower_access(l, op); break;
    case IR_POLL: lower_poll(l, op); break;
    case IR_TRAP_IF: lower_trap_if(l, op); break;
    case IR_TRAP: lower_trap(l, op); break;
    case IR_REFUND: lower_refund_if(l, op); break;
    case IR_GOTO: case IR_GOTO_IF: case IR_GOTO_IND: case IR_GOTO_AT: lower_goto(l, op); break;
    case IR_GETX: case IR_PUTX: lower_indexed(l, op); break;
    default:
        if (ir_sets_flags(op->op, &mask)) {
            lower_flags(l, op);
        } else if (!l->cold[index]) {
            lower_pure(l, op);
        }
    }
    l->at = index;
    l->pinned = 0;
}

void lower_cold(Lower *l) {
    l->a = &l->code->cold;
    lower_note(l, X64_NOTE_SLOW, l->at);
}

void lower_hot(Lower *l) {
    l->a = &l->code->hot;
}

Mark lower_mark(const X64Code *code, const X64Output *out) {
    return (Mark){code->hot.at, code->cold.at, out->sites.len, out->accesses.len, out->points.len, out->heat.len};
}

bool lower_fitted(X64Code *code, X64Output *out, const Mark *mark) {
    if (!code->hot.full && !code->cold.full) {
        return true;
    }
    code->hot.full = code->cold.full = false;
    code->hot.at = mark->hot;
    code->cold.at = mark->cold;
    out->sites.len = mark->n_sites;
    __atomic_store_n(&out->accesses.len, mark->n_accesses, __ATOMIC_RELEASE);
    __atomic_store_n(&out->points.len, mark->n_points, __ATOMIC_RELEASE);
    out->heat.len = mark->n_heat;
    return false;
}

static void lower_block(Lower *l) {
    lower_note(l, X64_NOTE_ENTRY, IR_NONE);
    asm_nop(l->a, X64_ENTRY_BYTES);
    lower_budget(l->a, ALU_SUB, l->ir->n_insns);
    uint32_t over = X64_COUNTS && l->ir->n_insns ? asm_jcc(l->a, CC_B) : 0;
    if (l->ir->is_trap) {
        lower_trap_block(l);
    }
    for (uint32_t i = 0; i < l->ir->n_ops; i++) {
        lower_op(l, i);
    }
    lower_slow_paths(l);
    if (!over) {
        return;
    }
    lower_cold(l);
    lower_note(l, X64_NOTE_BUDGET, IR_NONE);
    asm_link(l->a, over, asm_offset(l->a));
    lower_exit(l, lower_site(l, (X64Site){.kind = X64_SITE_BUDGET, .unused = l->ir->n_insns}));
}

bool x64_lower(X64Code *code, const IrBlock *ir, uint32_t block, const X64Thunks *thunks, X64Output *out,
               Arena *scratch) {
    Lower l = {.code = code, .a = &code->hot, .ir = ir, .thunks = thunks, .out = out, .block = block,
               .cost = ir->n_insns, .arena = scratch, .late_check = IR_NONE, .ready = IR_NONE};
    Mark mark = lower_mark(code, out);
    for (unsigned reg = 0; reg < REG_COUNT; reg++) {
        l.held[reg] = IR_NONE;
    }
    for (unsigned k = 0; k < X64_PINNED_MAX; k++) {
        l.alias[k] = IR_NONE;
    }
    lower_note_windows(&l);
    lower_prepare(&l);
    lower_block(&l);
    vec_free(&l.slow);
    return lower_fitted(code, out, &mark);
}
