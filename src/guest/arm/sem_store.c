/* Stores: STR STRB STRH with their unprivileged forms, STRD, STM, PUSH, STREX, CLREX. Manual: ARMv7-M Architecture
 * Reference Manual (DDI 0403E.e) A7.7, alignment: A3.2.1, local monitor: A3.4.1.
 *
 * The base is written back after the last store. The monitor tags the exact address and size; STREX elsewhere fails. */
#include "translator.h"

static void store_aligned(ArmTranslator *t, uint32_t mem, IrVal address, uint32_t rt) {
    ir_store(t->b, mem | IR_MEM_ALIGNED, address, arm_get_reg(t, rt));
}

void arm_sem_store_imm(ArmTranslator *t, const ArmArgs_store_imm *a) {
    ArmAddress address = arm_address(t, a->rn, a->off, a->mode);
    ir_store(t->b, arm_mem(t, a->mem), address.access, arm_get_reg(t, a->rt));
    arm_write_back(t, a->rn, address);
}

void arm_sem_store_reg(ArmTranslator *t, const ArmArgs_store_reg *a) {
    IrVal index = arm_shift_reg(t, a->rm, a->shift, false).value;
    IrVal address = ir_op2(t->b, IR_ADD, arm_get_reg(t, a->rn), index);
    ir_store(t->b, arm_mem(t, a->mem), address, arm_get_reg(t, a->rt));
}

void arm_sem_strd(ArmTranslator *t, const ArmArgs_strd *a) {
    ArmAddress address = arm_address(t, a->rn, a->off, a->mode);
    store_aligned(t, IR_MEM_32, address.access, a->rt);
    store_aligned(t, IR_MEM_32, arm_add_const(t, address.access, 4), a->rt2);
    arm_write_back(t, a->rn, address);
}

/* STM, STMDB and PUSH. A base that is in the list is stored as it was. The base moves by words: SP stays aligned. */
void arm_sem_stm(ArmTranslator *t, const ArmArgs_stm *a) {
    uint32_t bytes = 4 * arm_transform_bit_count(a->list);
    IrVal base = arm_get_reg(t, a->rn);
    IrVal start = a->db ? ir_op2i(t->b, IR_SUB, base, bytes) : base;
    uint32_t offset = 0;
    for (uint32_t n = 0; n < 15; n++) {
        if (bit(a->list, n)) {
            store_aligned(t, IR_MEM_32, arm_add_const(t, start, offset), n);
            offset += 4;
        }
    }
    if (a->wback) {
        ir_put(t->b, ARM_SLOT_R(a->rn), a->db ? start : ir_op2i(t->b, IR_ADD, base, bytes));
    }
}

/* A misaligned address faults even if the monitor would refuse the store. */
void arm_sem_strex(ArmTranslator *t, const ArmArgs_strex *a) {
    IrBuilder *b = t->b;
    uint32_t size = 1u << a->mem;
    IrVal address = arm_add_const(t, arm_get_reg(t, a->rn), a->off);
    if (size > 1) {
        ir_trap_if(b, ir_op2i(b, IR_AND, address, size - 1), ARM_TRAP_UNALIGNED, address);
    }
    IrVal same_size = ir_op2i(b, IR_EQ, ir_get(b, IR_I32, ARM_SLOT(exclusive_size)), size);
    IrVal same_address = ir_op2(b, IR_EQ, ir_get(b, IR_I32, ARM_SLOT(exclusive_addr)), address);
    IrVal passes = ir_op2(b, IR_AND, same_size, same_address);
    IrVal skip = ir_skip_unless(b, passes);
    store_aligned(t, a->mem, address, a->rt);
    ir_label(b, skip);
    ir_put(b, ARM_SLOT(exclusive_size), ir_i32(b, 0));
    arm_put_reg(t, a->rd, ir_op2i(b, IR_XOR, passes, 1));
}

void arm_sem_clrex(ArmTranslator *t, const ArmArgs_clrex *a) {
    (void)a;
    ir_put(t->b, ARM_SLOT(exclusive_size), ir_i32(t->b, 0));
}
