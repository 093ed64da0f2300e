/* Echo on UART0 of MPS2, polled. */
#include "mps2.h"

int main(void) {
    uart_start(UART_TXEN | UART_RXEN);
    for (;;) {
        while (!(UART0_STATE & UART_RXFULL)) {
        }
        uint32_t byte = UART0_DATA;
        while (UART0_STATE & UART_TXFULL) {
        }
        UART0_DATA = byte;
    }
}
