/* The guest's main program for a kernel on mps2-an385: vector table, start-up; tells the checksum and the number of
 * SysTick interrupts by semihosting, exit status 0. Arm Semihosting 2.0: SYS_WRITE0 and SYS_EXIT_EXTENDED. Programs
 * have no initialised data (the linker script checks it), so only .bss is prepared. ROUNDS comes from the command line
 * of the compiler. */
#include "bench.h"

enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20, APPLICATION_EXIT = 0x20026, UNEXPECTED = 2 };

extern uint32_t bss_start[], bss_end[], stack_top[];
void reset(void);
void unexpected(void);
void systick(void);

static volatile uint32_t ticks;

static void semihost(uint32_t operation, const void *block) {
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = block;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void leave(uint32_t status) {
    uint32_t block[] = {APPLICATION_EXIT, status};
    for (;;) {
        semihost(SYS_EXIT_EXTENDED, block);
    }
}

static void print(const char *name, uint32_t value) {
    char text[] = "00000000\n";
    for (int i = 0; i < 8; i++) {
        text[i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
    }
    semihost(SYS_WRITE0, name);
    semihost(SYS_WRITE0, text);
}

void unexpected(void) {
    semihost(SYS_WRITE0, "unexpected exception\n");
    leave(UNEXPECTED);
}

void systick(void) {
    ticks++;
}

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    stack_top,  reset,      unexpected, unexpected, unexpected, unexpected, unexpected, unexpected,
    unexpected, unexpected, unexpected, unexpected, unexpected, unexpected, unexpected, systick,
};

void reset(void) {
    for (uint32_t *p = bss_start; p < bss_end; p++) {
        *p = 0;
    }
    uint32_t checksum = kernel(ROUNDS);
    print("checksum=", checksum);
    print("ticks=", ticks);
    leave(0);
}
