/* Sends the bytes 0 to 255 over UART0 of the MPS2 at 115200 baud, 8N1, with pauses in between. */
#include "mps2.h"

int main(void) {
    uart_start(UART_TXEN);
    for (volatile uint32_t i = 0; i < 20000; i++) { /* until the other side listens */
    }
    for (uint32_t byte = 0; byte < 256; byte++) {
        UART0_DATA = byte;
        for (volatile uint32_t i = 0; i < 2000; i++) {
        }
    }
    return 0;
}
