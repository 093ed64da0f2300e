/* When each of many nodes does something next: times by index, and the least of each group of them, so that nodes that
 * sleep are not looked at. A time may be changed by the thread that runs its node; the rest is between windows. */
#ifndef SIM_WAKES_H
#define SIM_WAKES_H

#include "base/common.h"
#include "sim/event.h"

enum { WAKES_GROUP = 64 };

/** A zeroed one is empty. */
typedef struct Wakes {
    uint64_t *at;
    uint64_t *least; /* of each group of WAKES_GROUP */
    size_t n;
} Wakes;

/** Room for so many, all TIME_NEVER. */
void wakes_reset(Wakes *wakes, size_t n);
void wakes_free(Wakes *wakes);

/** After times of that index's group have been changed. */
void wakes_settle(Wakes *wakes, size_t index);
/** The time of that index is at most this. */
static inline void wakes_lower(Wakes *wakes, size_t index, uint64_t time_ns) {
    if (time_ns < wakes->at[index]) {
        wakes->at[index] = time_ns;
    }
    if (time_ns < wakes->least[index / WAKES_GROUP]) {
        wakes->least[index / WAKES_GROUP] = time_ns;
    }
}

/** The least of all; TIME_NEVER if there is none. */
uint64_t wakes_first(const Wakes *wakes);
/** Writes the indices of those before a time, in order, and returns how many they are; `due` has room for all. */
size_t wakes_due(const Wakes *wakes, uint64_t before_ns, uint32_t *due);

#endif
