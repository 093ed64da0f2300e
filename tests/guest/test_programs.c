/* The self-checking programs of tests/firmware: each ends with code 0, under any engine and in pieces of any size with
 * the same receipt. */
#include "guest_rig.h"

typedef struct Program {
    const char *machine, *name;
} Program;

static const Program programs[] = {
    {"mps2-an385", "exc_priority"}, {"mps2-an385", "exc_stack"}, {"mps2-an385", "exc_faults"},
    {"mps2-an385", "exc_mpu"},      {"mps2-an385", "exc_sleep"}, {"microbit", "exc_v6"},       {"microbit", "literal"},
    {"mps2-an385", "code"},         {"mps2-an385", "memory"},    {"mps2-an385", "rows"},
    {"microbit", "rows_v6"},        {"mps2-an385", "irq_every"}, {"leon3", "sparc_hello"},
    {"leon3", "sparc_float"},       {"leon3", "leon3_denormals"}, {"gr712rc", "gr712rc_denormals"},
    {"gr740", "gr740_denormals"},   {"leon3", "sparc_units"},    {"leon3", "sparc_irq_every"},
    {"leon3", "sparc_float_random"}, {"gr712rc", "sparc_float_random"},
    {"leon3", "sparc_mmu"},         {"gr712rc", "gr712rc_mmu"},
};

static Receipt run_program(const Program *program, size_t way) {
    Node *node = guest_node(program->machine, program->name, guest_engine(way), guest_slice(way));
    if (way != GUEST_REFERENCE) {
        node->console = NULL;
    }
    StopReason reason = node_run_until(node, UINT64_C(10000000000));
    if ((reason != STOP_EXIT && reason != STOP_HALTED) || node->stop_code != 0) {
        fail_msg("%s, engine %s, slices of %u: stop %d with code %d", program->name,
                 guest_engine_name(guest_engine(way)), (unsigned)guest_slice(way), (int)reason, node->stop_code);
    }
    Receipt receipt = guest_receipt(node);
    node_free(node);
    return receipt;
}

static void test_program(void **state) {
    const Program *program = *state;
    Receipt first = run_program(program, GUEST_REFERENCE);
    for (size_t way = 1; way < GUEST_WAYS; way++) {
        Receipt receipt = run_program(program, way);
        guest_check_receipt(&receipt, &first, guest_engine(way), guest_slice(way), program->name);
    }
    print_message("%s: %llu instructions, hash %016llx in %d ways\n", program->name,
                  (unsigned long long)first.instructions, (unsigned long long)first.hash, GUEST_WAYS);
}

/* Two machines of different architectures in one process, by turns: each ends as it does alone. */
static void test_two_architectures(void **state) {
    enum { STEP_NS = 10007, STEPS_MAX = 1000000 };
    static const Program both[2] = {{"mps2-an385", "exc_priority"}, {"leon3", "sparc_float"}};
    size_t engine = (uintptr_t)*state;
    Node *node[2];
    bool done[2] = {false, false};
    for (unsigned i = 0; i < 2; i++) {
        node[i] = guest_node(both[i].machine, both[i].name, engine, 0);
        node[i]->console = NULL;
    }
    for (uint64_t step = 1; step < STEPS_MAX && !(done[0] && done[1]); step++) {
        for (unsigned i = 0; i < 2; i++) {
            done[i] = done[i] || node_run_until(node[i], step * STEP_NS) != STOP_DURATION;
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        Receipt alone = run_program(&both[i], GUEST_REFERENCE), beside = guest_receipt(node[i]);
        assert_true(done[i]);
        guest_check_receipt(&beside, &alone, engine, 0, both[i].name);
        node_free(node[i]);
    }
}

/* The tests must be able to fail: a program that fails its check exits with another code. */
static void test_failure_is_seen(void **state) {
    size_t engine = (uintptr_t)*state;
    Node *node = guest_node("mps2-an385", "irq_every", engine, 0);
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
    struct CMUnitTest tests[ARRAY_LEN(programs) + 2 * GUEST_ENGINES];
    for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
        tests[i] = (struct CMUnitTest){.name = programs[i].name, .test_func = test_program,
                                       .initial_state = (void *)&programs[i]};
    }
    for (size_t i = 0; i < GUEST_ENGINES; i++) {
        tests[ARRAY_LEN(programs) + i] = (struct CMUnitTest){
            .name = "test_failure_is_seen", .test_func = test_failure_is_seen, .initial_state = (void *)i};
        tests[ARRAY_LEN(programs) + GUEST_ENGINES + i] = (struct CMUnitTest){
            .name = "test_two_architectures", .test_func = test_two_architectures, .initial_state = (void *)i};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
