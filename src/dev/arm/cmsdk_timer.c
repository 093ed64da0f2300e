/* CMSDK APB timer: 32-bit down counter with reload. Arm Cortex-M System Design Kit TRM (DDI 0479), section 4.3
 * "APB timer". One interrupt line.
 *
 * The counter goes down with every cycle of its clock, stays at zero for one cycle and reloads: a period is RELOAD + 1
 * cycles. The interrupt is set, if enabled, when the counter goes from 1 to 0. Input 0 is EXTIN, which can gate the
 * counter or clock it (rising edges).
 *
 * The TRM says that a write to RELOAD also sets VALUE; the r1p0 logic does not do so. Renode's property
 * loadOnReloadWrite chooses.
 * Not modelled: the two cycles that the synchroniser delays EXTIN. */
#include "dev/arm/cmsdk.h"

enum { CTRL_EN = 1, CTRL_SELEXTEN = 2, CTRL_SELEXTCLK = 4, CTRL_IRQEN = 8 };

typedef struct CmsdkTimer {
    Device dev;
    uint64_t frequency;
    bool load_on_reload_write;
    const Clock *clock;
    Line irq;
    Event zero;
    uint32_t ctrl, reload, intstatus;
    CmsdkCounter counter;
    uint8_t extin;
} CmsdkTimer;

static CmsdkTimer *timer_of(Device *dev) {
    return (CmsdkTimer *)dev;
}

static CmsdkCounterMode mode_of(const CmsdkTimer *t) {
    return (CmsdkCounterMode){
        .running = (t->ctrl & CTRL_EN) && !(t->ctrl & CTRL_SELEXTCLK) && (!(t->ctrl & CTRL_SELEXTEN) || t->extin),
        .reload = t->reload,
        .mask = UINT32_MAX,
    };
}

static void timer_sync(CmsdkTimer *t) {
    CmsdkCounterMode mode = mode_of(t);
    cmsdk_counter_sync(&t->counter, &mode, cmsdk_now(&t->dev, t->clock));
}

/* No event while the interrupt is set already or disabled: a fast timer that nobody listens to costs nothing. */
static void timer_arm(CmsdkTimer *t) {
    uint64_t cycle = UINT64_MAX;
    if ((t->ctrl & CTRL_IRQEN) && !t->intstatus) {
        CmsdkCounterMode mode = mode_of(t);
        cycle = cmsdk_counter_next_zero(&t->counter, &mode, cmsdk_now(&t->dev, t->clock));
    }
    device_event_at(&t->dev, &t->zero, cmsdk_cycle_ns(t->clock, cycle));
}

static void interrupt_set(CmsdkTimer *t) {
    t->intstatus = 1;
    line_set(&t->irq, true);
}

static void timer_zero(Event *event) {
    interrupt_set(CONTAINER_OF(event, CmsdkTimer, zero));
}

static void ctrl_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    CmsdkTimer *t = timer_of(dev);
    t->ctrl = old; /* up to now it counted in the old mode */
    timer_sync(t);
    t->ctrl = value & 0xF;
    timer_arm(t);
}

static uint32_t value_read(Device *dev, unsigned index) {
    (void)index;
    const CmsdkTimer *t = timer_of(dev);
    uint64_t cycle = cmsdk_now(dev, t->clock);
    CmsdkCounterMode mode = mode_of(t);
    return cmsdk_counter_value(&t->counter, &mode, cycle);
}

static void value_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    CmsdkTimer *t = timer_of(dev);
    timer_sync(t);
    t->counter.value = value;
    timer_arm(t);
}

static void reload_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    CmsdkTimer *t = timer_of(dev);
    t->reload = old;
    timer_sync(t);
    t->reload = value;
    if (t->load_on_reload_write) {
        t->counter.value = value;
    }
    timer_arm(t);
}

static void intclear_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    CmsdkTimer *t = timer_of(dev);
    line_set(&t->irq, t->intstatus);
    timer_arm(t);
}

static uint32_t id_read(Device *dev, unsigned index) {
    (void)dev;
    return cmsdk_id(index, 0x22);
}

/* One tick by EXTIN. */
static void extin_tick(CmsdkTimer *t) {
    uint32_t value = t->counter.value;
    t->counter.value = value ? value - 1 : t->reload;
    if (value == 1 && (t->ctrl & CTRL_IRQEN)) {
        interrupt_set(t);
    }
}

static void timer_input(Device *dev, unsigned index, bool level) {
    (void)index;
    CmsdkTimer *t = timer_of(dev);
    timer_sync(t);
    t->extin = level;
    if (level && (t->ctrl & CTRL_EN) && (t->ctrl & CTRL_SELEXTCLK)) {
        extin_tick(t);
    }
    timer_arm(t);
}

static bool timer_init(Device *dev, Err *err) {
    CmsdkTimer *t = timer_of(dev);
    return cmsdk_clock_init(dev, &t->clock, t->frequency, err);
}

static const Prop props[] = {
    PROP_U64(CmsdkTimer, frequency, "frequency", 25000000, "counter clock in Hz"),
    PROP_BOOL(CmsdkTimer, load_on_reload_write, "loadOnReloadWrite", false, "a write to RELOAD sets VALUE too"),
};

static const Field fields[] = {
    CMSDK_COUNTER_FIELDS(CmsdkTimer, counter, 0),
    FIELD(CmsdkTimer, extin, 0, "level of EXTIN"),
};

#define AT(member) .storage = offsetof(CmsdkTimer, member)
static const Reg regs[] = {
    {.name = "CTRL", .offset = 0x00, AT(ctrl), .writable = 0xF, .write = ctrl_write},
    {.name = "VALUE", .offset = 0x04, .read = value_read, .write = value_write},
    {.name = "RELOAD", .offset = 0x08, AT(reload), .writable = UINT32_MAX, .write = reload_write},
    {.name = "INTSTATUS", .offset = 0x0C, AT(intstatus), .clear_on_one = 1, .write = intclear_write},
    CMSDK_ID_REGS(id_read),
};

static const Output outputs[] = {{.name = "IRQ", .offset = offsetof(CmsdkTimer, irq)}};
static const EventField events[] = {{.name = "zero", .offset = offsetof(CmsdkTimer, zero), .fire = timer_zero}};
static const char *const repl_types[] = {"Timers.Arm_CMSDK_Timer", NULL};
static const char *const compatible[] = {"arm,cmsdk-timer", NULL};

const DeviceType cmsdk_timer_type = {
    .name = "cmsdk-timer",
    .summary = "Arm CMSDK APB timer: 32-bit down counter with reload",
    .repl_types = repl_types,
    .compatible = compatible,
    .struct_size = sizeof(CmsdkTimer),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(fields, fields),
    DEVICE_TABLE(regs, regs),
    DEVICE_TABLE(outputs, outputs),
    DEVICE_TABLE(events, events),
    .n_inputs = 1,
    .window_size = CMSDK_WINDOW,
    .init = timer_init,
    .input = timer_input,
};
