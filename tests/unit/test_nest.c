/* exec: how deep blocks are in the loops of a region. host: jumps back in two bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "exec/region.h"
#include "host/x64/asm.h"

/* A loop of n blocks: to[i] are the blocks to which block i falls through and jumps, -1 for none. */
static void make(Loop *loop, const int (*to)[2], unsigned n) {
    *loop = (Loop){.n = n};
    for (unsigned i = 0; i < n; i++) {
        loop->blocks[i] = (LoopBlock){.next = to[i][0], .taken = to[i][1]};
    }
}

static void assert_depths(Loop *loop, const unsigned *depths) {
    exec_find_depths(loop);
    for (unsigned i = 0; i < loop->n; i++) {
        assert_int_equal(loop->blocks[i].depth, depths[i]);
    }
}

static void loops_nest(void **state) {
    /* 0 around all; 1 to 4 around 2 and 3; 3 around itself. */
    static const int to[][2] = {{1, -1}, {2, -1}, {3, 4}, {2, 3}, {5, 1}, {-1, 0}};
    Loop loop;
    (void)state;
    make(&loop, to, ARRAY_LEN(to));
    assert_depths(&loop, (const unsigned[]){0, 1, 2, 3, 1, 0});
}

static void blocks_between_belong_to_no_loop(void **state) {
    /* 2 and 4 are a loop; 3 stands between and leads on. */
    static const int to[][2] = {{1, -1}, {2, -1}, {4, 3}, {-1, 0}, {2, -1}};
    Loop loop;
    (void)state;
    make(&loop, to, ARRAY_LEN(to));
    assert_depths(&loop, (const unsigned[]){0, 0, 1, 0, 1});
}

static void functions_are_in_the_loops_of_their_calls(void **state) {
    /* 1 calls 3, which returns to 2; 2 goes on with 1. The function has a loop of its own: 4. */
    static const int to[][2] = {{1, -1}, {3, -1}, {-1, 1}, {4, -1}, {5, 4}, {-1, -1}};
    Loop loop;
    (void)state;
    make(&loop, to, ARRAY_LEN(to));
    loop.blocks[5].landings[0] = 2;
    loop.blocks[5].n_landings = 1;
    assert_depths(&loop, (const unsigned[]){0, 1, 1, 1, 2, 1});
}

static void entered_in_two_places(void **state) {
    /* 2 and 3 lead to each other, and 1 to both. Neither is the only head, so what lies before may count as inside. */
    static const int to[][2] = {{1, -1}, {2, 3}, {3, -1}, {2, 0}};
    Loop loop;
    (void)state;
    make(&loop, to, ARRAY_LEN(to));
    exec_find_depths(&loop);
    assert_int_equal(loop.blocks[2].depth, 1);
    assert_int_equal(loop.blocks[3].depth, 1);
}

static void jumps_back_reach_128_bytes(void **state) {
    uint8_t code[512];
    Asm a = {.begin = code, .at = code, .end = code + sizeof code};
    (void)state;
    asm_nop(&a, 126);
    assert_true(asm_jcc_back(&a, CC_NE, 0));
    assert_int_equal(code[126], 0x75);
    assert_int_equal((int8_t)code[127], -128);
    assert_false(asm_jcc_back(&a, CC_NE, 0));
    assert_false(asm_jmp_back(&a, 1000)); /* not there yet */
    assert_int_equal(asm_offset(&a), 128);
    assert_true(asm_jmp_back(&a, 128)); /* itself */
    assert_int_equal(code[128], 0xeb);
    assert_int_equal((int8_t)code[129], -2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_nest),
        cmocka_unit_test(blocks_between_belong_to_no_loop),
        cmocka_unit_test(functions_are_in_the_loops_of_their_calls),
        cmocka_unit_test(entered_in_two_places),
        cmocka_unit_test(jumps_back_reach_128_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
