/* Power and reset of a node at virtual times, while others go on.
 *
 * Without power nothing runs, nothing is armed, outputs are low, serial lines idle; what arrives is lost, but levels
 * that the outside holds are there when power comes back. Time passes. With power everything is as at the beginning:
 * registers and devices as after a cold reset, RAM holds its `fill`, and what the images put there, as the loader would
 * do again. Memories that keep their contents (ROM, flash, `retained`) do; so do EEPROMs and flash chips.
 * The reset pin does what a reset that the guest asks for does: memories stay.
 * Not modelled: how supplies rise and fall, brown-out, RAM that remembers for a while. */
#include <string.h>

#include "bus/link.h"
#include "sim/node_internal.h"

enum { PAGE_BYTES = 4096 };

/* ---- Contents of memories ---- */

/* Adds to a page what an image has at [addr, addr + len). */
static void page_load(const Image *image, uint64_t addr, uint64_t len, uint8_t *page) {
    for (size_t i = 0; i < image->n_segments; i++) {
        const ImageSegment *s = &image->segments[i];
        uint64_t from = s->addr > addr ? s->addr : addr;
        uint64_t end = s->addr + s->size < addr + len ? s->addr + s->size : addr + len;
        for (uint64_t at = from; at < end; at++) {
            page[at - addr] = at - s->addr < s->file_size ? s->data[at - s->addr] : 0;
        }
    }
}

/* A page as it was before anything ran. */
static void page_wanted(const Node *node, const Memory *memory, uint64_t offset, uint64_t len, uint8_t *page) {
    const MemMap *map = &node->board.map;
    for (uint32_t i = 0; i < map->n_regions; i++) {
        const MemRegion *r = &map->regions[i];
        if (mem_memory_of(map, r) != memory || offset < r->offset || offset - r->offset >= r->size) {
            continue;
        }
        for (size_t k = 0; k < node->images.len; k++) {
            page_load(&node->images.data[k]->image, r->base + (offset - r->offset), len, page);
        }
    }
}

/* Pages that are as they should be are left alone, and with them the code that was translated from them. */
static void memory_restart(Node *node, Memory *memory, uint8_t fill) {
    uint8_t wanted[PAGE_BYTES];
    uint64_t at = 0, end = 0;
    while (at < memory->size) {
        if (at >= end) {
            memory_touched(memory, at, &at, &end);
            continue;
        }
        uint64_t len = memory->size - at < PAGE_BYTES ? memory->size - at : PAGE_BYTES;
        memset(wanted, fill, sizeof wanted);
        page_wanted(node, memory, at, len, wanted);
        if (memcmp(memory->host + at, wanted, (size_t)len) != 0) {
            memcpy(memory->host + at, wanted, (size_t)len);
            mem_changed(&node->board.map, memory, at, len);
        }
        at += PAGE_BYTES;
    }
}

static void memories_restart(Node *node) {
    for (size_t i = 0; i < node->machine->n_devices; i++) {
        Device *device = node->machine->devices[i];
        uint8_t fill;
        if (device->type->forgets && device->type->forgets(device, &fill)) {
            memory_restart(node, device->type->memory(device), fill);
        }
    }
}

/* ---- Power ---- */

/* Nobody runs, and nothing but input can wake the node. */
static void stand_still(Node *node) {
    node->board.off = true;
    node->reset_requested = false;
    for (unsigned i = 0; i < node->n_cores; i++) {
        node->cores[i].cpu->halted = true;
    }
}

/* The cores wait for their first steps, which they take when the node runs again. */
static void restart(Node *node) {
    node->started = false;
    for (unsigned i = 0; i < node->n_cores; i++) {
        node->cores[i].cpu->halted = true;
    }
}

void node_power_off(Node *node) {
    if (!node->board.off) {
        link_board_off(&node->board);
        machine_outputs_release(node->machine);
        node_clear_all(node);
        stand_still(node);
    }
}

void node_power_on(Node *node) {
    if (!node->board.off) {
        return;
    }
    memories_restart(node);
    node->board.off = false;
    node_reset_all(node, true);
    for (size_t i = 0; i < node->levels.len; i++) {
        const NodeLevel *l = &node->levels.data[i];
        if (l->level) {
            l->device->type->input(l->device, l->input, true);
        }
    }
    restart(node);
}

void node_power_reset(Node *node) {
    if (!node->board.off) {
        node->board.reset_pin = true;
        node_reset_all(node, false);
        node->board.reset_pin = false;
        node->reset_requested = false;
        restart(node);
    }
}

void node_retire(Node *node) {
    for (size_t i = 0; i < node->machine->n_devices; i++) {
        device_events_cancel(node->machine->devices[i]);
    }
    stand_still(node);
}
