/* LAN9118 and LAN9220 on the MPS2: broadcast frames of 60 bytes that carry who sends, and a number. */
#ifndef FIRMWARE_LAN9118_H
#define FIRMWARE_LAN9118_H

#include "guest.h"
#include "letter.h"

#define LAN(offset) REG32(0x40200000 + (offset))
enum { LAN_RX_DATA = 0, LAN_TX_DATA = 0x20, LAN_RX_STATUS = 0x40, LAN_TX_CFG = 0x70, LAN_RX_FIFO_INF = 0x7c,
       LAN_TX_FIFO_INF = 0x80, LAN_MAC_CMD = 0xa4, LAN_MAC_DATA = 0xa8 };
enum { LAN_FRAME = 60, LAN_FIRST_AND_LAST = 3 << 12, LAN_ERROR_STATUS = 1 << 15 };

static void lan_start(void) {
    enum { MAC_CR = 1, TXEN = 8, RXEN = 4, ON = 2 };
    LAN(LAN_MAC_DATA) = TXEN | RXEN;
    LAN(LAN_MAC_CMD) = 0x80000000u | MAC_CR;
    LAN(LAN_TX_CFG) = ON;
}

/** False: there is no room now. */
static bool lan_send(const Letter *letter) {
    if ((LAN(LAN_TX_FIFO_INF) & 0xffff) < LAN_FRAME + 16) {
        return false;
    }
    LAN(LAN_TX_DATA) = LAN_FIRST_AND_LAST | LAN_FRAME;
    LAN(LAN_TX_DATA) = LAN_FRAME;
    for (uint32_t i = 0; i < LAN_FRAME / 4; i++) {
        LAN(LAN_TX_DATA) = i == 0 ? 0xffffffff
                         : i == 1 ? 0x0002ffff
                         : i == 2 ? letter->from << 24
                         : i == 3 ? letter->from << 16
                         : i == LAN_FRAME / 4 - 1 ? letter->number << 24 : 0;
    }
    return true;
}

/** The status of a frame that has come (bits 29 to 16 its length, LAN_ERROR_STATUS), 0 if none has. */
static uint32_t lan_receive(Letter *letter) {
    if (!(LAN(LAN_RX_FIFO_INF) >> 16)) {
        return 0;
    }
    uint32_t status = LAN(LAN_RX_STATUS), words = ((status >> 16 & 0x3fff) + 3) / 4;
    *letter = (Letter){0, 0};
    for (uint32_t i = 0; i < words; i++) {
        uint32_t data = LAN(LAN_RX_DATA);
        letter->from = i == 3 ? data >> 16 & 0xff : letter->from;
        letter->number = i == LAN_FRAME / 4 - 1 ? data >> 24 : letter->number;
    }
    return status;
}

#endif
