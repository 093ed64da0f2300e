/* What the bodies of the decode rows (sem_*.c) share: the instruction in translation, and helpers that build IR. */
#ifndef GUEST_SPARC_TRANSLATOR_H
#define GUEST_SPARC_TRANSLATOR_H

#include "sparc.h"

/** What a control-transfer instruction does to PC and nPC. */
typedef enum SparcTransfer {
    SPARC_FLOW_ON, /* none */
    SPARC_FLOW_SKIP, /* the delay slot is annulled, no branch: BN,a */
    SPARC_FLOW_JUMP, /* the delay slot is annulled, to `target`: BA,a */
    SPARC_FLOW_ALWAYS, /* to `target` behind the delay slot */
    SPARC_FLOW_DYNAMIC, /* to the value `target_value` behind the delay slot */
    SPARC_FLOW_IF, /* if `cond`, to `target` behind the delay slot */
    SPARC_FLOW_IF_ANNUL, /* the same; else the delay slot is annulled */
} SparcTransfer;

struct SparcTranslator {
    IrBuilder *b;
    uint32_t features; /* of the core */
    uint32_t pc, aux; /* of this instruction */
    bool ends_block; /* the block ends behind it */
    SparcTransfer transfer; /* set by the bodies of branches */
    uint32_t target;
    IrVal target_value, cond;
    uint32_t aux_cond; /* SPARC_FLOW_IF: kind and condition of the aux of the delay slot */
    const SparcTranslator *branch; /* this is in the delay slot of that one, and part of its block; or NULL */
    bool returns; /* in the delay slot of a JMPL to `target_value` */
    uint32_t aux_jmpl; /* SPARC_FLOW_DYNAMIC: that aux, or 0: the target must stand in the state */
};

/** Registers; r0 reads as 0 and is not written. */
IrVal sparc_get_reg(SparcTranslator *t, uint32_t r);
void sparc_put_reg(SparcTranslator *t, uint32_t r, IrVal value);
/** The operand src2 of sparc.decode: a number, or a register. */
bool sparc_is_immediate(uint32_t src2);
IrVal sparc_src2(SparcTranslator *t, uint32_t src2);
/** rs1 + src2. */
IrVal sparc_sum(SparcTranslator *t, uint32_t rs1, uint32_t src2);
/** What WR* writes. */
IrVal sparc_written(SparcTranslator *t, uint32_t rs1, uint32_t src2);
/** high:low as i64, and its halves. */
IrVal sparc_join(SparcTranslator *t, IrVal high, IrVal low);
IrVal sparc_high(SparcTranslator *t, IrVal wide);
IrVal sparc_low(SparcTranslator *t, IrVal wide);
/** Raises privileged_instruction in user mode. */
void sparc_require_supervisor(SparcTranslator *t);
/** Raises what forbids floating-point instructions now, unless an earlier instruction of the block has looked. Stores
 * are allowed in more modes. */
void sparc_require_fpu(SparcTranslator *t, bool store);
/** A condition of Bicc and Ticc that is neither always nor never. */
IrVal sparc_icc(SparcTranslator *t, uint32_t cond);

enum { SPARC_COND_NEVER = 0, SPARC_COND_ALWAYS = 8 };

#endif
