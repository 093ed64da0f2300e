/* ir_join against what it replaces: a fork and its ways, run one after the other by the interpreter, and the joined
 * block, before and after the passes, from the same start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ir_gen.h"

enum { FORKS = 20000, TAKEN_PC = 0x1000, NEXT_PC = 0x2000, JOIN_PC = 0x3000 };

typedef struct Fork {
    IrBlock block, taken, next;
    bool has_taken, has_next;
} Fork;

/* One instruction of a way. */
static void gen_simple(Gen *g) {
    ir_insn(&g->b, 4, 0, 0, 0);
    IrVal x = ir_get(&g->b, IR_I32, RIG_SLOT_R + 4 * gen_below(g, 16)), y = ir_i32(&g->b, (uint32_t)gen_number(g));
    IrVal value = gen_below(g, 3) ? ir_op2(&g->b, gen_below(g, 2) ? IR_ADD : IR_XOR, x, y) : y;
    ir_put(&g->b, RIG_SLOT_R + 4 * gen_below(g, 16), value);
    ir_insn_done(&g->b, 0);
}

static IrBlock gen_way(Gen *g, Arena *arena, uint64_t pc) {
    ir_begin(&g->b, arena, (IrLoc){.pc = pc, .aux = 0});
    for (unsigned n = 1 + gen_below(g, 2); n > 0; n--) {
        gen_simple(g);
    }
    ir_goto(&g->b, JOIN_PC, 0);
    return ir_end(&g->b);
}

/* A random block that ends with a fork; false if this seed gives none. */
static bool gen_fork(Gen *g, Arena *arena, uint64_t seed, Fork *fork) {
    fork->block = gen_block(g, arena, seed | GEN_PLAIN);
    fork->has_taken = seed % 3 != 0;
    fork->has_next = seed % 3 != 1;
    fork->taken = gen_way(g, arena, TAKEN_PC);
    fork->next = gen_way(g, arena, NEXT_PC);
    uint32_t pc = (uint32_t)fork->block.loc.pc;
    IrOp *end = &fork->block.ops[fork->block.n_ops - 1], *branch = end - 1;
    if (end->op != IR_GOTO || branch->op != IR_GOTO_IF) {
        return false;
    }
    branch->b = (fork->has_taken ? TAKEN_PC : JOIN_PC) - pc;
    end->a = (fork->has_next ? NEXT_PC : JOIN_PC) - pc;
    branch->c = end->c = 0;
    ir_finish(&fork->block, arena);
    ir_finish(&fork->taken, arena);
    ir_finish(&fork->next, arena);
    return true;
}

static void check_same(Rig *want, Rig *got, const IrBlock *joined, uint64_t seed, Arena *arena) {
    const char *what = rig_difference(want, got);
    if (what) {
        fputs(ir_print(joined, arena), stdout);
        fail_msg("seed %llu: %s differs", (unsigned long long)seed, what);
    }
}

static void check_fork(const Fork *fork, const IrBlock *joined, uint64_t seed, Arena *arena) {
    Rig want, got;
    rig_init(&want, seed, 10000, 100);
    rig_init(&got, seed, 10000, 100);
    IrExit expected = ir_interp(&want.cpu, &fork->block), exit;
    if (expected == IR_EXIT_NEXT && want.cpu.pc == TAKEN_PC) {
        expected = ir_interp(&want.cpu, &fork->taken);
    } else if (expected == IR_EXIT_NEXT && want.cpu.pc == NEXT_PC) {
        expected = ir_interp(&want.cpu, &fork->next);
    }
    exit = ir_interp(&got.cpu, joined);
    assert_int_equal(exit, expected);
    check_same(&want, &got, joined, seed, arena);
}

static void joined_blocks_do_what_their_parts_do(void **state) {
    (void)state;
    Arena arena = {0};
    Gen *g = mem_alloc(sizeof *g);
    unsigned joined = 0;
    for (uint64_t seed = 1; seed <= FORKS; seed++) {
        Fork fork;
        Err err;
        if (!gen_fork(g, &arena, seed, &fork)) {
            continue;
        }
        assert_true(ir_may_join(&fork.taken, false) && ir_may_join(&fork.next, false));
        IrBlock made = ir_join(&fork.block, fork.has_taken ? &fork.taken : NULL, fork.has_next ? &fork.next : NULL,
                               JOIN_PC, &arena);
        assert_true(ir_verify(&made, &err));
        ir_finish_in_region(&made, &arena);
        assert_true(ir_verify(&made, &err));
        check_fork(&fork, &made, seed, &arena);
        joined++;
        if (arena.total > 1 << 20) {
            arena_reset(&arena);
        }
    }
    assert_true(joined > FORKS / 4);
    mem_free(g);
    arena_free(&arena);
}

/* What has effects, or is too long, does not run always. */
static void other_ways_are_refused(void **state) {
    (void)state;
    Arena arena = {0};
    IrBuilder b;
    for (unsigned kind = 0; kind < 3; kind++) {
        ir_begin(&b, &arena, (IrLoc){.pc = TAKEN_PC, .aux = 0});
        for (unsigned i = 0; i < (kind == 2 ? IR_REFUND_MAX + 1 : 1); i++) {
            ir_insn(&b, 4, 0, 0, 0);
            ir_put(&b, RIG_SLOT_R, ir_i32(&b, i));
            ir_insn_done(&b, 0);
        }
        if (kind == 0) {
            ir_store(&b, IR_MEM_32, ir_i32(&b, 0), ir_i32(&b, 0));
        }
        IrVal target = ir_i32(&b, JOIN_PC);
        if (kind == 1) {
            ir_goto_ind(&b, target, 0);
        } else {
            ir_goto(&b, JOIN_PC, 0);
        }
        IrBlock way = ir_end(&b);
        assert_false(ir_may_join(&way, true));
    }
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joined_blocks_do_what_their_parts_do),
        cmocka_unit_test(other_ways_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
