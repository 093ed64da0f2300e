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

/* x + (y << 1..3) with one user of the shift: one LEA. */
static void fuse_shift(Lower *l, const uint8_t *uses, uint32_t i) {
    const IrOp *op = &l->ir->ops[i], *shift = &l->ir->ops[op->b];
    uint64_t n, constant;
    if (op->op != IR_ADD || shift->op != IR_SHL || uses[op->b] != 1 || op->a == op->b ||
        !lower_is_const(l, shift->b, &n) || n < 1 || n > 3 || lower_is_const(l, op->a, &constant) ||
        lower_is_const(l, shift->a, &constant)) {
        return;
    }
    l->fused[op->b] = true;
    l->last_use[shift->a] = i > l->last_use[shift->a] ? i : l->last_use[shift->a];
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

/* In a region, what the end of the block needs is what the blocks behind it need; exits compute recipes. */
static void find_eager_in_region(Lower *l) {
    unsigned live = 0, mask;
    const X64RegionBlock *b = &l->region->region->blocks[l->region_index];
    live |= b->taken >= 0 ? l->region->needs[b->taken] : 0u;
    live |= b->next >= 0 ? l->region->needs[b->next] : 0u;
    for (uint32_t i = l->ir->n_ops; i-- > 0;) {
        const IrOp *op = &l->ir->ops[i];
        if (ir_sets_flags(op->op, &mask)) {
            l->eager[i] = (uint8_t)(mask & live);
            live &= ~mask;
        } else if (op->op == IR_COND) {
            live |= ir_cond_reads(op->a);
        }
    }
}

/* What the flags are at the end of the block: an entry like that of a fault, at the last op. */
static void find_end_flags(Lower *l) {
    unsigned mask;
    l->end = (IrFault){.op = l->ir->n_ops - 1, .flags = {IR_NONE, IR_NONE, IR_NONE, IR_NONE}};
    for (uint32_t i = 0; i < l->ir->n_ops; i++) {
        ir_sets_flags(l->ir->ops[i].op, &mask);
        for (unsigned k = 0; k < 4; k++) {
            l->end.flags[k] = mask & 1u << k ? i : l->end.flags[k];
        }
    }
}

/* A value that goes into a pinned slot can be computed right there if nothing in between sees the old one. */
static void find_targets(Lower *l) {
    l->target = ARENA_ARRAY(l->arena, uint8_t, l->ir->n_ops);
    for (uint32_t put = 0; l->region && put < l->ir->n_ops; put++) {
        const IrOp *op = &l->ir->ops[put];
        int k = op->op == IR_PUT ? lower_pinned(l, op->a, op->type) : -1;
        if (k < 0 || l->ir->ops[op->b].op == IR_GET || l->ir->ops[op->b].op == IR_CONST || l->target[op->b]) {
            continue;
        }
        bool clear = true;
        for (uint32_t i = op->b + 1; clear && i < put; i++) {
            const IrOp *between = &l->ir->ops[i];
            bool same_slot = (between->op == IR_GET || between->op == IR_PUT) && between->a == op->a;
            clear = !same_slot && between->op != IR_GOTO_IF && !(ir_op_info[between->op].traits & IR_TRAIT_FAULT);
        }
        l->target[op->b] = clear ? (uint8_t)(k + 1) : 0;
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
        fuse_shift(l, uses, i);
    }
    if (l->region) {
        find_eager_in_region(l);
        find_end_flags(l);
        keep_recipes(l, &l->end);
    } else {
        find_eager(l);
    }
    find_targets(l);
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
    return asm_at(RSP, 8 * (l->spill[value] - 1));
}

/* On the path that is being written: what the main path spills behind the place where this one leaves it is not spilled
 * here. At that op itself all spilling comes before the jump. */
static bool is_spilled(const Lower *l, IrVal value) {
    if (!l->path) {
        return l->spilled_at[value] != UINT32_MAX;
    }
    bool before = l->spilled_at[value] != UINT32_MAX && l->spilled_at[value] <= l->path_from;
    uint32_t by = l->spilled_by[value];
    return before || by == l->path || (by && by == l->path_parent);
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
    if (l->path) {
        l->spilled_by[value] = l->path;
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
        if (l->pinned & 1u << reg || (l->region && l->region->pinned_regs & 1u << reg)) {
            continue;
        }
        if (l->held[reg] == IR_NONE) {
            return reg;
        }
        if (best == NO_REG || l->last_use[l->held[reg]] > l->last_use[l->held[best]]) {
            best = reg;
        }
    }
    if (best == NO_REG) {
        l->a->full = true; /* an op that needs more registers than there are: the region is given up */
        return RAX;
    }
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

/* The pinned register that the value is going to be put into, if what it stands for now is not needed any more:
 * `needed_until` is the op up to which an old value would still be in the way. */
static Reg target_of(Lower *l, IrVal value, uint32_t needed_until) {
    if (!l->region || !l->target[value]) {
        return NO_REG;
    }
    unsigned k = l->target[value] - 1u;
    IrVal old = l->alias[k];
    if (old != IR_NONE && old != value && l->last_use[old] >= needed_until) {
        return NO_REG;
    }
    if (old != IR_NONE) {
        l->reg[old] = NO_REG;
    }
    l->alias[k] = value;
    l->reg[value] = (uint8_t)l->region->pinned[k].reg;
    l->pinned |= 1u << l->reg[value];
    return l->reg[value];
}

/* True if the op is one host instruction that reads its operands before it writes its result, so that the result may
 * take the place of an operand. (A load that faults writes nothing.) */
static bool reads_first(const Lower *l, const IrOp *op) {
    switch (op->op) {
    case IR_LOAD: case IR_SEXT8: case IR_SEXT16: case IR_ZEXT8: case IR_ZEXT16: case IR_TRUNC:
        return true;
    default:
        return op->op == IR_ADD && l->fused[op->b];
    }
}

Reg lower_define(Lower *l, IrVal value) {
    Reg reg = target_of(l, value, l->at + reads_first(l, &l->ir->ops[value]));
    if (reg == NO_REG) {
        reg = take(l);
        hold(l, reg, value);
    }
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
    bool dies = l->last_use[source] == l->at, in_pool = l->held[from] == source;
    unsigned k = l->region && l->target[value] ? l->target[value] - 1u : X64_PINNED_MAX;
    if (dies && k < X64_PINNED_MAX && l->alias[k] == source) {
        return target_of(l, value, l->at + 1); /* in place, in its pinned register */
    }
    if (dies && in_pool) {
        hold(l, from, value);
        return from;
    }
    Reg reg = lower_define(l, value);
    asm_mov(l->a, true, reg, from);
    return reg;
}

/* ---- Pinned slots of a region ---- */

int lower_pinned(const Lower *l, uint32_t slot, IrType type) {
    for (unsigned k = 0; l->region && type == IR_I32 && k < l->region->n_pinned; k++) {
        if (l->region->pinned[k].slot == slot) {
            return (int)k;
        }
    }
    return -1;
}

void lower_get_pinned(Lower *l, unsigned index) {
    Reg reg = l->region->pinned[index].reg;
    IrVal old = l->alias[index];
    if (old != IR_NONE && l->last_use[old] > l->at) {
        asm_mov(l->a, false, lower_define(l, l->at), reg);
        return;
    }
    if (old != IR_NONE) {
        l->reg[old] = NO_REG;
    }
    l->alias[index] = l->at;
    l->reg[l->at] = (uint8_t)reg;
}

void lower_put_pinned(Lower *l, unsigned index, IrVal value) {
    Reg to = l->region->pinned[index].reg;
    IrVal old = l->alias[index];
    uint64_t constant;
    if (old == value) {
        return;
    }
    if (old != IR_NONE) {
        l->reg[old] = NO_REG;
        l->alias[index] = IR_NONE;
        if (l->last_use[old] > l->at) {
            Reg moved = take(l);
            asm_mov(l->a, false, moved, to);
            hold(l, moved, old);
        }
    }
    if (lower_is_const(l, value, &constant)) {
        asm_mov_imm(l->a, to, (uint32_t)constant);
        return;
    }
    Reg from = lower_use(l, value);
    asm_mov(l->a, false, to, from);
    if (l->held[from] == value) {
        drop(l, from);
        l->alias[index] = value;
        l->reg[value] = (uint8_t)to;
    }
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
    l->sum = IR_NONE;
    for (unsigned reg = 0; reg < REG_COUNT; reg++) {
        if (l->held[reg] != IR_NONE && l->held[reg] < l->ir->n_ops) {
            l->reg[l->held[reg]] = NO_REG;
        }
        l->held[reg] = IR_NONE;
    }
    for (unsigned k = 0; k < X64_PINNED_MAX; k++) {
        if (l->alias[k] != IR_NONE) {
            l->reg[l->alias[k]] = NO_REG;
        }
        l->alias[k] = IR_NONE;
    }
    l->pinned = 0;
}

void lower_restore(Lower *l, const IrVal held[REG_COUNT], const IrVal alias[X64_PINNED_MAX]) {
    lower_forget(l);
    for (unsigned k = 0; k < X64_PINNED_MAX; k++) {
        l->alias[k] = alias[k];
        if (alias[k] != IR_NONE) {
            l->reg[alias[k]] = (uint8_t)l->region->pinned[k].reg;
        }
    }
    for (unsigned reg = 0; reg < REG_COUNT; reg++) {
        if (held[reg] != IR_NONE) {
            l->held[reg] = held[reg];
            l->reg[held[reg]] = (uint8_t)reg;
        }
    }
}

void lower_path_begin(Lower *l, uint32_t from) {
    l->path = ++l->n_paths;
    l->path_parent = 0;
    l->path_from = from;
}

void lower_side_begin(Lower *l, Side *side) {
    memcpy(side->held, l->held, sizeof side->held);
    memcpy(side->alias, l->alias, sizeof side->alias);
    side->path = l->path;
    side->path_parent = l->path_parent;
    side->path_from = l->path_from;
    l->path_parent = l->path;
    l->path_from = l->path ? l->path_from : l->at;
    l->path = ++l->n_paths;
}

void lower_side_end(Lower *l, const Side *side) {
    lower_restore(l, side->held, side->alias);
    l->path = side->path;
    l->path_parent = side->path_parent;
    l->path_from = side->path_from;
}
