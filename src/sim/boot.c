/* Where a program that was loaded starts.
 *
 * - An image that covers the address where the processor starts by itself is boot code: it runs from there, as on the
 *   board, and nothing else happens. Flat or in ELF is the same.
 * - Else the first image that names an entry is started at it; a raw image at its first byte. Its segments are copied
 *   into memory (again, after a reset), the board's boot loader prepares the devices if it has one to play (a device
 *   whose type has `boot`), and each core gets the registers that it would give, with stacks of 64 KiB at the end of
 *   the memory that holds the entry. Cores that wait for their start go on waiting, and start there then.
 * - Architectures without Isa.boot start through their reset state alone: programs for them have vectors. */
#include "sim/node_internal.h"

enum { STACK_ALIGN = 16, STACK_BYTES = 0x10000 /* of each core but the first */ };

static Device *boot_loader(const Machine *machine) {
    for (size_t i = 0; i < machine->n_devices; i++) {
        if (machine->devices[i]->type->boot) {
            return machine->devices[i];
        }
    }
    return NULL;
}

static bool image_covers(const Image *image, uint64_t addr) {
    for (size_t i = 0; i < image->n_segments; i++) {
        if (addr >= image->segments[i].addr && addr - image->segments[i].addr < image->segments[i].size) {
            return true;
        }
    }
    return false;
}

/* False if there is boot code, or no image at all. */
static bool program_entry(const Node *node, uint64_t reset_address, uint64_t *entry) {
    bool found = false, named = false;
    for (size_t i = 0; i < node->images.len; i++) {
        const Image *image = &node->images.data[i]->image;
        if (image_covers(image, reset_address)) {
            return false;
        }
        if (image->n_segments && !named && (image->has_entry || !found)) {
            *entry = image->has_entry ? image->entry : image->segments[0].addr;
            named = image->has_entry;
            found = true;
        }
    }
    return found;
}

void node_boot(Node *node) {
    Device *loader = boot_loader(node->machine);
    uint64_t entry;
    if (!node->cpu->isa->boot || !program_entry(node, node->cpu->pc, &entry)) {
        return;
    }
    Err err; /* they have been placed before */
    for (size_t i = 0; cpu_ticks(node->cpu) && i < node->images.len; i++) {
        const Image *image = &node->images.data[i]->image;
        for (size_t k = 0; k < image->n_segments; k++) {
            node_place_segment(node, image, &image->segments[k], &err);
        }
    }
    if (loader) {
        loader->type->boot(loader);
    }
    const MemRegion *r = mem_region_at(&node->board.map, entry);
    uint64_t end = ((r ? r->base + r->size : entry) - STACK_ALIGN) & ~(uint64_t)(STACK_ALIGN - 1);
    for (unsigned i = 0; i < node->n_cores; i++) {
        Cpu *cpu = node->cores[i].cpu;
        if (cpu->isa->boot) {
            cpu->isa->boot(cpu, entry, end - (uint64_t)i * STACK_BYTES);
        }
    }
}
