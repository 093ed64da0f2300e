/* Loads and stores of translated code: rights, alignment, byte order, faults. */
#include "bus/mem.h"
#include "exec/exec.h"

/* An access that crosses from one region into the next is done byte by byte, as a bus would split it. */
static bool split(Cpu *cpu, uint64_t addr, unsigned size, bool big, uint64_t *value, bool store) {
    uint64_t last = addr + size - 1, result = 0;
    if (mem_region_at(cpu->map, addr) == mem_region_at(cpu->map, last)) {
        return false;
    }
    for (unsigned i = 0; i < size; i++) {
        unsigned shift = 8 * (big ? size - 1 - i : i);
        uint64_t byte = *value >> shift & 0xff, at = (addr + i) & cpu->isa->pc_mask;
        if (store ? !mem_write(cpu->map, at, 1, false, byte) : !mem_read(cpu->map, at, 1, false, &byte)) {
            return false;
        }
        result |= byte << shift;
    }
    *value = result;
    return true;
}

static bool fault(Cpu *cpu, uint64_t addr, unsigned mem, bool store, uint64_t value) {
    if (!mem_region_at(cpu->map, addr)) {
        mem_tell_unmapped(cpu->map, addr, 1u << (mem & IR_MEM_SIZE), store, value);
    }
    cpu->isa->access_fault(cpu, addr, mem, store);
    return false;
}

static bool needs_check(const Cpu *cpu, uint64_t addr, unsigned mem) {
    uint64_t misaligned = addr & ((1u << (mem & IR_MEM_SIZE)) - 1);
    return cpu->check_access || mem & IR_MEM_UNPRIV || (mem & IR_MEM_ALIGNED && misaligned);
}

/* Notes what a walk has found, for translated code too. */
static void keep(Cpu *cpu, const TlbWalked *page) {
    TlbBank *bank = cpu->tlb_bank;
    bool store;
    uint8_t *host = mem_page(cpu->map, page->bus, &store);
    bank->walked[tlb_index(page->page, TLB_PAGES)] = *page;
    bank->pages[tlb_index(page->page, TLB_PAGES)] = (TlbPage){
        .load = host && page->load ? page->page : TLB_NONE,
        .store = store && page->store ? page->page : TLB_NONE,
        .to_host = (uintptr_t)host - page->page,
    };
}

bool exec_map(Cpu *cpu, uint64_t *addr, TlbAccess access) {
    TlbBank *bank = cpu->tlb_bank;
    uint64_t virtual = tlb_page_of(*addr);
    const TlbWalked *known = access == TLB_FETCH ? &bank->fetched[tlb_index(virtual, TLB_FETCHES)]
                                                 : &bank->walked[tlb_index(virtual, TLB_PAGES)];
    TlbWalked page = {.page = virtual};
    if (known->page != virtual || !(access == TLB_STORE ? known->store : known->load)) {
        if (!cpu->isa->walk(cpu, *addr, access, &page)) {
            return false;
        }
        if (access == TLB_FETCH) {
            bank->fetched[tlb_index(virtual, TLB_FETCHES)] = page;
        } else {
            keep(cpu, &page);
        }
        known = &page;
    }
    *addr = known->bus + (*addr - virtual);
    return true;
}

bool exec_look(Cpu *cpu, uint64_t pc, uint32_t *page) {
    const TlbWalked *known = &cpu->tlb_bank->fetched[tlb_index(pc, TLB_FETCHES)];
    TlbWalked walked = *known;
    if (known->page != tlb_page_of(pc) && !cpu->isa->walk(cpu, pc, TLB_LOOK, &walked)) {
        return false;
    }
    *page = ir_page_at(walked.bus);
    return true;
}

/* True if the guest's memory management has its say and forbids the access. */
static bool refused(Cpu *cpu, uint64_t *addr, bool store) {
    return cpu->check_access && cpu->tlb_bank && !exec_map(cpu, addr, store ? TLB_STORE : TLB_LOAD);
}

static uint64_t sign_extend(uint64_t value, unsigned mem) {
    switch (mem & IR_MEM_SIZE) {
    case IR_MEM_8: return (uint64_t)(int8_t)value;
    case IR_MEM_16: return (uint64_t)(int16_t)value;
    case IR_MEM_32: return (uint64_t)(int32_t)value;
    default: return value;
    }
}

static bool exec_load(Cpu *cpu, uint64_t addr, unsigned mem, uint64_t *value) {
    unsigned size = 1u << (mem & IR_MEM_SIZE);
    bool big = mem & IR_MEM_BIG;
    if (UNLIKELY(needs_check(cpu, addr, mem)) && !cpu->isa->access_check(cpu, addr, mem, false)) {
        return false;
    }
    *value = 0;
    if (UNLIKELY(refused(cpu, &addr, false))) {
        return !cpu->trap_pending;
    }
    if (UNLIKELY(!mem_read(cpu->map, addr, size, big, value)) && !split(cpu, addr, size, big, value, false)) {
        return fault(cpu, addr, mem, false, 0);
    }
    if (mem & IR_MEM_SIGNED) {
        *value = sign_extend(*value, mem);
    }
    return true;
}

static bool exec_store(Cpu *cpu, uint64_t addr, unsigned mem, uint64_t value) {
    unsigned size = 1u << (mem & IR_MEM_SIZE);
    bool big = mem & IR_MEM_BIG;
    if (UNLIKELY(needs_check(cpu, addr, mem)) && !cpu->isa->access_check(cpu, addr, mem, true)) {
        return false;
    }
    if (UNLIKELY(refused(cpu, &addr, true))) {
        return !cpu->trap_pending;
    }
    value &= size == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
    if (UNLIKELY(!mem_write(cpu->map, addr, size, big, value)) && !split(cpu, addr, size, big, &value, true)) {
        return fault(cpu, addr, mem, true, value);
    }
    return true;
}

void exec_attach(Cpu *cpu) {
    cpu->load = exec_load;
    cpu->store = exec_store;
}
