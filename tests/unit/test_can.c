/* The CAN medium against bit times worked out by hand. The bit strings come from an independent reference: polynomial
 * division and stuffing over strings. One bit lasts 1000 ns unless said otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "bus/can.h"

enum { BIT_NS = 1000, HEARD_MAX = 512 };

typedef struct Heard {
    unsigned peer;
    CanNotice notice;
    CanFrame frame;
} Heard;

typedef struct Rig {
    CanBus bus;
    Heard heard[HEARD_MAX];
    unsigned n, frames;
    uint64_t faulty; /* frames from the first on whose bit fault_bit is inverted, one bit each */
    unsigned fault_bit;
    int fault_peer;
    bool recovers; /* a participant that goes bus-off wants back at once */
} Rig;

static void heard(void *user, unsigned peer, const CanNotice *notice) {
    Rig *rig = user;
    assert_true(rig->n < HEARD_MAX);
    rig->heard[rig->n++] = (Heard){.peer = peer, .notice = *notice, .frame = *notice->frame};
    if (rig->recovers && notice->tec >= 256) {
        can_bus_request(&rig->bus, peer, notice->time_ns, &(CanRequest){.kind = CAN_RECOVER});
    }
}

static bool fault(void *user, unsigned sender, unsigned bits, CanFault *out) {
    (void)sender, (void)bits;
    Rig *rig = user;
    *out = (CanFault){.bit = rig->fault_bit, .peer = rig->fault_peer};
    return rig->faulty >> rig->frames++ & 1;
}

static int setup(void **state) {
    Rig *rig = mem_alloc(sizeof *rig);
    rig->bus.notice = heard;
    rig->bus.fault = fault;
    rig->bus.user = rig;
    rig->fault_peer = -1;
    can_bus_reset(&rig->bus);
    *state = rig;
    return 0;
}

static int teardown(void **state) {
    mem_free(*state);
    return 0;
}

static const CanTiming mbit = {.hz = 8000000, .bit_cycles = 8, .sample_cycles = 6, .data_bit_cycles = 8,
                               .data_sample_cycles = 6};

static void ask(Rig *rig, unsigned peer, uint64_t time_ns, const CanRequest *request) {
    can_bus_run(&rig->bus, time_ns);
    can_bus_request(&rig->bus, peer, time_ns, request);
}

static void switch_on(Rig *rig, unsigned peer, uint64_t time_ns) {
    ask(rig, peer, time_ns, &(CanRequest){.kind = CAN_CONFIGURE, .on = true, .fd = true, .timing = mbit});
}

/* So many participants on the bus at time 0 of the test: `rig->heard` is empty then. */
static uint64_t on_bus(Rig *rig, unsigned peers) {
    for (unsigned i = 0; i < peers; i++) {
        switch_on(rig, i, 0);
    }
    can_bus_run(&rig->bus, 11 * BIT_NS);
    assert_int_equal(rig->n, peers);
    assert_int_equal(rig->heard[0].notice.kind, CAN_JOINED);
    assert_true(rig->heard[0].notice.time_ns == 11 * BIT_NS);
    rig->n = 0;
    return 20 * BIT_NS;
}

static CanRequest offer(uint32_t id, int data) {
    CanRequest request = {.kind = CAN_OFFER, .frame = {.id = id, .dlc = data >= 0, .data = {(uint8_t)data}}};
    return request;
}

/* The next one of that kind that a participant has heard, from *at on. */
static const CanNotice *next(Rig *rig, unsigned *at, unsigned peer, CanNoticeKind kind) {
    while (*at < rig->n) {
        const Heard *h = &rig->heard[(*at)++];
        if (h->peer == peer && h->notice.kind == kind) {
            return &h->notice;
        }
    }
    fail_msg("participant %u has not heard of kind %d", peer, (int)kind);
    return NULL;
}

static void assert_heard(Rig *rig, unsigned peer, CanNoticeKind kind, uint64_t time_ns, unsigned bit, unsigned tec,
                         unsigned rec) {
    unsigned at = 0;
    const CanNotice *notice;
    do {
        notice = next(rig, &at, peer, kind);
    } while (notice->time_ns < time_ns);
    assert_int_equal(notice->time_ns, time_ns);
    assert_int_equal(notice->bit, bit);
    assert_int_equal(notice->tec, tec);
    assert_int_equal(notice->rec, rec);
}

/* ---- Frames ------------------------------------------------------------------------------------------------------ */

static void assert_bits(const CanFrame *frame, const char *expected) {
    CanBits bits;
    char text[CAN_BITS_MAX + 1];
    can_frame_bits(frame, &bits);
    for (unsigned i = 0; i < bits.n; i++) {
        text[i] = (char)('0' + bits.level[i]);
    }
    text[bits.n] = '\0';
    assert_string_equal(text, expected);
    assert_int_equal(bits.crc_delimiter, bits.n - 10);
}

static void frames_on_the_wire(void **state) {
    (void)state;
    assert_bits(&(CanFrame){.id = 0x123}, "000100100011000001001101000010110001111111111");
    assert_bits(&(CanFrame){.id = 0x14, .dlc = 1, .data = {1}},
                "0000010010100000100010000010011110111010100111111111111");
    assert_bits(&(CanFrame){.id = 0, .dlc = 8},
                "000001000001000001100000100000100000100000100000100000100000100000100000100000100000100000100000"
                "1000010100010110111111111111");
    assert_bits(&(CanFrame){.id = 0x12345678, .extended = true, .dlc = 2, .data = {0xDE, 0xAD}},
                "010010001101110001010110011110000010001011011110101011011011011010100001111111111");
    assert_bits(&(CanFrame){.id = 0x7FF, .remote = true, .dlc = 2}, "01111101111101100001000110100100000111111111111");
    assert_bits(&(CanFrame){.id = 0x123, .fd = true, .dlc = 3, .data = {1, 2, 3}},
                "000100100011001000001110000010010000010100000100110110010100111101000011010101111111111");
    CanFrame full = {.id = 0x55, .fd = true, .brs = true, .esi = true, .dlc = 15};
    memset(full.data, 0xAA, sizeof full.data);
    CanBits bits;
    can_frame_bits(&full, &bits);
    assert_int_equal(bits.n, 578);
    /* what follows the data: stuff count and CRC-21 with their fixed stuff bits, delimiter, ACK, EOF */
    static const char tail[] = "01101000011001001110001010011011111111111";
    for (unsigned i = 0; i < sizeof tail - 1; i++) {
        assert_int_equal(bits.level[bits.n - (sizeof tail - 1) + i], tail[i] - '0');
    }
    assert_int_equal(can_dlc(0), 0);
    assert_int_equal(can_dlc(9), 9);
    assert_int_equal(can_dlc(64), 15);
}

/* 500 kbit/s and 2 Mbit/s from 40 MHz, sample points at 75 %. BRS is bit 18, the CRC delimiter bit 247 of 257: 18 bits
 * of 80 cycles, BRS 60 + 5, 228 bits of 20, delimiter 15 + 20, 9 bits of 80 = 6820 cycles. */
static void fd_changes_rate_at_sample_points(void **state) {
    (void)state;
    static const CanTiming timing = {.hz = 40000000, .bit_cycles = 80, .sample_cycles = 60, .data_bit_cycles = 20,
                                     .data_sample_cycles = 15};
    CanBits bits;
    can_frame_bits(&(CanFrame){.id = 0, .fd = true, .brs = true, .dlc = 11}, &bits);
    assert_int_equal(bits.n, 257);
    assert_int_equal(bits.brs, 18);
    assert_int_equal(can_bits_cycles(&bits, &timing, 18), 1440);
    assert_int_equal(can_bits_cycles(&bits, &timing, 19), 1505);
    assert_int_equal(can_bits_cycles(&bits, &timing, 247), 6065);
    assert_int_equal(can_bits_cycles(&bits, &timing, 248), 6100);
    assert_int_equal(can_bits_cycles(&bits, &timing, 257), 6820);
}

static void fd_on_the_bus(void **state) {
    Rig *rig = *state;
    static const CanTiming timing = {.hz = 40000000, .bit_cycles = 80, .sample_cycles = 60, .data_bit_cycles = 20,
                                     .data_sample_cycles = 15};
    CanRequest on = {.kind = CAN_CONFIGURE, .on = true, .fd = true, .timing = timing};
    ask(rig, 0, 0, &on);
    ask(rig, 1, 0, &on);
    CanRequest request = {.kind = CAN_OFFER, .frame = {.fd = true, .brs = true, .dlc = 11}};
    ask(rig, 0, 100000, &request);
    can_bus_run(&rig->bus, 1000000);
    assert_heard(rig, 0, CAN_SENT, 100000 + 170500, 257, 0, 0);
    assert_heard(rig, 1, CAN_RECEIVED, 100000 + 168500, 256, 0, 0);
    /* one that knows no FD destroys the next at the bit after FDF (16), 18 bits from the start; the flag of 6 makes the
     * others' stuff rule fail at bit 22: bits 17 to 22 are dominant. */
    on.fd = false;
    ask(rig, 2, 1000000, &on);
    rig->n = 0;
    ask(rig, 0, 2000000, &request);
    can_bus_run(&rig->bus, 2080000);
    assert_heard(rig, 2, CAN_ERROR, 2000000 + 18 * 2000, 17, 0, 1);
    /* the sender sees BRS (18) dominant: sample parts 60 + 5 cycles */
    assert_heard(rig, 0, CAN_ERROR, 2000000 + 36000 + 1625, 18, 8, 0);
}

/* ---- Arbitration ------------------------------------------------------------------------------------------------- */

/* 0x100 (55 bits) beats 0x101 at bit 12 and 0x123 at bit 6; 0x101 (55 bits) follows after 3 bits, then 0x123 (45). */
static void lowest_identifier_first(void **state) {
    Rig *rig = *state;
    uint64_t t = on_bus(rig, 4);
    CanRequest a = offer(0x101, 1), b = offer(0x100, 0), c = offer(0x123, -1);
    ask(rig, 2, t - BIT_NS / 2, &(CanRequest){.kind = CAN_WITHDRAW}); /* of nothing */
    can_bus_request(&rig->bus, 0, t, &a);
    can_bus_request(&rig->bus, 1, t, &b);
    can_bus_request(&rig->bus, 2, t, &c);
    can_bus_run(&rig->bus, t + 1000 * BIT_NS);
    assert_heard(rig, 2, CAN_LOST, t + 7 * BIT_NS, 6, 0, 0);
    assert_heard(rig, 0, CAN_LOST, t + 13 * BIT_NS, 12, 0, 0);
    assert_heard(rig, 1, CAN_SENT, t + 55 * BIT_NS, 55, 0, 0);
    assert_heard(rig, 0, CAN_RECEIVED, t + 54 * BIT_NS, 54, 0, 0);
    assert_heard(rig, 0, CAN_STARTED, t + 58 * BIT_NS, 0, 0, 0);
    assert_heard(rig, 0, CAN_SENT, t + 113 * BIT_NS, 55, 0, 0);
    assert_heard(rig, 2, CAN_SENT, t + 161 * BIT_NS, 45, 0, 0);
    static const uint32_t order[] = {0x100, 0x101, 0x123};
    unsigned k = 0;
    for (unsigned i = 0; i < rig->n; i++) {
        if (rig->heard[i].peer == 3) {
            assert_int_equal(rig->heard[i].notice.kind, CAN_RECEIVED);
            assert_int_equal(rig->heard[i].frame.id, order[k++]);
        }
    }
    assert_int_equal(k, 3);
    assert_true(can_bus_next_ns(&rig->bus) == UINT64_MAX);
}

/* Same identifier, formats side by side: data before remote, standard before extended. */
static void formats_arbitrate(void **state) {
    Rig *rig = *state;
    uint64_t t = on_bus(rig, 4);
    CanRequest extended = {.kind = CAN_OFFER, .frame = {.id = 0x123 << 18, .extended = true}};
    CanRequest remote = {.kind = CAN_OFFER, .frame = {.id = 0x123, .remote = true}}, data = offer(0x123, -1);
    can_bus_request(&rig->bus, 0, t, &extended);
    can_bus_request(&rig->bus, 1, t, &remote);
    can_bus_request(&rig->bus, 2, t, &data);
    can_bus_run(&rig->bus, t + 1000 * BIT_NS);
    unsigned at = 0;
    uint64_t first = next(rig, &at, 2, CAN_SENT)->time_ns;
    uint64_t second = next(rig, &at, 1, CAN_SENT)->time_ns;
    uint64_t third = next(rig, &at, 0, CAN_SENT)->time_ns;
    assert_true(first == t + 45 * BIT_NS && first < second && second < third);
    assert_heard(rig, 1, CAN_LOST, t + 13 * BIT_NS, 12, 0, 0); /* RTR */
}

/* One identifier with different data. The one with 0xAA sends recessive at bit 21 where 0x55 is dominant: it flags from
 * bit 22 on, the other from 23 on, the third has six dominant bits (21 to 26) and flags from 27 to 32; then 8 bits of
 * delimiter and 3 of intermission: the next start is at bit 44. */
static void same_identifier_collides(void **state) {
    Rig *rig = *state;
    uint64_t t = on_bus(rig, 3);
    CanRequest a = offer(0x100, 0xAA), b = offer(0x100, 0x55);
    can_bus_request(&rig->bus, 0, t, &a);
    can_bus_request(&rig->bus, 1, t, &b);
    can_bus_run(&rig->bus, t + 50 * BIT_NS);
    assert_heard(rig, 0, CAN_ERROR, t + 22 * BIT_NS, 21, 8, 0);
    assert_heard(rig, 1, CAN_ERROR, t + 23 * BIT_NS, 22, 8, 0);
    assert_heard(rig, 2, CAN_ERROR, t + 27 * BIT_NS, 26, 0, 1);
    assert_heard(rig, 0, CAN_STARTED, t + 44 * BIT_NS, 0, 8, 0);
}

/* ---- Errors ------------------------------------------------------------------------------------------------------ */

/* Alone on the bus: the ACK slot is bit 36; flag 6, delimiter 8, intermission 3: the next start is at bit 54. Error
 * passive from the 16th on: 8 bits of suspension, and the counter stays at 128. */
static void nobody_acknowledges(void **state) {
    Rig *rig = *state;
    uint64_t t = on_bus(rig, 1);
    CanRequest request = offer(0x123, -1);
    ask(rig, 0, t, &request);
    can_bus_run(&rig->bus, t + 1100 * BIT_NS);
    unsigned at = 0;
    for (unsigned k = 0; k < 20; k++) {
        const CanNotice *notice = next(rig, &at, 0, CAN_ERROR);
        uint64_t start = k < 16 ? 54 * k : 15 * 54 + 62 + 62 * (k - 16);
        assert_int_equal(notice->time_ns, t + (start + 37) * BIT_NS);
        assert_int_equal(notice->error, CAN_ERROR_ACK);
        assert_int_equal(notice->bit, 36);
        assert_int_equal(notice->tec, k < 16 ? 8 * (k + 1) : 128);
        assert_true(notice->transmitter);
    }
    switch_on(rig, 1, t + 1100 * BIT_NS);
    rig->n = 0;
    can_bus_run(&rig->bus, t + 1300 * BIT_NS);
    at = 0;
    assert_int_equal(next(rig, &at, 0, CAN_SENT)->tec, 127);
}

/* Bit 20 of 0x123 is recessive, 18 and 19 are dominant. Inverted, the sender flags 21 to 26; bits 18 to 23 are
 * dominant, so the others flag 24 to 29; delimiter to 37, intermission to 40. The second attempt takes 45 bits. */
static void disturbed_bit(void **state) {
    Rig *rig = *state;
    uint64_t t = on_bus(rig, 3);
    rig->faulty = 1;
    rig->fault_bit = 20;
    CanRequest request = offer(0x123, -1);
    ask(rig, 0, t, &request);
    can_bus_run(&rig->bus, t + 100 * BIT_NS);
    assert_heard(rig, 0, CAN_ERROR, t + 21 * BIT_NS, 20, 8, 0);
    assert_heard(rig, 1, CAN_ERROR, t + 24 * BIT_NS, 23, 0, 1);
    assert_heard(rig, 2, CAN_ERROR, t + 24 * BIT_NS, 23, 0, 1);
    assert_heard(rig, 0, CAN_STARTED, t + 41 * BIT_NS, 0, 8, 0);
    assert_heard(rig, 1, CAN_RECEIVED, t + 85 * BIT_NS, 44, 0, 0);
    assert_heard(rig, 0, CAN_SENT, t + 86 * BIT_NS, 45, 7, 0);
}

/* One receiver misreads bit 20, where the bus is recessive: its flag from bit 21 on is a bit error of the sender at
 * its next recessive bit, 21, and the sender's flag is 22 to 27; dominant from 21 on, so the third is at 26, flags 27
 * to 32. The first flagger sees a dominant bit right after its flag (27): 8 more. */
static void one_receiver_misreads(void **state) {
    Rig *rig = *state;
    uint64_t t = on_bus(rig, 3);
    rig->faulty = 1;
    rig->fault_bit = 20;
    rig->fault_peer = 1;
    CanRequest request = offer(0x123, -1);
    ask(rig, 0, t, &request);
    can_bus_run(&rig->bus, t + 100 * BIT_NS);
    assert_heard(rig, 1, CAN_ERROR, t + 21 * BIT_NS, 20, 0, 1);
    assert_heard(rig, 0, CAN_ERROR, t + 22 * BIT_NS, 21, 8, 0);
    assert_heard(rig, 2, CAN_ERROR, t + 27 * BIT_NS, 26, 0, 1);
    assert_heard(rig, 1, CAN_ERROR, t + 28 * BIT_NS, 27, 0, 9);
    assert_heard(rig, 0, CAN_STARTED, t + 44 * BIT_NS, 0, 8, 0);
    assert_heard(rig, 1, CAN_RECEIVED, t + 88 * BIT_NS, 44, 0, 8);
}

/* Every frame is disturbed at bit 20. Active: 41 bits from start to start, the 16th 8 more. Passive: a flag of 6
 * recessive bits (21 to 26), which the others see as a stuff error at 26; their flags are 27 to 32, delimiter to 40,
 * intermission to 43, suspension to 51. The 32nd error is at 664 + 15 * 52 + 21. Back after 128 sequences of 11: one
 * at the end of that frame (bit 44 of it), 127 of the idle bus. */
static void bus_off_and_back(void **state) {
    Rig *rig = *state;
    uint64_t t = on_bus(rig, 3);
    rig->faulty = UINT64_MAX;
    rig->fault_bit = 20;
    rig->recovers = true;
    CanRequest request = offer(0x123, -1);
    ask(rig, 0, t, &request);
    can_bus_run(&rig->bus, t + 4000 * BIT_NS);
    unsigned at = 0;
    for (unsigned k = 0; k < 32; k++) {
        const CanNotice *notice = next(rig, &at, 0, CAN_ERROR);
        uint64_t start = k < 16 ? 41 * k : 664 + 52 * (k - 16);
        assert_int_equal(notice->time_ns, t + (start + 21) * BIT_NS);
        assert_int_equal(notice->tec, 8 * (k + 1));
    }
    assert_heard(rig, 1, CAN_ERROR, t + (664 + 27) * BIT_NS, 26, 0, 17);
    assert_heard(rig, 0, CAN_JOINED, t + (664 + 15 * 52 + 44 + 127 * 11) * BIT_NS, 0, 0, 0);
    assert_int_equal(rig->frames, 32);
    assert_int_equal(rig->bus.peers[0].offered, 0);
    assert_int_equal(rig->bus.peers[1].rec, 32);
}

static void single_shot_and_withdraw(void **state) {
    Rig *rig = *state;
    uint64_t t = on_bus(rig, 1);
    CanRequest request = offer(0x123, -1);
    request.single_shot = true;
    ask(rig, 0, t, &request);
    can_bus_run(&rig->bus, t + 500 * BIT_NS);
    unsigned at = 0;
    assert_true(next(rig, &at, 0, CAN_ERROR)->final);
    assert_int_equal(rig->frames, 1);
    request.single_shot = false;
    request.no_ack = true; /* self test */
    t += 1000 * BIT_NS;
    rig->n = 0;
    ask(rig, 0, t, &request);
    can_bus_run(&rig->bus, t + 500 * BIT_NS);
    assert_heard(rig, 0, CAN_SENT, t + 45 * BIT_NS, 45, 7, 0);
    /* withdrawn on the wire, another one offered: the first ends, the second follows */
    t += 1000 * BIT_NS;
    rig->n = 0;
    ask(rig, 0, t, &request);
    ask(rig, 0, t + 10 * BIT_NS, &(CanRequest){.kind = CAN_WITHDRAW});
    request.frame.id = 0x100;
    request.frame.dlc = 1;
    request.frame.data[0] = 0;
    ask(rig, 0, t + 11 * BIT_NS, &request);
    can_bus_run(&rig->bus, t + 500 * BIT_NS);
    assert_heard(rig, 0, CAN_SENT, t + 45 * BIT_NS, 45, 6, 0);
    assert_heard(rig, 0, CAN_SENT, t + (48 + 55) * BIT_NS, 55, 5, 0);
}

/* One that joins in the middle of a frame has no part in it; silent ones answer nothing. */
static void joining_and_silence(void **state) {
    Rig *rig = *state;
    uint64_t t = on_bus(rig, 1);
    CanRequest request = offer(0x123, -1);
    ask(rig, 0, t, &request);
    switch_on(rig, 1, t + 5 * BIT_NS);
    CanRequest silent = {.kind = CAN_CONFIGURE, .on = true, .silent = true, .timing = mbit};
    ask(rig, 2, t + 5 * BIT_NS, &silent);
    can_bus_run(&rig->bus, t + 500 * BIT_NS);
    assert_heard(rig, 0, CAN_ERROR, t + 37 * BIT_NS, 36, 8, 0);
    assert_heard(rig, 1, CAN_JOINED, t + 54 * BIT_NS, 0, 0, 0);
    assert_heard(rig, 0, CAN_SENT, t + 99 * BIT_NS, 45, 7, 0);
    assert_heard(rig, 2, CAN_RECEIVED, t + 98 * BIT_NS, 44, 0, 0);
    ask(rig, 1, t + 600 * BIT_NS, &(CanRequest){.kind = CAN_CONFIGURE, .timing = mbit});
    rig->n = 0;
    ask(rig, 0, t + 600 * BIT_NS, &request);
    can_bus_run(&rig->bus, t + 640 * BIT_NS);
    assert_heard(rig, 0, CAN_ERROR, t + 637 * BIT_NS, 36, 15, 0);
    assert_int_equal(rig->bus.peers[2].rec, 0);
}

/* A frame at another rate cannot be read: the odd one flags from bit 7 on. */
static void other_rate(void **state) {
    Rig *rig = *state;
    uint64_t t = on_bus(rig, 2);
    CanTiming slow = mbit;
    slow.bit_cycles = 16;
    ask(rig, 2, t, &(CanRequest){.kind = CAN_CONFIGURE, .on = true, .timing = slow});
    t += 100 * BIT_NS;
    CanRequest request = offer(0x123, -1);
    ask(rig, 0, t, &request);
    can_bus_run(&rig->bus, t + 30 * BIT_NS);
    assert_heard(rig, 2, CAN_ERROR, t + 7 * BIT_NS, 6, 0, 1);
}

/* Saved in the middle of a frame, it goes on as if nothing had been. */
static void saved_in_the_middle(void **state) {
    Rig *rig = *state;
    uint64_t t = on_bus(rig, 3);
    CanRequest a = offer(0x101, 1), b = offer(0x100, 0);
    can_bus_request(&rig->bus, 0, t, &a);
    can_bus_request(&rig->bus, 1, t, &b);
    can_bus_run(&rig->bus, t + 20 * BIT_NS);
    ByteVec saved = {0};
    can_bus_save(&rig->bus, &saved);
    Rig *other = mem_alloc(sizeof *other);
    *other = (Rig){.bus = {.notice = heard, .user = other}};
    for (size_t len = 0; len < saved.len; len++) {
        assert_false(can_bus_load(&other->bus, &(ByteReader){.at = saved.data, .left = len}, true));
    }
    assert_true(can_bus_load(&other->bus, &(ByteReader){.at = saved.data, .left = saved.len}, true));
    rig->n = 0;
    can_bus_run(&rig->bus, t + 300 * BIT_NS);
    can_bus_run(&other->bus, t + 300 * BIT_NS);
    assert_int_equal(rig->n, other->n);
    for (unsigned i = 0; i < rig->n; i++) {
        assert_int_equal(rig->heard[i].peer, other->heard[i].peer);
        assert_int_equal(rig->heard[i].notice.kind, other->heard[i].notice.kind);
        assert_true(rig->heard[i].notice.time_ns == other->heard[i].notice.time_ns);
    }
    Hash *x = hash_new(), *y = hash_new();
    can_bus_hash(&rig->bus, x);
    can_bus_hash(&other->bus, y);
    assert_true(hash_value(x) == hash_value(y));
    hash_free(x);
    hash_free(y);
    mem_free(other);
    vec_free(&saved);
}

/* ---- Anything at all --------------------------------------------------------------------------------------------- */

typedef struct Life {
    CanBus bus;
    Rng rng;
    uint64_t now_ns, told_ns;
    unsigned notices, frames;
} Life;

static void life_notice(void *user, unsigned peer, const CanNotice *notice) {
    Life *life = user;
    assert_true(notice->time_ns >= life->told_ns); /* in order */
    life->told_ns = notice->time_ns;
    life->notices++;
    if (notice->tec >= CAN_BUS_OFF_FROM && rng_below(&life->rng, 2)) {
        can_bus_request(&life->bus, peer, notice->time_ns, &(CanRequest){.kind = CAN_RECOVER});
    }
}

static bool life_fault(void *user, unsigned sender, unsigned bits, CanFault *out) {
    Life *life = user;
    assert_true(sender < CAN_PEERS_MAX && bits >= 44);
    unsigned kind = (unsigned)rng_below(&life->rng, 8);
    *out = (CanFault){.bit = (unsigned)rng_below(&life->rng, bits),
                      .peer = kind == 1 ? (int)rng_below(&life->rng, CAN_PEERS_MAX) : -1};
    return kind < 2;
}

/* Short circuits of 1 to 64 bits at any places, often several in a frame, and for long times none. */
static uint64_t life_cut(void *user, uint64_t from_ns) {
    (void)user;
    enum { SPAN_NS = 64 * BIT_NS, SPANS = 9 };
    for (uint64_t span = from_ns / SPAN_NS; span < from_ns / SPAN_NS + SPANS + 1; span++) {
        uint64_t begin_ns = span * SPAN_NS + span * 7919 % SPAN_NS, end_ns = begin_ns + span * 104729 % SPAN_NS;
        if (span % SPANS < 2 && from_ns < end_ns) {
            return from_ns > begin_ns ? from_ns : begin_ns;
        }
    }
    return from_ns + SPAN_NS; /* never a cut that is told too late */
}

static void life_traffic(void *user, const CanTraffic *traffic) {
    Life *life = user;
    assert_true(traffic->end_ns > traffic->start_ns);
    assert_true(life->bus.n_pending > 0);
    life->frames++;
}

static CanRequest life_request(Rng *rng) {
    static const uint8_t kinds[] = {CAN_CONFIGURE, CAN_OFFER, CAN_OFFER, CAN_OFFER, CAN_OFFER, CAN_WITHDRAW,
                                    CAN_COUNTERS, CAN_RECOVER};
    bool fd = rng_below(rng, 3) == 0;
    CanRequest r = {.kind = kinds[rng_below(rng, ARRAY_LEN(kinds))],
                    .on = rng_below(rng, 8) != 0,
                    .silent = rng_below(rng, 16) == 0,
                    .fd = rng_below(rng, 4) != 0,
                    .single_shot = rng_below(rng, 4) == 0,
                    .no_ack = rng_below(rng, 8) == 0,
                    .tec = (uint16_t)rng_below(rng, 300),
                    .rec = (uint16_t)rng_below(rng, 300),
                    .timing = mbit,
                    .frame = {.id = (uint32_t)rng_below(rng, 8), .extended = rng_below(rng, 4) == 0, .fd = fd,
                              .brs = fd && rng_below(rng, 2), .remote = !fd && rng_below(rng, 4) == 0,
                              .dlc = (uint8_t)rng_below(rng, 16)}};
    r.timing.bit_cycles = rng_below(rng, 32) ? 8 : 16;
    r.frame.data[0] = (uint8_t)rng_below(rng, 256);
    return r;
}

/* Requests and disturbances of all kinds at all times: what is told comes in order, frames have an end, and neither the
 * room for what is pending nor anything else gives out. */
static void random_life(void **state) {
    (void)state;
    Life *life = mem_alloc(sizeof *life);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        *life = (Life){.bus = {.notice = life_notice, .fault = life_fault, .cut_ns = life_cut,
                              .traffic = life_traffic, .user = life}};
        rng_seed(&life->rng, seed);
        can_bus_reset(&life->bus);
        for (unsigned i = 0; i < CAN_PEERS_MAX; i++) {
            can_bus_request(&life->bus, i, 0, &(CanRequest){.kind = CAN_CONFIGURE, .on = true, .timing = mbit});
        }
        for (unsigned step = 0; step < 3000; step++) {
            CanRequest request = life_request(&life->rng);
            can_bus_run_before(&life->bus, life->now_ns);
            can_bus_request(&life->bus, (unsigned)rng_below(&life->rng, CAN_PEERS_MAX), life->now_ns, &request);
            life->now_ns += rng_below(&life->rng, 4) ? rng_below(&life->rng, 60 * BIT_NS) : 0;
        }
        can_bus_run(&life->bus, life->now_ns);
        assert_true(life->frames > 100);
        assert_true(life->notices > life->frames);
    }
    mem_free(life);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_on_the_wire),
        cmocka_unit_test(fd_changes_rate_at_sample_points),
        cmocka_unit_test_setup_teardown(fd_on_the_bus, setup, teardown),
        cmocka_unit_test_setup_teardown(lowest_identifier_first, setup, teardown),
        cmocka_unit_test_setup_teardown(formats_arbitrate, setup, teardown),
        cmocka_unit_test_setup_teardown(same_identifier_collides, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_acknowledges, setup, teardown),
        cmocka_unit_test_setup_teardown(disturbed_bit, setup, teardown),
        cmocka_unit_test_setup_teardown(one_receiver_misreads, setup, teardown),
        cmocka_unit_test_setup_teardown(bus_off_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(single_shot_and_withdraw, setup, teardown),
        cmocka_unit_test_setup_teardown(joining_and_silence, setup, teardown),
        cmocka_unit_test_setup_teardown(other_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(saved_in_the_middle, setup, teardown),
        cmocka_unit_test(random_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
