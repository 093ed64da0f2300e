/* Looking at the translator while it works: counters, host times, and the text of what it makes.
 *
 * A Cpu without a probe pays one test per translation and per turn of the engine; translated code pays nothing. With a
 * probe that counts, regions carry a few instructions that tell their work from that of blocks. Nothing of it can be
 * seen by the guest. The host's clock is the caller's: this room has none. */
#ifndef EXEC_PROBE_H
#define EXEC_PROBE_H

#include "base/bytes.h"
#include "exec/exec.h"
#include "exec/jit.h"

/** What a piece shows; also bits of ExecProbe.stages. */
typedef enum ExecStage {
    EXEC_STAGE_IR = 1, /* the IR as the guest's rows made it */
    EXEC_STAGE_OPT = 2, /* the IR after all passes: what is interpreted or lowered */
    EXEC_STAGE_HOST = 4, /* host code, op by op */
    EXEC_STAGE_CODE = 8, /* where host code lies; no text */
} ExecStage;

/** Why translated code came back: X64SiteKind, in its order. */
typedef enum ExecExit {
    EXEC_EXIT_JUMP, EXEC_EXIT_HOT, EXEC_EXIT_STOP, EXEC_EXIT_INDIRECT, EXEC_EXIT_BUDGET, EXEC_EXIT_LEAVE,
    EXEC_EXIT_TRAP, EXEC_EXIT_FAULT,
    EXEC_EXIT_KINDS
} ExecExit;

/** One dump. All pointers hold during the call only. */
typedef struct ExecPiece {
    ExecStage stage;
    bool is_region; /* HOST, CODE: of a region; the location is that of its first block */
    bool is_prefix; /* IR, OPT: of a block cut short, so that a run ends at an exact instruction */
    const IrBlock *block; /* NULL: CODE of the engine's fixed pieces */
    JitCode code; /* HOST, CODE */
    const char *text; /* lines, each with its newline; "" for CODE */
} ExecPiece;

/** Counts since exec_probe_attach. Times are host nanoseconds, 0 without a clock. */
typedef struct ExecStats {
    uint64_t ir_blocks, ir_insns, ir_ns; /* translated to IR: T0's first half, and what is interpreted */
    uint64_t t0_blocks, t0_insns, t0_ns; /* lowered to host code */
    uint64_t t1_regions, t1_insns, t1_ns; /* regions, all versions of their blocks; the time is from IR to host code and
                                           * also counts those that came to nothing */
    uint64_t t1_guest_insns; /* of their blocks, each once */
    uint64_t t1_refused;
    uint64_t interp_turns; /* blocks interpreted */
    uint64_t host_insns; /* run by host code; of them, Cpu.jit_t1 in regions */
    uint64_t exits[EXEC_EXIT_KINDS];
    uint64_t code_flushes; /* the buffer of host code was full */
    uint64_t interrupts, traps; /* taken at instruction boundaries; raised by instructions, but for
                                 * Cpu.jit_traps */
} ExecStats;

typedef struct ExecProbe {
    bool counts; /* regions count what they run */
    uint64_t (*host_ns)(void *user); /* or NULL: no times */
    void *host_user;
    unsigned stages; /* of ExecStage: pieces that are told */
    uint64_t begin, end; /* only what was translated from these guest addresses */
    void (*piece)(void *user, const ExecPiece *piece);
    void *piece_user;
    ExecStats stats;
    bool forming; /* what is translated meanwhile is the region's */
    ByteVec text; /* scratch */
} ExecProbe;

/** From now on, with an empty cache (NULL: it comes later, and this is to be called again): all that is translated
 * passes the probe. Not while the CPU runs. probe NULL: none. */
void exec_probe_attach(Cpu *cpu, CodeCache *cache, ExecProbe *probe);

/** Host time, or 0 if nobody wants it. */
static inline uint64_t probe_clock(const Cpu *cpu) {
    const ExecProbe *p = cpu->probe;
    return UNLIKELY(p != NULL) && p->host_ns ? p->host_ns(p->host_user) : 0;
}

/** One more of a counter of ExecStats. */
#define PROBE_COUNT(cpu, counter)                                                                                      \
    do {                                                                                                               \
        if (UNLIKELY((cpu)->probe != NULL)) {                                                                          \
            (cpu)->probe->stats.counter++;                                                                             \
        }                                                                                                              \
    } while (0)

/* What run.c and translate.c tell a probe that is there. */
void probe_ir(Cpu *cpu, const IrBlock *block, ExecStage stage, bool is_prefix);
void probe_translated(Cpu *cpu, const IrBlock *block, uint64_t start_ns);
void probe_lowered(Cpu *cpu, const CodeCache *cache, const CacheBlock *block, uint64_t start_ns);
/** While the IR of its blocks is there. */
void probe_region(Cpu *cpu, const CodeCache *cache, const CacheBlock *head);
/** n_insns 0: there is no region. */
void probe_formed(Cpu *cpu, unsigned n_insns, uint64_t start_ns);

/* dump.c */
/** Text of a stage, NUL-terminated, in `out`. */
void probe_print_ir(const Cpu *cpu, const IrBlock *block, ExecStage stage, ByteVec *out);
void probe_print_host(const Cpu *cpu, const ExecPiece *piece, const Jit *jit, ByteVec *out);

#endif
