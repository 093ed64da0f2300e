/* Fuzzer of the engines: structured programs for Cortex-M, generated from a seed, run in lockstep on every engine.
 *
 *   progs_tree.c  the shape of a program: functions and statements, as a tree
 *   progs_emit.c  instructions, labels, branches, literals
 *   progs_body.c  statements of ordinary programs become instructions
 *   progs_self.c  statements that change code: slots that are overwritten, functions that are copied
 *   progs_link.c  start-up code, handlers, functions; the image
 *   progs.c       runs, compares, bisects, minimises
 *
 * Every statement has a random seed of its own, so one that is left out leaves the others as they are. */
#ifndef PROGS_H
#define PROGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arm_diff.h"

enum {
    PROG_STMTS_MAX = 4000,
    PROG_FNS_MAX = 14,
    PROG_SLOTS_MAX = 24,
    PROG_PART_BYTES = 0x8000,
    PROG_ALTS = 4, /* contents of a slot */
    PROG_SLOT_BYTES = 8,
    PROG_NONE = 0xffff,
};

/** Where code lies: read-only or little used memory, and memory that the program also writes. */
typedef enum ProgPlace { PROG_ROM, PROG_RAM, PROG_PLACES } ProgPlace;

/** Device registers that programs read and write. */
typedef struct ProgDevice {
    uint32_t addr, mask; /* bits that are written */
    bool write;
} ProgDevice;

typedef struct ProgTarget {
    const char *machine;
    uint32_t features;
    uint32_t rom, rom_bytes, ram, ram_bytes; /* for code */
    uint32_t data; /* base pointer: bytes around it are data */
    uint32_t spare; /* data in another page, in another alias */
    uint32_t control; /* counters of the program's own */
    uint32_t copies; /* where functions are copied to */
    uint32_t stack;
    uint32_t alias; /* the RAM at another address: offset, or 0 */
    uint32_t bitband; /* of 0x20000000, or 0 */
    uint32_t timer_irq; /* interrupt of the device timer */
    const ProgDevice *devices;
    unsigned n_devices;
} ProgTarget;

extern const ProgTarget prog_targets[DIFF_ARCHS];

typedef enum StmtKind {
    STMT_BLOCK, STMT_ALU, STMT_MEM, STMT_INDEX, STMT_POINTER, STMT_IF, STMT_IT, STMT_LOOP, STMT_BREAK, STMT_CALL,
    STMT_SWITCH, STMT_DEVICE, STMT_FAULT, STMT_SVC, STMT_MASK, STMT_SLEEP, STMT_CHAIN, STMT_EXCLUSIVE, STMT_STACK,
    STMT_RECURSE, STMT_PEND, STMT_SLOT, STMT_PATCH, STMT_COPY, STMT_KINDS,
} StmtKind;

typedef struct Stmt {
    uint8_t kind; /* StmtKind */
    uint8_t trips; /* of a loop */
    uint16_t first, next; /* child, sibling */
    uint64_t seed;
} Stmt;

typedef enum FnKind {
    FN_MAIN,
    FN_LEAF, /* saves nothing, calls nothing; may be copied */
    FN_FULL, /* saves registers */
    FN_HANDLER,
} FnKind;

enum { FN_SYSTICK = 1, FN_PENDSV, FN_TIMER, FN_FIRST /* ordinary ones; they call later ones only */ };

typedef struct Fn {
    FnKind kind;
    ProgPlace place;
    uint16_t body; /* a block */
    uint32_t cost; /* estimate of the instructions of a call */
    uint64_t seed;
    bool recurses;
} Fn;

typedef struct ProgSlot {
    uint16_t stmt;
    uint16_t fn;
    uint32_t addr; /* found by the emission */
    uint16_t alts[PROG_ALTS][PROG_SLOT_BYTES / 2];
} ProgSlot;

typedef struct Prog {
    DiffArch arch;
    const ProgTarget *target;
    uint64_t seed;
    uint32_t data, rom, ram; /* where they are in this program */
    bool systick, timer, selfmod;
    Fn fns[PROG_FNS_MAX];
    unsigned n_fns;
    Stmt stmts[PROG_STMTS_MAX];
    unsigned n_stmts;
    bool dropped[PROG_STMTS_MAX];
    ProgSlot slots[PROG_SLOTS_MAX];
    unsigned n_slots;
    /* The image */
    struct {
        uint32_t base, bytes;
        uint8_t data[PROG_PART_BYTES];
    } part[PROG_PLACES];
    uint32_t vectors[16 + 32];
} Prog;

/* ---- Random numbers ---- */

static inline uint32_t prog_below(uint64_t *rng, uint32_t below) {
    return (uint32_t)(diff_random(rng) >> 32) % below;
}
static inline bool prog_chance(uint64_t *rng, unsigned percent) {
    return prog_below(rng, 100) < percent;
}

/* progs_tree.c */

/** Makes the tree of program number `index` of a seed. */
void prog_make(Prog *p, DiffArch arch, uint64_t seed, uint64_t index);

/* progs_link.c */

/** Makes the image. False: it does not fit. */
bool prog_link(Prog *p);

#endif
