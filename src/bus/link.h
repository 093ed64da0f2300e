/* Links: what joins devices of different nodes. A link is a medium (LinkType) with ends; an end is a port of a device.
 *
 * While nodes run, possibly on several threads, an end belongs to its node: what the device sends goes into the end's
 * outbox, and an event of the node hands over what has come into its inbox. Between two windows (sim/world.h) one
 * thread moves messages from outboxes to inboxes, in the order of (time, end, sequence), which does not depend on
 * threads. Nothing sent at t arrives before t + latency; windows are no longer than that, so no message comes late.
 *
 * The error model is the same for all media: loss, corruption, jitter, and times at which the link is cut. Its random
 * numbers come from the link's seed, and are drawn in the order of the messages. */
#ifndef BUS_LINK_H
#define BUS_LINK_H

#include "base/rng.h"
#include "bus/device.h"

typedef struct Link Link;
typedef struct LinkEnd LinkEnd;

enum { LINK_LOCAL_NS = 1000000 /* latency of what joins no nodes: how often it is told of */ };
enum { LINK_CHANCE_ONE = 1000000000, LINK_ENDS_MAX = 64, LINK_CUTS_MAX = 16, LINK_BYTES_MAX = 65536 };

typedef struct LinkMessage {
    uint64_t time_ns; /* in an outbox: of sending; in an inbox: of arrival */
    uint64_t value; /* what fits: a byte, a level */
    uint64_t extra; /* the medium's: frame time, flags */
    uint32_t source; /* index of the end */
    uint32_t len; /* of the bytes that follow: frames */
} LinkMessage;

/* ---- Who looks: captures, load meters ---- */

typedef enum LinkRecordKind {
    LINK_RECORD_BYTE, /* uart: the byte; from its start bit to its stop bit */
    LINK_RECORD_LEVEL, /* gpio: 0 or 1; at one instant */
    LINK_RECORD_CAN, /* can: as in SocketCAN captures (LINKTYPE_CAN_SOCKETCAN): 4 bytes of identifier with the EFF and
                        RTR flags, most significant first; length; FD flags (1 BRS, 2 ESI, 4 FD); two zeros; data. From
                        the start of frame to the end of EOF; of an attempt that ended in an error frame, to the end of
                        the error delimiter */
    LINK_RECORD_ETHERNET, /* ethernet: the frame without preamble and check sequence; while it occupied the cable of the
                             end that sent it */
    LINK_RECORD_SPI, /* spi: a byte out and the byte in; at the instant of its first bit */
    LINK_RECORD_I2C, /* i2c: address byte with R/W, then data bytes; from the end of the first to STOP or a new START */
} LinkRecordKind;

enum {
    LINK_RECORD_ERROR = 1 << 0, /* can: destroyed by an error frame */
    LINK_RECORD_NACK = 1 << 1, /* i2c: the last byte was not acknowledged; can: nobody acknowledged */
    LINK_RECORD_DROPPED = 1 << 2, /* ethernet: sent while the link was cut */
};

/** What the medium carried, as it was sent: what befalls it on its way to one receiver is not told. */
typedef struct LinkRecord {
    LinkRecordKind kind;
    uint32_t flags; /* LINK_RECORD_* */
    uint64_t start_ns, end_ns;
    uint32_t from; /* index of the end */
    uint32_t len;
    const uint8_t *data; /* valid during the call */
} LinkRecord;

/** Called between windows, on one thread, in an order that does not depend on threads: by end_ns within one
 * link. Owned by whoever looks. */
typedef struct LinkTap {
    void (*record)(void *user, const Link *link, const LinkRecord *record);
    /** A message of end `from` will arrive at `to`: the one that was recorded last. CAN does not tell. NULL: nobody
     * asks. */
    void (*passed)(void *user, const Link *link, const LinkEnd *to, uint32_t from, uint64_t time_ns);
    void *user;
    struct LinkTap *next;
} LinkTap;

/* ---- Media ---- */

/** Options that a medium understands; others are a mistake. */
enum {
    LINK_TAKES_RATE = 1 << 0,
    LINK_TAKES_QUEUE = 1 << 1,
    LINK_TAKES_AGE = 1 << 2,
    LINK_TAKES_HOST = 1 << 3, /* the host may be an end */
    LINK_TAKES_DELAYS = 1 << 4, /* of ends */
};

typedef struct LinkType {
    const char *name; /* as in world files */
    const char *summary;
    unsigned ends_max;
    bool is_level; /* messages are levels, which hold also where there is no power; all else is lost there */
    uint64_t latency_ns; /* if the world file does not tell */
    /** Binds the end to `port` of a device (its text behind the device's name, "" if none), in both directions. */
    bool (*attach)(LinkEnd *end, Device *device, const char *port, Err *err);
    /** Hands a message that has arrived to the device, in the node's own time. */
    void (*deliver)(LinkEnd *end, const LinkMessage *message, const uint8_t *bytes);
    /** The node's power goes off now, or it has ended for good; NULL: nobody else notices. */
    void (*power_off)(LinkEnd *end);
    /** Between windows: decides which ends get a message and when, with link_pass. Messages come in their order. NULL:
     * nobody gets any; `deliver` is NULL then, too. */
    void (*route)(Link *link, const LinkMessage *message, const uint8_t *bytes);
    /** Media that act by themselves (arbitration, queues of a switch): state of that size, zeroed, in link->state.
     * `settle`, between windows and behind the messages, does what is due before link->horizon_ns, with link_pass at
     * the times when it happens. All of these are NULL for a plain wire. */
    size_t state_size;
    void (*settle)(Link *link);
    uint64_t (*next_ns)(const Link *link); /* when `settle` has something to do; TIME_NEVER: nothing */
    void (*hash)(const Link *link, Hash *hash);
    /** Damages a message; NULL: that cannot happen on this medium. */
    void (*corrupt)(LinkMessage *message, uint8_t *bytes, Rng *rng);
    unsigned takes; /* LINK_TAKES_* */
    /** Fills what `record` lacks (kind, start_ns, flags) of a message that was sent, for taps; NULL: the medium calls
     * link_record itself. */
    void (*describe)(const Link *link, const LinkMessage *message, LinkRecord *record);
} LinkType;

typedef struct LinkCut {
    uint64_t from_ns, to_ns; /* bytes and frames of which any part is sent in [from, to) are lost */
} LinkCut;

typedef struct LinkOptions {
    const LinkType *type;
    uint64_t latency_ns; /* > 0 */
    uint64_t seed;
    uint32_t loss, corrupt; /* chances per message and receiver, of LINK_CHANCE_ONE */
    uint64_t jitter_ns; /* up to that much is added to the latency; messages do not overtake each other */
    LinkCut cuts[LINK_CUTS_MAX];
    size_t n_cuts;
    /* What the type takes; 0: the medium's own. */
    uint64_t rate; /* bits per second */
    uint64_t queue; /* bytes that wait for one end at most */
    uint64_t age_ns; /* for so long addresses are known that were heard */
} LinkOptions;

/** Messages one behind the other. */
typedef struct LinkQueue {
    uint8_t *data;
    size_t head, len, cap;
} LinkQueue;

struct LinkEnd {
    Link *link;
    unsigned index;
    Board *board; /* NULL: the host */
    size_t owner; /* number of the node, for link->woken */
    uint64_t powered_ns; /* messages that arrive before are lost */
    uint64_t delay_ns; /* the way to it is longer: added to the latency of what it gets */
    LinkQueue out, in;
    Event arrive;
    /* The host's: gets what arrives, between windows; or NULL. */
    void (*host)(void *user, uint64_t time_ns, const void *bytes, size_t len);
    void *host_user;
    uint64_t last_ns; /* arrival of the last message in the inbox: none comes before it */
    /* The medium's: */
    Device *device;
    unsigned input;
    LinkEnd *next_of_board;
    bool hears; /* messages are delivered here */
    uint64_t busy_ns; /* uart: the receiver is in a frame until then */
    uint32_t left; /* can: how often the controller has left the bus */
    union {
        UartTap uart;
        LineTap line;
    } tap;
};

struct Link {
    LinkOptions options;
    LinkEnd *ends[LINK_ENDS_MAX];
    unsigned n_ends;
    Rng rng;
    uint64_t horizon_ns; /* during an exchange: the end of the window */
    void *state; /* the medium's */
    void (*woken)(void *user, size_t owner, uint64_t time_ns); /* something will arrive there then, or NULL */
    void *woken_user;
    uint64_t sent, lost, corrupted; /* messages: lost counts each receiver */
    uint64_t traffic; /* rolling hash of all that was sent */
    LinkTap *taps; /* in the order in which they were added */
};

Link *link_new(const LinkOptions *options);
void link_free(Link *link);
/** Joins a port to the link; NULL and an error if there is no room or no such port. */
LinkEnd *link_attach(Link *link, Device *device, const char *port, Err *err);

/** The board has no power any more: all its ends are told. In the node's time. */
void link_board_off(Board *board);
/** What an end is called: its node and the port of it, also of the host. */
static inline const char *link_end_node(const LinkEnd *end) {
    return end->board ? end->board->name : "host";
}
static inline const char *link_end_port(const LinkEnd *end) {
    return end->device ? end->device->name : "net";
}
/** Joins the host as one more end, whose messages are frames. NULL and an error if it is there already, or the medium
 * has no place for it. */
LinkEnd *link_host_attach(Link *link, Err *err);
/** The end that is the host, or NULL. */
LinkEnd *link_host_end(const Link *link);
/** The host sends something at a time, not before where the world has run to, nor before what it has sent already. */
void link_host_send(LinkEnd *end, uint64_t time_ns, const void *bytes, uint32_t len);

/** For media: the device has sent something just now. */
void link_send(LinkEnd *end, uint64_t value, uint64_t extra, const void *bytes, uint32_t len);
/** For media, between windows: one end gets the message, `delay_ns` later than the latency alone, if no error befalls
 * it. */
void link_pass(Link *link, LinkEnd *to, const LinkMessage *message, const uint8_t *bytes, uint64_t delay_ns);
/** The same at an exact time, not before the horizon, and no error befalls it: what a medium tells an end that knows of
 * its delays and errors itself. Messages keep their order. */
void link_hand(Link *link, LinkEnd *to, const LinkMessage *message, const uint8_t *bytes, uint64_t time_ns);
/** Draws whether something happens; for errors that a medium sees to itself. */
bool link_chance(Link *link, uint32_t chance);
/** When the link is cut, from that time on: the time itself if it is then, TIME_NEVER if it never is again. */
uint64_t link_cut_ns(const Link *link, uint64_t from_ns);
/** Whether it is cut at any time of [from_ns, to_ns]. */
bool link_is_cut_within(const Link *link, uint64_t from_ns, uint64_t to_ns);
/** Whether the link is cut at that time. */
bool link_is_cut(const Link *link, uint64_t time_ns);
/** The simplest route: all other ends that hear get it, as on a wire. */
void link_broadcast(Link *link, const LinkMessage *message, const uint8_t *bytes);

/** Between windows: routes all that was sent before `horizon_ns`, where all nodes stand. */
void link_exchange(Link *link, uint64_t horizon_ns);
/** When something happens on the link itself, whatever the nodes do. */
uint64_t link_next_ns(const Link *link);
/** Traffic, random numbers, and messages on their way. */
void link_hash(const Link *link, Hash *hash);

/** Adds one who looks, behind those that are there. */
void link_tap_add(Link *link, LinkTap *tap);
/** Takes it out again; not from a callback. */
void link_tap_remove(Link *link, LinkTap *tap);
/** For media that tell taps themselves, between windows; counts it as sent. */
void link_record(Link *link, const LinkRecord *record);

/** All media; NULL behind the last. */
const LinkType *link_type_at(size_t index);
const LinkType *link_type_named(const char *name, Err *err);

extern const LinkType link_uart_type, link_gpio_type, link_can_type, link_ethernet_type,
    link_i2c_type, link_spi_type;

#endif
