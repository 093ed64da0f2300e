/* include/orrery/orrery.h: registers, memory, serial ports, signals, power. */
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "orrery/debug.h"

/* ---- Registers of the first core ---- */

size_t orr_node_register_count(const OrrNode *node) {
    return orr_core_register_count(node, 0);
}

const char *orr_node_register_name(const OrrNode *node, size_t number) {
    return orr_core_register_name(node, 0, number, NULL);
}

uint64_t orr_node_register(const OrrNode *node, size_t number) {
    return orr_core_register(node, 0, number);
}

void orr_node_register_set(OrrNode *node, size_t number, uint64_t value) {
    orr_core_register_set(node, 0, number, value);
}

uint64_t orr_node_pc(const OrrNode *node) {
    return node->node->cpu->pc;
}

size_t orr_node_disassemble(const OrrNode *node, uint64_t pc, char *out, size_t size) {
    const Cpu *cpu = node->node->cpu;
    uint8_t bytes[16] = {0};
    size_t n = 0;
    while (n < cpu->isa->insn_bytes_max && mem_peek(cpu->map, pc + n, &bytes[n], 1)) {
        n++;
    }
    out[0] = '\0';
    return n < cpu->isa->insn_align ? 0 : cpu->isa->disassemble(out, size, cpu->features, bytes, n, pc);
}

bool orr_node_read(const OrrNode *node, uint64_t addr, void *out, size_t size) {
    return mem_peek(&node->node->board.map, addr, out, size);
}

const char *orr_node_memory(const OrrNode *node, size_t index, uint64_t *base, uint64_t *size) {
    const MemMap *map = &node->node->board.map;
    for (uint32_t i = 0; i < map->n_regions; i++) {
        const MemRegion *r = &map->regions[i];
        if (mem_memory_of(map, r) && index-- == 0) {
            *base = r->base;
            *size = r->size;
            return r->name;
        }
    }
    return NULL;
}

/* ---- Serial ports ---- */

const char *orr_node_uart_name(const OrrNode *node, size_t index) {
    const Machine *machine = node->node->machine;
    for (size_t i = 0; i < machine->n_declared; i++) {
        if (device_uart(machine->devices[i]) && index-- == 0) {
            return machine->devices[i]->name;
        }
    }
    return NULL;
}

bool orr_node_uart_output(OrrNode *node, const char *uart, void (*sent)(void *user, uint8_t byte), void *user) {
    const Device *dev = machine_device(node->node->machine, uart, NULL);
    UartPort *port = dev ? device_uart(dev) : NULL;
    if (!port) {
        return false;
    }
    port->sent = sent;
    port->sent_user = user;
    return true;
}

bool orr_node_input_pending(const OrrNode *node) {
    const Machine *machine = node->node->machine;
    for (size_t i = 0; i < machine->n_declared; i++) {
        const UartPort *port = device_uart(machine->devices[i]);
        if (port && port->queue_len > 0) {
            return true;
        }
    }
    return node->node->inputs != NULL;
}

void orr_node_console(OrrNode *node, void (*written)(void *user, const void *bytes, size_t len), void *user) {
    node->node->console = written;
    node->node->console_user = user;
}

/* ---- Signals ---- */

typedef struct Watch {
    LineTap tap;
    OrrNode *node;
    const char *signal;
    void (*changed)(void *user, const char *signal, uint64_t time_ns, bool level);
    void *user;
} Watch;

static void watch_line(void *user, bool level) {
    const Watch *watch = user;
    watch->changed(watch->user, watch->signal, node_seen_ns(watch->node->node), level);
}

const char *orr_node_signal_name(const OrrNode *node, size_t index) {
    const Machine *machine = node->node->machine;
    for (size_t i = 0; i < machine->n_declared; i++) {
        size_t n = machine_output_count(machine->devices[i]->type);
        if (index < n) {
            return machine_output(machine->devices[i], index)->plan->name;
        }
        index -= n;
    }
    return NULL;
}

bool orr_node_signal_level(const OrrNode *node, const char *signal, bool *level) {
    const Line *line = machine_line(node->node->machine, signal, NULL);
    if (line) {
        *level = line->level;
    }
    return line != NULL;
}

bool orr_node_signal_watch(OrrNode *node, const char *signal,
                           void (*changed)(void *user, const char *signal, uint64_t time_ns, bool level), void *user) {
    Line *line = machine_line(node->node->machine, signal, NULL);
    if (!line) {
        return false;
    }
    Watch *watch = ARENA_NEW(&node->node->arena, Watch);
    *watch = (Watch){.tap = {.changed = watch_line, .user = watch}, .node = node, .signal = line->plan->name,
                     .changed = changed, .user = user};
    line_tap_add(line, &watch->tap);
    return true;
}

/* ---- Power ---- */

bool orr_node_powered(const OrrNode *node) {
    return !node->node->board.off && (!node->slot->start_ns || node->slot->start_ns <= node_time_ns(node->node));
}
