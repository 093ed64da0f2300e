/* What the bodies of the decode rows (sem_*.c) share: the instruction in translation, and helpers that build IR. */
#ifndef GUEST_ARM_TRANSLATOR_H
#define GUEST_ARM_TRANSLATOR_H

#include "arm.h"
#include "ir/build.h"
#include "operands.h"

struct ArmTranslator {
    IrBuilder *b;
    uint32_t features;
    uint32_t pc; /* of this instruction */
    uint32_t aux_next; /* aux of the one behind it */
    uint32_t s_sets; /* the bits of an `s` operand of thumb.decode that mean that flags are set here */
    IrVal cond; /* condition of the IT block, i32, or IR_NONE if the instruction is unconditional. Bodies of the classes
                 * `branch` and `trap` apply it; the others run inside a skipped part and only must not end the block */
    bool pc_put; /* the branch target stands in r[15]: the instruction branches at the end of the skipped part */
    bool ends_block; /* the block ends behind this instruction */
    IrVal skip; /* of the skipped part, or IR_NONE */
};

/** ITSTATE of this instruction. */
static inline uint32_t arm_it(const ArmTranslator *t) {
    return t->b->aux;
}
/** Behind the last instruction that has begun: in a body, where the next one is. */
static inline uint32_t arm_next_pc(const ArmTranslator *t) {
    return (uint32_t)t->b->loc.pc + t->b->n_bytes;
}
/** Begins an instruction of 16 or 32 bits in an IT block. */
void arm_begin_conditional(ArmTranslator *t, ArmRow row, ArmClass class, unsigned bits);
/** Begins an instruction of 16 or 32 bits. Always true. */
static inline bool arm_begin(ArmTranslator *t, ArmRow row, ArmClass class, unsigned bits) {
    if (UNLIKELY(arm_it(t))) {
        arm_begin_conditional(t, row, class, bits);
    } else {
        ir_insn(t->b, bits / 8, class, row, 0);
    }
    return true;
}

/** A second operand; carry is what it gives to C, or IR_NONE if C stays. */
typedef struct ArmOperand {
    IrVal value, carry;
} ArmOperand;

/** Addressing: where to access, and what the base register becomes (IR_NONE: it stays). */
typedef struct ArmAddress {
    IrVal access, base_after;
} ArmAddress;

enum { ARM_S_ALWAYS = 1, ARM_S_OUTSIDE_IT_BLOCKS = 2 };
/** Whether an `s` operand of thumb.decode means that flags are set here. */
static inline bool arm_sets_flags(const ArmTranslator *t, uint32_t s) {
    return s & t->s_sets;
}
/** A register; PC reads as the instruction's address + 4. */
static inline IrVal arm_get_reg(ArmTranslator *t, uint32_t n) {
    return n == ARM_PC ? ir_i32(t->b, t->pc + 4) : ir_get(t->b, IR_I32, ARM_SLOT_R(n));
}
/** A register as base of an address: PC is aligned to 4. */
static inline IrVal arm_get_base(ArmTranslator *t, uint32_t n) {
    return n == ARM_PC ? ir_i32(t->b, (t->pc + 4) & ~3u) : ir_get(t->b, IR_I32, ARM_SLOT_R(n));
}
static inline bool arm_is_sp_or_pc(uint32_t n) {
    return (n | 2) == ARM_PC;
}
/** What the next functions do for these two. */
void arm_put_sp(ArmTranslator *t, IrVal value);
void arm_put_sp_or_pc(ArmTranslator *t, uint32_t n, IrVal value);
void arm_put_loaded_sp_or_pc(ArmTranslator *t, uint32_t n, IrVal value);
/** ALUWritePC for r15 (bit 0 is dropped, the instruction branches), else writes a register. */
static inline void arm_put_result(ArmTranslator *t, uint32_t n, IrVal value) {
    if (UNLIKELY(arm_is_sp_or_pc(n))) {
        arm_put_sp_or_pc(t, n, value);
    } else {
        ir_put(t->b, ARM_SLOT_R(n), value);
    }
}
/** LoadWritePC for r15 (interworking), else writes a register. All other effects of the instruction must be emitted. */
static inline void arm_put_loaded(ArmTranslator *t, uint32_t n, IrVal value) {
    if (UNLIKELY(arm_is_sp_or_pc(n))) {
        arm_put_loaded_sp_or_pc(t, n, value);
    } else {
        ir_put(t->b, ARM_SLOT_R(n), value);
    }
}
/** Writes r0 to r14. */
static inline void arm_put_reg(ArmTranslator *t, uint32_t n, IrVal value) {
    if (UNLIKELY(n == ARM_SP)) {
        arm_put_sp(t, value);
    } else {
        ir_put(t->b, ARM_SLOT_R(n), value);
    }
}
/** Result of a logical or move instruction: register, N and Z, and C if `carry` is not IR_NONE. */
IN_LINE void arm_put_logical(ArmTranslator *t, uint32_t rd, ArmOperand result, uint32_t s) {
    if (arm_sets_flags(t, s)) { /* first: the carry may be a bit of what stands in rd */
        ir_flags1(t->b, IR_FLAGS_NZ, result.value);
        if (result.carry != IR_NONE) {
            ir_flags1(t->b, IR_FLAGS_C, result.carry);
        }
    }
    arm_put_result(t, rd, result.value);
}

/** rm shifted by the constant `shift` of thumb.decode; the carry is made only if asked for. */
ArmOperand arm_shift_by(ArmTranslator *t, uint32_t rm, uint32_t shift, bool want_carry);
static inline ArmOperand arm_shift_reg(ArmTranslator *t, uint32_t rm, uint32_t shift, bool want_carry) {
    if (shift == 0) { /* LSL #0, as most */
        return (ArmOperand){arm_get_reg(t, rm), IR_NONE};
    }
    return arm_shift_by(t, rm, shift, want_carry);
}
/** value + constant, without an op if the constant is 0. */
static inline IrVal arm_add_const(ArmTranslator *t, IrVal value, uint32_t constant) {
    return constant ? ir_op2i(t->b, IR_ADD, value, constant) : value;
}
/** The operand `mode` of thumb.decode. */
static inline ArmAddress arm_address(ArmTranslator *t, uint32_t rn, uint32_t off, uint32_t mode) {
    enum { OFFSET, PRE_INDEXED };
    IrVal base = arm_get_base(t, rn);
    IrVal moved = arm_add_const(t, base, off);
    return (ArmAddress){mode <= PRE_INDEXED ? moved : base, mode == OFFSET ? IR_NONE : moved};
}
static inline void arm_write_back(ArmTranslator *t, uint32_t rn, ArmAddress address) {
    if (address.base_after != IR_NONE) {
        arm_put_reg(t, rn, address.base_after);
    }
}
/** The IR_MEM_* bits of an access of thumb.decode's `mem`: ARMv6-M has no unaligned accesses. */
static inline unsigned arm_mem(const ArmTranslator *t, uint32_t mem) {
    bool unaligned_allowed = (t->features & ARM_FEATURE_V7M) || (mem & IR_MEM_SIZE) == IR_MEM_8;
    return unaligned_allowed ? mem : mem | IR_MEM_ALIGNED;
}

/** Branches to the even address `target`. */
void arm_branch_indirect(ArmTranslator *t, IrVal target);
/** 1 if BX must not simply jump to `value`: Arm state, or what may be an EXC_RETURN. */
IrVal arm_not_plain_thumb(ArmTranslator *t, IrVal value);
/** Raises a trap; for bodies of class `trap`. */
void arm_raise(ArmTranslator *t, ArmTrap number, IrVal arg);

#endif
