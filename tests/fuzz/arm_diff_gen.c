/* Generator of the differential test of the Arm guest: random sequences of instructions, drawn evenly over the decode
 * rows, that cannot loop, run away or sleep, whatever their data. See arm_diff.h.
 *
 * Base registers of loads and stores, and registers that are branched to, are chosen backwards: while no instruction
 * has written a register, its initial value is free until something relies on it. */
#include "arm_diff.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SP = 13, LR = 14, PC = 15, TRIES = 300 };
enum { BITBAND = 0x22000000, POOL_BYTES = 32, FIXUPS_MAX = 2 * DIFF_INSNS_MAX };

const DiffTarget diff_targets[DIFF_ARCHS] = {
    [DIFF_V7M] = {"v7m", ARM_FEATURE_V7M, 0x20010000, 0x21100000, 0x300000, 128, true},
    [DIFF_V6M] = {"v6m", 0, 0x20001000, 0, 0x40000, 96, false},
};

/* ---- What the bodies do with their operands --------------------------------------------------------------------- */

typedef enum Kind {
    K_NONE, /* writes no register */
    K_ALU, /* writes one */
    K_MOV_REG, K_ADD_REG, K_ADD_IMM, K_MRS,
    K_LONG,
    K_LOAD_LIT, K_LOAD_IMM, K_LOAD_REG, K_STORE_IMM, K_STORE_REG, K_LDM, K_STM, K_LDRD, K_STRD, K_LDREX, K_STREX,
    K_B, K_BL, K_BX, K_BLX, K_CBZ, K_TB,
    K_IT, K_MSR, K_CPS, K_WFI, K_WFE, K_SEV, K_SVC, K_BKPT,
} Kind;

typedef struct Body {
    const char *name;
    Kind kind;
    uint16_t rd; /* offset of the register written */
} Body;

#define WRITES(kind, body, operand) {#body, kind, offsetof(ArmArgs_##body, operand)}
#define ALU(body) WRITES(K_ALU, body, rd)
#define LONG(body) WRITES(K_LONG, body, lo)
#define NONE(body) {#body, K_NONE, 0}

static const Body bodies[] = {
    WRITES(K_MOV_REG, mov_reg, rd), WRITES(K_ADD_REG, add_reg, rd), WRITES(K_ADD_REG, sub_reg, rd),
    WRITES(K_ADD_IMM, add_imm, rd), WRITES(K_ADD_IMM, sub_imm, rd), WRITES(K_MRS, mrs, rd),
    ALU(mov_imm), ALU(and_reg), ALU(eor_reg), ALU(lsl_reg), ALU(lsr_reg), ALU(asr_reg), ALU(adc_reg), ALU(sbc_reg),
    ALU(ror_reg), ALU(rsb_imm), ALU(orr_reg), ALU(mul), ALU(bic_reg), ALU(mvn_reg), ALU(adr), ALU(sxth), ALU(sxtb),
    ALU(uxth), ALU(uxtb), ALU(rev), ALU(rev16), ALU(revsh), ALU(and_imm), ALU(bic_imm), ALU(orr_imm), ALU(mvn_imm),
    ALU(orn_imm), ALU(eor_imm), ALU(adc_imm), ALU(sbc_imm), ALU(movt), ALU(ssat), ALU(usat), ALU(sbfx), ALU(ubfx),
    ALU(bfc), ALU(bfi), ALU(orn_reg), ALU(rsb_reg), ALU(rbit), ALU(clz), ALU(mla), ALU(mls), ALU(sdiv), ALU(udiv),
    LONG(smull), LONG(umull), LONG(smlal), LONG(umlal),
    NONE(cmp_imm), NONE(tst_reg), NONE(cmp_reg), NONE(cmn_reg), NONE(tst_imm), NONE(teq_imm), NONE(cmn_imm),
    NONE(teq_reg), NONE(nop), NONE(yield), NONE(hint), NONE(udf), NONE(clrex), NONE(isb), NONE(coproc),
    NONE(coproc_mem),
    NONE(preload), NONE(preload_reg),
    {"load_lit", K_LOAD_LIT, 0}, {"load_imm", K_LOAD_IMM, 0}, {"load_reg", K_LOAD_REG, 0},
    {"store_imm", K_STORE_IMM, 0}, {"store_reg", K_STORE_REG, 0}, {"ldm", K_LDM, 0}, {"stm", K_STM, 0},
    {"ldrd", K_LDRD, 0}, {"strd", K_STRD, 0}, {"ldrex", K_LDREX, 0}, {"strex", K_STREX, 0}, {"b", K_B, 0},
    {"bl", K_BL, 0}, {"bx", K_BX, 0}, {"blx", K_BLX, 0}, {"cbz", K_CBZ, 0}, {"tb", K_TB, 0}, {"it", K_IT, 0},
    {"msr", K_MSR, 0}, {"cps", K_CPS, 0}, {"wfi", K_WFI, 0}, {"wfe", K_WFE, 0}, {"sev", K_SEV, 0},
    {"svc", K_SVC, 0}, {"bkpt", K_BKPT, 0},
};

/* Rows that are not compared here; each must be covered by other tests. */
static const struct {
    const char *row;
    const char *why;
} excluded[] = {
    {NULL, NULL},
};

const char *diff_row_excluded(DiffArch arch, ArmRow row) {
    const ArmRowInfo *info = &arm_row_info[row];
    uint32_t features = diff_targets[arch].features;
    if ((features & info->when) != info->when || features & info->unless) {
        return "not in this instruction set";
    }
    for (size_t i = 0; excluded[i].row; i++) {
        if (strcmp(excluded[i].row, info->name) == 0) {
            return excluded[i].why;
        }
    }
    return NULL;
}

static const Body *body_of(ArmRow row) {
    static const Body *cache[ARM_ROW_COUNT];
    for (size_t i = 0; !cache[row] && i < sizeof bodies / sizeof bodies[0]; i++) {
        if (strcmp(bodies[i].name, arm_row_info[row].body) == 0) {
            cache[row] = &bodies[i];
        }
    }
    if (!cache[row]) {
        fprintf(stderr, "arm_diff: body %s is not in the table of arm_diff_gen.c\n", arm_row_info[row].body);
        exit(2);
    }
    return cache[row];
}

static uint32_t operand(const ArmArgs *args, unsigned offset) {
    uint32_t value;
    memcpy(&value, (const char *)args + offset, sizeof value);
    return value;
}

uint32_t diff_writes(ArmRow row, const ArmArgs *args) {
    const Body *body = body_of(row);
    switch (body->kind) {
    case K_ALU:
    case K_MOV_REG:
    case K_ADD_REG:
    case K_ADD_IMM:
    case K_MRS:
        return 1u << operand(args, body->rd);
    case K_LONG:
        return 1u << args->smull.lo | 1u << args->smull.hi;
    case K_LOAD_LIT:
        return 1u << args->load_lit.rt;
    case K_LOAD_IMM:
        return 1u << args->load_imm.rt | (args->load_imm.mode ? 1u << args->load_imm.rn : 0);
    case K_LOAD_REG:
        return 1u << args->load_reg.rt;
    case K_STORE_IMM:
        return args->store_imm.mode ? 1u << args->store_imm.rn : 0;
    case K_LDM:
        return args->ldm.list | (args->ldm.wback ? 1u << args->ldm.rn : 0);
    case K_STM:
        return args->stm.wback ? 1u << args->stm.rn : 0;
    case K_LDRD:
        return 1u << args->ldrd.rt | 1u << args->ldrd.rt2 | (args->ldrd.mode ? 1u << args->ldrd.rn : 0);
    case K_STRD:
        return args->strd.mode ? 1u << args->strd.rn : 0;
    case K_LDREX:
        return 1u << args->ldrex.rt;
    case K_STREX:
        return 1u << args->strex.rd;
    case K_B:
    case K_CBZ:
    case K_BX:
    case K_TB:
        return 1u << PC;
    case K_BL:
    case K_BLX:
        return 1u << LR | 1u << PC;
    default:
        return 0;
    }
}

/* ---- Random values ---------------------------------------------------------------------------------------------- */

uint64_t diff_random(void *state) {
    uint64_t z = *(uint64_t *)state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

typedef enum FixupKind { FIX_BRANCH, FIX_REGISTER, FIX_POOL_WORD, FIX_POKE, FIX_TABLE } FixupKind;

/* Something that depends on where the instructions end up: how a jump reaches its target. */
typedef struct Fixup {
    FixupKind kind;
    unsigned insn; /* that jumps */
    unsigned reg; /* whose initial value becomes target - base */
    uint32_t base;
    unsigned pool; /* offset in the slot */
    bool half; /* table of halfwords */
} Fixup;

typedef struct Gen {
    DiffArch arch;
    const DiffTarget *target;
    uint64_t rng;
    DiffSequence *out;
    uint32_t slot_addr;
    uint32_t regs[16];
    uint32_t intact; /* registers that still have their initial value */
    uint32_t relied; /* registers whose initial value something relies on */
    unsigned offset; /* of the next instruction in the slot */
    unsigned pool; /* lowest offset taken in the pool */
    unsigned it_left;
    bool stored, masks_changed, pend, poked;
    bool event; /* the event register is set: by the exception return at the start */
    unsigned sev_end; /* number of the instruction behind a SEV */
    bool no_target; /* the next instruction must not be jumped to */
    bool monitor; /* an LDREX has tagged [monitor_rn, monitor_off] */
    bool monitor_spoiled; /* and a store came after it */
    uint32_t monitor_rn, monitor_off, monitor_mem;
    Fixup fixups[FIXUPS_MAX];
    unsigned n_fixups;
} Gen;

static uint32_t rnd(Gen *g, uint32_t below) {
    return (uint32_t)(diff_random(&g->rng) >> 32) % below;
}

static bool chance(Gen *g, unsigned percent) {
    return rnd(g, 100) < percent;
}

static uint32_t random_value(Gen *g) {
    static const uint32_t special[] = {0, 1, 2, 0xffffffff, 0xfffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0x8000,
                                       0x7fff, 0xffff8000, 0x80, 0xff, 0x55555555, 0xaaaaaaaa, 0x00ff00ff};
    switch (rnd(g, 5)) {
    case 0:
        return special[rnd(g, sizeof special / sizeof special[0])];
    case 1:
        return rnd(g, 65);
    case 2:
        return g->target->scratch + rnd(g, DIFF_SCRATCH_BYTES);
    case 3:
        return 1u << rnd(g, 32);
    default:
        return (uint32_t)diff_random(&g->rng);
    }
}

/* Where no code can be: unmapped memory, EXC_RETURN, device and system regions. (The last three kinds have memory that
 * reads as 0 on QEMU's microbit, and it runs there.) */
static uint32_t wild_target(Gen *g) {
    static const uint32_t list[] = {0x30000001, 0x60000001, 0xa0000001, 0xfffffff1, 0xfffffff9, 0xfffffffd, 0x40000001,
                                    0xe0000001};
    return chance(g, 20) ? g->target->base + DIFF_PAD : list[rnd(g, g->arch == DIFF_V7M ? 8 : 3)];
}

/* An address for a data access of `bytes`. */
static uint32_t data_address(Gen *g, unsigned bytes) {
    static const uint32_t unmapped[] = {0x30000000, 0x60000004, 0xa0000008, 0xdffffffc, 0xfffffff0};
    uint32_t scratch = g->target->scratch;
    unsigned kind = rnd(g, 100);
    if (kind < 3) {
        return unmapped[rnd(g, g->arch == DIFF_V7M ? 5 : 4)];
    }
    if (kind < 8) { /* the small regions of the protection unit */
        return scratch + 0x500 + 0x100 * rnd(g, 3) - 8 + rnd(g, 44);
    }
    if (kind < 14 && g->arch == DIFF_V7M) { /* bit-band */
        return BITBAND + (scratch - 0x20000000) * 32 + 4 * rnd(g, DIFF_SCRATCH_BYTES * 8);
    }
    uint32_t offset = 0x80 + rnd(g, DIFF_SCRATCH_BYTES - 0x100);
    return scratch + (chance(g, 85) ? offset & ~(bytes - 1) & ~(bytes > 4 ? 3u : 0) : offset);
}

static bool in_scratch(const Gen *g, uint32_t addr) {
    return addr - g->target->scratch - 0x40 < DIFF_SCRATCH_BYTES - 0xc0;
}

void diff_template(DiffArch arch, uint64_t seed, uint32_t *words) {
    Gen g = {.arch = arch, .target = &diff_targets[arch], .rng = seed ^ 0x7e3a1c5b};
    for (unsigned i = 0; i < DIFF_SCRATCH_BYTES / 4; i++) {
        words[i] = rnd(&g, 16) ? random_value(&g) : g.target->base + DIFF_PAD + 1;
    }
}

/* ---- Plans ------------------------------------------------------------------------------------------------------ */

/* Takes a register whose initial value is still free. */
static bool reserve(Gen *g, uint32_t reg) {
    uint32_t mask = 1u << reg;
    if (reg == SP || reg == PC || !(g->intact & mask) || g->relied & mask) {
        return false;
    }
    g->relied |= mask;
    return true;
}

static bool fixup_add(Gen *g, Fixup fixup) {
    assert(g->n_fixups < FIXUPS_MAX);
    fixup.insn = g->out->n_insns;
    g->fixups[g->n_fixups++] = fixup;
    return true;
}

static bool pool_take(Gen *g, unsigned *offset) {
    if (g->pool <= g->target->slot_bytes - POOL_BYTES) {
        return false;
    }
    g->pool -= 4;
    *offset = g->pool;
    return true;
}

/* A jump to the value of rm, less `base`. */
static bool plan_jump(Gen *g, uint32_t rm, uint32_t base) {
    if (!reserve(g, rm)) {
        return false;
    }
    g->intact &= ~(1u << rm); /* its value comes later */
    return fixup_add(g, (Fixup){.kind = FIX_REGISTER, .reg = rm, .base = base});
}

/* A load of the PC from rn + delta: a word of the pool. */
static bool plan_load_pc(Gen *g, uint32_t rn, uint32_t delta) {
    unsigned pool;
    if (g->relied >> rn & 1 || !pool_take(g, &pool) || !reserve(g, rn)) {
        return false;
    }
    g->regs[rn] = g->slot_addr + pool - delta;
    return fixup_add(g, (Fixup){.kind = FIX_POOL_WORD, .pool = pool});
}

/* An access to rn + delta. */
static bool plan_access(Gen *g, uint32_t rn, uint32_t delta, unsigned bytes) {
    if (rn != PC && g->intact >> rn & 1) {
        if (reserve(g, rn)) {
            g->regs[rn] = data_address(g, bytes) - delta;
            return true;
        }
        uint32_t addr = g->regs[rn] + delta;
        if (in_scratch(g, addr)) {
            return true;
        }
        if (addr & 3 && addr >> 25 == BITBAND >> 25) {
            return false; /* UNPREDICTABLE */
        }
    } else if (rn == SP) {
        return chance(g, 50);
    }
    return chance(g, 5);
}

/* An STREX that fails checks alignment and rights in the manual, but not in QEMU: only good addresses. Whether it fails
 * after an LDREX of another size, or a store to the same place, is the implementation's choice (A3.4). */
static bool plan_strex(Gen *g, const ArmArgs_strex *a) {
    if (g->monitor && (g->monitor_spoiled || a->mem != g->monitor_mem)) {
        return false;
    }
    if (reserve(g, a->rn)) {
        g->regs[a->rn] = g->target->scratch + 0x80 + 4 * rnd(g, 0x100) - a->off;
        return true;
    }
    uint32_t addr = g->regs[a->rn] + a->off - g->target->scratch;
    return g->intact >> a->rn & 1 && addr - 0x40 < 0x480 && !(addr & 3);
}

/* The offset register of an access: its value, if it can be relied on. */
static bool plan_index(Gen *g, uint32_t rm, uint32_t *value) {
    if (reserve(g, rm)) {
        g->regs[rm] = chance(g, 80) ? rnd(g, 64) : -rnd(g, 64);
    } else if (!(g->intact >> rm & 1) || rm == SP) {
        return false;
    }
    *value = g->regs[rm];
    g->relied |= 1u << rm;
    return true;
}

static bool plan_indexed(Gen *g, uint32_t rn, uint32_t rm, uint32_t shift, bool to_pc) {
    uint32_t index;
    if (rn == rm || !plan_index(g, rm, &index)) {
        return !to_pc && chance(g, 5);
    }
    return to_pc ? plan_load_pc(g, rn, index << shift) : plan_access(g, rn, index << shift, 1);
}

static unsigned list_length(uint32_t list) {
    return (unsigned)__builtin_popcount(list);
}

/* LDM and POP with PC: the word comes from scratch memory that nothing has written before. */
static bool plan_ldm_pc(Gen *g, const ArmArgs_ldm *a) {
    uint32_t bytes = 4 * list_length(a->list);
    if (g->stored || g->poked || (a->rn == SP && a->db)) {
        return false;
    }
    if (a->rn != SP) {
        if (!reserve(g, a->rn)) {
            return false;
        }
        g->regs[a->rn] = g->target->scratch + 0x680 + 4 * rnd(g, 4);
    } else if (!(g->intact >> SP & 1)) {
        return false;
    }
    uint32_t base = g->regs[a->rn];
    g->out->entry.poke_addr = a->db ? base - 4 : base + bytes - 4;
    g->poked = true;
    return fixup_add(g, (Fixup){.kind = FIX_POKE});
}

static bool plan_multiple(Gen *g, uint32_t rn, uint32_t list, bool db) {
    uint32_t bytes = 4 * list_length(list);
    return plan_access(g, rn, db ? -bytes : 0, 8);
}

static bool plan_table(Gen *g, const ArmArgs_tb *a) {
    unsigned pool;
    uint32_t pc = g->slot_addr + g->offset + 4;
    if (a->rn == a->rm || !pool_take(g, &pool) || (a->rn != PC && !(g->intact & ~g->relied & 1u << a->rn)) ||
        !reserve(g, a->rm)) {
        return false;
    }
    if (a->rn == PC) {
        g->regs[a->rm] = (g->slot_addr + pool - pc) >> a->half;
    } else {
        g->regs[a->rm] = rnd(g, 100);
        g->regs[a->rn] = g->slot_addr + pool - (g->regs[a->rm] << a->half);
        g->relied |= 1u << a->rn;
    }
    return fixup_add(g, (Fixup){.kind = FIX_TABLE, .pool = pool, .half = a->half});
}

/* A value for the stack pointer: most often a good one. */
static bool plan_sp(Gen *g, uint32_t rm) {
    if (!reserve(g, rm)) {
        return chance(g, 3);
    }
    g->regs[rm] = g->target->scratch + 0x300 + 4 * rnd(g, 0x60) + (chance(g, 10) ? rnd(g, 4) : 0);
    return true;
}

/* ---- Which instructions may come next --------------------------------------------------------------------------- */

static bool sysm_known(DiffArch arch, uint32_t sysm) {
    bool v6m = sysm <= 3 || (sysm >= 5 && sysm <= 9) || sysm == 16 || sysm == 20;
    return v6m || (arch == DIFF_V7M && sysm >= 17 && sysm <= 19);
}

static bool accept_msr(Gen *g, const ArmArgs_msr *a) {
    enum { MSP = 8, PSP = 9, FAULTMASK = 19, CONTROL = 20 };
    uint32_t sysm = a->spec & 0xff;
    /* FAULTMASK keeps SVC from ending the sequence: see append_faultmask(). */
    if (!sysm_known(g->arch, sysm) || sysm == FAULTMASK || (g->pend && sysm > 3)) {
        return false;
    }
    /* DDI 0419E B4.2.3: other masks are UNPREDICTABLE in ARMv6-M. */
    if (g->arch == DIFF_V6M && a->spec >> 8 != 2) {
        return false;
    }
    if (g->arch == DIFF_V6M && sysm <= 3) { /* QEMU has a Q flag in ARMv6-M */
        bool free = reserve(g, a->rn);
        g->regs[a->rn] &= free ? ~(1u << 27) : UINT32_MAX;
        return free;
    }
    if (sysm == MSP || sysm == PSP) {
        g->intact &= ~(1u << SP);
        return plan_sp(g, a->rn);
    }
    g->masks_changed |= sysm > 3;
    g->intact &= sysm == CONTROL ? ~(1u << SP) : UINT32_MAX;
    return sysm != CONTROL || chance(g, 40);
}

static bool accept_cps(Gen *g, uint32_t how) {
    bool disable = how & 1, faultmask = how & 2;
    g->masks_changed = true;
    return !(disable && faultmask) && !g->pend;
}

/* WFI continues at once while an exception is pending that only PRIMASK holds back. */
static bool accept_wfi(Gen *g) {
    if (g->masks_changed) {
        return false;
    }
    g->pend = true;
    g->out->entry.flags = (g->out->entry.flags & ~0xff00u & ~(uint32_t)DIFF_FLAG_NPRIV) | DIFF_FLAG_PRIMASK |
                          DIFF_FLAG_PEND;
    return true;
}

/* WFE must find the event register set. */
static bool accept_wfe(Gen *g) {
    bool behind_sev = g->sev_end && g->sev_end == g->out->n_insns && !g->it_left;
    bool awake = behind_sev || g->event;
    g->no_target = behind_sev;
    g->event = false;
    return awake;
}

static bool accept_alu(Gen *g, const Body *body, const ArmArgs *args) {
    uint32_t here = g->slot_addr + g->offset, rd = operand(args, body->rd);
    switch (body->kind) {
    case K_MOV_REG:
        return rd == PC ? plan_jump(g, args->mov_reg.rm, 0) : rd != SP || plan_sp(g, args->mov_reg.rm);
    case K_ADD_REG:
        if (rd == PC) {
            return plan_jump(g, args->add_reg.rm, here + 4);
        }
        if (rd == SP && reserve(g, args->add_reg.rm)) {
            g->regs[args->add_reg.rm] = 4 * rnd(g, 16);
            return true;
        }
        return rd != SP || chance(g, 3);
    case K_ADD_IMM:
        return rd != SP || args->add_imm.imm < 0x180 || chance(g, 3);
    case K_MRS:
        return sysm_known(g->arch, args->mrs.sysm);
    default:
        return true;
    }
}

static bool accept_load(Gen *g, const Body *body, const ArmArgs *args) {
    switch (body->kind) {
    case K_LOAD_IMM: {
        const ArmArgs_load_imm *a = &args->load_imm;
        uint32_t delta = a->mode == 2 ? 0 : a->off;
        if (a->rt == PC) {
            return plan_load_pc(g, a->rn, delta);
        }
        return (a->rt != SP || chance(g, 3)) && plan_access(g, a->rn, delta, 1u << (a->mem & 3));
    }
    case K_LOAD_REG: {
        const ArmArgs_load_reg *a = &args->load_reg;
        return (a->rt != SP || chance(g, 3)) && plan_indexed(g, a->rn, a->rm, a->shift, a->rt == PC);
    }
    case K_LDM: {
        const ArmArgs_ldm *a = &args->ldm;
        return a->list >> PC & 1 ? plan_ldm_pc(g, a) : plan_multiple(g, a->rn, a->list, a->db);
    }
    case K_LDRD: {
        const ArmArgs_ldrd *a = &args->ldrd;
        return a->rn == PC || plan_access(g, a->rn, a->mode == 2 ? 0 : a->off, 8);
    }
    default: /* LDREX */
        if (!plan_access(g, args->ldrex.rn, args->ldrex.off, 8)) {
            return false;
        }
        g->monitor = true;
        g->monitor_spoiled = false;
        g->monitor_rn = args->ldrex.rn;
        g->monitor_off = args->ldrex.off;
        g->monitor_mem = args->ldrex.mem;
        return true;
    }
}

static bool accept_store(Gen *g, const Body *body, const ArmArgs *args) {
    g->stored = true;
    g->monitor_spoiled |= body->kind != K_STREX;
    switch (body->kind) {
    case K_STORE_IMM: {
        const ArmArgs_store_imm *a = &args->store_imm;
        return plan_access(g, a->rn, a->mode == 2 ? 0 : a->off, 1u << (a->mem & 3));
    }
    case K_STORE_REG:
        return plan_indexed(g, args->store_reg.rn, args->store_reg.rm, args->store_reg.shift, false);
    case K_STM:
        return plan_multiple(g, args->stm.rn, args->stm.list, args->stm.db);
    case K_STRD:
        return plan_access(g, args->strd.rn, args->strd.mode == 2 ? 0 : args->strd.off, 8);
    default: /* STREX */
        return plan_strex(g, &args->strex);
    }
}

static bool accept_jump(Gen *g, const Body *body, const ArmArgs *args) {
    switch (body->kind) {
    case K_BX:
        return args->bx.rm == PC ? chance(g, 5) : plan_jump(g, args->bx.rm, 0);
    case K_BLX:
        return plan_jump(g, args->blx.rm, 0);
    case K_TB:
        return plan_table(g, &args->tb);
    default:
        return fixup_add(g, (Fixup){.kind = FIX_BRANCH});
    }
}

static bool accept_trap(Gen *g, const Body *body, const ArmArgs *args) {
    switch (body->kind) {
    case K_IT: {
        unsigned mask = args->it.state & 15;
        g->it_left = 4 - (unsigned)__builtin_ctz(mask) + 1; /* itself included */
        return true;
    }
    case K_MSR:
        return accept_msr(g, &args->msr);
    case K_CPS:
        return accept_cps(g, args->cps.how);
    case K_WFI:
        return accept_wfi(g);
    case K_WFE:
        return accept_wfe(g);
    case K_SEV:
        g->sev_end = g->it_left ? 0 : g->out->n_insns + 1;
        return true;
    case K_SVC:
        return args->svc.imm != 255;
    case K_BKPT:
        return args->bkpt.imm != 0xab; /* semihosting */
    default:
        return true;
    }
}

/* In an IT block, IT, CBZ, CPS and conditional branches are UNPREDICTABLE, other jumps too but at its end. */
static bool accept_in_it(const Gen *g, const Body *body, ArmRow row, const ArmArgs *args) {
    if (!g->it_left) {
        return true;
    }
    if (body->kind == K_IT || body->kind == K_CBZ || body->kind == K_CPS ||
        (body->kind == K_B && row != ARM_ROW_B_T2 && row != ARM_ROW_B_T4)) {
        return false;
    }
    return g->it_left == 1 || !(diff_writes(row, args) >> PC & 1);
}

static bool accept(Gen *g, ArmRow row, const ArmArgs *args) {
    const Body *body = body_of(row);
    if (!accept_in_it(g, body, row, args)) {
        return false;
    }
    switch (body->kind) {
    case K_NONE:
    case K_LONG:
    case K_LOAD_LIT:
        return true;
    case K_ALU:
    case K_MOV_REG:
    case K_ADD_REG:
    case K_ADD_IMM:
    case K_MRS:
        return accept_alu(g, body, args);
    case K_LOAD_IMM:
    case K_LOAD_REG:
    case K_LDM:
    case K_LDRD:
    case K_LDREX:
        return accept_load(g, body, args);
    case K_STORE_IMM:
    case K_STORE_REG:
    case K_STM:
    case K_STRD:
    case K_STREX:
        return accept_store(g, body, args);
    case K_B:
    case K_BL:
    case K_BX:
    case K_BLX:
    case K_CBZ:
    case K_TB:
        return accept_jump(g, body, args);
    default:
        return accept_trap(g, body, args);
    }
}

/* ---- Sequences -------------------------------------------------------------------------------------------------- */

static void append(Gen *g, ArmRow row, uint32_t insn, const ArmArgs *args) {
    DiffSequence *s = g->out;
    unsigned bytes = arm_row_info[row].bits / 8;
    bool is_it = body_of(row)->kind == K_IT;
    s->insns[s->n_insns++] =
        (DiffInsn){.insn = insn, .row = row, .bytes = (uint8_t)bytes, .offset = (uint8_t)g->offset,
                   .in_it = g->it_left && !is_it, .no_target = g->no_target};
    g->no_target = false;
    g->offset += bytes;
    g->it_left -= g->it_left > 0;
    g->intact &= ~diff_writes(row, args);
}

static bool append_word(Gen *g, uint32_t insn, unsigned bits) {
    ArmArgs args;
    ArmRow row = arm_decode(insn, bits, g->target->features, &args);
    assert(row != ARM_ROW_NONE);
    append(g, row, insn, &args);
    return true;
}

/* Sets FAULTMASK, perhaps reads it, and clears it: in between nothing may raise an exception. */
static void append_faultmask(Gen *g) {
    switch (rnd(g, 3)) {
    case 0:
        append_word(g, 0xb671, 16); /* cpsid f */
        break;
    case 1:
        append_word(g, 0xb673, 16); /* cpsid if */
        break;
    default:
        append_word(g, 0xf3808813 | rnd(g, 13) << 16, 32); /* msr faultmask, rN */
        break;
    }
    unsigned first = g->out->n_insns;
    if (chance(g, 70)) {
        append_word(g, 0xf3ef8013 | rnd(g, 13) << 8, 32); /* mrs rN, faultmask */
    }
    append_word(g, 0xb661, 16); /* cpsie f */
    for (unsigned i = first; i < g->out->n_insns; i++) {
        g->out->insns[i].no_target = true;
    }
    g->masks_changed = true;
}

/* Literals lie in the sequence's own slot; PC from a literal comes from the pool. */
static bool adjust_literal(Gen *g, uint32_t *insn, const ArmArgs *args) {
    uint32_t pc = (g->slot_addr + g->offset + 4) & ~3u;
    uint32_t offset = 4 * rnd(g, (g->target->slot_bytes - g->offset - 16) / 4);
    bool wide = *insn > 0xffff;
    if (wide && args->load_lit.rt == PC) {
        unsigned pool;
        if (!pool_take(g, &pool)) {
            return false;
        }
        offset = g->slot_addr + pool - pc;
        *insn |= 1u << 23;
        fixup_add(g, (Fixup){.kind = FIX_POOL_WORD, .pool = pool});
    } else if (wide && !(*insn >> 23 & 1)) {
        offset = rnd(g, g->offset + 4); /* backwards */
    } else if (wide && args->load_lit.mem != 2) {
        offset += rnd(g, 4);
    }
    *insn = wide ? (*insn & ~0xfffu) | offset : (*insn & ~0xffu) | offset / 4;
    return true;
}

/* Changes made to what arm_row_encode chose, so that more interesting things happen. */
static bool adjust(Gen *g, ArmRow row, uint32_t *insn, ArmArgs *args) {
    Kind kind = body_of(row)->kind;
    if (kind == K_LOAD_LIT) {
        if (args->load_lit.rt == PC && g->it_left > 1) {
            return false;
        }
        return adjust_literal(g, insn, args);
    }
    if (kind == K_LDRD && args->ldrd.rn == PC) {
        *insn = (*insn & ~0xffu) | (*insn >> 23 & 1 ? rnd(g, 12) : rnd(g, g->offset / 4));
    } else if (kind == K_STREX && g->monitor && g->monitor_mem == args->strex.mem && chance(g, 70)) {
        *insn = (*insn & ~0xf0000u) | g->monitor_rn << 16;
        if (row == ARM_ROW_STREX_T1) {
            *insn = (*insn & ~0xffu) | g->monitor_off / 4;
        }
    }
    return arm_decode(*insn, arm_row_info[row].bits, g->target->features, args) == row;
}

static bool append_random(Gen *g, ArmRow row) {
    for (unsigned i = 0; i < TRIES; i++) {
        Gen saved = *g;
        uint32_t flags = g->out->entry.flags, insn;
        ArmArgs args;
        bool encoded = arm_row_encode(row, g->target->features, diff_random, &g->rng, &insn) &&
                       arm_decode(insn, arm_row_info[row].bits, g->target->features, &args) == row;
        if (encoded && adjust(g, row, &insn, &args) && accept(g, row, &args)) {
            append(g, row, insn, &args);
            return true;
        }
        saved.rng = g->rng;
        *g = saved;
        g->out->entry.flags = flags;
        if (!saved.poked) {
            g->out->entry.poke_addr = 0;
        }
    }
    return false;
}

static bool room(const Gen *g) {
    return g->out->n_insns < DIFF_INSNS_MAX - 6 && g->offset + 12 + 8 <= g->target->slot_bytes - POOL_BYTES;
}

static void make_insns(Gen *g) {
    unsigned wanted = 1 + rnd(g, 12);
    while ((g->out->n_insns < wanted || g->it_left) && (room(g) || g->it_left)) {
        if (g->arch == DIFF_V7M && !g->it_left && !g->pend && chance(g, 1)) {
            append_faultmask(g);
            continue;
        }
        ArmRow row = (ArmRow)rnd(g, ARM_ROW_COUNT);
        /* What always faults ends its sequence: less of that. */
        bool traps = arm_row_info[row].cls == ARM_CLASS_TRAP && body_of(row)->kind == K_NONE;
        if (diff_row_excluded(g->arch, row) || (traps && chance(g, 75)) ||
            (body_of(row)->kind == K_IT && g->offset + 32 > g->target->slot_bytes - POOL_BYTES)) {
            continue;
        }
        append_random(g, row);
    }
}

/* ---- Fix-ups ---------------------------------------------------------------------------------------------------- */

uint32_t diff_encode_branch(ArmRow row, uint32_t insn, int32_t offset) {
    uint32_t v = (uint32_t)((offset - 4) >> 1);
    switch (row) {
    case ARM_ROW_B_T1:
        return (insn & ~0xffu) | (v & 0xff);
    case ARM_ROW_B_T2:
        return (insn & ~0x7ffu) | (v & 0x7ff);
    case ARM_ROW_CBZ_T1:
    case ARM_ROW_CBNZ_T1:
        return (insn & ~0x2f8u) | (v & 0x1f) << 3 | (v >> 5 & 1) << 9;
    case ARM_ROW_B_T3:
        return (insn & ~0x043f2fffu) | (v & 0x7ff) | (v >> 11 & 0x3f) << 16 | (v >> 17 & 1) << 13 |
               (v >> 18 & 1) << 11 | (v >> 19 & 1) << 26;
    default: {
        uint32_t sign = v >> 23 & 1, j1 = !((v >> 22 & 1) ^ sign), j2 = !((v >> 21 & 1) ^ sign);
        return (insn & ~0x07ff2fffu) | (v & 0x7ff) | (v >> 11 & 0x3ff) << 16 | j2 << 11 | j1 << 13 | sign << 26;
    }
    }
}

/* Offset in the slot of an instruction behind number i, at least `distance` away, or of the end of the sequence. */
static unsigned choose_target(Gen *g, unsigned i, unsigned distance) {
    const DiffSequence *s = g->out;
    unsigned end = g->offset, from = s->insns[i].offset;
    for (unsigned tries = 0; tries < 8; tries++) {
        unsigned j = i + 1 + rnd(g, 4);
        if (j < s->n_insns && !s->insns[j].in_it && !s->insns[j].no_target && s->insns[j].offset >= from + distance) {
            return s->insns[j].offset;
        }
    }
    return end >= from + distance ? end : end + 2;
}

static void fix_branch(Gen *g, unsigned i) {
    DiffInsn *insn = &g->out->insns[i];
    Kind kind = body_of(insn->row)->kind;
    unsigned to = choose_target(g, i, kind == K_CBZ ? 4 : 2);
    if (kind != K_CBZ && chance(g, 10)) {
        to = 0; /* the slot begins with an end, too: backwards */
    }
    insn->insn = diff_encode_branch(insn->row, insn->insn, (int32_t)to - insn->offset);
    ArmArgs args;
    ArmRow row = arm_decode(insn->insn, arm_row_info[insn->row].bits, g->target->features, &args);
    assert(row == insn->row);
    (void)row;
}

static void fix(Gen *g, const Fixup *f) {
    DiffSequence *s = g->out;
    uint32_t target = g->slot_addr + choose_target(g, f->insn, 2);
    uint32_t value = chance(g, 5) ? wild_target(g) : target | !chance(g, 4);
    switch (f->kind) {
    case FIX_BRANCH:
        fix_branch(g, f->insn);
        break;
    case FIX_REGISTER:
        g->regs[f->reg] = value - f->base;
        break;
    case FIX_POOL_WORD:
        memcpy(s->slot + f->pool, &value, 4);
        break;
    case FIX_POKE:
        s->entry.poke_value = value;
        break;
    case FIX_TABLE: {
        uint32_t steps = (target - (g->slot_addr + s->insns[f->insn].offset + 4)) / 2;
        memcpy(s->slot + f->pool, &steps, f->half ? 2 : 1);
        break;
    }
    }
}

static void slot_put16(DiffSequence *s, unsigned offset, uint32_t value) {
    s->slot[offset] = (uint8_t)value;
    s->slot[offset + 1] = (uint8_t)(value >> 8);
}

static void make_slot(Gen *g) {
    enum { SVC_END = 0xdfff };
    DiffSequence *s = g->out;
    for (unsigned i = 0; i < g->target->slot_bytes; i += 4) {
        uint32_t value = random_value(g);
        memcpy(s->slot + i, &value, 4);
    }
    for (unsigned i = 0; i < g->n_fixups; i++) {
        fix(g, &g->fixups[i]);
    }
    slot_put16(s, 0, SVC_END);
    slot_put16(s, 2, SVC_END);
    for (unsigned i = 0; i < s->n_insns; i++) {
        const DiffInsn *insn = &s->insns[i];
        slot_put16(s, insn->offset, insn->bytes == 4 ? insn->insn >> 16 : insn->insn);
        if (insn->bytes == 4) {
            slot_put16(s, insn->offset + 2, insn->insn);
        }
    }
    for (unsigned i = 0; i < 8; i += 2) {
        slot_put16(s, g->offset + i, SVC_END);
    }
}

/* ---- Initial state ---------------------------------------------------------------------------------------------- */

/* A sequence may start in the middle of an IT block. */
static uint32_t initial_it(Gen *g) {
    uint32_t mask = 1 + rnd(g, 15);
    g->it_left = 4 - (unsigned)__builtin_ctz(mask);
    uint32_t state = rnd(g, 14) << 4 | mask;
    return (state >> 2) << 10 | (state & 3) << 25;
}

static void initial_state(Gen *g) {
    enum { STKALIGN = 0x200, UNALIGN_TRP = 8, DIV_0_TRP = 16 };
    static const uint8_t mpu[] = {1, 3, 5, 5, 7};
    DiffEntry *e = &g->out->entry;
    bool v7m = g->arch == DIFF_V7M;
    bool align = !v7m || chance(g, 80);
    for (unsigned i = 0; i < 15; i++) {
        g->regs[i] = random_value(g);
    }
    e->xpsr = (chance(g, 98) ? 0x01000000 : 0) | rnd(g, v7m ? 32 : 16) << (v7m ? 27 : 28);
    bool odd = align && chance(g, 20); /* without STKALIGN the bit counts for QEMU, but not for the manual (B1.5.8) */
    e->xpsr |= odd ? 0x200 : 0;
    if (v7m && chance(g, 6)) {
        e->xpsr |= initial_it(g);
    }
    uint32_t sp = g->target->scratch + DIFF_SP_OFFSET + 8 * rnd(g, 16) + (align ? 0 : 4 * rnd(g, 2));
    e->frame = sp - 32;
    g->regs[SP] = sp | (odd ? 4 : 0);
    e->sp_other = g->target->scratch + 0x340 + 8 * rnd(g, 8);
    e->exc_return = chance(g, 60) ? 0xfffffffd : 0xfffffff9;
    e->flags = (chance(g, 8) ? DIFF_FLAG_PRIMASK : 0) | (chance(g, 4) ? DIFF_FLAG_PEND : 0);
    if (v7m) {
        e->flags |= (chance(g, 15) ? DIFF_FLAG_NPRIV : 0) | (chance(g, 8) ? rnd(g, 256) << 8 : 0) |
                    (uint32_t)(chance(g, 40) ? mpu[rnd(g, sizeof mpu)] : 0) << 16;
        e->ccr = (align ? STKALIGN : 0) | (chance(g, 15) ? UNALIGN_TRP : 0) | (chance(g, 40) ? DIV_0_TRP : 0);
        e->shcsr = (chance(g, 80) ? 7 : rnd(g, 8)) << 16;
    }
}

void diff_generate(DiffArch arch, uint64_t seed, uint64_t index, uint32_t slot_addr, DiffSequence *out) {
    uint64_t key = seed ^ (uint64_t)arch << 60;
    uint64_t mixed = diff_random(&key) ^ index * UINT64_C(0xd1342543de82ef95);
    *out = (DiffSequence){0};
    Gen g = {
        .arch = arch,
        .target = &diff_targets[arch],
        .rng = mixed,
        .out = out,
        .slot_addr = slot_addr,
        .intact = 0x7fff,
        .relied = 1u << SP,
        .offset = DIFF_FIRST_INSN,
        .pool = diff_targets[arch].slot_bytes,
        .event = true,
    };
    initial_state(&g);
    make_insns(&g);
    make_slot(&g);
    DiffEntry *e = &out->entry;
    memcpy(e->r0_3, g.regs, sizeof e->r0_3);
    memcpy(e->r4_11, g.regs + 4, sizeof e->r4_11);
    e->r12 = g.regs[12];
    e->lr = g.regs[LR];
    e->pc = slot_addr + DIFF_FIRST_INSN;
}
