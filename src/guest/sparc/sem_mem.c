/* Loads and stores: SPARC V8 B.1 to B.8, CASA (GRIP, LEON3, "Compare and swap instruction"), FLUSH (B.32).
 *
 * LDD and STD are one access of eight bytes. Alternate spaces go through helpers, but for the ordinary data spaces;
 * atomic instructions cannot be interrupted, and one thread runs all cores of a node. CASA does not store when it does
 * not swap. */
#include "translator.h"

enum { ASI_USER_DATA = 0x0a, ASI_SUPERVISOR_DATA = 0x0b };
enum { ACCESS = IR_MEM_BIG | IR_MEM_ALIGNED, WORD = IR_MEM_32 | ACCESS, DOUBLE = IR_MEM_64 | ACCESS };

/* A register pair; rd is even. */
static void put_pair(SparcTranslator *t, uint32_t rd, IrVal wide) {
    sparc_put_reg(t, rd, sparc_high(t, wide));
    sparc_put_reg(t, rd + 1, sparc_low(t, wide));
}

static IrVal get_pair(SparcTranslator *t, uint32_t rd) {
    IrVal high = sparc_get_reg(t, rd);
    return sparc_join(t, high, sparc_get_reg(t, rd + 1));
}

/* ---- Integer ---- */

void sparc_sem_load(SparcTranslator *t, const SparcArgs_load *a) {
    IrVal address = sparc_sum(t, a->rs1, a->src2);
    sparc_put_reg(t, a->rd, ir_load(t->b, IR_I32, a->mem | ACCESS, address));
}

void sparc_sem_ldd(SparcTranslator *t, const SparcArgs_ldd *a) {
    IrVal address = sparc_sum(t, a->rs1, a->src2);
    put_pair(t, a->rd, ir_load(t->b, IR_I64, DOUBLE, address));
}

void sparc_sem_store(SparcTranslator *t, const SparcArgs_store *a) {
    IrVal address = sparc_sum(t, a->rs1, a->src2);
    ir_store(t->b, a->mem | ACCESS, address, sparc_get_reg(t, a->rd));
}

void sparc_sem_std(SparcTranslator *t, const SparcArgs_std *a) {
    IrVal address = sparc_sum(t, a->rs1, a->src2);
    ir_store(t->b, DOUBLE, address, get_pair(t, a->rd));
}

/* ---- Atomic ---- */

static void ldstub(SparcTranslator *t, uint32_t rd, IrVal address) {
    IrVal before = ir_load(t->b, IR_I32, IR_MEM_8, address);
    ir_store(t->b, IR_MEM_8, address, ir_i32(t->b, 0xff));
    sparc_put_reg(t, rd, before);
}

static void swap(SparcTranslator *t, uint32_t rd, IrVal address) {
    IrVal before = ir_load(t->b, IR_I32, WORD, address);
    ir_store(t->b, WORD, address, sparc_get_reg(t, rd));
    sparc_put_reg(t, rd, before);
}

void sparc_sem_ldstub(SparcTranslator *t, const SparcArgs_ldstub *a) {
    ldstub(t, a->rd, sparc_sum(t, a->rs1, a->src2));
}

void sparc_sem_swap(SparcTranslator *t, const SparcArgs_swap *a) {
    swap(t, a->rd, sparc_sum(t, a->rs1, a->src2));
}

/* ---- Alternate spaces ---- */

static bool ordinary(uint32_t asi) {
    return asi == ASI_USER_DATA || asi == ASI_SUPERVISOR_DATA;
}

/* address | asi << 32 | mem << 40, as the helpers take it. */
static IrVal in_space(SparcTranslator *t, IrVal address, uint32_t asi, uint32_t mem) {
    IrVal wide = ir_op1(t->b, IR_ZEXT32, address);
    return ir_op2i(t->b, IR_OR, wide, (uint64_t)asi << 32 | (uint64_t)mem << 40);
}

static IrVal load_space(SparcTranslator *t, IrVal address, uint32_t asi, uint32_t mem) {
    IrType type = (mem & IR_MEM_SIZE) == IR_MEM_64 ? IR_I64 : IR_I32;
    if (ordinary(asi)) {
        return ir_load(t->b, type, mem | ACCESS, address);
    }
    IrVal value = ir_call(t->b, SPARC_HELPER_LOAD_ASI, in_space(t, address, asi, mem | ACCESS), IR_NONE);
    return type == IR_I64 ? value : sparc_low(t, value);
}

static void store_space(SparcTranslator *t, IrVal address, uint32_t asi, uint32_t mem, IrVal value) {
    if (ordinary(asi)) {
        ir_store(t->b, mem | ACCESS, address, value);
    } else {
        ir_call(t->b, SPARC_HELPER_STORE_ASI, in_space(t, address, asi, mem | ACCESS), value);
    }
}

static IrVal space_address(SparcTranslator *t, uint32_t rs1, uint32_t rs2) {
    sparc_require_supervisor(t);
    return sparc_sum(t, rs1, rs2);
}

void sparc_sem_loada(SparcTranslator *t, const SparcArgs_loada *a) {
    IrVal value = load_space(t, space_address(t, a->rs1, a->rs2), a->asi, a->mem);
    if (a->mem == IR_MEM_64) {
        put_pair(t, a->rd, value);
    } else {
        sparc_put_reg(t, a->rd, value);
    }
    t->ends_block = !ordinary(a->asi);
}

void sparc_sem_storea(SparcTranslator *t, const SparcArgs_storea *a) {
    IrVal address = space_address(t, a->rs1, a->rs2);
    IrVal value = a->mem == IR_MEM_64 ? get_pair(t, a->rd) : sparc_get_reg(t, a->rd);
    store_space(t, address, a->asi, a->mem, value);
    t->ends_block = !ordinary(a->asi); /* caches and MMU change what comes next */
}

void sparc_sem_ldstuba(SparcTranslator *t, const SparcArgs_ldstuba *a) {
    IrVal address = space_address(t, a->rs1, a->rs2), before = load_space(t, address, a->asi, IR_MEM_8);
    store_space(t, address, a->asi, IR_MEM_8, ir_i32(t->b, 0xff));
    sparc_put_reg(t, a->rd, before);
    t->ends_block = !ordinary(a->asi);
}

void sparc_sem_swapa(SparcTranslator *t, const SparcArgs_swapa *a) {
    IrVal address = space_address(t, a->rs1, a->rs2), before = load_space(t, address, a->asi, IR_MEM_32);
    store_space(t, address, a->asi, IR_MEM_32, sparc_get_reg(t, a->rd));
    sparc_put_reg(t, a->rd, before);
    t->ends_block = !ordinary(a->asi);
}

/* With the user data space it is not privileged. */
void sparc_sem_casa(SparcTranslator *t, const SparcArgs_casa *a) {
    if (a->asi != ASI_USER_DATA) {
        sparc_require_supervisor(t);
    }
    IrVal address = sparc_get_reg(t, a->rs1), wanted = sparc_get_reg(t, a->rs2), swapped = sparc_get_reg(t, a->rd);
    IrVal before = load_space(t, address, a->asi, IR_MEM_32);
    IrVal skip = ir_skip_unless(t->b, ir_op2(t->b, IR_EQ, before, wanted));
    store_space(t, address, a->asi, IR_MEM_32, swapped);
    ir_label(t->b, skip);
    sparc_put_reg(t, a->rd, before);
    t->ends_block = !ordinary(a->asi);
}

/* ---- FLUSH ---- */

/* Stores are seen by the next fetch anyway (DESIGN, "Self-modifying code"). */
void sparc_sem_flush(SparcTranslator *t, const SparcArgs_flush *a) {
    (void)t;
    (void)a;
}
