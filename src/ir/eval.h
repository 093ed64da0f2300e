/* What the pure ops compute: the one definition that constant folding and the interpreter share. */
#ifndef IR_EVAL_H
#define IR_EVAL_H

#include "ir/ir.h"

static inline uint64_t ir_mask(IrType type) {
    return type == IR_I64 ? UINT64_MAX : UINT32_MAX;
}

static inline int64_t ir_signed(IrType type, uint64_t x) {
    return type == IR_I64 ? (int64_t)x : (int32_t)x;
}

static inline uint64_t ir_eval_sdiv(IrType type, uint64_t a, uint64_t b) {
    int64_t x = ir_signed(type, a), y = ir_signed(type, b);
    return y == 0 ? 0 : y == -1 ? -(uint64_t)x : (uint64_t)(x / y);
}

static inline uint64_t ir_eval_rbit(IrType type, uint64_t x) {
    uint64_t r = 0;
    unsigned width = type == IR_I64 ? 64 : 32;
    for (unsigned i = 0; i < width; i++) {
        r |= ((x >> i) & 1) << (width - 1 - i);
    }
    return r;
}

static inline uint64_t ir_eval_carry(IrType type, uint64_t a, uint64_t b, uint64_t c) {
    unsigned __int128 sum = (unsigned __int128)a + b + c;
    return (uint64_t)(sum >> (type == IR_I64 ? 64 : 32)) & 1;
}

static inline uint64_t ir_eval_overflow(IrType type, uint64_t a, uint64_t b, uint64_t c) {
    uint64_t r = a + b + c;
    return ((a ^ r) & (b ^ r)) >> (type == IR_I64 ? 63 : 31) & 1;
}

static inline uint64_t ir_eval_shift(IrOpcode op, IrType type, uint64_t a, uint64_t b) {
    unsigned width = type == IR_I64 ? 64 : 32, n = (unsigned)b & (width - 1);
    switch (op) {
    case IR_SHL:
        return a << n;
    case IR_SHR:
        return a >> n;
    case IR_SAR:
        return (uint64_t)(ir_signed(type, a) >> n);
    default: /* IR_ROR */
        return n ? a >> n | a << (width - n) : a;
    }
}

/* float.c */
uint64_t ir_eval_float(IrOpcode op, IrType type, uint64_t a, uint64_t b);

/** Value of a PURE op (constants and NOP aside) of op.type `type`, for zero-extended operands. */
static inline uint64_t ir_eval(IrOpcode op, IrType type, uint64_t a, uint64_t b, uint64_t c) {
    uint64_t r = 0;
    switch (op) {
    case IR_COPY: case IR_ZEXT32: r = a; break;
    case IR_ADD: r = a + b; break;
    case IR_SUB: r = a - b; break;
    case IR_MUL: r = a * b; break;
    case IR_UDIV: r = b ? a / b : 0; break;
    case IR_SDIV: r = ir_eval_sdiv(type, a, b); break;
    case IR_AND: r = a & b; break;
    case IR_OR: r = a | b; break;
    case IR_XOR: r = a ^ b; break;
    case IR_SHL: case IR_SHR: case IR_SAR: case IR_ROR: r = ir_eval_shift(op, type, a, b); break;
    case IR_NOT: r = ~a; break;
    case IR_NEG: r = -a; break;
    case IR_CLZ:
        r = type == IR_I64 ? (a ? (uint64_t)__builtin_clzll(a) : 64) : (a ? (uint64_t)__builtin_clz((uint32_t)a) : 32);
        break;
    case IR_RBIT: r = ir_eval_rbit(type, a); break;
    case IR_BSWAP: r = type == IR_I64 ? __builtin_bswap64(a) : __builtin_bswap32((uint32_t)a); break;
    case IR_BSWAP16:
        r = (a & UINT64_C(0x00ff00ff00ff00ff)) << 8 | (a >> 8 & UINT64_C(0x00ff00ff00ff00ff));
        break;
    case IR_SEXT8: r = (uint64_t)(int8_t)a; break;
    case IR_SEXT16: r = (uint64_t)(int16_t)a; break;
    case IR_ZEXT8: r = (uint8_t)a; break;
    case IR_ZEXT16: r = (uint16_t)a; break;
    case IR_SEXT32: r = (uint64_t)(int32_t)a; break;
    case IR_TRUNC: return (uint32_t)a;
    case IR_HIGH: return a >> 32;
    case IR_EQ: return a == b;
    case IR_NE: return a != b;
    case IR_LTU: return a < b;
    case IR_LEU: return a <= b;
    case IR_LTS: return ir_signed(type, a) < ir_signed(type, b);
    case IR_LES: return ir_signed(type, a) <= ir_signed(type, b);
    case IR_SELECT: r = a ? b : c; break;
    case IR_CARRY: return ir_eval_carry(type, a, b, c);
    case IR_OVERFLOW: return ir_eval_overflow(type, a, b, c);
    case IR_FADD: case IR_FSUB: case IR_FMUL: case IR_FDIV: case IR_FSQRT: case IR_FCMP: case IR_FWIDEN:
    case IR_FNARROW: case IR_FOFINT: case IR_FTOINT:
        return ir_eval_float(op, type, a, b);
    default: assert(!"not a pure op"); break;
    }
    return r & ir_mask(type);
}

#endif
