/* One image, several fates, chosen by `mode` (written before the run): 0 only stores data that stand between its code;
 * 1 changes its code half-way, too; 2 writes code to memory that no image filled, and runs that. */
#include "guest.h"

enum { ROUNDS = 2000, MOVS_R0 = 0x2000, BX_LR = 0x4770 };

NOINIT volatile uint32_t mode, done_rounds;
static uint16_t buffer[64] __attribute__((aligned(64)));

/* A granule of code and one of data behind it: in the executable segment, and in one page. */
uint32_t patched(void);
extern uint32_t between[16];
__asm(".section .text.patched, \"ax\", %progbits\n"
      ".balign 64\n"
      ".thumb_func\n"
      ".global patched\n"
      "patched: movs r0, #1\n"
      "bx lr\n"
      ".balign 64\n"
      ".global between\n"
      "between: .space 64\n"
      ".previous\n");

static NOINLINE uint32_t mix(uint32_t x, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223 + (x >> 16);
    }
    return x;
}

static uint32_t run_buffer(uint32_t round) {
    buffer[0] = (uint16_t)(MOVS_R0 | (round & 3));
    buffer[1] = BX_LR;
    barrier();
    return ((uint32_t (*)(void))((uint32_t)buffer | 1))();
}

int main(void) {
    uint32_t sum = 0, expected = ROUNDS, x = 1;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        if (mode == 1 && round == ROUNDS / 2) {
            REG16((uint32_t)patched & ~1u) = MOVS_R0 | 2;
            barrier();
            expected += ROUNDS / 2;
        }
        if (mode == 2 && round > ROUNDS / 2) {
            uint32_t got = run_buffer(round);
            CHECK_EQ(got, round & 3);
        }
        sum += patched();
        x = mix(x + between[round % 16], 20);
        between[round % 16] = x;
        done_rounds = round;
    }
    CHECK_EQ(sum, expected);
    return 0;
}
