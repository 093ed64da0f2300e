/* Windows that each core has for itself: registrations with `cpu:`, such as the system control space of each of several
 * Cortex-M cores. All that share an address are one window, which leads each access to the device of the core that
 * makes it; a core without one there gets a bus error. */
#include <string.h>

#include "sim/machine_internal.h"

typedef struct BankDevice {
    Device dev;
    unsigned n;
    struct BankEntry {
        const Cpu *cpu;
        Device *device;
    } entries[MACHINE_BANK_MAX];
} BankDevice;

static Device *bank_select(const BankDevice *bank) {
    for (unsigned i = 0; i < bank->n; i++) {
        if (bank->entries[i].cpu->index == bank->dev.board->current_cpu) {
            return bank->entries[i].device;
        }
    }
    bank->dev.board->map.fault = true;
    return NULL;
}

static uint64_t bank_read(Device *dev, uint64_t offset, unsigned size) {
    Device *to = bank_select((const BankDevice *)dev);
    return to ? (to->type->read ? to->type->read : device_reg_read)(to, offset, size) : 0;
}

static void bank_write(Device *dev, uint64_t offset, unsigned size, uint64_t value) {
    Device *to = bank_select((const BankDevice *)dev);
    if (to) {
        (to->type->write ? to->type->write : device_reg_write)(to, offset, size, value);
    }
}

const DeviceType machine_bank_type = {
    .name = "bank",
    .summary = "a window that each core has for itself",
    .struct_size = sizeof(BankDevice),
    .read = bank_read,
    .write = bank_write,
};

const Device *machine_banked(const Device *device) {
    if (device->type != &machine_bank_type) {
        return device;
    }
    const BankDevice *bank = (const BankDevice *)device;
    for (unsigned i = 0; i < bank->n; i++) {
        if (bank->entries[i].cpu->index == device->board->current_cpu) {
            return bank->entries[i].device;
        }
    }
    return device;
}

bool build_bank(Build *b, const Device *cpu, Device **owner, MemRegion *region, ReplPos pos) {
    BankDevice *bank = NULL;
    Device *device = *owner;
    for (uint32_t i = 0; i < b->board->map.n_regions; i++) {
        const MemRegion *r = &b->board->map.regions[i];
        Device *there = mem_device_of(&b->board->map, r);
        if (r->base == region->base && r->size == region->size && r->offset == region->offset && there &&
            there->type == &machine_bank_type) {
            bank = (BankDevice *)there;
        }
    }
    for (unsigned i = 0; bank && i < bank->n; i++) {
        if (bank->entries[i].cpu == device_cpu(cpu)) {
            return build_fail(b, pos, "expected one device for %s at 0x%llx, %s is there already", cpu->name,
                              (unsigned long long)region->base, bank->entries[i].device->name);
        }
    }
    if (bank && bank->n == MACHINE_BANK_MAX) {
        return build_fail(b, pos, "expected at most %d devices at one address", MACHINE_BANK_MAX);
    }
    if (device->core && device->core != device_cpu(cpu)) {
        return build_fail(b, pos, "expected %s to be private to one CPU", device->name);
    }
    device->core = device_cpu(cpu);
    if (bank) {
        bank->entries[bank->n++] = (struct BankEntry){device_cpu(cpu), device};
        *owner = NULL; /* its window is there */
        return true;
    }
    const char *name = arena_printf(b->board->arena, "bank.%s", device->name);
    bank = (BankDevice *)build_device_new(b, &machine_bank_type, name);
    bank->entries[bank->n++] = (struct BankEntry){device_cpu(cpu), device};
    build_device_add(b, &bank->dev);
    *owner = &bank->dev;
    region->name = bank->dev.name;
    region->read = bank_read;
    region->write = bank_write;
    return true;
}
