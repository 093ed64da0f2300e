/* Several cores on one board: locks, exclusive accesses, interrupts and events between them, each core's own NVIC and
 * SysTick; and the same hash whatever the engine, the slices, the cuts and the repetition. */
#include "guest_rig.h"
#include "sim/code.h"

enum { END_US = 60000, CUTS = 300 };

/* ---- A device between the cores --------------------------------------------------------------------------------- */

typedef struct Mail {
    Device dev;
    Line ring[2];
    uint32_t last_ring;
} Mail;

static void mail_ring(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)value;
    (void)old;
    line_pulse(&((Mail *)dev)->ring[index]);
}

static void mail_start(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    (void)old;
    assert_true(dev->board->start_cpu(dev->board, value, BOARD_ENTRY_RESET));
    assert_false(dev->board->start_cpu(dev->board, value, BOARD_ENTRY_RESET)); /* it runs already */
    assert_false(dev->board->start_cpu(dev->board, 77, BOARD_ENTRY_RESET));
}

static uint32_t mail_who(Device *dev, unsigned index) {
    (void)index;
    return dev->board->current_cpu;
}

static uint32_t mail_time(Device *dev, unsigned index) {
    (void)index;
    return (uint32_t)device_now_ns(dev);
}

static const Reg mail_regs[] = {
    {.name = "RING", .offset = 0, .count = 2, .write = mail_ring},
    {.name = "START", .offset = 0x10, .write = mail_start},
    {.name = "WHO", .offset = 0x14, .read = mail_who, .access = REG_RO},
    {.name = "TIME", .offset = 0x18, .read = mail_time, .access = REG_RO},
};
static const Output mail_outputs[] = {{NULL, offsetof(Mail, ring), 2}};
static const char *const mail_names[] = {"Test.Mail", NULL};
static const DeviceType mail_type = {
    .name = "mail",
    .repl_types = mail_names,
    .struct_size = sizeof(Mail),
    DEVICE_TABLE(regs, mail_regs),
    DEVICE_TABLE(outputs, mail_outputs),
    .window_size = 0x1000,
};

/* ---- Boards ----------------------------------------------------------------------------------------------------- */

/* A core with its NVIC; both as name, and the NVIC where each core sees its own. */
#define CORE(n, model, hz, more)                                                                                       \
    "cpu" n ": CPU.CortexM @ sysbus { cpuType: \"" model "\"; nvic: nvic" n "; clockFrequency: " hz more " }\n"      \
    "nvic" n ": IRQControllers.NVIC @ sysbus new Bus.BusPointRegistration { address: 0xE000E000; cpu: cpu" n " }\n"    \
    "    systickFrequency: " hz "\n"
#define REST                                                                                                           \
    "rom: Memory.MappedMemory @ sysbus 0 { size: 0x400000 }\n"                                                         \
    "ram: Memory.MappedMemory @ sysbus 0x20000000 { size: 0x400000 }\n"                                                \
    "mail: Test.Mail @ sysbus 0x50000000 { 0 -> nvic0@0; 1 -> nvic1@0 }\n"
#define FIRST CORE("0", "cortex-m3", "25000000", "")
#define SECOND "; vectorTable: 0x800; held: true"

typedef struct Setup {
    const char *name, *repl;
    uint64_t quantum;
} Setup;

static const char two[] = FIRST CORE("1", "cortex-m3", "25000000", SECOND) REST;
static const char two_clocks[] = FIRST CORE("1", "cortex-m3", "33333333", SECOND) REST;
static const char three[] =
    FIRST CORE("1", "cortex-m3", "25000000", SECOND) CORE("2", "cortex-m0+", "16000000", "; vectorTable: 0xc00") REST;
static const char two_speeds[] = FIRST CORE("1", "cortex-m3", "25000000", SECOND "; cyclesPerInstruction: 2") REST;
static const Setup setups[] = {
    {"two cores", two, 0},
    {"two cores, quantum of 100", two, 100},
    {"two cores, quantum of 33", two, 33},
    {"two clocks", two_clocks, 0},
    {"two clocks, quantum of 57", two_clocks, 57},
    {"two instruction sets, three cores", three, 0},
    {"two times as slow", two_speeds, 0},
};

typedef struct Text {
    char bytes[1024];
    size_t len;
} Text;

static void text_add(void *user, const void *bytes, size_t len) {
    Text *text = user;
    assert_true(text->len + len < sizeof text->bytes);
    memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
}

static void log_text(void *user, LogLevel level, const char *line) {
    (void)user;
    (void)level;
    fprintf(stderr, "%s\n", line);
}

static const Log errors = {.level = LOG_WARN, .sink = log_text};

/* `engine`: index in guest_engines. */
static Node *setup_node(const Setup *setup, size_t engine, uint64_t slice, Text *text) {
    static const DeviceType *const types[] = {&mail_type};
    char path[4096];
    Err err = {0};
    NodeOptions options = {.repl_text = setup->repl, .slice = slice, .quantum = setup->quantum, .log = &errors,
                           .types = types, .n_types = ARRAY_LEN(types)};
    guest_set_engine(&options, engine);
    Node *node = node_new(&options, &err);
    guest_program_path(path, sizeof path, "multi");
    if (!node || !node_load(node, path, IMAGE_AUTO, false, 0, &err)) {
        fail_msg("%s: %s", setup->name, err.text);
    }
    node->console = text_add;
    node->console_user = text;
    return node;
}

static void run(Node *node, uint64_t until_ns) {
    StopReason reason = node_run_until(node, until_ns);
    if (reason != STOP_DURATION) {
        const Text *text = node->console_user;
        fail_msg("stop %d, code %d, %.*s", (int)reason, node->stop_code, (int)text->len, text->bytes);
    }
}

static uint32_t counter(Node *node, const char *name) {
    return guest_word(node, guest_symbol(node, name));
}

static uint64_t end_ns(void) {
    return guest_quick() ? UINT64_C(12000000) : (uint64_t)END_US * 1000;
}

/* ---- Tests ------------------------------------------------------------------------------------------------------ */

/* The program checks itself; here is what it cannot see. */
static void test_program(void **state) {
    const Setup *setup = *state;
    Receipt first = {0};
    for (size_t way = 0; way < GUEST_WAYS; way++) {
        Text text = {0};
        Node *node = setup_node(setup, guest_engine(way), guest_slice(way), &text);
        run(node, end_ns());
        assert_int_equal(node->cores[0].cpu->index, 0);
        if (!guest_quick()) { /* there is time to finish */
            assert_int_equal(counter(node, "second_phase"), 3);
            assert_true(strstr(text.bytes, "multi: done") && counter(node, "rounds") > 0);
        }
        for (unsigned i = 0; i < node->n_cores; i++) {
            const Cpu *cpu = node->cores[i].cpu;
            uint64_t behind_ns = node_time_ns(node) - clock_ns(node->cores[i].clock, cpu_ticks(cpu));
            assert_true(behind_ns <= clock_ns(node->cores[0].clock, node->quantum));
            assert_true(guest_quick() || cpu_ticks(cpu) - cpu->idle_ticks > 100000);
        }
        assert_true(guest_quick() || node->n_cores < 3 || counter(node, "third") > 10000);
        assert_true(node->n_cores < 3 || node->cores[2].code != node->cores[0].code);
        assert_ptr_equal(node->cores[1].code, node->cores[0].code);
        Receipt receipt = guest_receipt(node);
        first = way == GUEST_REFERENCE ? receipt : first;
        guest_check_receipt(&receipt, &first, guest_engine(way), guest_slice(way), setup->name);
        node_free(node);
    }
    print_message("%s: %llu instructions, hash %016llx in %d ways\n", setup->name,
                  (unsigned long long)first.instructions, (unsigned long long)first.hash, GUEST_WAYS);
}

/* Where a run is cut cannot be seen, and a state saved there and restored elsewhere goes on as the run did. */
static void test_cuts(void **state) {
    const Setup *setup = *state;
    Text text = {0};
    size_t cuts = guest_quick() ? 30 : CUTS;
    Node *whole = setup_node(setup, ENGINE_JIT, 0, &text), *cut = setup_node(setup, ENGINE_T0, 0, &text);
    run(whole, end_ns());
    Rng rng;
    rng_seed(&rng, 11);
    for (uint64_t i = 1, at = 0; i <= cuts; i++) {
        at += rng_below(&rng, 2 * (end_ns() / cuts) - 1);
        at = at < end_ns() && i < cuts ? at : end_ns();
        run(cut, at);
        run(cut, at); /* there already */
        if (i % 3 == 0) {
            ByteVec bytes = {0};
            Err err = {0};
            uint64_t hash = node_hash(cut);
            assert_true(node_save(cut, &bytes));
            node_free(cut);
            cut = setup_node(setup, i / 3 % GUEST_ENGINES, i % 4 ? 0 : 13, &text);
            run(cut, i * 1000);
            if (!node_restore(cut, bytes.data, bytes.len, &err)) {
                fail_msg("%s", err.text);
            }
            assert_int_equal(node_hash(cut), hash);
            vec_free(&bytes);
        }
        text.len = 0;
    }
    Receipt a = guest_receipt(whole), b = guest_receipt(cut);
    guest_check_receipt(&b, &a, 0, 0, setup->name);
    node_free(whole);
    node_free(cut);
}

static bool shares(const Node *node) {
    bool first = node->cores[0].code->share != NULL;
    for (unsigned i = 0; i < node->n_cores; i++) {
        assert_int_equal(node->cores[i].code->share != NULL, first);
        assert_int_equal(node->cores[i].code->own == NULL, first);
    }
    return first;
}

/* Boards that are alike share the code of each kind of their cores; one that writes to it leaves with all of them. */
static void test_shares(void **state) {
    enum { NODES = 3, LEAVES = 1, PIECES = 40 };
    const Setup *setup = *state;
    Text text = {0};
    Node *alone = setup_node(setup, 0, 0, &text);
    run(alone, end_ns());
    Receipt expected = guest_receipt(alone);
    node_free(alone);
    for (size_t engine = 0; engine < GUEST_ENGINES; engine++) {
        CodeShares *all = code_shares_new();
        Node *nodes[NODES];
        for (unsigned i = 0; i < NODES; i++) {
            nodes[i] = setup_node(setup, engine, 0, &text);
        }
        code_shares_join(all, nodes, NODES);
        assert_ptr_not_equal(nodes[0]->cores[0].code->share, nodes[0]->cores[2].code->share);
        for (unsigned i = 0; i < PIECES * NODES; i++) {
            Node *node = nodes[i % NODES];
            run(node, end_ns() * (i / NODES + 1) / PIECES);
            text.len = 0;
            if (i == PIECES * NODES / 2 / NODES * NODES + LEAVES) {
                uint32_t at = guest_symbol(node, "main") & ~1u, word = guest_word(node, at);
                assert_true(shares(node) && mem_poke(&node->board.map, at, &word, sizeof word));
            }
        }
        for (unsigned i = 0; i < NODES; i++) {
            Receipt receipt = guest_receipt(nodes[i]);
            guest_check_receipt(&receipt, &expected, engine, 0, setup->name);
            assert_int_equal(shares(nodes[i]), i != LEAVES);
            node_free(nodes[i]);
        }
        code_shares_free(all);
    }
}

/* The quantum is part of the machine: it can be seen, and a state of another one is refused. */
static void test_quantum(void **state) {
    (void)state;
    Text text = {0};
    Err err = {0};
    Node *a = setup_node(&setups[0], ENGINE_JIT, 0, &text), *b = setup_node(&setups[1], ENGINE_JIT, 0, &text);
    run(a, 3000000);
    run(b, 3000000);
    assert_int_not_equal(node_hash(a), node_hash(b));
    ByteVec bytes = {0};
    assert_true(node_save(a, &bytes));
    assert_false(node_restore(b, bytes.data, bytes.len, &err));
    assert_string_equal(err.text, "the saved state has a quantum of 1000 instructions, this machine has 100");
    vec_free(&bytes);
    node_free(a);
    node_free(b);
}

/* A reset of the board holds the second core again, and everything starts over. */
static void test_reset(void **state) {
    (void)state;
    Text text = {0};
    Node *node = setup_node(&setups[0], ENGINE_JIT, 0, &text);
    run(node, 2000000);
    assert_false(node->cores[1].cpu->held);
    node->board.request_reset(&node->board);
    text.len = 0;
    run(node, 60000000); /* START would fail if the core were not held again */
    assert_non_null(strstr(text.bytes, "multi: done"));
    node_free(node);
}

/* Inputs that come while a run stands still take effect as those that were known from the start. */
static void test_late_input(void **state) {
    const Setup *setup = *state;
    Text text = {0};
    enum { INPUTS = 40 };
    Node *known = setup_node(setup, ENGINE_JIT, 0, &text), *late = setup_node(setup, ENGINE_JIT, 0, &text);
    for (uint64_t i = 1; i <= INPUTS; i++) {
        uint64_t at = i * 123457;
        assert_true(node_input_signal(known, guest_device(known, "nvic0"), 0, at, i % 2));
    }
    for (uint64_t i = 1; i <= INPUTS; i++) {
        uint64_t at = i * 123457;
        run(late, at);
        assert_true(node_input_signal(late, guest_device(late, "nvic0"), 0, at, i % 2));
    }
    run(late, 6000000);
    run(known, 6000000);
    /* The sequence numbers of events are no part of the hash. */
    assert_int_equal(node_hash(known), node_hash(late));
    node_free(known);
    node_free(late);
}

/* A meeting brings all cores to one time; it is an input that is saved while it waits. */
static void test_meeting(void **state) {
    const Setup *setup = *state;
    Text text = {0};
    Node *node = setup_node(setup, ENGINE_JIT, 0, &text), *other = setup_node(setup, ENGINE_INTERP, 7, &text);
    for (uint64_t i = 1; i <= 50; i++) {
        uint64_t at = i * 76543;
        node_meet_at(node, at);
        run(node, at - 5000);
        ByteVec bytes = {0};
        Err err = {0};
        assert_true(node_save(node, &bytes));
        if (!node_restore(other, bytes.data, bytes.len, &err)) {
            fail_msg("%s", err.text);
        }
        vec_free(&bytes);
        run(node, at);
        run(other, at);
        assert_int_equal(node_hash(node), node_hash(other));
        for (unsigned k = 0; k < node->n_cores; k++) {
            const Clock *clock = node->cores[k].clock;
            uint64_t ticks = cpu_ticks(node->cores[k].cpu); /* the first that starts at or after that time */
            assert_true(clock_ns(clock, ticks) >= at && clock_ns(clock, ticks - 1) < at);
        }
    }
    node_free(node);
    node_free(other);
}

/* A state that somebody has tampered with is refused, or is some state: the node runs on either way. */
static void test_hostile_states(void **state) {
    const Setup *setup = *state;
    Text text = {0};
    Rng rng;
    rng_seed(&rng, 5);
    size_t accepted = 0, n = guest_quick() ? 20 : 200;
    Node *node = setup_node(setup, ENGINE_JIT, 0, &text);
    run(node, 1234567);
    ByteVec bytes = {0};
    assert_true(node_save(node, &bytes));
    for (size_t i = 0; i < n; i++) {
        size_t at = NODE_STATE_BODY + rng_below(&rng, 300);
        uint8_t old = bytes.data[at];
        bytes.data[at] = (uint8_t)rng_below(&rng, 256);
        uint64_t sum = node_state_sum(bytes.data, bytes.len);
        for (unsigned k = 0; k < 8; k++) {
            bytes.data[NODE_STATE_SUM + k] = (uint8_t)(sum >> (8 * k));
        }
        text.len = 0;
        if (node_restore(node, bytes.data, bytes.len, NULL)) {
            accepted++;
            node_run_until(node, node_time_ns(node) + 100000);
        }
        bytes.data[at] = old;
    }
    print_message("%s: %u of %u accepted\n", setup->name, (unsigned)accepted, (unsigned)n);
    vec_free(&bytes);
    node_free(node);
}

/* Steps and breakpoints reach every core, and change nothing. */
static void test_debug(void **state) {
    const Setup *setup = *state;
    Text text = {0};
    Node *plain = setup_node(setup, ENGINE_JIT, 0, &text), *node = setup_node(setup, ENGINE_JIT, 0, &text);
    uint32_t handler = guest_symbol(node, "irq_second");
    unsigned stops = 0;
    assert_false(node_break(node, handler, false));
    assert_true(node_break(node, handler, true) && node_break(node, handler, true));
    assert_int_equal(node->breakpoints.len, 1);
    while (node_run_until(node, 1500000) == STOP_BREAKPOINT) {
        assert_int_equal(node->board.current_cpu, 1);
        assert_int_equal(node->cores[1].cpu->pc, handler);
        stops++;
    }
    assert_true(node_break(node, handler, false));
    uint64_t before = node_instructions(node);
    for (unsigned i = 0; i < 3000; i++) {
        assert_int_equal(node_step(node), STOP_DURATION);
    }
    assert_int_equal(node_instructions(node), before + 3000);
    run(node, 3000000);
    run(plain, 3000000);
    assert_int_equal(node_hash(node), node_hash(plain));
    assert_true(stops > 10);
    node_free(node);
    node_free(plain);
}

#define FOR_SETUP(f, i)                                                                                                \
    { .name = #f "(" #i ")", .test_func = f, .initial_state = (void *)&setups[i] }

int main(void) {
    const struct CMUnitTest tests[] = {
        FOR_SETUP(test_program, 0),    FOR_SETUP(test_program, 1), FOR_SETUP(test_program, 2),
        FOR_SETUP(test_program, 3),    FOR_SETUP(test_program, 4), FOR_SETUP(test_program, 5),
        FOR_SETUP(test_program, 6),    FOR_SETUP(test_cuts, 6),    FOR_SETUP(test_meeting, 6),
        FOR_SETUP(test_cuts, 0),       FOR_SETUP(test_cuts, 1),    FOR_SETUP(test_cuts, 4),
        FOR_SETUP(test_cuts, 5),       cmocka_unit_test(test_quantum), cmocka_unit_test(test_reset),
        FOR_SETUP(test_late_input, 0), FOR_SETUP(test_late_input, 4),
        FOR_SETUP(test_meeting, 0),    FOR_SETUP(test_meeting, 4), FOR_SETUP(test_meeting, 5),
        FOR_SETUP(test_debug, 0),      FOR_SETUP(test_debug, 3),  FOR_SETUP(test_shares, 5),
        FOR_SETUP(test_hostile_states, 0), FOR_SETUP(test_hostile_states, 3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
