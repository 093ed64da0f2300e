/* Facts about ops, generated from ops.def. */
#include "ir/ir.h"

enum { V = IR_OPERAND_VALUE, I = IR_OPERAND_IMM, S = IR_OPERAND_SLOT, L = IR_OPERAND_LABEL, F = IR_OPERAND_FAULT };
enum { R = 1, PURE = IR_TRAIT_PURE, FAULT = IR_TRAIT_FAULT, END = IR_TRAIT_END };

/* An empty column of the table, `-`, reads as minus zero. */
#define COLUMN(x) (x + 0)

#define NAMED(x) (COLUMN(x) == V || COLUMN(x) == L)

const IrOpInfo ir_op_info[IR_OPCODE_COUNT] = {
#define IR_OP(name, label, a, b, c, res, properties)                                                                   \
    [IR_##name] = {.text = label,                                                                                      \
                   .operand = {COLUMN(a), COLUMN(b), COLUMN(c)},                                                       \
                   .result = COLUMN(res),                                                                              \
                   .traits = COLUMN(properties),                                                                       \
                   .values = (COLUMN(a) == V) | (COLUMN(b) == V) << 1 | (COLUMN(c) == V) << 2,                         \
                   .named = NAMED(a) | NAMED(b) << 1 | NAMED(c) << 2},
#include "ir/ops.def"
#undef IR_OP
};

_Static_assert(IR_OPCODE_COUNT < 120, "DESIGN section 2: fewer than 120 ops");

#define IS_I32(op)                                                                                                     \
    (((op) >= IR_EQ && (op) <= IR_LES) || (op) == IR_COND || (op) == IR_CARRY || (op) == IR_OVERFLOW ||                \
     (op) == IR_TRUNC || (op) == IR_HIGH || (op) == IR_FCMP || (op) == IR_FNARROW || (op) == IR_FTOINT)
#define IS_I64(op)                                                                                                     \
    ((op) == IR_SEXT32 || (op) == IR_ZEXT32 || (op) == IR_CALL || (op) == IR_FWIDEN || (op) == IR_FOFINT)

const uint8_t ir_result_types[IR_OPCODE_COUNT] = {
#define IR_OP(name, label, a, b, c, res, properties)                                                                   \
    [IR_##name] = !COLUMN(res) ? IR_VOID : IS_I32(IR_##name) ? IR_I32 : IS_I64(IR_##name) ? IR_I64 : IR_RESULT_AS_OP,
#include "ir/ops.def"
#undef IR_OP
};

const uint8_t ir_flags_set[IR_OPCODE_COUNT] = {
    [IR_FLAGS_ADD] = 0xf, [IR_FLAGS_SUB] = 0xf, [IR_FLAGS_SBB] = 0xf, [IR_FLAGS_SET] = 0xf,
    [IR_FLAGS_NZ] = 0x3,  [IR_FLAGS_C] = 0x4,   [IR_FLAGS_V] = 0x8,
};

unsigned ir_cond_reads(IrCond cond) {
    enum { N = 1, Z = 2, C = 4, OVF = 8 };
    static const uint8_t reads[IR_COND_COUNT] = {
        [IR_COND_EQ] = Z, [IR_COND_NE] = Z, [IR_COND_CS] = C, [IR_COND_CC] = C, [IR_COND_MI] = N,
        [IR_COND_PL] = N, [IR_COND_VS] = OVF, [IR_COND_VC] = OVF, [IR_COND_HI] = C | Z, [IR_COND_LS] = C | Z,
        [IR_COND_GE] = N | OVF, [IR_COND_LT] = N | OVF, [IR_COND_GT] = N | Z | OVF, [IR_COND_LE] = N | Z | OVF,
    };
    return reads[cond];
}
