/* Ethernet: frames, ports of controllers, and a switch that learns addresses (IEEE 802.3, 802.1D section 7).
 *
 * Like the CAN medium, the switch is pure logic on (time, frames, ports): one serves controllers of a board
 * (dev/generic/eth_switch.c) or of different nodes. A frame that a controller hands over at a time has left it
 * completely then; the switch stores it, and forwards it `latency_ns` later on each port that it goes to, one after
 * another at the rate of that port. A frame is what stands between the start delimiter and the frame check sequence.
 * Not modelled: collisions (all links are full duplex), pause frames, VLANs, spanning trees. */
#ifndef BUS_ETH_H
#define BUS_ETH_H

#include "base/bytes.h"
#include "base/hash.h"

struct Device;

enum { ETH_FRAME_MAX = 1518, ETH_FRAME_MIN = 60, ETH_OVERHEAD = 24 /* preamble, check sequence, gap */,
       ETH_ADDRESS = 6, ETH_HEADER = 14 };

/** A frame without its check sequence; up to ETH_FRAME_MAX bytes with a VLAN tag. */
typedef struct EthFrame {
    uint16_t len;
    bool damaged; /* the check sequence that came with it is not that of the bytes */
    uint8_t bytes[ETH_FRAME_MAX];
} EthFrame;

typedef struct EthPort {
    struct Device *device;
    /* Given by the device: a frame has arrived; what it has no room for is lost. Damaged ones come, too. */
    void (*receive)(struct Device *device, const EthFrame *frame);
    /* Given by the outside: a frame has left the device; NULL: no cable. */
    void (*send)(void *user, const EthFrame *frame);
    void *user;
    bool pulled; /* the outside says that the cable carries nothing now */
} EthPort;

static inline bool eth_port_up(const EthPort *port) {
    return port->send && !port->pulled;
}
/** Device: a frame has been sent, now. Frames without a cable or of an impossible length go nowhere. */
void eth_port_sent(const EthPort *port, const EthFrame *frame);

/** Time that a frame occupies a link, preamble, padding, check sequence and gap included. */
uint64_t eth_frame_ns(unsigned len, uint64_t bits_per_s);
/** The check sequence (CRC-32) of a frame; the byte sent first is the least significant one. */
uint32_t eth_fcs(const uint8_t *bytes, size_t len);
static inline bool eth_is_group(const uint8_t *address) {
    return address[0] & 1;
}
bool eth_is_broadcast(const uint8_t *address);
/** Bits 31 to 26 of the CRC over an address, in the order that the hash filters of most controllers use. */
unsigned eth_hash6(const uint8_t *address);

/* ---- The switch -------------------------------------------------------------------------------------------------- */

enum { ETH_PORTS_MAX = 32, ETH_LEARNED_MAX = 256, ETH_WAITING_MAX = 64 };

typedef struct EthLearned {
    uint8_t address[ETH_ADDRESS];
    uint8_t port, used;
    uint64_t seen_ns;
} EthLearned;

/** On its way to one port. */
typedef struct EthWaiting {
    uint64_t time_ns; /* when its last byte arrives there */
    uint8_t port;
    EthFrame frame;
} EthWaiting;

typedef struct EthSwitch {
    /* Set by the owner, no state: */
    void (*deliver)(void *user, unsigned port, const EthFrame *frame, uint64_t time_ns); /* may call eth_switch_send */
    void *user;
    /** Asked for each frame that enters: false if it is lost; it may change the bytes. NULL: none is. */
    bool (*fault)(void *user, EthFrame *frame);
    uint64_t latency_ns, bits_per_s;
    uint64_t queue_bytes; /* that wait for one port at most; 0: as many frames as there is room for */
    uint64_t age_ns; /* addresses are forgotten after so long; 0: never */
    uint32_t connected; /* ports that are in use, one bit each */
    /* State: */
    EthLearned learned[ETH_LEARNED_MAX];
    uint64_t free_ns[ETH_PORTS_MAX]; /* when the link to a port has room for a frame */
    EthWaiting waiting[ETH_WAITING_MAX]; /* by time, then as they came */
    uint32_t n_waiting;
    uint64_t dropped; /* for lack of room */
} EthSwitch;

/** A frame enters at a port. Times never run backwards. */
void eth_switch_send(EthSwitch *sw, unsigned port, uint64_t time_ns, const EthFrame *frame);
/** When eth_switch_run has something to do; UINT64_MAX: nothing. */
uint64_t eth_switch_next_ns(const EthSwitch *sw);
void eth_switch_run(EthSwitch *sw, uint64_t now_ns);
void eth_switch_reset(EthSwitch *sw);
void eth_switch_hash(const EthSwitch *sw, Hash *hash);
void eth_switch_save(const EthSwitch *sw, ByteVec *out);
/** False: not what eth_switch_save wrote. Without `apply` nothing changes. */
bool eth_switch_load(EthSwitch *sw, ByteReader *in, bool apply);

#endif
