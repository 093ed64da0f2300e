/* Generator of the differential test: random encodings from the decode table, with operands that keep a sequence in its
 * bounds. Loads and stores use the scratch pointer, jumps go forward inside the slot, and what would disable traps or
 * move the trap table does not come up.
 *
 * What QEMU 7.2 does otherwise than the manuals is kept out here, each where it is generated: a misaligned JMPL writes
 * rd; RETT looks at the alignment before ET; conditional Ticc adds to rs1 itself; WRTBR writes the trap type; LDDF and
 * STDF want 4-byte alignment only; user mode may use the user data space with all alternate loads and stores; FSTOD of
 * a signalling NaN leaves its exception to a later operation. Payloads of NaNs and FSR.ver are evened out in
 * sparc_diff.c. QEMU has no UMAC and SMAC, other ancillary registers, and precise floating-point traps. */
#include "sparc_diff.h"

#include <string.h>

#include "base/ieee.h"
#include "base/rng.h"

enum { PSR_PS = 0x40, NEVER_SIGNALLING = 31 /* f31 */ };

typedef struct Gen {
    Rng rng;
    DiffSequence *out;
    unsigned n, at; /* instructions in all, and the current one */
} Gen;

static uint32_t below(Gen *g, uint32_t bound) {
    return (uint32_t)rng_below(&g->rng, bound);
}

static bool chance(Gen *g, uint32_t one_in) {
    return below(g, one_in) == 0;
}

static uint64_t random_bits(void *user) {
    return rng_next(&((Gen *)user)->rng);
}

/* ---- Values ---- */

static uint32_t word(Gen *g) {
    static const uint32_t special[] = {0, 1, 2, 3, 4, 5, 31, 32, 33, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff,
                                       0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff, 0x55555555,
                                       0xaaaaaaaa};
    return chance(g, 2) ? special[below(g, sizeof special / sizeof *special)] : (uint32_t)rng_next(&g->rng);
}

/* Singles and halves of doubles around everything that is special. */
static uint32_t float_word(Gen *g, bool low) {
    static const uint32_t high[] = {
        0x00000000, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7fa00000, 0xffc12345,
        0xffa12345, 0x00000001, 0x807fffff, 0x00800000, 0x7f7fffff, 0xff7fffff, 0x3ff00000, 0xbff00000, 0x7ff00000,
        0xfff00000, 0x7ff80000, 0x7ff40000, 0x000fffff, 0x00100000, 0x7fefffff, 0x4f000000, 0xcf000000, 0x41dfffff,
        0x41e00000, 0xc1e00000, 0x47efffff, 0x380fffff, 0x36a00000, 0x34000000, 0x3fb504f3, 0x40490fdb, 0x4b7fffff};
    static const uint32_t lows[] = {0, 1, 0xffffffff, 0x80000000, 0xe0000000, 0xefffffff, 0xffc00000, 0x20000000};
    if (chance(g, 3)) {
        uint32_t exponent = 0x3f800000 + (below(g, 64) << 20) - (32u << 20);
        return low ? (uint32_t)rng_next(&g->rng) : ((uint32_t)rng_next(&g->rng) & 0x800fffff) | exponent;
    }
    return low ? lows[below(g, sizeof lows / sizeof *lows)] : high[below(g, sizeof high / sizeof *high)];
}

static void make_entry(Gen *g, uint32_t slot_addr) {
    enum { PIL = 0xf00, S = 0x80, PS = PSR_PS, EF = 0x1000 };
    DiffEntry *e = &g->out->entry;
    uint32_t cwp = below(g, 8), icc = below(g, 16);
    uint32_t mode = EF * !chance(g, 16) | PS * !chance(g, 8);
    e->psr = icc << 20 | PIL | S | mode | ((cwp + 7) & 7);
    e->wim = chance(g, 2) ? 0 : 1u << ((cwp + 1 + below(g, 7)) & 7);
    e->wim |= chance(g, 8) ? 1u << ((cwp + 1 + below(g, 7)) & 7) : 0;
    e->y = word(g);
    e->fsr = below(g, 4) << 30 | below(g, 4) << 10 | below(g, 32) << 5;
    for (unsigned i = 0; i < 7; i++) {
        e->g[i] = word(g);
    }
    e->g[DIFF_TBR - 1] = DIFF_RAM;
    e->g[DIFF_PSR - 1] = icc << 20 | PIL | S | PS | 0x20 | EF | cwp;
    e->g[DIFF_INDEX - 1] = 4 * below(g, 8);
    e->g[DIFF_POINTER - 1] = DIFF_RAM + DIFF_SCRATCH + 112;
    e->g[DIFF_SLOT - 1] = slot_addr;
    for (unsigned i = 0; i < 32; i++) {
        e->f[i] = float_word(g, i & 1 && !chance(g, 3));
    }
    e->f[NEVER_SIGNALLING] |= ieee_is_signalling32(e->f[NEVER_SIGNALLING]) ? 1u << 22 : 0;
    for (unsigned i = 0; i < 8 * 16; i++) {
        e->windows[i / 16][i % 16] = word(g);
    }
}

void diff_template(uint64_t seed, uint32_t *words) {
    Gen g;
    rng_seed(&g.rng, seed ^ 0x5ca7c4);
    for (unsigned i = 0; i < DIFF_SCRATCH_WORDS; i++) {
        words[i] = chance(&g, 2) ? word(&g) : float_word(&g, i & 1);
    }
    words[DIFF_FSR_LOAD / 4] = UINT32_C(0x40000800); /* round to zero, fcc 2 */
}

/* ---- Fields of an instruction ---- */

static uint32_t with(uint32_t insn, unsigned low, unsigned n, uint32_t value) {
    uint32_t mask = ((UINT32_C(1) << n) - 1) << low;
    return (insn & ~mask) | (value << low & mask);
}
static uint32_t with_rd(uint32_t insn, uint32_t r) {
    return with(insn, 25, 5, r);
}
static uint32_t with_immediate(uint32_t insn, int32_t value) {
    return with(insn, 0, 14, 1u << 13 | ((uint32_t)value & 0x1fff));
}

static bool reserved(uint32_t r) {
    return r >= DIFF_TBR && r <= DIFF_SLOT;
}

static uint32_t result_register(Gen *g) {
    uint32_t r;
    do {
        r = below(g, 32);
    } while (reserved(r));
    return r;
}

static bool body_is(SparcRow row, const char *name) {
    return strcmp(sparc_row_info[row].body, name) == 0;
}

/* Bytes that the row accesses. */
static unsigned access_bytes(uint32_t insn) {
    static const uint8_t bytes[16] = {4, 1, 2, 8, 4, 1, 2, 8, 4, 1, 2, 4, 4, 1, 4, 4};
    return bytes[insn >> 19 & 15];
}

/* Within 128 bytes around the pointer, seldom misaligned. */
static uint32_t scratch_access(Gen *g, uint32_t insn, bool alternate) {
    insn = with(insn, 14, 5, DIFF_POINTER);
    uint32_t align = chance(g, 40) ? 1 : access_bytes(insn);
    int32_t offset = (int32_t)(below(g, 216) / align * align) - 104;
    /* QEMU wants LDDF and STDF aligned to 4 bytes only. */
    offset |= align == 1 && access_bytes(insn) == 8;
    if (alternate || chance(g, 6)) {
        insn = with(insn, 13, 1, 0);
        bool aligned = access_bytes(insn) < 8 || !(g->out->entry.g[DIFF_INDEX - 1] & 4);
        return with(insn, 0, 5, aligned && chance(g, 2) ? DIFF_INDEX : 0);
    }
    return with_immediate(insn, offset);
}

static uint32_t target_offset(Gen *g) {
    return 1 + below(g, g->n - g->at);
}

static bool is_double(SparcRow row) {
    static const SparcRow rows[] = {SPARC_ROW_FSQRTD, SPARC_ROW_FADDD, SPARC_ROW_FSUBD, SPARC_ROW_FMULD,
                                    SPARC_ROW_FDIVD, SPARC_ROW_FSMULD, SPARC_ROW_FITOD, SPARC_ROW_FSTOD};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i] == row) {
            return true;
        }
    }
    return false;
}

static uint32_t float_registers(Gen *g, uint32_t insn, SparcRow row) {
    /* NaNs that come out differ in their payload (sparc_diff.c): results are no operands. */
    bool compares = body_is(row, "fpop") && (insn >> 19 & 1);
    insn = with(insn, 0, 5, 16 + below(g, 16));
    insn = with(insn, 14, 5, 16 + below(g, 16));
    /* In QEMU, FSTOD of a signalling NaN leaves its exception to the next operation that raises any. */
    if (row == SPARC_ROW_FSTOD) {
        insn = with(insn, 0, 5, NEVER_SIGNALLING);
    }
    /* Doubles into f0 to f7, singles into f8 to f15, so that no half of a NaN stays behind. */
    return compares ? insn : with_rd(insn, below(g, 8) + 8 * !is_double(row));
}

static uint32_t memory_registers(Gen *g, uint32_t insn, SparcRow row) {
    bool alternate = sparc_row_info[row].cls == SPARC_CLASS_SYSTEM;
    insn = scratch_access(g, insn, alternate);
    if (alternate) {
        /* QEMU lets user mode use the user data space with all instructions, not only CASA. */
        bool either = g->out->entry.psr & PSR_PS || body_is(row, "casa");
        insn = with(insn, 5, 8, either && chance(g, 2) ? 0x0a : 0x0b);
    }
    if (body_is(row, "casa")) {
        insn = with(insn, 0, 5, below(g, 32));
    }
    if (body_is(row, "ldf") || body_is(row, "lddf")) {
        return with_rd(insn, 16 + below(g, NEVER_SIGNALLING - 17));
    }
    if (body_is(row, "stf") || body_is(row, "stdf")) {
        return with_rd(insn, 16 + below(g, 16));
    }
    if (body_is(row, "ldfsr") || body_is(row, "stfsr")) {
        return with_immediate(insn, (body_is(row, "ldfsr") ? DIFF_FSR_LOAD : DIFF_FSR_STORE) - 112);
    }
    bool pair = access_bytes(insn) == 8;
    bool reads_only = body_is(row, "store") || body_is(row, "storea") || body_is(row, "std");
    if (!reads_only && reserved(insn >> 25 & 31)) {
        insn = with_rd(insn, result_register(g));
    }
    if (pair) {
        uint32_t rd = insn >> 25 & 30;
        insn = with_rd(insn, reserved(rd) || reserved(rd + 1) ? 16 : rd);
    }
    return insn;
}

static uint32_t state_registers(Gen *g, uint32_t insn, SparcRow row) {
    if (body_is(row, "wrpsr")) {
        return with_immediate(with(insn, 14, 5, DIFF_PSR), (int32_t)(below(g, 0x2000) & 0x1047));
    }
    if (body_is(row, "wrtbr")) {
        return with_immediate(with(insn, 14, 5, DIFF_TBR), (int32_t)below(g, 0x1000));
    }
    /* QEMU adds to rs1 itself. */
    if (body_is(row, "ticc")) {
        return with(insn, 14, 5, 0);
    }
    /* QEMU looks at the alignment before it finds that traps are enabled. */
    if (body_is(row, "rett")) {
        return with_immediate(with(insn, 14, 5, DIFF_SLOT), 4 * (int32_t)below(g, 16));
    }
    if (body_is(row, "wrwim")) {
        return chance(g, 2) ? with_immediate(with(insn, 14, 5, 0), 1 << below(g, 8)) : insn;
    }
    return insn;
}

static uint32_t adapt(Gen *g, uint32_t insn, SparcRow row) {
    unsigned cls = sparc_row_info[row].cls;
    bool memory = insn >> 30 == 3;
    if (body_is(row, "bicc") || body_is(row, "fbfcc")) {
        return with(insn, 0, 22, target_offset(g));
    }
    if (body_is(row, "call")) {
        return with(insn, 0, 30, target_offset(g));
    }
    if (body_is(row, "jmpl")) {
        bool misaligned = chance(g, 40); /* QEMU writes rd before it looks */
        insn = with_immediate(with(insn, 14, 5, DIFF_SLOT), (int32_t)(4 * (g->at + target_offset(g))) + misaligned);
        return with_rd(insn, misaligned ? 0 : result_register(g));
    }
    if (cls == SPARC_CLASS_FPOP) {
        return float_registers(g, insn, row);
    }
    if (memory && cls != SPARC_CLASS_TRAP) {
        return memory_registers(g, insn, row);
    }
    insn = state_registers(g, insn, row);
    bool has_rd = cls != SPARC_CLASS_TRAP && !body_is(row, "wry") && !body_is(row, "stbar") && !body_is(row, "flush") &&
                  !body_is(row, "wrpsr") && !body_is(row, "wrwim") && !body_is(row, "wrtbr");
    if (has_rd && reserved(insn >> 25 & 31)) {
        insn = with_rd(insn, result_register(g));
    }
    return insn;
}

/* ---- Rows ---- */

const char *diff_row_excluded(SparcRow row) {
    static const struct {
        const char *body, *why;
    } reasons[] = {
        {"umac", "QEMU has no multiply-accumulate"},
        {"smac", "QEMU has no multiply-accumulate"},
        {"rdasr", "QEMU has other ancillary registers"},
        {"wrasr", "QEMU has other ancillary registers"},
        {"stdfq", "QEMU's floating-point traps are not deferred"},
        {"fpop_unimp", "QEMU's floating-point traps are not deferred"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (strcmp(sparc_row_info[row].body, reasons[i].body) == 0) {
            return reasons[i].why;
        }
    }
    return NULL;
}

/* Rows that end a sequence come seldom. */
static bool unwanted(Gen *g, SparcRow row) {
    bool ends = sparc_row_info[row].cls == SPARC_CLASS_TRAP || body_is(row, "rett") || body_is(row, "taddtv") ||
                body_is(row, "tsubtv");
    /* QEMU's WRTBR writes the trap type, too, so one sequence does not do both. */
    bool reads_tbr = g->out->entry.y & 1;
    if (reads_tbr ? body_is(row, "wrtbr") : body_is(row, "rdtbr")) {
        return true;
    }
    return diff_row_excluded(row) || (ends && !chance(g, 12));
}

static uint32_t instruction(Gen *g, SparcRow *row) {
    uint32_t insn;
    SparcArgs args;
    do {
        *row = (SparcRow)below(g, SPARC_ROW_COUNT);
        if (chance(g, 6)) {
            *row = chance(g, 2) ? SPARC_ROW_SAVE : SPARC_ROW_RESTORE;
        } else if (chance(g, 8)) {
            *row = SPARC_ROW_BICC;
        }
        if (unwanted(g, *row) || !sparc_row_encode(*row, DIFF_FEATURES, random_bits, g, &insn)) {
            continue;
        }
        insn = adapt(g, insn, *row);
        if (sparc_decode(insn, 32, DIFF_FEATURES, &args) == *row) {
            return insn;
        }
    } while (true);
}

void diff_generate(uint64_t seed, uint64_t index, uint32_t slot_addr, DiffSequence *out) {
    Gen g = {.out = out};
    rng_seed(&g.rng, seed * UINT64_C(0x9e3779b97f4a7c15) ^ index);
    memset(out, 0, sizeof *out);
    make_entry(&g, slot_addr);
    g.n = out->n_insns = 2 + below(&g, DIFF_INSNS_MAX - 1);
    for (g.at = 0; g.at < g.n; g.at++) {
        out->insns[g.at] = instruction(&g, &out->rows[g.at]);
    }
    for (unsigned i = g.n; i < DIFF_SLOT_WORDS; i++) {
        out->insns[i] = DIFF_END_INSN;
        out->rows[i] = SPARC_ROW_NONE;
    }
}
