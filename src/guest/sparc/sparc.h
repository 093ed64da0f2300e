/* SPARC V8 as LEON3 and LEON4 have it: what the translation (sem_*.c) and the system part (sys_*.c) of the guest share.
 * Manuals: The SPARC Architecture Manual, Version 8 (SAV080SI9308); GRLIB IP Core User's Manual (GRIP), chapters LEON3,
 * LEON4, GRFPU; GR712RC and GR740 user's manuals.
 *
 * Register windows. r8 to r31 of the current window are 24 words of `file` from word `wp` on: outs, locals, ins; SAVE
 * subtracts 16 from wp, so the outs become the ins. All windows lie one after the other at positions from `bottom` on,
 * which is that of window `lowest`. The ins of the topmost one are the outs of that at the bottom: eight words that
 * stand at the bottom while that is the current position, else above the top. Ways to the bottom, from it, and beyond
 * the ends are out of line (sys_window.c): beyond an end the window of the other end is put there, so the whole slides
 * along with the program. Where it lies can be seen by nobody: `windows` and `cwp` are what is saved and hashed. */
#ifndef GUEST_SPARC_SPARC_H
#define GUEST_SPARC_SPARC_H

#include "ir/cpu.h"
#include "sparc_decode.h"

enum {
    SPARC_WINDOWS_MAX = 32, SPARC_WINDOW_WORDS = 16, SPARC_SP = 14, SPARC_WINDOWED = 8,
    SPARC_POSITIONS = 2 * SPARC_WINDOWS_MAX + 2, /* of the window file */
    SPARC_NO_MARK = INT32_MAX,
};

/** aux of a location: where nPC is.
 *   a multiple of 4   nPC = PC + 4 + aux
 *   DYNAMIC           nPC stands in SparcState.npc
 *   JMPL              for fault entries only: in the delay slot of a JMPL to the register in bits 6..2 plus the signed
 *                     number in bits 19..7; bit 20 is 1
 *   ICC, FCC          for fault entries only: in the delay slot of a conditional branch; nPC is PC + 4, or the branch's
 *                     target if the condition in bits 5..2 holds: PC - 4 + 4 * the signed number in bits 27..6 */
enum {
    SPARC_AUX_DYNAMIC = 1, SPARC_AUX_JMPL = 1 | 1 << 20, SPARC_AUX_ICC = 2, SPARC_AUX_FCC = 3, SPARC_AUX_KIND = 3
};

/** Traps that translated code raises; PC is that of the instruction. Those below SPARC_TRAP_FIRST_OWN are trap types of
 * the manual (tt, table 7-1); Ticc's are 0x80 + argument. Bits 15..8 of a number: see SAVE. */
enum {
    SPARC_TT_INSTRUCTION_ACCESS = 0x01,
    SPARC_TT_ILLEGAL = 0x02,
    SPARC_TT_PRIVILEGED = 0x03,
    SPARC_TT_FP_DISABLED = 0x04,
    SPARC_TT_WINDOW_OVERFLOW = 0x05,
    SPARC_TT_WINDOW_UNDERFLOW = 0x06,
    SPARC_TT_NOT_ALIGNED = 0x07,
    SPARC_TT_FP_EXCEPTION = 0x08,
    SPARC_TT_DATA_ACCESS = 0x09,
    SPARC_TT_TAG_OVERFLOW = 0x0a,
    SPARC_TT_INTERRUPT = 0x10, /* + level */
    SPARC_TT_CP_DISABLED = 0x24,
    SPARC_TT_DIVISION_BY_ZERO = 0x2a,
    SPARC_TT_SOFTWARE = 0x80, /* + number */
    SPARC_TRAP_FIRST_OWN = 0x40,
    SPARC_TRAP_SAVE = SPARC_TRAP_FIRST_OWN, /* the window cannot simply be moved; arg: the sum; bits 15..8: rd */
    SPARC_TRAP_RESTORE, /* likewise */
    SPARC_TRAP_RETT, /* arg: target */
    SPARC_TRAP_FETCH, /* arg: address that cannot be fetched */
    SPARC_TRAP_FP_BLOCKED, /* fp_disabled, or fp_exception */
    SPARC_TRAP_FP_STORE_BLOCKED, /* the same; a floating-point store */
    SPARC_TRAP_FPOP_MODE, /* a floating-point operation cannot be done in line: modes; arg: as of SPARC_HELPER_FPOP */
    SPARC_TRAP_FPOP, /* the same, for its operands' sake */
    SPARC_TRAP_POWER_DOWN, /* goes on behind the instruction */
    SPARC_TRAP_WRWIM, /* the same; arg: value */
};

/** Out-of-line parts; index into isa->helpers. */
typedef enum SparcHelper {
    SPARC_HELPER_RDPSR,
    SPARC_HELPER_WRPSR, /* a: value; may raise a trap */
    SPARC_HELPER_RDASR, /* a: number */
    SPARC_HELPER_WRASR, /* a: number, b: value */
    SPARC_HELPER_LOAD_ASI, /* a: address | asi << 32, b: IrMem */
    SPARC_HELPER_STORE_ASI, /* a: address | asi << 32 | IrMem << 40, b: value */
    SPARC_HELPER_FPOP_UNIMPLEMENTED,
    SPARC_HELPER_RDFSR,
    SPARC_HELPER_LDFSR, /* a: value */
    SPARC_HELPER_STDFQ, /* a: address */
    SPARC_HELPER_COUNT
} SparcHelper;

/** Floating-point operations, in the order of `op` in sparc.decode. An operation with its registers is
 * SparcFop | rs1 << 8 | rs2 << 16 | rd << 24. */
typedef enum SparcFop {
    SPARC_FSQRTS, SPARC_FSQRTD, SPARC_FADDS, SPARC_FADDD, SPARC_FSUBS, SPARC_FSUBD, SPARC_FMULS, SPARC_FMULD,
    SPARC_FDIVS, SPARC_FDIVD, SPARC_FSMULD, SPARC_FITOS, SPARC_FITOD, SPARC_FSTOI, SPARC_FDTOI, SPARC_FSTOD,
    SPARC_FDTOS, SPARC_FCMPS, SPARC_FCMPD, SPARC_FCMPES, SPARC_FCMPED,
    SPARC_FMOVE, /* FMOVS, FNEGS, FABSS: raise nothing */
} SparcFop;

/** What the core was built with. */
typedef struct SparcConfig {
    uint32_t n_windows; /* 2 to 32 */
    uint32_t version; /* PSR.impl and ver, in place */
    uint32_t asr17; /* its constant bits */
    uint32_t has_mmu, has_fpu;
    uint32_t cache_config[2]; /* ASI 2, offsets 8 and 12 */
    uint32_t fsr_version; /* FSR.ver, in place */
} SparcConfig;

enum { SPARC_ASR17_DW = 1 << 14, SPARC_ASR17_SV = 1 << 13 }; /* SparcState.asr17 */

enum { SPARC_FP_EXECUTE, SPARC_FP_PENDING, SPARC_FP_EXCEPTION }; /* SparcState.fp_mode */

/* What translated code reaches most comes first, where an offset takes one byte; and as many bytes before `file` as
 * a SAVE goes back. The members marked with * are forms that others take while code runs: they follow from those, and
 * are no state. */
typedef struct SparcState {
    uint32_t g[8]; /* g[0] stays 0 */
    uint8_t n, z, c, v; /* 0 or 1, in this order: isa->flags_slot; C is the borrow of subtractions */
    uint32_t wp; /* * */
    uint32_t y_low; /* *: products are stored as one, and their high half is Y */
    uint32_t y;
    uint32_t npc; /* if aux is DYNAMIC */
    uint32_t save_bound, restore_bound; /* *: SAVE goes out of line if wp < the one, RESTORE if wp >= the other */
    uint32_t fcc; /* of FSR */
    uint32_t fp_blocked; /* 0 if floating-point instructions simply run, 1 if none does (EF is 0, or an exception
                          * pends), 2 if only stores do (the queue is not empty) */
    uint32_t fp_slow; /* *: 1 if no operation may be done in line: see sys_fpu.c */
    uint32_t fp_last; /* *: SparcFop + 1 of the last operation that was done in line, 0 = FSR is as it says */
    uint64_t fp_a, fp_b; /* *: its operands: FSR's ftt and cexc are what it would raise */
    uint32_t file[SPARC_POSITIONS * SPARC_WINDOW_WORDS]; /* * */
    uint32_t f[32]; /* register r is f[r ^ 1]: a pair is a double of the host */
    uint32_t wim, tbr, fsr; /* fsr: but fcc; ftt and cexc: see fp_last */
    uint32_t s, ps, et, ef, ec, pil; /* of PSR, 0 or 1, and the interrupt level */
    uint32_t cwp; /* settled */
    uint32_t asr16, asr17, asr18, asr24[8]; /* protection control, writable bits, MAC, watchpoints */
    uint32_t fp_mode, fq_addr, fq_insn; /* the queue has one entry */
    uint32_t ccr; /* cache control register */
    uint32_t mmu_ctrl, mmu_table, mmu_context, mmu_fault, mmu_addr;
    uint32_t irq_level; /* what the interrupt controller asks for */
    uint32_t powered_down, held; /* asleep by %asr19; waits for its start since reset */
    uint32_t bottom, lowest; /* * */
    uint32_t mark; /* *: position of the window that WIM marks, if it is one; else, and if there are few windows,
                    * SPARC_NO_MARK */
    uint32_t usual_wim; /* *: bits of WIM that a write in line can set; 0 if there are few windows */
    uint32_t windows[SPARC_WINDOWS_MAX * SPARC_WINDOW_WORDS]; /* settled: outs and locals of each window */
    SparcConfig config; /* set when the board is built, never changed */
} SparcState;

static inline SparcState *sparc_state(const Cpu *cpu) {
    return cpu->state;
}

#define SPARC_SLOT_F(r) ((uint32_t)offsetof(SparcState, f) + 4 * ((r) ^ 1))
#define SPARC_SLOT_D(r) ((uint32_t)offsetof(SparcState, f) + 4 * ((r) & 30)) /* i64 */
#define SPARC_SLOT_Y_WIDE ((uint32_t)offsetof(SparcState, y_low)) /* i64 */
_Static_assert(offsetof(SparcState, y) == offsetof(SparcState, y_low) + 4, "Y is the high half");
_Static_assert(offsetof(SparcState, y_low) % 8 == 0 && offsetof(SparcState, f) % 8 == 0, "stored as one");
_Static_assert(offsetof(SparcState, file) >= 4 * SPARC_WINDOW_WORDS, "SAVE");
#define SPARC_SLOT(member) ((uint32_t)offsetof(SparcState, member))

/* operands.c */

/** Whether a condition of Bicc or Ticc holds for N Z C V; of FBfcc for a value of FSR.fcc. */
bool sparc_icc_holds(const SparcState *s, uint32_t cond);
/** Values of FSR.fcc for which a condition of FBfcc holds, as a mask. */
uint32_t sparc_fcc_mask(uint32_t cond);

/* translate.c */
bool sparc_translate_insns(IrBuilder *b, uint32_t features, const uint8_t *bytes, size_t avail, size_t plain);
unsigned sparc_disassemble_insn(char *out, size_t size, uint32_t features, const uint8_t *bytes, size_t avail,
                                uint64_t pc);

/* sem_window.c */
bool sparc_translate_trap(IrBuilder *b, unsigned number);

/* sys_*.c: the Isa; its hooks are described in ir/cpu.h. */
extern const Isa sparc_isa;

#endif
