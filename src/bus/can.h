/* CAN bus: classical frames and CAN FD (ISO 11898-1:2015; Bosch CAN Specification 2.0, "Fault confinement").
 *
 * The medium is pure logic on (time, requests, participants): it knows no device, no node and no event queue, so one
 * bus serves two controllers of a board (dev/generic/can_hub.c) as well as controllers of different nodes (a link of
 * the world ships CanRequests one way and CanNotices the other). Its owner gives it requests in the order of time,
 * asks can_bus_next_ns when it has something to do, and calls can_bus_run then.
 *
 * A frame is resolved when it starts: the stuffed bits of all that contend are laid side by side, which gives who
 * loses arbitration at which bit; if nothing disturbs it, what follows is arithmetic. From the first error on the bus
 * is followed bit by bit: error flags (active, passive), their superposition, what others make of them, delimiters.
 * Counters change, and participants hear, at the end of the bit at which a controller would know.
 *
 * Choices where the standard leaves one: a receive error counter above 127 becomes 127 at the next good frame. Bit
 * rates that differ by more than 1 % cannot be read: such receivers see a stuff error at bit 6. Not modelled:
 * overload frames; a node that is late with its passive error flag when others go on does not disturb the next frame;
 * who has missed a start of frame, because the wires were short-circuited, stays out of what comes of it;
 * a transmitter that is switched off finishes its frame on the wire; resynchronisation and propagation time; a start
 * of frame happens at the request, not at the next bit boundary of the sender's clock. */
#ifndef BUS_CAN_H
#define BUS_CAN_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/field.h"

struct Device;

enum { CAN_DATA_MAX = 64, CAN_PEERS_MAX = 32, CAN_BITS_MAX = 768, CAN_BUS_OFF_FROM = 256 };

typedef struct CanFrame {
    uint32_t id; /* 11 or 29 bits */
    bool extended, remote;
    bool fd, brs, esi; /* CAN FD format; its bit rate switch and error state indicator bits */
    uint8_t dlc; /* 0 to 15, as on the wire */
    uint8_t data[CAN_DATA_MAX];
} CanFrame;

/** Bytes of data that the frame carries: none if remote, 8 at most if not FD. */
unsigned can_frame_len(const CanFrame *frame);
/** The smallest DLC that holds so many bytes (0 to 64). */
uint8_t can_dlc(unsigned len);

/** A frame on the wire, from the start of frame to the end of EOF with stuff bits. Positions are indexes of bits. */
typedef struct CanBits {
    uint8_t level[CAN_BITS_MAX]; /* 0 dominant, 1 recessive; the ACK slot as sent: recessive */
    uint16_t n;
    uint16_t arbitration_end; /* the first bit that a sender may not lose arbitration at */
    uint16_t fdf; /* the bit that tells FD frames */
    uint16_t brs; /* FD with bit rate switch: that bit, else 0 */
    uint16_t stuffed_end; /* the first bit behind those that dynamic stuffing applies to */
    uint16_t crc_delimiter; /* ACK slot, ACK delimiter, 7 bits of EOF follow */
} CanBits;

void can_frame_bits(const CanFrame *frame, CanBits *out);

/** Bit times in cycles of a controller's clock. The data phase counts for FD frames with bit rate switch only. */
typedef struct CanTiming {
    uint32_t hz;
    uint32_t bit_cycles, sample_cycles; /* one bit; from its start to the sample point */
    uint32_t data_bit_cycles, data_sample_cycles;
} CanTiming;

/** Cycles that the first `count` bits of a frame take. */
uint64_t can_bits_cycles(const CanBits *bits, const CanTiming *timing, unsigned count);

/** Bits of the frame before `bit` without dynamic stuff bits: the number of that bit in the unstuffed frame. */
unsigned can_bits_number(const CanBits *bits, unsigned bit);

/* ---- What participants ask for ----------------------------------------------------------------------------------- */

typedef enum CanRequestKind {
    CAN_CONFIGURE, /* on or off the bus, timing, silent, fd: a participant that is switched on joins after 11 recessive
                      bits, or bus-off, stays so; one that is switched off forgets its frame */
    CAN_OFFER, /* a frame to send, instead of one that was offered before */
    CAN_WITHDRAW, /* no further attempt; one that is on the wire ends by itself */
    CAN_COUNTERS, /* sets the error counters */
    CAN_RECOVER, /* leaves bus-off after 128 times 11 recessive bits */
} CanRequestKind;

typedef struct CanRequest {
    uint8_t kind;
    bool on, silent, fd; /* CAN_CONFIGURE: silent drives nothing and counts nothing; without fd, FD frames are errors */
    bool single_shot, no_ack; /* CAN_OFFER: one attempt only; an ACK is not asked for (self test) */
    uint16_t tec, rec; /* CAN_COUNTERS */
    CanTiming timing; /* CAN_CONFIGURE */
    CanFrame frame; /* CAN_OFFER */
} CanRequest;

/* ---- What they are told ------------------------------------------------------------------------------------------ */

typedef enum CanNoticeKind {
    CAN_SENT, /* at the end of EOF */
    CAN_RECEIVED, /* one bit before that */
    CAN_LOST, /* arbitration, at `bit` */
    CAN_ERROR, /* detected at `bit`; bus-off follows from the counter */
    CAN_STARTED, /* own frame: its first bit begins */
    CAN_JOINED, /* on the bus, after being switched on or bus-off */
} CanNoticeKind;

typedef enum CanErrorKind { CAN_ERROR_BIT, CAN_ERROR_FORM, CAN_ERROR_STUFF, CAN_ERROR_ACK } CanErrorKind;

typedef struct CanNotice {
    uint8_t kind;
    uint8_t error; /* CanErrorKind */
    bool transmitter; /* it was sending when it saw the error */
    bool final; /* CAN_LOST, CAN_ERROR of a sender: there will be no further attempt */
    uint16_t bit; /* of the stuffed frame, 0 = start of frame; errors in what follows the frame are beyond its end */
    uint16_t tec, rec; /* from now on; bus-off from 256 on */
    uint64_t time_ns;
    const CanFrame *frame; /* the frame on the wire; valid during the call */
} CanNotice;

/* ---- The medium -------------------------------------------------------------------------------------------------- */

typedef enum CanPeerState {
    CAN_PEER_OFF,
    CAN_PEER_JOINING,
    CAN_PEER_ON,
    CAN_PEER_BUS_OFF,
    CAN_PEER_RECOVERING,
} CanPeerState;

typedef struct CanPeer {
    CanTiming timing;
    CanFrame frame; /* offered */
    uint64_t ready_ns; /* joining: when it has joined if the bus stays idle; on: it starts no frame before */
    uint64_t quiet_ns; /* recovering: since when recessive bits have been counted without a frame */
    uint16_t tec, rec;
    uint8_t state, silent, fd, offered, single_shot, no_ack;
    uint8_t recovered; /* sequences of 11 recessive bits */
} CanPeer;

typedef struct CanPending {
    uint64_t time_ns;
    uint8_t kind, error, transmitter, final, peer;
    uint16_t bit, tec, rec;
} CanPending;

/** What disturbs the next frame. */
typedef struct CanFault {
    unsigned bit; /* is not as it was sent */
    int peer; /* only this participant sees it; -1: all do */
} CanFault;

/** A frame that has been on the wire, or an attempt that has failed. */
typedef struct CanTraffic {
    const CanFrame *frame;
    unsigned sender; /* the first of them if several send the same */
    bool good, acknowledged;
    uint64_t start_ns, end_ns; /* to the end of EOF or of the error delimiter */
} CanTraffic;

enum { CAN_PENDING_MAX = CAN_PEERS_MAX * 24 }; /* a broken bus: 17 errors of each sender in one attempt */

typedef struct CanBus {
    /* Set by the owner, no state: */
    void (*notice)(void *user, unsigned peer, const CanNotice *notice); /* may call can_bus_request */
    void *user;
    /** Asked at the start of each frame, which has `bits` bits: whether it is disturbed. NULL: never. */
    bool (*fault)(void *user, unsigned sender, unsigned bits, CanFault *out);
    /** When the wires are short-circuited, from that time on: the time itself if they are so then, UINT64_MAX if never
     * again. Bits that are sampled meanwhile are recessive. NULL: never. */
    uint64_t (*cut_ns)(void *user, uint64_t from_ns);
    /** Told of each frame at its start, where all that becomes of it is known: `pending` has what participants will be
     * told. NULL: nobody. */
    void (*traffic)(void *user, const CanTraffic *traffic);
    /* State: */
    CanPeer peers[CAN_PEERS_MAX];
    CanPending pending[CAN_PENDING_MAX]; /* by time, then as they came */
    uint32_t n_pending;
    CanFrame frame; /* on the wire, or the last one */
    uint64_t base_ns, cycles; /* the bus is free again `cycles` of `hz` after base_ns */
    uint32_t hz;
    uint64_t start_ns, free_ns;
    uint64_t asked_ns; /* the last request: nothing happens before */
    uint8_t busy, good;
} CanBus;

/** Times of requests never run backwards, and can_bus_run has been called for all that is due before. */
void can_bus_request(CanBus *bus, unsigned peer, uint64_t time_ns, const CanRequest *request);
/** When can_bus_run has something to do; UINT64_MAX if nothing without a request. */
uint64_t can_bus_next_ns(const CanBus *bus);
/** Does what is due until then, in order. */
void can_bus_run(CanBus *bus, uint64_t now_ns);
/** The same, but nobody starts a frame or joins at now_ns itself: further requests of that time may follow. */
void can_bus_run_before(CanBus *bus, uint64_t now_ns);
/** Whether somebody who asks for this leaves the bus, and hears no more of the frame that is on it. */
bool can_request_leaves(const CanRequest *request);
void can_bus_reset(CanBus *bus);
/** State, for owners: what is fed, written and read is the same. False: not what can_bus_save wrote. */
void can_bus_hash(const CanBus *bus, Hash *hash);
void can_bus_save(const CanBus *bus, ByteVec *out);
bool can_bus_load(CanBus *bus, ByteReader *in, bool apply);

/* ---- The port of a controller ------------------------------------------------------------------------------------ */

typedef struct CanPort {
    struct Device *device;
    void (*notice)(struct Device *device, const CanNotice *notice); /* given by the device */
    void (*request)(void *user, const CanRequest *request); /* given by the outside; NULL: not connected */
    void *user;
} CanPort;

static inline void can_port_request(const CanPort *port, const CanRequest *request) {
    if (port->request) {
        port->request(port->user, request);
    }
}

#endif
