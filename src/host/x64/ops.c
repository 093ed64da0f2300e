/* Pure ops: arithmetic, shifts, extensions, comparisons, choice. */
#include "host/x64/lower.h"

static bool wide(const IrOp *op) {
    return op->type == IR_I64;
}

/* ---- Comparison ---- */

static Cc condition_of(IrOpcode op) {
    switch (op) {
    case IR_EQ: return CC_E;
    case IR_NE: return CC_NE;
    case IR_LTU: return CC_B;
    case IR_LEU: return CC_BE;
    case IR_LTS: return CC_L;
    default: return CC_LE;
    }
}

/* The condition for operands that were compared the other way round. */
static Cc swapped(Cc cc) {
    switch (cc) {
    case CC_B: return CC_A;
    case CC_BE: return CC_AE;
    case CC_L: return CC_G;
    case CC_LE: return CC_GE;
    default: return cc;
    }
}

/* x & y against 0. */
static Cc test_both(Lower *l, const IrOp *op) {
    const IrOp *both = &l->ir->ops[op->a];
    int32_t imm;
    Reg a = lower_use(l, both->a);
    if (lower_imm(l, both->b, wide(both), &imm) && imm >= 0 && imm <= UINT8_MAX) {
        asm_test_imm8(l->a, a, (uint8_t)imm);
    } else if (lower_imm(l, both->b, wide(both), &imm)) {
        asm_test_imm(l->a, wide(both), a, imm);
    } else {
        asm_test(l->a, wide(both), a, lower_use(l, both->b));
    }
    return condition_of(op->op);
}

/* Compares against 0 what was computed last: its flags are there. Only conditions that need no carry. */
static bool is_known_sign(const Lower *l, const IrOp *op, Cc *cc) {
    uint64_t zero;
    if (l->sum == IR_NONE || l->sum != op->a || !lower_is_const(l, op->b, &zero) || zero != 0 ||
        l->ir->ops[l->sum].type != op->type) {
        return false;
    }
    *cc = op->op == IR_LTS ? CC_S : condition_of(op->op);
    return op->op == IR_EQ || op->op == IR_NE || op->op == IR_LTS;
}

Cc lower_compare(Lower *l, const IrOp *op) {
    int32_t imm;
    Cc cc = condition_of(op->op);
    uint64_t constant;
    if (l->after_sum[op - l->ir->ops] || is_known_sign(l, op, &cc)) {
        return cc;
    }
    if (l->fused[op->a] && l->ir->ops[op->a].op == IR_AND) {
        return test_both(l, op);
    }
    if (lower_is_const(l, op->a, &constant) && lower_imm(l, op->a, wide(op), &imm)) {
        asm_alu_imm(l->a, ALU_CMP, wide(op), lower_use(l, op->b), imm);
        return swapped(cc);
    }
    Reg a = lower_use(l, op->a);
    if (lower_imm(l, op->b, wide(op), &imm)) {
        if (imm == 0) {
            asm_test(l->a, wide(op), a, a);
        } else {
            asm_alu_imm(l->a, ALU_CMP, wide(op), a, imm);
        }
    } else {
        asm_alu(l->a, ALU_CMP, wide(op), a, lower_use(l, op->b));
    }
    return cc;
}

Cc lower_condition(Lower *l, IrVal cond) {
    if (l->quick) {
        return lower_quick_condition(l, cond);
    }
    if (l->fused[cond] && !l->late[cond]) {
        Cc cc = lower_compare(l, &l->ir->ops[cond]);
        l->sum = IR_NONE;
        return cc;
    }
    l->sum = IR_NONE;
    Reg reg = lower_use(l, cond);
    asm_test(l->a, false, reg, reg);
    return CC_NE;
}

/* Turns a condition of the host's flags into 0 or 1. The register must not be one that the comparison still needs: it
 * is taken after it, and MOV and SETcc change no flags. */
void lower_set_bool(Lower *l, Cc cc) {
    asm_setcc(l->a, cc, RCX);
    Reg dst = lower_define(l, l->at);
    asm_extend(l->a, 8, false, false, dst, RCX);
}

/* The value is 0 or 1. */
void lower_refund_if(Lower *l, const IrOp *op) {
    l->sum = IR_NONE;
    Reg reg = lower_use(l, op->a);
    for (unsigned n = op->b; X64_COUNTS && n > 0;) {
        unsigned log2 = n >= 4 ? 2 : n >= 2 ? 1 : 0;
        asm_lea(l->a, true, R14, asm_indexed(R14, reg, log2, 0));
        n -= 1u << log2;
    }
}

/* ---- Two operands ---- */

static bool commutes(IrOpcode op) {
    return op == IR_ADD || op == IR_AND || op == IR_OR || op == IR_XOR || op == IR_MUL;
}

static Alu alu_of(IrOpcode op) {
    switch (op) {
    case IR_ADD: return ALU_ADD;
    case IR_SUB: return ALU_SUB;
    case IR_AND: return ALU_AND;
    case IR_OR: return ALU_OR;
    default: return ALU_XOR;
    }
}

/* x + (y << n): the sum without the host's flags. */
static void add_shifted(Lower *l, const IrOp *op) {
    const IrOp *shifted = &l->ir->ops[op->b];
    Reg x = lower_use(l, op->a), y = lower_use(l, shifted->a);
    unsigned n = l->ir->ops[shifted->b].a;
    l->sum = IR_NONE;
    asm_lea(l->a, wide(op), lower_define(l, l->at), asm_indexed(x, y, n, 0));
}

/* True if one of the next ops wants to know more of this sum than its value. */
static bool flags_follow(const Lower *l) {
    enum { NEAR = 3 };
    unsigned mask;
    for (uint32_t i = l->at + 1; i < l->ir->n_ops && i <= l->at + NEAR; i++) {
        const IrOp *op = &l->ir->ops[i];
        bool compares = op->op >= IR_EQ && op->op <= IR_LES && op->a == l->at;
        if (compares || (ir_sets_flags(op->op, &mask) && l->eager[i])) {
            return true;
        }
    }
    return false;
}

/* x + y where both live on, or x + constant where x does: one LEA, which sets no flags. */
static bool add_apart(Lower *l, const IrOp *op) {
    uint64_t constant;
    int32_t imm;
    bool small = lower_imm(l, op->b, wide(op), &imm);
    bool kept = lower_lives_on(l, op->a) && (small || lower_lives_on(l, op->b));
    if (op->op != IR_ADD || !kept || lower_is_const(l, op->a, &constant) || (wide(op) && !small) ||
        flags_follow(l)) {
        return false;
    }
    Reg x = lower_use(l, op->a);
    Mem sum = small ? asm_at(x, imm) : asm_indexed(x, lower_use(l, op->b), 0, 0);
    l->sum = IR_NONE;
    asm_lea(l->a, wide(op), lower_define(l, l->at), sum);
    return true;
}

static void two_operands(Lower *l, const IrOp *op) {
    if (op->op == IR_ADD && lower_fused_shift(l, op->b)) {
        add_shifted(l, op);
        return;
    }
    if (add_apart(l, op)) {
        return;
    }
    IrVal x = op->a, y = op->b;
    uint64_t constant;
    int32_t imm;
    bool x_const = lower_is_const(l, x, &constant), dies = l->reg[y] != NO_REG && !lower_lives_on(l, y);
    if (commutes(op->op) && (x_const || (dies && lower_lives_on(l, x) && !lower_is_const(l, y, &constant)))) {
        IrVal swap = x;
        x = y;
        y = swap;
    }
    l->sum = op->op == IR_MUL ? IR_NONE : l->at;
    if (op->op == IR_MUL && lower_imm(l, y, wide(op), &imm)) {
        Reg factor = lower_use(l, x);
        asm_imul_imm(l->a, wide(op), lower_define(l, l->at), factor, imm);
        return;
    }
    if (lower_imm(l, y, wide(op), &imm)) {
        asm_alu_imm(l->a, alu_of(op->op), wide(op), lower_define_copy(l, l->at, x), imm);
        return;
    }
    Reg right = lower_use(l, y);
    Reg dst = lower_define_copy(l, l->at, x);
    if (op->op == IR_MUL) {
        asm_imul(l->a, wide(op), dst, right);
    } else {
        asm_alu(l->a, alu_of(op->op), wide(op), dst, right);
    }
}

static void shift(Lower *l, const IrOp *op) {
    static const Shift shifts[] = {[IR_SHL - IR_SHL] = SHIFT_SHL, [IR_SHR - IR_SHL] = SHIFT_SHR,
                                   [IR_SAR - IR_SHL] = SHIFT_SAR, [IR_ROR - IR_SHL] = SHIFT_ROR};
    Shift how = shifts[op->op - IR_SHL];
    uint64_t n;
    if (lower_is_const(l, op->b, &n)) {
        asm_shift_imm(l->a, how, wide(op), lower_define_copy(l, l->at, op->a), n & (wide(op) ? 63 : 31));
        return;
    }
    lower_use(l, op->a); /* before rcx is taken: it may have to be made */
    asm_mov(l->a, false, RCX, lower_use(l, op->b));
    asm_shift_cl(l->a, how, wide(op), lower_define_copy(l, l->at, op->a));
}

/* ---- One operand ---- */

static void extend(Lower *l, const IrOp *op, unsigned bits, bool is_signed) {
    Reg src = lower_use(l, op->a);
    asm_extend(l->a, bits, is_signed, op->type == IR_I64, lower_define(l, l->at), src);
}

/* 63 - bsr(x), or 31 - bsr(x); all ones in the exclusive-or make the result for 0 come out as the width. */
static void count_leading_zeros(Lower *l, const IrOp *op) {
    uint32_t width = wide(op) ? 64 : 32;
    Reg src = lower_use(l, op->a), dst = lower_define(l, l->at);
    asm_mov_imm(l->a, RCX, 2 * width - 1);
    asm_bsr(l->a, wide(op), dst, src);
    asm_cmov(l->a, CC_E, wide(op), dst, RCX);
    asm_alu_imm(l->a, ALU_XOR, wide(op), dst, (int32_t)width - 1);
}

/* One step of a bit reversal: swaps neighbouring groups of n bits of x. */
static void swap_groups(Asm *a, bool w, Reg x, Reg mask, uint64_t low_groups, uint8_t n) {
    asm_mov_imm(a, mask, w ? low_groups : (uint32_t)low_groups);
    asm_mov(a, w, RCX, x);
    asm_shift_imm(a, SHIFT_SHR, w, RCX, n);
    asm_alu(a, ALU_AND, w, RCX, mask);
    asm_alu(a, ALU_AND, w, x, mask);
    asm_shift_imm(a, SHIFT_SHL, w, x, n);
    asm_alu(a, ALU_OR, w, x, RCX);
}

/* Works on the result's register; the mask borrows another one. */
static void reverse(Lower *l, const IrOp *op) {
    bool w = wide(op);
    Reg x = lower_define_copy(l, l->at, op->a), mask = lower_borrow(l);
    if (op->op == IR_BSWAP16) {
        swap_groups(l->a, w, x, mask, UINT64_C(0x00ff00ff00ff00ff), 8);
        return;
    }
    asm_bswap(l->a, w, x);
    swap_groups(l->a, w, x, mask, UINT64_C(0x0f0f0f0f0f0f0f0f), 4);
    swap_groups(l->a, w, x, mask, UINT64_C(0x3333333333333333), 2);
    swap_groups(l->a, w, x, mask, UINT64_C(0x5555555555555555), 1);
}

static void one_operand(Lower *l, const IrOp *op) {
    switch (op->op) {
    case IR_NOT:
        asm_unary(l->a, UNARY_NOT, wide(op), lower_define_copy(l, l->at, op->a));
        break;
    case IR_NEG:
        asm_unary(l->a, UNARY_NEG, wide(op), lower_define_copy(l, l->at, op->a));
        break;
    case IR_BSWAP:
        asm_bswap(l->a, wide(op), lower_define_copy(l, l->at, op->a));
        break;
    case IR_HIGH:
        asm_shift_imm(l->a, SHIFT_SHR, true, lower_define_copy(l, l->at, op->a), 32);
        break;
    case IR_SEXT8: extend(l, op, 8, true); break;
    case IR_SEXT16: extend(l, op, 16, true); break;
    case IR_SEXT32: extend(l, op, 32, true); break;
    case IR_ZEXT8: extend(l, op, 8, false); break;
    case IR_ZEXT16: extend(l, op, 16, false); break;
    case IR_TRUNC: extend(l, op, 32, false); break;
    case IR_CLZ: count_leading_zeros(l, op); break;
    case IR_RBIT: case IR_BSWAP16: reverse(l, op); break;
    default: /* COPY, ZEXT32: values are kept zero-extended */
        lower_define_copy(l, l->at, op->a);
    }
}

/* ---- Division: rdx:rax by a register, guarded for the two cases that trap on the host ---- */

/* The quotient of a zero divisor is 0; of INT_MIN / -1 it is INT_MIN: a negation, for every dividend. rax and rdx are
 * made free by the caller; divisor is in rcx. */
static void emit_division(Asm *a, bool w, bool is_signed) {
    asm_test(a, w, RCX, RCX);
    uint32_t zero = asm_jcc(a, CC_E), minus_one = 0;
    if (is_signed) {
        asm_alu_imm(a, ALU_CMP, w, RCX, -1);
        minus_one = asm_jcc(a, CC_E);
        asm_mov(a, w, RDX, RAX);
        asm_shift_imm(a, SHIFT_SAR, w, RDX, w ? 63 : 31);
        asm_unary(a, UNARY_IDIV, w, RCX);
    } else {
        asm_mov_imm(a, RDX, 0);
        asm_unary(a, UNARY_DIV, w, RCX);
    }
    uint32_t done = asm_jmp(a), done_negated = 0;
    if (is_signed) {
        asm_link(a, minus_one, asm_offset(a));
        asm_unary(a, UNARY_NEG, w, RAX);
        done_negated = asm_jmp(a);
    }
    asm_link(a, zero, asm_offset(a));
    asm_mov_imm(a, RAX, 0);
    asm_link(a, done, asm_offset(a));
    if (is_signed) {
        asm_link(a, done_negated, asm_offset(a));
    }
}

static void divide(Lower *l, const IrOp *op) {
    Reg a = lower_use(l, op->a), b = lower_use(l, op->b), dst = lower_define(l, l->at);
    bool w = wide(op);
    /* rax and rdx may hold other values: kept on the stack meanwhile; spill slots are not addressed here. */
    asm_mov(l->a, true, RCX, b);
    asm_push(l->a, RAX);
    asm_push(l->a, RDX);
    asm_mov(l->a, true, RAX, a);
    emit_division(l->a, w, op->op == IR_SDIV);
    asm_mov(l->a, w, RCX, RAX);
    asm_pop(l->a, RDX);
    asm_pop(l->a, RAX);
    asm_mov(l->a, true, dst, RCX);
}

/* ---- Choice and carries ---- */

static void choose(Lower *l, const IrOp *op) {
    /* All operands come into registers before the comparison, so that nothing in between changes the flags. */
    uint64_t constant;
    Reg b = lower_use(l, op->b);
    if (!lower_is_const(l, op->c, &constant)) {
        lower_use(l, op->c);
    }
    Cc cc = lower_condition(l, op->a);
    asm_cmov(l->a, cc, true, lower_define_copy(l, l->at, op->c), b);
}

/* a + b + c in the host's flags: c is 0 or 1. The sum goes to rcx. */
static void add_with_carry(Lower *l, const IrOp *op) {
    uint64_t carry;
    bool known = lower_is_const(l, op->c, &carry);
    Reg a = lower_use(l, op->a), b = lower_use(l, op->b);
    if (known && !carry) {
        asm_mov(l->a, true, RCX, a);
        asm_alu(l->a, ALU_ADD, wide(op), RCX, b);
        return;
    }
    asm_bt_imm(l->a, lower_use(l, op->c), 0);
    asm_mov(l->a, true, RCX, a);
    asm_alu(l->a, ALU_ADC, wide(op), RCX, b);
}

void lower_pure(Lower *l, const IrOp *op) {
    if (l->fused[l->at]) {
        return; /* made where it is used */
    }
    uint32_t sum = l->sum;
    Cc cc;
    l->sum = IR_NONE;
    switch (op->op) {
    case IR_ADD: case IR_SUB: case IR_AND: case IR_OR: case IR_XOR: case IR_MUL:
        two_operands(l, op);
        break;
    case IR_SHL: case IR_SHR: case IR_SAR: case IR_ROR:
        shift(l, op);
        break;
    case IR_EQ: case IR_NE: case IR_LTU: case IR_LEU: case IR_LTS: case IR_LES:
        l->sum = sum;
        cc = lower_compare(l, op);
        l->sum = IR_NONE;
        lower_set_bool(l, cc);
        break;
    case IR_UDIV: case IR_SDIV:
        divide(l, op);
        break;
    case IR_SELECT:
        choose(l, op);
        break;
    case IR_FADD: case IR_FSUB: case IR_FMUL: case IR_FDIV: case IR_FSQRT: case IR_FCMP: case IR_FWIDEN:
    case IR_FNARROW: case IR_FOFINT: case IR_FTOINT:
        lower_float(l, op);
        break;
    case IR_CARRY:
        add_with_carry(l, op);
        lower_set_bool(l, CC_B);
        break;
    case IR_OVERFLOW:
        add_with_carry(l, op);
        lower_set_bool(l, CC_O);
        break;
    default:
        one_operand(l, op);
    }
}
