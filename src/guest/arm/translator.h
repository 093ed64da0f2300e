/* What the bodies of the decode rows (sem_*.c) share: the instruction in translation, and helpers that build IR. */
#ifndef GUEST_ARM_TRANSLATOR_H
#define GUEST_ARM_TRANSLATOR_H

#include "arm.h"
#include "ir/build.h"

struct ArmTranslator {
    IrBuilder *b;
    uint32_t features;
    uint32_t pc, next_pc; /* of this instruction and of the one behind it */
    uint32_t it; /* ITSTATE of this instruction */
    uint32_t aux_next; /* aux of the one behind it */
    IrVal cond; /* condition of the IT block, i32, or IR_NONE if the instruction is unconditional. Bodies of the classes
                 * `branch` and `trap` apply it; the others run inside a skipped part and only must not end the block */
    bool pc_put; /* the branch target stands in r[15]: the instruction branches at the end of the skipped part */
    bool ends_block; /* the block ends behind this instruction */
    IrVal skip; /* of the skipped part, or IR_NONE */
};

/** A second operand; carry is what it gives to C, or IR_NONE if C stays. */
typedef struct ArmOperand {
    IrVal value, carry;
} ArmOperand;

/** Addressing: where to access, and what the base register becomes (IR_NONE: it stays). */
typedef struct ArmAddress {
    IrVal access, base_after;
} ArmAddress;

/** Whether an `s` operand of thumb.decode means that flags are set here. */
static inline bool arm_sets_flags(const ArmTranslator *t, uint32_t s) {
    enum { OUTSIDE_IT_BLOCKS = 2 };
    return s == OUTSIDE_IT_BLOCKS ? (t->it & 0xf) == 0 : s != 0;
}
/** A register; PC reads as the instruction's address + 4. */
static inline IrVal arm_get_reg(ArmTranslator *t, uint32_t n) {
    return n == ARM_PC ? ir_i32(t->b, t->pc + 4) : ir_get(t->b, IR_I32, ARM_SLOT_R(n));
}
/** A register as base of an address: PC is aligned to 4. */
IrVal arm_get_base(ArmTranslator *t, uint32_t n);
/** Writes r0 to r14. */
void arm_put_reg(ArmTranslator *t, uint32_t n, IrVal value);
/** ALUWritePC for r15 (bit 0 is dropped, the instruction branches), else arm_put_reg. */
void arm_put_result(ArmTranslator *t, uint32_t n, IrVal value);
/** LoadWritePC for r15 (interworking), else arm_put_reg. All other effects of the instruction must be emitted. */
void arm_put_loaded(ArmTranslator *t, uint32_t n, IrVal value);
/** Result of a logical or move instruction: register, N and Z, and C if `carry` is not IR_NONE. */
void arm_put_logical(ArmTranslator *t, uint32_t rd, ArmOperand result, uint32_t s);

/** rm shifted by the constant `shift` of thumb.decode; the carry is made only if asked for. */
ArmOperand arm_shift_by(ArmTranslator *t, uint32_t rm, uint32_t shift, bool want_carry);
static inline ArmOperand arm_shift_reg(ArmTranslator *t, uint32_t rm, uint32_t shift, bool want_carry) {
    if (shift == 0) { /* LSL #0, as most */
        return (ArmOperand){arm_get_reg(t, rm), IR_NONE};
    }
    return arm_shift_by(t, rm, shift, want_carry);
}
/** The operand `mode` of thumb.decode. */
ArmAddress arm_address(ArmTranslator *t, uint32_t rn, uint32_t off, uint32_t mode);
void arm_write_back(ArmTranslator *t, uint32_t rn, ArmAddress address);
/** The IR_MEM_* bits of an access of thumb.decode's `mem`: ARMv6-M has no unaligned accesses. */
unsigned arm_mem(const ArmTranslator *t, uint32_t mem);

/** value + constant, without an op if the constant is 0. */
IrVal arm_add_const(ArmTranslator *t, IrVal value, uint32_t constant);
/** Branches to the even address `target`. */
void arm_branch_indirect(ArmTranslator *t, IrVal target);
/** 1 if BX must not simply jump to `value`: Arm state, or what may be an EXC_RETURN. */
IrVal arm_not_plain_thumb(ArmTranslator *t, IrVal value);
/** Raises a trap; for bodies of class `trap`. */
void arm_raise(ArmTranslator *t, ArmTrap number, IrVal arg);

#endif
