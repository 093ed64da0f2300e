/* Statements of generated programs become instructions. Registers: r7 points to data and r8 (ARMv7-M) to data in
 * another page, both never written; a loop keeps its counter in the highest free register of r3 to r6; everything else
 * that e->free allows is data. See progs.h. */
#include "progs_emit.h"

#include <assert.h>

static void body_stmt(Emit *e, uint16_t stmt);

void body_block(Emit *e, uint16_t block) {
    const Prog *p = e->p;
    for (uint16_t s = p->stmts[block].first; s != PROG_NONE && !e->full; s = p->stmts[s].next) {
        if (!p->dropped[s]) {
            body_stmt(e, s);
        }
    }
}

/* A statement of the body, with its own random numbers, does not disturb those of the one around it. */
static void inner_block(Emit *e, uint16_t block) {
    uint64_t rng = e->rng;
    body_block(e, block);
    e->rng = rng;
}

static void alu_run(Emit *e, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        emit_alu(e, 0);
    }
}

/* ---- Memory ----------------------------------------------------------------------------------------------------- */

void body_mem(Emit *e, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        unsigned base = emit_v7m(e) && emit_chance(e, 25) ? SPARE_REG : DATA_REG;
        unsigned x = emit_below(e, 20);
        AccessKind kind = !emit_v7m(e) || x < 16 ? (x & 1 ? ACCESS_STORE : ACCESS_LOAD)
                          : x < 18               ? ACCESS_LDRD
                                                 : ACCESS_STRD;
        emit_access(e, kind, base, 0, false);
    }
}

/* index = 0 to 255, from data; now and then anything, which faults. */
static void body_index(Emit *e) {
    uint32_t free = e->free;
    unsigned index = emit_low(e);
    if (!emit_chance(e, 3)) {
        emit16(e, 0xb2c0 | emit_below(e, 8) << 3 | index); /* uxtb */
    }
    unsigned base = emit_v7m(e) && emit_chance(e, 25) ? SPARE_REG : DATA_REG;
    for (unsigned n = 1 + emit_below(e, 2); n > 0; n--) {
        emit_access(e, emit_chance(e, 55) ? ACCESS_LOAD_REG : ACCESS_STORE_REG, base, index, false);
        e->free &= ~(1u << index);
        if (!(e->free & 0xff)) {
            break;
        }
    }
    e->free = free;
}

/* A pointer into the data, most often aligned, that accesses may move. */
static void body_pointer(Emit *e) {
    uint32_t free = e->free;
    unsigned pointer = emit_low(e);
    e->free &= ~(1u << pointer);
    uint32_t offset = emit_below(e, 0x80) * 4 + (emit_chance(e, 8) ? 1 + emit_below(e, 3) : 0);
    if (emit_chance(e, 40)) {
        emit_const(e, pointer, e->p->data + offset);
    } else {
        emit16(e, 0x4600 | DATA_REG << 3 | pointer); /* mov */
        emit16(e, 0x3000 | pointer << 8 | (offset & 0xff)); /* adds */
    }
    for (unsigned n = 1 + emit_below(e, 4); n > 0 && e->free & 0xff; n--) {
        static const uint8_t kinds[] = {ACCESS_LOAD, ACCESS_STORE, ACCESS_LDM, ACCESS_STM, ACCESS_LOAD, ACCESS_STORE,
                                        ACCESS_LDRD, ACCESS_STRD};
        emit_access(e, (AccessKind)kinds[emit_below(e, emit_v7m(e) ? 8 : 6)], pointer, 0, true);
        if (emit_chance(e, 40)) {
            emit_alu(e, 0);
        }
    }
    e->free = free;
}

static void body_exclusive(Emit *e) {
    uint32_t free = e->free;
    unsigned pointer = emit_low(e);
    e->free &= ~(1u << pointer);
    emit_const(e, pointer, e->p->data + 4 * emit_below(e, 32));
    emit_access(e, ACCESS_LDREX, pointer, 0, false);
    alu_run(e, emit_below(e, 3));
    emit_access(e, ACCESS_STREX, pointer, 0, false);
    if (emit_chance(e, 10)) {
        emit32(e, 0xf3bf8f2f); /* clrex */
    }
    e->free = free;
}

static void body_device(Emit *e) {
    const ProgTarget *target = e->p->target;
    const ProgDevice *d = &target->devices[emit_below(e, target->n_devices)];
    uint32_t free = e->free;
    unsigned pointer = emit_low(e);
    e->free &= ~(1u << pointer);
    if (!(e->free & 0xff)) {
        e->free = free;
        return;
    }
    unsigned value = emit_low(e);
    if (d->write && emit_chance(e, 60)) {
        emit_const(e, value, emit_below(e, 0xffff) & d->mask);
        emit_const(e, pointer, d->addr);
        emit16(e, 0x6000 | pointer << 3 | value); /* str */
    } else {
        emit_const(e, pointer, d->addr);
    }
    emit16(e, 0x6800 | pointer << 3 | value); /* ldr */
    e->free = free;
}

/* ---- Control ---------------------------------------------------------------------------------------------------- */

/* A jump if some flag that is there, or that a comparison sets now, is so. */
static void random_branch(Emit *e, uint32_t label) {
    if (emit_v7m(e) && emit_chance(e, 20)) {
        emit_cbz(e, emit_below(e, 8), emit_chance(e, 50), label);
        return;
    }
    if (emit_chance(e, 60)) {
        uint32_t free = e->free;
        e->free = emit_chance(e, 60) ? 0 : free; /* a comparison, or anything that may set flags */
        emit_alu(e, 0);
        e->free = free;
    }
    emit_b(e, emit_below(e, 14), label);
}

static void body_if(Emit *e, const Stmt *s) {
    uint32_t otherwise = label_new(e), end = label_new(e);
    uint16_t other = e->p->stmts[s->first].next;
    random_branch(e, otherwise);
    inner_block(e, s->first);
    if (other != PROG_NONE) {
        emit_b(e, AL, end);
        emit_pool(e, true);
    }
    label_set(e, otherwise);
    if (other != PROG_NONE) {
        inner_block(e, other);
    }
    label_set(e, end);
}

static void body_it(Emit *e) {
    uint32_t insn, end = label_new(e);
    ArmArgs args;
    do {
        insn = 0xbf00 | emit_below(e, 15) << 4 | (1 + emit_below(e, 15));
    } while (arm_decode(insn, 16, e->p->target->features, &args) != ARM_ROW_IT_T1);
    unsigned n = 4 - (unsigned)__builtin_ctz(insn & 15);
    emit16(e, insn);
    for (unsigned i = 0; i < n; i++) {
        unsigned x = emit_below(e, 10);
        if (x < 3 && emit_access(e, x ? ACCESS_LOAD : ACCESS_STORE, DATA_REG, 0, false)) {
            continue;
        }
        if (x == 3 && i == n - 1) {
            emit_b(e, AL, end);
            break;
        }
        emit_alu(e, 0);
    }
    alu_run(e, emit_below(e, 3));
    label_set(e, end);
}

/* Highest free register of r3 to r6 if three low ones are left then, else -1. */
static int take_counter(Emit *e) {
    for (int reg = 6; reg >= 3; reg--) {
        if (e->free >> reg & 1 && __builtin_popcount(e->free & 0xff) > 3) {
            e->free &= ~(1u << reg);
            return reg;
        }
    }
    return -1;
}

/* What may stand between setting flags and using them: a block border, accesses. */
static void between_flags(Emit *e) {
    if (emit_chance(e, 25)) {
        body_mem(e, 1);
    }
    if (emit_chance(e, 25)) {
        uint32_t next = label_new(e);
        emit_b(e, AL, next);
        label_set(e, next);
    }
    if (emit_chance(e, 15)) {
        body_mem(e, 1);
    }
}

enum { MI = 4, PL = 5, LT = 11, EQ = 0, NE = 1, CC = 3, CS = 2 };

/* Counts down to 0, up to the trips, or tests at the top; perhaps with a second way out. */
static void body_loop(Emit *e, const Stmt *s) {
    uint32_t free = e->free, outer = e->break_label, top = label_new(e), test = label_new(e), end = label_new(e);
    int counter = take_counter(e);
    if (counter < 0) {
        inner_block(e, s->first);
        return;
    }
    uint32_t c = (uint32_t)counter;
    unsigned style = emit_below(e, 6);
    e->break_label = end;
    emit16(e, 0x2000 | c << 8 | (style == 1 || style == 2 ? 0 : s->trips)); /* movs */
    if (style == 3) {
        emit_b(e, AL, test);
    }
    label_set(e, top);
    if (style == 4) {
        emit_cbz(e, c, false, end);
    }
    inner_block(e, s->first);
    if (style == 5) {
        random_branch(e, end);
    }
    label_set(e, test);
    emit16(e, (style == 1 || style == 2 ? 0x3001 : 0x3801) | c << 8); /* adds, subs */
    if (style == 1 || style == 2) {
        emit16(e, 0x2800 | c << 8 | s->trips); /* cmp */
    }
    between_flags(e);
    if (style == 4) {
        emit_b(e, AL, top);
    } else {
        static const uint8_t conditions[] = {NE, CC, LT, PL, AL, NE};
        emit_b(e, conditions[style], top);
    }
    emit_pool(e, true);
    label_set(e, end);
    e->break_label = outer;
    e->free = free;
}

/* A function behind this one, or 0 if there is none. */
static unsigned callee(Emit *e) {
    unsigned first = e->fn_index + 1 < FN_FIRST ? FN_FIRST : e->fn_index + 1;
    return first < e->p->n_fns ? first + emit_below(e, e->p->n_fns - first) : 0;
}

static void body_call(Emit *e) {
    unsigned f = callee(e), other = callee(e);
    if (!f) {
        return;
    }
    uint32_t low = e->free & 0x0f;
    unsigned target = low ? (unsigned)__builtin_ctz(low) : 0, index = 31 - (unsigned)__builtin_clz(low | 1);
    if (low && index != target && emit_chance(e, 20)) { /* a table of functions */
        uint32_t table = label_new(e), over = label_new(e);
        emit16(e, 0x07c0 | emit_below(e, 8) << 3 | index); /* lsls #31 */
        emit16(e, 0x0f40 | index << 3 | index); /* lsrs #29: 0 or 4 */
        emit_addr(e, target, table, 0);
        emit16(e, 0x5800 | index << 6 | target << 3 | target); /* ldr */
        emit16(e, 0x4780 | target << 3); /* blx */
        emit_b(e, AL, over);
        emit_align(e);
        label_set(e, table);
        emit_word(e, e->entry[f], 1);
        emit_word(e, e->entry[other], 1);
        label_set(e, over);
    } else if (low && (e->p->fns[f].place != e->place || emit_chance(e, 25))) {
        emit_addr(e, target, e->entry[f], 1 + (emit_chance(e, 30) ? e->p->target->alias : 0));
        emit16(e, 0x4780 | target << 3);
    } else if (e->p->fns[f].place == e->place) {
        emit_bl(e, e->entry[f]);
    }
}

static void switch_jump(Emit *e, unsigned index, const uint32_t *cases) {
    uint32_t base = label_new(e);
    unsigned style = emit_v7m(e) ? emit_below(e, 3) : 2;
    if (style < 2) {
        emit32(e, 0xe8dff000 | style << 4 | index); /* tbb, tbh [pc, index] */
        label_set(e, base);
        for (unsigned i = 0; i < 4; i++) {
            emit_table_entry(e, style, cases[i], base);
        }
        return;
    }
    uint32_t free = e->free;
    e->free &= ~(1u << index);
    unsigned target = emit_low(e);
    emit16(e, 0x0080 | index << 3 | index); /* lsls #2 */
    emit_addr(e, target, base, 0);
    emit16(e, 0x5800 | index << 6 | target << 3 | target); /* ldr */
    emit16(e, emit_chance(e, 50) ? 0x4700 | target << 3 : 0x4687 | target << 3); /* bx, mov pc */
    emit_align(e);
    label_set(e, base);
    for (unsigned i = 0; i < 4; i++) {
        emit_word(e, cases[i], 1);
    }
    e->free = free;
}

/* Cases may turn out too far away for a table of bytes: then what it says is wrong, but it says it to all engines. */
static void body_switch(Emit *e, const Stmt *s) {
    uint32_t cases[4], end = label_new(e);
    unsigned index = emit_low(e);
    emit16(e, 0x0780 | emit_below(e, 8) << 3 | index); /* lsls #30 */
    emit16(e, 0x0f80 | index << 3 | index); /* lsrs #30 */
    for (unsigned i = 0; i < 4; i++) {
        cases[i] = label_new(e);
    }
    if (__builtin_popcount(e->free & 0xff) < 2) {
        return;
    }
    switch_jump(e, index, cases);
    uint16_t child = s->first;
    for (unsigned i = 0; i < 4; i++, child = e->p->stmts[child].next) {
        label_set(e, cases[i]);
        inner_block(e, child);
        if (!emit_chance(e, 20)) { /* else: falls through */
            emit_b(e, AL, end);
        }
        emit_pool(e, true);
    }
    label_set(e, end);
}

/* ADC and SBC chains: the carry lives over what comes between. */
static void body_chain(Emit *e) {
    emit16(e, 0x1800 | emit_below(e, 0x200 / 8) << 3 | emit_low(e)); /* adds */
    for (unsigned n = 1 + emit_below(e, 3); n > 0; n--) {
        between_flags(e);
        emit16(e, (emit_chance(e, 50) ? 0x4140 : 0x4180) | emit_below(e, 8) << 3 | emit_low(e)); /* adcs, sbcs */
    }
    if (emit_chance(e, 50)) {
        uint32_t over = label_new(e);
        between_flags(e);
        emit_b(e, emit_below(e, 14), over);
        alu_run(e, 1);
        label_set(e, over);
    }
}

static void body_recurse(Emit *e) {
    uint32_t skip = label_new(e), low = e->free & 0x0f;
    unsigned pointer = (unsigned)__builtin_ctz(low), depth = 31 - (unsigned)__builtin_clz(low);
    emit_const(e, pointer, e->p->target->control + 8);
    emit16(e, 0x6800 | pointer << 3 | depth);
    emit16(e, 0x2800 | depth << 8 | (2 + emit_below(e, 5)));
    emit_b(e, CS, skip);
    emit16(e, 0x3001 | depth << 8);
    emit16(e, 0x6000 | pointer << 3 | depth);
    emit_bl(e, e->entry[e->fn_index]);
    emit_const(e, pointer, e->p->target->control + 8);
    emit16(e, 0x6800 | pointer << 3 | depth);
    emit16(e, 0x3801 | depth << 8);
    emit16(e, 0x6000 | pointer << 3 | depth);
    label_set(e, skip);
}

static void body_stack(Emit *e, const Stmt *s) {
    uint32_t list = (e->free & 0xff) & (1 + emit_below(e, 255)), outer = e->break_label;
    list = list ? list : e->free & 0xff;
    e->break_label = NO_LABEL;
    if (emit_chance(e, 30)) {
        emit16(e, 0xb082); /* sub sp, #8 */
        inner_block(e, s->first);
        emit16(e, 0xb002);
    } else {
        emit16(e, 0xb400 | list);
        inner_block(e, s->first);
        emit16(e, 0xbc00 | list);
    }
    e->break_label = outer;
}

/* ---- Exceptions and system instructions ------------------------------------------------------------------------- */

static void body_fault(Emit *e) {
    static const uint32_t nowhere[] = {0x30000000, 0x60000002, 0xa0000008, 0xdffffffc, 0x1fffffff, 0x40fffff0,
                                       0xe0050000, 0x0000fffd};
    uint32_t free = e->free;
    unsigned pointer = emit_low(e), x = emit_below(e, 20);
    e->free &= ~(1u << pointer);
    if (x == 0) {
        emit16(e, 0xde00 | emit_below(e, 256)); /* udf */
    } else if (x == 1 && emit_v7m(e)) {
        emit32(e, 0xfb90f0f0 | emit_below(e, 8) << 16 | pointer << 8 | emit_below(e, 8)); /* sdiv */
    } else {
        uint32_t end = emit_v7m(e) ? 0x20800000 : 0x20004000; /* of the RAM: the middle of an LDM, STM faults */
        emit_const(e, pointer, emit_chance(e, 30) ? end - 4 * emit_below(e, 4) : nowhere[emit_below(e, 8)]);
        static const uint8_t kinds[] = {ACCESS_LOAD, ACCESS_STORE, ACCESS_LDM, ACCESS_STM, ACCESS_LDRD, ACCESS_STRD};
        if (e->free & 0xff) {
            emit_access(e, (AccessKind)kinds[emit_below(e, emit_v7m(e) ? 6 : 4)], pointer, 0, true);
        }
    }
    e->free = free;
}

/* The protection unit, which takes a part of the data away: the interpreter takes over and gives back. */
static void body_protect(Emit *e) {
    uint32_t free = e->free;
    unsigned pointer = emit_low(e);
    e->free &= ~(1u << pointer);
    if (e->free & 0xff) {
        unsigned value = emit_low(e);
        emit_const(e, pointer, 0xe000ed94); /* MPU_CTRL */
        emit_const(e, value, 5);
        emit16(e, 0x6000 | pointer << 3 | value); /* str */
        alu_run(e, emit_below(e, 3));
        body_mem(e, 1 + emit_below(e, 3));
        emit_const(e, value, 0);
        emit_const(e, pointer, 0xe000ed94);
        emit16(e, 0x6000 | pointer << 3 | value);
    }
    e->free = free;
}

static void body_mask(Emit *e) {
    unsigned reg = emit_low(e), x = emit_below(e, emit_v7m(e) ? 7 : 4);
    switch (x) {
    case 0: case 1: /* cpsid i; ...; cpsie i */
        emit16(e, 0xb672);
        alu_run(e, emit_below(e, 4));
        body_mem(e, emit_below(e, 2));
        emit16(e, 0xb662);
        break;
    case 2:
        emit32(e, 0xf3808800 | reg << 16); /* msr apsr, reg */
        break;
    case 3:
        emit32(e, 0xf3ef8000 | reg << 8 | (emit_chance(e, 50) ? 0 : 16)); /* mrs reg, apsr or primask */
        break;
    case 4:
        body_protect(e);
        break;
    default: /* basepri = 0x20 to 0xe0; ...; basepri = 0 */
        emit16(e, 0x2000 | reg << 8 | 0x20 * (1 + emit_below(e, 7)));
        emit32(e, 0xf3808811 | reg << 16);
        alu_run(e, emit_below(e, 4));
        emit16(e, 0x2000 | reg << 8);
        emit32(e, 0xf3808811 | reg << 16);
    }
}

static void body_pend(Emit *e) {
    uint32_t free = e->free;
    unsigned pointer = emit_low(e);
    bool timer = emit_chance(e, 40);
    emit_const(e, pointer, timer ? 0xe000e200 : 0xe000ed04); /* ISPR, ICSR */
    e->free &= ~(1u << pointer);
    if (e->free & 0xff) {
        unsigned value = emit_low(e);
        emit_const(e, value, timer ? 1u << e->p->target->timer_irq : emit_chance(e, 50) ? 1u << 28 : 1u << 26);
        emit16(e, 0x6000 | pointer << 3 | value);
    }
    e->free = free;
}

static void body_sleep(Emit *e) {
    static const uint16_t hints[] = {0xbf30, 0xbf30, 0xbf20, 0xbf40}; /* wfi, wfe, sev */
    emit16(e, hints[emit_below(e, 4)]);
}

static void body_break(Emit *e) {
    if (e->break_label != NO_LABEL) {
        random_branch(e, e->break_label);
    }
}

static void body_stmt(Emit *e, uint16_t stmt) {
    const Stmt *s = &e->p->stmts[stmt];
    uint64_t rng = e->rng;
    e->rng = s->seed;
    emit_pool(e, true);
    switch ((StmtKind)s->kind) {
    case STMT_ALU: alu_run(e, 1 + emit_below(e, 6)); break;
    case STMT_MEM: body_mem(e, 1 + emit_below(e, 4)); break;
    case STMT_INDEX: body_index(e); break;
    case STMT_POINTER: body_pointer(e); break;
    case STMT_IF: body_if(e, s); break;
    case STMT_IT: body_it(e); break;
    case STMT_LOOP: body_loop(e, s); break;
    case STMT_BREAK: body_break(e); break;
    case STMT_CALL: body_call(e); break;
    case STMT_SWITCH: body_switch(e, s); break;
    case STMT_DEVICE: body_device(e); break;
    case STMT_FAULT: body_fault(e); break;
    case STMT_SVC: emit16(e, 0xdf00 | emit_below(e, 256)); break;
    case STMT_MASK: body_mask(e); break;
    case STMT_SLEEP: body_sleep(e); break;
    case STMT_CHAIN: body_chain(e); break;
    case STMT_EXCLUSIVE: body_exclusive(e); break;
    case STMT_STACK: body_stack(e, s); break;
    case STMT_RECURSE: body_recurse(e); break;
    case STMT_PEND: body_pend(e); break;
    case STMT_SLOT: self_slot(e, stmt); break;
    case STMT_PATCH: self_patch(e, s); break;
    case STMT_COPY: self_copy(e); break;
    case STMT_BLOCK: case STMT_KINDS: assert(false);
    }
    e->rng = rng;
}
