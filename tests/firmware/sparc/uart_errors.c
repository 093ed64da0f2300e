/* Counts what comes to the second serial port of a GR712RC, set to CONTROL and SCALER, in 180 ms: good bytes, those
 * with parity and framing errors, breaks; and the sum of the good ones. */
#include "leon_board.h"

enum { DATA = 0, STATUS = 4, CTRL = 8, SCALER_REG = 12, READY = 1, ERRORS = 0x68, BREAK = 0x08, PARITY = 0x20,
       FRAMING = 0x40, TIMER = 0x80000310, MICROSECONDS = 180000 };

static void tell(const char *what, u32 count) {
    print(what);
    print_hex(count);
    print("\n");
}

int main(void) {
    u32 good = 0, sum = 0, parity = 0, framing = 0, breaks = 0;
    *at(UART + SCALER_REG) = SCALER;
    *at(UART + CTRL) = CONTROL;
    *at(TIMER + 4) = MICROSECONDS;
    *at(TIMER + 8) = 5; /* load, on: counts down to 0 once */
    while (*at(TIMER + 8) & 1) {
        u32 status = *at(UART + STATUS);
        if (status & ERRORS) {
            parity += (status & PARITY) != 0;
            framing += (status & FRAMING) != 0;
            breaks += (status & BREAK) != 0;
            *at(UART + STATUS) = 0;
        }
        if (status & READY) {
            good++;
            sum += *at(UART + DATA);
        }
    }
    tell("good ", good);
    tell("sum ", sum);
    tell("parity ", parity);
    tell("framing ", framing);
    tell("break ", breaks);
    guest_exit(0);
    return 1;
}
