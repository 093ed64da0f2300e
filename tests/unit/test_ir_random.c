/* Property tests of the IR over random blocks: the engine agrees with the model (ir_model.h), passes change nothing
 * that can be seen from outside, marks and fault entries hold, text survives a round trip, and no op goes without a
 * test.
 *
 * A failure prints the seed and the block; `test_ir_random SEED` runs that block alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ir_gen.h"
#include "ir_model.h"

enum { BLOCKS = 20000, RUNS_PER_BLOCK = 4, ARENA_KEEP_BYTES = 1 << 20 };

typedef struct Suite {
    Arena arena;
    Gen gen;
    uint64_t only; /* one seed, or 0 for all */
    uint64_t executed[IR_OPCODE_COUNT];
    uint64_t with_fault, with_leave;
} Suite;

static void report(Suite *s, const IrBlock *block, uint64_t seed, const char *what, const char *where) {
    print_message("%s\n", ir_print(block, &s->arena));
    fail_msg("seed %llu: %s differs (%s)", (unsigned long long)seed, what, where);
}

/* The same start for all runs of one block: state, budget, and the accesses that fail or ask to leave. */
static void start(Rig *rig, const IrBlock *block, uint64_t seed) {
    Rng rng;
    rng_seed(&rng, ~seed);
    rig_init(rig, seed, 5000 + rng_below(&rng, 5000), (int64_t)(block->n_insns + rng_below(&rng, 3)));
    unsigned *at[] = {&rig->fault_at, &rig->leave_at, &rig->shorten_at};
    for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
        *at[i] = rng_below(&rng, 3) ? 0 : 1 + (unsigned)rng_below(&rng, 6);
    }
}

static void run_model(Suite *s, Rig *rig, const IrBlock *block, bool marked, uint64_t seed) {
    Model m = {.rig = rig, .block = block, .marked = marked, .v = ARENA_ARRAY(&s->arena, uint64_t, block->n_ops)};
    start(rig, block, seed);
    IrExit exit = model_run(&m, s->executed);
    if ((exit == IR_EXIT_TRAP) != rig->cpu.trap_pending || m.wrong_recipes || m.wrong_marks) {
        report(s, block, seed, m.wrong_recipes ? "recipe" : m.wrong_marks ? "mark" : "exit", "model");
    }
}

static void run_engine(Suite *s, Rig *rig, const IrBlock *block, uint64_t seed) {
    start(rig, block, seed);
    IrExit exit = ir_interp(&rig->cpu, block);
    if ((exit == IR_EXIT_TRAP) != rig->cpu.trap_pending) {
        report(s, block, seed, "exit", "engine");
    }
}

static void compare(Suite *s, const IrBlock *block, uint64_t seed, const Rig *want, const Rig *got, const char *where) {
    const char *what = rig_difference(want, got);
    if (what) {
        report(s, block, seed, what, where);
    }
}

static IrBlock copy_of(Suite *s, const IrBlock *block) {
    IrBlock copy = *block;
    copy.ops = ARENA_ARRAY(&s->arena, IrOp, block->n_ops);
    memcpy(copy.ops, block->ops, block->n_ops * sizeof *copy.ops);
    return copy;
}

static void require_valid(Suite *s, const IrBlock *block, uint64_t seed) {
    Err err;
    if (!ir_verify(block, &err)) {
        report(s, block, seed, err.text, "verify");
    }
}

static void count_exit(Suite *s, const Rig *rig) {
    s->with_fault += rig->fault_at && rig->accesses >= rig->fault_at;
    s->with_leave += rig->cpu.leave;
}

static void check_runs(Suite *s, uint64_t seed) {
    IrBlock plain = gen_block(&s->gen, &s->arena, seed), finished = copy_of(s, &plain);
    require_valid(s, &plain, seed);
    ir_pass_faults(&plain, &s->arena);
    require_valid(s, &plain, seed);
    ir_finish(&finished, &s->arena);
    require_valid(s, &finished, seed);
    for (uint64_t run = 0; run < RUNS_PER_BLOCK; run++) {
        uint64_t start_seed = seed * RUNS_PER_BLOCK + run;
        Rig want, got;
        run_model(s, &want, &plain, false, start_seed);
        run_engine(s, &got, &plain, start_seed);
        compare(s, &plain, seed, &want, &got, "engine, no passes");
        run_model(s, &got, &finished, true, start_seed);
        compare(s, &finished, seed, &want, &got, "model, after ir_finish");
        run_engine(s, &got, &finished, start_seed);
        compare(s, &finished, seed, &want, &got, "engine, after ir_finish");
        count_exit(s, &want);
    }
}

/* Passes one at a time, and all of them twice. */
static void check_passes_alone(Suite *s, uint64_t seed) {
    IrBlock plain = gen_block(&s->gen, &s->arena, seed);
    IrBlock variant[] = {copy_of(s, &plain), copy_of(s, &plain), copy_of(s, &plain)};
    ir_pass_fold(&variant[0], &s->arena);
    ir_pass_liveness(&variant[1], &s->arena);
    ir_finish(&variant[2], &s->arena);
    ir_finish(&variant[2], &s->arena);
    Rig want, got;
    run_model(s, &want, &plain, false, seed);
    for (unsigned i = 0; i < ARRAY_LEN(variant); i++) {
        static const char *const where[] = {"fold alone", "liveness alone", "ir_finish twice"};
        require_valid(s, &variant[i], seed);
        ir_pass_faults(&variant[i], &s->arena);
        run_model(s, &got, &variant[i], i > 0, seed);
        compare(s, &variant[i], seed, &want, &got, where[i]);
        run_engine(s, &got, &variant[i], seed);
        compare(s, &variant[i], seed, &want, &got, where[i]);
    }
}

static void check_round_trip(Suite *s, uint64_t seed, bool finish) {
    IrBlock block = gen_block(&s->gen, &s->arena, seed), again;
    Err err;
    if (finish) {
        ir_finish(&block, &s->arena);
    }
    char *text = ir_print(&block, &s->arena);
    if (!ir_parse(&again, &s->arena, "round trip", text, &err)) {
        report(s, &block, seed, err.text, "parse");
    }
    if (finish) {
        ir_pass_faults(&again, &s->arena);
    }
    bool equal = again.n_ops == block.n_ops && again.n_insns == block.n_insns && again.n_bytes == block.n_bytes &&
                 again.loc.pc == block.loc.pc && again.loc.aux == block.loc.aux &&
                 memcmp(again.ops, block.ops, block.n_ops * sizeof *block.ops) == 0 &&
                 again.n_faults == block.n_faults &&
                 (!block.n_faults || !memcmp(again.faults, block.faults, block.n_faults * sizeof *block.faults));
    if (!equal || strcmp(ir_print(&again, &s->arena), text) != 0) {
        report(s, &block, seed, "block", "print, parse, print");
    }
}

static void for_all_seeds(Suite *s, uint64_t count, void (*check)(Suite *s, uint64_t seed)) {
    for (uint64_t seed = s->only ? s->only : 1; seed <= (s->only ? s->only : count); seed++) {
        check(s, seed);
        if (s->arena.total > ARENA_KEEP_BYTES) {
            arena_reset(&s->arena);
        }
    }
}

static void engine_and_passes_agree_with_the_model(void **state) {
    for_all_seeds(*state, BLOCKS, check_runs);
}

static void each_pass_alone_changes_nothing_visible(void **state) {
    for_all_seeds(*state, BLOCKS / 2, check_passes_alone);
}

static void check_both_round_trips(Suite *s, uint64_t seed) {
    check_round_trip(s, seed, false);
    check_round_trip(s, seed, true);
}

static void text_survives_a_round_trip(void **state) {
    for_all_seeds(*state, BLOCKS / 2, check_both_round_trips);
}

/* Comes last: what the random blocks above have run, on the engine and on the model. */
static void every_op_was_executed(void **state) {
    Suite *s = *state;
    unsigned missing = 0;
    for (unsigned i = 0; i < IR_OPCODE_COUNT && !s->only; i++) {
        if (s->executed[i] == 0) {
            print_error("never executed: %s\n", ir_op_info[i].text);
            missing++;
        }
    }
    assert_int_equal(missing, 0);
    if (!s->only) {
        assert_true(s->with_fault > BLOCKS / 20 && s->with_leave > BLOCKS / 20);
    }
}

int main(int argc, char **argv) {
    Suite *suite = mem_alloc(sizeof *suite);
    suite->only = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(engine_and_passes_agree_with_the_model, suite),
        cmocka_unit_test_prestate(each_pass_alone_changes_nothing_visible, suite),
        cmocka_unit_test_prestate(text_survives_a_round_trip, suite),
        cmocka_unit_test_prestate(every_op_was_executed, suite),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&suite->arena);
    mem_free(suite);
    return failed;
}
