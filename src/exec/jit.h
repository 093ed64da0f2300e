/* Translated blocks as host code: the code buffer, entering it, linking its exits, and what its slow paths call.
 *
 * The buffer is anonymous memory mapped twice, writable and executable, so no page is ever both. */
#ifndef EXEC_JIT_H
#define EXEC_JIT_H

#include "host/x64/windows.h"
#include "ir/cpu.h"

struct X64Region;
struct X64Note;
typedef struct CacheBlock CacheBlock;
typedef struct Jit Jit;

/** Code as it is executed: what runs often, and what is out of line. Offsets count from `begin`. */
typedef struct JitCode {
    const uint8_t *begin;
    uint32_t hot, hot_end, cold, cold_end;
} JitCode;

typedef struct JitOptions {
    bool regions; /* hot loops are translated again as a whole */
    uint32_t flags_slot; /* of the Isa whose blocks come */
    size_t code_bytes; /* of the buffer; 0: 64 MiB */
    X64Memory memory;
    uint32_t crowd; /* how many CPUs are going to run the code (0: one): a loop is hot when it is for their average */
    bool shared; /* threads run the code at the same time; all calls but jit_run then are for one of them at a time */
} JitOptions;

/** What one thread has of a Jit while it runs its code. */
typedef struct JitSeat JitSeat;
JitSeat *jit_seat_new(void);
void jit_seat_free(JitSeat *seat);

/** NULL if the host permits no executable memory. */
Jit *jit_new(const JitOptions *options);
void jit_free(Jit *jit);
/** The seat of a Jit that is not shared. */
JitSeat *jit_own_seat(Jit *jit);

/** Makes code for a block of the cache. False if it cannot be lowered, or the buffer is full (*full): then all code
 * must be dropped with jit_flush before the next try. */
bool jit_compile(Jit *jit, CacheBlock *block, bool *full);
/** How many CPUs run the code: at least one. */
uint32_t jit_crowd(const Jit *jit);
/** True if jit_quick_begin can do anything. */
bool jit_can_be_quick(const Jit *jit);
/** Makes code quickly, while the guest's rows make a block: what exec_translate_raw is to be given. With regions the
 * code says when it has run often (jit_take_warm). NULL: it cannot. Up to jit_quick_end or jit_quick_drop nothing else
 * is compiled. */
IrSink *jit_quick_begin(Jit *jit);
/** The block is complete, or nobody wants it; false if it has got no code. */
bool jit_quick_end(Jit *jit, CacheBlock *block, const IrBlock *ir);
void jit_quick_drop(Jit *jit);
/** The direct jump to `to` at the end of a block that has just got quick code, for jit_link_jump; IR_NONE if there is
 * none. */
uint32_t jit_jump_to(const Jit *jit, const CacheBlock *block, IrLoc to);
/** Links it, if the block has code. */
void jit_link_jump(Jit *jit, uint32_t jump, const CacheBlock *to);
/** Makes better code for a block that has quick code; false if it has no such code, or that cannot be. */
bool jit_improve(Jit *jit, CacheBlock *block);
/** True once after a jit_run that ended because the block at cpu->pc, which has quick code, has run often. */
bool jit_take_warm(JitSeat *seat);
/** If jit_can_link: true if that jump is of a block that has been improved, and `block`, where it leads, has quick code
 * and has run nearly as often. */
bool jit_leads_on(const Jit *jit, const JitSeat *seat, const CacheBlock *block);
/** Forgets all code; what seats remember of it is void. `serial`, of a shared Jit, is one that no seat has seen. */
void jit_flush(Jit *jit, uint64_t serial);
/** Makes code that still jumps to a dead block come back to the engine. */
void jit_kill(Jit *jit, CacheBlock *block);

/** True if the last jit_run left something to do: jit_take_hot, jit_can_link. */
bool jit_asks(const JitSeat *seat);
/** True once after a jit_run that ended because a loop has run often: the block at cpu->pc begins it. */
bool jit_take_hot(JitSeat *seat);
/** Room for what is needed to make one region, empty: until the next code is made. */
Arena *jit_scratch(Jit *jit);
/** Makes code for a region, which from now on runs in place of its first block (the first member); it holds as long as
 * all members live. False if it cannot. */
bool jit_compile_region(Jit *jit, CacheBlock *const *members, unsigned n_members, struct X64Region region);
/** Offset of the code of the region that begins with the block, 0 = none. */
uint32_t jit_region_of(const Jit *jit, const CacheBlock *block);
/** The k-th block to which an indirect branch at the end of `from` has been seen to lead; NULL behind the last. */
CacheBlock *jit_landing(const Jit *jit, const CacheBlock *from, size_t k);

/** Stores to the first `end` bytes of a window become the engine's, from the next block that runs on. */
void jit_cover(Jit *jit, unsigned window, uint32_t end);

/** Runs from a block that has code and fits into the budget until translated code comes back. Guest memory is
 * cpu->map->fast, or cpu->windows. */
IrExit jit_run(Jit *jit, JitSeat *seat, Cpu *cpu, CacheBlock *block);
/** True if the last jit_run ended in a jump that can go straight to a block: jit_link then does so, if that jump leads
 * to where `block` begins, which is what comes next. */
bool jit_can_link(const Jit *jit, const JitSeat *seat);
void jit_link(Jit *jit, JitSeat *seat, Cpu *cpu, CacheBlock *block);
/** If jit_can_link: true if that jit_run ended in a trap that has come often from one place: where and which. */
bool jit_trap_site(const Jit *jit, const JitSeat *seat, IrLoc *loc, unsigned *number);
/** From now on that trap is a jump to `block`, if it has code. */
void jit_link_trap(Jit *jit, const JitSeat *seat, const CacheBlock *block);

/** For exec/probe.h: keep notes for dumps; regions count what they run. To be set while there is no code. */
void jit_watch(Jit *jit, bool notes, bool counts);
/** Notes of the block or region that was lowered last; none if they are not kept. */
const struct X64Note *jit_notes(const Jit *jit, size_t *n);
/** Code that was lowered last, if that fitted; the fixed pieces; bytes of code in all. */
JitCode jit_last_code(const Jit *jit);
JitCode jit_fixed_code(const Jit *jit);
size_t jit_code_bytes(const Jit *jit);

#endif
