/* Branches: B BL BLX BX CBNZ CBZ, and IT. Manual: ARMv7-M Architecture Reference Manual (DDI 0403E.e) A7.7; ITSTATE:
 * A7.3.3, interworking: A2.3.1, A4.1.1. TBB and TBH are in sem_load.c.
 *
 * A branch in the middle of an IT block is UNPREDICTABLE; here it behaves as at its end, and a branch taken leaves the
 * block. IT in an IT block starts a new one. */
#include "translator.h"

/* Goes to `target` if cond (IR_NONE: always), else to the next instruction. */
static void branch_if(ArmTranslator *t, IrVal cond, uint32_t target) {
    if (cond == IR_NONE) {
        ir_goto(t->b, target, 0);
    } else {
        ir_goto_if(t->b, cond, target, 0);
        ir_goto(t->b, arm_next_pc(t), t->aux_next);
    }
}

void arm_sem_b(ArmTranslator *t, const ArmArgs_b *a) {
    IrVal cond = a->cond < IR_COND_COUNT ? ir_cond(t->b, a->cond) : t->cond;
    branch_if(t, cond, t->pc + (uint32_t)a->off);
}

/* LR gets the return address with bit 0 set for Thumb, if the instruction is executed at all. */
static void link_to_next(ArmTranslator *t) {
    IrVal link = ir_i32(t->b, arm_next_pc(t) | 1);
    if (t->cond != IR_NONE) {
        link = ir_select(t->b, t->cond, link, arm_get_reg(t, ARM_LR));
    }
    arm_put_reg(t, ARM_LR, link);
}

void arm_sem_bl(ArmTranslator *t, const ArmArgs_bl *a) {
    link_to_next(t);
    branch_if(t, t->cond, t->pc + (uint32_t)a->off);
}

/* Raises `trap` if `refused` is not 0; goes to target without bit 0 otherwise. */
static void exchange(ArmTranslator *t, IrVal target, IrVal refused, ArmTrap trap) {
    IrBuilder *b = t->b;
    IrVal address = ir_op2i(b, IR_AND, target, ~1u);
    if (t->cond == IR_NONE) {
        ir_trap_if(b, refused, trap, target);
    } else {
        ir_trap_if(b, ir_op2(b, IR_AND, refused, t->cond), trap, target);
        ir_goto_if(b, ir_op2i(b, IR_XOR, t->cond, 1), arm_next_pc(t), t->aux_next);
    }
    ir_goto_ind(b, address, 0);
}

void arm_sem_bx(ArmTranslator *t, const ArmArgs_bx *a) {
    IrVal target = arm_get_reg(t, a->rm);
    exchange(t, target, arm_not_plain_thumb(t, target), ARM_TRAP_INTERWORK);
}

/* BLX never returns from an exception: only bit 0 counts. */
void arm_sem_blx(ArmTranslator *t, const ArmArgs_blx *a) {
    IrVal target = arm_get_reg(t, a->rm);
    IrVal refused = ir_op2i(t->b, IR_XOR, ir_op2i(t->b, IR_AND, target, 1), 1);
    link_to_next(t);
    exchange(t, target, refused, ARM_TRAP_ARM_STATE);
}

void arm_sem_cbz(ArmTranslator *t, const ArmArgs_cbz *a) {
    IrVal cond = ir_op2i(t->b, a->nonzero ? IR_NE : IR_EQ, arm_get_reg(t, a->rn), 0);
    branch_if(t, t->cond == IR_NONE ? cond : ir_op2(t->b, IR_AND, cond, t->cond), t->pc + a->off);
}

void arm_sem_it(ArmTranslator *t, const ArmArgs_it *a) {
    t->aux_next = a->state;
}
