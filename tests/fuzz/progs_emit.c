/* Emission of generated programs: instructions, labels, branches, literal pools, random instructions under constraints.
 * A branch starts out in its short form; those that do not reach are noted in `far`, and the image is made again. */
#include "progs_emit.h"

#include <assert.h>
#include <string.h>

/* ---- Bytes and labels ------------------------------------------------------------------------------------------- */

static void part_put16(Prog *p, ProgPlace place, uint32_t at, uint32_t value) {
    p->part[place].data[at] = (uint8_t)value;
    p->part[place].data[at + 1] = (uint8_t)(value >> 8);
}

void emit16(Emit *e, uint32_t insn) {
    uint32_t *bytes = &e->p->part[e->place].bytes;
    uint32_t most = e->place == PROG_ROM ? e->p->target->rom_bytes : e->p->target->ram_bytes;
    if (*bytes + 2 > most) {
        e->full = true;
        return;
    }
    part_put16(e->p, e->place, *bytes, insn);
    *bytes += 2;
}

void emit32(Emit *e, uint32_t insn) {
    emit16(e, insn >> 16);
    emit16(e, insn);
}

void emit_insn(Emit *e, ArmRow row, uint32_t insn) {
    if (arm_row_info[row].bits == 32) {
        emit32(e, insn);
    } else {
        emit16(e, insn);
    }
}

uint32_t emit_offset(const Emit *e) {
    return e->p->part[e->place].bytes;
}

uint32_t emit_here(const Emit *e) {
    return e->p->part[e->place].base + emit_offset(e);
}

uint32_t label_new(Emit *e) {
    assert(e->n_labels < LABELS_MAX);
    e->labels[e->n_labels] = (Label){0};
    return e->n_labels++;
}

void label_set(Emit *e, uint32_t label) {
    e->labels[label] = (Label){true, emit_here(e)};
}

void emit_align(Emit *e) {
    if (emit_offset(e) & 2) {
        emit16(e, 0xbf00);
    }
}

static void fix_add(Emit *e, EmitFix fix) {
    assert(e->n_fixes < FIXUPS_MAX);
    fix.place = e->place;
    fix.at = emit_offset(e);
    e->fixes[e->n_fixes++] = fix;
}

/* ---- Branches --------------------------------------------------------------------------------------------------- */

static void branch(Emit *e, ArmRow row, uint32_t insn, uint32_t label, uint32_t number) {
    fix_add(e, (EmitFix){.kind = EMIT_BRANCH, .label = label, .row = row, .branch = number});
    emit_insn(e, row, insn);
}

/* ARMv6-M has no long branch but BL, which may be used where it reaches nothing else: LR is lost. */
static void branch_far_v6m(Emit *e, unsigned cond, uint32_t label, uint32_t number) {
    bool bl = e->far[number] > (cond != AL);
    if (cond != AL) {
        emit16(e, 0xd000 | (cond ^ 1) << 8 | bl); /* over the next one */
    }
    branch(e, bl ? ARM_ROW_BL_T1 : ARM_ROW_B_T2, bl ? 0xf000d000 : 0xe000, label, number);
}

void emit_b(Emit *e, unsigned cond, uint32_t label) {
    assert(e->n_branches < BRANCHES_MAX);
    uint32_t number = e->n_branches++;
    bool far = (emit_v7m(e) && emit_chance(e, 10)) || e->far[number];
    if (far && !emit_v7m(e)) {
        branch_far_v6m(e, cond, label, number);
    } else if (cond == AL) {
        branch(e, far ? ARM_ROW_B_T4 : ARM_ROW_B_T2, far ? 0xf0009000 : 0xe000, label, number);
    } else if (!far) {
        branch(e, ARM_ROW_B_T1, 0xd000 | cond << 8, label, number);
    } else {
        branch(e, ARM_ROW_B_T3, 0xf0008000 | cond << 22, label, number);
    }
}

void emit_bl(Emit *e, uint32_t label) {
    branch(e, ARM_ROW_BL_T1, 0xf000d000, label, BRANCHES_MAX);
}

void emit_cbz(Emit *e, unsigned reg, bool nonzero, uint32_t label) {
    uint32_t number = e->n_branches++;
    if (emit_v7m(e) && !e->far[number]) {
        branch(e, nonzero ? ARM_ROW_CBNZ_T1 : ARM_ROW_CBZ_T1, (nonzero ? 0xb900 : 0xb100) | reg, label, number);
        e->n_branches++; /* that of the other form */
    } else {
        emit16(e, 0x2800 | reg << 8);
        emit_b(e, nonzero, label);
    }
}

void emit_table_entry(Emit *e, bool half, uint32_t label, uint32_t base_label) {
    fix_add(e, (EmitFix){.kind = half ? EMIT_HALF : EMIT_BYTE, .label = label, .minus = base_label});
    if (half) {
        emit16(e, 0);
    } else {
        e->p->part[e->place].bytes++;
    }
}

/* ---- Literals --------------------------------------------------------------------------------------------------- */

void emit_word(Emit *e, uint32_t label, uint32_t offset) {
    if (label != NO_LABEL) {
        fix_add(e, (EmitFix){.kind = EMIT_WORD, .label = label, .minus = NO_LABEL, .offset = offset});
    }
    emit16(e, offset);
    emit16(e, offset >> 16);
}

static void literal(Emit *e, unsigned reg, Literal l) {
    assert(reg < 8 && e->n_literals < LITERALS_MAX);
    l.load = emit_offset(e);
    l.wide = emit_v7m(e) && emit_chance(e, 20);
    e->literals[e->n_literals++] = l;
    if (l.wide) {
        emit32(e, 0xf8df0000 | reg << 12);
    } else {
        emit16(e, 0x4800 | reg << 8);
    }
}

void emit_const(Emit *e, unsigned reg, uint32_t value) {
    if (value < 256 && emit_chance(e, 70)) {
        emit16(e, 0x2000 | reg << 8 | value);
    } else if (emit_v7m(e) && emit_chance(e, 30)) {
        for (unsigned part = 0; part < 2; part++) {
            uint32_t half = value >> 16 * part & 0xffff;
            emit32(e, (part ? 0xf2c00000 : 0xf2400000) | (half >> 12) << 16 | (half >> 11 & 1) << 26 |
                          (half >> 8 & 7) << 12 | reg << 8 | (half & 0xff));
        }
    } else {
        literal(e, reg, (Literal){.label = NO_LABEL, .minus = NO_LABEL, .value = value});
    }
}

void emit_addr(Emit *e, unsigned reg, uint32_t label, uint32_t offset) {
    literal(e, reg, (Literal){.label = label, .minus = NO_LABEL, .value = offset});
}

void emit_distance(Emit *e, unsigned reg, uint32_t from, uint32_t to) {
    literal(e, reg, (Literal){.label = to, .minus = from});
}

void emit_pool(Emit *e, bool jump) {
    enum { SOON = 640 };
    bool soon = emit_offset(e) - e->literals[0].load >= SOON || e->n_literals >= LITERALS_MAX / 2;
    if (e->n_literals == 0 || (jump && !soon)) {
        return;
    }
    uint32_t over = label_new(e);
    if (jump) {
        branch(e, ARM_ROW_B_T2, 0xe000, over, BRANCHES_MAX);
    }
    emit_align(e);
    for (unsigned i = 0; i < e->n_literals && !e->full; i++) {
        const Literal *l = &e->literals[i];
        uint8_t *load = &e->p->part[e->place].data[l->load];
        uint32_t distance = emit_offset(e) - ((l->load + 4) & ~3u);
        assert(distance < 1024);
        if (l->wide) {
            load[2] = (uint8_t)distance;
            load[3] |= (uint8_t)(distance >> 8);
        } else {
            load[0] = (uint8_t)(distance / 4);
        }
        if (l->label != NO_LABEL) {
            fix_add(e, (EmitFix){.kind = EMIT_WORD, .label = l->label, .minus = l->minus, .offset = l->value});
        }
        emit16(e, l->value);
        emit16(e, l->value >> 16);
    }
    e->n_literals = 0;
    label_set(e, over);
}

/* ---- Random instructions ---------------------------------------------------------------------------------------- */

unsigned emit_below(Emit *e, unsigned below) {
    return prog_below(&e->rng, below);
}

bool emit_chance(Emit *e, unsigned percent) {
    return prog_chance(&e->rng, percent);
}

unsigned emit_low(Emit *e) {
    uint32_t low = e->free & 0xff;
    assert(low);
    unsigned reg;
    do {
        reg = emit_below(e, 8);
    } while (!(low >> reg & 1));
    return reg;
}

static bool row_exists(const Emit *e, ArmRow row) {
    const ArmRowInfo *info = &arm_row_info[row];
    uint32_t features = e->p->target->features;
    return (features & info->when) == info->when && !(features & info->unless);
}

static bool computes(const Emit *e, ArmRow row) {
    const ArmRowInfo *info = &arm_row_info[row];
    bool computing = info->cls == ARM_CLASS_ALU || info->cls == ARM_CLASS_MUL || info->cls == ARM_CLASS_DIV;
    return computing && row_exists(e, row) && strcmp(info->body, "it") != 0;
}

uint32_t emit_choose_alu(Emit *e, unsigned bits, ArmRow *row) {
    for (;;) {
        *row = (ArmRow)emit_below(e, ARM_ROW_COUNT);
        uint32_t insn;
        ArmArgs args;
        /* Narrow ones more often, as compilers do; hints less often. */
        bool wide = arm_row_info[*row].bits == 32, hint = strcmp(arm_row_info[*row].body, "preload") == 0;
        if (!computes(e, *row) || (bits && arm_row_info[*row].bits != bits) || (hint && emit_chance(e, 90)) ||
            (wide && !bits && emit_chance(e, 60)) ||
            !arm_row_encode(*row, e->p->target->features, diff_random, &e->rng, &insn) ||
            arm_decode(insn, arm_row_info[*row].bits, e->p->target->features, &args) != *row) {
            continue;
        }
        if (!(diff_writes(*row, &args) & ~e->free)) {
            return insn;
        }
    }
}

void emit_alu(Emit *e, unsigned bits) {
    ArmRow row;
    uint32_t insn = emit_choose_alu(e, bits, &row);
    emit_insn(e, row, insn);
}

/* ---- Accesses --------------------------------------------------------------------------------------------------- */

static const char *const access_bodies[ACCESS_KINDS] = {
    "load_imm", "store_imm", "load_reg", "store_reg", "ldm", "stm", "ldrd", "strd", "ldrex", "strex",
};

/* The encoding with rn, rm and the list in their places, which are the same in all rows of a kind. */
static uint32_t with_operands(const Emit *e, AccessKind kind, unsigned bits, uint32_t insn, unsigned rn, unsigned rm) {
    bool many = kind == ACCESS_LDM || kind == ACCESS_STM;
    if (bits == 32) {
        insn = (insn & ~0xf0000u) | rn << 16;
        insn = kind == ACCESS_LOAD_REG || kind == ACCESS_STORE_REG ? (insn & ~0xfu) | rm : insn;
        return kind == ACCESS_LDM ? insn & (0xffff0000 | e->free) : many ? insn & 0xffff5fff : insn;
    }
    if (many) {
        insn = (insn & ~0x700u) | rn << 8;
        return kind == ACCESS_LDM ? insn & (0xff00 | e->free) : insn;
    }
    insn = (insn & ~0x38u) | rn << 3;
    return kind == ACCESS_LOAD_REG || kind == ACCESS_STORE_REG ? (insn & ~0x1c0u) | rm << 6 : insn;
}

/* Base and index of the decoded instruction are those that were asked for, and writeback only if it may be. */
static bool as_wanted(AccessKind kind, const ArmArgs *a, unsigned rn, unsigned rm, bool wback) {
    switch (kind) {
    case ACCESS_LOAD: return a->load_imm.rn == rn && (wback || !a->load_imm.mode);
    case ACCESS_STORE: return a->store_imm.rn == rn && (wback || !a->store_imm.mode);
    case ACCESS_LOAD_REG: return a->load_reg.rn == rn && a->load_reg.rm == rm;
    case ACCESS_STORE_REG: return a->store_reg.rn == rn && a->store_reg.rm == rm;
    case ACCESS_LDM: return a->ldm.rn == rn && (wback || !a->ldm.wback);
    case ACCESS_STM: return a->stm.rn == rn && (wback || !a->stm.wback);
    case ACCESS_LDRD: return a->ldrd.rn == rn && (wback || !a->ldrd.mode);
    case ACCESS_STRD: return a->strd.rn == rn && (wback || !a->strd.mode);
    case ACCESS_LDREX: return a->ldrex.rn == rn;
    default: return a->strex.rn == rn;
    }
}

bool emit_access(Emit *e, AccessKind kind, unsigned rn, unsigned rm, bool wback) {
    ArmRow rows[ARM_ROW_COUNT];
    unsigned n = 0;
    for (ArmRow row = 0; row < ARM_ROW_COUNT; row++) {
        bool narrow_misfit = arm_row_info[row].bits == 16 && (rn > 7 || rm > 7);
        if (strcmp(arm_row_info[row].body, access_bodies[kind]) == 0 && row_exists(e, row) && !narrow_misfit) {
            rows[n++] = row;
        }
    }
    uint32_t may_write = e->free | (wback ? 1u << rn : 0);
    for (unsigned tries = 0; n && tries < 300; tries++) {
        ArmRow row = rows[emit_below(e, n)];
        unsigned bits = arm_row_info[row].bits;
        uint32_t insn;
        ArmArgs args;
        if (!arm_row_encode(row, e->p->target->features, diff_random, &e->rng, &insn)) {
            continue;
        }
        insn = with_operands(e, kind, bits, insn, rn, rm);
        if (arm_decode(insn, bits, e->p->target->features, &args) == row && as_wanted(kind, &args, rn, rm, wback) &&
            !(diff_writes(row, &args) & ~may_write)) {
            emit_insn(e, row, insn);
            return true;
        }
    }
    return false;
}
