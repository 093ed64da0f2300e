/* The CAN medium: who sends when, what becomes of a frame, and fault confinement. can.h tells what is modelled; the
 * rule numbers are those of the Bosch specification 2.0, part B, section 8. */
#include "bus/can.h"

#include <string.h>

enum { INTERMISSION_BITS = 3, SUSPEND_BITS = 8, FLAG_BITS = 6, DELIMITER_BITS = 8, STUFF_ERROR_RUN = 6,
       FREE_BITS = 11, RECOVERY_SEQUENCES = 128, MISREAD_BIT = 6, EOF_BITS = 7 };
enum { PASSIVE_FROM = 128, BUS_OFF_FROM = CAN_BUS_OFF_FROM, RATE_TOLERANCE = 100 };
/* CanPeer.offered: an offer that was made anew while the one before was on the wire outlives that one. */
enum { OFFER_NONE, OFFER_WAITS, OFFER_ON_WIRE };
#define NS_PER_S UINT64_C(1000000000)

/* ---- Time -------------------------------------------------------------------------------------------------------- */

static uint64_t span_ns(uint64_t cycles, uint32_t hz) {
    return (uint64_t)(((unsigned __int128)cycles * NS_PER_S + hz - 1) / hz);
}

static uint64_t bits_ns(const CanTiming *timing, uint64_t bits) {
    return span_ns(bits * timing->bit_cycles, timing->hz);
}

static bool rates_differ(uint64_t a_cycles, uint64_t a_hz, uint64_t b_cycles, uint64_t b_hz) {
    unsigned __int128 a = (unsigned __int128)a_cycles * b_hz, b = (unsigned __int128)b_cycles * a_hz;
    unsigned __int128 gap = a > b ? a - b : b - a;
    return gap * RATE_TOLERANCE > a;
}

static bool timing_fits(const CanTiming *a, const CanTiming *b, bool data_phase) {
    return !rates_differ(a->bit_cycles, a->hz, b->bit_cycles, b->hz) &&
           (!data_phase || !rates_differ(a->data_bit_cycles, a->hz, b->data_bit_cycles, b->hz));
}

/* ---- One frame --------------------------------------------------------------------------------------------------- */

/* What a participant does during a frame. */
typedef enum Role { ROLE_NONE, ROLE_SEND, ROLE_LISTEN, ROLE_FLAG, ROLE_WAIT, ROLE_DELIMITER, ROLE_DONE } Role;

enum { NEVER = UINT16_MAX };

typedef struct Part {
    uint8_t role;
    bool sender, passive, seen_dominant, ack_error;
    uint8_t count; /* bits of the flag, of equal level while passive, or of the delimiter */
    uint8_t flag_level;
    uint16_t detects; /* bit at which it sees an error that others do not, or NEVER */
    uint16_t loses; /* a sender: bit at which it loses arbitration, or NEVER; it listens from there on */
    uint8_t why; /* CanErrorKind of that */
    uint16_t tec, rec;
} Part;

/* Working data while a frame is resolved; nothing of it stays. */
typedef struct Attempt {
    CanBus *bus;
    const CanTiming *timing; /* of the first sender */
    unsigned winner;
    uint64_t sof_cycles; /* of the bus, at the start */
    uint64_t now_cycles; /* end of the bit in question */
    CanBits bits; /* of the winner: the level of the bus */
    CanBits other;
    Part part[CAN_PEERS_MAX];
    unsigned level, run; /* level of the bus and how many bits it has lasted */
    unsigned misread; /* bit that is not as sent, for all */
    uint64_t cut_ns; /* the wires are not short-circuited before, from the start on */
    bool shorted; /* at the start of frame */
} Attempt;

static uint64_t attempt_ns(const Attempt *a, uint64_t cycles) {
    return a->bus->base_ns + span_ns(cycles, a->bus->hz);
}

/* Whether the wires are short-circuited where a bit is sampled that lasts from one time to the other. */
static bool bit_is_cut(const Attempt *a, uint64_t begin, uint64_t end) {
    if (a->cut_ns == UINT64_MAX) {
        return false;
    }
    uint64_t at_ns = attempt_ns(a, begin + (end - begin) * a->timing->sample_cycles / a->timing->bit_cycles);
    return at_ns >= a->cut_ns && a->bus->cut_ns(a->bus->user, at_ns) == at_ns;
}

static void pending_add(CanBus *bus, const CanPending *item) {
    assert(bus->n_pending < CAN_PENDING_MAX);
    uint32_t at = bus->n_pending++;
    while (at > 0 && bus->pending[at - 1].time_ns > item->time_ns) {
        bus->pending[at] = bus->pending[at - 1];
        at--;
    }
    bus->pending[at] = *item;
}

static void tell(Attempt *a, unsigned peer, CanNoticeKind kind, uint64_t cycles, unsigned bit, CanErrorKind error) {
    const Part *part = &a->part[peer];
    const CanPeer *p = &a->bus->peers[peer];
    CanPending item = {.time_ns = attempt_ns(a, cycles),
                       .kind = (uint8_t)kind,
                       .error = (uint8_t)error,
                       .transmitter = part->sender,
                       .final = p->single_shot && (kind == CAN_LOST || (kind == CAN_ERROR && part->sender)),
                       .peer = (uint8_t)peer,
                       .bit = (uint16_t)bit,
                       .tec = part->tec,
                       .rec = part->rec};
    pending_add(a->bus, &item);
}

static unsigned first_difference(const CanBits *a, const CanBits *b) {
    unsigned n = a->n < b->n ? a->n : b->n, k = 0;
    while (k < n && a->level[k] == b->level[k]) {
        k++;
    }
    return k < n ? k : NEVER;
}

static bool contends(const CanPeer *p, uint64_t now_ns) {
    return p->state == CAN_PEER_ON && p->offered && !p->silent && p->ready_ns <= now_ns;
}

/* The bus follows whoever sends dominant first. */
static void winner_find(Attempt *a, uint64_t now_ns) {
    bool found = false;
    for (unsigned i = 0; i < CAN_PEERS_MAX; i++) {
        const CanPeer *p = &a->bus->peers[i];
        if (!contends(p, now_ns)) {
            continue;
        }
        CanBits *bits = found ? &a->other : &a->bits;
        can_frame_bits(&p->frame, bits);
        unsigned k = found ? first_difference(&a->bits, &a->other) : NEVER;
        if (!found || (k != NEVER && a->other.level[k] == 0)) {
            a->winner = i;
            a->bits = *bits;
        }
        found = true;
    }
    a->timing = &a->bus->peers[a->winner].timing;
}

/* A sender that is not the winner: beaten in arbitration, at odds with it later, or with the same frame. */
static void sender_compare(Attempt *a, unsigned peer) {
    Part *part = &a->part[peer];
    can_frame_bits(&a->bus->peers[peer].frame, &a->other);
    unsigned k = first_difference(&a->bits, &a->other);
    if (k == NEVER) {
        return;
    }
    if (k < a->other.arbitration_end) {
        part->loses = (uint16_t)k;
        part->role = ROLE_LISTEN;
        part->sender = false;
    } else {
        part->detects = (uint16_t)k;
        part->why = CAN_ERROR_BIT;
    }
}

static void part_detects(Part *part, unsigned bit, CanErrorKind why) {
    if (bit < part->detects) {
        part->detects = (uint16_t)bit;
        part->why = (uint8_t)why;
    }
}

static void parts_begin(Attempt *a, uint64_t now_ns) {
    const CanFrame *frame = &a->bus->frame;
    for (unsigned i = 0; i < CAN_PEERS_MAX; i++) {
        const CanPeer *p = &a->bus->peers[i];
        Part *part = &a->part[i];
        *part = (Part){.detects = NEVER, .loses = NEVER, .tec = p->tec, .rec = p->rec};
        bool takes_part = p->state == CAN_PEER_ON && (!a->shorted || contends(p, now_ns));
        if (!takes_part) {
            continue;
        }
        part->passive = p->tec >= PASSIVE_FROM || p->rec >= PASSIVE_FROM;
        part->sender = contends(p, now_ns);
        part->role = part->sender ? ROLE_SEND : ROLE_LISTEN;
        if (part->sender) {
            a->bus->peers[i].offered = OFFER_ON_WIRE;
            tell(a, i, CAN_STARTED, a->sof_cycles, 0, CAN_ERROR_BIT);
        }
        if (a->shorted) { /* nobody sees more than the missing start of frame */
            continue;
        }
        if (part->sender) {
            sender_compare(a, i);
        }
        if (!timing_fits(&p->timing, a->timing, frame->fd && frame->brs)) {
            part_detects(part, MISREAD_BIT, CAN_ERROR_STUFF);
        } else if (frame->fd && !p->fd) {
            part_detects(part, a->bits.fdf + 1u, CAN_ERROR_FORM);
        }
    }
}

static bool drives_ack(const Attempt *a, unsigned peer) {
    return a->part[peer].role == ROLE_LISTEN && !a->bus->peers[peer].silent;
}

/* Whether anybody answers in the ACK slot, as far as the frame gets there undisturbed. */
static bool is_acknowledged(const Attempt *a) {
    for (unsigned i = 0; i < CAN_PEERS_MAX; i++) {
        if (drives_ack(a, i)) {
            return true;
        }
    }
    return false;
}

static unsigned ack_slot(const CanBits *bits) {
    return bits->crc_delimiter + 1u;
}

/* ---- Fault confinement ------------------------------------------------------------------------------------------- */

static void sent_well(Attempt *a, unsigned peer, uint64_t cycles) {
    Part *part = &a->part[peer];
    part->tec = (uint16_t)(part->tec - (part->tec > 0)); /* rule 7 */
    part->role = ROLE_DONE;
    tell(a, peer, CAN_SENT, cycles, a->bits.n, CAN_ERROR_BIT);
}

static void received_well(Attempt *a, unsigned peer, uint64_t cycles) {
    Part *part = &a->part[peer];
    if (!a->bus->peers[peer].silent) { /* rule 8 */
        part->rec = (uint16_t)(part->rec >= PASSIVE_FROM ? PASSIVE_FROM - 1 : part->rec - (part->rec > 0));
    }
    part->role = ROLE_DONE;
    tell(a, peer, CAN_RECEIVED, cycles, a->bits.n - 1u, CAN_ERROR_BIT);
}

/* Rules 1 and 3; the flag begins with the next bit. A passive sender that only lacks an ACK is not counted unless it
 * sees a dominant bit during its flag. */
static void error_seen(Attempt *a, unsigned peer, unsigned bit, CanErrorKind why) {
    Part *part = &a->part[peer];
    if (a->bus->peers[peer].silent) {
        part->role = ROLE_DONE;
        tell(a, peer, CAN_ERROR, a->now_cycles, bit, why);
        return;
    }
    part->ack_error = why == CAN_ERROR_ACK;
    if (part->sender) {
        part->tec = (uint16_t)(part->tec + (part->passive && part->ack_error ? 0 : 8));
    } else {
        part->rec++;
    }
    part->role = ROLE_FLAG;
    part->count = 0;
    tell(a, peer, CAN_ERROR, a->now_cycles, bit, why);
}

/* ---- After the first error: bit by bit --------------------------------------------------------------------------- */

static unsigned drive(const Attempt *a, unsigned peer, unsigned bit) {
    const Part *part = &a->part[peer];
    switch (part->role) {
    case ROLE_SEND:
        return bit < a->bits.n ? a->bits.level[bit] : 1;
    case ROLE_LISTEN:
        return !(bit == ack_slot(&a->bits) && drives_ack(a, peer));
    case ROLE_FLAG:
        return part->passive;
    default:
        return 1;
    }
}

static void send_step(Attempt *a, unsigned peer, unsigned bit) {
    Part *part = &a->part[peer];
    unsigned own = bit < a->bits.n ? a->bits.level[bit] : 1;
    if (part->detects == bit) {
        error_seen(a, peer, bit, part->why);
    } else if (part->loses == bit) {
        part->role = ROLE_LISTEN;
        part->sender = false;
        tell(a, peer, CAN_LOST, a->now_cycles, bit, CAN_ERROR_BIT);
    } else if (bit == ack_slot(&a->bits)) {
        if (a->level && !a->bus->peers[peer].no_ack) {
            error_seen(a, peer, bit, CAN_ERROR_ACK);
        }
    } else if (own && !a->level && bit < a->bits.arbitration_end) {
        part->role = ROLE_LISTEN; /* takes it for arbitration that it lost */
        part->sender = false;
        tell(a, peer, CAN_LOST, a->now_cycles, bit, CAN_ERROR_BIT);
    } else if (own != a->level) {
        error_seen(a, peer, bit, CAN_ERROR_BIT);
    } else if (bit + 1 == a->bits.n) {
        sent_well(a, peer, a->now_cycles);
    }
}

static void listen_step(Attempt *a, unsigned peer, unsigned bit) {
    Part *part = &a->part[peer];
    unsigned delimiter = a->bits.crc_delimiter;
    if (part->detects == bit) {
        error_seen(a, peer, bit, part->why);
    } else if (bit < a->bits.stuffed_end && a->run >= STUFF_ERROR_RUN) {
        error_seen(a, peer, bit, CAN_ERROR_STUFF);
    } else if (bit >= a->bits.stuffed_end && bit < delimiter && a->run >= STUFF_ERROR_RUN) {
        error_seen(a, peer, bit, CAN_ERROR_FORM); /* fixed stuff bits */
    } else if (bit >= delimiter && bit != delimiter + 1 && !a->level) {
        error_seen(a, peer, bit, CAN_ERROR_FORM);
    } else if (bit + 2 == a->bits.n) {
        received_well(a, peer, a->now_cycles);
    }
}

/* Rules 4 and 5: what an active flag sends is not on the bus. It begins anew, as a passive one from the second error
 * on that finds the counter at its limit. */
static void flag_broken(Attempt *a, unsigned peer, unsigned bit) {
    Part *part = &a->part[peer];
    uint16_t *counter = part->sender ? &part->tec : &part->rec;
    part->passive = *counter >= PASSIVE_FROM;
    *counter = (uint16_t)(*counter + 8);
    part->count = 0;
    tell(a, peer, CAN_ERROR, a->now_cycles, bit, CAN_ERROR_BIT);
}

static void flag_step(Attempt *a, unsigned peer, unsigned bit) {
    Part *part = &a->part[peer];
    if (!part->passive && a->level) {
        flag_broken(a, peer, bit);
        return;
    }
    part->seen_dominant |= !a->level;
    bool goes_on = !part->passive || part->count == 0 || part->flag_level == a->level;
    part->count = goes_on ? part->count + 1 : 1;
    part->flag_level = (uint8_t)a->level;
    if (part->count < FLAG_BITS) {
        return;
    }
    part->role = ROLE_WAIT;
    part->count = 0;
    if (part->sender && part->passive && part->ack_error && part->seen_dominant) {
        part->tec = (uint16_t)(part->tec + 8);
        tell(a, peer, CAN_ERROR, a->now_cycles, bit, CAN_ERROR_ACK);
    }
}

/* Until the first recessive bit, and then seven more. Rule 2: a dominant bit right after a receiver's own flag. */
static void wait_step(Attempt *a, unsigned peer, unsigned bit) {
    Part *part = &a->part[peer];
    if (!a->level) {
        if (part->role == ROLE_WAIT && !part->sender) {
            part->rec = (uint16_t)(part->rec + 8);
            tell(a, peer, CAN_ERROR, a->now_cycles, bit, CAN_ERROR_BIT);
        }
        part->count = 0;
    } else if (++part->count == DELIMITER_BITS) {
        part->role = ROLE_DONE;
        return;
    }
    part->role = ROLE_DELIMITER;
}

static void part_step(Attempt *a, unsigned peer, unsigned bit) {
    switch (a->part[peer].role) {
    case ROLE_SEND:
        send_step(a, peer, bit);
        break;
    case ROLE_LISTEN:
        listen_step(a, peer, bit);
        break;
    case ROLE_FLAG:
        flag_step(a, peer, bit);
        break;
    case ROLE_WAIT:
    case ROLE_DELIMITER:
        wait_step(a, peer, bit);
        break;
    default:
        break;
    }
}

static bool has_role(const Attempt *a, Role first, Role last) {
    for (unsigned i = 0; i < CAN_PEERS_MAX; i++) {
        if (a->part[i].role >= first && a->part[i].role <= last) {
            return true;
        }
    }
    return false;
}

static void level_set(Attempt *a, unsigned level) {
    a->run = a->run && a->level == level ? a->run + 1 : 1;
    a->level = level;
}

/* The bit at which the first of them sees an error; up to it the bus is as sent. */
static unsigned first_error(const Attempt *a) {
    unsigned first = NEVER;
    for (unsigned i = 0; i < CAN_PEERS_MAX; i++) {
        first = a->part[i].role != ROLE_NONE && a->part[i].detects < first ? a->part[i].detects : first;
    }
    return first;
}

/* Follows the bus from `bit` on until the frame and what came of the error are over. Returns whether somebody's frame
 * was sent well in spite of it. */
static bool follow(Attempt *a, unsigned bit) {
    for (unsigned i = 0; i < bit; i++) {
        level_set(a, a->bits.level[i]);
    }
    a->now_cycles = a->sof_cycles + can_bits_cycles(&a->bits, a->timing, bit);
    bool flagged = false;
    for (;; bit++) {
        unsigned level = 1;
        for (unsigned i = 0; i < CAN_PEERS_MAX; i++) {
            level &= drive(a, i, bit);
        }
        bool sending = has_role(a, ROLE_SEND, ROLE_SEND) && bit < a->bits.n && !flagged;
        uint64_t begin = a->now_cycles;
        a->now_cycles += sending ? can_bits_cycles(&a->bits, a->timing, bit + 1) -
                                       can_bits_cycles(&a->bits, a->timing, bit)
                                 : a->timing->bit_cycles;
        level_set(a, (bit == a->misread) != level || bit_is_cut(a, begin, a->now_cycles));
        for (unsigned i = 0; i < CAN_PEERS_MAX; i++) {
            part_step(a, i, bit);
        }
        flagged = flagged || !has_role(a, ROLE_SEND, ROLE_SEND);
        if (bit + 1 == a->bits.n && has_role(a, ROLE_DONE, ROLE_DONE) && a->part[a->winner].role == ROLE_DONE) {
            return true; /* nobody but passive receivers saw anything */
        }
        if (!has_role(a, ROLE_SEND, ROLE_DELIMITER)) {
            return false;
        }
    }
}

static void undisturbed(Attempt *a) {
    uint64_t end = a->sof_cycles + can_bits_cycles(&a->bits, a->timing, a->bits.n);
    for (unsigned i = 0; i < CAN_PEERS_MAX; i++) {
        if (a->part[i].role == ROLE_LISTEN) {
            received_well(a, i, end - a->timing->bit_cycles);
        } else if (a->part[i].role == ROLE_SEND) {
            sent_well(a, i, end);
        }
    }
    a->now_cycles = end;
}

static void fault_apply(Attempt *a, const CanFault *fault) {
    if (fault->peer >= 0) {
        part_detects(&a->part[fault->peer % CAN_PEERS_MAX], fault->bit, CAN_ERROR_STUFF);
    } else {
        a->misread = fault->bit;
    }
}

/* The first dominant bit that is not on the wires because they are short-circuited. */
static unsigned first_cut(const Attempt *a) {
    uint64_t begin = a->sof_cycles, end = begin + can_bits_cycles(&a->bits, a->timing, a->bits.n);
    if (a->cut_ns >= attempt_ns(a, end)) {
        return NEVER;
    }
    for (unsigned bit = 0; bit < a->bits.n; bit++, begin = end) {
        end = a->sof_cycles + can_bits_cycles(&a->bits, a->timing, bit + 1);
        bool dominant = !a->bits.level[bit] || bit == ack_slot(&a->bits);
        if (dominant && bit_is_cut(a, begin, end)) {
            return bit;
        }
    }
    return NEVER;
}

/* Who loses arbitration before the first error has lost it; the others are still sending then. */
static void losers_settle(Attempt *a, unsigned first) {
    for (unsigned i = 0; i < CAN_PEERS_MAX; i++) {
        Part *part = &a->part[i];
        if (part->loses == NEVER) {
            continue;
        }
        if (part->loses < first) {
            uint64_t cycles = a->sof_cycles + can_bits_cycles(&a->bits, a->timing, part->loses + 1u);
            tell(a, i, CAN_LOST, cycles, part->loses, CAN_ERROR_BIT);
        } else {
            part->role = ROLE_SEND;
            part->sender = true;
        }
    }
}

/* A passive sender lets others go first. */
static void suspend(Attempt *a, uint64_t free_cycles) {
    for (unsigned i = 0; i < CAN_PEERS_MAX; i++) {
        const Part *part = &a->part[i];
        if (part->sender && (part->tec >= PASSIVE_FROM || part->rec >= PASSIVE_FROM)) {
            a->bus->peers[i].ready_ns = attempt_ns(a, free_cycles + (uint64_t)SUSPEND_BITS * a->timing->bit_cycles);
        }
    }
}

static void frame_start(CanBus *bus, uint64_t now_ns) {
    Attempt a = {.bus = bus, .misread = NEVER, .cut_ns = bus->cut_ns ? bus->cut_ns(bus->user, now_ns) : UINT64_MAX};
    winner_find(&a, now_ns);
    bus->frame = bus->peers[a.winner].frame;
    bus->start_ns = now_ns;
    if (now_ns != bus->free_ns || a.timing->hz != bus->hz) {
        bus->base_ns = now_ns; /* the bus was idle: its bits count from here */
        bus->cycles = 0;
        bus->hz = a.timing->hz;
    }
    a.sof_cycles = bus->cycles;
    CanFault fault = {0};
    bool disturbed = bus->fault && bus->fault(bus->user, a.winner, a.bits.n, &fault) && fault.bit < a.bits.n;
    unsigned cut = first_cut(&a);
    a.shorted = cut == 0;
    parts_begin(&a, now_ns);
    if (disturbed) {
        fault_apply(&a, &fault);
    }
    unsigned first = first_error(&a);
    first = a.misread < first ? a.misread : first;
    first = cut < first ? cut : first;
    bool acknowledged = is_acknowledged(&a);
    if (!acknowledged && !bus->peers[a.winner].no_ack && first > ack_slot(&a.bits)) {
        first = ack_slot(&a.bits);
    }
    losers_settle(&a, first);
    bus->good = 1;
    if (first == NEVER) {
        undisturbed(&a);
    } else {
        bus->good = follow(&a, first);
    }
    uint64_t free_cycles = a.now_cycles + (uint64_t)INTERMISSION_BITS * a.timing->bit_cycles;
    suspend(&a, free_cycles);
    bus->cycles = free_cycles;
    bus->free_ns = attempt_ns(&a, free_cycles);
    bus->busy = 1;
    if (bus->traffic) {
        CanTraffic traffic = {.frame = &bus->frame, .sender = a.winner, .good = bus->good,
                              .acknowledged = acknowledged && !a.part[a.winner].ack_error, .start_ns = now_ns,
                              .end_ns = attempt_ns(&a, a.now_cycles)};
        bus->traffic(bus->user, &traffic);
    }
}

/* ---- Between frames ---------------------------------------------------------------------------------------------- */

static void peer_notice(CanBus *bus, unsigned peer, const CanPending *item) {
    const CanPeer *p = &bus->peers[peer];
    CanNotice notice = {.kind = item->kind,
                        .error = item->error,
                        .transmitter = item->transmitter,
                        .final = item->final,
                        .bit = item->bit,
                        .tec = p->tec,
                        .rec = p->rec,
                        .time_ns = item->time_ns,
                        .frame = &bus->frame};
    bus->notice(bus->user, peer, &notice);
}

static void pending_deliver(CanBus *bus) {
    CanPending item = bus->pending[0];
    memmove(bus->pending, bus->pending + 1, --bus->n_pending * sizeof item);
    CanPeer *p = &bus->peers[item.peer];
    if (p->state != CAN_PEER_ON) {
        return; /* switched off in the meantime */
    }
    p->tec = item.tec;
    p->rec = item.rec;
    if ((item.kind == CAN_SENT || item.final) && p->offered == OFFER_ON_WIRE) {
        p->offered = OFFER_NONE;
    }
    if (p->tec >= BUS_OFF_FROM) {
        p->state = CAN_PEER_BUS_OFF;
        p->offered = OFFER_NONE;
    }
    peer_notice(bus, item.peer, &item);
}

static void peer_joined(CanBus *bus, unsigned peer, uint64_t now_ns) {
    CanPeer *p = &bus->peers[peer];
    if (p->state == CAN_PEER_RECOVERING) {
        p->tec = p->rec = 0;
    }
    p->state = CAN_PEER_ON;
    p->ready_ns = now_ns;
    peer_notice(bus, peer, &(CanPending){.time_ns = now_ns, .kind = CAN_JOINED});
}

static uint64_t recovered_ns(const CanPeer *p) {
    return p->quiet_ns + bits_ns(&p->timing, (uint64_t)(RECOVERY_SEQUENCES - p->recovered) * FREE_BITS);
}

/* A frame, or the error delimiter, ends with 11 recessive bits: a sequence for those that recover, and enough for those
 * that join. */
static void bus_freed(CanBus *bus) {
    bus->busy = 0;
    for (unsigned i = 0; i < CAN_PEERS_MAX; i++) {
        CanPeer *p = &bus->peers[i];
        if (p->state == CAN_PEER_RECOVERING) {
            p->quiet_ns = bus->free_ns;
            p->recovered++;
        }
        if (p->state == CAN_PEER_JOINING || (p->state == CAN_PEER_RECOVERING && p->recovered >= RECOVERY_SEQUENCES)) {
            peer_joined(bus, i, bus->free_ns);
        }
    }
}

/* The recessive bits of the idle bus so far, in whole sequences, before a frame ends them. */
static void quiet_count(CanBus *bus, uint64_t now_ns) {
    for (unsigned i = 0; i < CAN_PEERS_MAX; i++) {
        CanPeer *p = &bus->peers[i];
        if (p->state == CAN_PEER_RECOVERING && p->quiet_ns < now_ns) {
            uint64_t sequences = (now_ns - p->quiet_ns) / bits_ns(&p->timing, FREE_BITS);
            p->recovered = (uint8_t)(p->recovered + sequences);
        }
    }
}

/* When an idle bus is no longer as it is because of this participant. */
static uint64_t peer_next_ns(const CanBus *bus, const CanPeer *p) {
    uint64_t at = UINT64_MAX;
    if (p->state == CAN_PEER_JOINING) {
        at = p->ready_ns;
    } else if (p->state == CAN_PEER_RECOVERING) {
        at = recovered_ns(p);
    } else if (p->state == CAN_PEER_ON && p->offered && !p->silent) {
        at = p->ready_ns;
    }
    uint64_t earliest = bus->free_ns > bus->asked_ns ? bus->free_ns : bus->asked_ns;
    return at < earliest ? earliest : at;
}

uint64_t can_bus_next_ns(const CanBus *bus) {
    uint64_t next = bus->busy ? bus->free_ns : UINT64_MAX;
    if (bus->n_pending && bus->pending[0].time_ns <= next) {
        return bus->pending[0].time_ns;
    }
    for (unsigned i = 0; !bus->busy && i < CAN_PEERS_MAX; i++) {
        uint64_t at = peer_next_ns(bus, &bus->peers[i]);
        next = at < next ? at : next;
    }
    return next;
}

static void idle_step(CanBus *bus, uint64_t now_ns) {
    bool start = false;
    for (unsigned i = 0; i < CAN_PEERS_MAX; i++) {
        CanPeer *p = &bus->peers[i];
        bool joins = p->state == CAN_PEER_JOINING || p->state == CAN_PEER_RECOVERING;
        if (joins && peer_next_ns(bus, p) <= now_ns) {
            peer_joined(bus, i, now_ns);
        }
        start = start || contends(p, now_ns);
    }
    if (start) {
        quiet_count(bus, now_ns);
        frame_start(bus, now_ns);
    }
}

/* The next thing that is due; false if nothing is. */
static bool bus_step(CanBus *bus, uint64_t until_ns, uint64_t starts_until_ns) {
    uint64_t next = can_bus_next_ns(bus);
    if (next > until_ns) {
        return false;
    }
    if (bus->n_pending && bus->pending[0].time_ns <= next) {
        pending_deliver(bus);
    } else if (bus->busy) {
        bus_freed(bus);
    } else if (next <= starts_until_ns) {
        idle_step(bus, next);
    } else {
        return false;
    }
    return true;
}

void can_bus_run(CanBus *bus, uint64_t now_ns) {
    while (bus_step(bus, now_ns, now_ns)) {
    }
}

void can_bus_run_before(CanBus *bus, uint64_t now_ns) {
    while (now_ns && bus_step(bus, now_ns, now_ns - 1)) {
    }
}

/* ---- Requests ---------------------------------------------------------------------------------------------------- */

static bool timing_valid(const CanTiming *t) {
    return t->hz && t->bit_cycles && t->sample_cycles <= t->bit_cycles && t->data_sample_cycles <= t->data_bit_cycles;
}

bool can_request_leaves(const CanRequest *request) {
    bool off = request->kind == CAN_CONFIGURE && (!request->on || !timing_valid(&request->timing));
    return off || (request->kind == CAN_COUNTERS && request->tec >= BUS_OFF_FROM);
}

static void configure(CanPeer *p, uint64_t time_ns, const CanRequest *request) {
    p->timing = request->timing;
    p->silent = request->silent;
    p->fd = request->fd;
    if (can_request_leaves(request)) {
        p->state = p->state == CAN_PEER_BUS_OFF || p->state == CAN_PEER_RECOVERING ? CAN_PEER_BUS_OFF : CAN_PEER_OFF;
        p->offered = OFFER_NONE;
    } else if (p->state == CAN_PEER_OFF) {
        p->state = CAN_PEER_JOINING;
        p->ready_ns = time_ns + bits_ns(&p->timing, FREE_BITS);
    }
}

void can_bus_request(CanBus *bus, unsigned peer, uint64_t time_ns, const CanRequest *request) {
    assert(peer < CAN_PEERS_MAX);
    CanPeer *p = &bus->peers[peer];
    bus->asked_ns = time_ns;
    switch ((CanRequestKind)request->kind) {
    case CAN_CONFIGURE:
        configure(p, time_ns, request);
        break;
    case CAN_OFFER:
        p->offered = p->state == CAN_PEER_ON || p->state == CAN_PEER_JOINING ? OFFER_WAITS : OFFER_NONE;
        p->frame = request->frame;
        p->single_shot = request->single_shot;
        p->no_ack = request->no_ack;
        p->ready_ns = p->state == CAN_PEER_ON && p->ready_ns < time_ns ? time_ns : p->ready_ns;
        break;
    case CAN_WITHDRAW:
        p->offered = OFFER_NONE;
        break;
    case CAN_COUNTERS:
        p->tec = request->tec;
        p->rec = request->rec;
        if (p->tec >= BUS_OFF_FROM) {
            p->state = CAN_PEER_BUS_OFF;
        } else if (p->state == CAN_PEER_BUS_OFF) {
            p->state = CAN_PEER_OFF;
        }
        break;
    case CAN_RECOVER:
        if (p->state == CAN_PEER_BUS_OFF && timing_valid(&p->timing)) {
            p->state = CAN_PEER_RECOVERING;
            p->recovered = 0;
            p->quiet_ns = time_ns;
        }
        break;
    }
}

/* ---- State ------------------------------------------------------------------------------------------------------- */

#define FRAME_FIELDS(type, member)                                                                                     \
    FIELD(type, member.id, 0, "identifier"), FIELD_MAX(type, member.extended, 0, 1, "29 bits of it"),                 \
        FIELD_MAX(type, member.remote, 0, 1, "RTR"), FIELD_MAX(type, member.fd, 0, 1, "FDF"),                          \
        FIELD_MAX(type, member.brs, 0, 1, "BRS"), FIELD_MAX(type, member.esi, 0, 1, "ESI"),                            \
        FIELD_MAX(type, member.dlc, 0, 15, "DLC"), FIELD_ARRAY(type, member.data, 0, "data")

static const Field peer_fields[] = {
    FIELD(CanPeer, timing.hz, 0, "clock"),
    FIELD(CanPeer, timing.bit_cycles, 0, "cycles of a bit"),
    FIELD(CanPeer, timing.sample_cycles, 0, "cycles to its sample point"),
    FIELD(CanPeer, timing.data_bit_cycles, 0, "cycles of a bit of the data phase"),
    FIELD(CanPeer, timing.data_sample_cycles, 0, "cycles to its sample point"),
    FRAME_FIELDS(CanPeer, frame),
    FIELD(CanPeer, ready_ns, 0, "when it may start or has joined"),
    FIELD(CanPeer, quiet_ns, 0, "since when its recovery counts"),
    FIELD_MAX(CanPeer, tec, 0, 1023, "transmit error counter"),
    FIELD_MAX(CanPeer, rec, 0, 1023, "receive error counter"),
    FIELD_MAX(CanPeer, state, CAN_PEER_OFF, CAN_PEER_RECOVERING, "state"),
    FIELD_MAX(CanPeer, silent, 0, 1, "drives nothing"),
    FIELD_MAX(CanPeer, fd, 0, 1, "knows FD frames"),
    FIELD_MAX(CanPeer, offered, 0, OFFER_ON_WIRE, "has a frame to send"),
    FIELD_MAX(CanPeer, single_shot, 0, 1, "one attempt only"),
    FIELD_MAX(CanPeer, no_ack, 0, 1, "needs no ACK"),
    FIELD_MAX(CanPeer, recovered, 0, RECOVERY_SEQUENCES, "recessive sequences counted"),
};

static const Field pending_fields[] = {
    FIELD(CanPending, time_ns, 0, "when it is told"),
    FIELD_MAX(CanPending, kind, 0, CAN_JOINED, "kind"),
    FIELD_MAX(CanPending, error, 0, CAN_ERROR_ACK, "error"),
    FIELD_MAX(CanPending, transmitter, 0, 1, "of a sender"),
    FIELD_MAX(CanPending, final, 0, 1, "no further attempt"),
    FIELD_MAX(CanPending, peer, 0, CAN_PEERS_MAX - 1, "to whom"),
    FIELD(CanPending, bit, 0, "bit of the frame"),
    FIELD_MAX(CanPending, tec, 0, 1023, "transmit error counter then"),
    FIELD_MAX(CanPending, rec, 0, 1023, "receive error counter then"),
};

static const Field bus_fields[] = {
    FIELD_MAX(CanBus, n_pending, 0, CAN_PENDING_MAX, "what is to be told"),
    FRAME_FIELDS(CanBus, frame),
    FIELD(CanBus, base_ns, 0, "when bits were counted from"),
    FIELD(CanBus, cycles, 0, "end of the frame from there"),
    FIELD(CanBus, hz, 1, "in cycles of this clock"),
    FIELD(CanBus, start_ns, 0, "start of the frame"),
    FIELD(CanBus, free_ns, 0, "when the next frame may start"),
    FIELD(CanBus, asked_ns, 0, "time of the last request"),
    FIELD_MAX(CanBus, busy, 0, 1, "a frame is on the wire"),
    FIELD_MAX(CanBus, good, 0, 1, "it is undisturbed"),
};

void can_bus_reset(CanBus *bus) {
    field_reset(bus_fields, ARRAY_LEN(bus_fields), bus, true);
    for (unsigned i = 0; i < CAN_PEERS_MAX; i++) {
        field_reset(peer_fields, ARRAY_LEN(peer_fields), &bus->peers[i], true);
    }
}

void can_bus_hash(const CanBus *bus, Hash *hash) {
    field_hash(bus_fields, ARRAY_LEN(bus_fields), bus, hash);
    for (unsigned i = 0; i < CAN_PEERS_MAX; i++) {
        field_hash(peer_fields, ARRAY_LEN(peer_fields), &bus->peers[i], hash);
    }
    for (uint32_t i = 0; i < bus->n_pending; i++) {
        field_hash(pending_fields, ARRAY_LEN(pending_fields), &bus->pending[i], hash);
    }
}

static void table_save(const Field *fields, size_t n, const void *object, ByteVec *out) {
    size_t len = field_bytes(fields, n);
    vec_reserve(out, out->len + len);
    field_save(fields, n, object, out->data + out->len);
    out->len += len;
}

static bool table_load(const Field *fields, size_t n, void *object, ByteReader *in, bool apply) {
    const uint8_t *bytes = bytes_take(in, field_bytes(fields, n));
    if (!bytes || field_check(fields, n, bytes)) {
        return false;
    }
    if (apply) {
        field_load(fields, n, object, bytes);
    }
    return true;
}

void can_bus_save(const CanBus *bus, ByteVec *out) {
    table_save(bus_fields, ARRAY_LEN(bus_fields), bus, out);
    for (unsigned i = 0; i < CAN_PEERS_MAX; i++) {
        table_save(peer_fields, ARRAY_LEN(peer_fields), &bus->peers[i], out);
    }
    for (uint32_t i = 0; i < bus->n_pending; i++) {
        table_save(pending_fields, ARRAY_LEN(pending_fields), &bus->pending[i], out);
    }
}

/* What can_bus_run divides by, in participants that take part. */
static bool peer_valid(const CanPeer *p) {
    return p->state == CAN_PEER_OFF || p->state == CAN_PEER_BUS_OFF || timing_valid(&p->timing);
}

/* All is told in order, and before the bus is free: what bounds how much can be pending. */
static bool pending_valid(const CanBus *bus) {
    for (uint32_t i = 0; i < bus->n_pending; i++) {
        uint64_t after = i ? bus->pending[i - 1].time_ns : 0;
        if (!bus->busy || bus->pending[i].time_ns < after || bus->pending[i].time_ns > bus->free_ns) {
            return false;
        }
    }
    return true;
}

bool can_bus_load(CanBus *bus, ByteReader *in, bool apply) {
    CanBus head = {.n_pending = 0}; /* tells how much follows, also when nothing is applied */
    CanPeer peer = {0};
    if (!table_load(bus_fields, ARRAY_LEN(bus_fields), &head, in, true) || head.hz == 0) {
        return false;
    }
    for (unsigned i = 0; i < CAN_PEERS_MAX; i++) {
        if (!table_load(peer_fields, ARRAY_LEN(peer_fields), &peer, in, true) || !peer_valid(&peer)) {
            return false;
        }
        head.peers[i] = peer;
    }
    for (uint32_t i = 0; i < head.n_pending; i++) {
        if (!table_load(pending_fields, ARRAY_LEN(pending_fields), &head.pending[i], in, true)) {
            return false;
        }
    }
    if (!pending_valid(&head)) {
        return false;
    }
    if (apply) {
        head.notice = bus->notice;
        head.user = bus->user;
        head.fault = bus->fault;
        head.cut_ns = bus->cut_ns;
        head.traffic = bus->traffic;
        *bus = head;
    }
    return true;
}
