/* Code that is written while it runs: in RAM, in the block that is running, through an alias, by a table branch into
 * what has just changed. DDI 0403E.e A3.5.4: after DSB and ISB the new code must be fetched. */
#include "guest.h"

enum { MOVS_R0 = 0x2000, ADDS_R0 = 0x3000, BX_LR = 0x4770, B_BACK = 0xe7fe, NOP_ = 0xbf00 };

typedef uint32_t (*Code)(uint32_t);

static uint16_t buffer[64] __attribute__((aligned(64)));

static uint32_t run(const void *at, uint32_t r0) {
    return ((Code)((uint32_t)at | 1))(r0);
}

/* ---- Code in RAM, copied by start-up ---- */

static RAMCODE uint32_t sum_to(uint32_t n) {
    uint32_t sum = 0;
    for (uint32_t i = 1; i <= n; i++) {
        sum += i;
        __asm volatile("" : "+r"(sum));
    }
    return sum;
}

static void test_ram(void) {
    CHECK((uint32_t)sum_to >= 0x20000000);
    CHECK_EQ(sum_to(1000), 500500);
    guest_passed("code in RAM");
}

/* ---- New code each time ---- */

static void test_rewrite(void) {
    for (uint32_t i = 0; i < 256; i++) {
        buffer[0] = (uint16_t)(MOVS_R0 | i);
        buffer[1] = BX_LR;
        barrier();
        CHECK_EQ(run(buffer, 0), i);
    }
    /* One halfword of a longer block, at each place. */
    for (uint32_t i = 0; i < 40; i++) {
        buffer[i] = ADDS_R0 | 1;
    }
    buffer[40] = BX_LR;
    barrier();
    CHECK_EQ(run(buffer, 0), 40);
    for (uint32_t i = 0; i < 40; i++) {
        buffer[i] = ADDS_R0 | 2;
        barrier();
        CHECK_EQ(run(buffer, 0), 41 + i);
    }
    /* A byte of it. */
    REG8(buffer) = 10;
    barrier();
    CHECK_EQ(run(buffer, 0), 88);
    /* From the middle: another block of the same bytes. */
    CHECK_EQ(run(buffer + 20, 0), 40);
    buffer[30] = BX_LR;
    barrier();
    CHECK_EQ(run(buffer + 20, 0), 20);
    CHECK_EQ(run(buffer, 0), 68);
    guest_passed("code rewritten between calls");
}

/* ---- Through the second address of the same memory ---- */

static void test_alias(void) {
    volatile uint16_t *other = (volatile uint16_t *)((uint32_t)buffer + 0x400000);
    buffer[0] = MOVS_R0 | 1;
    buffer[1] = BX_LR;
    barrier();
    CHECK_EQ(run(buffer, 0), 1);
    CHECK_EQ(run((void *)other, 0), 1);
    other[0] = MOVS_R0 | 2;
    barrier();
    CHECK_EQ(run(buffer, 0), 2);
    CHECK_EQ(run((void *)other, 0), 2);
    /* Bit-band: sets bit 2 of the immediate. */
    REG32(0x22000000 + ((uint32_t)buffer - 0x20000000) * 32 + 4 * 2) = 1;
    barrier();
    CHECK_EQ(run(buffer, 0), 6);
    CHECK_EQ(run((void *)other, 0), 6);
    guest_passed("code written through aliases");
}

/* ---- A block that changes itself: the store is in the block, the changed instruction behind the ISB ---- */

__asm(".section .ramcode, \"ax\", %progbits\n"
      ".balign 4\n"
      ".thumb_func\n"
      ".global change_self\n"
      ".type change_self, %function\n"
      "change_self:\n"
      "push {r4, lr}\n"
      "ldr r1, =0x3000\n" /* adds r0, #n */
      "orrs r1, r0\n"
      "adr r2, 1f\n"
      "strh r1, [r2]\n"
      "dsb\n"
      "isb\n"
      "movs r0, #0\n"
      ".balign 4\n"
      "1: adds r0, #0\n"
      "adds r0, #1\n"
      "pop {r4, pc}\n"
      ".pool\n"
      /* A loop that counts its own instruction up, 200 times. */
      ".thumb_func\n"
      ".global change_loop\n"
      ".type change_loop, %function\n"
      "change_loop:\n"
      "movs r3, #200\n"
      "movs r0, #0\n"
      "adr r2, 2f\n"
      ".balign 4\n"
      "2: adds r0, #0\n"
      "ldrb r1, [r2]\n"
      "adds r1, #1\n"
      "strb r1, [r2]\n"
      "dsb\n"
      "isb\n"
      "subs r3, #1\n"
      "bne 2b\n"
      "bx lr\n"
      ".balign 4\n"
      ".text\n");
uint32_t change_self(uint32_t n);
uint32_t change_loop(void);

static void test_self(void) {
    for (uint32_t i = 0; i < 200; i += 7) {
        CHECK_EQ(((Code)change_self)(i), i + 1);
    }
    CHECK_EQ(((uint32_t(*)(void))change_loop)(), 199 * 200 / 2);
    guest_passed("a block that changes itself");
}

/* ---- Across blocks: the caller changes the code that it returns to ---- */

static void test_across(void) {
    /* [0] adds r0, #1; [1] strh r1, [r2]; [2..] dsb; isb; [6] adds r0, #1 is changed; [7] bx lr */
    static const uint16_t code[] = {ADDS_R0 | 1, 0x8011, 0xf3bf, 0x8f4f, 0xf3bf, 0x8f6f, ADDS_R0 | 1, BX_LR};
    for (int i = 0; i < 8; i++) {
        buffer[i] = code[i];
    }
    barrier();
    for (uint32_t n = 2; n < 100; n++) {
        uint32_t result;
        __asm volatile("mov r1, %1\n\tmov r2, %2\n\tmovs r0, #0\n\tblx %3\n\tmov %0, r0"
                       : "=r"(result)
                       : "r"(ADDS_R0 | n), "r"(&buffer[6]), "r"((uint32_t)buffer | 1)
                       : "r0", "r1", "r2", "r3", "r12", "lr", "cc", "memory");
        CHECK_EQ(result, 1 + n);
    }
    guest_passed("code changed by the block before");
}

/* ---- Code that spans two granules, and a 32-bit instruction of which one half changes ---- */

static void test_halves(void) {
    uint16_t *at = (uint16_t *)((uint32_t)buffer + 62);
    at[0] = 0xf240; /* movw r0, #imm */
    for (uint32_t n = 0; n < 100; n++) {
        at[1] = (uint16_t)n;
        at[2] = BX_LR;
        barrier();
        CHECK_EQ(run(at, 0), n);
    }
    at[0] = 0xf24a; /* imm4 = 0xa */
    barrier();
    CHECK_EQ(run(at, 0), 0xa000 + 99);
    guest_passed("halves of an instruction");
}

int main(void) {
    test_ram();
    test_rewrite();
    test_alias();
    test_self();
    test_across();
    test_halves();
    guest_done("code");
}
