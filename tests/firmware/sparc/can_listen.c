/* GRCAN of a GR740 at 250 kbit/s: acknowledges what others send, for ever. */
#include "leon_board.h"

enum { GRCAN = 0xffa01000, CONF = 0, CTRL = 8 };

int main(void) {
    *at(GRCAN + CONF) = 49u << 24 | 12 << 20 | 6 << 16; /* 250 MHz / (50 * (2 + 12 + 6)) */
    *at(GRCAN + CTRL) = 1;
    for (;;) {
    }
}
