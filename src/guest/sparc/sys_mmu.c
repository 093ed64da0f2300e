/* The SPARC Reference MMU: SPARC V8 appendix H; GRIP, LEON3: "Memory management unit".
 *
 * While it is on, every access and every fetch goes the checked way, which walks the tables: there is no TLB, so
 * changes of the tables are seen without a flush, which correct software cannot tell. While it is off it costs nothing.
 * Pages are 4 KiB; physical addresses have 32 bits. Tables are read and their R and M bits written as the walk goes.
 *
 * Not modelled: the page size option of LEON's control register, TLB diagnostics, the errors of table reads beyond
 * "translation error". */
#include "guest/sparc/sys.h"

enum { CTRL_ENABLE = 1, CTRL_NO_FAULT = 2 };
#define CTRL_WRITABLE UINT32_C(0x0000ff03) /* with TLB disable, separate TLBs, page size as stored bits */
enum { REG_CTRL, REG_TABLE, REG_CONTEXT, REG_FAULT, REG_ADDRESS };
enum { ENTRY_INVALID, ENTRY_TABLE, ENTRY_PAGE };
enum { PAGE_REFERENCED = 1 << 5, PAGE_MODIFIED = 1 << 6 };
enum { FAULT_NONE, FAULT_INVALID, FAULT_PROTECTION, FAULT_PRIVILEGE, FAULT_TRANSLATION };
enum { FSR_OVERWRITE = 1, FSR_ADDRESS_VALID = 2, FSR_TYPE = 2, FSR_ACCESS = 5, FSR_LEVEL = 8 };
enum { RIGHT_READ = 1, RIGHT_WRITE = 2, RIGHT_EXECUTE = 4 };

typedef struct Walk {
    uint32_t entry, entry_addr;
    unsigned level; /* at which the walk ended */
    unsigned fault;
    uint64_t physical;
} Walk;

static bool enabled(const SparcState *s) {
    return s->mmu_ctrl & CTRL_ENABLE;
}

void sparc_mmu_mode(Cpu *cpu) {
    cpu->check_access = cpu->check_fetch = enabled(sparc_state(cpu));
}

static bool entry_read(const Cpu *cpu, bool peeks, uint64_t addr, uint32_t *entry) {
    uint8_t bytes[4];
    if (peeks) {
        bool there = mem_peek(cpu->map, addr, bytes, sizeof bytes);
        *entry = there ? (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3] : 0;
        return there;
    }
    uint64_t value = 0;
    bool done = mem_read(cpu->map, addr, 4, true, &value);
    *entry = (uint32_t)value;
    return done;
}

static Walk failed(Walk w, unsigned fault) {
    w.fault = fault;
    return w;
}

/* H.3: context table, then up to three levels; without side effects if it only peeks. */
static Walk walk(const Cpu *cpu, bool peeks, uint32_t addr) {
    static const struct {
        uint8_t shift, bits;
    } levels[4] = {{0, 0}, {24, 8}, {18, 6}, {12, 6}};
    const SparcState *s = sparc_state(cpu);
    Walk w = {.entry_addr = (s->mmu_table << 4) + 4 * s->mmu_context};
    for (w.level = 0;; w.level++) {
        if (!entry_read(cpu, peeks, w.entry_addr, &w.entry)) {
            return failed(w, FAULT_TRANSLATION);
        }
        unsigned kind = w.entry & 3;
        if (kind == ENTRY_INVALID) {
            return failed(w, FAULT_INVALID);
        }
        if (kind == ENTRY_PAGE) {
            uint32_t offset_mask = w.level == 0 ? UINT32_MAX : (UINT32_C(1) << levels[w.level].shift) - 1;
            w.physical = ((uint64_t)(w.entry >> 8) << 12 & ~(uint64_t)offset_mask) | (addr & offset_mask);
            return w;
        }
        if (kind != ENTRY_TABLE || w.level == 3) {
            return failed(w, FAULT_TRANSLATION);
        }
        uint32_t index = bits(addr, levels[w.level + 1].shift, levels[w.level + 1].bits);
        w.entry_addr = (w.entry >> 2 << 6) + 4 * index;
    }
}

/* H.4.2 (ACC): what a page permits. */
static unsigned rights_of(uint32_t entry, bool supervisor) {
    static const uint8_t user[8] = {1, 3, 5, 7, 4, 1, 0, 0}, system[8] = {1, 3, 5, 7, 4, 3, 5, 7};
    return (supervisor ? system : user)[bits(entry, 2, 3)];
}

/* H.5: a fault of higher priority stays; one of the same kind of access is overwritten. */
static void note_fault(SparcState *s, const Walk *w, uint32_t addr, unsigned access) {
    uint32_t over = s->mmu_fault & FSR_ADDRESS_VALID ? FSR_OVERWRITE : 0;
    s->mmu_fault = (uint32_t)w->level << FSR_LEVEL | access << FSR_ACCESS | w->fault << FSR_TYPE | FSR_ADDRESS_VALID |
                   over;
    s->mmu_addr = addr & ~UINT32_C(0xfff);
}

/* False: the access may not be done, and *fault has been noted. */
static bool map(Cpu *cpu, uint64_t *addr, unsigned right) {
    SparcState *s = sparc_state(cpu);
    Walk w = walk(cpu, false, (uint32_t)*addr);
    unsigned access = s->s | (right == RIGHT_EXECUTE ? 2 : 0) | (right == RIGHT_WRITE ? 4 : 0);
    if (w.fault == FAULT_NONE && !(rights_of(w.entry, s->s) & right)) {
        w.fault = rights_of(w.entry, true) && !s->s && bits(w.entry, 2, 3) >= 6 ? FAULT_PRIVILEGE : FAULT_PROTECTION;
    }
    if (w.fault != FAULT_NONE) {
        note_fault(s, &w, (uint32_t)*addr, access);
        return false;
    }
    uint32_t marked = w.entry | PAGE_REFERENCED | (right == RIGHT_WRITE ? PAGE_MODIFIED : 0);
    if (marked != w.entry) {
        mem_write(cpu->map, w.entry_addr, 4, true, marked);
    }
    *addr = w.physical & cpu->isa->pc_mask;
    return true;
}

bool sparc_mmu_map(Cpu *cpu, uint64_t *addr, unsigned mem, bool store) {
    SparcState *s = sparc_state(cpu);
    (void)mem;
    if (!enabled(s) || map(cpu, addr, store ? RIGHT_WRITE : RIGHT_READ)) {
        return true;
    }
    if (!(s->mmu_ctrl & CTRL_NO_FAULT)) {
        cpu_trap(cpu, SPARC_TT_DATA_ACCESS, *addr);
    }
    return false;
}

bool sparc_mmu_map_fetch(Cpu *cpu, uint64_t *addr) {
    return !enabled(sparc_state(cpu)) || map(cpu, addr, RIGHT_EXECUTE);
}

bool sparc_mmu_physical(const Cpu *cpu, uint64_t addr, uint64_t *physical) {
    *physical = addr;
    if (!enabled(sparc_state(cpu))) {
        return true;
    }
    Walk w = walk(cpu, true, (uint32_t)addr);
    *physical = w.physical & cpu->isa->pc_mask;
    return w.fault == FAULT_NONE;
}

/* ---- Registers ---- */

uint32_t sparc_mmu_read(Cpu *cpu, uint32_t offset) {
    SparcState *s = sparc_state(cpu);
    uint32_t fault;
    switch (bits(offset, 8, 4)) {
    case REG_CTRL:
        return (s->config.version & UINT32_C(0xff000000)) | s->mmu_ctrl;
    case REG_TABLE:
        return s->mmu_table;
    case REG_CONTEXT:
        return s->mmu_context;
    case REG_FAULT: /* reading clears it */
        fault = s->mmu_fault;
        s->mmu_fault = 0;
        return fault;
    case REG_ADDRESS:
        return s->mmu_addr;
    default:
        return 0;
    }
}

void sparc_mmu_write(Cpu *cpu, uint32_t offset, uint32_t value) {
    SparcState *s = sparc_state(cpu);
    if (!s->config.has_mmu) {
        return;
    }
    switch (bits(offset, 8, 4)) {
    case REG_CTRL:
        s->mmu_ctrl = value & CTRL_WRITABLE;
        sparc_mmu_mode(cpu);
        cpu->leave = true;
        break;
    case REG_TABLE:
        s->mmu_table = value & ~UINT32_C(3);
        break;
    case REG_CONTEXT:
        s->mmu_context = value & 0xff;
        break;
    default: /* fault registers cannot be written */
        break;
    }
}

/* H.6: bits 11..8 of the address say down to which level; the entry found there, 0 if none. LEON probes the page. */
uint32_t sparc_mmu_probe(Cpu *cpu, uint32_t addr) {
    enum { ENTIRE = 4 };
    unsigned kind = bits(addr, 8, 4);
    Walk w = walk(cpu, false, addr & ~UINT32_C(0xfff));
    if (w.fault == FAULT_TRANSLATION || kind > ENTIRE) {
        return 0;
    }
    bool whole = w.fault == FAULT_NONE && kind == ENTIRE, level = 3 - w.level == kind;
    return whole || level ? w.entry : 0;
}
