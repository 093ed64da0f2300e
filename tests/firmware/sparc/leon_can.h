/* CAN at 250 kbit/s: CAN_OC of the GR712RC in PeliCAN mode (two cores), GRCAN of the GR740. Frames of two bytes, who
 * sends and a number, with identifiers of 11 bits. */
#ifndef FIRMWARE_LEON_CAN_H
#define FIRMWARE_LEON_CAN_H

#include "../letter.h"
#include "leon_board.h"

#ifdef BOARD_GR740

enum { GRCAN = 0xffa01000, CAN_CONF = 0, CAN_CTRL = 8, CAN_TXCTRL = 0x200, CAN_TXADDR = 0x204, CAN_TXSIZE = 0x208,
       CAN_TXWR = 0x20c, CAN_TXRD = 0x210, CAN_RXCTRL = 0x300, CAN_RXADDR = 0x304, CAN_RXSIZE = 0x308,
       CAN_RXWR = 0x30c, CAN_RXRD = 0x310, CAN_RXMASK = 0x318, CAN_MESSAGE = 16, CAN_SIZE = 256 };

static volatile u32 can_sent[CAN_SIZE / 4] __attribute__((aligned(1024)));
static volatile u32 can_received[CAN_SIZE / 4] __attribute__((aligned(1024)));

/* 250 MHz / (50 * (2 + 12 + 6)) */
static void can_start(unsigned core) {
    (void)core;
    *at(GRCAN + CAN_CONF) = 49u << 24 | 12 << 20 | 6 << 16;
    *at(GRCAN + CAN_TXADDR) = (u32)can_sent;
    *at(GRCAN + CAN_TXSIZE) = CAN_SIZE;
    *at(GRCAN + CAN_RXADDR) = (u32)can_received;
    *at(GRCAN + CAN_RXSIZE) = CAN_SIZE;
    *at(GRCAN + CAN_RXMASK) = 0;
    *at(GRCAN + CAN_CTRL) = 1;
    *at(GRCAN + CAN_TXCTRL) = 1;
    *at(GRCAN + CAN_RXCTRL) = 1;
}

/** False: there is no room now. */
static int can_send(unsigned core, u32 identifier, const Letter *letter) {
    u32 place = *at(GRCAN + CAN_TXWR), next = (place + CAN_MESSAGE) % CAN_SIZE;
    (void)core;
    if (next == *at(GRCAN + CAN_TXRD)) {
        return 0;
    }
    volatile u32 *message = can_sent + place / 4;
    message[0] = identifier << 18;
    message[1] = 2u << 28;
    message[2] = letter->from << 24 | letter->number << 16;
    *at(GRCAN + CAN_TXWR) = next;
    return 1;
}

/** False: nothing has come. */
static int can_receive(unsigned core, u32 *identifier, Letter *letter) {
    u32 place = *at(GRCAN + CAN_RXRD);
    (void)core;
    if (place == *at(GRCAN + CAN_RXWR)) {
        return 0;
    }
    const volatile u32 *message = can_received + place / 4;
    *letter = (Letter){message[2] >> 24, message[2] >> 16 & 0xff};
    *identifier = message[0] >> 18;
    *at(GRCAN + CAN_RXRD) = (place + CAN_MESSAGE) % CAN_SIZE;
    return 1;
}

#else

enum { CAN_MOD, CAN_CMR, CAN_SR, CAN_BTR0 = 6, CAN_BTR1 = 7, CAN_CODE = 16, CAN_MASK = 20, CAN_BUFFER = 16,
       CAN_CDR = 31 };
enum { CAN_RESET = 1, CAN_RBS = 1, CAN_TBS = 4, CAN_TR = 1, CAN_RRB = 4 };

static volatile unsigned char *can_core(unsigned core) {
    return (volatile unsigned char *)0xfff30000 + 0x100 * core;
}

/* 80 MHz / (2 * 10 * (10 + 3 + 3)) */
static void can_start(unsigned core) {
    volatile unsigned char *can = can_core(core);
    can[CAN_CDR] = 0x80;
    can[CAN_BTR0] = 9;
    can[CAN_BTR1] = 0x3a;
    for (int i = 0; i < 4; i++) {
        can[CAN_CODE + i] = 0;
        can[CAN_MASK + i] = 0xff;
    }
    can[CAN_MOD] = 0;
}

/** False: there is no room now. A controller that went bus-off comes back. */
static int can_send(unsigned core, u32 identifier, const Letter *letter) {
    volatile unsigned char *can = can_core(core);
    if (can[CAN_MOD] & CAN_RESET) {
        can[CAN_MOD] = 0;
    }
    if (!(can[CAN_SR] & CAN_TBS)) {
        return 0;
    }
    can[CAN_BUFFER] = 2;
    can[CAN_BUFFER + 1] = (unsigned char)(identifier >> 3);
    can[CAN_BUFFER + 2] = (unsigned char)(identifier << 5);
    can[CAN_BUFFER + 3] = (unsigned char)letter->from;
    can[CAN_BUFFER + 4] = (unsigned char)letter->number;
    can[CAN_CMR] = CAN_TR;
    return 1;
}

/** False: nothing has come. */
static int can_receive(unsigned core, u32 *identifier, Letter *letter) {
    volatile unsigned char *can = can_core(core);
    if (!(can[CAN_SR] & CAN_RBS)) {
        return 0;
    }
    *letter = (Letter){can[CAN_BUFFER + 3], can[CAN_BUFFER + 4]};
    *identifier = (u32)can[CAN_BUFFER + 1] << 3 | can[CAN_BUFFER + 2] >> 5;
    can[CAN_CMR] = CAN_RRB;
    return 1;
}

#endif

#endif
