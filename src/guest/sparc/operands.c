/* Operands: registers of the current window, second operands, conditions; and how the disassembler writes them.
 * Manual: SPARC V8 4.1 (registers), table 5-15 (icc), table 5-17 (fcc), Suggested Assembly Language Syntax. */
#include "translator.h"

#include <stdio.h>

enum { SRC2_IMMEDIATE = 1 << 13 };

/* ---- Registers ---- */

static uint32_t window_slot(uint32_t r) {
    return SPARC_SLOT(file) + 4 * (r - SPARC_WINDOWED);
}

static IrVal window_pointer(SparcTranslator *t) {
    return ir_get(t->b, IR_I32, SPARC_SLOT(wp));
}

IrVal sparc_get_reg(SparcTranslator *t, uint32_t r) {
    if (r == 0) {
        return ir_i32(t->b, 0);
    }
    if (r < SPARC_WINDOWED) {
        return ir_get(t->b, IR_I32, SPARC_SLOT(g) + 4 * r);
    }
    IrVal wp = window_pointer(t);
    return ir_emit(t->b, IR_GETX, IR_I32, 0, window_slot(r), wp, 0);
}

void sparc_put_reg(SparcTranslator *t, uint32_t r, IrVal value) {
    if (r >= SPARC_WINDOWED) {
        IrVal wp = window_pointer(t);
        ir_emit(t->b, IR_PUTX, IR_I32, 0, window_slot(r), wp, value);
    } else if (r != 0) {
        ir_put(t->b, SPARC_SLOT(g) + 4 * r, value);
    }
}

static int32_t immediate(uint32_t src2) {
    return (int32_t)(src2 << 19) >> 19;
}

bool sparc_is_immediate(uint32_t src2) {
    return src2 & SRC2_IMMEDIATE;
}

IrVal sparc_src2(SparcTranslator *t, uint32_t src2) {
    return src2 & SRC2_IMMEDIATE ? ir_i32(t->b, (uint32_t)immediate(src2)) : sparc_get_reg(t, src2 & 31);
}

IrVal sparc_sum(SparcTranslator *t, uint32_t rs1, uint32_t src2) {
    IrVal x = sparc_get_reg(t, rs1), y = sparc_src2(t, src2);
    return ir_op2(t->b, IR_ADD, x, y);
}

IrVal sparc_join(SparcTranslator *t, IrVal high, IrVal low) {
    IrVal top = ir_op2i(t->b, IR_SHL, ir_op1(t->b, IR_ZEXT32, high), 32);
    return ir_op2(t->b, IR_OR, top, ir_op1(t->b, IR_ZEXT32, low));
}

IrVal sparc_high(SparcTranslator *t, IrVal wide) {
    return ir_emit(t->b, IR_HIGH, IR_I64, 0, wide, 0, 0);
}

IrVal sparc_low(SparcTranslator *t, IrVal wide) {
    return ir_emit(t->b, IR_TRUNC, IR_I64, 0, wide, 0, 0);
}

IrVal sparc_written(SparcTranslator *t, uint32_t rs1, uint32_t src2) {
    IrVal x = sparc_get_reg(t, rs1), y = sparc_src2(t, src2);
    return ir_op2(t->b, IR_XOR, x, y);
}

/* ---- Checks ---- */

void sparc_require_supervisor(SparcTranslator *t) {
    IrVal user = ir_op2i(t->b, IR_EQ, ir_get(t->b, IR_I32, SPARC_SLOT(s)), 0);
    ir_trap_if(t->b, user, SPARC_TT_PRIVILEGED, IR_NONE);
}

/* What changes fp_blocked ends the block: one look is enough. */
void sparc_require_fpu(SparcTranslator *t, bool store) {
    enum { ALL = 1 };
    unsigned number = store ? SPARC_TRAP_FP_STORE_BLOCKED : SPARC_TRAP_FP_BLOCKED;
    for (uint32_t i = t->b->n_ops; i-- > 0;) {
        const IrOp *op = &t->b->ops[i];
        if (op->op == IR_TRAP_IF && (op->n == SPARC_TRAP_FP_BLOCKED || op->n == number)) {
            return;
        }
    }
    IrVal blocked = ir_get(t->b, IR_I32, SPARC_SLOT(fp_blocked));
    ir_trap_if(t->b, store ? ir_op2i(t->b, IR_AND, blocked, ALL) : blocked, number, IR_NONE);
}

/* ---- Conditions ---- */

/* Conditions 1 to 7; 9 to 15 are their inverses. */
static IrVal plain_icc(IrBuilder *b, uint32_t cond) {
    switch (cond) {
    case 1: return ir_cond(b, IR_COND_EQ);
    case 2: return ir_cond(b, IR_COND_LE);
    case 3: return ir_cond(b, IR_COND_LT);
    case 4: { /* leu: C or Z */
        IrVal carry = ir_cond(b, IR_COND_CS), zero = ir_cond(b, IR_COND_EQ);
        return ir_op2(b, IR_OR, carry, zero);
    }
    case 5: return ir_cond(b, IR_COND_CS);
    case 6: return ir_cond(b, IR_COND_MI);
    default: return ir_cond(b, IR_COND_VS);
    }
}

IrVal sparc_icc(SparcTranslator *t, uint32_t cond) {
    static const uint8_t inverse[8] = {[1] = IR_COND_NE, [2] = IR_COND_GT, [3] = IR_COND_GE,
                                       [5] = IR_COND_CC, [6] = IR_COND_PL, [7] = IR_COND_VC};
    if (cond < 8) {
        return plain_icc(t->b, cond);
    }
    if (cond == 12) {
        return ir_op2i(t->b, IR_EQ, plain_icc(t->b, 4), 0);
    }
    return ir_cond(t->b, inverse[cond - 8]);
}

bool sparc_icc_holds(const SparcState *s, uint32_t cond) {
    bool holds = false;
    switch (cond & 7) {
    case 1: holds = s->z; break;
    case 2: holds = s->z || s->n != s->v; break;
    case 3: holds = s->n != s->v; break;
    case 4: holds = s->c || s->z; break;
    case 5: holds = s->c; break;
    case 6: holds = s->n; break;
    case 7: holds = s->v; break;
    default: break;
    }
    return holds != (cond >= 8);
}

uint32_t sparc_fcc_mask(uint32_t cond) {
    enum { E = 1, L = 2, G = 4, U = 8 };
    static const uint8_t masks[16] = {0, L | G | U, L | G, L | U, L, G | U, G, U,
                                      E | L | G | U, E, E | U, E | G, E | G | U, E | L, E | L | U, E | L | G};
    return masks[cond];
}

/* ---- Text ---- */

void sparc_format_reg(char *out, size_t size, uint32_t value) {
    snprintf(out, size, "%%%c%u", "goli"[value >> 3 & 3], (unsigned)value & 7);
}

void sparc_format_freg(char *out, size_t size, uint32_t value) {
    snprintf(out, size, "%%f%u", (unsigned)value);
}

void sparc_format_src2(char *out, size_t size, uint32_t value) {
    if (value & SRC2_IMMEDIATE) {
        snprintf(out, size, "%d", (int)immediate(value));
    } else {
        sparc_format_reg(out, size, value & 31);
    }
}

/* What follows the base register of an address. */
void sparc_format_addr(char *out, size_t size, uint32_t value) {
    if (value & SRC2_IMMEDIATE) {
        snprintf(out, size, " %c %d", immediate(value) < 0 ? '-' : '+', immediate(value) < 0 ? -immediate(value)
                                                                                             : immediate(value));
    } else {
        snprintf(out, size, " + %%%c%u", "goli"[value >> 3 & 3], (unsigned)value & 7);
    }
}

void sparc_format_cond(char *out, size_t size, uint32_t value) {
    static const char *const names[16] = {"n", "e", "le", "l", "leu", "cs", "neg", "vs",
                                          "a", "ne", "g", "ge", "gu", "cc", "pos", "vc"};
    snprintf(out, size, "%s", names[value & 15]);
}

void sparc_format_fcond(char *out, size_t size, uint32_t value) {
    static const char *const names[16] = {"n", "ne", "lg", "ul", "l", "ug", "g", "u",
                                          "a", "e", "ue", "ge", "uge", "le", "ule", "o"};
    snprintf(out, size, "%s", names[value & 15]);
}

void sparc_format_annul(char *out, size_t size, uint32_t value) {
    snprintf(out, size, "%s", value ? ",a" : "");
}

void sparc_format_asi(char *out, size_t size, uint32_t value) {
    snprintf(out, size, "0x%02x", (unsigned)value);
}
