/* Translation of one Thumb instruction: decoding, the IT block around it, and its end; and its disassembly. Manual:
 * ARMv7-M Architecture Reference Manual (DDI 0403E.e) A5.1 (encoding), A7.3 (conditional execution). The instructions
 * themselves are in sem_*.c, the operands' transforms and formats in operands.[ch].
 *
 * An undefined instruction whose IT condition fails does nothing. */
#include <stdio.h>
#include <string.h>

#include "translator.h"

static uint32_t halfword(const uint8_t *bytes) {
    return bytes[0] | (uint32_t)bytes[1] << 8;
}

/* The instruction as decoding takes it: the first halfword is the high one. Behind one of 16 bits is anything. */
static uint32_t insn_at(const uint8_t *bytes) {
    uint32_t word = halfword(bytes) | halfword(bytes + 2) << 16;
    return word << 16 | word >> 16;
}

static size_t insn_bytes(uint32_t insn) {
    return arm_insn_bits(insn >> 16) / 8;
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

/* The body stands in a part that is skipped unless the condition holds, if it does not see to that itself. */
void arm_begin_conditional(ArmTranslator *t, ArmRow row, ArmClass class, unsigned bits) {
    uint32_t it = arm_it(t);
    ir_insn(t->b, bits / 8, class, row, it);
    t->aux_next = it_advance(it);
    if (it & 0xf) {
        t->cond = it_condition(t->b, it, row);
        t->s_sets = ARM_S_ALWAYS;
    }
    if (t->cond != IR_NONE && class != ARM_CLASS_BRANCH && class != ARM_CLASS_TRAP) {
        t->skip = ir_skip_unless(t->b, t->cond);
    }
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
        ir_goto_if(b, ir_op2i(b, IR_XOR, t->cond, 1), arm_next_pc(t), t->aux_next);
        ir_goto_ind(b, target, 0);
    } else {
        ir_goto(b, arm_next_pc(t), t->aux_next);
    }
}

/* In an IT block, or at the end of the block. */
static void finish_unusual(ArmTranslator *t) {
    if (t->skip != IR_NONE) {
        ir_label(t->b, t->skip);
        t->skip = IR_NONE;
    }
    finish(t);
    t->cond = IR_NONE;
    t->s_sets = ARM_S_ALWAYS | ARM_S_OUTSIDE_IT_BLOCKS;
}

static RARE void translate_undefined(ArmTranslator *t, uint32_t insn) {
    arm_begin(t, ARM_ROW_NONE, ARM_CLASS_TRAP, arm_insn_bits(insn >> 16));
    arm_raise(t, ARM_TRAP_UNDEFINED, IR_NONE);
}

/* One instruction; false if the block has ended. The translator is as new, or as the last one has left it. */
static inline bool translate_one(ArmTranslator *t, IrBuilder *b, ArmLeaf *leaf, uint32_t insn) {
    t->pc = arm_next_pc(t);
    t->aux_next = 0;
    if (UNLIKELY(!leaf(t, insn, t->features))) {
        translate_undefined(t, insn);
    }
    if (UNLIKELY(b->aux | t->ends_block)) {
        finish_unusual(t);
        return !b->ended;
    }
    if (b->ended) {
        return false;
    }
    ir_insn_done(b, t->aux_next);
    return true;
}

/* Each instruction is looked up before the one in front of it is translated: see arm_find. */
bool arm_translate_insns(IrBuilder *b, uint32_t features, const uint8_t *bytes, size_t avail, size_t plain) {
    if (b->aux & ARM_AUX_NOT_THUMB) {
        ir_insn(b, 2, ARM_CLASS_TRAP, ARM_ROW_NONE, b->aux);
        ir_trap(b, ARM_TRAP_INVSTATE, IR_NONE);
        return true;
    }
    uint32_t insn = avail < 4 ? halfword(bytes) << 16 : insn_at(bytes);
    size_t next = insn_bytes(insn);
    if (avail < next) {
        return false;
    }
    ArmTranslator t = {.b = b, .features = features, .s_sets = ARM_S_ALWAYS | ARM_S_OUTSIDE_IT_BLOCKS,
                       .cond = IR_NONE, .skip = IR_NONE};
    ArmLeaf *leaf = arm_find(insn);
    while (next < plain) {
        uint32_t next_insn = insn_at(bytes + next);
        ArmLeaf *next_leaf = arm_find(next_insn);
        if (!translate_one(&t, b, leaf, insn) || b->n_insns >= b->limit) {
            return true;
        }
        next += insn_bytes(next_insn);
        insn = next_insn;
        leaf = next_leaf;
    }
    translate_one(&t, b, leaf, insn);
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
