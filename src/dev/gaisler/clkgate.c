/* CLKGATE: clock gating unit. GRLIB IP Core User's Manual, "GRCLKGATE"; GR712RC and GR740
 * User's Manuals.
 *
 * Bits of CLKEN and RESET can be changed only while the same bits of UNLOCK are set. Numbered output n is high while
 * core n has its clock and is not in reset. OVERRIDE keeps the clocks of processors (low half) and FPUs (high half)
 * running. Not modelled: what a core does without its clock. */
#include "dev/gaisler/gaisler.h"

enum { CORES_MAX = 32, CPUS_MAX = 16 };

typedef struct Clkgate {
    Device dev;
    uint32_t n_cores, n_cpus, enabled_at_reset;
    Line running[CORES_MAX];
    uint32_t unlock, enable, reset, override;
} Clkgate;

static Clkgate *gate_of(Device *dev) {
    return (Clkgate *)dev;
}

static uint32_t low_bits(uint32_t n) {
    return n >= 32 ? UINT32_MAX : (UINT32_C(1) << n) - 1;
}

static void outputs_update(Clkgate *g) {
    for (unsigned i = 0; i < g->n_cores; i++) {
        line_set(&g->running[i], (g->enable & ~g->reset) >> i & 1);
    }
}

static void unlock_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    gate_of(dev)->unlock &= low_bits(gate_of(dev)->n_cores);
}

static uint32_t locked_write(Device *dev, const char *what, uint32_t value, uint32_t old) {
    const Clkgate *g = gate_of(dev);
    if ((value ^ old) & low_bits(g->n_cores) & ~g->unlock) {
        device_guest_log(dev, GUEST_MISUSE, what, "write of 0x%08x changes bits that UNLOCK does not unlock",
                         (unsigned)value);
    }
    return (value & g->unlock) | (old & ~g->unlock);
}

static void enable_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    gate_of(dev)->enable = locked_write(dev, "CLKEN", value, old);
    outputs_update(gate_of(dev));
}

static void reset_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    gate_of(dev)->reset = locked_write(dev, "RESET", value, old);
    outputs_update(gate_of(dev));
}

static void override_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    uint32_t cpus = low_bits(gate_of(dev)->n_cpus);
    gate_of(dev)->override = value & (cpus << 16 | cpus);
}

static bool gate_init(Device *dev, Err *err) {
    const Clkgate *g = gate_of(dev);
    return (g->n_cores <= CORES_MAX && g->n_cpus <= CPUS_MAX) ||
           err_set(err, "%s: cores is at most %d, processors at most %d", dev->name, CORES_MAX, CPUS_MAX);
}

static void gate_reset(Device *dev) {
    Clkgate *g = gate_of(dev);
    g->enable = g->enabled_at_reset & low_bits(g->n_cores);
    g->reset = ~g->enabled_at_reset & low_bits(g->n_cores);
    outputs_update(g);
}

static const Prop props[] = {
    PROP_U32(Clkgate, n_cores, "cores", 8, "cores with a gated clock"),
    PROP_U32(Clkgate, n_cpus, "processors", 0, "processors with override bits"),
    PROP_U32(Clkgate, enabled_at_reset, "enabled", 0, "cores that run after reset; the others are held in reset"),
};

#define AT(member) .storage = offsetof(Clkgate, member), .writable = UINT32_MAX
static const Reg regs[] = {
    {.name = "UNLOCK", .offset = 0x0, AT(unlock), .write = unlock_write},
    {.name = "CLKEN", .offset = 0x4, AT(enable), .write = enable_write},
    {.name = "RESET", .offset = 0x8, AT(reset), .write = reset_write},
    {.name = "OVERRIDE", .offset = 0xC, AT(override), .write = override_write},
};

static const Output outputs[] = {{.offset = offsetof(Clkgate, running), .count = CORES_MAX}};
static const AmbaCore amba = {.vendor = AMBA_VENDOR_GAISLER, .device = 0x02C, .irq_output = CORES_MAX};
static const char *const repl_types[] = {"Miscellaneous.GaislerCLKGATE", NULL};

const DeviceType gaisler_clkgate_type = {
    .name = "grlib-clkgate",
    .summary = "GRLIB clock gating unit",
    .repl_types = repl_types,
    .struct_size = sizeof(Clkgate),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(regs, regs),
    DEVICE_TABLE(outputs, outputs),
    .window_size = GAISLER_APB_WINDOW,
    .init = gate_init,
    .reset = gate_reset,
    .amba = &amba,
};
