/* The SPARC Reference MMU: SPARC V8 appendix H; GRIP, LEON3: "Memory management unit".
 *
 * What a walk of the tables has found is kept in the soft TLB (ir/tlb.h), which nobody sees: changes of the tables
 * count at once, without a flush, which correct software cannot tell. So flushes of all kinds (ASI 3, 0x10, 0x11, 0x13,
 * 0x18) have nothing to do. While the MMU is off it costs nothing. Pages are 4 KiB; physical addresses have 32 bits.
 *
 * Not modelled: the page size option of LEON's control register, TLB diagnostics, the errors of table reads beyond
 * "translation error"; alternate spaces 8 to 11 have the rights of the current mode. */
#include "guest/sparc/sys.h"

enum { CTRL_ENABLE = 1, CTRL_NO_FAULT = 2 };
#define CTRL_WRITABLE UINT32_C(0x0000ff03) /* with TLB disable, separate TLBs, page size as stored bits */
enum { REG_CTRL, REG_TABLE, REG_CONTEXT, REG_FAULT, REG_ADDRESS };
enum { LEVEL_LAST = 3 };
enum { ENTRY_INVALID, ENTRY_TABLE, ENTRY_PAGE };
enum { PAGE_REFERENCED = 1 << 5, PAGE_MODIFIED = 1 << 6 };
enum { FAULT_NONE, FAULT_INVALID, FAULT_PROTECTION, FAULT_PRIVILEGE, FAULT_TRANSLATION };
enum { FSR_OVERWRITE = 1, FSR_ADDRESS_VALID = 2, FSR_TYPE = 2, FSR_ACCESS = 5, FSR_LEVEL = 8 };
enum { ACCESS_INSTRUCTION = 2, ACCESS_STORE = 4 }; /* of FSR.AT; 1: supervisor */
enum { ACC_SUPERVISOR_ONLY = 6 };
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

/* All that decides a translation beside the tables. */
static uint64_t bank_key(const SparcState *s) {
    return (uint64_t)s->mmu_table << 9 | s->mmu_context << 1 | s->s;
}

void sparc_mmu_mode(Cpu *cpu) {
    const SparcState *s = sparc_state(cpu);
    cpu->check_access = cpu->check_fetch = enabled(s);
    if (!enabled(s)) {
        cpu->tlb_bank = NULL;
        return;
    }
    if (!cpu->tlb) {
        cpu->tlb = tlb_new();
    }
    if (!cpu->tlb_bank) {
        tlb_forget(cpu->tlb); /* nobody may have looked after the tables meanwhile */
    }
    cpu->tlb_bank = tlb_bank(cpu->tlb, bank_key(s));
}

/* Tables outside of memory are an error of the translation. */
static bool entry_read(const Cpu *cpu, uint64_t addr, uint32_t *entry) {
    uint64_t value = 0;
    bool done = mem_table_read(cpu->map, addr, 4, true, &value);
    *entry = (uint32_t)value;
    return done;
}

static Walk failed(Walk w, unsigned fault) {
    w.fault = fault;
    return w;
}

/* H.3: context table, then up to three levels; the entry of level `last` is looked at no further. */
static Walk walk_to(const Cpu *cpu, uint32_t addr, unsigned last) {
    static const struct {
        uint8_t shift, bits;
    } levels[4] = {{0, 0}, {24, 8}, {18, 6}, {12, 6}};
    const SparcState *s = sparc_state(cpu);
    Walk w = {.entry_addr = (s->mmu_table << 4) + 4 * s->mmu_context};
    for (w.level = 0;; w.level++) {
        if (!entry_read(cpu, w.entry_addr, &w.entry)) {
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
        if (kind != ENTRY_TABLE || w.level == LEVEL_LAST) {
            return failed(w, FAULT_TRANSLATION);
        }
        if (w.level == last) {
            return w;
        }
        uint32_t index = bits(addr, levels[w.level + 1].shift, levels[w.level + 1].bits);
        w.entry_addr = (w.entry >> 2 << 6) + 4 * index;
    }
}

static Walk walk(const Cpu *cpu, uint32_t addr) {
    return walk_to(cpu, addr, LEVEL_LAST);
}

/* H.4.2 (ACC): what a page permits. */
static unsigned rights_of(uint32_t entry, bool supervisor) {
    static const uint8_t user[8] = {1, 3, 5, 7, 4, 1, 0, 0}, system[8] = {1, 3, 5, 7, 4, 3, 5, 7};
    return (supervisor ? system : user)[bits(entry, 2, 3)];
}

typedef enum FaultClass { CLASS_INSTRUCTION, CLASS_DATA, CLASS_TABLE } FaultClass;

static FaultClass class_of(unsigned fault, unsigned access) {
    return fault == FAULT_TRANSLATION ? CLASS_TABLE : access & ACCESS_INSTRUCTION ? CLASS_INSTRUCTION : CLASS_DATA;
}

/* H.5: while nobody has read the status of a fault, one of a lower class does not change it, one of a higher class
 * takes its place, and one of the same class does so and sets OW. */
static void note_fault(SparcState *s, const Walk *w, uint32_t addr, unsigned access) {
    FaultClass now = class_of(w->fault, access);
    uint32_t over = 0;
    if (s->mmu_fault & FSR_ADDRESS_VALID) {
        FaultClass before = class_of(bits(s->mmu_fault, FSR_TYPE, 3), bits(s->mmu_fault, FSR_ACCESS, 3));
        if (now < before) {
            return;
        }
        over = now == before ? FSR_OVERWRITE : 0;
    }
    s->mmu_fault = (uint32_t)w->level << FSR_LEVEL | access << FSR_ACCESS | w->fault << FSR_TYPE | FSR_ADDRESS_VALID |
                   over;
    s->mmu_addr = addr & ~UINT32_C(0xfff);
}

static unsigned access_type(const SparcState *s, TlbAccess access) {
    return s->s | (access == TLB_FETCH ? ACCESS_INSTRUCTION : 0) | (access == TLB_STORE ? ACCESS_STORE : 0);
}

/* H.4.2: R with each access, M with stores. */
static uint32_t mark(Cpu *cpu, const Walk *w, TlbAccess access) {
    uint32_t marked = w->entry | PAGE_REFERENCED | (access == TLB_STORE ? PAGE_MODIFIED : 0);
    if (marked != w->entry) {
        mem_table_write(cpu->map, w->entry_addr, 4, true, marked);
    }
    return marked;
}

bool sparc_mmu_walk(Cpu *cpu, uint64_t addr, TlbAccess access, TlbWalked *page) {
    static const uint8_t wanted[] = {[TLB_LOAD] = RIGHT_READ, [TLB_STORE] = RIGHT_WRITE, [TLB_FETCH] = RIGHT_EXECUTE,
                                     [TLB_LOOK] = RIGHT_EXECUTE};
    SparcState *s = sparc_state(cpu);
    Walk w = walk(cpu, (uint32_t)addr);
    unsigned rights = w.fault == FAULT_NONE ? rights_of(w.entry, s->s) : 0;
    if (w.fault == FAULT_NONE && !(rights & wanted[access])) {
        w.fault = !s->s && bits(w.entry, 2, 3) >= ACC_SUPERVISOR_ONLY ? FAULT_PRIVILEGE : FAULT_PROTECTION;
    }
    if (access == TLB_LOOK && (w.fault != FAULT_NONE || !(w.entry & PAGE_REFERENCED))) {
        return false;
    }
    if (w.fault != FAULT_NONE) {
        note_fault(s, &w, (uint32_t)addr, access_type(s, access));
        if (access != TLB_FETCH && !(s->mmu_ctrl & CTRL_NO_FAULT)) {
            cpu_trap(cpu, SPARC_TT_DATA_ACCESS, addr);
        }
        return false;
    }
    uint32_t marked = mark(cpu, &w, access);
    page->bus = tlb_page_of(w.physical & cpu->isa->pc_mask);
    page->load = access >= TLB_FETCH || rights & RIGHT_READ;
    page->store = rights & RIGHT_WRITE && marked & PAGE_MODIFIED;
    return true;
}

bool sparc_mmu_physical(const Cpu *cpu, uint64_t addr, uint64_t *physical) {
    Walk w = {.physical = addr};
    if (enabled(sparc_state(cpu))) {
        w = walk(cpu, (uint32_t)addr);
    }
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
        break;
    case REG_TABLE:
        s->mmu_table = value & ~UINT32_C(3);
        break;
    case REG_CONTEXT:
        s->mmu_context = value & 0xff;
        break;
    default: /* fault registers cannot be written */
        return;
    }
    sparc_mmu_mode(cpu);
    cpu->leave = true; /* what comes next may be elsewhere */
}

/* H.6: bits 11..8 of the address say down to which level; the entry found there, 0 if none or it is no valid one. The
 * last type finds the page wherever it is. */
uint32_t sparc_mmu_probe(Cpu *cpu, uint32_t addr) {
    enum { ENTIRE = 4 };
    unsigned kind = bits(addr, 8, 4), level = LEVEL_LAST - kind;
    if (kind > ENTIRE) {
        return 0;
    }
    Walk w = walk_to(cpu, addr & ~UINT32_C(0xfff), kind == ENTIRE ? LEVEL_LAST : level);
    return w.fault == FAULT_NONE && (kind == ENTIRE || w.level == level) ? w.entry : 0;
}
