/* AHBSTAT: AHB status registers. GRLIB IP Core User's Manual, "AHBSTAT"; GR712RC and GR740 User's
 * Manuals. Checked against GRLIB's RTL.
 *
 * The first access that ends with a bus error sets NE, stores its address and kind and pulses the interrupt; later
 * ones are lost until NE is cleared by writing 0. The error filter of version 1 (two register sets, AF and CF) can
 * keep set 1 for other errors than set 0.
 * Not modelled: correctable errors (no memory has any); HMASTER of others than processors, whose number it is; the
 * address of accesses that went well, which the hardware shows while NE is 0; bus errors that a device answers with,
 * and of instruction fetches. */
#include "dev/gaisler/gaisler.h"

enum { SETS_MAX = 2, STAT_HMASTER_SHIFT = 3, STAT_HWRITE = 1 << 7, STAT_NE = 1 << 8, STAT_CE = 1 << 9,
       STAT_AF = 1 << 10, STAT_CF = 1 << 11, STAT_FW = 1 << 12, STAT_ME = 1 << 13 };

typedef struct Ahbstat {
    Device dev;
    uint32_t version;
    Line irq;
    MemErrorListener listener;
    uint32_t status[SETS_MAX], address[SETS_MAX];
} Ahbstat;

static Ahbstat *stat_of(Device *dev) {
    return (Ahbstat *)dev;
}

static unsigned n_sets(const Ahbstat *s) {
    return s->version ? 2 : 1;
}

static void bus_error(MemErrorListener *listener, uint64_t addr, unsigned size, bool store) {
    Ahbstat *s = CONTAINER_OF(listener, Ahbstat, listener);
    for (unsigned i = 0; i < n_sets(s); i++) {
        if (s->status[i] & STAT_AF) {
            continue;
        }
        if (!(s->status[i] & STAT_NE)) {
            uint32_t kept = s->status[i] & (STAT_AF | STAT_CF);
            s->status[i] = kept | STAT_NE | (store ? STAT_HWRITE : 0) | (uint32_t)__builtin_ctz(size) |
                           (s->dev.board->current_cpu & 0xF) << STAT_HMASTER_SHIFT;
            s->address[i] = (uint32_t)addr;
            line_pulse(&s->irq);
            return;
        }
        s->status[i] |= s->version ? STAT_ME : 0;
    }
}

static uint32_t status_read(Device *dev, unsigned index) {
    return index < n_sets(stat_of(dev)) ? stat_of(dev)->status[index] : 0;
}

static void status_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)old;
    Ahbstat *s = stat_of(dev);
    uint32_t writable = STAT_NE | STAT_CE;
    if (s->version) {
        writable |= STAT_ME | (value & STAT_FW ? STAT_AF | STAT_CF : 0);
    }
    if (index < n_sets(s)) {
        s->status[index] = (s->status[index] & ~writable) | (value & writable);
    }
}

static uint32_t address_read(Device *dev, unsigned index) {
    return index < n_sets(stat_of(dev)) ? stat_of(dev)->address[index] : 0;
}

static bool stat_init(Device *dev, Err *err) {
    Ahbstat *s = stat_of(dev);
    if (s->version > 1) {
        return err_set(err, "%s: version must be 0 or 1", dev->name);
    }
    s->listener = (MemErrorListener){.error = bus_error, .next = dev->board->map.error_listeners};
    dev->board->map.error_listeners = &s->listener;
    return true;
}

static void stat_describe(const Device *dev, AmbaRecord *record) {
    record->version = (uint8_t)((const Ahbstat *)dev)->version;
}

static const Prop props[] = {PROP_U32(Ahbstat, version, "version", 0, "1: two register sets with filters")};
static const Field fields[] = {
    FIELD_ARRAY(Ahbstat, status, 0, "STAT"),
    FIELD_ARRAY(Ahbstat, address, 0, "ADDR"),
};
static const Reg regs[] = {
    {.name = "STAT", .offset = 0x0, .count = SETS_MAX, .stride = 8, .read = status_read, .write = status_write},
    {.name = "ADDR", .offset = 0x4, .count = SETS_MAX, .stride = 8, .read = address_read, .access = REG_RO},
};
static const Output outputs[] = {{.name = "IRQ", .offset = offsetof(Ahbstat, irq)}};
static const AmbaCore amba = {.vendor = AMBA_VENDOR_GAISLER, .device = 0x052, .describe = stat_describe};
static const char *const repl_types[] = {"Miscellaneous.GaislerAHBSTAT", NULL};

const DeviceType gaisler_ahbstat_type = {
    .name = "grlib-ahbstat",
    .summary = "GRLIB AHB status registers: the first bus error",
    .repl_types = repl_types,
    .struct_size = sizeof(Ahbstat),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(fields, fields),
    DEVICE_TABLE(regs, regs),
    DEVICE_TABLE(outputs, outputs),
    .window_size = GAISLER_APB_WINDOW,
    .init = stat_init,
    .amba = &amba,
};
