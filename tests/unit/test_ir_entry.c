/* ir_with_entry: a random block, run behind another one with the flags of that one put in front of it, against the
 * block alone; and what is made without passes is what the passes would have made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ir_gen.h"

enum { PAIRS = 20000 };

/* Whether all that the entry reads is in the guest's state: shadow slots are no part of the rig. */
static bool reads_state_only(const IrEntry *entry) {
    for (uint32_t i = 0; i < entry->n; i++) {
        if (entry->ops[i].op == IR_GET && entry->ops[i].a >= IR_SHADOW_SLOT) {
            return false;
        }
    }
    return true;
}

static bool has_parts(const IrBlock *block) {
    for (uint32_t i = 0; i < block->n_ops; i++) {
        uint8_t op = block->ops[i].op;
        if (op == IR_COND || op == IR_SKIP || op == IR_LABEL || op == IR_CALL) {
            return true;
        }
    }
    return false;
}

/* Nothing is left to do for the passes behind ir_pass_fold. */
static void check_finished(const IrBlock *made, uint64_t seed, Arena *arena) {
    IrBlock again = *made;
    again.ops = ARENA_ARRAY_RAW(arena, IrOp, made->n_ops);
    memcpy(again.ops, made->ops, made->n_ops * sizeof *made->ops);
    ir_pass_liveness(&again, arena);
    ir_pass_faults(&again, arena);
    if (again.n_ops != made->n_ops || again.n_faults != made->n_faults ||
        memcmp(again.ops, made->ops, made->n_ops * sizeof *made->ops) != 0 ||
        memcmp(again.faults, made->faults, made->n_faults * sizeof *made->faults) != 0) {
        printf("%s\n%s\n", ir_print(made, arena), ir_print(&again, arena));
        fail_msg("seed %llu: passes find something to do", (unsigned long long)seed);
    }
}

static void check_runs(const IrBlock *first, const IrBlock *second, const IrBlock *made, uint64_t seed, Arena *arena) {
    Rig want, got;
    rig_init(&want, seed, 10000, 100);
    rig_init(&got, seed, 10000, 100);
    want.fault_at = got.fault_at = (unsigned)(seed % 7);
    if (ir_interp(&want.cpu, first) != IR_EXIT_NEXT) {
        return;
    }
    ir_interp(&got.cpu, first);
    IrExit expected = ir_interp(&want.cpu, second);
    assert_int_equal(ir_interp(&got.cpu, made), expected);
    const char *what = rig_difference(&want, &got);
    if (what) {
        fputs(ir_print(made, arena), stdout);
        fail_msg("seed %llu: %s differs", (unsigned long long)seed, what);
    }
}

/* True if the second block was made without passes. */
static bool check_pair(Gen *g, Arena *arena, uint64_t seed) {
    IrBlock first = gen_block(g, arena, seed | GEN_PLAIN), second = gen_block(g, arena, (seed + PAIRS) | GEN_PLAIN);
    IrShadows shadows = {{IR_NONE, IR_NONE, IR_NONE, IR_NONE}};
    IrEntry entry;
    Err err;
    ir_finish_in_region(&first, arena);
    ir_finish_in_region(&second, arena);
    unsigned known = ir_flags_at_end(&first, 0xf, &entry, &shadows);
    assert_int_equal(known != 0, entry.n != 0);
    if (!known || !reads_state_only(&entry)) {
        return false;
    }
    IrBlock made = ir_with_entry(&second, &entry, arena);
    if (!ir_verify(&made, &err)) {
        fail_msg("seed %llu: %s", (unsigned long long)seed, err.text);
    }
    check_runs(&first, &second, &made, seed, arena);
    bool quick = !has_parts(&second);
    if (quick) {
        check_finished(&made, seed, arena);
    }
    return quick;
}

static void versions_do_what_the_block_does(void **state) {
    (void)state;
    Arena arena = {0};
    Gen *g = mem_alloc(sizeof *g);
    unsigned quick = 0;
    for (uint64_t seed = 1; seed <= PAIRS; seed++) {
        quick += check_pair(g, &arena, seed);
        if (arena.total > 1 << 20) {
            arena_reset(&arena);
        }
    }
    assert_true(quick > PAIRS / 100);
    mem_free(g);
    arena_free(&arena);
}

static void no_entry_changes_nothing(void **state) {
    (void)state;
    Arena arena = {0};
    Gen *g = mem_alloc(sizeof *g);
    IrBlock block = gen_block(g, &arena, 1 | GEN_PLAIN);
    ir_finish_in_region(&block, &arena);
    IrBlock made = ir_with_entry(&block, &(IrEntry){0}, &arena);
    assert_ptr_equal(made.ops, block.ops);
    assert_int_equal(made.n_ops, block.n_ops);
    mem_free(g);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_do_what_the_block_does),
        cmocka_unit_test(no_entry_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
