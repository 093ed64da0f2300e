/* What translated code calls: accesses and helpers that it cannot do itself, quick code's points, traps. */
#include "exec/jit_internal.h"

#include <string.h>

#include "bus/mem.h"
#include "exec/word.h"

enum { OFTEN_TRAPPED = 16 /* at one place, until its trap is linked to code */ };

/* ---- Called from translated code ---- */

/* An access or a call: what stands at its site, or point. */
typedef struct Place {
    uint64_t pc; /* not yet masked to the guest's address bits */
    uint32_t unused, aux; /* as in X64Site */
    uint16_t number; /* IrMem bits, or the helper */
    uint8_t type; /* IrType of a load */
} Place;

static inline Place place_of(const Cpu *cpu, uint32_t index) {
    const X64Site *site = jit_site(cpu->jit, index);
    return (Place){jit_pc_of(cpu->jit, site), site->unused, site->aux, site->number, site->type};
}

/* Puts the CPU at the instruction of a fault entry, begun and not complete. Devices may ask for the PC and the time;
 * nobody but helpers asks for aux. */
static inline void stand_at(Cpu *cpu, const Place *place) {
    cpu->pc = place->pc & cpu->isa->pc_mask;
    cpu->prepaid = place->unused + 1;
}

static uint32_t answer(const Cpu *cpu) {
    return cpu->leave ? CPU_LEAVES : CPU_GOES_ON;
}

/* Any access, done as the interpreter does it. */
static RARE CpuLoaded any_load(Cpu *cpu, const Place *place, uint64_t addr) {
    uint64_t value;
    if (!cpu->load(cpu, addr, place->number, &value)) {
        return (CpuLoaded){.answer = CPU_TRAPS};
    }
    return (CpuLoaded){place->type == IR_I32 ? (uint32_t)value : value, answer(cpu)};
}

static RARE uint32_t any_store(Cpu *cpu, const Place *place, uint64_t addr, uint64_t value) {
    return cpu->store(cpu, addr, place->number, value) ? answer(cpu) : CPU_TRAPS;
}

/* What most calls are for: an aligned word of a device, with nothing to check and nobody to tell. NULL: it is something
 * else. Memories have neither `read` nor `write`. */
static inline const MemRegion *plain_window(const Cpu *cpu, unsigned mem, uint64_t addr, uint64_t *offset) {
    if (UNLIKELY((mem & ~(unsigned)(IR_MEM_ALIGNED | IR_MEM_BIG)) != IR_MEM_32 || addr % 4 || cpu->check_access)) {
        return NULL;
    }
    const MemRegion *r = mem_region_at(cpu->map, addr);
    if (UNLIKELY(!r || cpu->map->trace)) {
        return NULL;
    }
    uint64_t at = addr - r->base;
    *offset = r->offset + at;
    return LIKELY(r->size - at >= 4) ? r : NULL;
}

static RARE uint32_t plain_fault(Cpu *cpu, const Place *place, uint64_t addr, bool store) {
    cpu->isa->access_fault(cpu, addr, place->number, store);
    return CPU_TRAPS;
}

/* The next access to that word may be one of a known register. */
static CpuLoaded load_at(Cpu *cpu, const Place *place, uint64_t addr) {
    uint64_t offset;
    stand_at(cpu, place);
    const MemRegion *r = plain_window(cpu, place->number, addr, &offset);
    if (UNLIKELY(!r || !r->read)) {
        return any_load(cpu, place, addr);
    }
    cpu->map->fault = false;
    uint32_t value = (uint32_t)r->read(mem_device_of(cpu->map, r), offset, 4);
    mem_word_note(cpu->map, addr, r, false);
    return (CpuLoaded){value, LIKELY(!cpu->map->fault) ? answer(cpu) : plain_fault(cpu, place, addr, false)};
}

static uint32_t store_at(Cpu *cpu, const Place *place, uint64_t addr, uint64_t value) {
    uint64_t offset;
    stand_at(cpu, place);
    const MemRegion *r = plain_window(cpu, place->number, addr, &offset);
    if (UNLIKELY(!r || !r->write)) {
        return any_store(cpu, place, addr, value);
    }
    cpu->map->fault = false;
    r->write(mem_device_of(cpu->map, r), offset, 4, (uint32_t)value);
    mem_word_note(cpu->map, addr, r, true);
    return LIKELY(!cpu->map->fault) ? answer(cpu) : plain_fault(cpu, place, addr, true);
}

static inline uint32_t call_at(Cpu *cpu, const Place *place) {
    stand_at(cpu, place);
    cpu->aux = place->aux;
    cpu->jit_value = cpu->isa->helpers[place->number](cpu, cpu->jit_addr, cpu->jit_value);
    return cpu->trap_pending ? CPU_TRAPS : answer(cpu);
}

CpuLoaded exec_load_far(Cpu *cpu, uint64_t site, uint64_t addr) {
    Place place = place_of(cpu, (uint32_t)site);
    return load_at(cpu, &place, addr);
}

uint32_t exec_store_far(Cpu *cpu, uint64_t site, uint64_t addr, uint64_t value) {
    Place place = place_of(cpu, (uint32_t)site);
    return store_at(cpu, &place, addr, value);
}

RARE uint32_t exec_word_fault(Cpu *cpu, bool store) {
    Place place = place_of(cpu, (uint32_t)cpu->jit_value);
    return plain_fault(cpu, &place, cpu->jit_addr, store);
}

static uint32_t slow_call(Cpu *cpu, uint32_t site) {
    Place place = place_of(cpu, site);
    return call_at(cpu, &place);
}

/* ---- Called from quick code ---- */

/* The entry for the code offset `at`, or the last one before it; NULL if there is none. */
static const X64Point *find_point(const Jit *jit, uint32_t at) {
    const X64Point *points = jit->out.points.data;
    size_t n = __atomic_load_n(&jit->out.points.len, __ATOMIC_ACQUIRE);
    size_t i = jit_entries_to(points, sizeof *points, n, at);
    return i ? &points[i - 1] : NULL;
}

/* Has the POLL of the point's instruction, if it has one, look whether there is something to leave for. The points of a
 * block stand together. Returns the access that does so itself, or NULL. */
static const X64Point *call_poll(Jit *jit, const X64Point *point) {
    const X64Point *begin = jit->out.points.data, *p = point;
    const X64Point *end = begin + __atomic_load_n(&jit->out.points.len, __ATOMIC_ACQUIRE);
    while (p > begin && p[-1].block == point->block) {
        p--;
    }
    for (; p < end && p->block == point->block; p++) {
        bool is_poll = p->kind == IR_POLL, here = p->begun == point->begun;
        if (here && !is_poll && p->poll == X64_POLL_NONE) {
            return p;
        }
        if (here && (is_poll || p->poll)) {
            x64_patch_call(&jit->code.hot, is_poll ? p->at : p->at + p->poll, jit->thunks.point);
        }
    }
    return NULL;
}

static uint64_t pc_of(const Cpu *cpu, const X64Point *point) {
    return jit_block(cpu->jit, point->block)->loc.pc + point->pc_offset;
}

static uint32_t unused_at(const Cpu *cpu, const X64Point *point) {
    return jit_block(cpu->jit, point->block)->n_insns - point->begun;
}

static uint32_t aux_of(const Cpu *cpu, const X64Point *point) {
    const X64Point *last = find_point(cpu->jit, point->at + 1);
    return last == point ? 0 : (uint32_t)last->disp;
}

/* Ends the run, with the instruction of the point, at `pc`. */
static uint32_t leave_at(Cpu *cpu, const X64Point *point, uint64_t pc, uint32_t aux, uint32_t exit) {
    cpu->pc = pc & cpu->isa->pc_mask;
    cpu->aux = aux;
    cpu->prepaid = 0;
    cpu->budget += unused_at(cpu, point);
    return exit;
}

/* At a POLL that has an entry, or else at that of the point. */
static uint32_t leave_at_poll(Cpu *cpu, const X64Point *point) {
    bool is_poll = point->kind == IR_POLL;
    uint64_t pc = pc_of(cpu, point) + (is_poll ? 0 : point->long_insn ? 4 : 2);
    return leave_at(cpu, point, pc, is_poll ? (uint32_t)point->disp : 0, X64_EXIT_LEFT);
}

static uint64_t operand(const uint64_t *regs, unsigned reg) {
    return reg == NO_REG ? 0 : regs[reg];
}

/* The point's access or call, with the operands in the Cpu. */
static uint32_t do_point(Cpu *cpu, const X64Point *point) {
    bool is_call = point->kind == IR_CALL;
    Place place = {.pc = pc_of(cpu, point), .unused = unused_at(cpu, point), .aux = is_call ? aux_of(cpu, point) : 0,
                   .number = (uint16_t)(is_call ? point->disp : point->mem), .type = point->type};
    if (point->kind == IR_LOAD) {
        CpuLoaded loaded = load_at(cpu, &place, cpu->jit_addr);
        cpu->jit_value = loaded.value;
        return loaded.answer;
    }
    return is_call ? call_at(cpu, &place) : store_at(cpu, &place, cpu->jit_addr, cpu->jit_value);
}

static uint32_t at_point(Cpu *cpu, uint64_t *regs) {
    Jit *jit = cpu->jit;
    uint32_t at = (uint32_t)(regs[X64_POINT_BEHIND] - (uint64_t)(uintptr_t)jit->executable) - X64_ACCESS_BYTES;
    const X64Point *point = find_point(jit, at);
    assert(point);
    if (point->at != at || point->kind == IR_POLL) {
        return cpu->leave ? leave_at_poll(cpu, point) : 0;
    }
    regs[X64_POINT_BEHIND] += point->rest;
    uint64_t disp = point->kind == IR_CALL ? 0 : (uint64_t)(int64_t)point->disp;
    uint64_t base = operand(regs, point->base) + disp;
    cpu->jit_addr = point->wide ? base : (uint32_t)base;
    cpu->jit_value = operand(regs, point->data);
    uint32_t answer = do_point(cpu, point);
    if (answer == CPU_TRAPS) {
        return leave_at(cpu, point, pc_of(cpu, point), aux_of(cpu, point), X64_EXIT_TRAP);
    }
    if (answer == CPU_LEAVES) { /* maybe from behind the block: a misaligned access */
        const X64Point *last = call_poll(jit, point);
        if (last) {
            return leave_at_poll(cpu, last);
        }
    }
    if (point->result != NO_REG && point->kind != IR_STORE) {
        regs[point->result] = cpu->jit_value;
    }
    return 0;
}

bool jit_call_point(Jit *jit, uint32_t at) {
    const X64Point *point = find_point(jit, at);
    if (!point || point->at != at) {
        return false;
    }
    call_poll(jit, point);
    x64_patch_call(&jit->code.hot, at, jit->thunks.point);
    return true;
}

/* ---- Traps ---- */

/* Read as they have been written just now, byte by byte: one wider load would wait for the stores. */
static bool looks_elsewhere(const Cpu *cpu) {
    return __atomic_load_n(&cpu->leave, __ATOMIC_RELAXED) || __atomic_load_n(&cpu->irq_request, __ATOMIC_RELAXED) ||
           __atomic_load_n(&cpu->halted, __ATOMIC_RELAXED);
}

static bool is_checked(const Cpu *cpu) {
    return __atomic_load_n(&cpu->check_access, __ATOMIC_RELAXED) ||
           __atomic_load_n(&cpu->check_fetch, __ATOMIC_RELAXED);
}

static JitSeat *seat_of(const Cpu *cpu) {
    return CONTAINER_OF((X64Target(*)[X64_TARGETS])cpu->jit_targets, JitSeat, targets);
}

/* The key by which code for the CPU's location can be found; false if there cannot be any. */
static bool key_of_next(const Cpu *cpu, IrLoc loc, uint64_t *key) {
    if (LIKELY(!is_checked(cpu))) {
        *key = x64_target_key(loc);
        return jit_has_target(loc);
    }
    *key = cpu->tlb_bank ? x64_mapped_key(loc.pc, cpu->tlb_bank->code) : 0;
    return cpu->tlb_bank && loc.aux == 0;
}

/* Where the code stands that the CPU runs next, as an indirect branch would find it; NULL if there is none, or if
 * anything but to go on may be due. */
static const void *code_at(const Cpu *cpu) {
    const JitSeat *seat = seat_of(cpu);
    const IrLoc loc = {cpu->pc, cpu->aux, 0};
    const X64Target *target = &seat->targets[x64_target_index(loc)];
    uint64_t key;
    bool known = key_of_next(cpu, loc, &key) && target->key == key && seat->serial == cpu->jit->serial;
    return looks_elsewhere(cpu) || cpu->budget <= 0 || !known ? NULL : (const void *)(uintptr_t)target->code;
}

/* True the one time that a trap which can be linked has come often from here. */
static bool has_come_often(X64Site *site) {
    uint8_t n = __atomic_load_n(&site->type, __ATOMIC_RELAXED);
    if (LIKELY(!site->patch || n == OFTEN_TRAPPED)) {
        return false;
    }
    __atomic_store_n(&site->type, n + 1, __ATOMIC_RELAXED);
    return n + 1 == OFTEN_TRAPPED;
}

/* A trap is an exit that most often leads to other code. Without a hook that takes it, it is one like any other. */
static const void *take_trap(Cpu *cpu, uint32_t site_index) {
    X64Site *site = jit_site(cpu->jit, site_index);
    cpu->jit_value = cpu->isa->trap ? X64_TRAP_TAKEN : site_index;
    if (UNLIKELY(!cpu->isa->trap)) {
        return NULL;
    }
    cpu->pc = jit_pc_of(cpu->jit, site) & cpu->isa->pc_mask;
    cpu->aux = site->aux;
    cpu->prepaid = 0;
    cpu->budget += site->unused;
    if (UNLIKELY(cpu->probe != NULL)) {
        jit_count_region(cpu);
        cpu->probe->stats.traps++;
    }
    cpu->isa->trap(cpu, site->number, cpu->trap_arg);
    if (UNLIKELY(has_come_often(site))) {
        seat_of(cpu)->trap = site_index;
        return NULL;
    }
    return code_at(cpu);
}

const X64Calls jit_calls = {
    exec_load_far, exec_store_far, exec_load_word, exec_store_word, slow_call, take_trap, at_point,
};
