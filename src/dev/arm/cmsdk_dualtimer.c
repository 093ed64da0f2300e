/* CMSDK APB dual timer: two 16/32-bit down counters with prescalers. Arm Cortex-M System Design Kit TRM (DDI 0479),
 * section 4.4 "APB dual-input timers". Interrupts: one line per counter and the combined one.
 *
 * Free-running counters wrap to all ones, periodic ones start again from LOAD, one-shot ones stay at zero until LOAD is
 * written. A counter rests at zero for one tick. The raw interrupt is set when it arrives there; loading zero arrives
 * at once. In 16-bit mode the upper half keeps what was loaded. The prescaler runs with the counter and starts again
 * when LOAD is written, so the first tick after that is a whole one.
 * Not modelled: TIMCLKEN inputs (always high), the clock cycle between a write to LOAD and its effect. */
#include "bus/dt_binding.h"
#include "dev/arm/cmsdk.h"

enum { COUNTERS = 2 };
enum { CONTROL_ONESHOT = 1, CONTROL_SIZE32 = 2, CONTROL_INTEN = 0x20, CONTROL_PERIODIC = 0x40, CONTROL_ENABLE = 0x80 };
enum { CONTROL_BITS = 0xEF, CONTROL_RESET = CONTROL_INTEN };

typedef struct CmsdkDualTimer {
    Device dev;
    uint64_t frequency;
    const Clock *clock;
    Line irq[COUNTERS], combined;
    Event zero[COUNTERS];
    uint32_t load[COUNTERS], control[COUNTERS], ris[COUNTERS];
    uint32_t itcr, itop;
    CmsdkCounter counter[COUNTERS];
} CmsdkDualTimer;

static CmsdkDualTimer *timer_of(Device *dev) {
    return (CmsdkDualTimer *)dev;
}

static CmsdkCounterMode mode_of(const CmsdkDualTimer *t, unsigned n) {
    static const uint8_t shifts[] = {0, 4, 8, 8}; /* 1, 16, 256, and undefined */
    uint32_t control = t->control[n];
    return (CmsdkCounterMode){
        .running = control & CONTROL_ENABLE,
        .one_shot = control & CONTROL_ONESHOT,
        .wraps = !(control & CONTROL_PERIODIC),
        .reload = t->load[n],
        .mask = control & CONTROL_SIZE32 ? UINT32_MAX : UINT16_MAX,
        .divisor_shift = shifts[bits(control, 2, 2)],
    };
}

static void lines_update(CmsdkDualTimer *t) {
    bool any = false;
    for (unsigned n = 0; n < COUNTERS; n++) {
        bool level = t->itcr ? bit(t->itop, n) : t->ris[n] && (t->control[n] & CONTROL_INTEN);
        line_set(&t->irq[n], level);
        any |= level;
    }
    line_set(&t->combined, any);
}

static void counter_sync(CmsdkDualTimer *t, unsigned n) {
    CmsdkCounterMode mode = mode_of(t, n);
    cmsdk_counter_sync(&t->counter[n], &mode, cmsdk_now(&t->dev, t->clock));
}

/* The raw interrupt is visible even if it is disabled; once it is set, the next arrivals change nothing. */
static void counter_arm(CmsdkDualTimer *t, unsigned n) {
    uint64_t cycle = UINT64_MAX;
    if (!t->ris[n]) {
        CmsdkCounterMode mode = mode_of(t, n);
        cycle = cmsdk_counter_next_zero(&t->counter[n], &mode, cmsdk_now(&t->dev, t->clock));
    }
    device_event_at(&t->dev, &t->zero[n], cmsdk_cycle_ns(t->clock, cycle));
}

static void arrived(CmsdkDualTimer *t, unsigned n) {
    t->ris[n] = 1;
    lines_update(t);
}

static void zero1(Event *event) {
    arrived(CONTAINER_OF(event, CmsdkDualTimer, zero[0]), 0);
}
static void zero2(Event *event) {
    arrived(CONTAINER_OF(event, CmsdkDualTimer, zero[1]), 1);
}

static void load_write(Device *dev, unsigned n, uint32_t value, uint32_t old) {
    CmsdkDualTimer *t = timer_of(dev);
    t->load[n] = old;
    counter_sync(t, n);
    t->load[n] = value;
    t->counter[n].value = value;
    t->counter[n].phase = 0;
    CmsdkCounterMode mode = mode_of(t, n);
    if ((value & mode.mask) == 0) {
        arrived(t, n);
    }
    counter_arm(t, n);
}

static void bgload_write(Device *dev, unsigned n, uint32_t value, uint32_t old) {
    CmsdkDualTimer *t = timer_of(dev);
    t->load[n] = old;
    counter_sync(t, n);
    t->load[n] = value;
    counter_arm(t, n);
}

static uint32_t value_read(Device *dev, unsigned n) {
    const CmsdkDualTimer *t = timer_of(dev);
    CmsdkCounterMode mode = mode_of(t, n);
    return cmsdk_counter_value(&t->counter[n], &mode, cmsdk_now(dev, t->clock));
}

static void control_write(Device *dev, unsigned n, uint32_t value, uint32_t old) {
    CmsdkDualTimer *t = timer_of(dev);
    if (bits(value, 2, 2) == 3) {
        device_guest_log(dev, GUEST_MISUSE, n ? "TIMER2CONTROL" : "TIMER1CONTROL", "prescale value 3 is undefined");
    }
    t->control[n] = old;
    counter_sync(t, n);
    t->control[n] = value & CONTROL_BITS;
    counter_arm(t, n);
    lines_update(t);
}

static void intclr_write(Device *dev, unsigned n, uint32_t value, uint32_t old) {
    (void)value, (void)old;
    CmsdkDualTimer *t = timer_of(dev);
    t->ris[n] = 0;
    counter_arm(t, n);
    lines_update(t);
}

static uint32_t mis_read(Device *dev, unsigned n) {
    const CmsdkDualTimer *t = timer_of(dev);
    return t->ris[n] && (t->control[n] & CONTROL_INTEN);
}

static void test_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    lines_update(timer_of(dev));
}

static uint32_t id_read(Device *dev, unsigned index) {
    (void)dev;
    return cmsdk_id(index, 0x23);
}

static bool timer_init(Device *dev, Err *err) {
    CmsdkDualTimer *t = timer_of(dev);
    return cmsdk_clock_init(dev, &t->clock, t->frequency, err);
}

static const Prop props[] = {PROP_U64(CmsdkDualTimer, frequency, "frequency", 25000000, "TIMCLK in Hz")};

static const Field fields[] = {
    CMSDK_COUNTER_FIELDS(CmsdkDualTimer, counter[0], UINT32_MAX),
    CMSDK_COUNTER_FIELDS(CmsdkDualTimer, counter[1], UINT32_MAX),
};

#define ARRAY(member) .count = COUNTERS, .stride = 0x20, .storage = offsetof(CmsdkDualTimer, member)
static const Reg regs[] = {
    {.name = "TIMERxLOAD", .offset = 0x00, ARRAY(load), .writable = UINT32_MAX, .write = load_write},
    {.name = "TIMERxVALUE", .offset = 0x04, .count = COUNTERS, .stride = 0x20, .read = value_read, .access = REG_RO},
    {.name = "TIMERxCONTROL", .offset = 0x08, ARRAY(control), .reset = CONTROL_RESET, .writable = CONTROL_BITS,
     .write = control_write},
    {.name = "TIMERxINTCLR", .offset = 0x0C, .count = COUNTERS, .stride = 0x20, .write = intclr_write,
     .access = REG_WO},
    {.name = "TIMERxRIS", .offset = 0x10, ARRAY(ris), .access = REG_RO},
    {.name = "TIMERxMIS", .offset = 0x14, .count = COUNTERS, .stride = 0x20, .read = mis_read, .access = REG_RO},
    {.name = "TIMERxBGLOAD", .offset = 0x18, ARRAY(load), .writable = UINT32_MAX, .write = bgload_write},
    {.name = "TIMERITCR", .offset = 0xF00, .storage = offsetof(CmsdkDualTimer, itcr), .writable = 1,
     .write = test_write},
    {.name = "TIMERITOP", .offset = 0xF04, .storage = offsetof(CmsdkDualTimer, itop), .writable = 3,
     .write = test_write, .access = REG_WO},
    CMSDK_ID_REGS(id_read),
};

static const Output outputs[] = {
    {.name = "IRQ1", .offset = offsetof(CmsdkDualTimer, irq[0])},
    {.name = "IRQ2", .offset = offsetof(CmsdkDualTimer, irq[1])},
    {.name = "CombinedIRQ", .offset = offsetof(CmsdkDualTimer, combined)},
};
static const EventField events[] = {
    {.name = "zero1", .offset = offsetof(CmsdkDualTimer, zero[0]), .fire = zero1},
    {.name = "zero2", .offset = offsetof(CmsdkDualTimer, zero[1]), .fire = zero2},
};
static const DtName dt_interrupts[] = {{"", "CombinedIRQ"}, {NULL, NULL}};
static const DtBinding dt = {.interrupts = dt_interrupts};
static const char *const repl_types[] = {"Timers.Arm_CMSDK_DualTimer", NULL};
static const char *const compatible[] = {"arm,cmsdk-dtimer", NULL};

const DeviceType cmsdk_dualtimer_type = {
    .name = "cmsdk-dualtimer",
    .summary = "Arm CMSDK APB dual timer: two 16/32-bit down counters with prescalers",
    .repl_types = repl_types,
    .compatible = compatible,
    .dt = &dt,
    .struct_size = sizeof(CmsdkDualTimer),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(fields, fields),
    DEVICE_TABLE(regs, regs),
    DEVICE_TABLE(outputs, outputs),
    DEVICE_TABLE(events, events),
    .window_size = CMSDK_WINDOW,
    .init = timer_init,
};
