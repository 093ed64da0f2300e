/* include/orrery/debug.h: cores, memory as they see it, steps, breakpoints. */
#include "orrery/debug.h"

#include <string.h>

#include "api/api.h"

static Cpu *cpu_of(const OrrNode *node, unsigned core) {
    return core < node->node->n_cores ? node->node->cores[core].cpu : NULL;
}

unsigned orr_node_core_count(const OrrNode *node) {
    return node->node->n_cores;
}

const char *orr_core_name(const OrrNode *node, unsigned core) {
    const Cpu *cpu = cpu_of(node, core);
    return cpu ? cpu->name : NULL;
}

OrrCoreState orr_core_state(const OrrNode *node, unsigned core) {
    const Cpu *cpu = cpu_of(node, core);
    return !cpu || cpu->locked_up ? ORR_CORE_DEAD
           : node->node->board.off ? ORR_CORE_HELD
           : cpu->held            ? ORR_CORE_HELD
           : cpu->halted          ? ORR_CORE_SLEEPS
                                  : ORR_CORE_RUNS;
}

uint64_t orr_core_time_ns(const OrrNode *node, unsigned core) {
    const Cpu *cpu = cpu_of(node, core);
    return cpu ? clock_ns(node->node->cores[core].clock, cpu_ticks(cpu)) : 0;
}

uint64_t orr_core_instructions(const OrrNode *node, unsigned core) {
    const Cpu *cpu = cpu_of(node, core);
    return cpu ? cpu_ticks(cpu) - cpu->idle_ticks : 0;
}

uint64_t orr_core_pc(const OrrNode *node, unsigned core) {
    const Cpu *cpu = cpu_of(node, core);
    return cpu ? cpu_current_pc(cpu) : 0;
}

bool orr_core_pc_set(OrrNode *node, unsigned core, uint64_t pc) {
    Cpu *cpu = cpu_of(node, core);
    if (!cpu || node->node->running || pc & ~cpu->isa->pc_mask || pc % cpu->isa->insn_align) {
        return false;
    }
    node_start(node->node);
    if (cpu->isa->set_pc) {
        cpu->isa->set_pc(cpu, pc);
    } else {
        cpu->pc = pc;
        cpu->aux = 0;
    }
    return true;
}

/* ---- Registers: the elements of the ISA's field table, in its order ---- */

static uint8_t *register_at(const Cpu *cpu, size_t number, const Field **field, unsigned *element) {
    for (size_t i = 0; cpu && i < cpu->isa->n_fields; i++) {
        const Field *f = &cpu->isa->fields[i];
        if (number < f->count) {
            *field = f;
            *element = (unsigned)number;
            return (uint8_t *)cpu->state + f->offset + number * f->size;
        }
        number -= f->count;
    }
    return NULL;
}

size_t orr_core_register_count(const OrrNode *node, unsigned core) {
    const Cpu *cpu = cpu_of(node, core);
    size_t n = 0;
    for (size_t i = 0; cpu && i < cpu->isa->n_fields; i++) {
        n += cpu->isa->fields[i].count;
    }
    return n;
}

const char *orr_core_register_name(const OrrNode *node, unsigned core, size_t number, unsigned *element) {
    const Field *field;
    unsigned index;
    if (!register_at(cpu_of(node, core), number, &field, &index)) {
        return NULL;
    }
    if (element) {
        *element = index;
    }
    return field->name;
}

uint64_t orr_core_register(const OrrNode *node, unsigned core, size_t number) {
    const Field *field;
    unsigned element;
    const uint8_t *at = register_at(cpu_of(node, core), number, &field, &element);
    uint64_t value = 0;
    if (at) {
        memcpy(&value, at, field->size);
    }
    return value;
}

bool orr_core_register_set(OrrNode *node, unsigned core, size_t number, uint64_t value) {
    const Field *field;
    unsigned element;
    Cpu *cpu = cpu_of(node, core);
    uint8_t *at = register_at(cpu, number, &field, &element);
    if (!at || (field->max && value > field->max) || node->node->running) {
        return false;
    }
    memcpy(at, &value, field->size);
    if (cpu->isa->restored) {
        cpu->isa->restored(cpu); /* what follows from masks and modes */
    }
    return true;
}

size_t orr_core_register_find(const OrrNode *node, unsigned core, const char *name, unsigned element) {
    const Cpu *cpu = cpu_of(node, core);
    size_t number = 0;
    for (size_t i = 0; cpu && i < cpu->isa->n_fields; i++) {
        const Field *f = &cpu->isa->fields[i];
        if (strcmp(f->name, name) == 0 && element < f->count) {
            return number + element;
        }
        number += f->count;
    }
    return SIZE_MAX;
}

/* ---- Memory ---- */

/* Mappings and rights change at no finer steps, in any architecture. */
enum { PAGE_MIN = 1024 };

/* One piece after the other, each within a page. */
static bool memory_access(const OrrNode *node, unsigned core, uint64_t addr, uint8_t *bytes, size_t size, bool write) {
    Cpu *cpu = cpu_of(node, core);
    MemMap *map = &node->node->board.map;
    while (cpu && size) {
        uint64_t at = addr & cpu->isa->pc_mask, to = at;
        size_t n = PAGE_MIN - at % PAGE_MIN < size ? PAGE_MIN - at % PAGE_MIN : size;
        if (cpu->isa->physical && !cpu->isa->physical(cpu, at, &to)) {
            return false;
        }
        if (!(write ? mem_poke(map, to, bytes, n) : mem_peek(map, to, bytes, n))) {
            return false;
        }
        addr += n;
        bytes += n;
        size -= n;
    }
    return cpu != NULL;
}

bool orr_core_read(const OrrNode *node, unsigned core, uint64_t addr, void *out, size_t size) {
    return memory_access(node, core, addr, out, size, false);
}

bool orr_core_write(OrrNode *node, unsigned core, uint64_t addr, const void *data, size_t size) {
    return memory_access(node, core, addr, (uint8_t *)(uintptr_t)data, size, true);
}

unsigned orr_core_disassemble(const OrrNode *node, unsigned core, uint64_t addr, char *out, size_t size) {
    const Cpu *cpu = cpu_of(node, core);
    uint8_t bytes[16] = {0};
    size_t n = 0;
    size_t most = cpu && cpu->isa->insn_bytes_max < sizeof bytes ? cpu->isa->insn_bytes_max : sizeof bytes;
    while (n < most && orr_core_read(node, core, addr + n, &bytes[n], 1)) {
        n++;
    }
    return n && n >= cpu->isa->insn_align ? cpu->isa->disassemble(out, size, cpu->features, bytes, n, addr) : 0;
}

/* ---- Running ---- */

OrrStop orr_node_step(OrrNode *node) {
    api_prepare_code(node->world);
    StopReason reason = node_step(node->node);
    node->world->ran_ns = world_time_ns(&node->world->sim);
    return api_stop(node, reason);
}

bool orr_node_breakpoint(OrrNode *node, uint64_t pc, bool set) {
    return node_break(node->node, pc, set);
}
