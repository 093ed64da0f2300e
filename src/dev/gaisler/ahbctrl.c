/* AHB controller: the plug-and-play area of one AHB bus. GRLIB IP Core User's Manual, "AHBCTRL"; GR740 User's Manual,
 * section 37.
 *
 * Devices are registered here with their bus index: masters as 0 to 63, slaves as 64 to 127, so that the record of
 * index n stands at 32 * n. A record is made when it is read, from what the device says (bus/amba.h), where it stands
 * on the bus and how its interrupt is wired. Windows behind an APB bridge of the same bus belong to the bridge's own
 * table. Where nothing is registered, as in Renode's platform files, the devices of GRLIB on the bus are the slaves:
 * bridges first, then the others that are not behind one, by address. The records of masters give no interrupt, except
 * GRSPW2's. The last 16 bytes tell the chip and the GRLIB
 * version.
 * Not modelled: arbitration, early bursts, split; debug registers of the controller. */
#include "dev/gaisler/gaisler.h"

enum { SLOTS = 128, FIRST_SLAVE = 64, RECORD_WORDS = 8, BAR_WORD = 4, ID_WORD = 0xFF0 / 4 };

typedef struct AhbCtrl {
    Device dev;
    uint32_t device_id, build_id;
    bool registered; /* something is */
    Device *slots[SLOTS];
} AhbCtrl;

static bool ahb_attach(Device *dev, Device *child, uint64_t address, Err *err) {
    AhbCtrl *ahb = (AhbCtrl *)dev;
    if (!child->type->amba) {
        return err_set(err, "expected a device of GRLIB: %s (%s) has no plug-and-play identity", child->name,
                       child->type->name);
    }
    if (address >= SLOTS || ahb->slots[address]) {
        return err_set(err, "expected a free bus index: 0 to %d for masters, %d to %d for slaves", FIRST_SLAVE - 1,
                       FIRST_SLAVE, SLOTS - 1);
    }
    ahb->slots[address] = child;
    ahb->registered = true;
    return true;
}

static bool is_behind(const Device *bridge, uint64_t address) {
    uint32_t base;
    return bridge && gaisler_apb_base(bridge, &base) && address - base < GAISLER_APB_AREA;
}

/* A device of GRLIB by its first window; NULL: the region is none, or not where the device is told of. */
static const Device *found_at(const MemMap *map, uint32_t index, bool bridges) {
    const MemRegion *r = &map->regions[index];
    const Device *device = mem_device_of(map, r);
    uint64_t first, last;
    uint32_t base;
    if (!device || !device->type->amba || gaisler_apb_base(device, &base) != bridges ||
        !amba_window(device, 0, UINT64_C(1) << 32, &first, &last) || first != r->base) {
        return NULL;
    }
    for (uint32_t i = 0; i < map->n_regions && !bridges; i++) {
        if (is_behind(mem_device_of(map, &map->regions[i]), r->base)) {
            return NULL;
        }
    }
    return device;
}

static const Device *found_slave(const AhbCtrl *ahb, unsigned number) {
    const MemMap *map = &ahb->dev.board->map;
    for (unsigned pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < map->n_regions; i++) {
            const Device *found = found_at(map, i, pass == 0);
            if (found && number-- == 0) {
                return found;
            }
        }
    }
    return NULL;
}

static const Device *slot_device(const AhbCtrl *ahb, unsigned slot) {
    return ahb->registered ? ahb->slots[slot] : slot < FIRST_SLAVE ? NULL : found_slave(ahb, slot - FIRST_SLAVE);
}

static bool behind_apb(const AhbCtrl *ahb, uint64_t address) {
    for (unsigned i = FIRST_SLAVE; i < SLOTS; i++) {
        if (is_behind(slot_device(ahb, i), address)) {
            return true;
        }
    }
    return false;
}

/* The bus decodes areas of a power of 2. */
static uint64_t decoded_size(uint64_t size) {
    uint64_t decoded = 0x100;
    while (decoded < size) {
        decoded *= 2;
    }
    return decoded;
}

static bool is_io_area(const Device *dev, uint64_t address) {
    uint64_t first, last;
    return amba_window(dev, 0, UINT64_C(1) << 32, &first, &last) && address >> 20 == first >> 20;
}

static bool has_area(const AmbaRecord *record, uint64_t address) {
    for (unsigned i = 0; i < record->n_areas; i++) {
        if (record->areas[i].address == address) {
            return true;
        }
    }
    return false;
}

/* The windows of a slave that are on this bus, behind what it tells itself. */
static void windows_add(const AhbCtrl *ahb, const Device *child, AmbaRecord *record) {
    const MemMap *map = &ahb->dev.board->map;
    for (uint32_t i = 0; i < map->n_regions && record->n_areas < AMBA_BARS_MAX; i++) {
        const MemRegion *r = &map->regions[i];
        if (mem_device_of(map, r) == child && !behind_apb(ahb, r->base) && !has_area(record, r->base)) {
            record->areas[record->n_areas++] = (AmbaArea){
                .address = (uint32_t)r->base,
                .size = decoded_size(r->size),
                .space = is_io_area(&ahb->dev, r->base) ? AMBA_AHB_IO : AMBA_AHB_MEMORY,
            };
        }
    }
}

static uint32_t record_word(const AhbCtrl *ahb, unsigned slot, unsigned word) {
    const Device *child = slot_device(ahb, slot);
    if (!child) {
        return 0;
    }
    AmbaRecord record;
    uint32_t base;
    amba_record(child, &record);
    if (slot < FIRST_SLAVE && !record.master_irq) {
        record.irq = 0;
    }
    if (word == 0) {
        return amba_id_word(&record);
    }
    if (word < BAR_WORD) {
        return record.user[word - 1];
    }
    if (slot < FIRST_SLAVE) {
        return 0; /* areas belong to slaves */
    }
    if (!gaisler_apb_base(child, &base)) {
        windows_add(ahb, child, &record);
    }
    return word - BAR_WORD < record.n_areas ? amba_bar_word(&record.areas[word - BAR_WORD]) : 0;
}

static uint32_t table_word(const Device *dev, uint32_t index) {
    const AhbCtrl *ahb = (const AhbCtrl *)dev;
    if (index >= ID_WORD) {
        return ahb->device_id << 16 | ahb->build_id;
    }
    return record_word(ahb, index / RECORD_WORDS, index % RECORD_WORDS);
}

static uint64_t ahb_read(Device *dev, uint64_t offset, unsigned size) {
    return gaisler_words_read(dev, offset, size, table_word);
}

static void ahb_write(Device *dev, uint64_t offset, unsigned size, uint64_t value) {
    (void)offset, (void)size, (void)value;
    device_guest_log(dev, GUEST_MISUSE, "plug&play", "write to the plug-and-play area, which is read-only");
}

static bool ahb_init(Device *dev, Err *err) {
    const AhbCtrl *ahb = (const AhbCtrl *)dev;
    return (ahb->device_id <= UINT16_MAX && ahb->build_id <= UINT16_MAX) ||
           err_set(err, "%s: deviceId and buildId have 16 bits", dev->name);
}

static const Prop props[] = {
    PROP_U32(AhbCtrl, device_id, "deviceId", 0, "number of the chip, such as 0x712"),
    PROP_U32(AhbCtrl, build_id, "buildId", 0, "GRLIB build"),
};
static const char *const repl_types[] = {"Bus.GaislerAHBController", "Bus.GaislerAHBPlugAndPlayInfo", NULL};

const DeviceType gaisler_ahbctrl_type = {
    .name = "grlib-ahbctrl",
    .summary = "plug-and-play area of an AHB bus; devices are registered at it with their bus index",
    .repl_types = repl_types,
    .struct_size = sizeof(AhbCtrl),
    DEVICE_TABLE(props, props),
    .window_size = GAISLER_PNP_BYTES,
    .read = ahb_read,
    .write = ahb_write,
    .init = ahb_init,
    .attach = ahb_attach,
};
