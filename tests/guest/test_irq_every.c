/* An interrupt at every instruction of irq_every.S (IT blocks, LDM and STM, exclusives, masks, both stacks, SVC), under
 * each engine, alone and with a second one of higher priority inside its handler. What is stacked, and registers and
 * memory at the end, must be what the architecture says: DDI 0403E.e B1.5.6 (frame), A7.3.2 (ITSTATE), A3.4
 * (exclusives). */
#include "guest_rig.h"

enum { STEPS_MAX = 512, RESULT_WORDS = 96, LINE_INNER = 30, LINE_OUTER = 31, LOOP_INSNS = 5 };

/* The core before instruction `index` of the undisturbed run. */
typedef struct Step {
    uint32_t pc, it; /* it: computed here from the IT instructions seen, not asked from the core */
    uint32_t psr; /* as it would be stacked, without ITSTATE and alignment */
    uint32_t sp, exclusive;
    bool masked; /* line 31 has to wait */
} Step;

typedef struct Result {
    uint32_t r[16], psr, sp_other;
    uint32_t words[RESULT_WORDS];
    uint64_t ticks;
} Result;

static struct {
    Step steps[STEPS_MAX];
    size_t first, last; /* the program: [first, last) */
    uint32_t results, n_words, record[2], alone_insns;
    Result end;
} plan;

static uint32_t psr_of(const ArmState *s) {
    return (uint32_t)s->n << 31 | (uint32_t)s->z << 30 | (uint32_t)s->c << 29 | (uint32_t)s->v << 28 | s->q << 27 |
           1u << 24 | s->ipsr;
}

/* ITSTATE behind the instruction at pc. */
static uint32_t it_next(Node *node, uint32_t pc, uint32_t it) {
    uint32_t unit = guest_word(node, pc & ~3u) >> (pc & 2) * 8 & 0xffff;
    if ((unit & 0xff00) == 0xbf00 && unit & 0xf) {
        return unit & 0xff;
    }
    return it & 7 ? (it & 0xe0) | (it << 1 & 0x1f) : 0;
}

static Result result_of(Node *node) {
    Result result = {0};
    const ArmState *s = guest_arm(node);
    memcpy(result.r, s->r, sizeof result.r);
    result.psr = psr_of(s);
    result.sp_other = s->sp_other;
    result.ticks = cpu_ticks(node->cpu);
    assert_true(mem_peek(&node->board.map, plan.results, result.words, plan.n_words * 4));
    return result;
}

static void run_to_exit(Node *node) {
    StopReason reason = node_run_until(node, UINT64_C(1000000000));
    if (reason != STOP_EXIT || node->stop_code != 0) {
        fail_msg("stop %d, code %d, pc 0x%08x", (int)reason, node->stop_code, (unsigned)node->cpu->pc);
    }
}

static Node *program_node(size_t engine) {
    return guest_node("mps2-an385", "irq_every", engine, 0);
}

/* Runs it one instruction at a time and notes where it is each time. */
static int plan_make(void **state) {
    (void)state;
    Node *node = program_node(ENGINE_INTERP);
    uint32_t begin = guest_symbol(node, "program_begin"), end = guest_symbol(node, "program_end"), it = 0;
    plan.results = guest_symbol(node, "results");
    plan.n_words = (guest_symbol(node, "results_end") - plan.results) / 4;
    plan.record[0] = guest_symbol(node, "irq_record");
    plan.record[1] = guest_symbol(node, "inner_record");
    assert_true(plan.n_words <= RESULT_WORDS);
    for (size_t i = 0; i < STEPS_MAX; i++) {
        assert_int_equal(node_run_until(node, guest_tick_ns(node, i)), STOP_DURATION);
        const ArmState *s = guest_arm(node);
        Step *step = &plan.steps[i];
        *step = (Step){.pc = (uint32_t)node->cpu->pc, .it = it, .psr = psr_of(s), .sp = s->r[ARM_SP],
                       .exclusive = s->exclusive_size, .masked = s->primask || s->basepri};
        plan.first = step->pc == begin ? i : plan.first;
        if (step->pc == end) {
            plan.last = i;
            break;
        }
        it = it_next(node, step->pc, it); /* the SVC of the program is in no IT block, so its handler changes nothing */
    }
    assert_true(plan.last > plan.first);
    run_to_exit(node);
    plan.end = result_of(node);
    node_free(node);
    return 0;
}

/* ---- Interrupts at exact ticks ---- */

typedef struct Pulse {
    Event event;
    Device *nvic;
    unsigned line;
} Pulse;

static void pulse_fire(Event *event) {
    Pulse *pulse = CONTAINER_OF(event, Pulse, event);
    pulse->nvic->type->input(pulse->nvic, pulse->line, true);
    pulse->nvic->type->input(pulse->nvic, pulse->line, false);
}

static void pulse_at(Node *node, Pulse *pulse, unsigned line, uint64_t tick) {
    *pulse = (Pulse){.event.fire = pulse_fire, .nvic = guest_device(node, "nvic"), .line = line};
    event_at(&node->board.events, &pulse->event, guest_tick_ns(node, tick));
}

/* Registers but the scratch ones of the exit, and memory. */
static void check_end(const Result *end, size_t index) {
    if (memcmp(end->r, plan.end.r, sizeof end->r) || end->psr != plan.end.psr || end->sp_other != plan.end.sp_other) {
        for (unsigned i = 0; i < 16; i++) {
            print_error("r%u 0x%08x, undisturbed 0x%08x\n", i, (unsigned)end->r[i], (unsigned)plan.end.r[i]);
        }
        fail_msg("interrupt before instruction %u: psr 0x%08x, undisturbed 0x%08x", (unsigned)index,
                 (unsigned)end->psr, (unsigned)plan.end.psr);
    }
    for (uint32_t i = 0; i < plan.n_words; i++) {
        if (end->words[i] != plan.end.words[i]) {
            fail_msg("interrupt before instruction %u: word %u of the results is 0x%08x, undisturbed 0x%08x",
                     (unsigned)index, (unsigned)i, (unsigned)end->words[i], (unsigned)plan.end.words[i]);
        }
    }
}

/* The frame of line 31, kept by its handler: it came before instruction `at`. */
static void check_record(Node *node, size_t at) {
    const Step *step = &plan.steps[at];
    uint32_t count = guest_word(node, plan.record[0]), pc = guest_word(node, plan.record[0] + 4);
    uint32_t psr = guest_word(node, plan.record[0] + 8);
    uint32_t expected = step->psr | (step->it & 3) << 25 | (step->it >> 2) << 10 | (step->sp & 4) << 7;
    if (count != 1 || pc != step->pc || psr != expected) {
        fail_msg("before instruction %u: %u times, stacked pc 0x%08x, psr 0x%08x, expected 0x%08x, 0x%08x",
                 (unsigned)at, (unsigned)count, (unsigned)pc, (unsigned)psr, (unsigned)step->pc, (unsigned)expected);
    }
}

/* Where the interrupt that comes before instruction `index` is taken. */
static size_t taken_at(size_t index) {
    while (plan.steps[index].masked) {
        index++;
    }
    return index;
}

/* One interrupt before instruction `index`; returns how many instructions more than undisturbed were executed. */
static uint64_t run_with_one(size_t engine, size_t index) {
    Pulse pulse;
    Node *node = program_node(engine);
    pulse_at(node, &pulse, LINE_OUTER, index);
    run_to_exit(node);
    Result end = result_of(node);
    check_end(&end, index);
    check_record(node, taken_at(index));
    assert_int_equal(guest_word(node, plan.record[1]), 0);
    node_free(node);
    return end.ticks - plan.end.ticks;
}

static void test_every_instruction(void **state) {
    size_t engine = (uintptr_t)*state;
    size_t in_it = 0, retried = 0, waited = 0;
    uint64_t handler = run_with_one(engine, plan.first);
    for (size_t i = plan.first; i < plan.last; i++) {
        size_t at = taken_at(i);
        bool retry = plan.steps[at].exclusive != 0;
        /* An interrupt between LDREX and STREX costs the instructions from LDREX on once more, up to its branch. */
        uint64_t extra = run_with_one(engine, i), expected = handler + (retry ? LOOP_INSNS : 0);
        if (extra != expected) {
            fail_msg("before instruction %u (pc 0x%08x): %u instructions more, expected %u", (unsigned)i,
                     (unsigned)plan.steps[i].pc, (unsigned)extra, (unsigned)expected);
        }
        in_it += plan.steps[at].it != 0;
        retried += retry;
        waited += at != i;
    }
    assert_true(plan.last - plan.first >= 200 && in_it >= 20 && retried >= 6 && waited >= 6);
    print_message("engine %s: %u instruction indices: %u inside IT blocks, %u between LDREX and STREX, %u masked\n",
                  guest_engine_name(engine), (unsigned)(plan.last - plan.first), (unsigned)in_it, (unsigned)retried,
                  (unsigned)waited);
}

/* A second interrupt at each instruction from the first one's entry until it is over. */
static void test_two_interrupts(void **state) {
    size_t engine = (uintptr_t)*state;
    size_t runs = 0, step = guest_quick() ? 17 : 1;
    uint64_t handler = run_with_one(engine, plan.first);
    for (size_t i = plan.first; i < plan.last; i++) {
        for (uint64_t later = i % step; later <= handler + 1; later += step) {
            Pulse outer, inner;
            Node *node = program_node(engine);
            pulse_at(node, &outer, LINE_OUTER, i);
            pulse_at(node, &inner, LINE_INNER, i + later);
            run_to_exit(node);
            Result end = result_of(node);
            check_end(&end, i);
            assert_int_equal(guest_word(node, plan.record[0]), 1);
            assert_int_equal(guest_word(node, plan.record[1]), 1);
            node_free(node);
            runs++;
        }
    }
    print_message("engine %s: %u runs with two interrupts\n", guest_engine_name(engine), (unsigned)runs);
}

int main(void) {
    struct CMUnitTest tests[2 * GUEST_ROOMY];
    for (size_t i = 0; i < GUEST_ROOMY; i++) {
        tests[2 * i] = (struct CMUnitTest){
            .name = "test_every_instruction", .test_func = test_every_instruction, .initial_state = (void *)i};
        tests[2 * i + 1] = (struct CMUnitTest){
            .name = "test_two_interrupts", .test_func = test_two_interrupts, .initial_state = (void *)i};
    }
    return cmocka_run_group_tests(tests, plan_make, NULL);
}
