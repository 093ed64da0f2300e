/* One of many nodes that compute without end: a checksum over a buffer that it fills anew, with calls and loads and
 * stores; `rounds` tells how far it is. */
#include "guest.h"

enum { WORDS = 64 };

NOINIT volatile uint32_t rounds;
static uint32_t buffer[WORDS];

static NOINLINE void fill(uint32_t x) {
    for (uint32_t i = 0; i < WORDS; i++) {
        x = x * 1664525 + 1013904223;
        buffer[i] = x ^ buffer[i] >> 3;
    }
}

static NOINLINE uint32_t sum(void) {
    uint32_t a = 1, b = 0;
    for (uint32_t i = 0; i < WORDS; i++) {
        a += buffer[i] & 0xffff;
        b += a ^ buffer[i] >> 16;
        if (b & 0x8000) {
            b = b >> 1 | b << 31;
        }
    }
    return b << 16 ^ a;
}

int main(void) {
    uint32_t x = 1;
    for (rounds = 0;; rounds++) {
        fill(x);
        x = sum();
    }
}
