/* CMSDK APB watchdog: 32-bit down counter, first an interrupt, then a reset. Arm Cortex-M System Design Kit TRM
 * (DDI 0479), section 4.5 "APB watchdog". One interrupt line (an NMI on most systems) and the reset request.
 *
 * WDOGCONTROL.INTEN runs the counter. The first arrival at zero sets the interrupt, a further one while it is still set
 * requests a reset if RESEN is set, and stops the counter. Clearing the interrupt, writing WDOGLOAD or setting INTEN
 * starts again from WDOGLOAD. While WDOGLOCK is locked, writes to all other registers are ignored; it is open after
 * reset.
 * Not modelled: WDOGCLKEN (always high), separate resets of the two clock domains. */
#include "dev/arm/cmsdk.h"

enum { CONTROL_INTEN = 1, CONTROL_RESEN = 2 };
enum { ITOP_WDOGRES = 1, ITOP_WDOGINT = 2 };
#define WDOG_UNLOCK UINT32_C(0x1ACCE551)

typedef struct CmsdkWatchdog {
    Device dev;
    uint64_t frequency;
    const Clock *clock;
    Line irq, reset_request;
    Event zero;
    uint32_t load, control, ris, locked, itcr, itop;
    uint8_t expired; /* a reset has been requested: the counter stands */
    CmsdkCounter counter;
} CmsdkWatchdog;

static CmsdkWatchdog *watchdog_of(Device *dev) {
    return (CmsdkWatchdog *)dev;
}

static CmsdkCounterMode mode_of(const CmsdkWatchdog *w) {
    return (CmsdkCounterMode){
        .running = (w->control & CONTROL_INTEN) && !w->expired,
        .reload = w->load,
        .mask = UINT32_MAX,
    };
}

static void lines_update(CmsdkWatchdog *w) {
    bool irq = w->ris && (w->control & CONTROL_INTEN), reset = w->expired && (w->control & CONTROL_RESEN);
    if (w->itcr) {
        irq = w->itop & ITOP_WDOGINT;
        reset = w->itop & ITOP_WDOGRES;
    }
    line_set(&w->irq, irq);
    if (reset && !w->reset_request.level) {
        w->dev.board->request_reset(w->dev.board);
    }
    line_set(&w->reset_request, reset);
}

static void watchdog_arm(CmsdkWatchdog *w) {
    uint64_t cycle = UINT64_MAX;
    if (!w->ris || (w->control & CONTROL_RESEN)) {
        CmsdkCounterMode mode = mode_of(w);
        cycle = cmsdk_counter_next_zero(&w->counter, &mode, cmsdk_now(&w->dev, w->clock));
    }
    device_event_at(&w->dev, &w->zero, cmsdk_cycle_ns(w->clock, cycle));
}

static void watchdog_sync(CmsdkWatchdog *w) {
    CmsdkCounterMode mode = mode_of(w);
    cmsdk_counter_sync(&w->counter, &mode, cmsdk_now(&w->dev, w->clock));
}

static void arrived(CmsdkWatchdog *w) {
    if (!w->ris) {
        w->ris = 1;
    } else if (w->control & CONTROL_RESEN) {
        watchdog_sync(w);
        w->expired = 1;
    }
    watchdog_arm(w);
    lines_update(w);
}

static void watchdog_zero(Event *event) {
    arrived(CONTAINER_OF(event, CmsdkWatchdog, zero));
}

/* Whether a write may pass. */
static bool unlocked(CmsdkWatchdog *w, const char *name) {
    if (w->locked) {
        device_guest_log(&w->dev, GUEST_MISUSE, name, "write while WDOGLOCK is locked");
    }
    return !w->locked;
}

static void load_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    CmsdkWatchdog *w = watchdog_of(dev);
    if (!unlocked(w, "WDOGLOAD")) {
        return;
    }
    watchdog_sync(w);
    w->load = w->counter.value = value;
    w->expired = 0;
    if (value == 0) {
        device_guest_log(dev, GUEST_MISUSE, "WDOGLOAD", "the least valid value is 1");
        arrived(w);
    }
    watchdog_arm(w);
    lines_update(w);
}

static uint32_t value_read(Device *dev, unsigned index) {
    (void)index;
    const CmsdkWatchdog *w = watchdog_of(dev);
    CmsdkCounterMode mode = mode_of(w);
    return cmsdk_counter_value(&w->counter, &mode, cmsdk_now(dev, w->clock));
}

static void control_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    CmsdkWatchdog *w = watchdog_of(dev);
    if (!unlocked(w, "WDOGCONTROL")) {
        return;
    }
    watchdog_sync(w);
    if ((value & CONTROL_INTEN) && !(w->control & CONTROL_INTEN)) {
        w->counter.value = w->load;
    }
    w->control = value & (CONTROL_INTEN | CONTROL_RESEN);
    watchdog_arm(w);
    lines_update(w);
}

static void intclr_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    CmsdkWatchdog *w = watchdog_of(dev);
    if (!unlocked(w, "WDOGINTCLR")) {
        return;
    }
    watchdog_sync(w);
    w->ris = 0;
    if (mode_of(w).running) {
        w->counter.value = w->load;
    }
    watchdog_arm(w);
    lines_update(w);
}

static uint32_t mis_read(Device *dev, unsigned index) {
    (void)index;
    const CmsdkWatchdog *w = watchdog_of(dev);
    return w->ris && (w->control & CONTROL_INTEN);
}

static void lock_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    watchdog_of(dev)->locked = value != WDOG_UNLOCK;
}

static void itcr_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    CmsdkWatchdog *w = watchdog_of(dev);
    if (unlocked(w, "WDOGITCR")) {
        w->itcr = value & 1;
        lines_update(w);
    }
}

static void itop_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    CmsdkWatchdog *w = watchdog_of(dev);
    if (unlocked(w, "WDOGITOP")) {
        w->itop = value & (ITOP_WDOGRES | ITOP_WDOGINT);
        lines_update(w);
    }
}

static uint32_t id_read(Device *dev, unsigned index) {
    (void)dev;
    return cmsdk_id(index, 0x24);
}

static bool watchdog_init(Device *dev, Err *err) {
    CmsdkWatchdog *w = watchdog_of(dev);
    return cmsdk_clock_init(dev, &w->clock, w->frequency, err);
}

static const Prop props[] = {PROP_U64(CmsdkWatchdog, frequency, "frequency", 25000000, "WDOGCLK in Hz")};

static const Field fields[] = {
    CMSDK_COUNTER_FIELDS(CmsdkWatchdog, counter, UINT32_MAX),
    FIELD(CmsdkWatchdog, expired, 0, "a reset has been requested"),
};

/* The hooks store: a locked register keeps its value. */
#define AT(member) .storage = offsetof(CmsdkWatchdog, member)
static const Reg regs[] = {
    {.name = "WDOGLOAD", .offset = 0x000, AT(load), .reset = UINT32_MAX, .write = load_write},
    {.name = "WDOGVALUE", .offset = 0x004, .read = value_read, .access = REG_RO},
    {.name = "WDOGCONTROL", .offset = 0x008, AT(control), .write = control_write},
    {.name = "WDOGINTCLR", .offset = 0x00C, .write = intclr_write, .access = REG_WO},
    {.name = "WDOGRIS", .offset = 0x010, AT(ris), .access = REG_RO},
    {.name = "WDOGMIS", .offset = 0x014, .read = mis_read, .access = REG_RO},
    {.name = "WDOGLOCK", .offset = 0xC00, AT(locked), .write = lock_write},
    {.name = "WDOGITCR", .offset = 0xF00, AT(itcr), .write = itcr_write},
    {.name = "WDOGITOP", .offset = 0xF04, AT(itop), .write = itop_write, .access = REG_WO},
    CMSDK_ID_REGS(id_read),
};

static const Output outputs[] = {
    {.name = "IRQ", .offset = offsetof(CmsdkWatchdog, irq)},
    {.name = "ResetRequest", .offset = offsetof(CmsdkWatchdog, reset_request)},
};
static const EventField events[] = {{.name = "zero", .offset = offsetof(CmsdkWatchdog, zero), .fire = watchdog_zero}};
static const char *const repl_types[] = {"Timers.Arm_CMSDK_Watchdog", NULL};
static const char *const compatible[] = {"arm,cmsdk-watchdog", NULL};

const DeviceType cmsdk_watchdog_type = {
    .name = "cmsdk-watchdog",
    .summary = "Arm CMSDK APB watchdog: interrupt, then system reset",
    .repl_types = repl_types,
    .compatible = compatible,
    .struct_size = sizeof(CmsdkWatchdog),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(fields, fields),
    DEVICE_TABLE(regs, regs),
    DEVICE_TABLE(outputs, outputs),
    DEVICE_TABLE(events, events),
    .window_size = CMSDK_WINDOW,
    .init = watchdog_init,
};
