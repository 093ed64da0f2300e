/* Reads and writes registers of the device of test_words.c in a loop, for ever: some answer with a bus error, some are
 * forbidden by the MPU for a while; then one is polled. DDI 0403E.e B3.5. */
#include "guest.h"

#define DEVICE 0x50000000
#define COUNT REG32(DEVICE)
#define TIME REG32(DEVICE + 4)
#define LEVEL REG32(DEVICE + 8)
#define STATUS REG32(DEVICE + 0xc)
#define PLAIN REG32(DEVICE + 0x10)
#define TASK REG32(DEVICE + 0x14)

enum { ROUNDS_PLAIN = 20000, ROUNDS_MPU = 1 << 10 };

volatile uint32_t bus_faults, mpu_faults, sum, rounds;

/* Goes on behind the access. */
static void on_bus_fault(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)exc_return, (void)exception;
    CFSR = CFSR;
    bus_faults++;
    frame[FRAME_PC] += *(const uint16_t *)frame[FRAME_PC] >= 0xe800 ? 4 : 2;
}

/* Does it again, without MPU. */
static void on_mpu_fault(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame, (void)exc_return, (void)exception;
    CFSR = CFSR;
    mpu_faults++;
    MPU_CTRL = 0;
    barrier();
}

/* All memory, and the device for nobody. */
static void mpu_prepare(void) {
    MPU_RNR = 0;
    MPU_RBAR = 0;
    MPU_RASR = 3u << 24 | 31u << 1 | 1;
    MPU_RNR = 1;
    MPU_RBAR = DEVICE;
    MPU_RASR = 11u << 1 | 1;
}

static void access_all(void) {
    uint32_t mine = sum;
    mine += COUNT;
    mine += TIME;
    LEVEL = mine;
    mine ^= LEVEL;
    PLAIN = mine;
    mine += PLAIN >> 3;
    TASK = mine;
    sum = mine;
}

int main(void) {
    handlers[EXC_BUS] = on_bus_fault;
    handlers[EXC_MEM] = on_mpu_fault;
    SHCSR |= SHCSR_FAULTS;
    mpu_prepare();
    for (;;) {
        for (uint32_t i = 0; i < ROUNDS_PLAIN; i++) {
            if (i % ROUNDS_MPU == 0) {
                MPU_CTRL = 1;
                barrier();
            }
            access_all();
        }
        while (!STATUS) {
        }
        rounds++;
    }
}
