/* One side of a game over UART0 of MPS2: sends "ball 1\n" when it is told to serve (SERVE), answers each ball with the
 * next number; exits with 0 behind the last one. */
#include "mps2.h"

enum { LAST = 20 };

static void put(uint32_t c) {
    while (UART0_STATE & UART_TXFULL) {
    }
    UART0_DATA = c;
}

static void hit(uint32_t number) {
    for (const char *s = "ball "; *s; s++) {
        put((uint8_t)*s);
    }
    if (number >= 10) {
        put('0' + number / 10);
    }
    put('0' + number % 10);
    put('\n');
}

/* The number of the ball that comes in. */
static uint32_t watch(void) {
    for (uint32_t number = 0;;) {
        while (!(UART0_STATE & UART_RXFULL)) {
        }
        uint32_t c = UART0_DATA;
        if (c == '\n') {
            return number;
        }
        number = c >= '0' && c <= '9' ? number * 10 + c - '0' : number;
    }
}

int main(void) {
    uart_start(UART_TXEN | UART_RXEN);
#ifdef SERVE
    hit(1);
#endif
    for (uint32_t number = 0; number < LAST - 1;) {
        number = watch();
        if (number < LAST) {
            hit(number + 1);
        }
    }
    for (volatile uint32_t i = 0; i < 5000; i++) { /* what is in the transmitter goes out */
    }
    return 0;
}
