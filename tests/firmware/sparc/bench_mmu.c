/* The main program of a benchmark kernel on LEON boards, run with the SRMMU on: RAM in pages of 4 KiB, each at its own
 * address, devices in one page of 16 MiB. */
#include "../bench/bench.h"
#include "guest.h"

enum { PTD = 1, PTE = 2, RWX = 3 << 2, RAM = 0x40000000, DEVICES = 0x80000000, SEGMENTS = 16 };
/* In pages of their own, as an operating system has them. */
static struct __attribute__((aligned(4096))) {
    u32 context[256], region[256], pages[SEGMENTS][64], segment[64];
} tables;

static void mmu_write(u32 reg, u32 value) {
    __asm__ volatile("sta %0, [%1] 0x19\n\tnop\n\tnop\n\tnop" : : "r"(value), "r"(reg) : "memory");
}

static void mmu_on(void) {
    tables.context[0] = (u32)tables.region >> 4 | PTD;
    tables.region[DEVICES >> 24] = DEVICES >> 12 << 8 | RWX | PTE;
    tables.region[RAM >> 24] = (u32)tables.segment >> 4 | PTD;
    for (u32 i = 0; i < SEGMENTS * 64; i++) {
        tables.segment[i / 64] = (u32)tables.pages[i / 64] >> 4 | PTD;
        tables.pages[i / 64][i % 64] = ((RAM >> 12) + i) << 8 | RWX | PTE;
    }
    mmu_write(0x100, (u32)tables.context >> 4);
    mmu_write(0x200, 0);
    mmu_write(0, 1);
}

int main(void) {
    mmu_on();
    u32 checksum = kernel(ROUNDS);
    print("checksum=");
    print_hex(checksum);
    put_char('\n');
    guest_exit(0);
}
