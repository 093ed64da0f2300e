/* Images of generated programs: start-up code, handlers, functions; short branches that do not reach are made long and
 * all is made again. See progs.h. */
#include "progs_emit.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { PASSES_MAX = 60, DATA_REACH = 0x404 /* of negative offsets */, COPY_BYTES_MAX = 0x800 };

/* ---- Fixed code ------------------------------------------------------------------------------------------------- */

static void set_word(Emit *e, uint32_t addr, uint32_t value) {
    emit_const(e, 0, addr);
    emit_const(e, 1, value);
    emit16(e, 0x6001); /* str r1, [r0] */
}

static void set_up_v7m(Emit *e) {
    set_word(e, 0xe000ed14, 0x200 | (emit_chance(e, 15) ? 8 : 0) | (emit_chance(e, 40) ? 0x10 : 0)); /* CCR */
    set_word(e, 0xe000ed24, emit_chance(e, 50) ? 0x70000 : 0); /* SHCSR */
    set_word(e, 0xe000ed9c, (e->p->data & ~0xffu) | 0x110); /* MPU: region 0, 256 bytes, read-only or nothing */
    set_word(e, 0xe000eda0, 0x1000000f | emit_below(e, 2) << 26 | emit_below(e, 2) << 25);
    set_word(e, 0xe000edfc, 1u << 24); /* DEMCR, DWT */
    set_word(e, 0xe0001000, 1);
    set_word(e, 0x40004010, 16); /* baud rate */
    set_word(e, 0x40004008, 3);
    if (e->p->timer) {
        set_word(e, 0x40000008, 203 + emit_below(e, 5000));
        set_word(e, 0x40000000, 9);
    }
}

static void set_up_v6m(Emit *e) {
    set_word(e, 0x40002500, 4); /* UART on */
    if (e->p->timer) {
        set_word(e, 0x40008200, 1); /* compare 0 clears */
        set_word(e, 0x40008510, 0);
        set_word(e, 0x40008540, 203 + emit_below(e, 5000));
        set_word(e, 0x40008304, 1u << 16);
        set_word(e, 0x40008000, 1);
    }
}

/* Handlers use it, too. */
static void set_spare(Emit *e) {
    emit_const(e, 0, e->p->target->spare);
    emit16(e, 0x4680); /* mov r8, r0 */
}

static void emit_reset(Emit *e) {
    e->place = PROG_ROM;
    e->rng = e->p->fns[FN_MAIN].seed ^ 1;
    set_spare(e);
    if (emit_v7m(e)) {
        set_up_v7m(e);
    } else {
        set_up_v6m(e);
    }
    set_word(e, 0xe000ed20, emit_below(e, 4) << 30 | emit_below(e, 4) << 22); /* priorities: SysTick, PendSV */
    set_word(e, 0xe000ed1c, emit_below(e, 4) << 30); /* SVC */
    if (e->p->timer) {
        set_word(e, 0xe000e400 + e->p->target->timer_irq, emit_below(e, 4) << 6);
        set_word(e, 0xe000e100, 1u << e->p->target->timer_irq);
    }
    if (e->p->systick) {
        set_word(e, 0xe000e014, emit_chance(e, 20) ? 61 + emit_below(e, 100) : 97 + emit_below(e, 5000));
        set_word(e, 0xe000e018, 0);
        set_word(e, 0xe000e010, 7);
    }
    emit_pool(e, true);
}

/* Where main begins, and where a program comes back to that has lost its way. */
static void emit_restart(Emit *e) {
    emit_const(e, 0, e->p->target->stack);
    emit16(e, 0x4685); /* mov sp, r0 */
    emit16(e, 0x2000);
    if (emit_v7m(e)) {
        emit32(e, 0xf3808811); /* msr basepri, r0 */
    }
    emit16(e, 0xb662); /* cpsie i */
    emit_const(e, 1, e->p->target->control + 8);
    emit16(e, 0x6008); /* str r0, [r1]: no recursion */
    for (unsigned high = 9; high <= 12; high++) {
        emit_const(e, 0, (uint32_t)diff_random(&e->rng));
        emit16(e, 0x4680 | (high & 7)); /* mov high, r0 */
    }
    set_spare(e);
    for (unsigned reg = 0; reg < 7; reg++) {
        emit_const(e, reg, (uint32_t)diff_random(&e->rng));
    }
    emit_const(e, DATA_REG, e->p->data);
    emit_pool(e, true);
}

/* r1 = stacked PC, without the alias. Branches to `fine` if it is in the code at base. */
static void test_range(Emit *e, uint32_t base, uint32_t bytes, uint32_t fine) {
    emit_const(e, 2, base);
    emit16(e, 0x1a8b); /* subs r3, r1, r2 */
    emit_const(e, 2, bytes);
    emit16(e, 0x4293); /* cmp r3, r2 */
    emit_b(e, 3, fine);
}

/* Goes on behind the instruction that faulted, or at the restart if it is not ours. */
static void emit_fault_handler(Emit *e, uint32_t restart) {
    const ProgTarget *t = e->p->target;
    uint32_t fine = label_new(e), wide = label_new(e), end = label_new(e);
    emit32(e, 0xf3ef8008); /* mrs r0, msp */
    emit_const(e, 1, t->control + 12);
    emit16(e, 0x680a); /* ldr r2, [r1] */
    emit16(e, 0x3201);
    emit16(e, 0x600a); /* str r2, [r1]: faults so far */
    emit16(e, 0x6981); /* ldr r1, [r0, #24] */
    emit_const(e, 2, t->alias);
    emit16(e, 0x4391); /* bics r1, r2 */
    test_range(e, t->rom, t->rom_bytes + 0x1800, fine);
    test_range(e, t->ram, t->ram_bytes + 0x1800, fine);
    test_range(e, t->copies, 0x800, fine);
    emit_addr(e, 1, restart, 1);
    emit_b(e, AL, end);
    label_set(e, fine);
    emit16(e, 0x6981);
    emit16(e, 0x880a); /* ldrh r2, [r1] */
    emit16(e, 0x0ad2); /* lsrs r2, #11 */
    emit16(e, 0x2a1d);
    emit_b(e, 2, wide);
    emit16(e, 0x3902); /* subs r1, #2 */
    label_set(e, wide);
    emit16(e, 0x3104); /* adds r1, #4 */
    label_set(e, end);
    emit16(e, 0x6181); /* str r1, [r0, #24] */
    emit16(e, 0x69c1); /* ldr r1, [r0, #28] */
    emit_const(e, 2, emit_chance(e, 70) ? 0x0600fc00 : 0); /* the rest of an IT block goes on, or not */
    emit16(e, 0x4391); /* bics */
    emit_const(e, 2, 1u << 24);
    emit16(e, 0x4311); /* orrs: Thumb */
    emit16(e, 0x61c1);
    emit16(e, 0x4770);
    emit_pool(e, false);
}

static void emit_svc_handler(Emit *e) {
    emit_const(e, 0, e->p->target->control + 4);
    emit16(e, 0x6801);
    emit16(e, 0x3101);
    emit16(e, 0x6001);
    emit16(e, 0x4770);
    emit_pool(e, false);
}

/* ---- Functions -------------------------------------------------------------------------------------------------- */

static void prologue(Emit *e, unsigned f) {
    enum { SCRATCH = 0x100f, SAVED = 0x0070, HIGH_V7M = 0x0e00, HIGH_V6M = 0x0f00, LINK = 0x4000 };
    uint32_t thread = SCRATCH | (emit_v7m(e) ? HIGH_V7M : HIGH_V6M);
    switch (e->fn->kind) {
    case FN_LEAF:
        e->free = thread;
        break;
    case FN_HANDLER:
        e->free = SCRATCH | SAVED;
        emit16(e, 0xb5f0); /* push {r4-r7, lr} */
        emit_const(e, DATA_REG, e->p->data);
        if (f == FN_TIMER) { /* clear it */
            emit_const(e, 0, emit_v7m(e) ? 0x4000000c : 0x40008140);
            emit_const(e, 1, emit_v7m(e));
            emit16(e, 0x6001);
        }
        break;
    default:
        e->free = thread | SAVED | LINK;
        if (e->fn->kind == FN_FULL) {
            emit16(e, 0xb570); /* push {r4-r6, lr} */
        }
    }
}

/* Returns, or goes on as another function. */
static void epilogue(Emit *e, unsigned f) {
    unsigned next = f + 1;
    bool tail = next < e->p->n_fns && e->p->fns[next].place == e->place && emit_chance(e, 15);
    switch (e->fn->kind) {
    case FN_LEAF:
        emit16(e, 0x4770);
        break;
    case FN_HANDLER:
        emit16(e, 0xbdf0);
        break;
    case FN_FULL:
        if (!tail) {
            emit16(e, 0xbd70);
            break;
        }
        emit16(e, 0xbc70); /* pop {r4-r6} */
        emit16(e, 0xbc08); /* pop {r3} */
        emit16(e, 0x469e); /* mov lr, r3 */
        emit_b(e, AL, e->entry[next]);
        break;
    case FN_MAIN:
        break;
    }
}

static void emit_fn(Emit *e, unsigned f) {
    e->fn = &e->p->fns[f];
    e->fn_index = f;
    e->place = e->fn->place;
    e->rng = e->fn->seed;
    e->break_label = NO_LABEL;
    emit_align(e);
    label_set(e, e->entry[f]);
    prologue(e, f);
    body_block(e, e->fn->body);
    e->rng = e->fn->seed ^ 2;
    if (e->fn->kind == FN_MAIN) {
        emit_b(e, AL, e->entry[f]);
    }
    epilogue(e, f);
    emit_pool(e, false);
    emit_align(e);
    label_set(e, e->end[f]);
}

/* ---- Fix-ups ---------------------------------------------------------------------------------------------------- */

/* A label whose statement was left out stands for data. */
static uint32_t label_addr(const Emit *e, uint32_t label) {
    return e->labels[label].set ? e->labels[label].addr : e->p->data;
}

static uint32_t read_insn(const uint8_t *bytes, unsigned bits) {
    uint32_t first = bytes[0] | (uint32_t)bytes[1] << 8;
    return bits == 16 ? first : first << 16 | bytes[2] | (uint32_t)bytes[3] << 8;
}

static bool branch_reaches(const Emit *e, ArmRow row, uint32_t insn, int32_t offset) {
    ArmArgs args;
    if (offset & 1 || arm_decode(insn, arm_row_info[row].bits, e->p->target->features, &args) != row) {
        return false;
    }
    bool cbz = row == ARM_ROW_CBZ_T1 || row == ARM_ROW_CBNZ_T1;
    uint32_t off = row == ARM_ROW_BL_T1 ? (uint32_t)args.bl.off : cbz ? args.cbz.off : (uint32_t)args.b.off;
    return off == (uint32_t)offset;
}

/* False: the branch does not reach. */
static bool fix_branch(Emit *e, const EmitFix *fix, uint8_t *bytes, uint32_t here) {
    unsigned bits = arm_row_info[fix->row].bits;
    int32_t offset = (int32_t)(label_addr(e, fix->label) - here);
    uint32_t insn = diff_encode_branch(fix->row, read_insn(bytes, bits), offset);
    if (!branch_reaches(e, fix->row, insn, offset)) {
        assert(fix->branch < BRANCHES_MAX);
        e->far[fix->branch]++;
        return false;
    }
    if (bits == 32) {
        bytes[0] = (uint8_t)(insn >> 16);
        bytes[1] = (uint8_t)(insn >> 24);
        bytes += 2;
    }
    bytes[0] = (uint8_t)insn;
    bytes[1] = (uint8_t)(insn >> 8);
    return true;
}

static bool fix_all(Emit *e) {
    bool good = true;
    for (unsigned i = 0; i < e->n_fixes; i++) {
        const EmitFix *fix = &e->fixes[i];
        uint8_t *bytes = &e->p->part[fix->place].data[fix->at];
        if (fix->kind == EMIT_BRANCH) {
            good &= fix_branch(e, fix, bytes, e->p->part[fix->place].base + fix->at);
            continue;
        }
        uint32_t value = label_addr(e, fix->label) + fix->offset;
        if (fix->minus != NO_LABEL) {
            value -= label_addr(e, fix->minus);
        }
        if (fix->kind == EMIT_WORD) {
            if (fix->minus != NO_LABEL && value > COPY_BYTES_MAX) {
                value = COPY_BYTES_MAX;
            }
            memcpy(bytes, &value, 4);
        } else {
            value /= 2;
            memcpy(bytes, &value, fix->kind == EMIT_HALF ? 2 : 1);
        }
    }
    return good;
}

/* ---- The whole -------------------------------------------------------------------------------------------------- */

static void start_pass(Emit *e) {
    Prog *p = e->p;
    e->n_labels = e->n_fixes = e->n_literals = e->n_branches = 0;
    e->full = false;
    memset(p->part, 0, sizeof p->part);
    p->part[PROG_ROM].base = p->rom;
    p->part[PROG_RAM].base = p->ram;
    for (unsigned f = 0; f < p->n_fns; f++) {
        e->entry[f] = label_new(e);
        e->end[f] = label_new(e);
    }
    for (unsigned k = 0; k < p->n_slots; k++) {
        e->slot[k] = label_new(e);
        e->alts[k] = label_new(e);
    }
}

static void make_vectors(Emit *e, uint32_t reset, uint32_t fault, uint32_t svc) {
    Prog *p = e->p;
    for (unsigned i = 0; i < sizeof p->vectors / sizeof p->vectors[0]; i++) {
        p->vectors[i] = label_addr(e, fault) | 1;
    }
    p->vectors[0] = p->target->stack;
    p->vectors[1] = label_addr(e, reset) | 1;
    p->vectors[11] = label_addr(e, svc) | 1;
    p->vectors[14] = label_addr(e, e->entry[FN_PENDSV]) | 1;
    p->vectors[15] = label_addr(e, e->entry[FN_SYSTICK]) | 1;
    p->vectors[16 + p->target->timer_irq] = label_addr(e, e->entry[FN_TIMER]) | 1;
}

static bool pass(Emit *e) {
    Prog *p = e->p;
    start_pass(e);
    uint32_t reset = label_new(e), restart = label_new(e), fault = label_new(e), svc = label_new(e);
    e->place = PROG_ROM;
    label_set(e, reset);
    emit_reset(e);
    label_set(e, restart);
    emit_restart(e);
    emit_fn(e, FN_MAIN);
    e->rng = p->seed;
    label_set(e, fault);
    emit_fault_handler(e, restart);
    label_set(e, svc);
    emit_svc_handler(e);
    for (unsigned f = 1; f < p->n_fns && !e->full; f++) {
        emit_fn(e, f);
    }
    if (e->full) {
        return false;
    }
    e->place = PROG_ROM;
    self_tables(e);
    bool good = fix_all(e) && !e->full;
    make_vectors(e, reset, fault, svc);
    return good;
}

/* Some programs have their data right behind their code in RAM; it is known in the next pass. */
static bool place_data(Prog *p) {
    uint32_t end = p->part[PROG_RAM].base + p->part[PROG_RAM].bytes, was = p->data;
    if (p->seed & 1 && p->arch == DIFF_V7M) {
        p->data = ((end + 3) & ~3u) + DATA_REACH;
    }
    return p->data == was;
}

static bool move_to_rom(Prog *p) {
    for (unsigned f = p->n_fns; f-- > 0;) {
        if (p->fns[f].place == PROG_RAM) {
            p->fns[f].place = PROG_ROM;
            return true;
        }
    }
    return false;
}

bool prog_link(Prog *p) {
    Emit *e = calloc(1, sizeof *e);
    assert(e);
    e->p = p;
    bool done = false;
    for (unsigned i = 0; i < PASSES_MAX && !done; i++) {
        bool good = pass(e);
        if (e->full && (e->place == PROG_ROM || !move_to_rom(p))) {
            break;
        }
        done = good && place_data(p);
    }
    free(e);
    return done;
}
