/* CAN_OC of a GR712RC at 250 kbit/s, PeliCAN: sends a frame 0x123 without data until it is acknowledged, another one at
 * 60 ms, where the wires are broken, until it is bus-off, and a third one when it has recovered from that. Tells the
 * transmit error counter behind each. */
#include "leon_board.h"

static volatile unsigned char *const can = (volatile unsigned char *)0xfff30000;
enum { MOD, CMR, SR, BTR0 = 6, BTR1 = 7, TXERR = 15, CODE = 16, MASK = 20, BUFFER = 16, CDR = 31 };
enum { TCS = 8, BS = 0x80, TR = 1, TIMER = 0x80000310, LATER = 60000 /* microseconds from the start on */ };

static void tell(const char *what) {
    print(what);
    print_hex(can[TXERR]);
    print("\n");
}

static void send(void) {
    can[BUFFER] = 0;
    can[BUFFER + 1] = 0x123 >> 3;
    can[BUFFER + 2] = (unsigned char)(0x123 << 5);
    can[CMR] = TR;
    while (!(can[SR] & (TCS | BS))) {
    }
}

int main(void) {
    *at(TIMER + 4) = LATER;
    *at(TIMER + 8) = 5; /* load, on: counts down to 0 once */
    can[CDR] = 0x80;
    can[BTR0] = 9; /* 80 MHz / (2 * 10 * (10 + 3 + 3)) */
    can[BTR1] = 0x3a;
    for (int i = 0; i < 4; i++) {
        can[CODE + i] = 0;
        can[MASK + i] = 0xff;
    }
    can[MOD] = 0;
    send();
    tell("sent ");
    while (*at(TIMER + 8) & 1) {
    }
    send();
    tell("bus-off ");
    can[MOD] = 0;
    while (can[SR] & BS) {
    }
    tell("recovered ");
    send();
    tell("sent ");
    guest_exit(0);
    return 1;
}
