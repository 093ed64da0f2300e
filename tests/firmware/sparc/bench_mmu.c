/* The main program of a benchmark kernel on LEON boards, run with the SRMMU on: RAM in pages of 4 KiB, each at its own
 * address, devices in one page of 16 MiB. */
#include "../bench/bench.h"
#include "srmmu.h"

enum { RAM = 0x40000000, DEVICES = 0x80000000, SEGMENTS = 16 };
/* In pages of their own, as an operating system has them. */
static struct __attribute__((aligned(4096))) {
    u32 context[256], region[256], pages[SEGMENTS][64], segment[64];
} tables;

static void mmu_on(void) {
    tables.context[0] = table(tables.region);
    tables.region[DEVICES >> 24] = page(DEVICES, RWX);
    tables.region[RAM >> 24] = table(tables.segment);
    for (u32 i = 0; i < SEGMENTS * 64; i++) {
        tables.segment[i / 64] = table(tables.pages[i / 64]);
        tables.pages[i / 64][i % 64] = page(RAM + i * PAGE, RWX);
    }
    mmu_write(TABLE, (u32)tables.context >> 4);
    mmu_write(CONTEXT, 0);
    mmu_write(CONTROL, 1);
}

int main(void) {
    mmu_on();
    u32 checksum = kernel(ROUNDS);
    print("checksum=");
    print_hex(checksum);
    put_char('\n');
    guest_exit(0);
}
