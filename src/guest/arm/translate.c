/* Translation of one Thumb instruction: decoding, the IT block around it, and its end; and its disassembly. Manual:
 * ARMv7-M Architecture Reference Manual (DDI 0403E.e) A5.1 (encoding), A7.3 (conditional execution). The instructions
 * themselves are in sem_*.c, the operands' transforms and formats in operands.c.
 *
 * An undefined instruction whose IT condition fails does nothing. */
#include <stdio.h>
#include <string.h>

#include "translator.h"

static uint32_t halfword(const uint8_t *bytes) {
    return bytes[0] | (uint32_t)bytes[1] << 8;
}

/* ITAdvance() of A7.3.3. */
static uint32_t it_advance(uint32_t it) {
    return (it & 7) == 0 ? 0 : (it & 0xe0) | (it << 1 & 0x1f);
}

/* The condition of the IT block as a value; IR_NONE for what an IT block cannot make conditional. */
static IrVal it_condition(IrBuilder *b, uint32_t it, ArmRow row) {
    uint32_t cond = it >> 4;
    if (cond >= IR_COND_COUNT || row == ARM_ROW_BKPT_T1 || row == ARM_ROW_IT_T1) {
        return IR_NONE;
    }
    return ir_cond(b, cond);
}

/* In an IT block: the body stands in a part that is skipped unless the condition holds, if it does not see to that
 * itself. */
static RARE bool begin_conditional(ArmTranslator *t, ArmRow row, ArmClass class) {
    ir_insn(t->b, t->next_pc - t->pc, class, row, t->it);
    t->aux_next = it_advance(t->it);
    t->cond = t->it & 0xf ? it_condition(t->b, t->it, row) : IR_NONE;
    if (t->cond != IR_NONE && class != ARM_CLASS_BRANCH && class != ARM_CLASS_TRAP) {
        t->skip = ir_skip_unless(t->b, t->cond);
    }
    return true;
}

static RARE void end_conditional(ArmTranslator *t) {
    if (t->skip != IR_NONE) {
        ir_label(t->b, t->skip);
        t->skip = IR_NONE;
    }
}

bool arm_begin(ArmTranslator *t, ArmRow row, ArmClass class) {
    if (UNLIKELY(t->it)) {
        return begin_conditional(t, row, class);
    }
    ir_insn(t->b, t->next_pc - t->pc, class, row, 0);
    return true;
}

static void finish(ArmTranslator *t) {
    IrBuilder *b = t->b;
    if (b->ended) {
        return;
    }
    if (LIKELY(!t->pc_put && !t->ends_block)) {
        ir_insn_done(b, t->aux_next);
    } else if (t->pc_put) {
        IrVal target = ir_get(b, IR_I32, ARM_SLOT_R(ARM_PC));
        ir_goto_if(b, ir_op2i(b, IR_XOR, t->cond, 1), t->next_pc, t->aux_next);
        ir_goto_ind(b, target, 0);
    } else {
        ir_goto(b, t->next_pc, t->aux_next);
    }
}

/* The instruction at `bytes`, which are enough for it. The translator is as new, or as the last one has left it that
 * has not ended the block. */
static inline void translate_one(ArmTranslator *t, const uint8_t *bytes) {
    uint32_t first = halfword(bytes);
    bool known;
    t->it = t->b->aux;
    t->aux_next = 0;
    if (arm_insn_bits(first) == 16) {
        t->next_pc = t->pc + 2;
        known = arm_translate_16(t, first, t->features);
    } else {
        t->next_pc = t->pc + 4;
        known = arm_translate_32(t, first << 16 | halfword(bytes + 2), t->features);
    }
    if (UNLIKELY(!known)) {
        arm_begin(t, ARM_ROW_NONE, ARM_CLASS_TRAP);
        arm_raise(t, ARM_TRAP_UNDEFINED, IR_NONE);
    }
    if (UNLIKELY(t->it)) {
        end_conditional(t);
    }
    finish(t);
    t->cond = IR_NONE;
    t->pc = t->next_pc;
}

bool arm_translate_insns(IrBuilder *b, uint32_t features, const uint8_t *bytes, size_t avail, size_t plain) {
    if (b->aux & ARM_AUX_NOT_THUMB) {
        ir_insn(b, 2, ARM_CLASS_TRAP, ARM_ROW_NONE, b->aux);
        ir_trap(b, ARM_TRAP_INVSTATE, IR_NONE);
        return true;
    }
    if (avail < arm_insn_bits(halfword(bytes)) / 8) {
        return false;
    }
    uint32_t first = b->n_bytes;
    ArmTranslator t = {.b = b, .features = features, .pc = (uint32_t)b->loc.pc + first, .cond = IR_NONE,
                       .skip = IR_NONE};
    do {
        translate_one(&t, bytes + (b->n_bytes - first));
    } while (!b->ended && b->n_insns < b->limit && b->n_bytes - first < plain);
    return true;
}

/* Turns the offsets of branches and ADR into addresses, which is what their syntax shows. */
static void make_absolute(ArmRow row, ArmArgs *args, uint32_t pc) {
    const char *body = arm_row_info[row].body;
    if (strcmp(body, "b") == 0) {
        args->b.off = (int32_t)((uint32_t)args->b.off + pc);
    } else if (strcmp(body, "bl") == 0) {
        args->bl.off = (int32_t)((uint32_t)args->bl.off + pc);
    } else if (strcmp(body, "cbz") == 0) {
        args->cbz.off += pc;
    } else if (strcmp(body, "adr") == 0) {
        args->adr.off += (pc + 4) & ~3u;
    }
}

unsigned arm_disassemble_insn(char *out, size_t size, uint32_t features, const uint8_t *bytes, size_t avail,
                              uint64_t pc) {
    ArmArgs args;
    uint32_t insn = halfword(bytes);
    unsigned bits = arm_insn_bits(insn);
    if (avail < bits / 8) {
        snprintf(out, size, ".inst.n 0x%04x", insn);
        return 2;
    }
    insn = bits == 32 ? insn << 16 | halfword(bytes + 2) : insn;
    ArmRow row = arm_decode(insn, bits, features, &args);
    if (row == ARM_ROW_NONE) {
        snprintf(out, size, bits == 32 ? ".inst.w 0x%08x" : ".inst.n 0x%04x", insn);
    } else {
        make_absolute(row, &args, (uint32_t)pc);
        arm_disassemble(out, size, row, &args);
    }
    return bits / 8;
}
