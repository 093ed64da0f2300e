#include "sim/wakes.h"

#include "base/alloc.h"

static size_t groups(size_t n) {
    return (n + WAKES_GROUP - 1) / WAKES_GROUP;
}

void wakes_reset(Wakes *wakes, size_t n) {
    if (n > wakes->n) {
        wakes->at = mem_realloc(wakes->at, groups(n) * WAKES_GROUP * sizeof *wakes->at);
        wakes->least = mem_realloc(wakes->least, groups(n) * sizeof *wakes->least);
    }
    wakes->n = n;
    for (size_t i = 0; i < groups(n) * WAKES_GROUP; i++) {
        wakes->at[i] = TIME_NEVER;
    }
    for (size_t g = 0; g < groups(n); g++) {
        wakes->least[g] = TIME_NEVER;
    }
}

void wakes_free(Wakes *wakes) {
    mem_free(wakes->at);
    mem_free(wakes->least);
    *wakes = (Wakes){0};
}

static uint64_t least_of(const uint64_t *times, size_t n) {
    uint64_t least = TIME_NEVER;
    for (size_t i = 0; i < n; i++) {
        least = times[i] < least ? times[i] : least;
    }
    return least;
}

void wakes_settle(Wakes *wakes, size_t index) {
    size_t g = index / WAKES_GROUP;
    wakes->least[g] = least_of(wakes->at + g * WAKES_GROUP, WAKES_GROUP);
}

uint64_t wakes_first(const Wakes *wakes) {
    return least_of(wakes->least, groups(wakes->n));
}

size_t wakes_due(const Wakes *wakes, uint64_t before_ns, uint32_t *due) {
    size_t n = 0;
    for (size_t g = 0; g < groups(wakes->n); g++) {
        size_t first = g * WAKES_GROUP;
        for (size_t i = first; wakes->least[g] < before_ns && i < first + WAKES_GROUP; i++) {
            due[n] = (uint32_t)i;
            n += wakes->at[i] < before_ns;
        }
    }
    return n;
}
