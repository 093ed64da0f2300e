/* IRQMP and IRQ(A)MP: multiprocessor interrupt controller. GRLIB IP Core User's Manual, "IRQMP" and "IRQ(A)MP";
 * GR712RC User's Manual, section 8; GR740 User's Manual, section 21. Checked against GRLIB's RTL.
 *
 * Inputs 1 to 31 are the interrupt lines of the bus, 32 and up the watchdogs that WDOGCTRL selects from. Numbered
 * output n leads to processor n (bus/leon_irq.h). A line makes its bit pending when it rises, and again after each
 * clearing while it stays high. Interrupts 16 to 31 reach the processor as the extended interrupt; PEXTACK then tells
 * which. With several internal controllers (ASMP) each has the same registers at a multiple of 4 KiB, and ICSELR says
 * which one a processor belongs to.
 * The time stamp counter counts clock cycles from reset on; in GR740 it stands still while nobody uses the DSU's time
 * tag. Not modelled: forcing error mode through ERRSTAT; the cycle or two between a write and its effect. */
#include "bus/dt_binding.h"
#include "bus/leon_irq.h"
#include "dev/gaisler/gaisler.h"

extern const DeviceType gaisler_irqmp_type;

enum { CPUS_MAX = 16, CONTROLLERS_MAX = 16, STAMPS_MAX = 16, LINES = 32, WATCHDOGS_MAX = 16, BANK_BYTES = 0x1000 };
enum { PLAIN_MASK = 0xFFFE, EXTENDED_SHIFT = 16 };
enum { MPSTAT_NCPU_SHIFT = 28, MPSTAT_BA = 1 << 27, MPSTAT_ER = 1 << 26, MPSTAT_EIRQ_SHIFT = 16 };
enum { ASMPCTRL_ICF = 2, ASMPCTRL_L = 1 };
enum { ITSTMPC_COUNT_SHIFT = 27, ITSTMPC_S1 = 1 << 26, ITSTMPC_S2 = 1 << 25, ITSTMPC_KS = 1 << 5, ITSTMPC_SEL = 0x1F };

typedef struct Irqmp {
    Device dev;
    uint64_t frequency;
    uint32_t eirq, n_controllers, n_stamps, n_watchdogs;
    bool boot_registers, interrupt_map;
    const Clock *clock;
    Line out[CPUS_MAX];
    LeonIrqPort *ports[CPUS_MAX];
    unsigned n_cpus;
    GaislerListener *listeners;
    unsigned bank; /* of the access that is under way */

    uint32_t high, watchdogs; /* levels of the inputs */
    uint32_t level[CONTROLLERS_MAX], pending[CONTROLLERS_MAX], broadcast[CONTROLLERS_MAX];
    uint32_t watchdog_control[CONTROLLERS_MAX];
    uint32_t mask[CPUS_MAX], force[CPUS_MAX], extended[CPUS_MAX];
    uint32_t asmp_control;
    uint8_t controller_of[CPUS_MAX];
    uint8_t map[LINES];
    uint64_t reset_cycle;
    uint32_t stamp_control[CONTROLLERS_MAX * STAMPS_MAX], stamp_assertion[CONTROLLERS_MAX * STAMPS_MAX],
        stamp_acknowledge[CONTROLLERS_MAX * STAMPS_MAX];
} Irqmp;

static Irqmp *irqmp_of(Device *dev) {
    return (Irqmp *)dev;
}

/* ---- From pending to the processors ------------------------------------------------------------------------------ */

static unsigned highest(uint32_t bits) {
    return bits ? 31 - (unsigned)__builtin_clz(bits) : 0;
}

static uint32_t extended_pending(const Irqmp *q, unsigned cpu) {
    return q->eirq ? (q->pending[q->controller_of[cpu]] & q->mask[cpu]) >> EXTENDED_SHIFT : 0;
}

static unsigned cpu_level(const Irqmp *q, unsigned cpu) {
    unsigned controller = q->controller_of[cpu];
    uint32_t wanted = (q->force[cpu] | q->pending[controller]) & q->mask[cpu] & PLAIN_MASK;
    if (extended_pending(q, cpu)) {
        wanted |= UINT32_C(1) << q->eirq;
    }
    uint32_t first = wanted & q->level[controller];
    return highest(first ? first : wanted);
}

static void cpus_update(Irqmp *q) {
    for (unsigned i = 0; i < q->n_cpus; i++) {
        q->ports[i]->set_level(q->ports[i], cpu_level(q, i));
    }
}

/* A line is asserted: pending in each controller, or forced in each of its processors. */
static void line_latch(Irqmp *q, unsigned irq) {
    uint32_t bit = UINT32_C(1) << irq;
    if (irq == 0 || (irq > 15 && !q->eirq)) {
        return;
    }
    for (unsigned c = 0; c < q->n_controllers; c++) {
        if (!(q->broadcast[c] & bit)) {
            q->pending[c] |= bit;
        }
    }
    for (unsigned i = 0; i < q->n_cpus; i++) {
        q->force[i] |= q->broadcast[q->controller_of[i]] & bit;
    }
}

static void watchdogs_latch(Irqmp *q) {
    for (unsigned c = 0; c < q->n_controllers; c++) {
        unsigned irq = q->watchdog_control[c] >> 16 & 0xF;
        if (irq && (q->watchdog_control[c] & q->watchdogs)) {
            q->pending[c] |= UINT32_C(1) << irq;
        }
    }
}

/* What is high stays pending, whatever has been cleared. */
static void levels_latch(Irqmp *q) {
    for (uint32_t bits = q->high; bits; bits &= bits - 1) {
        line_latch(q, q->map[__builtin_ctz(bits)]);
    }
    watchdogs_latch(q);
}

static void irqmp_update(Irqmp *q) {
    levels_latch(q);
    cpus_update(q);
}

/* ---- Time stamps ------------------------------------------------------------------------------------------------- */

static uint32_t stamp_time(const Irqmp *q) {
    return (uint32_t)(gaisler_now(&q->dev, q->clock) - q->reset_cycle);
}

static unsigned stamp_index(unsigned controller, unsigned stamp) {
    return controller * STAMPS_MAX + stamp;
}

static void stamps_assertion(Irqmp *q, unsigned irq) {
    for (unsigned k = 0; irq && k < q->n_controllers * q->n_stamps; k++) {
        unsigned i = stamp_index(k / q->n_stamps, k % q->n_stamps);
        uint32_t *control = &q->stamp_control[i];
        bool keeps = (*control & ITSTMPC_KS) && (*control & ITSTMPC_S1);
        if ((*control & ITSTMPC_SEL) == irq && !keeps) {
            q->stamp_assertion[i] = stamp_time(q);
            *control |= ITSTMPC_S1;
            *control &= *control & ITSTMPC_KS ? UINT32_MAX : ~(uint32_t)ITSTMPC_S2;
        }
    }
}

static void stamps_acknowledge(Irqmp *q, unsigned cpu, unsigned irq) {
    for (unsigned k = 0; k < q->n_stamps; k++) {
        unsigned i = stamp_index(q->controller_of[cpu], k);
        if ((q->stamp_control[i] & ITSTMPC_SEL) == irq && !(q->stamp_control[i] & ITSTMPC_S2)) {
            q->stamp_acknowledge[i] = stamp_time(q);
            q->stamp_control[i] |= ITSTMPC_S2;
        }
    }
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

static void bus_line(Irqmp *q, unsigned line, bool level) {
    if (!level) {
        q->high &= ~(UINT32_C(1) << line);
        return;
    }
    q->high |= UINT32_C(1) << line;
    stamps_assertion(q, q->map[line]);
    for (GaislerListener *l = q->listeners; l; l = l->next) {
        l->asserted(l, line);
    }
    irqmp_update(q);
}

static void irqmp_input(Device *dev, unsigned index, bool level) {
    Irqmp *q = irqmp_of(dev);
    if (index < LINES) {
        bus_line(q, index, level);
        return;
    }
    uint32_t bit = UINT32_C(1) << (index - LINES);
    q->watchdogs = level ? q->watchdogs | bit : q->watchdogs & ~bit;
    irqmp_update(q);
}

/* The processor takes an interrupt. What was forced is cleared there and stays pending otherwise. */
static void irqmp_acknowledge(Device *dev, unsigned cpu, unsigned level) {
    Irqmp *q = irqmp_of(dev);
    uint32_t *pending = &q->pending[q->controller_of[cpu]], bit = UINT32_C(1) << level, extended = 0;
    if (q->eirq && level == q->eirq) {
        extended = extended_pending(q, cpu);
        q->extended[cpu] = extended ? EXTENDED_SHIFT | highest(extended) : 0;
    }
    stamps_acknowledge(q, cpu, extended ? q->extended[cpu] : level);
    *pending &= ~(bit & ~q->force[cpu]);
    q->force[cpu] &= ~bit;
    if (extended) {
        *pending &= ~(UINT32_C(1) << q->extended[cpu]);
    }
    irqmp_update(q);
}

bool gaisler_irq_listen(Device *controller, GaislerListener *listener) {
    if (controller->type != &gaisler_irqmp_type) {
        return false;
    }
    Irqmp *q = irqmp_of(controller);
    listener->next = q->listeners;
    q->listeners = listener;
    return true;
}

/* ---- Registers of a controller ----------------------------------------------------------------------------------- */

static uint32_t implemented(const Irqmp *q) {
    return q->eirq ? UINT32_MAX & ~UINT32_C(1) : PLAIN_MASK;
}

static uint32_t ilevel_read(Device *dev, unsigned index) {
    (void)index;
    return irqmp_of(dev)->level[irqmp_of(dev)->bank];
}

static void ilevel_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Irqmp *q = irqmp_of(dev);
    q->level[q->bank] = value & PLAIN_MASK;
    irqmp_update(q);
}

static uint32_t ipend_read(Device *dev, unsigned index) {
    (void)index;
    return irqmp_of(dev)->pending[irqmp_of(dev)->bank];
}

static void ipend_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Irqmp *q = irqmp_of(dev);
    q->pending[q->bank] = value & implemented(q);
    irqmp_update(q);
}

static void iclear_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Irqmp *q = irqmp_of(dev);
    q->pending[q->bank] &= ~value;
    irqmp_update(q);
}

static uint32_t iforce0_read(Device *dev, unsigned index) {
    (void)index;
    return irqmp_of(dev)->force[0];
}

static void iforce0_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Irqmp *q = irqmp_of(dev);
    if (q->controller_of[0] == q->bank) {
        q->force[0] = value & PLAIN_MASK;
        irqmp_update(q);
    }
}

static uint32_t mpstat_read(Device *dev, unsigned index) {
    (void)index;
    const Irqmp *q = irqmp_of(dev);
    uint32_t value = (q->n_cpus ? q->n_cpus - 1 : 0) << MPSTAT_NCPU_SHIFT | q->eirq << MPSTAT_EIRQ_SHIFT;
    value |= q->n_cpus > 1 ? MPSTAT_BA : 0;
    value |= q->boot_registers && q->bank == 0 ? MPSTAT_ER : 0;
    for (unsigned i = 0; i < q->n_cpus; i++) {
        value |= (uint32_t)q->ports[i]->stopped(q->ports[i]) << i;
    }
    return value;
}

static void mpstat_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    const Irqmp *q = irqmp_of(dev);
    for (unsigned i = 0; i < q->n_cpus; i++) {
        if ((value >> i & 1) && q->controller_of[i] == q->bank) {
            q->ports[i]->start(q->ports[i]);
        }
    }
}

static uint32_t broadcast_read(Device *dev, unsigned index) {
    (void)index;
    return irqmp_of(dev)->broadcast[irqmp_of(dev)->bank];
}

static void broadcast_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Irqmp *q = irqmp_of(dev);
    q->broadcast[q->bank] = q->n_cpus > 1 ? value & PLAIN_MASK : 0;
    irqmp_update(q);
}

static uint32_t wdogctrl_read(Device *dev, unsigned index) {
    (void)index;
    const Irqmp *q = irqmp_of(dev);
    return q->n_watchdogs ? q->n_watchdogs << 27 | q->watchdog_control[q->bank] : 0;
}

static void wdogctrl_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Irqmp *q = irqmp_of(dev);
    q->watchdog_control[q->bank] = value & (UINT32_C(0xF0000) | ((UINT32_C(1) << q->n_watchdogs) - 1));
    irqmp_update(q);
}

/* ---- Which controller a processor belongs to -------------------------------------------------------------------- */

static uint32_t asmpctrl_read(Device *dev, unsigned index) {
    (void)index;
    const Irqmp *q = irqmp_of(dev);
    return (q->n_controllers - 1) << 28 | q->asmp_control;
}

static void asmpctrl_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Irqmp *q = irqmp_of(dev);
    q->asmp_control = q->n_controllers > 1 ? value & (ASMPCTRL_ICF | ASMPCTRL_L) : 0;
}

static uint32_t icselr_read(Device *dev, unsigned index) {
    const Irqmp *q = irqmp_of(dev);
    uint32_t value = 0;
    for (unsigned i = 0; i < 8; i++) {
        value |= (uint32_t)q->controller_of[8 * index + i] << (28 - 4 * i);
    }
    return value;
}

static void icselr_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)old;
    Irqmp *q = irqmp_of(dev);
    if (q->asmp_control & ASMPCTRL_L) {
        device_guest_log(dev, GUEST_MISUSE, "ICSELR", "write while ASMPCTRL.L locks it");
        return;
    }
    for (unsigned i = 0; i < 8 && 8 * index + i < q->n_cpus; i++) {
        q->controller_of[8 * index + i] = (uint8_t)((value >> (28 - 4 * i) & 0xF) % q->n_controllers);
    }
    irqmp_update(q);
}

/* ---- Registers of a processor ------------------------------------------------------------------------------------ */

static uint32_t pimask_read(Device *dev, unsigned index) {
    return irqmp_of(dev)->mask[index];
}

static void pimask_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)old;
    Irqmp *q = irqmp_of(dev);
    if (index < q->n_cpus && q->controller_of[index] == q->bank) {
        q->mask[index] = value & implemented(q);
        irqmp_update(q);
    }
}

static uint32_t piforce_read(Device *dev, unsigned index) {
    return irqmp_of(dev)->force[index];
}

/* The lower half sets, the upper half clears; another controller's processors can be forced with ICF. */
static void piforce_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)old;
    Irqmp *q = irqmp_of(dev);
    if (index >= q->n_cpus) {
        return;
    }
    bool own = q->controller_of[index] == q->bank;
    if (own || (q->asmp_control & ASMPCTRL_ICF)) {
        q->force[index] |= value & PLAIN_MASK;
    }
    if (own) {
        q->force[index] &= ~(value >> 16 & PLAIN_MASK);
    }
    irqmp_update(q);
}

static uint32_t pextack_read(Device *dev, unsigned index) {
    return irqmp_of(dev)->extended[index];
}

static void baddr_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)old;
    const Irqmp *q = irqmp_of(dev);
    if (!q->boot_registers || q->bank || index >= q->n_cpus) {
        device_guest_log(dev, GUEST_MISUSE, "BADDR", "write to a boot address register that is not there");
        return;
    }
    q->ports[index]->set_entry(q->ports[index], value & ~UINT32_C(7));
    if (value & 1) {
        q->ports[index]->start(q->ports[index]);
    }
}

/* ---- Time stamp and map registers -------------------------------------------------------------------------------- */

static uint32_t itcnt_read(Device *dev, unsigned index) {
    const Irqmp *q = irqmp_of(dev);
    return index < q->n_stamps ? stamp_time(q) : 0;
}

static uint32_t itstmpc_read(Device *dev, unsigned index) {
    const Irqmp *q = irqmp_of(dev);
    uint32_t control = q->stamp_control[stamp_index(q->bank, index)];
    return index < q->n_stamps ? q->n_stamps << ITSTMPC_COUNT_SHIFT | control : 0;
}

static void itstmpc_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)old;
    Irqmp *q = irqmp_of(dev);
    if (index < q->n_stamps) {
        uint32_t *control = &q->stamp_control[stamp_index(q->bank, index)];
        *control &= (ITSTMPC_S1 | ITSTMPC_S2) & ~value;
        *control |= value & (ITSTMPC_KS | ITSTMPC_SEL);
    }
}

static uint32_t itstmpas_read(Device *dev, unsigned index) {
    return irqmp_of(dev)->stamp_assertion[stamp_index(irqmp_of(dev)->bank, index)];
}

static uint32_t itstmpac_read(Device *dev, unsigned index) {
    return irqmp_of(dev)->stamp_acknowledge[stamp_index(irqmp_of(dev)->bank, index)];
}

static uint32_t irqmap_read(Device *dev, unsigned index) {
    const Irqmp *q = irqmp_of(dev);
    const uint8_t *map = &q->map[4 * index];
    bool there = q->interrupt_map && q->bank == 0;
    return there ? (uint32_t)map[0] << 24 | (uint32_t)map[1] << 16 | (uint32_t)map[2] << 8 | map[3] : 0;
}

static void irqmap_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)old;
    Irqmp *q = irqmp_of(dev);
    for (unsigned i = 0; q->interrupt_map && q->bank == 0 && i < 4; i++) {
        q->map[4 * index + i] = value >> (24 - 8 * i) & 0x1F;
    }
    irqmp_update(q);
}

/* ---- The device -------------------------------------------------------------------------------------------------- */

static uint64_t irqmp_read(Device *dev, uint64_t offset, unsigned size) {
    irqmp_of(dev)->bank = (unsigned)(offset / BANK_BYTES) % irqmp_of(dev)->n_controllers;
    return device_reg_read(dev, offset % BANK_BYTES, size);
}

static void irqmp_write(Device *dev, uint64_t offset, unsigned size, uint64_t value) {
    irqmp_of(dev)->bank = (unsigned)(offset / BANK_BYTES) % irqmp_of(dev)->n_controllers;
    device_reg_write(dev, offset % BANK_BYTES, size, value);
}

static bool cpus_find(Irqmp *q, Err *err) {
    for (; q->n_cpus < CPUS_MAX && line_sinks(&q->out[q->n_cpus]); q->n_cpus++) {
        LeonIrqPort *port = device_leon_irq(line_sink(&q->out[q->n_cpus], 0));
        if (!port) {
            return err_set(err, "%s: output %u does not lead to a LEON processor", q->dev.name, q->n_cpus);
        }
        port->acknowledge = irqmp_acknowledge;
        port->controller = &q->dev;
        port->cpu = q->n_cpus;
        q->ports[q->n_cpus] = port;
    }
    return true;
}

static bool irqmp_init(Device *dev, Err *err) {
    Irqmp *q = irqmp_of(dev);
    if (q->eirq > 15 || q->n_controllers < 1 || q->n_controllers > CONTROLLERS_MAX || q->n_stamps > STAMPS_MAX ||
        q->n_watchdogs > WATCHDOGS_MAX) {
        return err_set(err, "%s: extendedInterrupt is at most 15, controllers 1 to %d, timestamps, watchdogs 0 to %d",
                       dev->name, CONTROLLERS_MAX, STAMPS_MAX);
    }
    return gaisler_clock_init(dev, &q->clock, q->frequency, err) && cpus_find(q, err);
}

static void irqmp_reset(Device *dev) {
    Irqmp *q = irqmp_of(dev);
    for (unsigned i = 0; i < LINES; i++) {
        q->map[i] = (uint8_t)i;
    }
    q->reset_cycle = gaisler_now(dev, q->clock);
    irqmp_update(q);
}

static const Prop props[] = {
    PROP_U64(Irqmp, frequency, "frequency", 50000000, "clock of the time stamp counter in Hz"),
    PROP_U32(Irqmp, eirq, "extendedInterrupt", 0, "level that interrupts 16 to 31 arrive as, 0 for none"),
    PROP_U32(Irqmp, n_controllers, "controllers", 1, "internal controllers (IRQ(A)MP)"),
    PROP_U32(Irqmp, n_stamps, "timestamps", 0, "sets of time stamp registers"),
    PROP_U32(Irqmp, n_watchdogs, "watchdogs", 0, "watchdog inputs"),
    PROP_BOOL(Irqmp, boot_registers, "bootRegisters", false, "boot address registers, error mode status"),
    PROP_BOOL(Irqmp, interrupt_map, "interruptMap", false, "interrupt map registers"),
};

static const Field fields[] = {
    FIELD(Irqmp, high, 0, "levels of the interrupt lines"),
    FIELD(Irqmp, watchdogs, 0, "levels of the watchdogs"),
    FIELD_ARRAY(Irqmp, level, 0, "ILEVEL of each controller"),
    FIELD_ARRAY(Irqmp, pending, 0, "IPEND"),
    FIELD_ARRAY(Irqmp, broadcast, 0, "BRDCST"),
    FIELD_ARRAY(Irqmp, watchdog_control, 0, "WDOGCTRL"),
    FIELD_ARRAY(Irqmp, mask, 0, "PIMASK of each processor"),
    FIELD_ARRAY(Irqmp, force, 0, "PIFORCE"),
    FIELD_ARRAY(Irqmp, extended, 0, "PEXTACK"),
    FIELD(Irqmp, asmp_control, 0, "ASMPCTRL"),
    {.name = "controller_of", .description = "ICSELR: controller of each processor",
     .offset = offsetof(Irqmp, controller_of), .size = 1, .count = CPUS_MAX, .max = CONTROLLERS_MAX - 1},
    {.name = "map", .description = "IRQMAP", .offset = offsetof(Irqmp, map), .size = 1, .count = LINES,
     .max = LINES - 1},
    FIELD(Irqmp, reset_cycle, 0, "clock cycle at which the time stamp counter was 0"),
    FIELD_ARRAY(Irqmp, stamp_control, 0, "ITSTMPC of each controller"),
    FIELD_ARRAY(Irqmp, stamp_assertion, 0, "ITSTMPAS"),
    FIELD_ARRAY(Irqmp, stamp_acknowledge, 0, "ITSTMPAC"),
};

static const Reg regs[] = {
    {.name = "ILEVEL", .offset = 0x00, .read = ilevel_read, .write = ilevel_write},
    {.name = "IPEND", .offset = 0x04, .read = ipend_read, .write = ipend_write},
    {.name = "IFORCE0", .offset = 0x08, .read = iforce0_read, .write = iforce0_write},
    {.name = "ICLEAR", .offset = 0x0C, .write = iclear_write},
    {.name = "MPSTAT", .offset = 0x10, .read = mpstat_read, .write = mpstat_write},
    {.name = "BRDCST", .offset = 0x14, .read = broadcast_read, .write = broadcast_write},
    {.name = "ERRSTAT", .offset = 0x18, .unmodelled = true},
    {.name = "WDOGCTRL", .offset = 0x1C, .read = wdogctrl_read, .write = wdogctrl_write},
    {.name = "ASMPCTRL", .offset = 0x20, .read = asmpctrl_read, .write = asmpctrl_write},
    {.name = "ICSELR", .offset = 0x24, .count = 2, .read = icselr_read, .write = icselr_write},
    {.name = "PIMASK", .offset = 0x40, .count = CPUS_MAX, .read = pimask_read, .write = pimask_write},
    {.name = "PIFORCE", .offset = 0x80, .count = CPUS_MAX, .read = piforce_read, .write = piforce_write},
    {.name = "PEXTACK", .offset = 0xC0, .count = CPUS_MAX, .read = pextack_read, .access = REG_RO},
    {.name = "ITCNT", .offset = 0x100, .count = STAMPS_MAX, .stride = 16, .read = itcnt_read, .access = REG_RO},
    {.name = "ITSTMPC", .offset = 0x104, .count = STAMPS_MAX, .stride = 16, .read = itstmpc_read,
     .write = itstmpc_write},
    {.name = "ITSTMPAS", .offset = 0x108, .count = STAMPS_MAX, .stride = 16, .read = itstmpas_read,
     .access = REG_RO},
    {.name = "ITSTMPAC", .offset = 0x10C, .count = STAMPS_MAX, .stride = 16, .read = itstmpac_read,
     .access = REG_RO},
    {.name = "BADDR", .offset = 0x200, .count = CPUS_MAX, .write = baddr_write},
    {.name = "IRQMAP", .offset = 0x300, .count = LINES / 4, .read = irqmap_read, .write = irqmap_write},
};

static const Output outputs[] = {{.offset = offsetof(Irqmp, out), .count = CPUS_MAX}};
/* 2 as in QEMU's LEON3, 3 as on the GR712RC; that of IRQ(A)MP is a guess. */
static void irqmp_describe(const Device *dev, AmbaRecord *record) {
    record->version = ((const Irqmp *)dev)->eirq ? 3 : 2;
}

static const AmbaCore amba = {.vendor = AMBA_VENDOR_GAISLER, .device = 0x00D, .irq_output = CPUS_MAX,
                             .describe = irqmp_describe};
static const DtName dt_props[] = {{"eirq", "extendedInterrupt"}, {NULL, NULL}};
static const DtBinding dt = {.props = dt_props, .drives_cpus = true};
static const char *const repl_types[] = {"IRQControllers.GaislerIRQMP", "IRQControllers.GaislerMIC", NULL};
static const char *const compatible[] = {"gaisler,irqmp", NULL};

const DeviceType gaisler_irqmp_type = {
    .name = "grlib-irqmp",
    .summary = "GRLIB IRQMP and IRQ(A)MP: multiprocessor interrupt controller",
    .repl_types = repl_types,
    .compatible = compatible,
    .dt = &dt,
    .struct_size = sizeof(Irqmp),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(fields, fields),
    DEVICE_TABLE(regs, regs),
    DEVICE_TABLE(outputs, outputs),
    .n_inputs = LINES + WATCHDOGS_MAX,
    .window_size = GAISLER_APB_WINDOW,
    .read = irqmp_read,
    .write = irqmp_write,
    .init = irqmp_init,
    .reset = irqmp_reset,
    .input = irqmp_input,
    .amba = &amba,
};
