/* Loads: LDR LDRB LDRH LDRSB LDRSH with their unprivileged forms, LDRD, LDM, POP, LDREX, TBB, TBH, PLD, PLI. Manual:
 * ARMv7-M Architecture Reference Manual (DDI 0403E.e) A7.7, alignment: A3.2.1.
 *
 * A fault in the middle leaves all registers as they were: values are put when all loads are done. Preloads and
 * unallocated memory hints do nothing; there is no cache to fill. */
#include "translator.h"

static IrVal load(ArmTranslator *t, uint32_t mem, IrVal address) {
    return ir_load(t->b, IR_I32, arm_mem(t, mem), address);
}

static IrVal load_aligned(ArmTranslator *t, uint32_t mem, IrVal address) {
    return ir_load(t->b, IR_I32, mem | IR_MEM_ALIGNED, address);
}

void arm_sem_load_imm(ArmTranslator *t, const ArmArgs_load_imm *a) {
    ArmAddress address = arm_address(t, a->rn, a->off, a->mode);
    IrVal value = load(t, a->mem, address.access);
    arm_write_back(t, a->rn, address);
    arm_put_loaded(t, a->rt, value);
}

void arm_sem_load_lit(ArmTranslator *t, const ArmArgs_load_lit *a) {
    IrVal address = ir_i32(t->b, ((t->pc + 4) & ~3u) + a->off);
    arm_put_loaded(t, a->rt, load(t, a->mem, address));
}

void arm_sem_load_reg(ArmTranslator *t, const ArmArgs_load_reg *a) {
    IrVal index = arm_shift_reg(t, a->rm, a->shift, false).value;
    IrVal address = ir_op2(t->b, IR_ADD, arm_get_reg(t, a->rn), index);
    arm_put_loaded(t, a->rt, load(t, a->mem, address));
}

void arm_sem_ldrd(ArmTranslator *t, const ArmArgs_ldrd *a) {
    ArmAddress address = arm_address(t, a->rn, a->off, a->mode);
    IrVal low = load_aligned(t, IR_MEM_32, address.access);
    IrVal high = load_aligned(t, IR_MEM_32, arm_add_const(t, address.access, 4));
    arm_write_back(t, a->rn, address);
    arm_put_reg(t, a->rt, low);
    arm_put_reg(t, a->rt2, high);
}

/* LDM, LDMDB and POP. The base moves by words: SP stays aligned. */
void arm_sem_ldm(ArmTranslator *t, const ArmArgs_ldm *a) {
    IrVal values[16];
    uint32_t bytes = 4 * arm_transform_bit_count(a->list);
    IrVal base = arm_get_reg(t, a->rn);
    IrVal start = a->db ? ir_op2i(t->b, IR_SUB, base, bytes) : base;
    uint32_t offset = 0;
    for (uint32_t n = 0; n < 16; n++) {
        if (bit(a->list, n)) {
            values[n] = load_aligned(t, IR_MEM_32, arm_add_const(t, start, offset));
            offset += 4;
        }
    }
    if (a->wback) {
        ir_put(t->b, ARM_SLOT_R(a->rn), a->db ? start : ir_op2i(t->b, IR_ADD, base, bytes));
    }
    for (uint32_t n = 0; n < 16; n++) {
        if (bit(a->list, n)) {
            arm_put_loaded(t, n, values[n]);
        }
    }
}

void arm_sem_ldrex(ArmTranslator *t, const ArmArgs_ldrex *a) {
    IrVal address = arm_add_const(t, arm_get_reg(t, a->rn), a->off);
    IrVal value = load_aligned(t, a->mem, address);
    ir_put(t->b, ARM_SLOT(exclusive_addr), address);
    ir_put(t->b, ARM_SLOT(exclusive_size), ir_i32(t->b, 1u << a->mem));
    arm_put_reg(t, a->rt, value);
}

/* The table holds distances in halfwords from the instruction's PC value. Of class `load`, not `branch`, since a part
 * that may be skipped has to surround the access. */
void arm_sem_tb(ArmTranslator *t, const ArmArgs_tb *a) {
    IrVal index = arm_shift_reg(t, a->rm, a->half, false).value;
    IrVal address = ir_op2(t->b, IR_ADD, arm_get_reg(t, a->rn), index);
    IrVal distance = ir_op2i(t->b, IR_SHL, load(t, a->half ? IR_MEM_16 : IR_MEM_8, address), 1);
    arm_branch_indirect(t, ir_op2i(t->b, IR_ADD, distance, t->pc + 4));
}

void arm_sem_preload(ArmTranslator *t, const ArmArgs_preload *a) {
    (void)t;
    (void)a;
}

void arm_sem_preload_reg(ArmTranslator *t, const ArmArgs_preload_reg *a) {
    (void)t;
    (void)a;
}
