/* Host code against the reference interpreter: random blocks, the same start, everything that can be seen compared.
 * No address is plain memory here, so every access takes the road of a fault: signal, patch, slow path, and the fast
 * sites of later runs are jumps already.
 *
 * A failure prints the seed and the block; `test_jit SEED` runs that block alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bus/mem.h"
#include "exec/exec.h"
#include "host/x64/x64.h"
#include "../unit/ir_gen.h"

enum { BLOCKS = 20000, LOOPS = 20000, RUNS_PER_BLOCK = 4, ARENA_KEEP_BYTES = 1 << 20 };

typedef struct Suite {
    Arena arena;
    Gen gen;
    MemMap map; /* empty */
    CodeCache *cache; /* of the loops */
    Jit *jit;
    uint64_t only; /* one seed, or 0 for all */
    uint64_t compiled, refused, windowed, moved;
} Suite;

static void start(Suite *s, Rig *rig, const IrBlock *block, uint64_t seed) {
    Rng rng;
    rng_seed(&rng, ~seed);
    rig_init(rig, seed, 5000 + rng_below(&rng, 5000), (int64_t)(block->n_insns + rng_below(&rng, 3)));
    rig->cpu.map = &s->map;
    unsigned *at[] = {&rig->fault_at, &rig->leave_at, &rig->shorten_at};
    for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
        *at[i] = rng_below(&rng, 3) ? 0 : 1 + (unsigned)rng_below(&rng, 6);
    }
}

/* Code for a finished block, or for one while the generator makes it. */
static bool compile(Suite *s, CacheBlock *block, uint64_t seed, bool quick) {
    bool full = false;
    if (quick) {
        IrSink *sink = jit_quick_begin(s->jit);
        assert_non_null(sink);
        IrBlock raw = gen_block_into(&s->gen, &s->arena, seed, sink);
        return jit_quick_end(s->jit, block, &raw);
    }
    bool ok = jit_compile(s->jit, block, &full);
    assert_false(full);
    return ok;
}

static void check_block(Suite *s, uint64_t seed, bool quick) {
    IrBlock ir = gen_block(&s->gen, &s->arena, seed);
    ir_finish(&ir, &s->arena);
    CacheIr *made = ARENA_NEW(&s->arena, CacheIr);
    *made = (CacheIr){ir, NULL};
    CacheBlock *block = ARENA_NEW(&s->arena, CacheBlock);
    *block = (CacheBlock){.loc = ir.loc, .made = made, .n_insns = (uint8_t)ir.n_insns};
    if (!compile(s, block, seed, quick)) {
        s->refused++;
        return;
    }
    s->compiled++;
    for (uint64_t run = 0; run < RUNS_PER_BLOCK; run++) {
        uint64_t start_seed = seed * RUNS_PER_BLOCK + run;
        Rig want, got;
        start(s, &want, &ir, start_seed);
        start(s, &got, &ir, start_seed);
        IrExit expected = ir_interp(&want.cpu, &ir), exit = jit_run(s->jit, jit_own_seat(s->jit), &got.cpu, block);
        const char *what = expected == exit ? rig_difference(&want, &got) : "exit";
        if (what) {
            IrBlock shown = quick ? gen_block(&s->gen, &s->arena, seed) : ir;
            fputs(ir_print(&shown, &s->arena), stdout);
            fail_msg("seed %llu, run %llu: %s differs", (unsigned long long)seed, (unsigned long long)run, what);
        }
    }
}

/* Fastmem, or a window that is too small for a random address to hit, in line and out of line. */
static JitOptions options_of(bool regions, bool by_windows) {
    JitOptions options = {.regions = regions, .flags_slot = rig_isa.flags_slot};
    if (by_windows) {
        options.memory = (X64Memory){
            true, 3, {{0x7654000, 64, 0, 0}, {0x45670000, 128, 64, 0}, {0xf7770000, 64, 0, 0xf7770000}}};
    }
    return options;
}

static void check_blocks(Suite *s, bool by_windows, bool quick) {
    /* Here: cmocka has its own handler for SIGSEGV, ours must come after it. */
    JitOptions options = options_of(false, by_windows);
    s->jit = jit_new(&options);
    assert_non_null(s->jit);
    s->compiled = s->refused = 0;
    for (uint64_t seed = s->only ? s->only : 1; seed <= (s->only ? s->only : BLOCKS); seed++) {
        check_block(s, quick ? seed | GEN_APART : seed, quick);
        if (s->arena.total > ARENA_KEEP_BYTES) {
            jit_flush(s->jit, 0);
            arena_reset(&s->arena);
        }
    }
    print_message("%llu blocks compiled, %llu refused\n", (unsigned long long)s->compiled,
                  (unsigned long long)s->refused);
    assert_true(s->refused * (quick ? 10 : 100) <= s->compiled);
    jit_free(s->jit);
    s->jit = NULL;
}

/* ---- Quick code: what random blocks seldom do ---- */

enum { SUM_USES = 9, OUTER_GETS = 2, QUICK_CASES = 2 * SUM_USES + OUTER_GETS, QUICK_RUNS = 40 };

/* An op that needs a sum, and changes the host's flags, before the flags of the sum are wanted. */
static void flags_of_used_sum(IrBuilder *b, unsigned use, IrOpcode op) {
    IrVal x = ir_op2(b, op, ir_get(b, IR_I32, RIG_SLOT_R), ir_get(b, IR_I32, RIG_SLOT_R + 4));
    IrVal z = ir_get(b, IR_I32, RIG_SLOT_R + 12), y;
    switch (use) {
    case 0: y = ir_op1(b, IR_NEG, x); break;
    case 1: y = ir_op2(b, IR_SHL, x, z); break;
    case 2: y = ir_op1(b, IR_CLZ, x); break;
    case 3: y = ir_op1(b, IR_RBIT, x); break;
    case 4: y = ir_select(b, z, x, z); break;
    case 5: y = ir_carry(b, x, z, ir_i32(b, 0)); break;
    case 6: y = ir_op2(b, IR_UDIV, z, x); break;
    case 7: y = ir_op2(b, IR_EQ, x, z); break;
    default: y = ir_op1(b, IR_TRUNC, ir_op2(b, IR_MUL, ir_op1(b, IR_ZEXT32, x), ir_op1(b, IR_ZEXT32, z)));
    }
    ir_put(b, RIG_SLOT_R + 8, y);
    ir_flags1(b, IR_FLAGS_NZ, x);
}

/* A slot that is read in a part, and overwritten behind a part inside it, before the value is needed again. */
static void get_around_part(IrBuilder *b, bool used_before) {
    IrVal truth = ir_op2i(b, IR_NE, ir_get(b, IR_I32, RIG_SLOT_R + 28), 0x12345);
    IrVal outer = ir_skip_unless(b, truth), x = ir_get(b, IR_I32, RIG_SLOT_R);
    if (used_before) {
        ir_put(b, RIG_SLOT_R + 12, ir_op2i(b, IR_ADD, x, 1));
    }
    IrVal inner = ir_skip_unless(b, truth);
    ir_put(b, RIG_SLOT_R + 8, ir_i32(b, 5));
    ir_label(b, inner);
    ir_put(b, RIG_SLOT_R, ir_i32(b, 77));
    ir_put(b, RIG_SLOT_R + 4, ir_op2i(b, IR_XOR, x, 3));
    ir_label(b, outer);
}

static IrBlock quick_case(Suite *s, unsigned which, IrSink *sink) {
    IrBuilder b;
    ir_begin_into(&b, &s->arena, (IrLoc){.pc = 0x1000}, sink);
    ir_insn(&b, 4, 0, 0, 0);
    if (which < 2 * SUM_USES) {
        flags_of_used_sum(&b, which % SUM_USES, which < SUM_USES ? IR_ADD : IR_SUB);
    } else {
        get_around_part(&b, which % 2);
    }
    ir_goto(&b, 0x1004, 0);
    return ir_end(&b);
}

static void check_quick_case(Suite *s, unsigned which) {
    IrBlock ir = quick_case(s, which, NULL);
    ir_finish(&ir, &s->arena);
    CacheIr made = {ir, NULL};
    CacheBlock *block = ARENA_NEW(&s->arena, CacheBlock);
    *block = (CacheBlock){.loc = ir.loc, .made = &made, .n_insns = 1};
    IrBlock raw = quick_case(s, which, jit_quick_begin(s->jit));
    if (!jit_quick_end(s->jit, block, &raw)) {
        s->refused++;
        return;
    }
    s->compiled++;
    for (uint64_t seed = 1; seed <= QUICK_RUNS; seed++) {
        Rig want, got;
        rig_init(&want, seed, 5000, 100);
        rig_init(&got, seed, 5000, 100);
        want.state.r[1] = got.state.r[1] = seed % 4 ? want.state.r[1] : 0 - want.state.r[0]; /* sums that are 0 */
        want.cpu.map = got.cpu.map = &s->map;
        IrExit expected = ir_interp(&want.cpu, &ir), exit = jit_run(s->jit, jit_own_seat(s->jit), &got.cpu, block);
        const char *what = expected == exit ? rig_difference(&want, &got) : "exit";
        if (what) {
            fail_msg("case %u, seed %llu: %s differs", which, (unsigned long long)seed, what);
        }
    }
}

static void quick_code_knows_what_is_gone(void **state) {
    Suite *s = *state;
    JitOptions options = options_of(false, false);
    s->jit = jit_new(&options);
    assert_non_null(s->jit);
    s->compiled = s->refused = 0;
    for (unsigned which = 0; which < QUICK_CASES; which++) {
        check_quick_case(s, which);
    }
    assert_int_equal(s->compiled, 2 * SUM_USES); /* the others are for lower.c */
    assert_int_equal(s->refused, OUTER_GETS);
    jit_free(s->jit);
    s->jit = NULL;
}

/* ---- Regions: a block that jumps back to itself ---- */

/* Turns the conditional exit into the way back; false if the block cannot be in a region. */
static bool make_loop(IrBlock *ir) {
    bool loops = false;
    for (uint32_t i = 0; i < ir->n_ops; i++) {
        if (ir->ops[i].op == IR_GOTO_IF) {
            ir->ops[i].b = 0;
            ir->ops[i].c = ir->loc.aux;
            loops = true;
        }
    }
    return loops && x64_region_allows(ir);
}

/* Around until something else is to be done: with host code, or with the interpreter if `block` is NULL. */
static IrExit loop(Suite *s, Cpu *cpu, const IrBlock *ir, CacheBlock *block) {
    for (;;) {
        if ((block ? jit_run(s->jit, jit_own_seat(s->jit), cpu, block) : ir_interp(cpu, ir)) == IR_EXIT_TRAP) {
            return IR_EXIT_TRAP;
        }
        bool again = cpu->pc == ir->loc.pc && cpu->aux == ir->loc.aux;
        if (!again || cpu->leave || cpu->budget < ir->n_insns) {
            return IR_EXIT_NEXT;
        }
    }
}

static void check_region(Suite *s, uint64_t seed) {
    bool full = false;
    IrBlock ir = gen_block(&s->gen, &s->arena, seed);
    if (!make_loop(&ir)) {
        return;
    }
    ir_finish(&ir, &s->arena);
    CacheBlock *block = cache_add(s->cache, &ir, NULL, 0);
    if (!x64_region_allows(&ir) || !jit_compile(s->jit, block, &full)) {
        return;
    }
    Cpu nobody_looks = {0};
    if (!exec_form_region(&nobody_looks, s->cache, block)) {
        s->refused++;
        return;
    }
    uint32_t window;
    int32_t move = 0;
    s->compiled++;
    s->windowed += ir_window_pointer(&ir, &window) && window == RIG_SLOT_WP;
    s->moved += window == RIG_SLOT_WP && ir_window_move(&ir, window, &move) && move != 0;
    for (uint64_t run = 0; run < RUNS_PER_BLOCK; run++) {
        uint64_t start_seed = seed * RUNS_PER_BLOCK + run;
        Rig want, got;
        start(s, &want, &ir, start_seed);
        want.cpu.budget += (int64_t)(start_seed % 50);
        want.cpu.deadline += start_seed % 50;
        start(s, &got, &ir, start_seed);
        got.cpu.budget = want.cpu.budget;
        got.cpu.deadline = want.cpu.deadline;
        IrExit expected = loop(s, &want.cpu, &ir, NULL), exit = loop(s, &got.cpu, &ir, block);
        const char *what = expected == exit ? rig_difference(&want, &got) : "exit";
        if (what) {
            fputs(ir_print(&ir, &s->arena), stdout);
            fail_msg("seed %llu, run %llu: %s differs", (unsigned long long)seed, (unsigned long long)run, what);
        }
    }
}

static void check_regions(Suite *s, bool by_windows) {
    CacheOptions options = {.bytes_max = SIZE_MAX, .translate = true, .jit = options_of(true, by_windows)};
    s->cache = cache_new(&options, NULL);
    s->jit = s->cache->jit;
    assert_non_null(s->jit);
    s->compiled = s->refused = 0;
    for (uint64_t seed = s->only ? s->only : 1; seed <= (s->only ? s->only : LOOPS); seed++) {
        check_region(s, seed | GEN_PLAIN | (seed % 2 ? GEN_WINDOWED : 0));
        if (s->arena.total > ARENA_KEEP_BYTES) {
            cache_flush(s->cache, 0);
            arena_reset(&s->arena);
        }
    }
    print_message("%llu loops compiled, %llu with a window, %llu move it, %llu refused\n",
                  (unsigned long long)s->compiled, (unsigned long long)s->windowed, (unsigned long long)s->moved,
                  (unsigned long long)s->refused);
    assert_true(s->only || s->compiled > LOOPS / 2);
    assert_true(s->only || s->windowed > LOOPS / 8);
    assert_true(s->only || s->moved > LOOPS / 32);
    assert_true(s->refused * 20 <= s->compiled);
    cache_free(s->cache);
    s->jit = NULL;
}

static void random_blocks_do_what_the_interpreter_does(void **state) {
    check_blocks(*state, false, false);
    check_blocks(*state, true, false);
    check_blocks(*state, false, true);
}

static void random_loops_do_what_the_interpreter_does(void **state) {
    check_regions(*state, false);
    check_regions(*state, true);
}

int main(int argc, char **argv) {
    Suite *suite = mem_alloc(sizeof *suite);
    suite->only = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
    if (!mem_fast_enable(&suite->map)) {
        print_error("the host has no room for an address space\n");
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(random_blocks_do_what_the_interpreter_does, suite),
        cmocka_unit_test_prestate(quick_code_knows_what_is_gone, suite),
        cmocka_unit_test_prestate(random_loops_do_what_the_interpreter_does, suite),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mem_map_free(&suite->map);
    arena_free(&suite->arena);
    mem_free(suite);
    return failed;
}
