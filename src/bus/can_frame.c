/* CAN frames as bits on the wire: fields, CRC, stuffing. ISO 11898-1:2015, sections 10.4 and 10.5. */
#include <string.h>

#include "bus/can.h"

enum { STUFF_RUN = 5, FIXED_STUFF_STEP = 4, TRAILER_BITS = 10 };
enum { CRC15_POLY = 0x4599, CRC17_POLY = 0x1685B, CRC21_POLY = 0x102899 };

static const uint8_t fd_lengths[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64};

unsigned can_frame_len(const CanFrame *frame) {
    unsigned dlc = frame->dlc & 15;
    if (frame->fd) {
        return fd_lengths[dlc];
    }
    return frame->remote ? 0 : dlc > 8 ? 8 : dlc;
}

uint8_t can_dlc(unsigned len) {
    uint8_t dlc = 0;
    while (dlc < 15 && fd_lengths[dlc] < len) {
        dlc++;
    }
    return dlc;
}

/* What is being written: each bit goes through the CRC and the stuffing. */
typedef struct Writer {
    CanBits *out;
    uint32_t crc, poly;
    unsigned crc_bits;
    unsigned run; /* equal bits at the end */
    unsigned stuffed;
    bool fd;
} Writer;

static void crc_put(Writer *w, unsigned level) {
    uint32_t top = UINT32_C(1) << (w->crc_bits - 1);
    bool apply = ((w->crc & top) != 0) != (level != 0);
    w->crc = (w->crc << 1 & (2 * top - 1)) ^ (apply ? w->poly : 0);
}

static void raw_put(Writer *w, unsigned level) {
    CanBits *out = w->out;
    w->run = out->n && out->level[out->n - 1] == level ? w->run + 1 : 1;
    out->level[out->n++] = (uint8_t)level;
}

/* After five equal bits comes their complement, before the next one. The CRC of FD frames covers stuff bits. */
static void stuff(Writer *w) {
    if (w->run == STUFF_RUN) {
        unsigned level = !w->out->level[w->out->n - 1];
        raw_put(w, level);
        w->stuffed++;
        if (w->fd) {
            crc_put(w, level);
        }
    }
}

static void field_put(Writer *w, uint32_t value, unsigned bits) {
    while (bits--) {
        unsigned level = value >> bits & 1;
        stuff(w);
        crc_put(w, level);
        raw_put(w, level);
    }
}

/* SOF, identifier, and whatever tells the format. */
static void header_put(Writer *w, const CanFrame *f) {
    field_put(w, 0, 1);
    if (f->extended) {
        field_put(w, f->id >> 18 & 0x7FF, 11);
        field_put(w, 3, 2); /* SRR, IDE */
        field_put(w, f->id & 0x3FFFF, 18);
        field_put(w, f->remote && !f->fd, 1);
        w->out->arbitration_end = w->out->n;
    } else {
        field_put(w, f->id & 0x7FF, 11);
        field_put(w, f->remote && !f->fd, 1);
        field_put(w, 0, 1); /* IDE */
        w->out->arbitration_end = w->out->n;
    }
    field_put(w, f->fd, 1); /* FDF, or the reserved bit r0 (r1 of extended frames) */
    w->out->fdf = (uint16_t)(w->out->n - 1);
    if (f->fd) {
        field_put(w, 0, 1);
        field_put(w, f->brs, 1);
        w->out->brs = f->brs ? (uint16_t)(w->out->n - 1) : 0;
        field_put(w, f->esi, 1);
    } else if (f->extended) {
        field_put(w, 0, 1);
    }
    field_put(w, f->dlc & 15, 4);
}

/* FD: number of stuff bits modulo 8 in Gray code with even parity, then the CRC; before each four bits, and first of
 * all, a stuff bit that is the complement of the bit before. */
static void fd_crc_put(Writer *w) {
    unsigned gray = (w->stuffed & 7) ^ (w->stuffed & 7) >> 1;
    unsigned count = gray << 1 | (unsigned)__builtin_parity(gray);
    for (unsigned i = 4; i--;) {
        crc_put(w, count >> i & 1);
    }
    uint64_t tail = (uint64_t)count << w->crc_bits | w->crc;
    for (unsigned left = w->crc_bits + 4, sent = 0; left--; sent++) {
        if (sent % FIXED_STUFF_STEP == 0) {
            raw_put(w, !w->out->level[w->out->n - 1]);
        }
        raw_put(w, tail >> left & 1);
    }
}

void can_frame_bits(const CanFrame *f, CanBits *out) {
    out->n = out->brs = 0;
    unsigned len = can_frame_len(f);
    Writer w = {.out = out, .fd = f->fd, .crc_bits = !f->fd ? 15 : len <= 16 ? 17 : 21};
    w.poly = w.crc_bits == 15 ? CRC15_POLY : w.crc_bits == 17 ? CRC17_POLY : CRC21_POLY;
    w.crc = f->fd ? UINT32_C(1) << (w.crc_bits - 1) : 0;
    header_put(&w, f);
    for (unsigned i = 0; i < len; i++) {
        field_put(&w, f->data[i], 8);
    }
    if (f->fd) {
        out->stuffed_end = out->n;
        fd_crc_put(&w);
    } else {
        field_put(&w, w.crc, 15);
        stuff(&w);
        out->stuffed_end = out->n;
    }
    out->crc_delimiter = out->n;
    memset(out->level + out->n, 1, TRAILER_BITS); /* CRC delimiter, ACK slot and delimiter, EOF */
    out->n = (uint16_t)(out->n + TRAILER_BITS);
}

/* The rate changes at the sample points of the BRS bit and of the CRC delimiter. */
uint64_t can_bits_cycles(const CanBits *bits, const CanTiming *t, unsigned count) {
    uint64_t nominal = t->bit_cycles, data = t->data_bit_cycles;
    if (!bits->brs || count <= bits->brs) {
        return count * nominal;
    }
    uint64_t cycles = bits->brs * nominal + t->sample_cycles + (data - t->data_sample_cycles);
    if (count <= bits->crc_delimiter) {
        return cycles + (count - bits->brs - 1u) * data;
    }
    cycles += (bits->crc_delimiter - bits->brs - 1u) * data + t->data_sample_cycles + (nominal - t->sample_cycles);
    return cycles + (count - bits->crc_delimiter - 1u) * nominal;
}

unsigned can_bits_number(const CanBits *bits, unsigned bit) {
    unsigned run = 0, number = 0;
    for (unsigned i = 0; i < bit && i < bits->n; i++) {
        bool is_stuff = run == STUFF_RUN && i < bits->stuffed_end;
        run = i && bits->level[i] == bits->level[i - 1] ? run + 1 : 1;
        number += !is_stuff;
    }
    return number;
}
