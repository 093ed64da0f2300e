/* CAN_OC: frames in the transmit and receive buffers, and which ones are accepted. SJA1000 data sheet (Philips, 2000),
 * sections 6.3.7 to 6.3.9 (BasicCAN) and 6.4.10 to 6.4.15 (PeliCAN). */
#include <string.h>

#include "dev/gaisler/canoc.h"

/* ---- Buffers ----------------------------------------------------------------------------------------------------- */

/* BasicCAN: ID.10-3, then ID.2-0, RTR and DLC in one byte, then data. */
static CanFrame basic_frame(const uint8_t *b) {
    CanFrame frame = {.id = (uint32_t)b[0] << 3 | b[1] >> 5, .remote = b[1] >> 4 & 1, .dlc = b[1] & 15};
    memcpy(frame.data, b + 2, 8);
    return frame;
}

static CanFrame pelican_frame(const uint8_t *b) {
    CanFrame frame = {.extended = (b[0] & CANOC_FI_EXTENDED) != 0,
                      .remote = (b[0] & CANOC_FI_REMOTE) != 0,
                      .dlc = b[0] & 15};
    if (frame.extended) {
        frame.id = (uint32_t)b[1] << 21 | (uint32_t)b[2] << 13 | (uint32_t)b[3] << 5 | b[4] >> 3;
        memcpy(frame.data, b + 5, 8);
    } else {
        frame.id = (uint32_t)b[1] << 3 | b[2] >> 5;
        memcpy(frame.data, b + 3, 8);
    }
    return frame;
}

CanFrame canoc_tx_frame(const Canoc *c) {
    return canoc_is_pelican(c) ? pelican_frame(c->tx) : basic_frame(c->tx);
}

unsigned canoc_message(const Canoc *c, const CanFrame *f, uint8_t out[CANOC_BUFFER]) {
    unsigned n = 0, len = can_frame_len(f);
    if (!canoc_is_pelican(c)) {
        out[n++] = (uint8_t)(f->id >> 3);
        out[n++] = (uint8_t)(f->id << 5 | (f->remote ? 0x10 : 0) | f->dlc);
    } else {
        out[n++] = (uint8_t)((f->extended ? CANOC_FI_EXTENDED : 0) | (f->remote ? CANOC_FI_REMOTE : 0) | f->dlc);
        if (f->extended) {
            out[n++] = (uint8_t)(f->id >> 21);
            out[n++] = (uint8_t)(f->id >> 13);
            out[n++] = (uint8_t)(f->id >> 5);
            out[n++] = (uint8_t)(f->id << 3);
        } else {
            out[n++] = (uint8_t)(f->id >> 3);
            out[n++] = (uint8_t)(f->id << 5);
        }
    }
    memcpy(out + n, f->data, len);
    return n + len;
}

unsigned canoc_message_len(const Canoc *c) {
    uint8_t first = c->fifo[c->fifo_head], second = c->fifo[(c->fifo_head + 1) % CANOC_FIFO];
    uint8_t info = canoc_is_pelican(c) ? first : second;
    bool remote = canoc_is_pelican(c) ? info & CANOC_FI_REMOTE : info & 0x10;
    unsigned head = !canoc_is_pelican(c) ? 2 : info & CANOC_FI_EXTENDED ? 5 : 3;
    unsigned len = info & 15;
    return head + (remote ? 0 : len > 8 ? 8 : len);
}

/* ---- Acceptance filter ------------------------------------------------------------------------------------------- */

/* A mask bit that is 1 does not care. */
static bool matches(uint32_t value, uint32_t code, uint32_t mask, uint32_t relevant) {
    return ((value ^ code) & ~mask & relevant) == 0;
}

static uint32_t word_of(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* One filter of four bytes. Standard: ID, RTR, 4 bits unused, two data bytes; extended: ID, RTR, 2 bits unused. */
static bool single_accepts(uint32_t code, uint32_t mask, const CanFrame *f) {
    if (f->extended) {
        return matches(f->id << 3 | (uint32_t)f->remote << 2, code, mask, 0xFFFFFFFC);
    }
    unsigned len = can_frame_len(f);
    uint32_t value = f->id << 21 | (uint32_t)f->remote << 20 | (uint32_t)f->data[0] << 8 | f->data[1];
    uint32_t relevant = 0xFFF00000 | (len > 0 ? 0xFF00 : 0) | (len > 1 ? 0xFF : 0);
    return matches(value, code, mask, relevant);
}

/* Two filters of two bytes; for standard frames the first also has a data byte, its lower half in the second's. */
static bool dual_accepts(uint32_t code, uint32_t mask, const CanFrame *f) {
    if (f->extended) {
        uint32_t value = f->id >> 13;
        return matches(value, code >> 16, mask >> 16, 0xFFFF) || matches(value, code, mask, 0xFFFF);
    }
    uint32_t value = (f->id << 5 | (uint32_t)f->remote << 4) & 0xFFF0;
    uint32_t first = value << 16 | (uint32_t)(f->data[0] >> 4) << 16 | (f->data[0] & 15);
    uint32_t relevant = 0xFFF00000 | (can_frame_len(f) ? 0x000F000F : 0);
    return matches(first, code, mask, relevant) || matches(value, code, mask, 0xFFF0);
}

bool canoc_accepts(const Canoc *c, const CanFrame *f) {
    uint32_t code = word_of(c->filter), mask = word_of(c->filter + 4);
    if (f->fd) {
        return false;
    }
    if (!canoc_is_pelican(c)) {
        return !f->extended && matches(f->id >> 3, c->filter[0], c->filter[4], 0xFF);
    }
    bool single = c->mode & 8; /* AFM */
    return single ? single_accepts(code, mask, f) : dual_accepts(code, mask, f);
}

/* ---- Error codes ------------------------------------------------------------------------------------------------- */

/* Segment codes of ECC, each up to (not including) a bit of the unstuffed frame. */
typedef struct Segment {
    uint8_t end, code;
} Segment;

static const Segment standard_segments[] = {{1, 3}, {9, 2}, {12, 6}, {13, 4}, {14, 5}, {15, 9}, {19, 11}};
static const Segment extended_segments[] = {{1, 3},   {9, 2},   {12, 6},  {13, 4},  {14, 5}, {19, 7},
                                            {27, 15}, {32, 14}, {33, 12}, {34, 13}, {35, 9}, {39, 11}};
enum { SEGMENT_DATA = 10, SEGMENT_CRC = 8, SEGMENT_CRC_DELIMITER = 24, SEGMENT_ACK = 25, SEGMENT_ACK_DELIMITER = 27,
       SEGMENT_EOF = 26, SEGMENT_TOLERATED = 19 };

unsigned canoc_segment(const CanFrame *f, unsigned bit) {
    CanBits bits;
    can_frame_bits(f, &bits);
    if (bit >= bits.n) {
        return SEGMENT_TOLERATED; /* dominant bits after an error flag */
    }
    if (bit >= bits.crc_delimiter) {
        static const uint8_t tail[] = {SEGMENT_CRC_DELIMITER, SEGMENT_ACK, SEGMENT_ACK_DELIMITER};
        unsigned at = bit - bits.crc_delimiter;
        return at < sizeof tail ? tail[at] : SEGMENT_EOF;
    }
    unsigned number = can_bits_number(&bits, bit);
    const Segment *segments = f->extended ? extended_segments : standard_segments;
    unsigned n = f->extended ? ARRAY_LEN(extended_segments) : ARRAY_LEN(standard_segments);
    for (unsigned i = 0; i < n; i++) {
        if (number < segments[i].end) {
            return segments[i].code;
        }
    }
    return number < segments[n - 1].end + 8 * can_frame_len(f) ? SEGMENT_DATA : SEGMENT_CRC;
}
