/* Emission of generated programs: see progs.h. */
#ifndef PROGS_EMIT_H
#define PROGS_EMIT_H

#include "progs.h"

enum { SP = 13, LR = 14, PC = 15, AL = 14, DATA_REG = 7, SPARE_REG = 8 };
enum { LABELS_MAX = 6000, FIXUPS_MAX = 8000, BRANCHES_MAX = 6000, LITERALS_MAX = 120 };
enum { NO_LABEL = 0xffffffff };

typedef struct Label {
    bool set;
    uint32_t addr;
} Label;

typedef enum EmitFixKind { EMIT_BRANCH, EMIT_WORD, EMIT_BYTE, EMIT_HALF } EmitFixKind;

/** Something that depends on a label: a branch, a literal (label + offset - minus), an entry of a branch table. */
typedef struct EmitFix {
    EmitFixKind kind;
    ProgPlace place;
    uint32_t at; /* offset in its part */
    uint32_t label, minus; /* NO_LABEL: nothing is subtracted */
    uint32_t offset;
    ArmRow row;
    uint32_t branch; /* number, for `far` */
} EmitFix;

typedef struct Literal {
    uint32_t load; /* offset of the instruction */
    uint32_t label, minus, value;
    bool wide;
} Literal;

typedef struct Emit {
    Prog *p;
    ProgPlace place;
    uint64_t rng; /* of the statement */
    uint32_t free; /* registers that may be written */
    const Fn *fn;
    unsigned fn_index;
    uint32_t break_label; /* of the innermost loop, or NO_LABEL */
    Label labels[LABELS_MAX];
    uint32_t n_labels;
    EmitFix fixes[FIXUPS_MAX];
    unsigned n_fixes;
    Literal literals[LITERALS_MAX];
    unsigned n_literals;
    uint8_t far[BRANCHES_MAX]; /* how often a branch has turned out too short */
    unsigned n_branches;
    uint32_t entry[PROG_FNS_MAX], end[PROG_FNS_MAX]; /* labels */
    uint32_t slot[PROG_SLOTS_MAX], alts[PROG_SLOTS_MAX]; /* labels: the slot, its alternatives */
    bool full; /* the part `place` is full */
} Emit;

/* progs_emit.c */
void emit16(Emit *e, uint32_t insn);
void emit32(Emit *e, uint32_t insn);
void emit_insn(Emit *e, ArmRow row, uint32_t insn);
uint32_t emit_offset(const Emit *e);
uint32_t emit_here(const Emit *e);
uint32_t label_new(Emit *e);
void label_set(Emit *e, uint32_t label);
/** Branch if `cond` (AL: always). */
void emit_b(Emit *e, unsigned cond, uint32_t label);
void emit_bl(Emit *e, uint32_t label);
void emit_cbz(Emit *e, unsigned reg, bool nonzero, uint32_t label);
void emit_table_entry(Emit *e, bool half, uint32_t label, uint32_t base_label);
void emit_word(Emit *e, uint32_t label, uint32_t offset);
/** reg (r0 to r7) = value; of a label: its address + offset. */
void emit_const(Emit *e, unsigned reg, uint32_t value);
void emit_addr(Emit *e, unsigned reg, uint32_t label, uint32_t offset);
void emit_distance(Emit *e, unsigned reg, uint32_t from, uint32_t to);
/** Literals that wait are written here; `jump`: what comes before falls through. */
void emit_pool(Emit *e, bool jump);
void emit_align(Emit *e);

/** A random instruction that computes and writes only e->free; `bits`: 16, 32, or 0 for any. */
uint32_t emit_choose_alu(Emit *e, unsigned bits, ArmRow *row);
void emit_alu(Emit *e, unsigned bits);

typedef enum AccessKind {
    ACCESS_LOAD, ACCESS_STORE, ACCESS_LOAD_REG, ACCESS_STORE_REG, ACCESS_LDM, ACCESS_STM, ACCESS_LDRD, ACCESS_STRD,
    ACCESS_LDREX, ACCESS_STREX, ACCESS_KINDS,
} AccessKind;
/** A random access through rn (and rm); `wback`: rn may be changed. False: no such instruction was found. */
bool emit_access(Emit *e, AccessKind kind, unsigned rn, unsigned rm, bool wback);

unsigned emit_below(Emit *e, unsigned below);
bool emit_chance(Emit *e, unsigned percent);
/** One of the registers that may be written, of r0 to r7; taken out of `e->free` by the caller if it shall last. */
unsigned emit_low(Emit *e);
static inline bool emit_v7m(const Emit *e) {
    return e->p->arch == DIFF_V7M;
}

/* progs_body.c */
void body_block(Emit *e, uint16_t block);
void body_mem(Emit *e, unsigned n);

/* progs_self.c */
void self_slot(Emit *e, uint16_t stmt);
void self_patch(Emit *e, const Stmt *s);
void self_copy(Emit *e);
void self_tables(Emit *e);

#endif
