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

bool api_pc_set(OrrNode *node, const OrrInput *in) {
    Cpu *cpu = cpu_of(node, in->core);
    if (!cpu || node->node->running || in->value & ~cpu->isa->pc_mask || in->value % cpu->isa->insn_align) {
        return false;
    }
    node_start(node->node);
    if (cpu->isa->set_pc) {
        cpu->isa->set_pc(cpu, in->value);
    } else {
        cpu->pc = in->value;
        cpu->aux = 0;
    }
    return true;
}

/* An input that happens where the world stands. */
static bool change(OrrNode *node, OrrInput in) {
    in.node = node;
    in.time_ns = node->world->ran_ns;
    return orr_world_input(node->world, &in);
}

bool orr_core_pc_set(OrrNode *node, unsigned core, uint64_t pc) {
    return change(node, (OrrInput){.kind = ORR_INPUT_PC, .core = core, .value = pc});
}

/* ---- Registers: the elements of the ISA's field table, in its order ---- */

static uint8_t *register_at(Cpu *cpu, size_t number, const Field **field, unsigned *element) {
    if (cpu) {
        cpu_settle(cpu); /* the table shows architectural state */
    }
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

bool api_register_set(OrrNode *node, const OrrInput *in) {
    const Field *field;
    unsigned element;
    Cpu *cpu = cpu_of(node, in->core);
    uint8_t *at = register_at(cpu, (size_t)in->address, &field, &element);
    if (!at || (field->max && in->value > field->max) || node->node->running) {
        return false;
    }
    memcpy(at, &in->value, field->size);
    if (cpu->isa->restored) {
        cpu->isa->restored(cpu); /* what follows from masks and modes */
    }
    return true;
}

bool orr_core_register_set(OrrNode *node, unsigned core, size_t number, uint64_t value) {
    return change(node, (OrrInput){.kind = ORR_INPUT_REGISTER, .core = core, .address = number, .value = value});
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

/* One piece after the other, each within a page. `in` NULL: reads. */
static bool memory_access(const OrrNode *node, unsigned core, uint64_t addr, uint8_t *out, const uint8_t *in,
                          size_t size) {
    Cpu *cpu = cpu_of(node, core);
    MemMap *map = &node->node->board.map;
    while (cpu && size) {
        uint64_t at = addr & cpu->isa->pc_mask, to = at;
        size_t n = PAGE_MIN - at % PAGE_MIN < size ? PAGE_MIN - at % PAGE_MIN : size;
        if (cpu->isa->physical && !cpu->isa->physical(cpu, at, &to)) {
            return false;
        }
        if (!(in ? mem_poke(map, to, in, n) : mem_peek(map, to, out, n))) {
            return false;
        }
        addr += n;
        out += out ? n : 0;
        in += in ? n : 0;
        size -= n;
    }
    return cpu != NULL;
}

bool orr_core_read(const OrrNode *node, unsigned core, uint64_t addr, void *out, size_t size) {
    return memory_access(node, core, addr, out, NULL, size);
}

bool api_memory_write(OrrNode *node, const OrrInput *in) {
    return in->core == ORR_NO_CORE ? mem_poke(&node->node->board.map, in->address, in->bytes, in->len)
                                   : memory_access(node, in->core, in->address, NULL, in->bytes, in->len);
}

bool orr_core_write(OrrNode *node, unsigned core, uint64_t addr, const void *data, size_t size) {
    return change(node, (OrrInput){.kind = ORR_INPUT_MEMORY, .core = core, .address = addr, .bytes = data,
                                   .len = size});
}

bool orr_node_write(OrrNode *node, uint64_t addr, const void *data, size_t size) {
    return orr_core_write(node, ORR_NO_CORE, addr, data, size);
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
    node->world->stopped = true;
    return api_stop(node, reason);
}

bool orr_node_breakpoint(OrrNode *node, uint64_t pc, bool set) {
    return node_break(node->node, pc, set);
}
