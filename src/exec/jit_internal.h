/* The Jit's state, for exec/jit.c and exec/jit_calls.c. */
#ifndef EXEC_JIT_INTERNAL_H
#define EXEC_JIT_INTERNAL_H

#include <string.h>

#include "exec/cache.h"
#include "exec/exec.h"
#include "exec/fault.h"
#include "exec/jit.h"
#include "exec/probe.h"
#include "host/x64/x64.h"

_Static_assert(offsetof(X64Access, at) == 0 && offsetof(X64Point, at) == 0, "jit_entries_to");

typedef struct JitRegion {
    CacheBlock *blocks[EXEC_REGION_BLOCKS_MAX]; /* the first one is where it is entered */
    uint32_t n_blocks;
} JitRegion;

/* Where an indirect branch has led. */
typedef struct JitLanding {
    CacheBlock *to;
    uint32_t next; /* of the same block: index + 1; 0 = none */
} JitLanding;

/* What few blocks have: those where a region begins, and those with an indirect branch at the end. */
typedef struct JitMore {
    uint32_t region; /* offset of the region that begins here, 0 = none */
    uint32_t guard; /* of a region with blocks in several pages: index + 1 of the number of the bank with which they are
                     * there. 0: there is no such region */
    uint32_t landings; /* where the branch has led: index + 1 of the first one; 0 = none */
    uint16_t cost; /* what the region takes from the budget */
    uint16_t refused; /* how often its pages were not there */
} JitMore;

struct JitSeat {
    uint64_t serial; /* of the code that the rest is about */
    uint32_t exit; /* site of the last exit that can be linked, or IR_NONE */
    bool trapped; /* it was a trap behind which something runs */
    uint32_t trap; /* site of a trap that has come often, or IR_NONE */
    bool hot, warm;
    X64Target targets[X64_TARGETS];
};

enum { JIT_TABLES = 6 };

struct Jit {
    FaultRange range; /* first: the fault handler comes back with it */
    size_t code_bytes;
    uint8_t *writable, *executable;
    X64Code code;
    uint32_t populated[2]; /* hot, cold: code offsets up to which pages of the buffer are there */
    X64Quick *quick; /* from the first block on that it makes */
    uint32_t quick_runs; /* index of the counter of the block that it is making */
    Arena scratch; /* for the lowering of one block or region */
    X64Thunks thunks;
    uint32_t first_block; /* code offset behind the thunks */
    uint32_t last_hot, last_cold; /* code offsets of what was lowered last */
    X64Output out;
    VEC(CacheBlock *) blocks; /* by the index that sites carry */
    VEC(JitMore) more; /* by that of blocks */
    VEC(JitRegion) formed;
    VEC(JitLanding) landings;
    uint64_t serial; /* of what is in the buffer: another one after each flush */
    uint32_t n_mappings; /* last number that a bank has got */
    uint64_t published; /* how often code was added or linked */
    JitSeat *own; /* if it is not shared */
    Stretch tables; /* the room of the tables above when they do not move any more: jit_tables_settle */
    Stretch parts[JIT_TABLES]; /* of it: one per table, as jit_tables.c lists them */
    bool unsettled; /* the host has no addresses for them */
};

/** Gives the tables all the room at once that the code buffer can need. False, and all is as before, if the host has
 * no addresses. */
bool jit_tables_settle(Jit *jit);
/** Before more is added to them. */
void jit_tables_prepare(Jit *jit);
void jit_tables_free(Jit *jit);

/* Code may be reached by a jump that another thread has just linked: it has published before what stands in the
 * tables for that code. */
static inline X64Site *jit_site(Jit *jit, uint32_t index) {
    (void)__atomic_load_n(&jit->published, __ATOMIC_ACQUIRE);
    return &jit->out.sites.data[index];
}

static inline const CacheBlock *jit_block(const Jit *jit, uint32_t index) {
    (void)__atomic_load_n(&jit->published, __ATOMIC_ACQUIRE);
    return jit->blocks.data[index];
}

/* The address that the site tells; not yet masked to the guest's address bits. */
static inline uint64_t jit_pc_of(const Jit *jit, const X64Site *site) {
    return jit->blocks.data[site->block]->loc.pc + (uint64_t)(int64_t)site->pc_offset;
}

static inline bool jit_has_target(IrLoc loc) {
    return loc.aux == 0 || loc.pc <= UINT32_MAX;
}

/* Ticks of a region that was left by other ways than lower_count_leave; they are exact here. */
static inline void jit_count_region(Cpu *cpu) {
    cpu->jit_t1 += cpu->jit_in_region ? cpu_ticks(cpu) : 0;
    cpu->jit_in_region = 0;
}

/* How many entries are for code offsets up to `at`. They begin with theirs, in its order. */
static inline size_t jit_entries_to(const void *entries, size_t entry_bytes, size_t n, uint32_t at) {
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        uint32_t found;
        memcpy(&found, (const uint8_t *)entries + mid * entry_bytes, sizeof found);
        if (found <= at) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/* What translated code calls. */
extern const X64Calls jit_calls;

/* The access of quick code at the code offset `at` becomes a call, and so does the POLL of its instruction; false if no
 * access is there. */
bool jit_call_point(Jit *jit, uint32_t at);

#endif
