/* Running a CPU: translation on first execution, the block cache, memory accesses, and the loop that joins them. */
#ifndef EXEC_EXEC_H
#define EXEC_EXEC_H

#include "exec/share.h"
#include "ir/cpu.h"

/** Longest block, in guest instructions. */
enum { EXEC_BLOCK_INSNS_MAX = 64 };

/** Rights of a block may change at each 32 bytes (the smallest protection region); where they are those of the
 * architecture's map alone, at each MiB. */
enum { EXEC_RIGHTS_STEP = 32, EXEC_PLAIN_RIGHTS_STEP = 1 << 20 };

/** Translates the block at loc, of at most `limit` instructions, into `arena`; the work is done in `scratch`, which is
 * reset. An address that cannot be fetched gives a block that raises isa->trap_fetch. */
IrBlock exec_translate(Cpu *cpu, IrLoc loc, unsigned limit, Arena *scratch, Arena *arena);

/** The same as the guest's rows make it, without passes, all in `scratch`; `sink` has the ops, too, or is NULL. */
IrBlock exec_translate_raw(Cpu *cpu, IrLoc loc, unsigned limit, Arena *scratch, IrSink *sink);
/** Most instructions that a whole block of the cache has when it is translated again. */
unsigned exec_limit_of(const CacheBlock *block);
/** Translates a block of the cache again, if it was added without ops. */
void exec_complete(Cpu *cpu, CodeCache *cache, CacheBlock *block);

/** What a trap at loc does (Isa.translate_trap), finished; false if that is not known. */
bool exec_translate_trap(Cpu *cpu, IrLoc loc, unsigned number, Arena *scratch, Arena *arena, IrBlock *block);

/** True if the op of a finished block loads what exec_fold_literals knows. */
bool exec_is_literal(Cpu *cpu, const IrBlock *block, const IrOp *op);
/** A copy of the block in which what it loads from constant addresses in ROM is known; NULL if there is nothing like
 * that. That memory is marked as code, so that the block goes when it changes (flash programming). */
IrBlock *exec_fold_literals(Cpu *cpu, const IrBlock *block, Arena *arena);

/** While cpu->tlb_bank is set: turns a virtual address into that of the bus. False as with isa->walk. */
bool exec_map(Cpu *cpu, uint64_t *addr, TlbAccess access);

/** The IrLoc.page of an address as a fetch would find it now; false if that is not allowed, or has an effect. */
bool exec_look(Cpu *cpu, uint64_t pc, uint32_t *page);

/** Connects a CPU's loads and stores to its memory map (cpu->map). */
void exec_attach(Cpu *cpu);

/** Makes a region of the loop that begins at `head`, from the blocks that have run. Its guest instructions, in all
 * versions of its blocks; 0 if there is none. */
unsigned exec_form_region(Cpu *cpu, CodeCache *cache, CacheBlock *head);

/** Runs until cpu_ticks reaches deadline_ticks exactly, or the CPU halts, whichever is first; cpu_shorten can move the
 * deadline while it runs. */
void exec_run(Cpu *cpu, CodeUse *use, uint64_t deadline_ticks);

#endif
