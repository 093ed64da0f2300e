/* GRETH of the GR712RC and the GR740: broadcast frames of 60 bytes that carry who sends, and a number. */
#ifndef FIRMWARE_GRETH_H
#define FIRMWARE_GRETH_H

#include "../letter.h"
#include "leon_board.h"

#ifdef BOARD_GR740
enum { GRETH = 0xff940000 };
#else
enum { GRETH = 0x80000e00 };
#endif
enum { ETH_CTRL = 0, ETH_MAC_MSB = 8, ETH_MAC_LSB = 12, ETH_TX = 20, ETH_RX = 24 };
enum { ETH_TE = 1, ETH_RE = 2, ETH_FULL = 0x10, ETH_SP = 0x80, ETH_EN = 0x800, ETH_WRAP = 0x1000, ETH_FRAME = 60,
       ETH_BUFFERS = 64, ETH_CRC_ERROR = 1 << 16 };

static volatile u32 tx_descriptor[2] __attribute__((aligned(1024)));
static volatile u32 rx_descriptors[ETH_BUFFERS][2] __attribute__((aligned(1024)));
static volatile unsigned char tx_frame[ETH_FRAME] __attribute__((aligned(4)));
static volatile unsigned char rx_frames[ETH_BUFFERS][64] __attribute__((aligned(4)));
static unsigned next_rx;

/* The core gives descriptors back without WRAP. */
static void rx_give(unsigned i) {
    rx_descriptors[i][0] = ETH_EN | (i + 1 == ETH_BUFFERS ? ETH_WRAP : 0);
}

static void eth_start(u32 node) {
    for (unsigned i = 0; i < ETH_BUFFERS; i++) {
        rx_descriptors[i][1] = (u32)rx_frames[i];
        rx_give(i);
    }
    *at(GRETH + ETH_MAC_MSB) = 0x0200;
    *at(GRETH + ETH_MAC_LSB) = node;
    *at(GRETH + ETH_TX) = (u32)tx_descriptor;
    *at(GRETH + ETH_RX) = (u32)rx_descriptors;
    *at(GRETH + ETH_CTRL) = ETH_RE | ETH_FULL | ETH_SP;
}

/** False: the last one is still on its way. */
static int eth_send(const Letter *letter) {
    if (tx_descriptor[0] & ETH_EN) {
        return 0;
    }
    for (int i = 0; i < 6; i++) {
        tx_frame[i] = 0xff;
    }
    tx_frame[6] = 2;
    tx_frame[11] = tx_frame[14] = (unsigned char)letter->from;
    tx_frame[ETH_FRAME - 1] = (unsigned char)letter->number;
    tx_descriptor[1] = (u32)tx_frame;
    tx_descriptor[0] = ETH_EN | ETH_WRAP | ETH_FRAME;
    *at(GRETH + ETH_CTRL) |= ETH_TE;
    return 1;
}

/** The status of a frame that has come (its length, ETH_CRC_ERROR), 0 if none has. */
static u32 eth_receive(Letter *letter) {
    u32 status = rx_descriptors[next_rx][0];
    if (status & ETH_EN) {
        return 0;
    }
    *letter = (Letter){rx_frames[next_rx][14], rx_frames[next_rx][ETH_FRAME - 1]};
    rx_give(next_rx);
    next_rx = (next_rx + 1) % ETH_BUFFERS;
    *at(GRETH + ETH_CTRL) |= ETH_RE;
    return status;
}

#endif
