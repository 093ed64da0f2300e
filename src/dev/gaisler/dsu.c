/* DSU3 and DSU4: debug support unit, what software on the processors touches. GRLIB IP Core User's Manual, "DSU3" and
 * "DSU4"; GR712RC and GR740 User's Manuals.
 *
 * Each processor has 16 MiB; register 0 of each is its DSU control register. The time tag counts clock cycles from
 * reset on. Software uses it as a clock and reads PW, HL and EE of other processors.
 * Not modelled: debug mode (the debugger of Orrery is outside of the machine), trace buffers, watchpoints, access to
 * the processors' registers and caches: those addresses report each access. */
#include "bus/leon_irq.h"
#include "dev/gaisler/gaisler.h"

enum { CPU_SHIFT = 24, CPUS_MAX = 4, CTRL_PW = 1 << 11, CTRL_HL = 1 << 10, CTRL_KEPT = 0x3F };

typedef struct Dsu {
    Device dev;
    uint64_t frequency;
    uint32_t time_bits;
    bool is_dsu4;
    const Clock *clock;
    Device *cpus[CPUS_MAX];
    unsigned cpu; /* of the access that is under way */
    uint32_t control[CPUS_MAX], brss, dbgm, atbc, atbi, icnt;
    uint64_t tag_cycle; /* clock cycle at which the time tag was 0 */
} Dsu;

static Dsu *dsu_of(Device *dev) {
    return (Dsu *)dev;
}

static uint32_t control_read(Device *dev, unsigned index) {
    (void)index;
    const Dsu *d = dsu_of(dev);
    const LeonIrqPort *port = d->cpus[d->cpu] ? device_leon_irq(d->cpus[d->cpu]) : NULL;
    return d->control[d->cpu] | (port && port->stopped(port) ? CTRL_PW : 0);
}

static void control_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Dsu *d = dsu_of(dev);
    d->control[d->cpu] = value & CTRL_KEPT;
    if (value & CTRL_HL) {
        device_guest_log(dev, GUEST_UNMODELLED, "CTRL", "halting a processor through the DSU");
    }
}

static uint32_t time_mask(const Dsu *d) {
    return d->time_bits >= 32 ? UINT32_MAX : (UINT32_C(1) << d->time_bits) - 1;
}

static uint32_t time_read(Device *dev, unsigned index) {
    (void)index;
    const Dsu *d = dsu_of(dev);
    return (uint32_t)(gaisler_now(dev, d->clock) - d->tag_cycle) & time_mask(d);
}

static void time_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Dsu *d = dsu_of(dev);
    d->tag_cycle = gaisler_now(dev, d->clock) - (value & time_mask(d));
}

static uint64_t dsu_read(Device *dev, uint64_t offset, unsigned size) {
    dsu_of(dev)->cpu = (unsigned)(offset >> CPU_SHIFT) % CPUS_MAX;
    return device_reg_read(dev, offset & ((1 << CPU_SHIFT) - 1), size);
}

static void dsu_write(Device *dev, uint64_t offset, unsigned size, uint64_t value) {
    dsu_of(dev)->cpu = (unsigned)(offset >> CPU_SHIFT) % CPUS_MAX;
    device_reg_write(dev, offset & ((1 << CPU_SHIFT) - 1), size, value);
}

static void dsu_describe(const Device *dev, AmbaRecord *record) {
    record->device = ((const Dsu *)dev)->is_dsu4 ? 0x049 : 0x004;
    record->version = ((const Dsu *)dev)->is_dsu4 ? 0 : 1;
}

static bool dsu_init(Device *dev, Err *err) {
    return gaisler_clock_init(dev, &dsu_of(dev)->clock, dsu_of(dev)->frequency, err);
}

static void dsu_reset(Device *dev) {
    dsu_of(dev)->tag_cycle = gaisler_now(dev, dsu_of(dev)->clock);
}

static const Prop props[] = {
    PROP_U64(Dsu, frequency, "frequency", 50000000, "clock in Hz"),
    PROP_U32(Dsu, time_bits, "timeTagBits", 30, "bits of the time tag"),
    PROP_DEVICE(Dsu, cpus[0], "cpu0", false, "its first processor"),
    PROP_DEVICE(Dsu, cpus[1], "cpu1", false, "the second"),
    PROP_DEVICE(Dsu, cpus[2], "cpu2", false, "the third"),
    PROP_DEVICE(Dsu, cpus[3], "cpu3", false, "the fourth"),
    PROP_BOOL(Dsu, is_dsu4, "dsu4", false, "identify as DSU4"),
};
static const Field fields[] = {
    FIELD_ARRAY(Dsu, control, 0, "CTRL of each processor"),
    FIELD(Dsu, tag_cycle, 0, "clock cycle at which the time tag was 0"),
};

#define AT(member) .storage = offsetof(Dsu, member), .writable = UINT32_MAX
static const Reg regs[] = {
    {.name = "CTRL", .offset = 0x000000, .read = control_read, .write = control_write},
    {.name = "DTTC", .offset = 0x000008, .read = time_read, .write = time_write},
    {.name = "BRSS", .offset = 0x000020, AT(brss), .unmodelled = true},
    {.name = "DBGM", .offset = 0x000024, AT(dbgm)},
    {.name = "ATBC", .offset = 0x000040, AT(atbc), .unmodelled = true},
    {.name = "ATBI", .offset = 0x000044, AT(atbi), .unmodelled = true},
    {.name = "ICNT", .offset = 0x000070, AT(icnt), .unmodelled = true},
    {.name = "ITBC0", .offset = 0x110000, .unmodelled = true},
    {.name = "ITBC1", .offset = 0x110004, .unmodelled = true},
    {.name = "DTR", .offset = 0x400020, .unmodelled = true},
    {.name = "DASI", .offset = 0x400024, .unmodelled = true},
};
static const AmbaCore amba = {.vendor = AMBA_VENDOR_GAISLER, .describe = dsu_describe};
static const char *const repl_types[] = {"Debug.GaislerDSU", NULL};

const DeviceType gaisler_dsu_type = {
    .name = "grlib-dsu",
    .summary = "GRLIB DSU3 and DSU4: time tag and processor status",
    .repl_types = repl_types,
    .struct_size = sizeof(Dsu),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(fields, fields),
    DEVICE_TABLE(regs, regs),
    .window_size = 0x10000000,
    .read = dsu_read,
    .write = dsu_write,
    .init = dsu_init,
    .reset = dsu_reset,
    .amba = &amba,
};
