/* Arithmetic and logic: SPARC V8 B.9 to B.19 (SETHI, logical, shifts, add, tagged add, subtract, tagged subtract,
 * MULScc, multiply, divide), and UMAC, SMAC (GRIP, LEON3, "Multiply and accumulate instructions").
 *
 * Condition codes of multiplications and logical instructions: N and Z of the result, V = C = 0. Division overflow
 * gives the nearest result and V (B.19). */
#include "translator.h"

typedef struct Operands {
    IrVal x, y;
} Operands;

static Operands operands(SparcTranslator *t, uint32_t rs1, uint32_t src2) {
    IrVal x = sparc_get_reg(t, rs1);
    return (Operands){x, sparc_src2(t, src2)};
}

static IrVal zero(SparcTranslator *t) {
    return ir_i32(t->b, 0);
}

/* ---- SETHI, logical ---- */

void sparc_sem_sethi(SparcTranslator *t, const SparcArgs_sethi *a) {
    sparc_put_reg(t, a->rd, ir_i32(t->b, a->imm));
}

static void put_logical(SparcTranslator *t, uint32_t rd, IrVal value, uint32_t cc) {
    if (cc) {
        IrVal none = zero(t);
        ir_flags3(t->b, IR_FLAGS_SBB, value, none, none);
    }
    sparc_put_reg(t, rd, value);
}

static void logical(SparcTranslator *t, IrOpcode op, bool inverted, const SparcArgs_and *a) {
    Operands o = operands(t, a->rs1, a->src2);
    if (a->rs1 == 0 && op == IR_OR && !inverted) {
        put_logical(t, a->rd, o.y, a->cc); /* MOV */
        return;
    }
    put_logical(t, a->rd, ir_op2(t->b, op, o.x, inverted ? ir_op1(t->b, IR_NOT, o.y) : o.y), a->cc);
}

#define LOGICAL(name, op, inverted)                                                                                    \
    void sparc_sem_##name(SparcTranslator *t, const SparcArgs_##name *a) {                                             \
        SparcArgs_and args = {.rd = a->rd, .rs1 = a->rs1, .src2 = a->src2, .cc = a->cc};                               \
        logical(t, op, inverted, &args);                                                                               \
    }
LOGICAL(and, IR_AND, false)
LOGICAL(or, IR_OR, false)
LOGICAL(xor, IR_XOR, false)
LOGICAL(andn, IR_AND, true)
LOGICAL(orn, IR_OR, true)
LOGICAL(xnor, IR_XOR, true)

/* ---- Shifts: by the low 5 bits, as IR shifts do ---- */

#define SHIFT(name, op)                                                                                                \
    void sparc_sem_##name(SparcTranslator *t, const SparcArgs_##name *a) {                                             \
        Operands o = operands(t, a->rs1, a->src2);                                                                     \
        sparc_put_reg(t, a->rd, ir_op2(t->b, op, o.x, o.y));                                                           \
    }
SHIFT(sll, IR_SHL)
SHIFT(srl, IR_SHR)
SHIFT(sra, IR_SAR)

/* ---- Addition, subtraction ---- */

/* Comparisons have no result: a sum that is there would be used to tell the flags. These come right behind it: that is
 * where quick code finds it. */
static void put_sum(SparcTranslator *t, uint32_t rd, IrOpcode op, Operands o, uint32_t cc) {
    IrVal sum = rd ? ir_op2(t->b, op, o.x, o.y) : IR_NONE;
    if (cc) {
        ir_flags3(t->b, op == IR_ADD ? IR_FLAGS_ADD : IR_FLAGS_SBB, o.x, o.y, zero(t));
    }
    if (rd) {
        sparc_put_reg(t, rd, sum);
    }
}

void sparc_sem_add(SparcTranslator *t, const SparcArgs_add *a) {
    put_sum(t, a->rd, IR_ADD, operands(t, a->rs1, a->src2), a->cc);
}

void sparc_sem_sub(SparcTranslator *t, const SparcArgs_sub *a) {
    put_sum(t, a->rd, IR_SUB, operands(t, a->rs1, a->src2), a->cc);
}

void sparc_sem_addx(SparcTranslator *t, const SparcArgs_addx *a) {
    Operands o = operands(t, a->rs1, a->src2);
    IrVal carry = ir_cond(t->b, IR_COND_CS);
    IrVal sum = ir_op2(t->b, IR_ADD, ir_op2(t->b, IR_ADD, o.x, o.y), carry);
    if (a->cc) {
        ir_flags3(t->b, IR_FLAGS_ADD, o.x, o.y, carry);
    }
    sparc_put_reg(t, a->rd, sum);
}

void sparc_sem_subx(SparcTranslator *t, const SparcArgs_subx *a) {
    Operands o = operands(t, a->rs1, a->src2);
    IrVal borrow = ir_cond(t->b, IR_COND_CS);
    IrVal difference = ir_op2(t->b, IR_SUB, ir_op2(t->b, IR_SUB, o.x, o.y), borrow);
    if (a->cc) {
        ir_flags3(t->b, IR_FLAGS_SBB, o.x, o.y, borrow);
    }
    sparc_put_reg(t, a->rd, difference);
}

/* ---- Tagged ---- */

/* 1 on overflow, or if an operand's tag (bits 1..0) is not 0. */
static IrVal tag_overflow(SparcTranslator *t, Operands o, bool subtract) {
    IrBuilder *b = t->b;
    IrVal tags = ir_op2i(b, IR_AND, ir_op2(b, IR_OR, o.x, o.y), 3);
    IrVal tagged = ir_op2i(b, IR_NE, tags, 0);
    IrVal second = subtract ? ir_op1(b, IR_NOT, o.y) : o.y;
    return ir_op2(b, IR_OR, ir_overflow(b, o.x, second, ir_i32(b, subtract)), tagged);
}

static void tagged(SparcTranslator *t, const SparcArgs_tadd *a, bool subtract, bool traps) {
    Operands o = operands(t, a->rs1, a->src2);
    IrVal overflow = tag_overflow(t, o, subtract);
    if (traps) {
        ir_trap_if(t->b, overflow, SPARC_TT_TAG_OVERFLOW, IR_NONE);
    }
    IrVal sum = ir_op2(t->b, subtract ? IR_SUB : IR_ADD, o.x, o.y);
    ir_flags3(t->b, subtract ? IR_FLAGS_SBB : IR_FLAGS_ADD, o.x, o.y, zero(t));
    ir_flags1(t->b, IR_FLAGS_V, overflow);
    sparc_put_reg(t, a->rd, sum);
}

#define TAGGED(name, subtract, traps)                                                                                  \
    void sparc_sem_##name(SparcTranslator *t, const SparcArgs_##name *a) {                                             \
        SparcArgs_tadd args = {.rd = a->rd, .rs1 = a->rs1, .src2 = a->src2};                                           \
        tagged(t, &args, subtract, traps);                                                                             \
    }
TAGGED(tadd, false, false)
TAGGED(tsub, true, false)
TAGGED(taddtv, false, true)
TAGGED(tsubtv, true, true)

/* ---- Multiplication ---- */

static IrVal get_y(SparcTranslator *t) {
    return ir_get(t->b, IR_I32, SPARC_SLOT(y));
}

static void put_y(SparcTranslator *t, IrVal value) {
    ir_put(t->b, SPARC_SLOT(y), value);
}

void sparc_sem_mulscc(SparcTranslator *t, const SparcArgs_mulscc *a) {
    IrBuilder *b = t->b;
    Operands o = operands(t, a->rs1, a->src2);
    IrVal y = get_y(t), sign = ir_op2i(b, IR_SHL, ir_cond(b, IR_COND_LT), 31);
    IrVal first = ir_op2(b, IR_OR, ir_op2i(b, IR_SHR, o.x, 1), sign);
    IrVal second = ir_select(b, ir_op2i(b, IR_AND, y, 1), o.y, zero(t));
    IrVal shifted = ir_op2(b, IR_OR, ir_op2i(b, IR_SHR, y, 1), ir_op2i(b, IR_SHL, o.x, 31));
    IrVal sum = ir_op2(b, IR_ADD, first, second);
    ir_flags3(b, IR_FLAGS_ADD, first, second, zero(t));
    put_y(t, shifted);
    sparc_put_reg(t, a->rd, sum);
}

static IrVal product(SparcTranslator *t, uint32_t rs1, uint32_t src2, IrOpcode extend) {
    Operands o = operands(t, rs1, src2);
    return ir_op2(t->b, IR_MUL, ir_op1(t->b, extend, o.x), ir_op1(t->b, extend, o.y));
}

static void multiply(SparcTranslator *t, const SparcArgs_umul *a, IrOpcode extend) {
    IrVal wide = product(t, a->rs1, a->src2, extend);
    ir_put(t->b, SPARC_SLOT_Y_WIDE, wide);
    put_logical(t, a->rd, sparc_low(t, wide), a->cc);
}

void sparc_sem_umul(SparcTranslator *t, const SparcArgs_umul *a) {
    multiply(t, a, IR_ZEXT32);
}

void sparc_sem_smul(SparcTranslator *t, const SparcArgs_smul *a) {
    SparcArgs_umul args = {.rd = a->rd, .rs1 = a->rs1, .src2 = a->src2, .cc = a->cc};
    multiply(t, &args, IR_SEXT32);
}

/* The 40-bit accumulator is Y[7:0] and %asr18; 16-bit factors, the sum goes to rd, too. */
static void accumulate(SparcTranslator *t, const SparcArgs_umac *a, bool is_signed) {
    IrBuilder *b = t->b;
    Operands o = operands(t, a->rs1, a->src2);
    IrOpcode half = is_signed ? IR_SEXT16 : IR_ZEXT16, word = is_signed ? IR_SEXT32 : IR_ZEXT32;
    IrVal factor = ir_op1(b, half, o.x), other = ir_op1(b, half, o.y);
    IrVal wide = ir_op2(b, IR_MUL, ir_op1(b, word, factor), ir_op1(b, word, other));
    IrVal top = get_y(t), before = sparc_join(t, top, ir_get(b, IR_I32, SPARC_SLOT(asr18)));
    IrVal sum = ir_op2(b, IR_ADD, before, wide);
    put_y(t, ir_op2i(b, IR_AND, sparc_high(t, sum), 0xff));
    ir_put(b, SPARC_SLOT(asr18), sparc_low(t, sum));
    sparc_put_reg(t, a->rd, sparc_low(t, sum));
}

void sparc_sem_umac(SparcTranslator *t, const SparcArgs_umac *a) {
    accumulate(t, a, false);
}

void sparc_sem_smac(SparcTranslator *t, const SparcArgs_smac *a) {
    SparcArgs_umac args = {.rd = a->rd, .rs1 = a->rs1, .src2 = a->src2};
    accumulate(t, &args, true);
}

/* ---- Division ---- */

/* Y:rs1. */
static IrVal dividend(SparcTranslator *t, IrVal low_half) {
    return sparc_join(t, get_y(t), low_half);
}

static void put_quotient(SparcTranslator *t, uint32_t rd, IrVal quotient, IrVal overflow, IrVal limit, uint32_t cc) {
    put_logical(t, rd, ir_select(t->b, overflow, limit, sparc_low(t, quotient)), cc);
    if (cc) {
        ir_flags1(t->b, IR_FLAGS_V, overflow);
    }
}

static void check_divisor(SparcTranslator *t, IrVal divisor) {
    ir_trap_if(t->b, ir_op2i(t->b, IR_EQ, divisor, 0), SPARC_TT_DIVISION_BY_ZERO, IR_NONE);
}

void sparc_sem_udiv(SparcTranslator *t, const SparcArgs_udiv *a) {
    IrBuilder *b = t->b;
    Operands o = operands(t, a->rs1, a->src2);
    check_divisor(t, o.y);
    IrVal quotient = ir_op2(b, IR_UDIV, dividend(t, o.x), ir_op1(b, IR_ZEXT32, o.y));
    IrVal overflow = ir_op2i(b, IR_NE, sparc_high(t, quotient), 0);
    put_quotient(t, a->rd, quotient, overflow, ir_i32(b, UINT32_MAX), a->cc);
}

/* The sign of the exact quotient, not of the computed one, tells the limit: -2^63 / -1 wraps. */
void sparc_sem_sdiv(SparcTranslator *t, const SparcArgs_sdiv *a) {
    IrBuilder *b = t->b;
    Operands o = operands(t, a->rs1, a->src2);
    check_divisor(t, o.y);
    IrVal quotient = ir_op2(b, IR_SDIV, dividend(t, o.x), ir_op1(b, IR_SEXT32, o.y));
    IrVal overflow = ir_op2(b, IR_NE, quotient, ir_op1(b, IR_SEXT32, sparc_low(t, quotient)));
    IrVal negative = ir_op2i(b, IR_SHR, ir_op2(b, IR_XOR, get_y(t), o.y), 31);
    put_quotient(t, a->rd, quotient, overflow, ir_op2i(b, IR_ADD, negative, 0x7fffffff), a->cc);
}
