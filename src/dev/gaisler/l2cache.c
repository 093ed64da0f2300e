/* L2CACHE: level-2 cache controller, the registers. GRLIB IP Core User's Manual, "L2CACHE"; GR740 User's Manual,
 * section on the level-2 cache.
 *
 * Memory behind it is always coherent here, so the cache holds nothing: control bits keep what is written, flushes are
 * done at once, diagnostic reads of tags and data give 0 (no valid line).
 * Fields are those of RTEMS 6 (bsps/include/grlib/l2cache-regs.h, made from Gaisler's manuals); L2CS of GR740 is
 * 0x00502803 as in the SIS simulator. The error registers' reset values are not in any source that was at hand.
 * Not modelled: hit counters, locked ways, EDAC and its error registers, timing; write protection by MTRRs. */
#include "dev/gaisler/gaisler.h"

enum { MTRRS = 16, L2CS_MTRR_SHIFT = 16, L2CS_MP = 1 << 22, L2CS_BBUS_128 = 1 << 13,
       L2CS_WAY_SIZE_SHIFT = 2, WAYS_MAX = 4, WINDOW = 0x400000 };

typedef struct L2cache {
    Device dev;
    uint32_t ways, way_kib, area_base, area_size, io_area, io_area_size;
    Line irq;
    uint32_t control, error, tcb, cb, scrub, delay, inject, access, inject_config, mtrr[MTRRS];
} L2cache;

static uint32_t status_read(Device *dev, unsigned index) {
    (void)index;
    const L2cache *c = (const L2cache *)dev;
    return MTRRS << L2CS_MTRR_SHIFT | L2CS_MP | L2CS_BBUS_128 | c->way_kib << L2CS_WAY_SIZE_SHIFT | (c->ways - 1);
}

static void flush_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)dev, (void)index, (void)value, (void)old; /* nothing is cached */
}

static uint64_t l2_read(Device *dev, uint64_t offset, unsigned size) {
    return offset < 0x1000 ? device_reg_read(dev, offset, size) : 0;
}

static void l2_write(Device *dev, uint64_t offset, unsigned size, uint64_t value) {
    if (offset < 0x1000) {
        device_reg_write(dev, offset, size, value);
    }
}

static void l2_describe(const Device *dev, AmbaRecord *record) {
    const L2cache *c = (const L2cache *)dev;
    record->user[1] = c->io_area;
    record->areas[record->n_areas++] = (AmbaArea){.address = c->area_base,
                                                  .size = c->area_size,
                                                  .space = AMBA_AHB_MEMORY,
                                                  .prefetchable = true,
                                                  .cacheable = true};
    uint64_t first, last;
    if (amba_window(dev, 0, UINT64_C(1) << 32, &first, &last)) {
        record->areas[record->n_areas++] =
            (AmbaArea){.address = (uint32_t)first, .size = last - first + 1, .space = AMBA_AHB_MEMORY};
    }
    if (c->io_area_size) {
        record->areas[record->n_areas++] =
            (AmbaArea){.address = c->io_area, .size = c->io_area_size, .space = AMBA_AHB_MEMORY};
    }
}

static bool l2_init(Device *dev, Err *err) {
    const L2cache *c = (const L2cache *)dev;
    return (c->ways >= 1 && c->ways <= WAYS_MAX && c->way_kib <= 0x7FF && c->area_size) ||
           err_set(err, "%s: ways must be 1 to %d, waySize at most 2047 KiB, memorySize not 0", dev->name, WAYS_MAX);
}

static const Prop props[] = {
    PROP_U32(L2cache, ways, "ways", 4, "ways"),
    PROP_U32(L2cache, way_kib, "waySize", 512, "KiB in a way"),
    PROP_U32(L2cache, area_base, "memoryBase", 0, "address of the cached memory"),
    PROP_U32(L2cache, area_size, "memorySize", 0x80000000, "its size, as decoded"),
    PROP_U32(L2cache, io_area, "remoteArea", 0, "I/O area of the memory bus, whose last 4 KiB tell its devices"),
    PROP_U32(L2cache, io_area_size, "remoteAreaSize", 0, "its size"),
};

#define AT(member) .storage = offsetof(L2cache, member), .writable = UINT32_MAX
static const Reg regs[] = {
    {.name = "L2CC", .offset = 0x00, .storage = offsetof(L2cache, control), .writable = 0xF007FF3F},
    {.name = "L2CS", .offset = 0x04, .read = status_read, .access = REG_RO},
    {.name = "L2CFMA", .offset = 0x08, .write = flush_write},
    {.name = "L2CFSI", .offset = 0x0C, .write = flush_write},
    {.name = "L2CERR", .offset = 0x20, .storage = offsetof(L2cache, error), .writable = 0x00080FFE},
    {.name = "L2CERRA", .offset = 0x24, .access = REG_RO},
    {.name = "L2CTCB", .offset = 0x28, .storage = offsetof(L2cache, tcb), .writable = 0x7F},
    {.name = "L2CCB", .offset = 0x2C, .storage = offsetof(L2cache, cb), .writable = 0x0FFFFFFF},
    {.name = "L2CSCRUB", .offset = 0x30, .storage = offsetof(L2cache, scrub), .writable = 0xFFFF000E},
    {.name = "L2CSDEL", .offset = 0x34, .storage = offsetof(L2cache, delay), .writable = 0xFFFF},
    {.name = "L2CEINJ", .offset = 0x38, AT(inject), .unmodelled = true},
    {.name = "L2CACCC", .offset = 0x3C, .storage = offsetof(L2cache, access), .writable = 0x67F6},
    {.name = "L2CEINJCFG", .offset = 0x4C, AT(inject_config), .unmodelled = true},
    {.name = "L2CMTRR", .offset = 0x80, .count = MTRRS, AT(mtrr)},
};
static const Output outputs[] = {{.name = "IRQ", .offset = offsetof(L2cache, irq)}};
static const AmbaCore amba = {.vendor = AMBA_VENDOR_GAISLER, .device = 0x04B, .describe = l2_describe};
static const char *const repl_types[] = {"Cache.GaislerL2CACHE", NULL};

const DeviceType gaisler_l2cache_type = {
    .name = "grlib-l2cache",
    .summary = "GRLIB level-2 cache: registers of a cache that is always coherent",
    .repl_types = repl_types,
    .struct_size = sizeof(L2cache),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(regs, regs),
    DEVICE_TABLE(outputs, outputs),
    .window_size = WINDOW,
    .read = l2_read,
    .write = l2_write,
    .init = l2_init,
    .amba = &amba,
};
