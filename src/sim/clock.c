#include "sim/clock.h"

#include "base/vec.h"

/* Nodes are of few kinds, so clocks are looked for one by one, the latest first. */
struct ClockStore {
    VEC(Clock *) clocks;
    Arena arena;
};

static uint64_t common_divisor(uint64_t a, uint64_t b) {
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Nothing scales within 64 bits, and nothing divides. */
static const ClockRatio never = {.twice_mul = UINT64_MAX, .twice_up = UINT64_MAX};

static void set_rate(Clock *clock, uint64_t num, uint64_t den) {
    clock->num = num;
    clock->den = den;
    clock->to_cycles = (ClockRatio){0};
    clock->to_ns = never;
    if (num) {
        assert(num <= INT64_MAX && den && den <= INT64_MAX / CLOCK_NS_PER_S);
        uint64_t period = den * CLOCK_NS_PER_S, common = common_divisor(num, period);
        uint64_t cycles = num / common, ns = period / common; /* so many cycles in so many ns */
        clock->to_cycles = (ClockRatio)CLOCK_RATIO(cycles, ns, false);
        clock->to_ns = (ClockRatio)CLOCK_RATIO(ns, cycles, true);
    }
}

Clock clock_of_rate(uint64_t num, uint64_t den) {
    Clock clock = {0};
    set_rate(&clock, num, den);
    return clock;
}

uint64_t clock_cycles_wide(const Clock *clock, uint64_t elapsed_ns) {
    ClockWide product = (ClockWide)elapsed_ns * (clock->to_cycles.twice_mul / 2);
    return clock->base_cycles + (uint64_t)(product / clock->to_cycles.div);
}

uint64_t clock_span_ns_wide(const Clock *clock, uint64_t cycles) {
    const ClockRatio *ratio = &clock->to_ns;
    if (!ratio->div || !cycles) {
        return cycles ? UINT64_MAX : 0;
    }
    ClockWide ns = ((ClockWide)cycles * (ratio->twice_mul / 2) + ratio->twice_up / 2) / ratio->div;
    return ns < UINT64_MAX ? (uint64_t)ns : UINT64_MAX;
}

void clock_set_rate(Clock *clock, uint64_t now_ns, uint64_t num, uint64_t den) {
    if (clock->num == num && clock->den == den) {
        return; /* setting the same rate again must not drop the part of a cycle that has passed */
    }
    clock->base_cycles = clock_cycles(clock, now_ns);
    clock->base_ns = now_ns;
    set_rate(clock, num, den);
}

ClockStore *clock_store_new(void) {
    return mem_alloc(sizeof(ClockStore));
}

void clock_store_free(ClockStore *store) {
    if (store) {
        vec_free(&store->clocks);
        arena_free(&store->arena);
        mem_free(store);
    }
}

const Clock *clock_shared(ClockStore *store, Arena *arena, uint64_t num, uint64_t den) {
    for (size_t i = store ? store->clocks.len : 0; i-- > 0;) {
        Clock *clock = store->clocks.data[i];
        if (clock->num == num && clock->den == den) {
            return clock;
        }
    }
    Clock *clock = ARENA_NEW(store ? &store->arena : arena, Clock);
    *clock = clock_of_rate(num, den);
    if (store) {
        vec_push(&store->clocks, clock);
    }
    return clock;
}
