/* Data Watchpoint and Trace unit: the cycle counter. DDI 0403E.e C1.8.
 *
 * CYCCNT counts cycles of `frequency` in virtual time, slept ones included, while DEMCR.TRCENA (if the platform file
 * links the NVIC) and DWT_CTRL.CYCCNTENA are set; it may be written. Not modelled: comparators, the event counters,
 * PC sampling, trace packets. */
#include "bus/dt_binding.h"
#include "guest/arm/sys.h"

#include "sim/clock.h"

enum { CTRL_CYCCNTENA = 1, COMPARATORS = 4 };

struct ArmDwt {
    Device dev;
    uint64_t hz;
    const Clock *clock;
    Device *nvic_device;
    uint32_t ctrl;
    uint32_t unmodelled[7], comp[COMPARATORS], mask[COMPARATORS], function[COMPARATORS];
    uint32_t trace; /* DEMCR.TRCENA */
    uint32_t cyccnt; /* at start_cycle, or standing */
    uint64_t start_cycle;
};

static uint64_t cycle_now(ArmDwt *d) {
    return clock_cycles(d->clock, device_now_ns(&d->dev));
}

static uint32_t cyccnt_now(ArmDwt *d, bool counting) {
    return d->cyccnt + (counting ? (uint32_t)(cycle_now(d) - d->start_cycle) : 0);
}

/* From now on the counter goes on from its present value. */
static void rebase(ArmDwt *d, bool was_counting) {
    d->cyccnt = cyccnt_now(d, was_counting);
    d->start_cycle = cycle_now(d);
}

void arm_dwt_trace(ArmDwt *d, bool enable) {
    rebase(d, d->trace && d->ctrl & CTRL_CYCCNTENA);
    d->trace = enable;
}

static void ctrl_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    ArmDwt *d = (ArmDwt *)dev;
    rebase(d, d->trace && old & CTRL_CYCCNTENA);
    if (value & ~old & ~(uint32_t)CTRL_CYCCNTENA & UINT32_C(0x007ffffe)) {
        device_guest_log(dev, GUEST_UNMODELLED, "DWT_CTRL", "only CYCCNTENA is modelled, wrote 0x%08x",
                         (unsigned)value);
    }
}

static uint32_t cyccnt_read(Device *dev, unsigned index) {
    (void)index;
    ArmDwt *d = (ArmDwt *)dev;
    return cyccnt_now(d, d->trace && d->ctrl & CTRL_CYCCNTENA);
}

static void cyccnt_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    (void)old;
    ArmDwt *d = (ArmDwt *)dev;
    d->cyccnt = value;
    d->start_cycle = cycle_now(d);
}

static bool dwt_init(Device *dev, Err *err) {
    ArmDwt *d = (ArmDwt *)dev;
    if (!d->hz || d->hz > CLOCK_HZ_MAX) {
        return err_set(err, "%s: frequency must be more than 0 Hz, and at most 1 THz", dev->name);
    }
    if (d->nvic_device && d->nvic_device->type != &arm_nvic_type) {
        return err_set(err, "%s: nvic must be an IRQControllers.NVIC, %s is none", dev->name, d->nvic_device->name);
    }
    d->clock = clock_shared(dev->board->clocks, dev->board->arena, d->hz, 1);
    if (d->nvic_device) {
        ((ArmNvic *)d->nvic_device)->dwt = d;
    }
    return true;
}

static void dwt_reset(Device *dev) {
    ArmDwt *d = (ArmDwt *)dev;
    d->trace = d->nvic_device == NULL;
    d->start_cycle = cycle_now(d);
}

static const Prop dwt_props[] = {
    {.name = "frequency", .kind = PROP_KIND_U64, .offset = offsetof(ArmDwt, hz), .required = true,
     .description = "Hz of the processor clock that CYCCNT counts"},
    PROP_DEVICE(ArmDwt, nvic_device, "nvic", false, "NVIC whose DEMCR.TRCENA switches the unit; without one it is on"),
};

static const Field dwt_fields[] = {
    FIELD(ArmDwt, trace, 0, "DEMCR.TRCENA"),
    FIELD(ArmDwt, cyccnt, 0, "DWT_CYCCNT at start_cycle"),
    FIELD(ArmDwt, start_cycle, 0, "cycle from which DWT_CYCCNT counts"),
};

#define COMPARATOR(n)                                                                                                  \
    {.name = "DWT_COMP" #n, .offset = 0x20 + 0x10 * (n), .storage = offsetof(ArmDwt, comp) + 4 * (n),                  \
     .writable = UINT32_MAX, .unmodelled = true},                                                                      \
    {.name = "DWT_MASK" #n, .offset = 0x24 + 0x10 * (n), .storage = offsetof(ArmDwt, mask) + 4 * (n), .writable = 0x1f,\
     .unmodelled = true},                                                                                              \
    {.name = "DWT_FUNCTION" #n, .offset = 0x28 + 0x10 * (n), .storage = offsetof(ArmDwt, function) + 4 * (n),          \
     .writable = UINT32_C(0x000ffdaf), .unmodelled = true}

#define COUNTER(text, n, mask_value)                                                                                   \
    {.name = (text), .offset = 4 + 4 * (n), .storage = offsetof(ArmDwt, unmodelled) + 4 * (n),                         \
     .writable = (mask_value), .unmodelled = true}

static const Reg dwt_regs[] = {
    {.name = "DWT_CTRL", .offset = 0x00, .storage = offsetof(ArmDwt, ctrl), .reset = (uint32_t)COMPARATORS << 28,
     .writable = UINT32_C(0x007f1fff), .write = ctrl_write},
    {.name = "DWT_CYCCNT", .offset = 0x04, .read = cyccnt_read, .write = cyccnt_write},
    COUNTER("DWT_CPICNT", 1, 0xff),
    COUNTER("DWT_EXCCNT", 2, 0xff),
    COUNTER("DWT_SLEEPCNT", 3, 0xff),
    COUNTER("DWT_LSUCNT", 4, 0xff),
    COUNTER("DWT_FOLDCNT", 5, 0xff),
    COUNTER("DWT_PCSR", 6, 0),
    COMPARATOR(0),
    COMPARATOR(1),
    COMPARATOR(2),
    COMPARATOR(3),
    {.name = "DWT_LAR", .offset = 0xfb0, .access = REG_WO}, /* no lock is implemented: unlocking it is harmless */
    {.name = "DWT_LSR", .offset = 0xfb4, .access = REG_RO},
};

static const DtName dwt_dt_devices[] = {{"arm,v7m-nvic", "nvic"}, {NULL, NULL}};
static const DtBinding dwt_dt = {.devices = dwt_dt_devices};
static const char *const dwt_repl_types[] = {"Miscellaneous.DWT", NULL};

const DeviceType arm_dwt_type = {
    .name = "arm-dwt",
    .summary = "Arm DWT: the cycle counter CYCCNT",
    .repl_types = dwt_repl_types,
    .dt = &dwt_dt,
    .struct_size = sizeof(ArmDwt),
    DEVICE_TABLE(props, dwt_props),
    DEVICE_TABLE(fields, dwt_fields),
    DEVICE_TABLE(regs, dwt_regs),
    .window_size = 0x1000,
    .init = dwt_init,
    .reset = dwt_reset,
};
