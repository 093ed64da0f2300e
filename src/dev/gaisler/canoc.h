/* CAN_OC: what canoc.c (registers, bus) and canoc_buffer.c (frames in buffers, acceptance filter) share. */
#ifndef DEV_GAISLER_CANOC_H
#define DEV_GAISLER_CANOC_H

#include "dev/gaisler/gaisler.h"

enum { CANOC_FIFO = 64, CANOC_BUFFER = 13, CANOC_FILTER = 8 };
enum { CANOC_CDR_PELICAN = 0x80 };
enum { CANOC_FI_EXTENDED = 0x80, CANOC_FI_REMOTE = 0x40 };

typedef struct Canoc {
    Device dev;
    uint64_t frequency;
    uint32_t cores; /* of the multi-core version, for plug and play */
    CanPort port;
    Line irq;
    uint8_t mode, ier, ir, cdr, btr0, btr1, ocr, alc, ecc, ewl;
    uint8_t basic_control; /* interrupt enables of CR, BasicCAN */
    uint8_t filter[CANOC_FILTER]; /* ACR0-3, AMR0-3; BasicCAN: ACR and AMR in the first of each */
    uint8_t tx[CANOC_BUFFER];
    uint8_t fifo[CANOC_FIFO], fifo_head, fifo_len; /* messages one after another, as in the receive buffer */
    uint8_t messages;
    uint8_t overrun_after; /* messages before a lost one: DOS is told when they are read */
    uint8_t told; /* IR was not 0 at the last look */
    uint8_t overrun, sending, on_wire, sent_well, self_receive, bus_off, passive, warning;
    uint8_t alc_held, ecc_held; /* until they are read */
    uint16_t tec, rec;
} Canoc;

static inline bool canoc_is_pelican(const Canoc *c) {
    return c->cdr & CANOC_CDR_PELICAN;
}
/** The frame in the transmit buffer. */
CanFrame canoc_tx_frame(const Canoc *c);
bool canoc_accepts(const Canoc *c, const CanFrame *frame);
/** Bytes of the message in the receive buffer's layout. */
unsigned canoc_message(const Canoc *c, const CanFrame *frame, uint8_t out[CANOC_BUFFER]);
/** Length of the message that stands first in the FIFO. */
unsigned canoc_message_len(const Canoc *c);
/** The segment code of ECC for a bit of a frame on the wire. */
unsigned canoc_segment(const CanFrame *frame, unsigned bit);

#endif
