/* Between the steps that make a region: region.c finds the blocks of a hot loop, nest.c the loops inside, versions.c
 * what each block is specialised for. */
#ifndef EXEC_REGION_H
#define EXEC_REGION_H

#include "exec/exec.h"
#include "host/x64/x64.h"

enum { REGION_LANDINGS_MAX = X64_LANDINGS_MAX /* places that one indirect branch compares its target with */ };

/** A block of the loop and where it leads: indices of other blocks, -1 = out of the loop. */
typedef struct LoopBlock {
    CacheBlock *block;
    const IrBlock *own; /* of blocks that loop: finished for a region, literals from ROM known */
    const IrBlock *ir; /* what is made of it: the same, or that joined with blocks behind it */
    int taken, next; /* of its GOTO_IF, of its GOTO */
    int landings[REGION_LANDINGS_MAX]; /* where its GOTO_IND has led */
    unsigned n_landings;
    int32_t move; /* of the window pointer, in words */
    bool loops; /* reaches the first block again */
    bool cut; /* `own` ends where another block of the loop begins */
    uint8_t needs; /* flags, see ir_flags_needed */
    uint8_t depth; /* loops that it is in, that around the head not counted */
} LoopBlock;

typedef struct Loop {
    LoopBlock blocks[EXEC_REGION_BLOCKS_MAX]; /* the first one is the head */
    unsigned n, n_insns;
    uint32_t window; /* as in X64Region */
    bool cut; /* not everything found room */
} Loop;

/** Joins blocks that fork, and whose ways soon join again, with what is on these ways. */
void exec_join_blocks(Cpu *cpu, CodeCache *cache, Loop *loop, Arena *arena);
/** Finds out about `depth`. */
void exec_find_depths(Loop *loop);
/** Makes code for the loop: its guest instructions, 0 if that is not possible. The arena is that of jit_scratch. */
unsigned exec_compile_loop(Cpu *cpu, CodeCache *cache, const Loop *loop, Arena *arena);

#endif
