/* Bit-band alias region: each word of the alias is one bit of the first MiB of a memory region. Cortex-M3 TRM
 * (DDI 0337I) 3.7, ARMv7-M ARM (DDI 0403E.e) B3.1.
 *
 * Registers: none; the window is the alias (32 MiB), `peripheralBase` the bit-band region that it shows. A read gives 0
 * or 1; a write stores bit 0 of its value. The access to the region has the size of that to the alias and is aligned to
 * it, so a byte access to a register with byte side effects touches that byte only. A write is a read, a change and a
 * write, and nothing comes in between. A bus error in the region is a bus error of the alias. IRQ lines: none. */
#include "bus/device.h"

typedef struct BitBand {
    Device dev;
    uint64_t base;
} BitBand;

/* Address in the region, and in *position the bit of the access there. */
static uint64_t target(const BitBand *b, uint64_t offset, unsigned size, unsigned *position) {
    uint64_t byte = offset >> 5;
    *position = (unsigned)(offset >> 2) & (8 * size - 1);
    return b->base + (byte & ~(uint64_t)(size - 1));
}

static uint64_t bitband_read(Device *dev, uint64_t offset, unsigned size) {
    BitBand *b = (BitBand *)dev;
    MemMap *map = &dev->board->map;
    unsigned position;
    uint64_t addr = target(b, offset, size, &position), value = 0;
    if (!mem_read(map, addr, size, false, &value)) {
        map->fault = true;
        return 0;
    }
    return (value >> position) & 1;
}

static void bitband_write(Device *dev, uint64_t offset, unsigned size, uint64_t value) {
    BitBand *b = (BitBand *)dev;
    MemMap *map = &dev->board->map;
    unsigned position;
    uint64_t addr = target(b, offset, size, &position), old = 0;
    if (!mem_read(map, addr, size, false, &old)) {
        map->fault = true;
        return;
    }
    uint64_t mask = UINT64_C(1) << position;
    if (!mem_write(map, addr, size, false, value & 1 ? old | mask : old & ~mask)) {
        map->fault = true;
    }
}

static bool bitband_init(Device *dev, Err *err) {
    BitBand *b = (BitBand *)dev;
    enum { REGION_ALIGN = 1 << 20 };
    if (b->base % REGION_ALIGN) {
        return err_set(err, "%s: peripheralBase must be a multiple of 1 MiB", dev->name);
    }
    return true;
}

static const Prop bitband_props[] = {
    {.name = "peripheralBase", .kind = PROP_KIND_U64, .offset = offsetof(BitBand, base), .required = true,
     .description = "start of the bit-band region"},
};

static const char *const bitband_repl_types[] = {"Miscellaneous.BitBanding", NULL};

const DeviceType arm_bitband_type = {
    .name = "arm-bitband",
    .summary = "Cortex-M bit-band alias",
    .repl_types = bitband_repl_types,
    .struct_size = sizeof(BitBand),
    DEVICE_TABLE(props, bitband_props),
    .window_size = 0x2000000,
    .read = bitband_read,
    .write = bitband_write,
    .init = bitband_init,
};
