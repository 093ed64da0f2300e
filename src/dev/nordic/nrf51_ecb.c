/* nRF51 ECB: AES-128 encryption of one block in RAM. nRF51 Series Reference Manual v3.0.1, chapter 25; FIPS 197; time
 * from nRF51822 Product Specification v3.1 (typical). One interrupt line.
 *
 * ECBDATAPTR points to 16 bytes of key, 16 of clear text and 16 for the result.
 * Not modelled: ERRORECB by the priority of CCM and AAR, which are not modelled either; it follows STOPECB. */
#include <string.h>

#include "dev/nordic/nordic.h"

enum { EVENT_ENDECB = NRF_EVENT_AT(0x100), EVENT_ERRORECB = NRF_EVENT_AT(0x104), BLOCK = 16, ROUNDS = 10 };

static const uint64_t encrypt_ns = 8500;

typedef struct Nrf51Ecb {
    NrfPart part;
    uint32_t pointer;
    Event done;
} Nrf51Ecb;

/* Product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197, 4.2). */
static uint8_t gf_multiply(uint8_t a, uint8_t b) {
    uint8_t product = 0;
    for (; b; b >>= 1) {
        product ^= b & 1 ? a : 0;
        a = (uint8_t)(a << 1 ^ (a & 0x80 ? 0x1B : 0));
    }
    return product;
}

/* FIPS 197, 5.1.1: the inverse, which is a^254, then an affine map. Computed, because a table is easy to mistype and
 * blocks are rare. */
static uint8_t sub_byte(uint8_t a) {
    uint8_t inverse = 1, power = a;
    for (unsigned exponent = 254; exponent; exponent >>= 1) {
        inverse = exponent & 1 ? gf_multiply(inverse, power) : inverse;
        power = gf_multiply(power, power);
    }
    uint8_t out = 0x63;
    for (unsigned turn = 0; turn < 5; turn++) {
        out ^= (uint8_t)(inverse << turn | inverse >> (8 - turn));
    }
    return out;
}

static void next_round_key(uint8_t key[BLOCK], uint8_t constant) {
    for (unsigned i = 0; i < 4; i++) {
        key[i] ^= sub_byte(key[12 + (i + 1) % 4]);
    }
    key[0] ^= constant;
    for (unsigned i = 4; i < BLOCK; i++) {
        key[i] ^= key[i - 4];
    }
}

static void sub_and_shift(uint8_t state[BLOCK]) {
    uint8_t old[BLOCK];
    memcpy(old, state, BLOCK);
    for (unsigned i = 0; i < BLOCK; i++) {
        state[i] = sub_byte(old[(i + 4 * (i % 4)) % BLOCK]);
    }
}

static void mix_columns(uint8_t state[BLOCK]) {
    for (uint8_t *c = state; c < state + BLOCK; c += 4) {
        uint8_t all = c[0] ^ c[1] ^ c[2] ^ c[3], first = c[0];
        for (unsigned i = 0; i < 4; i++) {
            c[i] ^= all ^ gf_multiply(c[i] ^ (i < 3 ? c[i + 1] : first), 2);
        }
    }
}

static void add_key(uint8_t state[BLOCK], const uint8_t key[BLOCK]) {
    for (unsigned i = 0; i < BLOCK; i++) {
        state[i] ^= key[i];
    }
}

static void aes128_encrypt(uint8_t key[BLOCK], uint8_t state[BLOCK]) {
    uint8_t constant = 1;
    add_key(state, key);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        sub_and_shift(state);
        if (round < ROUNDS) {
            mix_columns(state);
        }
        next_round_key(key, constant);
        constant = gf_multiply(constant, 2);
        add_key(state, key);
    }
}

static void encrypted(Event *event) {
    Nrf51Ecb *e = CONTAINER_OF(event, Nrf51Ecb, done);
    MemMap *map = &e->part.dev.board->map;
    uint8_t data[2][BLOCK];
    if (!mem_peek(map, e->pointer, data, sizeof data)) {
        device_guest_log(&e->part.dev, GUEST_MISUSE, "ECBDATAPTR", "no memory at 0x%08x", (unsigned)e->pointer);
        nrf_event(&e->part, EVENT_ERRORECB);
        return;
    }
    aes128_encrypt(data[0], data[1]);
    bool stored = true;
    for (unsigned i = 0; i < BLOCK; i++) {
        stored = stored && mem_write(map, (uint64_t)e->pointer + 2 * BLOCK + i, 1, false, data[1][i]);
    }
    nrf_event(&e->part, stored ? EVENT_ENDECB : EVENT_ERRORECB);
}

static void startecb(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if ((value & 1) && !event_armed(&((Nrf51Ecb *)dev)->done)) {
        device_event_at(dev, &((Nrf51Ecb *)dev)->done, device_now_ns(dev) + encrypt_ns);
    }
}

static void stopecb(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Ecb *e = (Nrf51Ecb *)dev;
    if ((value & 1) && event_armed(&e->done)) {
        device_event_cancel(dev, &e->done);
        nrf_event(&e->part, EVENT_ERRORECB);
    }
}

static const Reg ecb_regs[] = {
    NRF_TASK("TASKS_STARTECB", 0x000, startecb),
    NRF_TASK("TASKS_STOPECB", 0x004, stopecb),
    NRF_EVENT(Nrf51Ecb, "EVENTS_ENDECB", 0x100),
    NRF_EVENT(Nrf51Ecb, "EVENTS_ERRORECB", 0x104),
    NRF_INTEN(Nrf51Ecb),
    NRF_REG(Nrf51Ecb, "ECBDATAPTR", 0x504, pointer, 0, UINT32_MAX),
    NRF_POWER(Nrf51Ecb),
};

static const EventField ecb_events[] = {{"done", offsetof(Nrf51Ecb, done), encrypted, 0}};
static const Output ecb_outputs[] = {NRF_IRQ(Nrf51Ecb)};
static const char *const ecb_names[] = {"Miscellaneous.NRF51_ECB", "Miscellaneous.NRF52840_ECB", NULL};
static const char *const ecb_compatible[] = {"nordic,nrf-ecb", NULL};

const DeviceType nrf51_ecb = {
    .name = "nrf51-ecb",
    .summary = "nRF51 AES-128 block encryption",
    .repl_types = ecb_names,
    .compatible = ecb_compatible,
    .struct_size = sizeof(Nrf51Ecb),
    DEVICE_TABLE(regs, ecb_regs),
    DEVICE_TABLE(outputs, ecb_outputs),
    DEVICE_TABLE(events, ecb_events),
    .window_size = NRF_WINDOW,
};
