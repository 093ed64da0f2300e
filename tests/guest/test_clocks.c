/* Counters against the instruction count over 60 virtual seconds: every value that the programs read and every
 * interrupt must be what the manuals' arithmetic gives for the cycle (a tick of the CPU) at which it happened.
 * SysTick: DDI 0403E.e B3.3; CMSDK timers: DDI 0479, 4.3 and 4.4; nRF51 TIMER and RTC: Series Reference Manual v3.0.1,
 * chapters 18 and 19. */
#include "guest_rig.h"

enum { SECONDS = 60, LATE_MAX = 400 /* cycles that other handlers may hold an interrupt back */ };

/* One counter: what starts it, where it is read, what it holds `elapsed` clocks later. */
typedef struct Counter {
    const char *name;
    uint32_t start_addr, start_value; /* the write that starts it */
    uint32_t capture_addr, read_addr; /* what is read is the value at the last write to capture_addr, if there is one */
    uint32_t (*value)(const struct Counter *counter, uint64_t elapsed);
    uint64_t (*clock)(uint64_t tick); /* its own clock; NULL: that of the CPU */
    uint32_t reload, divisor;
    unsigned exception; /* 0: none */
    uint64_t (*arrival)(const struct Counter *counter, uint64_t number); /* in clocks after the start, from 1 */
    const char *count_symbol;
    uint32_t count_offset;
} Counter;

typedef struct Watch {
    bool started;
    uint64_t start_tick, capture_tick, reads, entries, at_once;
} Watch;

static struct {
    Node *node;
    const Counter *counters;
    size_t n_counters;
    Watch watches[8];
} seen;

/* ---- What happens in the guest ---- */

static uint64_t elapsed_of(const Counter *c, const Watch *w, uint64_t tick) {
    return c->clock ? c->clock(tick) - c->clock(w->start_tick) : tick - w->start_tick;
}

static void on_access(MemMap *map, const MemRegion *region, uint64_t addr, unsigned size, uint64_t value, bool store) {
    (void)map;
    (void)region;
    (void)size;
    uint64_t tick = cpu_ticks(seen.node->cpu);
    for (size_t i = 0; i < seen.n_counters; i++) {
        const Counter *c = &seen.counters[i];
        Watch *w = &seen.watches[i];
        if (store && !w->started && addr == c->start_addr && value == c->start_value) {
            w->started = true;
            w->start_tick = tick;
        } else if (store && c->capture_addr && addr == c->capture_addr) {
            w->capture_tick = tick;
        } else if (!store && w->started && addr == c->read_addr) {
            uint32_t expected = c->value(c, elapsed_of(c, w, c->capture_addr ? w->capture_tick : tick));
            w->reads++;
            if (value != expected) {
                fail_msg("%s at tick %llu: 0x%llx, expected 0x%x", c->name, (unsigned long long)tick,
                         (unsigned long long)value, (unsigned)expected);
            }
        }
    }
}

/* First tick at which the interrupt can be taken. */
static uint64_t arrival_tick(const Counter *c, const Watch *w, uint64_t number) {
    uint64_t clocks = c->arrival(c, number);
    if (!c->clock) {
        return w->start_tick + clocks;
    }
    uint64_t tick = w->start_tick, target = c->clock(tick) + clocks;
    for (uint64_t step = UINT64_C(1) << 40; step; step /= 2) {
        tick += c->clock(tick + step) < target ? step : 0;
    }
    return tick + 1;
}

static void on_exception(Cpu *cpu, const char *text) {
    uint64_t tick = cpu_ticks(cpu);
    for (size_t i = 0; i < seen.n_counters && strncmp(text, "enter", 5) == 0; i++) {
        const Counter *c = &seen.counters[i];
        Watch *w = &seen.watches[i];
        if (c->exception != guest_arm(seen.node)->ipsr) {
            continue;
        }
        uint64_t due = arrival_tick(c, w, ++w->entries);
        if (tick < due || tick > due + LATE_MAX) {
            fail_msg("%s: interrupt %llu at tick %llu, due at %llu", c->name, (unsigned long long)w->entries,
                     (unsigned long long)tick, (unsigned long long)due);
        }
        w->at_once += tick == due;
    }
}

/* ---- 60 seconds ---- */

/* What the handler counted: every arrival, but for one that may be under way at the end. */
static void check_counted(const Counter *c, const Watch *w, uint64_t end_tick) {
    uint32_t counted = guest_word(seen.node, guest_symbol(seen.node, c->count_symbol) + c->count_offset);
    if (arrival_tick(c, w, counted) > end_tick || arrival_tick(c, w, counted + 1) + LATE_MAX < end_tick) {
        fail_msg("%s: %u interrupts counted", c->name, (unsigned)counted);
    }
    print_message("%s: %u interrupts counted, as many as there should be; ", c->name, (unsigned)counted);
}

static void check_counter(const Counter *c, const Watch *w, uint64_t end_tick) {
    assert_true(w->started && w->reads > 1000);
    if (c->arrival) {
        check_counted(c, w, end_tick);
    }
    if (c->exception) {
        assert_true(w->at_once > w->entries / 4 && arrival_tick(c, w, w->entries + 1) >= end_tick);
        print_message("%llu entered at their very cycle, the others behind another handler; ",
                      (unsigned long long)w->at_once);
    }
    print_message("%s: %llu reads exact\n", c->name, (unsigned long long)w->reads);
}

static Receipt check_way(size_t way, const char *machine, const char *program, uint64_t hz, const Counter *counters,
                         size_t n) {
    uint64_t seconds = guest_quick() ? 3 : SECONDS;
    Node *node = guest_node(machine, program, guest_engine(way), guest_slice(way));
    memset(&seen, 0, sizeof seen);
    seen.node = node;
    seen.counters = counters;
    seen.n_counters = n;
    mem_map_trace(&node->board.map, on_access);
    node->cpu->trace_exception = on_exception;
    assert_int_equal(node_run_until(node, seconds * UINT64_C(1000000000)), STOP_DURATION);
    assert_int_equal(cpu_ticks(node->cpu), seconds * hz);
    assert_int_equal(node_time_ns(node), seconds * UINT64_C(1000000000));
    for (size_t i = 0; i < n; i++) {
        check_counter(&counters[i], &seen.watches[i], seconds * hz);
    }
    print_message("%s, engine %s, slices of %u: %u s, %llu instructions and %llu ticks asleep\n", machine,
                  guest_engine_name(guest_engine(way)), (unsigned)guest_slice(way), (unsigned)seconds,
                  (unsigned long long)node_instructions(node), (unsigned long long)node->cpu->idle_ticks);
    Receipt receipt = guest_receipt(node);
    node_free(node);
    return receipt;
}

static void check_clocks(const char *machine, const char *program, uint64_t hz, const Counter *counters, size_t n) {
    Receipt first = check_way(GUEST_REFERENCE, machine, program, hz, counters, n);
    for (size_t way = 1; way < GUEST_WAYS; way++) {
        Receipt receipt = check_way(way, machine, program, hz, counters, n);
        guest_check_receipt(&receipt, &first, guest_engine(way), guest_slice(way), program);
    }
}

/* ---- MPS2: 25 MHz ---- */

/* From 0 it loads RVR one cycle later, and goes on down to 0. */
static uint32_t systick_value(const Counter *c, uint64_t elapsed) {
    return elapsed ? c->reload - (uint32_t)((elapsed - 1) % (c->reload + 1)) : 0;
}
static uint64_t systick_arrival(const Counter *c, uint64_t number) {
    return number * (c->reload + 1);
}

/* Starts at `reload`; 0 lasts one clock. */
static uint32_t down_value(const Counter *c, uint64_t elapsed) {
    return c->reload - (uint32_t)(elapsed / c->divisor % (c->reload + 1));
}
static uint64_t down_arrival(const Counter *c, uint64_t number) {
    return (c->reload + (number - 1) * ((uint64_t)c->reload + 1)) * c->divisor;
}

static uint32_t up_value(const Counter *c, uint64_t elapsed) {
    (void)c;
    return (uint32_t)elapsed;
}

static void test_mps2(void **state) {
    (void)state;
    static const Counter counters[] = {
        {"SysTick", 0xe000e010, 7, 0, 0xe000e018, systick_value, NULL, 24999, 1, 15, systick_arrival, "systicks", 0},
        {"CMSDK timer 0", 0x40000000, 9, 0, 0x40000004, down_value, NULL, 9999, 1, 24, down_arrival, "timer_irqs", 0},
        {"CMSDK timer 1", 0x40001000, 9, 0, 0x40001004, down_value, NULL, 123456, 1, 25, down_arrival, "timer_irqs", 4},
        {"dual timer 1", 0x40002008, 0xe2, 0, 0x40002004, down_value, NULL, 33332, 1, 0, down_arrival, "dual_irqs", 0},
        {"dual timer 2", 0x40002028, 0xe6, 0, 0x40002024, down_value, NULL, 4001, 16, 0, down_arrival, "dual_irqs", 4},
        {"DWT CYCCNT", 0xe0001000, 0x40000001, 0, 0xe0001004, up_value, NULL, 0, 1, 0, NULL, NULL, 0},
    };
    check_clocks("mps2-an385", "clocks_mps2", 25000000, counters, ARRAY_LEN(counters));
}

/* ---- micro:bit: 16 MHz; LFCLK has edges at whole cycles since time 0 ---- */

static uint64_t lfclk(uint64_t tick) {
    return (uint64_t)((unsigned __int128)tick * 32768 / 16000000);
}

static uint32_t timer_value(const Counter *c, uint64_t elapsed) {
    uint64_t count = elapsed / c->divisor;
    return (uint32_t)(c->reload ? count % c->reload : count);
}
static uint64_t timer_arrival(const Counter *c, uint64_t number) {
    return number * c->reload * c->divisor;
}

static uint32_t rtc_value(const Counter *c, uint64_t elapsed) {
    return (uint32_t)(elapsed / c->divisor) & 0xffffff;
}
static uint64_t rtc_arrival(const Counter *c, uint64_t number) {
    return number * c->divisor;
}

static void test_microbit(void **state) {
    (void)state;
    static const Counter counters[] = {
        {"RTC0", 0x4000b000, 1, 0, 0x4000b504, rtc_value, lfclk, 0, 33, 27, rtc_arrival, "rtc_irqs", 0},
        {"TIMER0", 0x40008000, 1, 0x40008040, 0x40008540, timer_value, NULL, 0, 1, 0, NULL, NULL, 0},
        {"TIMER1", 0x40009000, 1, 0x40009044, 0x40009544, timer_value, NULL, 2500, 16, 25, timer_arrival, "timer_irqs",
         0},
    };
    check_clocks("microbit", "clocks_microbit", 16000000, counters, ARRAY_LEN(counters));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mps2),
        cmocka_unit_test(test_microbit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
