/* A party (party.h) over Ethernet: LAN9220 of the MPS2, broadcast frames of 60 bytes. */
#include "guest.h"

enum { NODE = 2, MHZ = 25 };

#define print guest_print
#define print_hex guest_print_hex
#include "party.h"

#define LAN(offset) REG32(0x40200000 + (offset))
enum { RX_DATA = 0, TX_DATA = 0x20, RX_STATUS = 0x40, TX_STATUS = 0x48, TX_CFG = 0x70, RX_FIFO_INF = 0x7c,
       TX_FIFO_INF = 0x80, MAC_CMD = 0xa4, MAC_DATA = 0xa8 };
enum { FRAME = 60, ON = 2, FIRST_AND_LAST = 3 << 12, MAC_CR = 1, RXEN = 4, TXEN = 8,
       ERROR_STATUS = 1 << 15 };

static void mac_write(uint32_t reg, uint32_t value) {
    LAN(MAC_DATA) = value;
    LAN(MAC_CMD) = 0x80000000u | reg;
}

static int party_send(const Word *word) {
    if ((LAN(TX_FIFO_INF) & 0xffff) < FRAME + 16) {
        return 0;
    }
    LAN(TX_DATA) = FIRST_AND_LAST | FRAME;
    LAN(TX_DATA) = FRAME;
    for (uint32_t i = 0; i < FRAME / 4; i++) {
        LAN(TX_DATA) = i == 0 ? 0xffffffff
                     : i == 1 ? 0x0002ffff
                     : i == 2 ? (uint32_t)NODE << 24
                     : i == 3 ? word->from << 16
                     : i == FRAME / 4 - 1 ? word->number << 24 : 0;
    }
    return 1;
}

static int party_receive(Word *word) {
    if (!(LAN(RX_FIFO_INF) >> 16)) {
        return 0;
    }
    uint32_t status = LAN(RX_STATUS);
    CHECK_EQ(status >> 16 & 0x3fff, FRAME + 4); /* with the check sequence */
    for (uint32_t i = 0; i < FRAME / 4 + 1; i++) {
        uint32_t data = LAN(RX_DATA);
        word->from = i == 3 ? data >> 16 & 0xff : word->from;
        word->number = i == FRAME / 4 - 1 ? data >> 24 : word->number;
    }
    return !(status & ERROR_STATUS);
}

int main(void) {
    mac_write(MAC_CR, TXEN | RXEN);
    LAN(TX_CFG) = ON;
    party();
    return 1;
}
