/* Differential test of the Arm guest: what generator, runner and the harness in arm_diff_stub.S agree on. */
#ifndef ARM_DIFF_H
#define ARM_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arm_decode.h"

enum {
    DIFF_INSNS_MAX = 24,
    DIFF_SCRATCH_BYTES = 0x800,
    DIFF_HEADER = 0x4040, /* offsets in the image */
    DIFF_PAD = 0x5000,
    DIFF_TEMPLATE = 0x5400,
    DIFF_TABLE = 0x6000,
    DIFF_SP_OFFSET = 0x400, /* stack pointers start around here, in the scratch memory */
    DIFF_FIRST_INSN = 4, /* offset of the first instruction in a slot */
};

/** Number of one instruction set under test. */
typedef enum DiffArch { DIFF_V7M, DIFF_V6M, DIFF_ARCHS } DiffArch;

typedef struct DiffTarget {
    const char *name;
    uint32_t features; /* of the decoder */
    uint32_t scratch;
    uint32_t base, image_bytes; /* of the image */
    unsigned slot_bytes;
    bool code_is_ram; /* slots need a copy to repair them from */
} DiffTarget;

extern const DiffTarget diff_targets[DIFF_ARCHS];

typedef struct DiffHeader {
    uint32_t first, end, flags, entries, slots, pristine, slot_bytes;
} DiffHeader;

/** What a sequence starts with. */
typedef struct DiffEntry {
    uint32_t r0_3[4], r12, lr, pc, xpsr, r4_11[8];
    uint32_t frame; /* address of the frame: SP - 32 */
    uint32_t sp_other, exc_return;
    uint32_t flags; /* DIFF_FLAG_*, BASEPRI in bits 8..15, MPU_CTRL in bits 16..23 */
    uint32_t ccr, shcsr;
    uint32_t poke_addr, poke_value; /* one word of scratch memory */
} DiffEntry;

enum { DIFF_FLAG_PRIMASK = 1, DIFF_FLAG_NPRIV = 2, DIFF_FLAG_PEND = 4 };

/** What came of it. */
typedef struct DiffRecord {
    uint32_t index, cause, exc_return, msp, psp, r4_11[8];
    uint32_t r0_3[4], r12, lr, pc, xpsr; /* of the frame, or 0 */
    uint32_t cfsr, hfsr, mmfar, bfar, masks, scratch_hash, shcsr, icsr, reserved[3];
} DiffRecord;

enum { DIFF_CAUSE_CODE_CHANGED = 1 << 16 };

_Static_assert(sizeof(DiffEntry) == 96 && sizeof(DiffRecord) == 128, "arm_diff_stub.S knows these sizes");

typedef struct DiffInsn {
    uint32_t insn;
    ArmRow row;
    uint8_t bytes, offset; /* in the slot */
    bool in_it; /* executed under a condition: no target of a branch */
    bool no_target;
} DiffInsn;

typedef struct DiffSequence {
    DiffEntry entry;
    DiffInsn insns[DIFF_INSNS_MAX];
    unsigned n_insns;
    uint8_t slot[128];
} DiffSequence;

/** Makes sequence number `index` of a seed; its code will lie at `slot_addr`. */
void diff_generate(DiffArch arch, uint64_t seed, uint64_t index, uint32_t slot_addr, DiffSequence *out);
/** The scratch memory at the start of each sequence, the same for a seed. */
void diff_template(DiffArch arch, uint64_t seed, uint32_t *words);
/** Why a row is never generated, or NULL. */
const char *diff_row_excluded(DiffArch arch, ArmRow row);
/** Registers that an instruction writes, bit n for Rn; bit 15 for jumps of any kind. */
uint32_t diff_writes(ArmRow row, const ArmArgs *args);
/** The branch `insn`, of row B, BL or CBZ, with another offset from itself; offsets out of range come out wrong. */
uint32_t diff_encode_branch(ArmRow row, uint32_t insn, int32_t offset);
/** One step of splitmix64. */
uint64_t diff_random(void *state);

#endif
