/* nRF51 RTC: 24-bit counter of 32.768 kHz / (PRESCALER + 1), four compares. nRF51 Series Reference Manual v3.0.1,
 * chapter 19. One interrupt line.
 *
 * Counts only while LFCLK runs. START, CLEAR and TRIGOVRFLW restart and latch the prescaler. Events are raised only if
 * EVTEN or INTEN enables them. A COMPARE happens when the counter is incremented from CC-1 to CC; OVRFLW from 0xFFFFFF
 * to 0. LFCLK edges are whole cycles since time 0; START takes effect at once and counts full prescaler periods from
 * the edge before it: the synchronisation delays of up to two LFCLK cycles are not modelled. */
#include "bus/dt_binding.h"
#include "dev/nordic/nordic.h"

enum {
    CC_COUNT = 4,
    EVENT_TICK = NRF_EVENT_AT(0x100),
    EVENT_OVRFLW = NRF_EVENT_AT(0x104),
    EVENT_COMPARE0 = NRF_EVENT_AT(0x140),
    COUNTER_MASK = 0xFFFFFF,
};
#define EVENTS_MASK 0xF0003u

typedef struct Nrf51Rtc {
    NrfPart part;
    uint32_t evten, prescaler;
    uint32_t cc[CC_COUNT];
    uint8_t started;
    uint8_t counting; /* started, and LFCLK runs */
    uint32_t latched; /* the prescaler in use */
    uint32_t base_count; /* the counter at base_cycle */
    uint64_t base_cycle; /* LFCLK cycles */
    uint64_t due_cycle;
    Event due;
    uint32_t compares; /* property */
} Nrf51Rtc;

static Nrf51Rtc *rtc_of(Device *dev) {
    return (Nrf51Rtc *)dev;
}

static uint64_t ticks_at(const Nrf51Rtc *r, uint64_t cycle) {
    return r->counting ? (cycle - r->base_cycle) / (r->latched + 1) : 0;
}

static uint32_t count_at(const Nrf51Rtc *r, uint64_t cycle) {
    return (uint32_t)(r->base_count + ticks_at(r, cycle)) & COUNTER_MASK;
}

static uint32_t events_wanted(const Nrf51Rtc *r) {
    return r->evten | r->part.inten;
}

/* Increments until the counter becomes `target`: at least 1. */
static uint64_t ticks_until(uint32_t count, uint32_t target) {
    return (uint64_t)((target - count - 1) & COUNTER_MASK) + 1;
}

static void rtc_arm(Nrf51Rtc *r, uint64_t cycle) {
    uint32_t wanted = events_wanted(r), count = count_at(r, cycle);
    uint64_t nearest = UINT64_MAX;
    if (wanted & 1u << EVENT_TICK) {
        nearest = 1;
    }
    if (wanted & 1u << EVENT_OVRFLW && ticks_until(count, 0) < nearest) {
        nearest = ticks_until(count, 0);
    }
    for (unsigned i = 0; i < r->compares; i++) {
        uint64_t ahead = ticks_until(count, r->cc[i]);
        if (wanted & 1u << (EVENT_COMPARE0 + i) && ahead < nearest) {
            nearest = ahead;
        }
    }
    if (!r->counting || nearest == UINT64_MAX) {
        device_event_cancel(&r->part.dev, &r->due);
        return;
    }
    r->due_cycle = r->base_cycle + (ticks_at(r, cycle) + nearest) * (r->latched + 1);
    device_event_at(&r->part.dev, &r->due, nrf_lfclk_ns(r->due_cycle));
}

static void rtc_due(Event *event) {
    Nrf51Rtc *r = CONTAINER_OF(event, Nrf51Rtc, due);
    uint32_t count = count_at(r, r->due_cycle), raised = 1u << EVENT_TICK;
    raised |= (uint32_t)(count == 0) << EVENT_OVRFLW;
    for (unsigned i = 0; i < r->compares; i++) {
        raised |= (uint32_t)(r->cc[i] == count) << (EVENT_COMPARE0 + i);
    }
    raised &= events_wanted(r);
    rtc_arm(r, r->due_cycle);
    for (; raised; raised &= raised - 1) {
        nrf_event(&r->part, (unsigned)__builtin_ctz(raised));
    }
}

/* From now on it counts from `count`, with the prescaler of the register, if it counts at all. */
static void rtc_restart(Nrf51Rtc *r, uint32_t count) {
    r->base_count = count;
    r->base_cycle = nrf_lfclk_cycles(&r->part.dev);
    r->latched = r->prescaler;
    r->counting = r->started && nrf51_lfclk_running(&r->part);
    rtc_arm(r, r->base_cycle);
}

static void start(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Rtc *r = rtc_of(dev);
    if ((value & 1) && !r->started) {
        r->started = 1;
        rtc_restart(r, r->base_count);
    }
}

static void stop(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Rtc *r = rtc_of(dev);
    if (value & 1) {
        r->started = 0;
        rtc_restart(r, count_at(r, nrf_lfclk_cycles(dev)));
    }
}

static void clear(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if (value & 1) {
        rtc_restart(rtc_of(dev), 0);
    }
}

static void trigovrflw(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if (value & 1) {
        rtc_restart(rtc_of(dev), 0xFFFFF0);
    }
}

void nrf51_rtc_lfclk(Device *dev) {
    Nrf51Rtc *r = rtc_of(dev);
    rtc_restart(r, count_at(r, nrf_lfclk_cycles(dev)));
}

static void rearm(Device *dev) {
    rtc_arm(rtc_of(dev), nrf_lfclk_cycles(dev));
}

static void schedule_written(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    rearm(dev);
}

static void rtc_intenset(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    nrf_intenset_write(dev, index, value, old);
    rearm(dev);
}

static void rtc_intenclr(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    nrf_intenclr_write(dev, index, value, old);
    rearm(dev);
}

static void evtenset(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    rtc_of(dev)->evten |= value & EVENTS_MASK;
    rearm(dev);
}

static uint32_t counter_read(Device *dev, unsigned index) {
    (void)index;
    return count_at(rtc_of(dev), nrf_lfclk_cycles(dev));
}

static const Field rtc_fields[] = {
    FIELD(Nrf51Rtc, started, 0, "START was triggered"),
    FIELD(Nrf51Rtc, counting, 0, "started, and LFCLK runs"),
    FIELD(Nrf51Rtc, latched, 0, "prescaler in use"),
    FIELD(Nrf51Rtc, base_count, 0, "counter at base_cycle"),
    FIELD(Nrf51Rtc, base_cycle, 0, "LFCLK cycle where counting began"),
    FIELD(Nrf51Rtc, due_cycle, 0, "LFCLK cycle of the next event"),
};

static const Reg rtc_regs[] = {
    NRF_TASK("TASKS_START", 0x000, start),
    NRF_TASK("TASKS_STOP", 0x004, stop),
    NRF_TASK("TASKS_CLEAR", 0x008, clear),
    NRF_TASK("TASKS_TRIGOVRFLW", 0x00C, trigovrflw),
    NRF_EVENT(Nrf51Rtc, "EVENTS_TICK", 0x100),
    NRF_EVENT(Nrf51Rtc, "EVENTS_OVRFLW", 0x104),
    NRF_EVENTS(Nrf51Rtc, "EVENTS_COMPARE", 0x140, CC_COUNT),
    NRF_INTENSET(Nrf51Rtc, rtc_intenset),
    NRF_INTENCLR(Nrf51Rtc, rtc_intenclr),
    {.name = "EVTEN", .offset = 0x340, .storage = offsetof(Nrf51Rtc, evten), .writable = EVENTS_MASK,
     .write = schedule_written},
    {.name = "EVTENSET", .offset = 0x344, .storage = offsetof(Nrf51Rtc, evten), .write = evtenset},
    {.name = "EVTENCLR", .offset = 0x348, .storage = offsetof(Nrf51Rtc, evten), .clear_on_one = UINT32_MAX,
     .write = schedule_written},
    {.name = "COUNTER", .offset = 0x504, .read = counter_read, .access = REG_RO},
    NRF_REG(Nrf51Rtc, "PRESCALER", 0x508, prescaler, 0, 0xFFF),
    {.name = "CC", .offset = 0x540, .count = CC_COUNT, .storage = offsetof(Nrf51Rtc, cc), .writable = COUNTER_MASK,
     .write = schedule_written},
    NRF_POWER(Nrf51Rtc),
};

static const EventField rtc_events[] = {{"due", offsetof(Nrf51Rtc, due), rtc_due, 0}};

static const Output rtc_outputs[] = {NRF_IRQ(Nrf51Rtc)};

static const Prop rtc_props[] = {
    PROP_U32(Nrf51Rtc, compares, "numberOfEvents", CC_COUNT, "compare registers, 1 to 4"),
};

static bool rtc_init(Device *dev, Err *err) {
    uint32_t n = rtc_of(dev)->compares;
    return (n >= 1 && n <= CC_COUNT) || err_set(err, "numberOfEvents: expected 1 to 4, not %u", (unsigned)n);
}

static const DtName rtc_dt_props[] = {{"cc-num", "numberOfEvents"}, {NULL, NULL}};
static const DtBinding rtc_dt = {.props = rtc_dt_props};
static const char *const rtc_names[] = {"Timers.NRF51_RTC", "Timers.NRF52840_RTC", NULL};
static const char *const rtc_compatible[] = {"nordic,nrf-rtc", NULL};

const DeviceType nrf51_rtc = {
    .name = "nrf51-rtc",
    .summary = "nRF51 real-time counter",
    .repl_types = rtc_names,
    .compatible = rtc_compatible,
    .dt = &rtc_dt,
    .struct_size = sizeof(Nrf51Rtc),
    DEVICE_TABLE(props, rtc_props),
    DEVICE_TABLE(fields, rtc_fields),
    DEVICE_TABLE(regs, rtc_regs),
    DEVICE_TABLE(outputs, rtc_outputs),
    DEVICE_TABLE(events, rtc_events),
    .window_size = NRF_WINDOW,
    .init = rtc_init,
};
