/* Runs rows16.S and, on ARMv7-M, rows32.S: every decode row at least once. */
#include "guest.h"

void rows16(void);
void rows32(void);
void rows_fail(uint32_t value, uint32_t expected) __attribute__((noreturn));
void rows_pend(void);
void rows_unpend(void);

void rows_fail(uint32_t value, uint32_t expected) {
    guest_print("before pc 0x");
    guest_print_hex((uint32_t)__builtin_return_address(0) - 1);
    guest_print(": ");
    guest_check(false, "result of a row", 0, value, expected);
    guest_exit(1);
}

/* Steps over the instruction and adds 1 to r0. */
static void on_fault(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)exc_return;
    (void)exception;
    uint32_t unit = REG16(frame[FRAME_PC]);
    frame[FRAME_PC] += unit >> 11 >= 0x1d ? 4 : 2;
    frame[FRAME_R0]++;
}

/* Adds the number of the SVC to r0. */
static void on_svc(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)exc_return;
    (void)exception;
    frame[FRAME_R0] += REG16(frame[FRAME_PC] - 2) & 0xff;
}

static void on_pendsv(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
}

/* WFI wakes at once, and PRIMASK keeps PendSV waiting. */
void rows_pend(void) {
    __asm volatile("cpsid i");
    ICSR = ICSR_PENDSVSET;
    barrier();
}

void rows_unpend(void) {
    ICSR = ICSR_PENDSVCLR;
    barrier();
    __asm volatile("cpsie i");
}

int main(void) {
    handlers[EXC_SVC] = on_svc;
    handlers[EXC_HARD] = on_fault;
    handlers[EXC_PENDSV] = on_pendsv;
    rows16();
    guest_passed("rows of ARMv6-M");
#if __ARM_ARCH >= 7
    rows32();
    guest_passed("rows that ARMv7-M adds");
#endif
    guest_print("rows: all\n");
    guest_exit(0);
}
