/* nRF51 RNG. nRF51 Series Reference Manual v3.0.1, chapter 23; times from nRF51822 Product Specification v3.1,
 * section 8.13 (typical values). One interrupt line.
 *
 * Bytes come from a generator seeded by the board's seed and the virtual time of power-on; neither a system reset nor a
 * power cycle repeats them.
 * Not modelled: the bias of raw bytes, and that a corrected byte takes a varying time. */
#include "base/rng.h"
#include "dev/nordic/nordic.h"

enum { EVENT_VALRDY = NRF_EVENT_AT(0x100), SHORT_VALRDY_STOP = 1, CONFIG_DERCEN = 1 };

static const uint64_t raw_byte_ns = 167000;
static const uint64_t corrected_byte_ns = 677000;

typedef struct Nrf51Rng {
    NrfPart part;
    uint32_t config, value;
    uint64_t generator[4]; /* Rng.s */
    uint8_t running;
    Event ready;
} Nrf51Rng;

static void next_byte(Nrf51Rng *r, uint64_t from_ns) {
    device_event_at(&r->part.dev, &r->ready, from_ns + (r->config & CONFIG_DERCEN ? corrected_byte_ns : raw_byte_ns));
}

static void byte_ready(Event *event) {
    Nrf51Rng *r = CONTAINER_OF(event, Nrf51Rng, ready);
    Rng rng = {{r->generator[0], r->generator[1], r->generator[2], r->generator[3]}};
    r->value = (uint32_t)(rng_next(&rng) >> 56);
    for (unsigned i = 0; i < ARRAY_LEN(rng.s); i++) {
        r->generator[i] = rng.s[i];
    }
    if (r->part.shorts & SHORT_VALRDY_STOP) {
        r->running = 0;
    } else {
        next_byte(r, event->time_ns);
    }
    nrf_event(&r->part, EVENT_VALRDY);
}

static void start(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Rng *r = (Nrf51Rng *)dev;
    if ((value & 1) && !r->running) {
        r->running = 1;
        next_byte(r, device_now_ns(dev));
    }
}

static void stop(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if (value & 1) {
        ((Nrf51Rng *)dev)->running = 0;
        device_event_cancel(dev, &((Nrf51Rng *)dev)->ready);
    }
}

static void rng_reset(Device *dev) {
    Nrf51Rng *r = (Nrf51Rng *)dev;
    if ((r->generator[0] | r->generator[1] | r->generator[2] | r->generator[3]) == 0) {
        Rng rng;
        /* Not the sequence of other users of the seed, nor that of another time. */
        rng_seed(&rng, (dev->board->seed ^ UINT64_C(0x4E5246353152)) +
                           device_now_ns(dev) * UINT64_C(0x9E3779B97F4A7C15));
        for (unsigned i = 0; i < ARRAY_LEN(rng.s); i++) {
            r->generator[i] = rng.s[i];
        }
    }
}

static const Field rng_fields[] = {
    {.name = "generator", .description = "state of the generator", .offset = offsetof(Nrf51Rng, generator), .size = 8,
     .count = 4, .keep = true},
    FIELD(Nrf51Rng, running, 0, "started"),
};

static const Reg rng_regs[] = {
    NRF_TASK("TASKS_START", 0x000, start),
    NRF_TASK("TASKS_STOP", 0x004, stop),
    NRF_EVENT(Nrf51Rng, "EVENTS_VALRDY", 0x100),
    NRF_SHORTS(Nrf51Rng, 1),
    NRF_INTEN(Nrf51Rng),
    NRF_REG(Nrf51Rng, "CONFIG", 0x504, config, 0, 1),
    {.name = "VALUE", .offset = 0x508, .storage = offsetof(Nrf51Rng, value), .access = REG_RO},
    NRF_POWER(Nrf51Rng),
};

static const EventField rng_events[] = {{"ready", offsetof(Nrf51Rng, ready), byte_ready, 0}};
static const Output rng_outputs[] = {NRF_IRQ(Nrf51Rng)};
static const char *const rng_names[] = {"Miscellaneous.NRF51_RNG", "Miscellaneous.NRF52840_RNG", NULL};
static const char *const rng_compatible[] = {"nordic,nrf-rng", NULL};

const DeviceType nrf51_rng = {
    .name = "nrf51-rng",
    .summary = "nRF51 random number generator, seeded",
    .repl_types = rng_names,
    .compatible = rng_compatible,
    .struct_size = sizeof(Nrf51Rng),
    DEVICE_TABLE(fields, rng_fields),
    DEVICE_TABLE(regs, rng_regs),
    DEVICE_TABLE(outputs, rng_outputs),
    DEVICE_TABLE(events, rng_events),
    .window_size = NRF_WINDOW,
    .reset = rng_reset,
};
