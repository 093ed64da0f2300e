/* Translation of one Thumb instruction: decoding, the IT block around it, and its end; and its disassembly. Manual:
 * ARMv7-M Architecture Reference Manual (DDI 0403E.e) A5.1 (encoding), A7.3 (conditional execution). The instructions
 * themselves are in sem_*.c, the operands' transforms and formats in operands.c.
 *
 * An undefined instruction whose IT condition fails does nothing. */
#include <stdio.h>
#include <string.h>

#include "translator.h"

/* One instruction, decoded. */
typedef struct Decoded {
    unsigned bytes;
    uint32_t insn;
    ArmRow row;
    ArmArgs args;
} Decoded;

static uint32_t halfword(const uint8_t *bytes) {
    return bytes[0] | (uint32_t)bytes[1] << 8;
}

/* False if more bytes are needed. */
static bool decode(Decoded *d, uint32_t features, const uint8_t *bytes, size_t avail) {
    uint32_t first = halfword(bytes);
    d->bytes = arm_insn_bits(first) / 8;
    if (avail < d->bytes) {
        return false;
    }
    d->insn = d->bytes == 4 ? first << 16 | halfword(bytes + 2) : first;
    d->row = arm_decode(d->insn, d->bytes * 8, features, &d->args);
    return true;
}

/* ITAdvance() of A7.3.3. */
static uint32_t it_advance(uint32_t it) {
    return (it & 7) == 0 ? 0 : (it & 0xe0) | (it << 1 & 0x1f);
}

static inline unsigned class_of(ArmRow row) {
    return row == ARM_ROW_NONE ? ARM_CLASS_TRAP : arm_row_info[row].cls;
}

/* The condition of the IT block as a value; IR_NONE outside, and for what an IT block cannot make conditional. */
static IrVal it_condition(IrBuilder *b, uint32_t it, ArmRow row) {
    bool in_block = (it & 0xf) != 0;
    uint32_t cond = it >> 4;
    if (!in_block || cond >= IR_COND_COUNT || row == ARM_ROW_BKPT_T1 || row == ARM_ROW_IT_T1) {
        return IR_NONE;
    }
    return ir_cond(b, cond);
}

static void translate_body(ArmTranslator *t, const Decoded *d) {
    if (d->row == ARM_ROW_NONE) {
        arm_raise(t, ARM_TRAP_UNDEFINED, IR_NONE);
    } else {
        arm_translate(t, d->row, &d->args);
    }
}

/* Runs the body, inside a part that is skipped unless the condition holds if the body does not see to that itself. */
static void translate_conditionally(ArmTranslator *t, const Decoded *d) {
    unsigned class = class_of(d->row);
    if (t->cond == IR_NONE || class == ARM_CLASS_BRANCH || class == ARM_CLASS_TRAP) {
        translate_body(t, d);
        return;
    }
    IrVal skip = ir_skip_unless(t->b, t->cond);
    translate_body(t, d);
    ir_label(t->b, skip);
}

static void finish(ArmTranslator *t) {
    IrBuilder *b = t->b;
    if (b->ended) {
        return;
    }
    if (t->pc_put) {
        IrVal target = ir_get(b, IR_I32, ARM_SLOT_R(ARM_PC));
        ir_goto_if(b, ir_op2i(b, IR_XOR, t->cond, 1), t->next_pc, t->aux_next);
        ir_goto_ind(b, target, 0);
    } else if (t->ends_block) {
        ir_goto(b, t->next_pc, t->aux_next);
    } else {
        ir_insn_done(b, t->aux_next);
    }
}

unsigned arm_translate_insn(IrBuilder *b, uint32_t features, const uint8_t *bytes, size_t avail, uint32_t aux) {
    if (aux & ARM_AUX_NOT_THUMB) {
        ir_insn(b, 2, ARM_CLASS_TRAP, ARM_ROW_NONE, aux);
        ir_trap(b, ARM_TRAP_INVSTATE, IR_NONE);
        return 2;
    }
    Decoded d;
    if (!decode(&d, features, bytes, avail)) {
        return 0;
    }
    uint32_t it = aux & ARM_AUX_IT, pc = (uint32_t)b->loc.pc + b->n_bytes;
    ArmTranslator t = {.b = b, .features = features, .pc = pc, .next_pc = pc + d.bytes, .it = it};
    ir_insn(b, d.bytes, class_of(d.row), d.row, aux);
    if (LIKELY(!it)) {
        t.cond = IR_NONE;
        translate_body(&t, &d);
    } else {
        t.aux_next = it_advance(it);
        t.cond = it_condition(b, it, d.row);
        translate_conditionally(&t, &d);
    }
    finish(&t);
    return d.bytes;
}

/* Turns the offsets of branches and ADR into addresses, which is what their syntax shows. */
static void make_absolute(Decoded *d, uint32_t pc) {
    const char *body = arm_row_info[d->row].body;
    if (strcmp(body, "b") == 0) {
        d->args.b.off = (int32_t)((uint32_t)d->args.b.off + pc);
    } else if (strcmp(body, "bl") == 0) {
        d->args.bl.off = (int32_t)((uint32_t)d->args.bl.off + pc);
    } else if (strcmp(body, "cbz") == 0) {
        d->args.cbz.off += pc;
    } else if (strcmp(body, "adr") == 0) {
        d->args.adr.off += (pc + 4) & ~3u;
    }
}

unsigned arm_disassemble_insn(char *out, size_t size, uint32_t features, const uint8_t *bytes, size_t avail,
                              uint64_t pc) {
    Decoded d;
    if (!decode(&d, features, bytes, avail)) {
        snprintf(out, size, ".inst.n 0x%04x", halfword(bytes));
        return 2;
    }
    if (d.row == ARM_ROW_NONE) {
        snprintf(out, size, d.bytes == 4 ? ".inst.w 0x%08x" : ".inst.n 0x%04x", d.insn);
    } else {
        make_absolute(&d, (uint32_t)pc);
        arm_disassemble(out, size, d.row, &d.args);
    }
    return d.bytes;
}
