/* nRF51 TIMER: 8 to 32 bits, four capture/compare registers, timer and counter mode. nRF51 Series Reference Manual
 * v3.0.1, chapter 18. One interrupt line.
 *
 * The counter is computed from 16 MHz cycles since START, so it is exact and costs nothing while it runs. A COMPARE
 * event happens when the counter is incremented and then equals CC: not when CC is written or the counter is cleared
 * to that value. The shortcut COMPARE_CLEAR makes a period of CC ticks. START, CLEAR and a new PRESCALER restart the
 * prescaler. CC is compared in the width of BITMODE. PAN73_SETUP (0xC0C) is the undocumented power switch that drivers
 * write around START and STOP.
 * Not modelled: the 1 MHz clock source for slow prescalers as a difference in power. */
#include "bus/dt_binding.h"
#include "dev/nordic/nordic.h"

enum { CC_COUNT = 4, EVENT_COMPARE0 = NRF_EVENT_AT(0x140), SHORT_STOP0 = 8 };

typedef struct Nrf51Timer {
    NrfPart part;
    uint32_t mode, bitmode, prescaler;
    uint32_t cc[CC_COUNT], pan73;
    uint8_t running;
    uint32_t base_count; /* the counter at base_cycle, or always if it does not run on the clock */
    uint64_t base_cycle; /* 16 MHz cycles */
    uint64_t due_cycle; /* of the next match */
    Event match;
    uint32_t max_bits; /* property */
} Nrf51Timer;

static Nrf51Timer *timer_of(Device *dev) {
    return (Nrf51Timer *)dev;
}

static uint32_t count_mask(const Nrf51Timer *t) {
    static const uint8_t widths[] = {16, 8, 24, 32};
    unsigned width = widths[t->bitmode & 3];
    width = width > t->max_bits ? t->max_bits : width;
    return (uint32_t)((UINT64_C(1) << width) - 1);
}

/* PRESCALER has four bits but only 0 to 9 are valid. */
static unsigned shift_of(uint32_t prescaler) {
    return prescaler > 9 ? 9 : prescaler;
}

static bool on_clock(const Nrf51Timer *t) {
    return t->running && !(t->mode & 1);
}

static uint32_t count_at(const Nrf51Timer *t, uint64_t cycle) {
    uint64_t ticks = on_clock(t) ? (cycle - t->base_cycle) >> shift_of(t->prescaler) : 0;
    return (uint32_t)(t->base_count + ticks) & count_mask(t);
}

static void timer_arm(Nrf51Timer *t, uint64_t cycle) {
    if (!on_clock(t)) {
        device_event_cancel(&t->part.dev, &t->match);
        return;
    }
    unsigned shift = shift_of(t->prescaler);
    uint64_t ticks = (cycle - t->base_cycle) >> shift, nearest = UINT64_MAX;
    for (unsigned i = 0; i < CC_COUNT; i++) {
        uint64_t ahead = (uint64_t)((t->cc[i] - count_at(t, cycle) - 1) & count_mask(t)) + 1;
        nearest = ahead < nearest ? ahead : nearest;
    }
    t->due_cycle = t->base_cycle + ((ticks + nearest) << shift);
    device_event_at(&t->part.dev, &t->match, nrf_hfclk_ns(t->due_cycle));
}

/* From now on the counter goes on from `count`. */
static void rebase(Nrf51Timer *t, uint32_t count, uint64_t cycle) {
    t->base_count = count;
    t->base_cycle = cycle;
}

/* The counter has just been incremented to what it is. Shortcuts come first: tasks that the events trigger through the
 * PPI see their effect. */
static void timer_reached(Nrf51Timer *t, uint64_t cycle) {
    uint32_t count = count_at(t, cycle), hits = 0;
    for (unsigned i = 0; i < CC_COUNT; i++) {
        hits |= (uint32_t)((t->cc[i] & count_mask(t)) == count) << i;
    }
    if (hits & (t->part.shorts >> SHORT_STOP0)) {
        rebase(t, count, cycle);
        t->running = 0;
    }
    if (hits & t->part.shorts) {
        rebase(t, 0, cycle);
    }
    timer_arm(t, cycle);
    for (; hits; hits &= hits - 1) {
        nrf_event(&t->part, EVENT_COMPARE0 + (unsigned)__builtin_ctz(hits));
    }
}

static void timer_matched(Event *event) {
    Nrf51Timer *t = CONTAINER_OF(event, Nrf51Timer, match);
    timer_reached(t, t->due_cycle);
}

static void start(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Timer *t = timer_of(dev);
    if ((value & 1) && !t->running) {
        t->base_cycle = nrf_hfclk_cycles(dev);
        t->running = 1;
        timer_arm(t, t->base_cycle);
    }
}

static void stop(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Timer *t = timer_of(dev);
    if (value & 1) {
        uint64_t cycle = nrf_hfclk_cycles(dev);
        rebase(t, count_at(t, cycle), cycle);
        t->running = 0;
        timer_arm(t, cycle);
    }
}

static void count(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Timer *t = timer_of(dev);
    if ((value & 1) && t->running && (t->mode & 1)) {
        t->base_count = (t->base_count + 1) & count_mask(t);
        timer_reached(t, nrf_hfclk_cycles(dev));
    }
}

static void clear(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Timer *t = timer_of(dev);
    if (value & 1) {
        rebase(t, 0, nrf_hfclk_cycles(dev));
        timer_arm(t, t->base_cycle);
    }
}

static void shutdown(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    stop(dev, index, value, old);
    clear(dev, index, value, old);
}

static void capture(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)old;
    Nrf51Timer *t = timer_of(dev);
    if (value & 1) {
        uint64_t cycle = nrf_hfclk_cycles(dev);
        t->cc[index] = count_at(t, cycle);
        timer_arm(t, cycle);
    }
}

static void cc_written(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    timer_arm(timer_of(dev), nrf_hfclk_cycles(dev));
}

/* MODE, BITMODE and PRESCALER "must only be updated when the timer is stopped". */
static void running_change(Nrf51Timer *t, const char *what, uint32_t count_before) {
    if (t->running) {
        device_guest_log(&t->part.dev, GUEST_MISUSE, what, "written while the timer runs");
    }
    uint64_t cycle = nrf_hfclk_cycles(&t->part.dev);
    rebase(t, count_before & count_mask(t), cycle);
    timer_arm(t, cycle);
}

static void mode_written(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    Nrf51Timer *t = timer_of(dev);
    t->mode = old;
    uint32_t before = count_at(t, nrf_hfclk_cycles(dev));
    t->mode = value & 1;
    running_change(t, "MODE", before);
}

static void bitmode_written(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    Nrf51Timer *t = timer_of(dev);
    t->bitmode = old;
    uint32_t before = count_at(t, nrf_hfclk_cycles(dev));
    t->bitmode = value & 3;
    running_change(t, "BITMODE", before);
}

static void prescaler_written(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    Nrf51Timer *t = timer_of(dev);
    t->prescaler = old;
    uint32_t before = count_at(t, nrf_hfclk_cycles(dev));
    t->prescaler = value & 0xF;
    running_change(t, "PRESCALER", before);
}

static const Field timer_fields[] = {
    FIELD(Nrf51Timer, running, 0, "started"),
    FIELD(Nrf51Timer, base_count, 0, "counter at base_cycle"),
    FIELD(Nrf51Timer, base_cycle, 0, "16 MHz cycle where counting began"),
    FIELD(Nrf51Timer, due_cycle, 0, "16 MHz cycle of the next match"),
};

static const Reg timer_regs[] = {
    NRF_TASK("TASKS_START", 0x000, start),
    NRF_TASK("TASKS_STOP", 0x004, stop),
    NRF_TASK("TASKS_COUNT", 0x008, count),
    NRF_TASK("TASKS_CLEAR", 0x00C, clear),
    NRF_TASK("TASKS_SHUTDOWN", 0x010, shutdown),
    NRF_TASKS("TASKS_CAPTURE", 0x040, capture, CC_COUNT),
    NRF_EVENTS(Nrf51Timer, "EVENTS_COMPARE", 0x140, CC_COUNT),
    NRF_SHORTS(Nrf51Timer, 0xF0F),
    NRF_INTEN(Nrf51Timer),
    {.name = "MODE", .offset = 0x504, .storage = offsetof(Nrf51Timer, mode), .writable = 1, .write = mode_written},
    {.name = "BITMODE", .offset = 0x508, .storage = offsetof(Nrf51Timer, bitmode), .writable = 3,
     .write = bitmode_written},
    {.name = "PRESCALER", .offset = 0x510, .storage = offsetof(Nrf51Timer, prescaler), .reset = 4, .writable = 0xF,
     .write = prescaler_written},
    {.name = "CC", .offset = 0x540, .count = CC_COUNT, .storage = offsetof(Nrf51Timer, cc), .writable = UINT32_MAX,
     .write = cc_written},
    NRF_REG(Nrf51Timer, "PAN73_SETUP", 0xC0C, pan73, 0, UINT32_MAX),
    NRF_POWER(Nrf51Timer),
};

static const EventField timer_events[] = {{"match", offsetof(Nrf51Timer, match), timer_matched, 0}};

static const Output timer_outputs[] = {NRF_IRQ(Nrf51Timer)};

static const Prop timer_props[] = {
    PROP_U32(Nrf51Timer, max_bits, "maxBits", 32, "widest counter: 32 for TIMER0, 16 for TIMER1 and TIMER2"),
};

static bool timer_init(Device *dev, Err *err) {
    uint32_t width = timer_of(dev)->max_bits;
    return width == 8 || width == 16 || width == 24 || width == 32 ||
           err_set(err, "maxBits: expected 8, 16, 24 or 32, not %u", (unsigned)width);
}

static const DtName timer_dt_props[] = {{"max-bit-width", "maxBits"}, {NULL, NULL}};
static const DtBinding timer_dt = {.props = timer_dt_props};
static const char *const timer_names[] = {"Timers.NRF51_Timer", "Timers.NRF52840_Timer", NULL};
static const char *const timer_compatible[] = {"nordic,nrf-timer", NULL};

const DeviceType nrf51_timer = {
    .name = "nrf51-timer",
    .summary = "nRF51 timer/counter with four compare registers",
    .repl_types = timer_names,
    .compatible = timer_compatible,
    .dt = &timer_dt,
    .struct_size = sizeof(Nrf51Timer),
    DEVICE_TABLE(props, timer_props),
    DEVICE_TABLE(fields, timer_fields),
    DEVICE_TABLE(regs, timer_regs),
    DEVICE_TABLE(outputs, timer_outputs),
    DEVICE_TABLE(events, timer_events),
    .window_size = NRF_WINDOW,
    .init = timer_init,
};
