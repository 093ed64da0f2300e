/* Floating-point ops: values live in general registers like all others and visit xmm0 and xmm1. MXCSR rounds to nearest
 * with all exceptions masked while translated code runs (exec/run.c). */
#include "host/x64/lower.h"

enum { X, Y }; /* xmm0, xmm1 */

static void to_xmm(Lower *l, bool w, unsigned xmm, IrVal value) {
    asm_movq_to_xmm(l->a, w, xmm, lower_use(l, value));
}

/* Both are in registers before xmm0 is: what makes one may need that, too. */
static void both_to_xmm(Lower *l, bool w, IrVal x, IrVal y) {
    lower_use(l, x);
    lower_use(l, y);
    to_xmm(l, w, X, x);
    to_xmm(l, w, Y, y);
}

static void arithmetic(Lower *l, const IrOp *op, Sse sse) {
    bool w = op->type == IR_I64;
    if (sse == SSE_SQRT) {
        to_xmm(l, w, X, op->a);
        asm_sse(l->a, sse, w, X, X);
    } else {
        both_to_xmm(l, w, op->a, op->b);
        asm_sse(l->a, sse, w, X, Y);
    }
    asm_movq_from_xmm(l->a, w, lower_define(l, l->at), X);
}

/* CF + 2 * (above or unordered): 0 equal, 1 less, 2 greater, 3 unordered (CF is set then, too). */
static void compare(Lower *l, const IrOp *op) {
    bool w = op->type == IR_I64;
    both_to_xmm(l, w, op->a, op->b);
    Reg dst = lower_define(l, l->at);
    asm_mov_imm(l->a, dst, 0);
    asm_mov_imm(l->a, RCX, 0);
    asm_ucomis(l->a, w, X, Y);
    asm_setcc(l->a, CC_P, dst);
    asm_setcc(l->a, CC_A, RCX);
    /* MOV and SETcc leave CF: dst = 2 * (dst + rcx) + CF needs it last. */
    asm_lea(l->a, false, dst, asm_indexed(dst, RCX, 0, 0));
    asm_alu(l->a, ALU_ADC, false, dst, dst);
}

void lower_float(Lower *l, const IrOp *op) {
    switch (op->op) {
    case IR_FADD: arithmetic(l, op, SSE_ADD); break;
    case IR_FSUB: arithmetic(l, op, SSE_SUB); break;
    case IR_FMUL: arithmetic(l, op, SSE_MUL); break;
    case IR_FDIV: arithmetic(l, op, SSE_DIV); break;
    case IR_FSQRT: arithmetic(l, op, SSE_SQRT); break;
    case IR_FCMP: compare(l, op); break;
    case IR_FWIDEN:
        to_xmm(l, false, X, op->a);
        asm_sse(l->a, SSE_CONVERT, false, X, X);
        asm_movq_from_xmm(l->a, true, lower_define(l, l->at), X);
        break;
    case IR_FNARROW:
        to_xmm(l, true, X, op->a);
        asm_sse(l->a, SSE_CONVERT, true, X, X);
        asm_movq_from_xmm(l->a, false, lower_define(l, l->at), X);
        break;
    case IR_FOFINT:
        asm_cvtsi2sd(l->a, X, lower_use(l, op->a));
        asm_movq_from_xmm(l->a, true, lower_define(l, l->at), X);
        break;
    default: /* FTOINT */
        to_xmm(l, true, X, op->a);
        asm_cvttsd2si(l->a, lower_define(l, l->at), X);
    }
}
