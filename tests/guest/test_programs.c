/* The self-checking programs of tests/firmware: each ends with code 0, in pieces of any size with the same receipt. */
#include "guest_rig.h"

typedef struct Program {
    const char *machine, *name;
} Program;

static const Program programs[] = {
    {"mps2-an385", "exc_priority"}, {"mps2-an385", "exc_stack"}, {"mps2-an385", "exc_faults"},
    {"mps2-an385", "exc_mpu"},      {"mps2-an385", "exc_sleep"}, {"microbit", "exc_v6"},
    {"mps2-an385", "code"},         {"mps2-an385", "memory"},    {"mps2-an385", "rows"},
    {"microbit", "rows_v6"},        {"mps2-an385", "irq_every"},
};

static void run_program(const Program *program, uint64_t slice, uint64_t *hash, uint64_t *instructions) {
    Node *node = guest_node(program->machine, program->name, slice);
    if (slice) {
        node->console = NULL;
    }
    StopReason reason = node_run_until(node, UINT64_C(10000000000));
    if (reason != STOP_EXIT || node->stop_code != 0) {
        fail_msg("%s in slices of %u: stop %d with code %d", program->name, (unsigned)slice, (int)reason,
                 node->stop_code);
    }
    *hash = node_hash(node);
    *instructions = node_instructions(node);
    node_free(node);
}

static void test_program(void **state) {
    static const uint64_t slices[] = {1, 7, 1000};
    const Program *program = *state;
    uint64_t hash, instructions;
    run_program(program, 0, &hash, &instructions);
    for (size_t i = 0; i < ARRAY_LEN(slices); i++) {
        uint64_t other_hash, other_instructions;
        run_program(program, slices[i], &other_hash, &other_instructions);
        assert_int_equal(other_instructions, instructions);
        assert_int_equal(other_hash, hash);
    }
    print_message("%s: %llu instructions, hash %016llx in slices of 1, 7, 1000 and unbounded\n", program->name,
                  (unsigned long long)instructions, (unsigned long long)hash);
}

/* The tests must be able to fail: a program that fails its check exits with another code. */
static void test_failure_is_seen(void **state) {
    (void)state;
    Node *node = guest_node("mps2-an385", "irq_every", 0);
    ArmState *s = guest_arm(node);
    StopReason reason = node_run_until(node, guest_tick_ns(node, 60));
    assert_int_equal(reason, STOP_DURATION);
    node->cpu->pc = guest_symbol(node, "wrong");
    s->ipsr = 0;
    reason = node_run_until(node, UINT64_C(1000000000));
    assert_int_equal(reason, STOP_EXIT);
    assert_int_equal(node->stop_code, 3);
    node_free(node);
}

int main(void) {
    struct CMUnitTest tests[ARRAY_LEN(programs) + 1];
    for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
        tests[i] = (struct CMUnitTest){.name = programs[i].name, .test_func = test_program,
                                       .initial_state = (void *)&programs[i]};
    }
    tests[ARRAY_LEN(programs)] = (struct CMUnitTest)cmocka_unit_test(test_failure_is_seen);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
