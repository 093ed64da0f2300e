/* Statements that change code. A slot is eight bytes of code with four contents, equal in length; a patch writes one of
 * them, or a part of it, over it: with stores of each size, with STM, through an alias, bit by bit. A copy moves a
 * function into RAM, over the one that was there, and calls it. See progs.h. */
#include "progs_emit.h"

/* ---- Slots ------------------------------------------------------------------------------------------------------ */

enum { ROOM = PROG_SLOT_BYTES / 2, NOP = 0xbf00 };

/* What stands at halfword `at` of a slot: an instruction of `bits`. */
static uint32_t slot_insn(Emit *e, unsigned at, unsigned bits) {
    ArmRow row;
    unsigned x = emit_below(e, 100);
    if (bits == 16 && at + 1 < ROOM && x >= 82) {
        return x < 88 ? 0xe000 : 0xd000 | emit_below(e, 14) << 8; /* over the next halfword */
    }
    if (bits == 16 && x < 4) {
        return x == 0 ? 0xde00 : x == 1 ? 0xdf00 : NOP; /* udf, svc */
    }
    if (bits == 16 && x < 12) {
        return 0x6000 | (x & 1) << 11 | emit_below(e, 32) << 6 | DATA_REG << 3 | (x & 1 ? emit_low(e) : x & 7);
    }
    return emit_choose_alu(e, bits, &row);
}

/* Shapes: halfwords at which 32-bit instructions begin, as bits. */
static void fill(Emit *e, uint16_t *halfwords, unsigned shape) {
    for (unsigned at = 0; at < ROOM;) {
        unsigned bits = shape >> at & 1 && at + 1 < ROOM ? 32 : 16;
        uint32_t insn = slot_insn(e, at, bits);
        if (bits == 32) {
            halfwords[at++] = (uint16_t)(insn >> 16);
        }
        halfwords[at++] = (uint16_t)insn;
    }
}

static int slot_of(const Prog *p, uint16_t stmt) {
    for (unsigned i = 0; i < p->n_slots; i++) {
        if (p->slots[i].stmt == stmt) {
            return (int)i;
        }
    }
    return -1;
}

/* Fill bytes that are jumped over, so that the slot straddles the border of a granule or a page. */
static void go_to_border(Emit *e) {
    uint32_t over = label_new(e), unit = emit_chance(e, 10) ? 0x1000 : 64;
    uint32_t before = 2 * (1 + emit_below(e, 3)), here = emit_here(e) + 2;
    uint32_t n = (unit - before - here % unit) % unit;
    if (n <= 0x200) {
        emit_b(e, AL, over);
        for (; n > 0 && emit_here(e) % unit != unit - before; n--) {
            emit16(e, NOP);
        }
        label_set(e, over);
    }
}

void self_slot(Emit *e, uint16_t stmt) {
    static const uint8_t shapes[] = {0, 0, 1, 2, 4, 5};
    int k = slot_of(e->p, stmt);
    ProgSlot *slot = &e->p->slots[k];
    bool mixed = emit_chance(e, 30);
    unsigned shape = emit_v7m(e) ? shapes[emit_below(e, sizeof shapes)] : 0;
    for (unsigned i = 0; i < PROG_ALTS; i++) {
        fill(e, slot->alts[i], emit_v7m(e) && mixed ? shapes[emit_below(e, sizeof shapes)] : shape);
    }
    if (emit_chance(e, 35)) {
        go_to_border(e);
    }
    if (!emit_v7m(e)) {
        emit_align(e);
    }
    label_set(e, e->slot[k]);
    for (unsigned i = 0; i < ROOM; i++) {
        emit16(e, slot->alts[0][i]);
    }
}

void self_tables(Emit *e) {
    emit_align(e);
    for (unsigned k = 0; k < e->p->n_slots; k++) {
        label_set(e, e->alts[k]);
        for (unsigned i = 0; i < PROG_ALTS * ROOM; i++) {
            emit16(e, e->p->slots[k].alts[i / ROOM][i % ROOM]);
        }
    }
}

/* ---- Patches ---------------------------------------------------------------------------------------------------- */

typedef struct Regs {
    unsigned from, to, value, other; /* low registers; other = value if there is no fourth one */
} Regs;

static bool take_regs(Emit *e, Regs *r) {
    unsigned found[4], n = 0;
    for (unsigned reg = 0; reg < 8 && n < 4; reg++) {
        if (e->free >> reg & 1) {
            found[n++] = reg;
        }
    }
    if (n < 3) {
        return false;
    }
    *r = (Regs){found[0], found[1], found[2], found[n - 1]};
    return true;
}

/* Goes on behind only every 2^n-th time, the first time included; r->value counts those. Without a counter every time,
 * and r->value is what it was. */
static void every(Emit *e, const Regs *r, unsigned which, uint32_t skip) {
    unsigned n = emit_chance(e, 60) ? 1 + emit_below(e, 8) : 0;
    if (n == 0) {
        return;
    }
    emit_const(e, r->from, e->p->target->control + 0x20 + 4 * which);
    emit16(e, 0x6800 | r->from << 3 | r->value); /* ldr */
    emit16(e, 0x1c40 | r->value << 3 | r->to); /* adds #1 */
    emit16(e, 0x6000 | r->from << 3 | r->to); /* str */
    emit16(e, (32 - n) << 6 | r->value << 3 | r->to); /* lsls */
    emit_b(e, 1 /* NE */, skip);
    emit16(e, 0x0800 | n << 6 | r->value << 3 | r->value); /* lsrs */
}

static void barriers(Emit *e) {
    if (emit_chance(e, 40)) {
        emit32(e, 0xf3bf8f4f); /* dsb */
    }
    if (emit_chance(e, 40)) {
        emit32(e, 0xf3bf8f6f); /* isb */
    }
}

static void store_halves(Emit *e, const Regs *r) {
    unsigned first = emit_below(e, ROOM), last = first + emit_below(e, ROOM - first);
    for (unsigned i = first; i <= last; i++) {
        emit16(e, 0x8800 | i << 6 | r->from << 3 | r->value); /* ldrh */
        emit16(e, 0x8000 | i << 6 | r->to << 3 | r->value); /* strh */
    }
}

static void store_words(Emit *e, const Regs *r) {
    unsigned which = emit_below(e, 3); /* the first, the second, both */
    for (unsigned i = 0; i < 2; i++) {
        if (which == 2 || which == i) {
            emit16(e, 0x6800 | i << 6 | r->from << 3 | r->value);
            emit16(e, 0x6000 | i << 6 | r->to << 3 | r->value);
        }
    }
}

static void store_multiple(Emit *e, const Regs *r) {
    uint32_t list = 1u << r->value | 1u << r->other;
    emit16(e, 0xc800 | r->from << 8 | list);
    emit16(e, 0xc000 | r->to << 8 | list);
}

static void store_byte(Emit *e, const Regs *r) {
    unsigned i = emit_below(e, PROG_SLOT_BYTES);
    emit16(e, 0x7800 | i << 6 | r->from << 3 | r->value);
    emit16(e, 0x7000 | i << 6 | r->to << 3 | r->value);
}

static void store_bit(Emit *e, const Regs *r) {
    emit_const(e, r->from, e->p->target->bitband + 4 * emit_below(e, 7));
    emit16(e, 0x08c0 | r->value << 3 | r->value); /* lsrs #3 */
    emit16(e, 0x0140 | r->to << 3 | r->to); /* lsls #5: the high bits go */
    emit16(e, 0x5000 | r->from << 6 | r->to << 3 | r->value); /* str */
}

/* Most often a slot near by: the one that comes next, or one of this function. */
static unsigned choose_slot(Emit *e, const Stmt *s) {
    const Prog *p = e->p;
    int next = s->next == PROG_NONE ? -1 : slot_of(p, s->next);
    if (next >= 0 && emit_chance(e, 70)) {
        return (unsigned)next;
    }
    unsigned k = emit_below(e, p->n_slots);
    for (unsigned tries = emit_below(e, 8); tries > 0 && p->slots[k].fn != e->fn_index; tries--) {
        k = emit_below(e, p->n_slots);
    }
    return k;
}

void self_patch(Emit *e, const Stmt *s) {
    Prog *p = e->p;
    Regs r;
    if (p->n_slots == 0 || !take_regs(e, &r)) {
        return;
    }
    unsigned k = choose_slot(e, s), method = emit_below(e, 6);
    uint32_t skip = label_new(e), alias = emit_chance(e, 25) ? p->target->alias : 0;
    every(e, &r, k, skip);
    emit16(e, 0x0780 | r.value << 3 | r.value); /* lsls #30, lsrs #27: offset of one of the four contents */
    emit16(e, 0x0ec0 | r.value << 3 | r.value);
    emit_addr(e, r.from, e->alts[k], 0);
    emit16(e, 0x1800 | r.value << 6 | r.from << 3 | r.from); /* adds */
    bool bit = method == 4 && p->target->bitband && p->fns[p->slots[k].fn].place == PROG_RAM;
    emit_addr(e, r.to, e->slot[k], bit ? 0 : alias);
    switch (method) {
    case 0: store_words(e, &r); break;
    case 1: store_multiple(e, &r); break;
    case 2: store_byte(e, &r); break;
    case 3: case 4:
        if (bit) {
            store_bit(e, &r);
            break;
        } /* fallthrough */
    default: store_halves(e, &r);
    }
    barriers(e);
    label_set(e, skip);
}

/* ---- Copies ----------------------------------------------------------------------------------------------------- */

static unsigned choose_leaf(Emit *e) {
    const Prog *p = e->p;
    unsigned leaves[PROG_FNS_MAX], n = 0;
    for (unsigned f = FN_FIRST; f < p->n_fns; f++) {
        if (p->fns[f].kind == FN_LEAF) {
            leaves[n++] = f;
        }
    }
    return n ? leaves[emit_below(e, n)] : 0;
}

void self_copy(Emit *e) {
    static const struct {
        uint16_t step, load, store;
    } ways[] = {{4, 0x5800, 0x5000}, {2, 0x5a00, 0x5200}, {1, 0x5c00, 0x5400}};
    Regs r;
    unsigned f = choose_leaf(e), way = emit_below(e, 3);
    if (!f || !take_regs(e, &r) || r.other == r.value) {
        return;
    }
    uint32_t alias = emit_chance(e, 20) ? e->p->target->alias : 0;
    uint32_t run_alias = emit_chance(e, 30) ? e->p->target->alias : 0;
    uint32_t copy = e->p->target->copies + 4 * emit_below(e, 8) + 0x20 * emit_below(e, 2);
    uint32_t skip = label_new(e), loop = label_new(e);
    every(e, &r, PROG_SLOTS_MAX + emit_below(e, 4), skip);
    emit_addr(e, r.from, e->entry[f], 0);
    emit_const(e, r.to, copy + alias);
    emit_distance(e, r.value, e->entry[f], e->end[f]);
    label_set(e, loop);
    emit16(e, 0x3800 | r.value << 8 | ways[way].step); /* subs */
    emit16(e, ways[way].load | r.value << 6 | r.from << 3 | r.other);
    emit16(e, ways[way].store | r.value << 6 | r.to << 3 | r.other);
    emit_b(e, 1 /* NE */, loop);
    barriers(e);
    label_set(e, skip);
    emit_const(e, r.to, (copy + run_alias) | 1);
    emit16(e, 0x4780 | r.to << 3); /* blx */
}
