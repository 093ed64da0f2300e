/* GPTIMER and GRTIMER: timer units with a common prescaler. GRLIB IP Core User's Manual, "GPTIMER" and "GRTIMER";
 * GR712RC and GR740 User's Manuals. Checked against GRLIB's RTL.
 *
 * The scaler counts clock cycles down and ticks when it would go below 0; each tick decrements the timers that run,
 * or, of a chained timer, each underflow of the timer before. A timer underflows when it is decremented at 0: it
 * reloads and goes on (RS) or stops. Numbered output n is the interrupt of timer n, if they are separate, else output
 * 0 is that of all; they are pulses. Property watchdog makes the last timer one: it runs after reset, and output
 * Watchdog follows its IP bit. With a latch any interrupt that LATCHCFG selects stores all timer values (EL), or
 * reloads them (ES). Input 0 says that the processors are in debug mode, where the scaler stands still unless DF is
 * set. It also stands still while no timer is enabled, as in the current RTL.
 * Not modelled: the cycles that the shared decrementer takes from tick to timer n (the scaler must be reloaded with at
 * least the number of timers therefore); external clock and external latch; the watchdog window. */
#include "bus/dt_binding.h"
#include "dev/gaisler/gaisler.h"

enum { TIMERS_MAX = 7 };
enum { TCTRL_WS = 1 << 8, TCTRL_WN = 1 << 7, TCTRL_DH = 1 << 6, TCTRL_CH = 1 << 5, TCTRL_IP = 1 << 4,
       TCTRL_IE = 1 << 3, TCTRL_LD = 1 << 2, TCTRL_RS = 1 << 1, TCTRL_EN = 1 };
enum { CONFIG_IRQ_SHIFT = 3, CONFIG_SI = 1 << 8, CONFIG_DF = 1 << 9, CONFIG_EL = 1 << 11, CONFIG_ES = 1 << 12,
       CONFIG_ENABLE_SHIFT = 16 };

typedef struct Gptimer {
    Device dev;
    uint64_t frequency;
    uint32_t n_timers, scaler_bits, watchdog;
    bool separate, has_latch, watchdog_resets, zero_clears;
    Device *controller;
    const Clock *clock;
    Line irq[TIMERS_MAX], watchdog_line, nmi;
    Event underflow;
    GaislerListener listener;

    uint32_t scaler, scaler_reload; /* scaler: at base_cycle */
    uint32_t config, latch_select;
    uint32_t value[TIMERS_MAX], reload[TIMERS_MAX], control[TIMERS_MAX], latch[TIMERS_MAX];
    uint64_t base_cycle;
    uint8_t halted; /* level of input 0 */
} Gptimer;

static Gptimer *gptimer_of(Device *dev) {
    return (Gptimer *)dev;
}

static uint32_t scaler_mask(const Gptimer *t) {
    return t->scaler_bits == 32 ? UINT32_MAX : (UINT32_C(1) << t->scaler_bits) - 1;
}

static bool any_enabled(const Gptimer *t) {
    uint32_t control = 0;
    for (unsigned i = 0; i < t->n_timers; i++) {
        control |= t->control[i];
    }
    return control & TCTRL_EN;
}

static bool scaler_runs(const Gptimer *t) {
    return any_enabled(t) && (!t->halted || (t->config & CONFIG_DF));
}

/* ---- Counting ---------------------------------------------------------------------------------------------------- */

/* Moves the scaler to a cycle; returns its ticks up to there. */
static uint64_t scaler_advance(Gptimer *t, uint64_t cycle) {
    uint64_t elapsed = cycle - t->base_cycle, first = (uint64_t)t->scaler + 1, period = (uint64_t)t->scaler_reload + 1;
    t->base_cycle = cycle;
    if (elapsed < first) {
        t->scaler -= (uint32_t)elapsed;
        return 0;
    }
    elapsed -= first;
    t->scaler = (uint32_t)(t->scaler_reload - elapsed % period);
    return 1 + elapsed / period;
}

/* Decrements a timer; returns how often it underflows. */
static uint64_t timer_advance(Gptimer *t, unsigned i, uint64_t decrements) {
    if (!(t->control[i] & TCTRL_EN)) {
        return 0;
    }
    if (decrements <= t->value[i]) {
        t->value[i] -= (uint32_t)decrements;
        return 0;
    }
    if (!(t->control[i] & TCTRL_RS)) {
        t->value[i] = UINT32_MAX;
        t->control[i] &= ~(uint32_t)TCTRL_EN;
        return 1;
    }
    uint64_t over = decrements - t->value[i] - 1, period = (uint64_t)t->reload[i] + 1;
    t->value[i] = (uint32_t)(t->reload[i] - over % period);
    return 1 + over / period;
}

static void watchdog_update(Gptimer *t) {
    uint32_t control = t->control[t->n_timers - 1];
    bool barks = t->watchdog && (control & TCTRL_IP) && !(control & TCTRL_WS);
    if (barks && !t->watchdog_line.level && t->watchdog_resets) {
        t->dev.board->request_reset(t->dev.board);
    }
    line_set(&t->watchdog_line, barks);
}

static void timer_interrupt(Gptimer *t, unsigned i) {
    bool is_last = i == t->n_timers - 1;
    t->control[i] |= TCTRL_IP;
    if (is_last) {
        watchdog_update(t);
        if (t->watchdog && (t->control[i] & TCTRL_WN)) {
            line_pulse(&t->nmi);
        }
    }
    line_pulse(&t->irq[t->separate ? i : 0]);
}

/* Brings everything to now. Underflows that interrupt are events, so there is one of each timer at most here. */
static void gptimer_sync(Gptimer *t) {
    uint64_t cycle = gaisler_now(&t->dev, t->clock), underflows = 0;
    if (!scaler_runs(t)) {
        t->base_cycle = cycle;
        return;
    }
    uint64_t ticks = scaler_advance(t, cycle);
    uint32_t interrupts = 0;
    if (!ticks) {
        return; /* most reads come between two of them */
    }
    for (unsigned i = 0; i < t->n_timers; i++) {
        underflows = timer_advance(t, i, t->control[i] & TCTRL_CH ? underflows : ticks);
        interrupts |= (uint32_t)(underflows && (t->control[i] & TCTRL_IE)) << i;
    }
    if (!any_enabled(t)) {
        t->scaler = t->scaler_reload; /* it stopped at the tick that stopped the last timer */
    }
    for (unsigned i = 0; i < t->n_timers; i++) {
        if (interrupts >> i & 1) {
            timer_interrupt(t, i);
        }
    }
}

/* The tick, counted from now, of underflow number k (from 1) of a timer; UINT64_MAX if it never comes. */
static uint64_t underflow_tick(const Gptimer *t, unsigned i, uint64_t k) {
    uint64_t more = 0;
    for (;; i--) {
        uint32_t control = t->control[i];
        if (!(control & TCTRL_EN) || (k > 1 && !(control & TCTRL_RS)) ||
            __builtin_mul_overflow(k - 1, (uint64_t)t->reload[i] + 1, &more) ||
            __builtin_add_overflow(more, (uint64_t)t->value[i] + 1, &k)) {
            return UINT64_MAX;
        }
        if (!(control & TCTRL_CH)) {
            return k;
        }
        if (i == 0) {
            return UINT64_MAX; /* nothing is before the first timer */
        }
    }
}

static void gptimer_arm(Gptimer *t) {
    uint64_t tick = UINT64_MAX, cycles, time_ns = TIME_NEVER;
    for (unsigned i = 0; i < t->n_timers; i++) {
        uint64_t own = t->control[i] & TCTRL_IE ? underflow_tick(t, i, 1) : UINT64_MAX;
        tick = own < tick ? own : tick;
    }
    if (tick != UINT64_MAX && scaler_runs(t) &&
        !__builtin_mul_overflow(tick - 1, (uint64_t)t->scaler_reload + 1, &cycles) &&
        !__builtin_add_overflow(cycles, t->base_cycle + t->scaler + 1, &cycles)) {
        time_ns = clock_ns(t->clock, cycles);
    }
    device_event_at(&t->dev, &t->underflow, time_ns);
}

static void gptimer_underflow(Event *event) {
    Gptimer *t = CONTAINER_OF(event, Gptimer, underflow);
    gptimer_sync(t);
    gptimer_arm(t);
}

/* ---- Registers --------------------------------------------------------------------------------------------------- */

static uint32_t scaler_read(Device *dev, unsigned index) {
    (void)index;
    gptimer_sync(gptimer_of(dev));
    return gptimer_of(dev)->scaler;
}

static void scaler_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Gptimer *t = gptimer_of(dev);
    gptimer_sync(t);
    t->scaler = value & scaler_mask(t);
    gptimer_arm(t);
}

static uint32_t scaler_reload_read(Device *dev, unsigned index) {
    (void)index;
    return gptimer_of(dev)->scaler_reload;
}

static void scaler_reload_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Gptimer *t = gptimer_of(dev);
    gptimer_sync(t);
    t->scaler = t->scaler_reload = value & scaler_mask(t);
    if (t->scaler_reload < t->n_timers) {
        device_guest_log(dev, GUEST_MISUSE, "SRELOAD", "the least valid value is %u, the number of timers",
                         (unsigned)t->n_timers);
    }
    gptimer_arm(t);
}

static uint32_t config_read(Device *dev, unsigned index) {
    (void)index;
    const Gptimer *t = gptimer_of(dev);
    return t->config | (t->separate ? CONFIG_SI : 0) | amba_irq(dev, 0) << CONFIG_IRQ_SHIFT | t->n_timers;
}

static void config_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Gptimer *t = gptimer_of(dev);
    gptimer_sync(t);
    t->config = value & (CONFIG_DF | (t->has_latch ? CONFIG_EL | CONFIG_ES : 0));
    for (unsigned i = 0; i < t->n_timers; i++) {
        t->control[i] |= value >> (CONFIG_ENABLE_SHIFT + i) & TCTRL_EN;
    }
    gptimer_arm(t);
}

static uint32_t value_read(Device *dev, unsigned index) {
    gptimer_sync(gptimer_of(dev));
    return gptimer_of(dev)->value[index];
}

static void value_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)old;
    Gptimer *t = gptimer_of(dev);
    gptimer_sync(t);
    t->value[index] = index < t->n_timers ? value : 0;
    gptimer_arm(t);
}

static uint32_t reload_read(Device *dev, unsigned index) {
    return gptimer_of(dev)->reload[index];
}

static void reload_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)old;
    Gptimer *t = gptimer_of(dev);
    gptimer_sync(t);
    t->reload[index] = index < t->n_timers ? value : 0;
    gptimer_arm(t);
}

static uint32_t control_read(Device *dev, unsigned index) {
    Gptimer *t = gptimer_of(dev);
    gptimer_sync(t);
    return index < t->n_timers ? t->control[index] | (t->halted ? TCTRL_DH : 0) : 0;
}

static void control_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)old;
    Gptimer *t = gptimer_of(dev);
    if (index >= t->n_timers) {
        return;
    }
    gptimer_sync(t);
    uint32_t kept = t->control[index] & (t->zero_clears ? value : ~value) & TCTRL_IP;
    uint32_t writable = TCTRL_CH | TCTRL_IE | TCTRL_RS | TCTRL_EN;
    if (t->watchdog && index == t->n_timers - 1) {
        writable |= TCTRL_WS | TCTRL_WN;
    }
    t->control[index] = kept | (value & writable);
    if (value & TCTRL_LD) {
        t->value[index] = t->reload[index];
    }
    watchdog_update(t);
    gptimer_arm(t);
}

static uint32_t latch_select_read(Device *dev, unsigned index) {
    (void)index;
    return gptimer_of(dev)->latch_select;
}

static void latch_select_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    gptimer_of(dev)->latch_select = gptimer_of(dev)->has_latch ? value : 0;
}

static uint32_t latch_read(Device *dev, unsigned index) {
    return gptimer_of(dev)->latch[index];
}

/* ---- Signals ----------------------------------------------------------------------------------------------------- */

/* Values are stored before they are reloaded. Each happens once, until it is enabled again. */
static void bus_interrupt(GaislerListener *listener, unsigned irq) {
    Gptimer *t = CONTAINER_OF(listener, Gptimer, listener);
    if (!(t->latch_select >> irq & 1) || !(t->config & (CONFIG_EL | CONFIG_ES))) {
        return;
    }
    uint32_t wanted = t->config;
    t->config &= ~(uint32_t)(CONFIG_EL | CONFIG_ES); /* first: the interrupt may be one of our own */
    gptimer_sync(t);
    for (unsigned i = 0; i < t->n_timers; i++) {
        t->latch[i] = wanted & CONFIG_EL ? t->value[i] : t->latch[i];
        t->value[i] = wanted & CONFIG_ES ? t->reload[i] : t->value[i];
    }
    gptimer_arm(t);
}

static void gptimer_input(Device *dev, unsigned index, bool level) {
    (void)index;
    Gptimer *t = gptimer_of(dev);
    gptimer_sync(t);
    t->halted = level;
    gptimer_arm(t);
}

/* ---- The device -------------------------------------------------------------------------------------------------- */

static bool gptimer_init(Device *dev, Err *err) {
    Gptimer *t = gptimer_of(dev);
    if (t->n_timers < 1 || t->n_timers > TIMERS_MAX || t->scaler_bits < 8 || t->scaler_bits > 32) {
        return err_set(err, "%s: numberOfTimers must be 1 to %d, scalerBits 8 to 32", dev->name, TIMERS_MAX);
    }
    t->listener.asserted = bus_interrupt;
    if (t->controller && !gaisler_irq_listen(t->controller, &t->listener)) {
        return err_set(err, "%s: interruptController must be a GRLIB IRQMP", dev->name);
    }
    return gaisler_clock_init(dev, &t->clock, t->frequency, err);
}

static void gptimer_reset(Device *dev) {
    Gptimer *t = gptimer_of(dev);
    unsigned last = t->n_timers - 1;
    t->scaler = t->scaler_reload = scaler_mask(t);
    t->base_cycle = gaisler_now(dev, t->clock);
    if (t->watchdog) {
        t->value[last] = t->reload[last] = t->watchdog;
        t->control[last] = TCTRL_IE | TCTRL_EN;
    }
    gptimer_arm(t);
}

static const Prop props[] = {
    PROP_U64(Gptimer, frequency, "frequency", 50000000, "clock in Hz"),
    PROP_U32(Gptimer, n_timers, "numberOfTimers", 4, "timers"),
    PROP_U32(Gptimer, scaler_bits, "scalerBits", 16, "bits of the prescaler"),
    PROP_U32(Gptimer, watchdog, "watchdog", 0, "the last timer is a watchdog with this reload value; 0: it is none"),
    PROP_BOOL(Gptimer, separate, "separateInterrupts", true, "each timer has its own interrupt"),
    PROP_BOOL(Gptimer, has_latch, "supportsTimeLatch", false, "has latch registers"),
    PROP_BOOL(Gptimer, watchdog_resets, "watchdogResets", false, "the board resets when the watchdog barks"),
    PROP_BOOL(Gptimer, zero_clears, "zeroClearsPending", false, "IP is cleared by writing 0, as in GR712RC, not 1"),
    PROP_DEVICE(Gptimer, controller, "interruptController", false, "whose interrupts latch the timers"),
};

static const Field fields[] = {
    FIELD(Gptimer, scaler, 0, "SCALER at base_cycle"),
    FIELD(Gptimer, scaler_reload, 0, "SRELOAD"),
    FIELD(Gptimer, config, 0, "CONFIG"),
    FIELD(Gptimer, latch_select, 0, "LATCHCFG"),
    FIELD_ARRAY(Gptimer, value, 0, "TCNTVAL at base_cycle"),
    FIELD_ARRAY(Gptimer, reload, 0, "TRLDVAL"),
    FIELD_ARRAY(Gptimer, control, 0, "TCTRL"),
    FIELD_ARRAY(Gptimer, latch, 0, "TLATCH"),
    FIELD(Gptimer, base_cycle, 0, "clock cycle at which scaler and timers hold"),
    FIELD(Gptimer, halted, 0, "the processors are in debug mode"),
};

static const Reg regs[] = {
    {.name = "SCALER", .offset = 0x00, .read = scaler_read, .write = scaler_write},
    {.name = "SRELOAD", .offset = 0x04, .read = scaler_reload_read, .write = scaler_reload_write},
    {.name = "CONFIG", .offset = 0x08, .read = config_read, .write = config_write},
    {.name = "LATCHCFG", .offset = 0x0C, .read = latch_select_read, .write = latch_select_write},
    {.name = "TCNTVAL", .offset = 0x10, .count = TIMERS_MAX, .stride = 16, .read = value_read, .write = value_write},
    {.name = "TRLDVAL", .offset = 0x14, .count = TIMERS_MAX, .stride = 16, .read = reload_read, .write = reload_write},
    {.name = "TCTRL", .offset = 0x18, .count = TIMERS_MAX, .stride = 16, .read = control_read, .write = control_write},
    {.name = "TLATCH", .offset = 0x1C, .count = TIMERS_MAX, .stride = 16, .read = latch_read, .access = REG_RO},
};

static const Output outputs[] = {
    {.offset = offsetof(Gptimer, irq), .count = TIMERS_MAX},
    {.name = "Watchdog", .offset = offsetof(Gptimer, watchdog_line)},
    {.name = "NMI", .offset = offsetof(Gptimer, nmi)},
};
static const EventField events[] = {
    {.name = "underflow", .offset = offsetof(Gptimer, underflow), .fire = gptimer_underflow}};
static const AmbaCore gptimer_amba = {.vendor = AMBA_VENDOR_GAISLER, .device = 0x011};
static const AmbaCore grtimer_amba = {.vendor = AMBA_VENDOR_GAISLER, .device = 0x038, .version = 1};
static const DtName dt_devices[] = {{"gaisler,irqmp", "interruptController"}, {NULL, NULL}};
static const DtBinding dt = {.devices = dt_devices, .consecutive = "numberOfTimers"};
static const char *const gptimer_repl_types[] = {"Timers.Gaisler_GPTimer", NULL};
static const char *const grtimer_repl_types[] = {"Timers.Gaisler_GRTimer", NULL};
static const char *const compatible[] = {"gaisler,gptimer", NULL};

#define GPTIMER_COMMON                                                                                                 \
    .struct_size = sizeof(Gptimer), DEVICE_TABLE(props, props), DEVICE_TABLE(fields, fields),                          \
    DEVICE_TABLE(regs, regs), DEVICE_TABLE(outputs, outputs), DEVICE_TABLE(events, events), .n_inputs = 1,             \
    .window_size = GAISLER_APB_WINDOW, .init = gptimer_init, .reset = gptimer_reset, .input = gptimer_input

const DeviceType gaisler_gptimer_type = {
    .name = "grlib-gptimer",
    .summary = "GRLIB general purpose timer unit: prescaler, up to 7 timers, watchdog, latches",
    .repl_types = gptimer_repl_types,
    .compatible = compatible,
    .dt = &dt,
    .amba = &gptimer_amba,
    GPTIMER_COMMON,
};

const DeviceType gaisler_grtimer_type = {
    .name = "grlib-grtimer",
    .summary = "GRLIB timer unit with time latch",
    .repl_types = grtimer_repl_types,
    .amba = &grtimer_amba,
    GPTIMER_COMMON,
};
