/* Window overflow and underflow, their handlers' WRWIM and RETT, against a model that knows nothing of where windows
 * lie (SPARC V8 4.2, 7.4, B.20, B.26, B.29): random walks for all numbers of windows. Each instruction is translated
 * and interpreted; a trap is taken by what Isa.translate_trap gives, or by Isa.trap, and either may come next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "guest/sparc/sys.h"

enum { STEPS = 6000, L1 = 17, L2 = 18, I7 = 31, ARENA_KEEP_BYTES = 1 << 20 };

/* Instruction words, by the formats of SPARC V8 5.1.1. */
#define FORMAT_3(rd, op3, rs1, imm) (UINT32_C(0x80002000) | (uint32_t)(rd) << 25 | (op3) << 19 | (rs1) << 14 | (imm))
#define JMPL(rs1, imm) FORMAT_3(0, 0x38u, (uint32_t)(rs1), imm)
#define RETT(rs1) FORMAT_3(0, 0x39u, (uint32_t)(rs1), 0u)
#define SAVE(rd) FORMAT_3(rd, 0x3cu, 0u, 0x124u)
#define RESTORE(rd) FORMAT_3(rd, 0x3du, 0u, 0x124u)
#define WRWIM(rs1) FORMAT_3(0, 0x32u, (uint32_t)(rs1), 0u)
enum { RESULT = 0x124 /* of SAVE and RESTORE */ };

typedef struct Model {
    uint32_t words[SPARC_WINDOWS_MAX][16]; /* outs and locals */
    uint32_t cwp, wim, n, et, s, ps, tbr, pc, npc, g1;
} Model;

typedef struct Walk {
    Arena arena;
    SparcCpu device;
    Model model;
    Rng rng;
    uint64_t in_line[3], out_of_line[3]; /* overflows, underflows, returns */
} Walk;

static uint32_t *reg(Model *m, uint32_t r) {
    uint32_t above = (m->cwp + 1) % m->n;
    return r < 8 ? &m->g1 : r < 24 ? &m->words[m->cwp][r - 8] : &m->words[above][r - 24];
}

static uint32_t below(const Model *m) {
    return (m->cwp + m->n - 1) % m->n;
}

static uint32_t above(const Model *m) {
    return (m->cwp + 1) % m->n;
}

static void model_trap(Model *m, uint32_t tt) {
    m->cwp = below(m);
    *reg(m, L1) = m->pc;
    *reg(m, L2) = m->npc;
    m->et = 0;
    m->ps = m->s;
    m->s = 1;
    m->tbr = (m->tbr & 0xfffff000) | tt << 4;
    m->pc = m->tbr;
    m->npc = m->pc + 4;
}

static uint32_t npc_of(const Cpu *cpu) {
    return cpu->aux == SPARC_AUX_DYNAMIC ? sparc_state(cpu)->npc : (uint32_t)cpu->pc + 4 + cpu->aux;
}

static void compare(Walk *w) {
    SparcState *s = &w->device.state;
    Model *m = &w->model;
    assert_int_equal(sparc_cwp(s), m->cwp);
    for (uint32_t r = 8; r < 32; r++) {
        assert_int_equal(*sparc_reg(s, r), *reg(m, r));
    }
    assert_int_equal(s->wim, m->wim);
    assert_int_equal(s->et, m->et);
    assert_int_equal(s->s, m->s);
    assert_int_equal(s->ps, m->ps);
    assert_int_equal(s->tbr, m->tbr);
    assert_int_equal(w->device.cpu.pc, m->pc);
    assert_int_equal(npc_of(&w->device.cpu), m->npc);
    sparc_windows_settle(s);
    for (uint32_t k = 0; k < m->n; k++) {
        assert_memory_equal(&s->windows[16 * k], m->words[k], sizeof m->words[k]);
    }
}

/* The trap that is pending, in line if that can be; `kind` is counted. */
static void take_trap(Walk *w, unsigned kind) {
    Cpu *cpu = &w->device.cpu;
    unsigned number = cpu->trap_number;
    IrBuilder b;
    cpu->trap_pending = false;
    ir_begin(&b, &w->arena, (IrLoc){cpu->pc, cpu->aux, 0});
    if (rng_below(&w->rng, 8) && sparc_isa.translate_trap(&b, number)) {
        IrBlock block = ir_end(&b);
        block.is_trap = true;
        ir_finish(&block, &w->arena);
        uint64_t arg = cpu->trap_arg;
        if (ir_interp(cpu, &block) == IR_EXIT_NEXT) {
            w->in_line[kind]++;
            return;
        }
        assert_int_equal(cpu->trap_number, number);
        cpu->trap_arg = arg;
        cpu->trap_pending = false;
    }
    w->out_of_line[kind]++;
    sparc_isa.trap(cpu, number, cpu->trap_arg);
}

/* Runs one block of one instruction or a couple, at the model's PC. */
static void run(Walk *w, uint32_t insn, uint32_t delay, unsigned kind) {
    Cpu *cpu = &w->device.cpu;
    uint8_t bytes[8];
    IrBuilder b;
    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)((i < 4 ? insn : delay) >> (24 - 8 * (i & 3)));
    }
    ir_begin(&b, &w->arena, (IrLoc){cpu->pc, cpu->aux, 0});
    b.limit = 2;
    assert_true(sparc_isa.translate(&b, 0, bytes, delay ? 8 : 4, 0));
    assert_int_equal(b.n_bytes, delay ? 8 : 4);
    if (!b.ended) {
        ir_goto(&b, cpu->pc + 4, 0);
    }
    IrBlock block = ir_end(&b);
    ir_finish(&block, &w->arena);
    cpu->budget = block.n_insns;
    if (ir_interp(cpu, &block) == IR_EXIT_TRAP) {
        take_trap(w, kind);
    } else if (kind == 2) {
        w->in_line[kind]++;
    }
    assert_int_equal(cpu->budget, 0);
}

/* PC and nPC of the next instruction are anything that may be, in all forms. */
static void go_anywhere(Walk *w) {
    Cpu *cpu = &w->device.cpu;
    Model *m = &w->model;
    m->pc = (uint32_t)rng_next(&w->rng) & ~3u;
    m->npc = rng_below(&w->rng, 2) ? m->pc + 4 : (uint32_t)rng_next(&w->rng) & ~3u;
    bool dynamic = rng_below(&w->rng, 4) == 0;
    cpu->pc = m->pc;
    cpu->aux = dynamic ? SPARC_AUX_DYNAMIC : m->npc - m->pc - 4;
    w->device.state.npc = m->npc;
}

static void set_reg(Walk *w, uint32_t r, uint32_t value) {
    *reg(&w->model, r) = *sparc_reg(&w->device.state, r) = value;
}

static void model_next(Model *m) {
    m->pc = m->npc;
    m->npc += 4;
}

/* SAVE or RESTORE; the latter may stand behind a JMPL. False if it would end in error mode. */
static bool move(Walk *w, bool down, bool behind_jump) {
    Model *m = &w->model;
    uint32_t to = down ? below(m) : above(m), rd = 8 + (uint32_t)rng_below(&w->rng, 24);
    bool valid = !(m->wim >> to & 1);
    if (!valid && !m->et) {
        return false;
    }
    if (behind_jump) {
        set_reg(w, I7, (uint32_t)rng_next(&w->rng) & ~3u);
        m->npc = m->pc + 4;
        w->device.cpu.aux = 0;
        run(w, JMPL(I7, 8u), RESTORE(rd), 1);
        m->pc += 4;
        m->npc = *reg(m, I7) + 8;
    } else {
        run(w, down ? SAVE(rd) : RESTORE(rd), 0, !down);
    }
    if (!valid) {
        model_trap(m, down ? SPARC_TT_WINDOW_OVERFLOW : SPARC_TT_WINDOW_UNDERFLOW);
        return true;
    }
    m->cwp = to;
    *reg(m, rd) = RESULT;
    model_next(m);
    return true;
}

static void write_wim(Walk *w, uint32_t wim) {
    Model *m = &w->model;
    uint32_t all = m->n == 32 ? UINT32_MAX : (1u << m->n) - 1;
    m->g1 = w->device.state.g[1] = wim;
    run(w, WRWIM(1), 0, 0);
    m->wim = wim & all;
    model_next(m);
}

static void return_from_trap(Walk *w) {
    Model *m = &w->model;
    if (m->et || m->wim >> above(m) & 1) {
        return;
    }
    uint32_t pc = *reg(m, L1), npc = *reg(m, L2);
    w->device.cpu.aux = 0;
    run(w, JMPL(L1, 0u), RETT(L2), 2);
    m->et = 1;
    m->s = m->ps;
    m->cwp = above(m);
    m->pc = pc;
    m->npc = npc;
}

static uint32_t rotated(const Model *m, bool left) {
    uint32_t wide = left ? m->n - 1 : 1;
    return m->wim >> wide | m->wim << (m->n - wide);
}

/* A handler as the manual's, with one instruction or none left out. */
static void handle(Walk *w, bool overflow) {
    static const char *const steps[2] = {"wuuddr", "dwur"};
    for (const char *step = steps[overflow]; *step && !w->model.et; step++) {
        bool fine = true;
        if (rng_below(&w->rng, 50) == 0) {
            continue;
        }
        switch (*step) {
        case 'w': write_wim(w, rotated(&w->model, !overflow)); break;
        case 'r': return_from_trap(w); break;
        default: fine = move(w, *step == 'd', false);
        }
        if (!fine) {
            return;
        }
        compare(w);
    }
}

static void step(Walk *w, unsigned *way) {
    Model *m = &w->model;
    bool traps = m->et;
    go_anywhere(w);
    *way = rng_below(&w->rng, 6) ? *way : (unsigned)rng_below(&w->rng, 2);
    switch (rng_below(&w->rng, 40)) {
    case 0: write_wim(w, rng_below(&w->rng, 4) ? 1u << rng_below(&w->rng, m->n) : (uint32_t)rng_next(&w->rng)); break;
    case 1: return_from_trap(w); break;
    case 2: set_reg(w, 8 + (uint32_t)rng_below(&w->rng, 24), (uint32_t)rng_next(&w->rng) & ~3u); break;
    case 3: /* as after a reset, or WRPSR */
        m->et = w->device.state.et = m->s = w->device.state.s = 1;
        m->cwp = (uint32_t)rng_below(&w->rng, m->n);
        sparc_set_cwp(&w->device.state, m->cwp);
        break;
    default:
        move(w, *way, !*way && rng_below(&w->rng, 2));
        if (traps && !m->et) {
            compare(w);
            handle(w, (m->tbr >> 4 & 0xff) == SPARC_TT_WINDOW_OVERFLOW);
        }
    }
    compare(w);
}

static void traps_are_those_of_the_model(void **state) {
    (void)state;
    for (uint32_t n = 2; n <= SPARC_WINDOWS_MAX; n++) {
        Walk w = {.device = {.cpu = {.isa = &sparc_isa}, .state = {.config = {.n_windows = n}, .s = 1, .et = 1}},
                  .model = {.n = n, .s = 1, .et = 1, .wim = 2, .tbr = 0x40000000}};
        unsigned way = 0;
        w.device.cpu.state = &w.device.state;
        w.device.state.tbr = w.model.tbr;
        rng_seed(&w.rng, n);
        sparc_windows_place(&w.device.state);
        sparc_set_wim(&w.device.state, 2);
        for (unsigned i = 0; i < STEPS; i++) {
            step(&w, &way);
            if (w.arena.total > ARENA_KEEP_BYTES) {
                arena_reset(&w.arena);
            }
        }
        for (unsigned k = 0; k < 3 && n >= 6 && n <= 16; k++) {
            assert_true(w.in_line[k] > 50);
            assert_true(w.out_of_line[k] > 5);
        }
        arena_free(&w.arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(traps_are_those_of_the_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
