/* What the floating-point ops compute: the host's arithmetic, which the engine keeps rounding to nearest. */
#include "base/ieee.h"
#include "ir/eval.h"

static IeeeOp ieee_op(IrOpcode op) {
    switch (op) {
    case IR_FADD: return IEEE_ADD;
    case IR_FSUB: return IEEE_SUB;
    case IR_FMUL: return IEEE_MUL;
    case IR_FDIV: return IEEE_DIV;
    default: return IEEE_SQRT;
    }
}

uint64_t ir_eval_float(IrOpcode op, IrType type, uint64_t a, uint64_t b) {
    switch (op) {
    case IR_FCMP:
        return type == IR_I64 ? ieee_compare64(a, b) : ieee_compare32((uint32_t)a, (uint32_t)b);
    case IR_FWIDEN:
        return ieee_f64_of_f32((uint32_t)a);
    case IR_FNARROW:
        return ieee_fast_f32_of_f64(a);
    case IR_FOFINT:
        return ieee_f64_of_i32((int32_t)a);
    case IR_FTOINT:
        return (uint32_t)ieee_fast_i32_of_f64(a);
    default:
        b = op == IR_FSQRT ? a : b;
        return type == IR_I64 ? ieee_fast_f64(ieee_op(op), a, b)
                              : ieee_fast_f32(ieee_op(op), (uint32_t)a, (uint32_t)b);
    }
}
