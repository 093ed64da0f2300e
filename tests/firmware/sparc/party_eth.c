/* A party (party.h) over Ethernet: GRETH of the GR712RC and the GR740, broadcast frames of 60 bytes. */
#include "leon_board.h"

#include "../party.h"

#ifdef BOARD_GR740
enum { GRETH = 0xff940000 };
#else
enum { GRETH = 0x80000e00 };
#endif
enum { CTRL = 0, MAC_MSB = 8, MAC_LSB = 12, TX = 20, RX = 24 };
enum { TE = 1, RE = 2, FULL = 0x10, SP = 0x80, EN = 0x800, WRAP = 0x1000, FRAME = 60, BUFFERS = 64,
       CRC_ERROR = 1 << 16 };

static volatile u32 tx_descriptor[2] __attribute__((aligned(1024)));
static volatile u32 rx_descriptors[BUFFERS][2] __attribute__((aligned(1024)));
static volatile unsigned char tx_frame[FRAME] __attribute__((aligned(4)));
static volatile unsigned char rx_frames[BUFFERS][64] __attribute__((aligned(4)));
static unsigned next_rx;

/* The core gives descriptors back without WRAP. */
static void rx_give(unsigned i) {
    rx_descriptors[i][0] = EN | (i + 1 == BUFFERS ? WRAP : 0);
}

static void eth_start(void) {
    for (unsigned i = 0; i < BUFFERS; i++) {
        rx_descriptors[i][1] = (u32)rx_frames[i];
        rx_give(i);
    }
    *at(GRETH + MAC_MSB) = 0x0200;
    *at(GRETH + MAC_LSB) = NODE;
    *at(GRETH + TX) = (u32)tx_descriptor;
    *at(GRETH + RX) = (u32)rx_descriptors;
    *at(GRETH + CTRL) = RE | FULL | SP;
}

static int party_send(const Word *word) {
    if (tx_descriptor[0] & EN) {
        return 0;
    }
    for (int i = 0; i < 6; i++) {
        tx_frame[i] = 0xff;
    }
    tx_frame[6] = 2;
    tx_frame[11] = NODE;
    tx_frame[14] = (unsigned char)word->from;
    tx_frame[FRAME - 1] = (unsigned char)word->number;
    tx_descriptor[1] = (u32)tx_frame;
    tx_descriptor[0] = EN | WRAP | FRAME;
    *at(GRETH + CTRL) |= TE;
    return 1;
}

static int party_receive(Word *word) {
    u32 status = rx_descriptors[next_rx][0];
    if (status & EN) {
        return 0;
    }
    check("length", status & 0x7ff, FRAME);
    word->from = rx_frames[next_rx][14];
    word->number = rx_frames[next_rx][FRAME - 1];
    rx_give(next_rx);
    next_rx = (next_rx + 1) % BUFFERS;
    *at(GRETH + CTRL) |= RE;
    return !(status & CRC_ERROR);
}

int main(void) {
    eth_start();
    party();
    return 1;
}
