/* Does on MPS2 what the first byte on UART0 says, so that one image shows each way a run can end. */
#include "mps2.h"

/* Left alone by the compiler, so that diagnoses find its name. */
NOINLINE void wait_for_ready(void);
void wait_for_ready(void) {
    while (!(REG32(0x4002f0a8) & 1)) { /* SCC.SYS_CFGCTRL: nobody sets it */
    }
}

NOINLINE void touch_nothing(void);
void touch_nothing(void) {
    for (int i = 0; i < 5; i++) {
        (void)REG32(0x40022004); /* a device without a model */
        REG32(0x4002200c) = 1;
    }
}

static void on_fault(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)exc_return;
    (void)exception;
    (void)frame;
    __asm volatile("udf #0");
}

static void obey(uint32_t command) {
    switch (command) {
    case 'e':
        guest_exit(42);
    case 'l': /* a fault in HardFault */
        handlers[EXC_HARD] = on_fault;
        __asm volatile("udf #1");
        break;
    case 'a': /* sleeps for good */
        UART0_CTRL = 0;
        __asm volatile("cpsid i\n\twfi");
        break;
    case 'p':
        wait_for_ready();
        break;
    case 'u':
        touch_nothing();
        guest_exit(0);
    case 'f':
        (void)REG32(0x30000000);
        break;
    default:
        for (;;) {
        }
    }
}

int main(void) {
    uart_start(UART_TXEN | UART_RXEN);
    while (!(UART0_STATE & UART_RXFULL)) {
    }
    obey(UART0_DATA);
    return 0;
}
