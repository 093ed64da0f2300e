/* A GRLIB core that the chip has and Orrery does not model: it stands in the plug-and-play tables with its identity,
 * address and interrupt; every access to its registers is logged, writes are forgotten, reads give `value`.
 *
 * Registered only at an AHB controller (a debug link, say) it has no registers at all. */
#include <inttypes.h>
#include <stdio.h>

#include "bus/guest_log.h"
#include "dev/gaisler/gaisler.h"

typedef struct GaislerStub {
    Device dev;
    uint32_t vendor, device, version, value;
    uint32_t user1; /* word [1] of the AHB record: the I/O area behind a bridge */
    uint32_t area0, area1, area2, area0_size, area1_size, area2_size;
    bool cacheable, master_irq;
    Line irq;
} GaislerStub;

static uint64_t stub_read(Device *dev, uint64_t offset, unsigned size) {
    char text[96];
    if (!guest_log_known(dev->board, GUEST_UNMODELLED, dev, NULL, offset)) {
        snprintf(text, sizeof text, "read of offset 0x%03" PRIx64 " of a core without a model", offset);
        guest_log_add(dev->board, GUEST_UNMODELLED, dev, NULL, offset, text);
    }
    uint64_t value = ((GaislerStub *)dev)->value;
    return size < 4 ? value & ((UINT64_C(1) << (8 * size)) - 1) : value;
}

static void stub_write(Device *dev, uint64_t offset, unsigned size, uint64_t value) {
    (void)size;
    char text[96];
    if (!guest_log_known(dev->board, GUEST_UNMODELLED, dev, NULL, offset)) {
        snprintf(text, sizeof text, "write of 0x%08" PRIx64 " to offset 0x%03" PRIx64 " of a core without a model",
                 value, offset);
        guest_log_add(dev->board, GUEST_UNMODELLED, dev, NULL, offset, text);
    }
}

static void area_add(const GaislerStub *s, AmbaRecord *record, uint32_t address, uint32_t size) {
    if (size) {
        record->areas[record->n_areas++] = (AmbaArea){.address = address,
                                                      .size = size,
                                                      .space = AMBA_AHB_MEMORY,
                                                      .prefetchable = s->cacheable,
                                                      .cacheable = s->cacheable};
    }
}

static void stub_describe(const Device *dev, AmbaRecord *record) {
    const GaislerStub *s = (const GaislerStub *)dev;
    record->vendor = (uint8_t)s->vendor;
    record->device = (uint16_t)s->device;
    record->version = (uint8_t)s->version;
    record->user[1] = s->user1;
    record->master_irq = s->master_irq;
    area_add(s, record, s->area0, s->area0_size);
    area_add(s, record, s->area1, s->area1_size);
    area_add(s, record, s->area2, s->area2_size);
}

static bool area_ok(uint32_t address, uint32_t size) {
    return (size & (size - 1)) == 0 && (size == 0 || (size >= GAISLER_APB_AREA && address % size == 0));
}

static bool stub_init(Device *dev, Err *err) {
    const GaislerStub *s = (const GaislerStub *)dev;
    if (s->vendor > 0xFF || s->device > 0xFFF || s->version > 0x1F) {
        return err_set(err, "%s: vendor has 8 bits, device 12, version 5", dev->name);
    }
    return (area_ok(s->area0, s->area0_size) && area_ok(s->area1, s->area1_size) && area_ok(s->area2, s->area2_size)) ||
           err_set(err, "%s: an area must be a power of 2 of at least 1 MiB at a multiple of its size", dev->name);
}

static const Prop props[] = {
    PROP_U32(GaislerStub, vendor, "vendor", AMBA_VENDOR_GAISLER, "vendor of the core in plug and play"),
    {.name = "device", .kind = PROP_KIND_U32, .offset = offsetof(GaislerStub, device), .required = true,
     .description = "device number in plug and play"},
    PROP_U32(GaislerStub, version, "version", 0, "version in plug and play"),
    PROP_U32(GaislerStub, value, "value", 0, "what reads give"),
    PROP_U32(GaislerStub, user1, "remoteArea", 0, "bridges: the I/O area of the bus behind, whose last 4 KiB tell it"),
    PROP_U32(GaislerStub, area0, "area0", 0, "address of an AHB area that other devices fill"),
    PROP_U32(GaislerStub, area0_size, "area0Size", 0, "its size"),
    PROP_U32(GaislerStub, area1, "area1", 0, "address of a second one"),
    PROP_U32(GaislerStub, area1_size, "area1Size", 0, "its size"),
    PROP_U32(GaislerStub, area2, "area2", 0, "address of a third one"),
    PROP_U32(GaislerStub, area2_size, "area2Size", 0, "its size"),
    PROP_BOOL(GaislerStub, master_irq, "masterInterrupt", false, "its record as a master gives the interrupt, too"),
    PROP_BOOL(GaislerStub, cacheable, "cacheable", false, "these areas are cacheable and prefetchable"),
};

static const Output outputs[] = {{.name = "IRQ", .offset = offsetof(GaislerStub, irq)}};
static const AmbaCore amba = {.describe = stub_describe};
static const char *const repl_types[] = {"Miscellaneous.GaislerStub", NULL};

const DeviceType gaisler_stub_type = {
    .name = "grlib-stub",
    .summary = "GRLIB core without a model: listed in plug and play, accesses are logged",
    .repl_types = repl_types,
    .struct_size = sizeof(GaislerStub),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(outputs, outputs),
    .window_size = GAISLER_APB_WINDOW,
    .read = stub_read,
    .write = stub_write,
    .init = stub_init,
    .amba = &amba,
};
