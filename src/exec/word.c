/* Words of devices, from translated code. Firmware polls: all that stands between its load and the device's hook is
 * here, for registers that have been found before (MemWord). Everything else goes the long way. */
#include "exec/word.h"

#include "bus/mem.h"

/* What only unusual answers need waits in the Cpu, so that no host register has to be kept for it. */
static void begin(Cpu *cpu, uint64_t site, uint64_t addr) {
    cpu->jit_addr = addr;
    cpu->jit_value = site;
    cpu->map->fault = false;
}

/* The device answers with a bus error, or the value is the one that was read last, wherever that was: maybe a poll. */
static __attribute__((noinline)) CpuLoaded same_value(Cpu *cpu, uint32_t value) {
    mem_word_same(cpu->map, cpu->jit_addr, value);
    return (CpuLoaded){value, UNLIKELY(cpu->map->fault) ? exec_word_fault(cpu, false) : cpu->leave};
}

CpuLoaded exec_load_word(Cpu *cpu, uint64_t site, uint64_t addr) {
    const MemWord *word = &cpu->map->loads[mem_word_slot(addr)];
    if (UNLIKELY(word->key != mem_word_key(addr) || cpu->check_access)) {
        return exec_load_far(cpu, site, addr);
    }
    begin(cpu, site, addr);
    uint32_t value = word->read(word->device, word->index);
    MemMap *map = cpu->map;
    if (UNLIKELY(map->poll.value == value || map->fault)) {
        return same_value(cpu, value);
    }
    mem_poll_new(&map->poll, value);
    return (CpuLoaded){value, cpu->leave};
}

uint32_t exec_store_word(Cpu *cpu, uint64_t site, uint64_t addr, uint64_t value) {
    const MemWord *word = &cpu->map->stores[mem_word_slot(addr)];
    if (UNLIKELY(word->key != mem_word_key(addr) || cpu->check_access)) {
        return exec_store_far(cpu, site, addr, value);
    }
    begin(cpu, site, addr);
    mem_word_write(cpu->map, word, (uint32_t)value);
    return LIKELY(!cpu->map->fault) ? cpu->leave : exec_word_fault(cpu, true);
}
