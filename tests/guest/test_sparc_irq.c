/* An interrupt before every instruction of sparc/irq_every.S, and a trap at each, under each engine: in delay slots,
 * between the halves of branch couples, in window overflow and underflow handlers (where an interrupt waits for RETT,
 * and a trap ends in error mode). PC and nPC that the trap saves must be those of the undisturbed run, and so must be
 * everything at the end. SPARC V8 7.4, 7.5. */
#include "guest/sparc/sys.h"
#include "guest_rig.h"

enum { STEPS_MAX = 1500, RESULT_WORDS = 50, LEVEL = 15, HANDLER_INSNS = 4 + 13, /* with the trap table's */
       PATCH_INSNS = 1 + 4 + 13, PATCH_TYPE = 0x83 };
#define PATCH_INSN UINT32_C(0x91d02003) /* ta 3 */

/* The core before instruction `index` of the undisturbed run. */
typedef struct Step {
    uint32_t pc, npc;
    bool enabled;
} Step;

typedef struct Result {
    uint32_t words[RESULT_WORDS], g[8], f[32], windows[128], psr, wim, y;
    uint64_t ticks;
} Result;

static struct {
    Step steps[STEPS_MAX];
    size_t first, last; /* the program: [first, last) */
    uint32_t results, record, patch;
    unsigned delay_slots, waiting;
    Result end;
} plan;

static Node *program_node(size_t engine) {
    return guest_node("leon3", "sparc_irq_every", engine, 0);
}

static uint32_t npc_of(const Node *node) {
    const Cpu *cpu = node->cpu;
    return cpu->aux == SPARC_AUX_DYNAMIC ? sparc_state(cpu)->npc : (uint32_t)cpu->pc + 4 + cpu->aux;
}

static Result result_of(Node *node) {
    Result r = {.ticks = cpu_ticks(node->cpu)};
    SparcState *s = sparc_state(node->cpu);
    cpu_settle(node->cpu);
    for (unsigned i = 0; i < RESULT_WORDS; i++) {
        r.words[i] = guest_word(node, plan.results + 4 * i);
    }
    memcpy(r.g, s->g, sizeof r.g);
    memcpy(r.f, s->f, sizeof r.f);
    memcpy(r.windows, s->windows, sizeof r.windows);
    r.psr = sparc_psr(s);
    r.wim = s->wim;
    r.y = s->y;
    return r;
}

static void run_to_exit(Node *node) {
    StopReason reason = node_run_until(node, UINT64_C(1000000000));
    if (reason != STOP_HALTED || node->stop_code != 0) {
        fail_msg("stop %d, code %d, pc 0x%08x", (int)reason, node->stop_code, (unsigned)node->cpu->pc);
    }
}

/* Runs it one instruction at a time and notes where it is each time. */
static int plan_make(void **state) {
    (void)state;
    Node *node = program_node(GUEST_REFERENCE);
    uint32_t begin = guest_symbol(node, "program_begin"), end = guest_symbol(node, "program_end");
    plan.results = guest_symbol(node, "results");
    plan.record = guest_symbol(node, "irq_record");
    plan.patch = guest_symbol(node, "patch_record");
    for (size_t i = 0; i < STEPS_MAX; i++) {
        assert_int_equal(node_run_until(node, guest_tick_ns(node, i)), STOP_DURATION);
        Step *step = &plan.steps[i];
        *step = (Step){(uint32_t)node->cpu->pc, npc_of(node), sparc_state(node->cpu)->et};
        plan.first = step->pc == begin ? i : plan.first;
        if (step->pc == end) {
            plan.last = i;
            break;
        }
        plan.delay_slots += plan.first && step->npc != step->pc + 4;
        plan.waiting += plan.first && !step->enabled;
    }
    assert_true(plan.first > 0 && plan.last > plan.first);
    run_to_exit(node);
    plan.end = result_of(node);
    node_free(node);
    return 0;
}

/* ---- Interrupts at exact ticks ---- */

typedef struct Pulse {
    Event event;
    LeonIrqPort *port;
    uint32_t acknowledged;
} Pulse;

/* Stands for the interrupt controller: the port's `controller` is the pulse. */
static void pulse_acknowledged(Device *controller, unsigned cpu, unsigned level) {
    Pulse *pulse = (Pulse *)(uintptr_t)controller;
    (void)cpu;
    assert_int_equal(level, LEVEL);
    pulse->acknowledged++;
    pulse->port->set_level(pulse->port, 0);
}

static void pulse_fire(Event *event) {
    Pulse *pulse = CONTAINER_OF(event, Pulse, event);
    pulse->port->set_level(pulse->port, LEVEL);
}

/* The end is that of the undisturbed run, `more` ticks later; but for the locals of the handler's window. */
static void check_end(Node *node, uint64_t more, size_t engine, size_t index) {
    Result result = result_of(node), expected = plan.end;
    assert_int_equal(result.ticks, expected.ticks + more);
    result.ticks = expected.ticks;
    for (unsigned w = 0; w < 8; w++) {
        memset(&result.windows[16 * w + 8], 0, 32);
        memset(&expected.windows[16 * w + 8], 0, 32);
    }
    if (memcmp(&result, &expected, sizeof result) != 0) {
        fail_msg("%s, index %zu: another end", guest_engine_name(engine), index);
    }
}

static void interrupted_at(size_t engine, size_t index) {
    Node *node = program_node(engine);
    Pulse pulse = {.event.fire = pulse_fire, .port = device_leon_irq(guest_device(node, "cpu"))};
    pulse.port->controller = (Device *)(uintptr_t)&pulse;
    pulse.port->acknowledge = pulse_acknowledged;
    event_at(&node->board.events, &pulse.event, guest_tick_ns(node, index));
    run_to_exit(node);
    size_t taken = index;
    while (!plan.steps[taken].enabled) {
        taken++;
    }
    uint32_t pc = guest_word(node, plan.record), npc = guest_word(node, plan.record + 4);
    const Step *step = &plan.steps[taken];
    if (__builtin_bswap32(pc) != step->pc || __builtin_bswap32(npc) != step->npc || pulse.acknowledged != 1) {
        fail_msg("%s, index %zu: taken %u times at 0x%08x, 0x%08x, expected 0x%08x, 0x%08x", guest_engine_name(engine),
                 index, (unsigned)pulse.acknowledged, __builtin_bswap32(pc), __builtin_bswap32(npc), step->pc,
                 step->npc);
    }
    check_end(node, HANDLER_INSNS, engine, index);
    node_free(node);
}

static void test_every_index(void **state) {
    size_t engine = (uintptr_t)*state;
    size_t step = guest_quick() ? 7 : 1, n = 0;
    for (size_t i = plan.first; i < plan.last; i += step, n++) {
        interrupted_at(engine, i);
    }
    print_message("%s: %zu indices, of %zu; %u with nPC elsewhere, %u with traps disabled\n",
                  guest_engine_name(engine), n, plan.last - plan.first, plan.delay_slots, plan.waiting);
}

/* ---- Traps in the place of instructions ---- */

static void poke_word(Node *node, uint32_t addr, uint32_t word) {
    uint32_t big = __builtin_bswap32(word);
    assert_true(mem_poke(&node->board.map, addr, &big, sizeof big));
}

static void trapped_at(size_t engine, size_t index) {
    Node *node = program_node(engine);
    const Step *step = &plan.steps[index];
    assert_int_equal(node_run_until(node, guest_tick_ns(node, index)), STOP_DURATION);
    poke_word(node, plan.patch + 8, __builtin_bswap32(guest_word(node, step->pc)));
    poke_word(node, step->pc, PATCH_INSN);
    if (step->enabled) {
        run_to_exit(node);
        uint32_t pc = __builtin_bswap32(guest_word(node, plan.patch)), npc = guest_word(node, plan.patch + 4);
        if (pc != step->pc || __builtin_bswap32(npc) != step->npc) {
            fail_msg("%s, index %zu: at 0x%08x, 0x%08x, expected 0x%08x, 0x%08x", guest_engine_name(engine), index,
                     (unsigned)pc, __builtin_bswap32(npc), (unsigned)step->pc, (unsigned)step->npc);
        }
        check_end(node, PATCH_INSNS, engine, index);
    } else {
        assert_int_equal(node_run_until(node, UINT64_C(1000000000)), STOP_HALTED);
        assert_int_equal(node->stop_code, PATCH_TYPE);
        assert_int_equal(node->cpu->pc, step->pc);
    }
    node_free(node);
}

static void test_trap_at_every_index(void **state) {
    size_t engine = (uintptr_t)*state;
    for (size_t i = plan.first; i < plan.last; i += guest_quick() ? 7 : 1) {
        trapped_at(engine, i);
    }
}

/* Cut at every instruction: the state must be the same whatever stands in it (window file, nPC). */
static void test_cuts_are_not_seen(void **state) {
    size_t engine = (uintptr_t)*state;
    Node *whole = program_node(GUEST_REFERENCE), *cut = program_node(engine);
    for (size_t i = 0; i < plan.last; i++) {
        assert_int_equal(node_run_until(whole, guest_tick_ns(whole, i)), STOP_DURATION);
        assert_int_equal(node_run_until(cut, guest_tick_ns(cut, i)), STOP_DURATION);
        if (i % 16 == 0 && node_hash(whole) != node_hash(cut)) {
            fail_msg("%s: differs at instruction %zu", guest_engine_name(engine), i);
        }
    }
    run_to_exit(cut);
    node_free(whole);
    whole = program_node(engine);
    run_to_exit(whole);
    assert_int_equal(node_hash(whole), node_hash(cut));
    node_free(whole);
    node_free(cut);
}

/* Saved and restored in another node at every few instructions. */
static void test_snapshots(void **state) {
    size_t engine = (uintptr_t)*state;
    Node *first = program_node(engine);
    Err err;
    for (size_t i = 3; i < plan.last; i += 41) {
        ByteVec bytes = {0};
        Node *other = program_node(GUEST_REFERENCE);
        assert_int_equal(node_run_until(first, guest_tick_ns(first, i)), STOP_DURATION);
        assert_true(node_save(first, &bytes));
        if (!node_restore(other, bytes.data, bytes.len, &err)) {
            fail_msg("%s", err.text);
        }
        assert_int_equal(node_hash(first), node_hash(other));
        run_to_exit(other);
        Result end = result_of(other);
        assert_memory_equal(&end, &plan.end, sizeof end);
        vec_free(&bytes);
        node_free(other);
    }
    node_free(first);
}

int main(void) {
    static const struct CMUnitTest kinds[] = {
        cmocka_unit_test(test_every_index),
        cmocka_unit_test(test_trap_at_every_index),
        cmocka_unit_test(test_cuts_are_not_seen),
        cmocka_unit_test(test_snapshots),
    };
    struct CMUnitTest tests[GUEST_ENGINES * ARRAY_LEN(kinds)];
    for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
        tests[i] = kinds[i % ARRAY_LEN(kinds)];
        tests[i].initial_state = (void *)(i / ARRAY_LEN(kinds));
    }
    return cmocka_run_group_tests(tests, plan_make, NULL);
}
