/* Register allocation, and the facts about a block that the other files ask for. See lower.h. */
#include "host/x64/lower.h"

#include <string.h>

static const Reg pool[] = {RAX, RDX, RSI, RDI, R8, R9, R10, R11, R12, R13};

/* ---- Facts ---- */

static bool is_comparison(IrOpcode op) {
    return op >= IR_EQ && op <= IR_LES;
}

static bool branches_on_a(IrOpcode op) {
    return op == IR_GOTO_IF || op == IR_SKIP || op == IR_TRAP_IF || op == IR_SELECT;
}

static void note_use(Lower *l, uint8_t *uses, IrVal value, uint32_t at) {
    if (value != IR_NONE) {
        l->last_use[value] = at > l->last_use[value] ? at : l->last_use[value];
        uses[value] += uses[value] < 255;
    }
}

static void note_operands(Lower *l, uint8_t *uses, uint32_t i) {
    const IrOp *op = &l->ir->ops[i];
    const uint32_t operand[3] = {op->a, op->b, op->c};
    for (unsigned k = 0; k < 3; k++) {
        if (ir_op_info[op->op].operand[k] == IR_OPERAND_VALUE) {
            note_use(l, uses, operand[k], i);
        }
    }
}

/* A comparison with one user that branches on it is done there: its operands live on until then. A part that may be
 * skipped must not lie between, since registers change at its end. */
static void fuse(Lower *l, const uint8_t *uses, uint32_t i) {
    const IrOp *op = &l->ir->ops[i];
    if (!branches_on_a(op->op) || !is_comparison(l->ir->ops[op->a].op) || uses[op->a] != 1) {
        return;
    }
    for (uint32_t k = op->a; k < i; k++) {
        if (l->ir->ops[k].op == IR_LABEL) {
            return;
        }
    }
    const IrOp *compare = &l->ir->ops[op->a];
    l->fused[op->a] = true;
    l->last_use[compare->a] = i > l->last_use[compare->a] ? i : l->last_use[compare->a];
    l->last_use[compare->b] = i > l->last_use[compare->b] ? i : l->last_use[compare->b];
}

/* base + small constant with one user, an access: the access computes it. */
static void fuse_address(Lower *l, const uint8_t *uses, uint32_t i) {
    const IrOp *op = &l->ir->ops[i], *sum = &l->ir->ops[op->a];
    uint64_t constant, base;
    if ((op->op != IR_LOAD && op->op != IR_STORE) || sum->op != IR_ADD || sum->type != IR_I32 || uses[op->a] != 1 ||
        (op->op == IR_STORE && op->b == op->a) || !lower_is_const(l, sum->b, &constant) ||
        lower_is_const(l, sum->a, &base)) {
        return;
    }
    int32_t displacement = (int32_t)(uint32_t)constant;
    if (displacement < -X64_DISPLACEMENT_MAX || displacement > X64_DISPLACEMENT_MAX) {
        return;
    }
    l->fused[op->a] = true;
    l->last_use[sum->a] = i > l->last_use[sum->a] ? i : l->last_use[sum->a];
}

IrVal lower_address_base(const Lower *l, IrVal address, int32_t *displacement) {
    if (!l->fused[address]) {
        *displacement = 0;
        return address;
    }
    const IrOp *sum = &l->ir->ops[address];
    *displacement = (int32_t)l->ir->ops[sum->b].a;
    return sum->a;
}

/* Recipes that a fault entry refers to must still be computable there. */
static void keep_recipes(Lower *l, const IrFault *fault) {
    for (unsigned i = 0; i < 4; i++) {
        uint32_t recipe = fault->flags[i];
        if (recipe == IR_NONE || l->eager[recipe] & 1u << i) {
            continue;
        }
        const IrOp *op = &l->ir->ops[recipe];
        const uint32_t operand[3] = {op->a, op->b, op->c};
        for (unsigned k = 0; k < 3; k++) {
            if (ir_op_info[op->op].operand[k] == IR_OPERAND_VALUE && l->last_use[operand[k]] < fault->op) {
                l->last_use[operand[k]] = fault->op;
            }
        }
    }
}

/* Flags are stored at once where they are read on the normal way, and where a part that may be skipped begins or ends:
 * a fault entry behind it can name no recipe. */
static void find_eager(Lower *l) {
    uint32_t current[4] = {IR_NONE, IR_NONE, IR_NONE, IR_NONE};
    for (uint32_t i = 0; i < l->ir->n_ops; i++) {
        const IrOp *op = &l->ir->ops[i];
        unsigned mask;
        if (ir_sets_flags(op->op, &mask)) {
            l->eager[i] = op->n & mask;
        }
        for (unsigned k = 0; k < 4; k++) {
            if ((op->op == IR_SKIP || op->op == IR_LABEL || op->op == IR_CALL) && current[k] != IR_NONE) {
                l->eager[current[k]] |= (uint8_t)(1u << k);
            }
            if (mask & 1u << k) {
                current[k] = i;
            }
        }
    }
}

void lower_prepare(Lower *l) {
    uint32_t n = l->ir->n_ops;
    uint8_t *uses = ARENA_ARRAY(l->arena, uint8_t, n);
    l->last_use = ARENA_ARRAY(l->arena, uint32_t, n);
    l->fused = ARENA_ARRAY(l->arena, bool, n);
    l->eager = ARENA_ARRAY(l->arena, uint8_t, n);
    l->reg = ARENA_ARRAY(l->arena, uint8_t, n);
    l->spill = ARENA_ARRAY(l->arena, uint16_t, n);
    l->spilled_at = ARENA_ARRAY(l->arena, uint32_t, n);
    l->spilled_by = ARENA_ARRAY(l->arena, uint32_t, n);
    memset(l->reg, NO_REG, n);
    memset(l->spilled_at, 0xff, n * sizeof *l->spilled_at);
    for (uint32_t i = 0; i < n; i++) {
        note_operands(l, uses, i);
    }
    for (uint32_t i = 0; i < n; i++) {
        fuse(l, uses, i);
        fuse_address(l, uses, i);
    }
    find_eager(l);
    for (uint32_t i = 0; i < l->ir->n_faults; i++) {
        keep_recipes(l, &l->ir->faults[i]);
    }
    lower_forget(l);
    l->sum = IR_NONE;
}

/* ---- Registers ---- */

bool lower_is_const(const Lower *l, IrVal value, uint64_t *out) {
    const IrOp *op = &l->ir->ops[value];
    *out = op->op == IR_CONST ? ir_const_value(op) : 0;
    return op->op == IR_CONST;
}

bool lower_imm(const Lower *l, IrVal value, bool w, int32_t *out) {
    uint64_t constant;
    if (!lower_is_const(l, value, &constant)) {
        return false;
    }
    *out = (int32_t)(uint32_t)constant;
    return !w || (int64_t)constant == *out;
}

static Mem spill_slot(const Lower *l, IrVal value) {
    return (Mem){RSP, NO_REG, 8 * (l->spill[value] - 1)};
}

/* On the way that is being written: what the main path spills behind a slow path's beginning is not spilled there. At
 * the op itself all spilling comes before the jump to the slow path. */
static bool is_spilled(const Lower *l, IrVal value) {
    if (!l->slow_path) {
        return l->spilled_at[value] != UINT32_MAX;
    }
    bool before = l->spilled_at[value] != UINT32_MAX && l->spilled_at[value] <= l->slow_from;
    return before || l->spilled_by[value] == l->slow_path;
}

static void store_spill(Lower *l, IrVal value) {
    uint64_t constant;
    if (is_spilled(l, value) || lower_is_const(l, value, &constant)) {
        return;
    }
    if (!l->spill[value]) {
        if (l->n_spills == X64_SPILLS_MAX) {
            l->a->full = true; /* the block is left to the interpreter */
            return;
        }
        l->spill[value] = (uint16_t)++l->n_spills;
    }
    if (l->slow_path) {
        l->spilled_by[value] = l->slow_path;
    } else {
        l->spilled_at[value] = l->at;
    }
    asm_store(l->a, 64, spill_slot(l, value), l->reg[value]);
}

static void drop(Lower *l, Reg reg) {
    if (l->held[reg] != IR_NONE) {
        l->reg[l->held[reg]] = NO_REG;
        l->held[reg] = IR_NONE;
    }
}

static void hold(Lower *l, Reg reg, IrVal value) {
    drop(l, reg);
    l->held[reg] = value;
    l->reg[value] = (uint8_t)reg;
    l->pinned |= 1u << reg;
}

/* A register that the current op does not need: a free one, or that of the value whose last use is furthest. */
static Reg take(Lower *l) {
    Reg best = NO_REG;
    for (size_t i = 0; i < ARRAY_LEN(pool); i++) {
        Reg reg = pool[i];
        if (l->pinned & 1u << reg) {
            continue;
        }
        if (l->held[reg] == IR_NONE) {
            return reg;
        }
        if (best == NO_REG || l->last_use[l->held[reg]] > l->last_use[l->held[best]]) {
            best = reg;
        }
    }
    assert(best != NO_REG);
    store_spill(l, l->held[best]);
    drop(l, best);
    return best;
}

Reg lower_use(Lower *l, IrVal value) {
    uint64_t constant;
    Reg reg = l->reg[value];
    if (reg != NO_REG) {
        l->pinned |= 1u << reg;
        return reg;
    }
    reg = take(l);
    if (lower_is_const(l, value, &constant)) {
        asm_mov_imm(l->a, reg, constant);
    } else {
        assert(is_spilled(l, value) || l->a->full);
        asm_load(l->a, 64, false, true, reg, spill_slot(l, value));
    }
    hold(l, reg, value);
    return reg;
}

Reg lower_define(Lower *l, IrVal value) {
    Reg reg = take(l);
    hold(l, reg, value);
    return reg;
}

Reg lower_define_copy(Lower *l, IrVal value, IrVal source) {
    uint64_t constant;
    if (lower_is_const(l, source, &constant)) {
        Reg reg = lower_define(l, value);
        asm_mov_imm(l->a, reg, constant);
        return reg;
    }
    Reg from = lower_use(l, source);
    if (l->last_use[source] == l->at) {
        hold(l, from, value);
        return from;
    }
    Reg reg = lower_define(l, value);
    asm_mov(l->a, true, reg, from);
    return reg;
}

Reg lower_borrow(Lower *l) {
    Reg reg = take(l);
    l->pinned |= 1u << reg;
    return reg;
}

void lower_release(Lower *l) {
    for (size_t i = 0; i < ARRAY_LEN(pool); i++) {
        IrVal value = l->held[pool[i]];
        if (value != IR_NONE && l->last_use[value] <= l->at) {
            drop(l, pool[i]);
        }
    }
    l->pinned = 0;
}

void lower_spill_all(Lower *l) {
    for (size_t i = 0; i < ARRAY_LEN(pool); i++) {
        IrVal value = l->held[pool[i]];
        if (value != IR_NONE && l->last_use[value] > l->at) {
            store_spill(l, value);
        }
    }
}

void lower_forget(Lower *l) {
    for (unsigned reg = 0; reg < REG_COUNT; reg++) {
        if (l->held[reg] != IR_NONE && l->held[reg] < l->ir->n_ops) {
            l->reg[l->held[reg]] = NO_REG;
        }
        l->held[reg] = IR_NONE;
    }
    l->pinned = 0;
}

void lower_restore(Lower *l, const IrVal held[REG_COUNT]) {
    lower_forget(l);
    for (unsigned reg = 0; reg < REG_COUNT; reg++) {
        if (held[reg] != IR_NONE) {
            l->held[reg] = held[reg];
            l->reg[held[reg]] = (uint8_t)reg;
        }
    }
}
