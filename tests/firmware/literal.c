/* A literal in flash that changes under code which has read it many times. nRF51 reference manual v3.0, chapter 6
 * (NVMC): a word write clears bits. */
#include "guest.h"

#define NVMC_READY REG32(0x4001e400)
#define NVMC_CONFIG REG32(0x4001e504)

enum { READ = 0, WRITE = 1, ROUNDS = 500, FIRST = 0x12345678, MASK = 0x0ff0ff00 };

/* The load is PC-relative: its address is known where the code is translated. */
extern uint32_t literal_word;
extern uint32_t load_literal(void);
__asm(".section .text.literal, \"ax\"\n"
      ".balign 64\n"
      ".thumb_func\n"
      ".global load_literal\n"
      "load_literal: ldr r0, literal_word\n"
      "bx lr\n"
      ".balign 64\n" /* another granule than the code */
      ".global literal_word\n"
      "literal_word: .word 0x12345678\n"
      ".text\n");

static uint32_t sum_of_loads(uint32_t rounds) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < rounds; i++) {
        sum += load_literal();
    }
    return sum;
}

static void flash_write(volatile uint32_t *word, uint32_t value) {
    NVMC_CONFIG = WRITE;
    *word = value;
    while (!NVMC_READY) {
    }
    NVMC_CONFIG = READ;
}

int main(void) {
    CHECK_EQ(sum_of_loads(ROUNDS), ROUNDS * (uint32_t)FIRST);
    flash_write(&literal_word, MASK);
    CHECK_EQ(sum_of_loads(ROUNDS), ROUNDS * (uint32_t)(FIRST & MASK));
    guest_passed("literal that is programmed");
    for (uint32_t i = 0; i < 32; i++) { /* while the loop runs */
        flash_write(&literal_word, FIRST & MASK & ~(1u << i));
        CHECK_EQ(sum_of_loads(3), 3 * load_literal());
    }
    CHECK_EQ(literal_word, 0);
    CHECK_EQ(load_literal(), 0);
    guest_passed("literal that is programmed again and again");
    guest_done("literal");
}
