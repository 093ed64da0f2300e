/* Accesses of translated code to words of devices: the shortest way, and what it leaves to exec/jit_calls.c. */
#ifndef EXEC_WORD_H
#define EXEC_WORD_H

#include "ir/cpu.h"

/** Called by translated code, at a site that is a fault entry; pc and prepaid of the CPU stand there already. Addresses
 * have 32 bits. */
CpuLoaded exec_load_word(Cpu *cpu, uint64_t site, uint64_t addr);
uint32_t exec_store_word(Cpu *cpu, uint64_t site, uint64_t addr, uint64_t value);

/** Any access at a site; puts the CPU there first. */
CpuLoaded exec_load_far(Cpu *cpu, uint64_t site, uint64_t addr);
uint32_t exec_store_far(Cpu *cpu, uint64_t site, uint64_t addr, uint64_t value);
/** The device answers with a bus error; the address is in jit_addr, the site in jit_value. */
uint32_t exec_word_fault(Cpu *cpu, bool store);

#endif
