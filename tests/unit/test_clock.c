/* sim/clock: exact conversion between cycles and nanoseconds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rng.h"
#include "sim/clock.h"

static const uint64_t rates[] = {1, 3, 32768, 1000000, 16000000, 25000000, 33333333, 168000000, 999999937, 1000000000};

/* cycles(ns(k)) == k, and one nanosecond earlier cycle k has not come. */
static void cycle_times_are_exact(void **state) {
    (void)state;
    Rng rng;
    rng_seed(&rng, 1);
    for (int step = 0; step < 300000; step++) {
        uint64_t hz = step % 2 ? rates[rng_below(&rng, ARRAY_LEN(rates))] : 1 + rng_below(&rng, 1000000000);
        uint64_t den = step % 3 ? 1 : 1 + rng_below(&rng, 1000000);
        Clock clock = clock_of_rate(hz, den);
        clock.base_ns = rng_next(&rng) >> 20;
        clock.base_cycles = rng_next(&rng) >> 8;
        /* Cycles of up to 100 years. */
        uint64_t limit = clock_cycles(&clock, clock.base_ns + UINT64_C(3155760000000000000)) - clock.base_cycles;
        uint64_t k = clock.base_cycles + 1 + rng_below(&rng, limit + 1);
        uint64_t ns = clock_ns(&clock, k);
        assert_true(clock_cycles(&clock, ns) == k);
        assert_true(clock_cycles(&clock, ns - 1) == k - 1);
    }
}

static void known_values(void **state) {
    (void)state;
    Clock third = clock_of_rate(1000000000, 3); /* 333.3 MHz: 3 ns a cycle */
    assert_true(clock_ns(&third, 1) == 3);
    assert_true(clock_cycles(&third, 2) == 0);
    assert_true(clock_cycles(&third, UINT64_C(3000000000)) == 1000000000);
    Clock rtc = clock_of_hz(32768);
    assert_true(clock_ns(&rtc, 1) == 30518); /* 30517.578 */
    assert_true(clock_ns(&rtc, 32768) == 1000000000);
    assert_true(clock_cycles(&rtc, UINT64_C(86400000000000) * 365) == UINT64_C(32768) * 86400 * 365);
    assert_true(clock_ns(&rtc, 0) == 0);
    assert_true(clock_ns(&rtc, UINT64_MAX) == UINT64_MAX);
}

static void stopped_clocks(void **state) {
    (void)state;
    Clock clock = clock_of_hz(0);
    clock.base_cycles = 5;
    clock.base_ns = 100;
    assert_true(clock_cycles(&clock, 1000) == 5);
    assert_true(clock_ns(&clock, 5) == 100);
    assert_true(clock_ns(&clock, 6) == UINT64_MAX);
}

static void rate_changes_keep_the_count(void **state) {
    (void)state;
    Clock clock = clock_of_hz(1000000);
    clock_set_rate(&clock, 1500, 2000000, 1); /* 1 cycle and a half have passed: the half is lost */
    assert_true(clock_cycles(&clock, 1500) == 1);
    assert_true(clock_cycles(&clock, 1999) == 1);
    assert_true(clock_cycles(&clock, 2000) == 2);
    clock_set_rate(&clock, 2300, 2000000, 1); /* no change: nothing is lost */
    assert_true(clock_cycles(&clock, 2500) == 3);
    clock_set_rate(&clock, 2500, 0, 1);
    assert_true(clock_cycles(&clock, 900000) == 3);
    clock_set_rate(&clock, 1000000, 1000000, 1);
    assert_true(clock_cycles(&clock, 1001000) == 4);
}

/* What the definition says, in 128 bits throughout. */
static void compare_with_definition(const Clock *clock, uint64_t x) {
    ClockWide period = (ClockWide)clock->den * CLOCK_NS_PER_S, ns;
    assert_true(clock_cycles(clock, x) == (uint64_t)((ClockWide)x * clock->num / period));
    ns = ((ClockWide)x * period + clock->num - 1) / clock->num;
    assert_true(clock_ns(clock, x) == (ns < UINT64_MAX ? (uint64_t)ns : UINT64_MAX));
}

/* The reciprocals are exact for small and large times, and at both sides of each multiple. */
static void conversions_match_their_definition(void **state) {
    (void)state;
    static const Clock fixed[] = {CLOCK_FIXED(16000000, 8000000), CLOCK_FIXED(32768, 512), CLOCK_FIXED(1000000000, 1),
                                  CLOCK_FIXED(1, 1)};
    Rng rng;
    rng_seed(&rng, 3);
    for (int step = 0; step < 400000; step++) {
        uint64_t hz = step % 2 ? rates[rng_below(&rng, ARRAY_LEN(rates))] : 1 + (rng_next(&rng) >> (4 + step % 60));
        Clock clock = clock_of_rate(hz, step % 3 ? 1 : 1 + rng_below(&rng, 1000000));
        uint64_t x = rng_next(&rng) >> (step % 64);
        compare_with_definition(step % 8 ? &clock : &fixed[step / 8 % ARRAY_LEN(fixed)], x);
        uint64_t edge = x / clock.to_cycles.div * clock.to_cycles.div;
        compare_with_definition(&clock, edge);
        compare_with_definition(&clock, edge - (edge != 0));
    }
}

/* Time that passes in any pieces counts the same. */
static void counting_never_runs_backwards(void **state) {
    (void)state;
    Rng rng;
    rng_seed(&rng, 2);
    Clock clock = clock_of_hz(33333333);
    uint64_t now = 0, before = 0;
    for (int step = 0; step < 100000; step++) {
        now += rng_below(&rng, 100);
        uint64_t cycles = clock_cycles(&clock, now);
        assert_true(cycles >= before);
        assert_true(cycles == now * 33333333 / 1000000000);
        before = cycles;
    }
}

/* One for each frequency, whoever asks; without a store everybody has his own. */
static void shared_clocks(void **state) {
    (void)state;
    Arena arena = {0};
    ClockStore *store = clock_store_new();
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        Clock expected = clock_of_rate(rates[i], 3);
        const Clock *clock = clock_shared(store, &arena, rates[i], 3), *own = clock_shared(NULL, &arena, rates[i], 3);
        assert_memory_equal(clock, &expected, sizeof expected);
        assert_memory_equal(own, &expected, sizeof expected);
        assert_ptr_equal(clock_shared(store, &arena, rates[i], 3), clock);
        assert_ptr_not_equal(clock_shared(store, &arena, rates[i], 1), clock);
        assert_ptr_not_equal(clock_shared(NULL, &arena, rates[i], 3), own);
    }
    assert_ptr_not_equal(clock_shared(store, &arena, 1, 3), clock_shared(store, &arena, 3, 3));
    clock_store_free(store);
    clock_store_free(NULL);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cycle_times_are_exact),
        cmocka_unit_test(known_values),
        cmocka_unit_test(conversions_match_their_definition),
        cmocka_unit_test(stopped_clocks),
        cmocka_unit_test(rate_changes_keep_the_count),
        cmocka_unit_test(counting_never_runs_backwards),
        cmocka_unit_test(shared_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
