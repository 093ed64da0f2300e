/* AHB/APB bridge: 1 MiB of APB slaves with their plug-and-play table in the last 4 KiB. GRLIB IP Core User's Manual,
 * "APBCTRL"; GR740 User's Manual, section 38.
 *
 * The table has one record of 8 bytes for each GRLIB device that has a window in the 1 MiB, by address; PIRQ is the
 * interrupt that the device's line is wired to. The bridge itself answers wherever no device does: writes are ignored,
 * reads give 0 (the manual: an arbitrary value), never a bus error.
 * The bus index of an APB slave is its place by address, which is so on GR712RC and GR740 as far as known.
 * Renode's platform files map only the table: the bridge then has no background. */
#include "dev/gaisler/gaisler.h"

extern const DeviceType gaisler_apbctrl_type;

enum { TABLE_OFFSET = 0xFF000, RECORD_WORDS = 2, RECORDS_MAX = 512, AREA_MASK = GAISLER_APB_AREA - 1 };

typedef struct ApbCtrl {
    Device dev;
} ApbCtrl;

bool gaisler_apb_base(const Device *dev, uint32_t *base) {
    uint64_t first, last;
    if (dev->type != &gaisler_apbctrl_type || !amba_window(dev, 0, UINT64_C(1) << 32, &first, &last)) {
        return false;
    }
    *base = (uint32_t)first & ~(uint32_t)AREA_MASK;
    return true;
}

/* The device of record n: slaves by address, each once however its windows are cut. */
static const MemRegion *record_region(const Device *dev, uint32_t base, unsigned n) {
    const MemMap *map = &dev->board->map;
    const Device *before = NULL;
    for (uint32_t i = 0; i < map->n_regions; i++) {
        const MemRegion *r = &map->regions[i];
        bool inside = r->base >= base && r->base - base < TABLE_OFFSET;
        const Device *there = mem_device_of(map, r);
        if (inside && there && there != dev && there->type->amba && there != before) {
            before = there;
            if (n-- == 0) {
                return r;
            }
        }
    }
    return NULL;
}

static uint32_t table_word(const Device *dev, uint32_t index) {
    uint32_t base;
    if (!gaisler_apb_base(dev, &base)) {
        return 0;
    }
    const MemRegion *r = record_region(dev, base, index / RECORD_WORDS);
    if (!r) {
        return 0;
    }
    AmbaRecord record;
    amba_record(mem_device_of(&dev->board->map, r), &record);
    if (index % RECORD_WORDS == 0) {
        return amba_id_word(&record);
    }
    uint64_t size = 0x100;
    while (size < r->size) {
        size *= 2;
    }
    AmbaArea area = {.address = (uint32_t)r->base, .size = size, .space = AMBA_APB_IO};
    return amba_bar_word(&area);
}

/* Offsets count from the window's start, which is that of the table alone in Renode's files. */
static bool in_table(const Device *dev, uint64_t *offset) {
    uint64_t first, last;
    if (!amba_window(dev, 0, UINT64_C(1) << 32, &first, &last)) {
        return false;
    }
    uint64_t at = (last - first < GAISLER_PNP_BYTES ? (first & AREA_MASK) : 0) + *offset;
    *offset = at - TABLE_OFFSET;
    return at >= TABLE_OFFSET && at < GAISLER_APB_AREA;
}

static uint64_t apb_read(Device *dev, uint64_t offset, unsigned size) {
    uint64_t at = offset;
    if (in_table(dev, &at)) {
        return gaisler_words_read(dev, at, size, table_word);
    }
    device_guest_log(dev, GUEST_UNMODELLED, "APB", "read of offset 0x%05x, where no APB slave is", (unsigned)offset);
    return 0;
}

static void apb_write(Device *dev, uint64_t offset, unsigned size, uint64_t value) {
    (void)size;
    device_guest_log(dev, GUEST_UNMODELLED, "APB", "write of 0x%08x to offset 0x%05x, where no APB slave is",
                     (unsigned)value, (unsigned)offset);
}

static void apb_describe(const Device *dev, AmbaRecord *record) {
    uint32_t base;
    if (gaisler_apb_base(dev, &base)) {
        record->areas[record->n_areas++] =
            (AmbaArea){.address = base, .size = GAISLER_APB_AREA, .space = AMBA_AHB_MEMORY};
    }
}

static const AmbaCore amba = {.vendor = AMBA_VENDOR_GAISLER, .device = 0x006, .describe = apb_describe};
static const char *const repl_types[] = {"Bus.GaislerAPBController", NULL};

const DeviceType gaisler_apbctrl_type = {
    .name = "grlib-apbctrl",
    .summary = "AHB/APB bridge: plug-and-play table of the APB slaves in its 1 MiB",
    .repl_types = repl_types,
    .struct_size = sizeof(ApbCtrl),
    .window_size = GAISLER_APB_AREA,
    .read = apb_read,
    .write = apb_write,
    .amba = &amba,
    .background = true,
};
