/* Indirect branches that stay inside a region: returns of functions that the region has swallowed, and switches. The
 * target is compared with where it has led before, or looked up in a small table if that is in many places. */
#include "host/x64/lower.h"
#include "ir/eval.h"

enum { COMPARED_MAX = 3, TABLE_MAX = 256 };

static const X64RegionBlock *landing(const Lower *l, unsigned k) {
    const X64Region *region = l->region->region;
    return &region->blocks[region->blocks[l->region_index].landings[k]];
}

/* ---- A check of the target that can wait ---- */

/* The value if x is `known`: false if it depends on something else. */
static bool evaluate(const Lower *l, IrVal value, IrVal x, uint64_t known, unsigned depth, uint64_t *out) {
    const IrOp *op = &l->ir->ops[value];
    const uint32_t operand[3] = {op->a, op->b, op->c};
    uint64_t v[3] = {0};
    if (value == x || op->op == IR_CONST) {
        *out = value == x ? known : ir_const_value(op);
        return true;
    }
    if (depth == 0 || !(ir_op_info[op->op].traits & IR_TRAIT_PURE)) {
        return false;
    }
    for (unsigned k = 0; k < 3; k++) {
        if (ir_op_info[op->op].operand[k] == IR_OPERAND_VALUE &&
            !evaluate(l, operand[k], x, known, depth - 1, &v[k])) {
            return false;
        }
    }
    *out = ir_eval(op->op, op->type, v[0], v[1], v[2]);
    return true;
}

/* The last TRAP_IF of the block, if only pure ops are between it and the final GOTO_IND. */
static uint32_t last_check(const IrBlock *ir) {
    for (uint32_t i = ir->n_ops - 1; i-- > 0;) {
        if (ir->ops[i].op == IR_TRAP_IF) {
            return i;
        }
        if (!(ir_op_info[ir->ops[i].op].traits & IR_TRAIT_PURE)) {
            return IR_NONE;
        }
    }
    return IR_NONE;
}

/* Guests check what they branch to (on Arm: bit 0, and returns from exceptions) and mask a bit off. Where the unmasked
 * value is known to be a place in the region with that bit, the check is known to pass: it comes after the comparisons
 * then. */
void lower_find_late_check(Lower *l) {
    enum { DEPTH = 8 };
    const X64RegionBlock *block = &l->region->region->blocks[l->region_index];
    uint32_t check = last_check(l->ir), end = l->ir->n_ops - 1;
    l->late_check = IR_NONE;
    if (l->ir->ops[end].op != IR_GOTO_IND || !block->n_landings || check == IR_NONE) {
        return;
    }
    const IrOp *trap = &l->ir->ops[check], *target = &l->ir->ops[l->ir->ops[end].a];
    uint64_t mask, fails;
    if (target->op != IR_AND || target->a != trap->b || !lower_is_const(l, target->b, &mask) ||
        mask != UINT32_C(0xfffffffe)) {
        return;
    }
    for (unsigned k = 0; k < block->n_landings; k++) {
        uint64_t pc = landing(l, k)->ir->loc.pc | 1;
        if (!evaluate(l, trap->a, trap->b, pc, DEPTH, &fails) || fails) {
            return;
        }
    }
    l->late_check = check;
}

/* ---- Comparing ---- */

/* Goes to landing k, on a path of its own. */
static void land(Lower *l, unsigned k) {
    const X64RegionBlock *from = &l->region->region->blocks[l->region_index], *to = landing(l, k);
    Side here;
    lower_side_begin(l, &here);
    l->pinned = 0;
    lower_flags_at(l, &l->end, to->needs);
    lower_region_take(l, from->landings[k], (int32_t)to->cost - (int32_t)(l->cost - l->ir->n_insns));
    lower_side_end(l, &here);
}

static void compare_each(Lower *l, Reg target, uint32_t low_bit, unsigned n) {
    for (unsigned k = 0; k < n; k++) {
        asm_alu_imm(l->a, ALU_CMP, false, target, (int32_t)((uint32_t)landing(l, k)->ir->loc.pc | low_bit));
        uint32_t other = asm_jcc(l->a, CC_NE);
        land(l, k);
        asm_link(l->a, other, asm_offset(l->a));
    }
}

/* ---- Looking up ---- */

/* The smallest table in which no two landings share a place; 0 if there is none. */
static uint32_t table_size(const Lower *l, unsigned n) {
    for (uint32_t size = 4; size <= TABLE_MAX; size *= 2) {
        bool used[TABLE_MAX] = {false}, clash = false;
        for (unsigned k = 0; k < n; k++) {
            uint32_t at = (uint32_t)(landing(l, k)->ir->loc.pc >> 1) & (size - 1);
            clash |= used[at];
            used[at] = true;
        }
        if (!clash) {
            return size;
        }
    }
    return 0;
}

/* The table: `size` targets, then as many offsets of code from its beginning. Written where nothing runs. */
static uint32_t write_table(Lower *l, uint32_t size, uint32_t low_bit, const uint32_t *code, unsigned n) {
    uint32_t pcs[TABLE_MAX], offsets[TABLE_MAX] = {0}, begin = asm_offset(l->a);
    for (uint32_t i = 0; i < size; i++) {
        pcs[i] = ~low_bit & 1; /* no target has this bit */
    }
    for (unsigned k = 0; k < n; k++) {
        uint64_t pc = landing(l, k)->ir->loc.pc;
        uint32_t at = (uint32_t)(pc >> 1) & (size - 1);
        pcs[at] = (uint32_t)pc | low_bit;
        offsets[at] = code[k] - begin;
    }
    asm_data(l->a, pcs, size * sizeof *pcs);
    asm_data(l->a, offsets, size * sizeof *offsets);
    return begin;
}

static void look_up(Lower *l, Reg target, uint32_t low_bit, unsigned n, uint32_t size) {
    uint32_t code[X64_LANDINGS_MAX];
    Reg index = lower_borrow(l);
    asm_mov(l->a, false, index, target);
    asm_shift_imm(l->a, SHIFT_SHR, false, index, 1);
    asm_alu_imm(l->a, ALU_AND, false, index, (int32_t)size - 1);
    uint32_t table = asm_lea_code(l->a, RCX);
    asm_alu_load(l->a, ALU_CMP, false, target, asm_indexed(RCX, index, 2, 0));
    uint32_t miss = asm_jcc(l->a, CC_NE);
    asm_load(l->a, 32, true, true, index, asm_indexed(RCX, index, 2, (int32_t)(4 * size)));
    asm_alu(l->a, ALU_ADD, true, index, RCX);
    asm_jmp_reg(l->a, index);
    for (unsigned k = 0; k < n; k++) {
        code[k] = asm_offset(l->a);
        land(l, k);
    }
    asm_link(l->a, miss, asm_offset(l->a));
    lower_cold(l);
    asm_link(&l->code->hot, table, write_table(l, size, low_bit, code, n));
    lower_hot(l);
}

void lower_landings(Lower *l, IrVal value) {
    unsigned n = l->region->region->blocks[l->region_index].n_landings;
    uint32_t low_bit = l->late_check != IR_NONE, size = table_size(l, n);
    if (n == 0) {
        return;
    }
    l->pinned = 0;
    Reg target = lower_use(l, value);
    if (n <= COMPARED_MAX || !size) {
        compare_each(l, target, low_bit, n < COMPARED_MAX ? n : COMPARED_MAX);
    } else {
        look_up(l, target, low_bit, n, size);
    }
}
