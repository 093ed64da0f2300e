/* Translation of one SPARC instruction, or of a branch together with the instruction in its delay slot; and
 * disassembly. Manual: SPARC V8 5.1.2 (PC, nPC), B.21, B.22, B.24, B.25 (branches and annulment).
 *
 * A location is (PC, nPC): cpu->pc and cpu->aux (sparc.h). A branch and an ordinary delay instruction are translated at
 * once, and the branch is the end of the block, after the delay instruction; so is the RETT behind a JMPL that ends
 * each handler. In all other cases (the delay instruction branches or changes the processor's mode, the block may hold
 * no more instructions, the delay slot can be annulled) the block ends at the branch, and the next block begins in the
 * delay slot with nPC in its aux. So nPC is exact at every boundary, and costs nothing where nobody looks. */
#include "translator.h"

#include <stdio.h>
#include <string.h>

static uint32_t word_at(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* ---- Where control goes ---- */

/* aux of a location, given its PC and nPC. */
static uint32_t aux_of(uint32_t pc, uint32_t npc) {
    return npc - pc - 4;
}

/* To location (npc, after) if both are known. */
static void go_static(SparcTranslator *t, uint32_t npc, uint32_t after) {
    ir_goto(t->b, npc, aux_of(npc, after));
}

/* Behind a branch whose own nPC is known. */
static void leave_static(SparcTranslator *t, uint32_t npc) {
    IrBuilder *b = t->b;
    switch (t->transfer) {
    case SPARC_FLOW_SKIP:
        ir_goto(b, npc + 4, 0);
        break;
    case SPARC_FLOW_JUMP:
        ir_goto(b, t->target, 0);
        break;
    case SPARC_FLOW_ALWAYS:
        go_static(t, npc, t->target);
        break;
    case SPARC_FLOW_DYNAMIC:
        ir_put(b, SPARC_SLOT(npc), t->target_value);
        ir_goto(b, npc, SPARC_AUX_DYNAMIC);
        break;
    case SPARC_FLOW_IF:
    case SPARC_FLOW_IF_ANNUL:
        ir_goto_if(b, t->cond, npc, aux_of(npc, t->target));
        ir_goto(b, t->transfer == SPARC_FLOW_IF ? npc : npc + 4, 0);
        break;
    default:
        ir_goto(b, npc, 0);
    }
}

/* Behind an instruction whose nPC stands in the state: a delay slot of JMPL. Branches there are rare. */
static void leave_dynamic(SparcTranslator *t) {
    IrBuilder *b = t->b;
    IrVal npc = ir_get(b, IR_I32, SPARC_SLOT(npc)), annulled;
    switch (t->transfer) {
    case SPARC_FLOW_ON:
        ir_goto_ind(b, npc, 0);
        return;
    case SPARC_FLOW_SKIP:
        ir_goto_ind(b, ir_op2i(b, IR_ADD, npc, 4), 0);
        return;
    case SPARC_FLOW_JUMP:
        ir_goto(b, t->target, 0);
        return;
    case SPARC_FLOW_ALWAYS:
        ir_put(b, SPARC_SLOT(npc), ir_i32(b, t->target));
        break;
    case SPARC_FLOW_DYNAMIC:
        ir_put(b, SPARC_SLOT(npc), t->target_value);
        break;
    default: /* conditional */
        annulled = ir_i32(b, t->transfer == SPARC_FLOW_IF_ANNUL ? 4 : 0);
        npc = ir_op2(b, IR_ADD, npc, ir_select(b, t->cond, ir_i32(b, 0), annulled));
        ir_put(b, SPARC_SLOT(npc), ir_select(b, t->cond, ir_i32(b, t->target), ir_op2i(b, IR_ADD, npc, 4)));
    }
    ir_goto_ind(b, npc, SPARC_AUX_DYNAMIC);
}

static void leave(SparcTranslator *t) {
    if (t->aux == SPARC_AUX_DYNAMIC) {
        leave_dynamic(t);
    } else {
        leave_static(t, t->pc + 4 + t->aux);
    }
}

/* ---- The delay slot ---- */

/* aux in the delay slot, for its faults. */
static uint32_t delay_aux(const SparcTranslator *t) {
    uint32_t npc = t->pc + 4;
    switch (t->transfer) {
    case SPARC_FLOW_ALWAYS:
        return aux_of(npc, t->target);
    case SPARC_FLOW_DYNAMIC:
        return t->aux_jmpl ? t->aux_jmpl : SPARC_AUX_DYNAMIC;
    default: /* conditional */
        return t->aux_cond | ((t->target - t->pc) >> 2 & 0x3fffff) << 6;
    }
}

/* Whether it may be part of the branch's block depends on what it is. */
static bool begin_delay(SparcTranslator *t, SparcRow row, SparcClass class) {
    const SparcTranslator *branch = t->branch;
    bool dynamic = branch->transfer == SPARC_FLOW_DYNAMIC;
    /* Who returns to user mode sees other pages: with memory management on that is done in sys_trap.c. */
    t->returns = dynamic && row == SPARC_ROW_RETT && !t->b->loc.page;
    if (class >= SPARC_CLASS_BRANCH && !t->returns) {
        return false;
    }
    if (dynamic && class != SPARC_CLASS_ALU && !branch->aux_jmpl) {
        ir_put(t->b, SPARC_SLOT(npc), t->target_value); /* for faults */
    }
    if (branch->transfer != SPARC_FLOW_ALWAYS) {
        ir_keep(t->b, dynamic ? t->target_value : branch->cond);
    }
    ir_insn(t->b, 4, class, row, t->aux);
    return true;
}

bool sparc_begin(SparcTranslator *t, SparcRow row, SparcClass class, unsigned bits) {
    (void)bits; /* all have 32 */
    if (UNLIKELY(t->branch != NULL)) {
        return begin_delay(t, row, class);
    }
    ir_insn(t->b, 4, class, row, t->aux);
    return true;
}

/* An instruction, and what translates it. */
typedef struct Found {
    uint32_t insn;
    SparcLeaf *leaf;
} Found;

static Found find(const uint8_t *bytes) {
    uint32_t insn = word_at(bytes);
    return (Found){insn, sparc_find(insn)};
}

/* Translates the instruction in the delay slot as part of the branch's block, if that can be. */
static bool translate_delay(SparcTranslator *t, Found slot) {
    bool delayed = t->transfer == SPARC_FLOW_ALWAYS || t->transfer == SPARC_FLOW_DYNAMIC ||
                   t->transfer == SPARC_FLOW_IF;
    if (t->aux || !delayed || t->b->n_insns == t->b->limit) {
        return false;
    }
    SparcTranslator delay = {.b = t->b, .pc = t->pc + 4, .aux = delay_aux(t), .ends_block = true, .branch = t,
                             .target_value = t->target_value};
    if (!slot.leaf(&delay, slot.insn, t->features)) {
        return false;
    }
    if (delay.returns) {
        return true;
    }
    if (t->transfer == SPARC_FLOW_DYNAMIC) {
        ir_goto_ind(t->b, t->target_value, 0);
        return true;
    }
    if (t->transfer == SPARC_FLOW_IF) {
        ir_goto_if(t->b, t->cond, t->target, 0);
    }
    ir_goto(t->b, t->transfer == SPARC_FLOW_IF ? t->pc + 8 : t->target, 0);
    return true;
}

/* An instruction, with its delay slot `next` if that is there (`next.leaf` is not NULL). */
static void translate_one(IrBuilder *b, uint32_t features, Found found, Found next) {
    uint32_t aux = b->aux;
    SparcTranslator t = {.b = b, .features = features, .pc = (uint32_t)b->loc.pc + b->n_bytes, .aux = aux};
    if (UNLIKELY(!found.leaf(&t, found.insn, features))) {
        sparc_begin(&t, SPARC_ROW_NONE, SPARC_CLASS_TRAP, 32);
        ir_trap(b, SPARC_TT_ILLEGAL, IR_NONE);
    }
    if (b->ended || (next.leaf && translate_delay(&t, next))) {
        return;
    }
    if (t.transfer != SPARC_FLOW_ON || t.ends_block || aux) {
        leave(&t);
    } else {
        ir_insn_done(b, 0);
    }
}

/* Each instruction is looked up before the one in front of it is translated: see sparc_find. */
bool sparc_translate_insns(IrBuilder *b, uint32_t features, const uint8_t *bytes, size_t avail, size_t plain) {
    if (avail < 4) {
        return false;
    }
    Found found = find(bytes), next;
    size_t at = 0;
    do {
        next = avail - at >= 8 ? find(bytes + at + 4) : (Found){.leaf = NULL};
        translate_one(b, features, found, next);
        at += 4;
        found = next;
    } while (!b->ended && b->n_insns < b->limit && at < plain);
    return true;
}

/* ---- Disassembly ---- */

/* Turns the offsets of branches into addresses, which is what their syntax shows. */
static void make_absolute(SparcRow row, SparcArgs *args, uint32_t pc) {
    const char *body = sparc_row_info[row].body;
    if (strcmp(body, "call") == 0) {
        args->call.off = (int32_t)((uint32_t)args->call.off + pc);
    } else if (strcmp(body, "bicc") == 0) {
        args->bicc.off = (int32_t)((uint32_t)args->bicc.off + pc);
    } else if (strcmp(body, "fbfcc") == 0) {
        args->fbfcc.off = (int32_t)((uint32_t)args->fbfcc.off + pc);
    }
}

unsigned sparc_disassemble_insn(char *out, size_t size, uint32_t features, const uint8_t *bytes, size_t avail,
                                uint64_t pc) {
    uint8_t word[4] = {0};
    memcpy(word, bytes, avail < 4 ? avail : 4);
    SparcArgs args;
    SparcRow row = sparc_decode(word_at(word), 32, features, &args);
    if (row == SPARC_ROW_NONE || avail < 4) {
        snprintf(out, size, ".word 0x%08x", (unsigned)word_at(word));
    } else {
        make_absolute(row, &args, (uint32_t)pc);
        sparc_disassemble(out, size, row, &args);
    }
    return 4;
}
