/* Boot code: nothing is set up yet, as after power-on. It turns the console on, tells where it runs, and that the
 * watchdog ticks; then lets it bark, and finds itself started anew. */
#include "leon_board.h"

enum { MARK = 0x600d600d };
static volatile u32 *const mark = (volatile u32 *)(RAM_BASE + 0x8000); /* survives a reset */

int main(void) {
    volatile u32 *uart = at(UART_BASE), *timer = at(GPTIMER);
    check("console is off", uart[2] & 3, 0);
    uart[3] = 1;
    uart[2] = 3;
    u32 pc;
    __asm__ volatile("call 1f\n\tnop\n1:\tmov %%o7, %0" : "=r"(pc) : : "o7");
    check("in PROM", pc - ROM_BASE < 0x10000, 1);
    check("prescaler after reset", timer[1], 0xffff);
    *at(ROM_BASE) = 0; /* it cannot be written: a bus error */
    print("written\n");
    guest_exit(3);
}

u32 trap_handler(u32 tt, u32 pc, u32 npc) {
    (void)pc, (void)npc;
    enum { DATA_STORE_ERROR = 0x2b };
    check("store to PROM", tt, DATA_STORE_ERROR);
    u32 last = (at(GPTIMER)[2] & 7) * 4 + 2; /* control register of the last timer */
    if (*mark == MARK) {
        print("again\n");
        guest_exit(0);
    }
    check("watchdog", at(GPTIMER)[last] & 9, 9);
    *mark = MARK;
    print("from PROM\n");
    at(GPTIMER)[1] = 9;
    at(GPTIMER)[last - 1] = 100;
    at(GPTIMER)[last] = 1 | 4 | 8;
    for (;;) {
    }
}
