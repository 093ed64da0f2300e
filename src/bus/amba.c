#include "bus/amba.h"

/* An interrupt goes straight to the controller, or through the or-gate that the builder puts before an input that
 * several devices share. */
enum { GATES_MAX = 2 };

static const Line *output_line(const Device *dev, unsigned index) {
    for (size_t i = 0; i < dev->type->n_outputs; i++) {
        unsigned n = device_output_count(&dev->type->outputs[i]);
        if (index < n) {
            return &device_lines(dev, &dev->type->outputs[i])[index];
        }
        index -= n;
    }
    return NULL;
}

/* Interrupt controllers are the devices that have numbered inputs and an identity of their own. */
static bool is_gate(const Device *dev) {
    return !dev->type->amba && dev->type->n_outputs == 1;
}

unsigned amba_irq(const Device *dev, unsigned output) {
    const Line *line = output_line(dev, output);
    for (unsigned depth = 0; line && line_sinks(line) && depth < GATES_MAX; depth++) {
        const Device *sink = line_sink(line, 0);
        if (!is_gate(sink)) {
            return line->plan->sinks[0].input;
        }
        line = output_line(sink, 0);
    }
    return 0;
}

void amba_record(const Device *dev, AmbaRecord *record) {
    const AmbaCore *core = dev->type->amba;
    *record = (AmbaRecord){.vendor = core->vendor,
                           .device = core->device,
                           .version = core->version,
                           .irq = (uint8_t)(amba_irq(dev, core->irq_output) & 0x1F)};
    if (core->describe) {
        core->describe(dev, record);
    }
}

bool amba_window(const Device *dev, uint64_t base, uint64_t size, uint64_t *first, uint64_t *last) {
    const MemMap *map = &dev->board->map;
    bool found = false;
    for (uint32_t i = 0; i < map->n_regions; i++) {
        const MemRegion *r = &map->regions[i];
        const Memory *memory = mem_memory_of(map, r);
        bool own = memory ? memory->owner == dev : mem_device_of(map, r) == dev;
        if (own && r->base >= base && r->base - base < size) {
            *first = found && *first < r->base ? *first : r->base;
            *last = r->base + r->size - 1;
            found = true;
        }
    }
    return found;
}

uint32_t amba_id_word(const AmbaRecord *record) {
    return (uint32_t)record->vendor << 24 | (uint32_t)(record->device & 0xFFF) << 12 |
           (uint32_t)(record->version & 0x1F) << 5 | (record->irq & 0x1F);
}

/* ADDR and MASK are the 12 address bits above the unit of the space: 1 MiB on the AHB, 256 bytes in I/O areas. */
uint32_t amba_bar_word(const AmbaArea *area) {
    unsigned shift = area->space == AMBA_AHB_MEMORY ? 20 : 8;
    uint32_t address = area->address >> shift & 0xFFF;
    uint32_t mask = (uint32_t)(~(area->size - 1) >> shift) & 0xFFF;
    return address << 20 | (uint32_t)area->prefetchable << 17 | (uint32_t)area->cacheable << 16 | mask << 4 |
           (uint32_t)area->space;
}
