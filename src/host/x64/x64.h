/* Lowering of IR blocks to x86-64 code, and the fixed pieces of code around them.
 *
 * Registers in translated code: rbp the state, with the Cpu in front of it; r14 the budget, r15 guest memory (its
 * address 0, or the first window), rsp a frame of spill slots; rcx is scratch; the other eleven hold values. Code
 * refers to no node and no Cpu by address, so it can be shared. */
#ifndef HOST_X64_X64_H
#define HOST_X64_X64_H

#include "base/vec.h"
#include "host/x64/asm.h"
#include "host/x64/windows.h"
#include "ir/build.h"
#include "ir/cpu.h"

/** What the engine does when translated code comes back. Those with a fault entry stand where that does. */
typedef enum X64SiteKind {
    X64_SITE_GOTO, /* direct jump at `patch`, not linked yet: go to pc_offset, aux */
    X64_SITE_HOT, /* the same, and a loop has run often there */
    X64_SITE_STOP, /* the same, but the engine must look at the CPU first; never linked */
    X64_SITE_INDIRECT, /* cpu->pc is set, aux (or cpu->aux) */
    X64_SITE_BUDGET, /* the block did not fit into the budget: nothing has run */
    X64_SITE_LEAVE, /* left early, at a fault entry */
    X64_SITE_TRAP, /* trap `number` with cpu->trap_arg, at a fault entry */
    X64_SITE_ACCESS, /* a load, store or call of `op`: used by the slow path; as an exit: it raised a trap */
    X64_SITE_COUNT,
} X64SiteKind;

typedef struct X64Site {
    uint8_t kind; /* X64SiteKind */
    uint8_t type; /* ACCESS: IrType of a load; TRAP: the engine's counter; INDIRECT: 1 if cpu->aux is set, too;
                     GOTO: 1 if the exit itself becomes the jump, with what stands at `patch` */
    uint16_t number; /* TRAP: number; ACCESS: IrMem bits, or the helper of a call */
    uint32_t block; /* index of the block, given by the engine */
    uint32_t patch; /* GOTO, HOT: offset of the displacement to link; HOT: that of the jump itself, to count no more;
                       INDIRECT: that of the jump over the table, to link with what follows it, or 0; TRAP: that of the
                       jump to the engine, which may lead to a block of that trap, or 0 */
    uint32_t unused; /* prepaid instructions that have not begun; INDIRECT: the engine's counter */
    int32_t pc_offset; /* from the beginning of the block; not yet masked to the guest's address bits */
    uint32_t aux;
} X64Site;
_Static_assert(sizeof(X64Site) == 24, "there are some for each block");

/** A fast memory access that the host's memory protection may stop: where, and its slow path. */
typedef struct X64Access {
    uint32_t at, slow; /* code offsets */
} X64Access;

/** Where quick code may be left in its middle: an access, a call, a POLL. Its `at` is where the engine may put a call
 * over what stands there, or where there is one. There are many: what few points have stands in a second entry, of kind
 * INSN, and most POLLs have none. */
typedef struct X64Point {
    uint32_t at; /* code offset; INSN: that of the access or call before it + 1 */
    uint32_t block; /* index of the block, given by the engine */
    int32_t disp; /* LOAD, STORE: the access is to base + disp; CALL: the helper; INSN: aux, which is 0 if there is no
                   * such entry; POLL: aux of the next instruction */
    uint16_t pc_offset; /* from the beginning of the block; POLL: of the next instruction */
    uint8_t begun; /* instructions of the block that have begun */
    uint8_t mem; /* IrMem bits */
    uint8_t kind, type; /* IrOpcode, IrType */
    uint8_t base, data, result; /* Reg: address, what is stored, where the result goes; CALL: a, b, result; or NO_REG */
    bool wide; /* the base is of 64 bits */
    uint8_t rest; /* bytes of the access behind the call that is put over it */
    uint8_t poll : 7; /* bytes from `at` to the POLL of the instruction, if it goes on behind it with aux 0; or 0.
                       * X64_POLL_NONE: the access is the last thing it does, and may leave itself */
    uint8_t long_insn : 1; /* it then goes on 4 bytes behind this instruction, and not 2 */
} X64Point;
_Static_assert(sizeof(X64Point) == 24, "there is one for nearly each access");

enum { X64_POLL_NONE = 127 };

/** Where a point's function finds the address behind the call: index in its `regs`. */
enum { X64_POINT_BEHIND = REG_COUNT + 1 };

/** What comes back from quick code instead of a site: at the beginning of a block, whose index is added, the budget was
 * not enough (and has been paid from all the same), or it has run often; all is done, left at a fault entry, or a trap
 * is pending. */
#define X64_EXIT_BUDGET UINT32_C(0x80000000)
#define X64_EXIT_WARM UINT32_C(0xc0000000)
#define X64_EXIT_LEFT UINT32_C(0xfffffffd)
#define X64_EXIT_TRAP UINT32_C(0xfffffffe)

/** Where indirect branches and traps go whose target has code: indexed by bits of the address. cpu->jit_targets points
 * to the table. Branches find only what has aux 0, the key of which is its address. */
typedef struct X64Target {
    uint64_t key; /* x64_target_key; of an empty place: x64_no_target */
    uint64_t code; /* host address */
} X64Target;
enum { X64_TARGETS = 4096 };

static inline uint32_t x64_target_index(IrLoc loc) {
    return (uint32_t)((loc.pc ^ loc.aux) >> 1) & (X64_TARGETS - 1);
}

/** Only for locations with aux 0, or an address of 32 bits. */
static inline uint64_t x64_target_key(IrLoc loc) {
    return loc.pc | (uint64_t)loc.aux << 32;
}

/** While memory management is on: of a location with aux 0, and what the TLB's bank says. Its bit 0 tells it from those
 * above. */
static inline uint64_t x64_mapped_key(uint64_t pc, uint64_t code) {
    return pc | code;
}

/** An address that does not belong to that place of the table. */
static inline uint64_t x64_no_target(uint32_t index) {
    return (uint64_t)(index ^ 1) << 1;
}

enum { X64_ENTRY_BYTES = 5 /* at a block's entry, if there are regions: room for a jump to one that begins there */ };

enum { X64_ACCESS_BYTES = 5 /* room that every fast access takes: that of a jump */ };

enum { X64_EXIT_LINK_BYTES = 5 /* of an exit that becomes a jump */ };

/** Code offsets of the fixed pieces, and what all code is made for. */
typedef struct X64Thunks {
    uint32_t enter; /* uint32_t enter(Cpu *cpu, void *memory, const void *code): returns a site */
    uint32_t leave, call; /* call: with the site in esi */
    uint32_t trap; /* jumped to with the site in eax: takes a trap and goes on where that leads */
    uint32_t load, store, load_word, store_word; /* no code, but the addresses of the engine's functions */
    uint32_t point, point_call; /* called from a point; the latter: a CALL */
    uint32_t mapped; /* as `indirect`, while memory management is on */
    uint32_t indirect, indirect_miss; /* jumped to with an address in rax and the site in edx */
    uint32_t indirect_at, indirect_at_miss; /* the same with a 32-bit address in rcx and its aux in rsi */
    X64Memory memory;
    uint32_t crowd; /* how many CPUs run the code and count in its heat */
    bool shared; /* other threads may run code while it is patched: what is patched lies in one aligned word */
    bool regions; /* loops that are hot become regions: backward jumps count */
} X64Thunks;

typedef CpuLoaded X64Load(Cpu *cpu, uint64_t site, uint64_t addr);
typedef uint32_t X64Store(Cpu *cpu, uint64_t site, uint64_t addr, uint64_t value);

/** Functions of the engine that translated code calls. They return a CpuAnswer. */
typedef struct X64Calls {
    X64Load *load;
    X64Store *store;
    /* The same for words of 32 bits at 32-bit addresses, loads without sign, with the rights of the code; pc and
     * prepaid are as at the fault entry of the site. */
    X64Load *load_word;
    X64Store *store_word;
    uint32_t (*call)(Cpu *cpu, uint32_t site); /* operands in cpu->jit_addr and jit_value, result to the latter */
    const void *(*trap)(Cpu *cpu, uint32_t site); /* where the code is that runs next; NULL: the engine goes
                                                        on, with what stands in cpu->jit_value */
    /** From quick code: its registers, by Reg, and where it goes on. Returns 0 or X64_EXIT_*. */
    uint32_t (*point)(Cpu *cpu, uint64_t *regs);
} X64Calls;

/** Instead of a site that the engine comes back with: a trap has been taken. */
#define X64_TRAP_TAKEN UINT32_MAX

/** What a stretch of code is for, in dumps. It ends where the next one of the same part (hot, cold) begins. */
typedef enum X64NoteKind {
    X64_NOTE_ENTRY, /* before the first op of a block or region; begins the notes of a new piece */
    X64_NOTE_OP,
    X64_NOTE_SLOW, /* of an op, out of line */
    X64_NOTE_BUDGET, /* behind a block: it did not fit into the budget */
} X64NoteKind;

typedef struct X64Note {
    uint32_t at; /* code offset */
    uint32_t op; /* index, or IR_NONE */
    const IrBlock *ir;
    X64NoteKind kind;
    bool cold; /* in the code out of line */
} X64Note;

typedef struct X64Output {
    VEC(X64Site) sites;
    VEC(X64Access) accesses; /* sorted by `at` */
    VEC(X64Point) points; /* sorted by `at` */
    VEC(uint32_t) heat; /* counters that code writes, cpu->jit_heat points to them: per backward jump, times left until
                         * it is hot; per instruction of blocks with accesses, the window that they hit out of line */
    VEC(uint32_t) windows_hit; /* per block: the first of the latter, or IR_NONE */
    VEC(X64Note) notes; /* of the block or region lowered last, if `noting` */
    bool noting;
    bool count_tiers; /* regions count what they run in cpu->jit_t1 */
} X64Output;

/** Where code goes: what runs often, and what is out of line, far away so that it takes no room between. Offsets of
 * both count from the same beginning. */
typedef struct X64Code {
    Asm hot, cold;
} X64Code;

/** Writes the fixed pieces. The four flag bytes of the guest stand at flags_slot of its state. */
void x64_emit_thunks(Asm *a, const X64Calls *calls, uint32_t flags_slot, X64Thunks *thunks);

/** Appends the code of a finished block; its entry is where the hot cursor stood. Sites and accesses are appended to
 * `out`, with `block` in every site. False if the code did not fit: `out` and the cursors are as before. */
bool x64_lower(X64Code *code, const IrBlock *ir, uint32_t block, const X64Thunks *thunks, X64Output *out,
               Arena *scratch);

/** Quick code: a block's, made while its IR is. Not for the window memory scheme. */
typedef struct X64Quick X64Quick;
X64Quick *x64_quick_new(void);
void x64_quick_free(X64Quick *q);
/** What a builder is to be given, so that the code is appended as in x64_lower; NULL: there is no room. With `runs` the
 * code stops when it has run so often: X64_EXIT_WARM. Up to x64_quick_end or x64_quick_drop nothing else is lowered. */
IrSink *x64_quick_begin(X64Quick *q, X64Code *code, uint32_t block, uint32_t runs, const X64Thunks *thunks,
                        X64Output *out);
/** The block is complete. False if its code did not fit, or is too much for quick code: `out` and the cursors are as
 * before. */
bool x64_quick_end(X64Quick *q, const IrBlock *ir);
/** Nobody wants the code. */
void x64_quick_drop(X64Quick *q);

enum { X64_REGION_BLOCKS_MAX = 192, X64_LANDINGS_MAX = 32 };

/** A block inside a region (made by ir_with_entry), and where it leads: index in the region, or -1 for out of it. */
typedef struct X64RegionBlock {
    const IrBlock *ir;
    uint32_t block; /* index that sites carry */
    int taken, next; /* of its GOTO_IF, of its GOTO */
    unsigned landings[X64_LANDINGS_MAX], n_landings; /* where its GOTO_IND may lead inside the region */
    uint32_t cost; /* what is prepaid when it begins: at least its instructions */
    uint8_t needs; /* flags that it finds in the packed word when it begins */
    uint8_t depth; /* in loops: what is deeper runs more often */
} X64RegionBlock;

/** A loop nest with the functions that it calls. Its first block is where it is entered, with all flags packed. */
typedef struct X64Region {
    const X64RegionBlock *blocks;
    uint32_t n_blocks;
    uint32_t window; /* slot of the window pointer; IR_NONE: its blocks use no window slots */
    uint32_t guard; /* heat counter that holds the upper half of TlbBank.code when the region may be entered: it has
                     * blocks in several pages; IR_NONE: none */
} X64Region;

/** True if a block may be part of a region. */
bool x64_region_allows(const IrBlock *ir);

/** Appends code for a region, entered where the hot cursor stood with all state in memory: it holds the slots that it
 * uses most in host registers from block to block. False if it did not fit or has no gain. */
bool x64_lower_region(X64Code *code, const X64Region *region, const X64Thunks *thunks, X64Output *out, Arena *scratch);

/** Other threads may run shared code that is patched: what is lies in one aligned word (asm_fit), of which they see all
 * or nothing, and no lock is needed. So it does in all quick code, which is most of the code there is, so that shared
 * code is hardly larger than that of one node.
 *
 * A jump to the slow path over a fast access, or over a block's entry. */
void x64_patch_jump(Asm *a, uint32_t at, uint32_t target);
/** The same with a call. */
void x64_patch_call(Asm *a, uint32_t at, uint32_t target);
/** Another target for a jump whose displacement stands at `site`. */
void x64_patch_link(Asm *a, uint32_t site, uint32_t target);
/** An exit over the beginning of a block. */
void x64_patch_exit(Asm *a, uint32_t at, uint32_t site, const X64Thunks *thunks);
void x64_patch_nop(Asm *a, uint32_t at, unsigned bytes);

#endif
