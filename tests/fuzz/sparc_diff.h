/* Differential test of the SPARC guest: what generator, runner and the harness in sparc_diff_stub.S agree on. */
#ifndef SPARC_DIFF_H
#define SPARC_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sparc_decode.h"

enum {
    DIFF_INSNS_MAX = 24,
    DIFF_SLOT_WORDS = 32,
    DIFF_HEADER = 0x3000, /* offsets in RAM */
    DIFF_TEMPLATE = 0x3800,
    DIFF_SCRATCH = 0x3c00,
    DIFF_ENTRIES = 0x100000,
    DIFF_SLOTS = 0x500000,
    DIFF_RECORDS = 0x700000,
    DIFF_RAM_BYTES = 0x1000000,
    DIFF_BATCH = 5000,
    DIFF_SCRATCH_WORDS = 80,
    DIFF_HASHED_WORDS = 64, /* behind them: where FSR is stored, which is not compared there, and loaded from */
    DIFF_FSR_STORE = 264,
    DIFF_FSR_LOAD = 272,
};
#define DIFF_RAM UINT32_C(0x40000000)

/** Global registers that sequences do not write: the trap table, a PSR that may be written (with changes to the
 * condition codes, the window and PS), an index, the scratch memory, the sequence's own address. */
enum { DIFF_TBR = 3, DIFF_PSR = 4, DIFF_INDEX = 5, DIFF_POINTER = 6, DIFF_SLOT = 7 };

typedef struct DiffHeader {
    uint32_t index, end, entry, slot, record;
} DiffHeader;

/** What a sequence starts with; big-endian in memory. */
typedef struct DiffEntry {
    uint32_t psr; /* when RETT is executed: in the window below, traps disabled */
    uint32_t wim, y, fsr;
    uint32_t g[7]; /* from g1 */
    uint32_t unused;
    uint32_t f[32];
    uint32_t windows[8][16]; /* outs, locals */
} DiffEntry;

/** What came of it. */
typedef struct DiffRecord {
    uint32_t index, tbr, psr, pc, npc, wim, y, fsr;
    uint32_t g[8];
    uint32_t f[32];
    uint32_t windows[8][16];
    uint32_t scratch_hash, unused[3];
} DiffRecord;
_Static_assert(sizeof(DiffEntry) == 688 && sizeof(DiffRecord) == 720, "sparc_diff_stub.S knows these sizes");

typedef struct DiffSequence {
    DiffEntry entry;
    uint32_t insns[DIFF_SLOT_WORDS];
    SparcRow rows[DIFF_SLOT_WORDS];
    unsigned n_insns;
} DiffSequence;

/** Makes sequence number `index` of a seed; its code will lie at `slot_addr`. */
void diff_generate(uint64_t seed, uint64_t index, uint32_t slot_addr, DiffSequence *out);
/** The scratch memory at the start of each sequence, the same for a seed. */
void diff_template(uint64_t seed, uint32_t *words);
/** Why a row is never generated, or NULL. */
const char *diff_row_excluded(SparcRow row);

enum { DIFF_FEATURES = SPARC_FEATURE_CASA | SPARC_FEATURE_FPU };
#define DIFF_END_INSN UINT32_C(0x91d02001) /* ta 1 */

#endif
