/* Lowering of a block that runs for the first time: one pass over the IR as the guest's rows made it, with what the
 * builder knows about its use. Nothing is looked at twice, so the code is worse than what lower.c makes of a block that
 * has become warm, but it is there in a fraction of the time.
 *
 * All state is stored when it changes, flags too: where the block is left in its middle nothing has to be made up for.
 * So an access has no slow path of its own. Where the host's memory protection stops one, the engine puts a call over
 * it; the call finds what it is about by its own address (X64Point) and keeps all registers. A POLL is a NOP until the
 * CPU has something to leave for after an access of its instruction.
 *
 * Registers: rax is scratch, too. Not done here: window memory scheme, notes for it. */
#include "host/x64/lower.h"

#include <string.h>

enum { STUBS_MAX = 64, FREE_IN_PART = 5, POOL_REGS = 10, SAHF_CARRY_SHIFT = 0x7f };

typedef enum StubKind { STUB_GOTO, STUB_TRAP, STUB_ACCESS } StubKind;

/* Code behind the block. */
typedef struct Stub {
    StubKind kind;
    uint32_t op, site; /* displacement of the jump to here */
    uint32_t resume; /* ACCESS */
    Reg arg; /* TRAP: or NO_REG */
    X64Point point; /* TRAP, ACCESS */
} Stub;

/* A part that may be skipped: its SKIP. */
typedef struct Part {
    uint32_t site, reserved;
    uint32_t kept; /* registers whose values live behind the part: nothing else comes into them */
    IrVal held[REG_COUNT]; /* of those */
} Part;

typedef struct Quick {
    Lower l;
    const IrOp *insn; /* the INSN that has begun last */
    uint32_t n_begun;
    bool may_leave; /* it has accessed memory or called out, and no POLL has come */
    bool must_poll; /* and something may have asked to leave without a patch */
    bool tested; /* some address has been tested for alignment */
    unsigned n_parts, n_stubs;
    Part parts[X64_SKIPS_MAX];
    Stub stubs[STUBS_MAX];
} Quick;

/* ---- Places ---- */

/* At the instruction that has begun. */
static X64Point point_here(const Quick *q, const IrOp *op) {
    const Lower *l = &q->l;
    return (X64Point){
        .at = asm_offset(l->a), .block = l->block, .kind = op->op, .type = op->type, .number = op->n,
        .pc_offset = (uint16_t)q->insn->a, .aux = q->insn->c, .unused = (uint8_t)(l->ir->n_insns - q->n_begun),
        .base = NO_REG, .data = NO_REG,
    };
}

static inline void add_point(Quick *q, const X64Point *point) {
    vec_reserve(&q->l.out->points, q->l.out->points.len + 1);
    vec_publish(&q->l.out->points, *point); /* the fault handler of another thread may be looking */
}

static Stub *add_stub(Quick *q, StubKind kind, uint32_t site) {
    if (q->n_stubs == STUBS_MAX) {
        q->l.a->full = true;
        q->n_stubs--;
    }
    Stub *stub = &q->stubs[q->n_stubs++];
    stub->kind = kind;
    stub->op = q->l.at;
    stub->site = site;
    return stub;
}

static void call_thunk(Lower *l, uint32_t thunk) {
    asm_link(l->a, asm_call(l->a), thunk);
}

/* ---- Registers ---- */

static inline Reg use(Lower *l, IrVal value) {
    Reg reg = l->reg[value];
    l->pinned |= reg == NO_REG ? 0 : 1u << reg;
    return LIKELY(reg != NO_REG) ? reg : lower_use(l, value);
}

/* The current op's value is in a register that holds none. */
static inline void hold_free(Lower *l, Reg reg) {
    l->held[reg] = l->at;
    l->reg[l->at] = (uint8_t)reg;
    l->busy |= 1u << reg;
    l->pinned |= 1u << reg;
}

static inline Reg define(Lower *l) {
    Reg reg = lower_take_free(l);
    if (UNLIKELY(reg == NO_REG)) {
        return lower_define(l, l->at);
    }
    hold_free(l, reg);
    return reg;
}

/* ---- Accesses ---- */

static void add_access_stub(Quick *q, const X64Point *point, uint32_t site, uint32_t resume) {
    Stub *stub = add_stub(q, STUB_ACCESS, site);
    stub->point = *point;
    stub->resume = resume;
}

static bool is_aligned(Quick *q, const IrOp *op, unsigned bytes) {
    if (!(op->n & IR_MEM_ALIGNED) || bytes == 1) {
        return true;
    }
    q->tested = true;
    return lower_known_aligned(&q->l, op, bytes);
}

/* One instruction: another thread is not in its middle when it is patched. */
static void emit_access(Lower *l, const IrOp *op, const X64Point *point) {
    enum { WORD = 0x66 };
    static const uint32_t loads[2][4] = {{0xb60f, 0xb70f, 0x8b, 0x8b}, {0xbe0f, 0xbf0f, 0x63, 0x8b}};
    static const uint32_t stores[4] = {0x88, 0x89 << 8 | WORD, 0x89, 0x89};
    unsigned size = op->n & IR_MEM_SIZE;
    bool is_store = op->op == IR_STORE, is_signed = op->n & IR_MEM_SIGNED && (size < 2 || op->type == IR_I64);
    bool w = size == 3 || (is_signed && !is_store && op->type == IR_I64);
    asm_indexed_r15(l->a, is_store ? stores[size] : loads[is_signed][size], w, point->data, point->base, point->disp);
}

static void emit_swapped_access(Lower *l, const IrOp *op, const X64Point *point) {
    Mem at = point->base == NO_REG ? asm_at(R15, point->disp) : asm_indexed(R15, point->base, 0, point->disp);
    at.patched = true;
    lower_emit_access(l, op, at, op->op == IR_STORE ? RCX : (Reg)point->data);
}

static void access_fast(Quick *q, const IrOp *op) {
    Lower *l = &q->l;
    const IrOp *address = &l->ir->ops[op->a];
    X64Point point = point_here(q, op);
    unsigned bytes = lower_access_bits(op) / 8;
    uint32_t misaligned = 0;
    bool folded = address->op == IR_CONST && address->a <= INT32_MAX, swaps = lower_swaps(op);
    bool aligned = address->op == IR_CONST ? address->a % bytes == 0 : is_aligned(q, op, bytes);
    if (folded) {
        point.disp = (int32_t)address->a;
    } else if (l->fused[op->a]) {
        point.base = (uint8_t)use(l, lower_address_base(l, op->a, &point.disp));
    } else {
        point.base = (uint8_t)use(l, op->a);
    }
    point.data = point.result = (uint8_t)(op->op == IR_STORE ? use(l, op->b) : define(l));
    if (!aligned && folded) {
        misaligned = asm_jmp(l->a); /* it traps for sure */
    } else if (!aligned) {
        misaligned = lower_test_alignment(l, point.base, point.disp, bytes);
    }
    if (op->op == IR_STORE && swaps) {
        lower_swap_data(l, op, RCX, point.data);
    }
    asm_fit(l->a, 0, X64_ACCESS_BYTES);
    point.at = asm_offset(l->a);
    (swaps ? emit_swapped_access : emit_access)(l, op, &point);
    point.rest = (uint8_t)(asm_offset(l->a) - point.at - X64_ACCESS_BYTES);
    add_point(q, &point);
    if (misaligned) {
        add_access_stub(q, &point, misaligned, asm_offset(l->a));
    }
}

static Reg use_or_none(Lower *l, IrVal value) {
    return value == IR_NONE ? NO_REG : lower_use(l, value);
}

/* What always is the engine's. */
static void access_call(Quick *q, const IrOp *op) {
    Lower *l = &q->l;
    X64Point point = point_here(q, op);
    point.wide = op->op == IR_CALL || ir_result_type(&l->ir->ops[op->a]) == IR_I64;
    point.base = (uint8_t)use_or_none(l, op->a);
    if (op->op != IR_LOAD) {
        point.data = (uint8_t)use_or_none(l, op->b);
    }
    if (op->op != IR_STORE) {
        point.result = (uint8_t)lower_define(l, l->at);
    }
    point.at = asm_offset(l->a);
    add_point(q, &point);
    call_thunk(l, op->op == IR_CALL ? l->thunks->point_call : l->thunks->point);
    q->must_poll = true;
}

static void access(Quick *q, const IrOp *op) {
    bool is_call = op->op == IR_CALL || op->n & IR_MEM_UNPRIV || ir_result_type(&q->l.ir->ops[op->a]) == IR_I64;
    (is_call ? access_call : access_fast)(q, op);
    q->may_leave = true;
}

static void poll(Quick *q, const IrOp *op) {
    Lower *l = &q->l;
    X64Point point = point_here(q, op);
    asm_fit(l->a, 0, X64_ACCESS_BYTES);
    point.at = asm_offset(l->a);
    point.pc_offset = (uint16_t)op->a;
    point.aux = op->b;
    add_point(q, &point);
    if (q->must_poll) {
        call_thunk(l, l->thunks->point);
    } else {
        asm_bytes(l->a, ASM_NOP5, X64_ACCESS_BYTES);
    }
    q->may_leave = q->must_poll = false;
}

/* ---- Flags and conditions ---- */

static Cc signed_condition(IrCond cond) {
    static const Cc conditions[IR_COND_COUNT] = {
        [IR_COND_EQ] = CC_E, [IR_COND_NE] = CC_NE, [IR_COND_CS] = CC_B, [IR_COND_CC] = CC_AE, [IR_COND_MI] = CC_S,
        [IR_COND_PL] = CC_NS, [IR_COND_VS] = CC_O, [IR_COND_VC] = CC_NO, [IR_COND_HI] = CC_A, [IR_COND_LS] = CC_BE,
        [IR_COND_GE] = CC_GE, [IR_COND_LT] = CC_L, [IR_COND_GT] = CC_G, [IR_COND_LE] = CC_LE,
    };
    return conditions[cond];
}

/* The host's condition for one over the guest's flags. "Higher" is a condition of the host's only for a borrow, "carry
 * set" means the inverse then. */
static Cc host_condition(Lower *l, IrCond cond) {
    if (l->guest_flags == GUEST_FLAGS_STORED) {
        lower_load_flags(l);
    }
    if ((cond == IR_COND_HI || cond == IR_COND_LS) && l->guest_flags == GUEST_FLAGS_CARRY) {
        asm_cmc(l->a);
        l->guest_flags = GUEST_FLAGS_BORROW;
    }
    bool inverted = l->guest_flags == GUEST_FLAGS_BORROW && (cond == IR_COND_CS || cond == IR_COND_CC);
    return signed_condition(cond) ^ inverted;
}

/* True if the next op branches on the value of this one, and nobody else uses it. */
static bool next_branches(const Lower *l) {
    const IrOp *next = &l->ir->ops[l->at + 1];
    bool branches = next->op == IR_GOTO_IF || next->op == IR_SKIP || next->op == IR_TRAP_IF || next->op == IR_SELECT;
    return branches && next->a == l->at && l->last_use[l->at] == l->at + 1 &&
           !(next->op == IR_SELECT && (next->b == l->at || next->c == l->at));
}

static void cond(Lower *l, const IrOp *op) {
    Cc cc = host_condition(l, op->a);
    l->sum = IR_NONE;
    if (next_branches(l)) {
        l->ready = l->at;
        l->ready_cc = cc;
    } else {
        lower_set_bool(l, cc);
    }
}

/* A value that the branch behind this op compares lives on until then, and so does what a sum that waits is made of. */
static void use_at_branch(Lower *l, IrVal value) {
    lower_use_until(l, value, l->at + 1);
    if (l->late[value]) {
        lower_use_until(l, l->ir->ops[value].a, l->at + 1);
    }
}

/* Comparisons are done by the branch that follows them. */
static void comparison(Lower *l, const IrOp *op) {
    if (!next_branches(l)) {
        lower_pure(l, op);
        return;
    }
    l->fused[l->at] = true;
    use_at_branch(l, op->a);
    use_at_branch(l, op->b);
}

static void flags(Lower *l, const IrOp *op) {
    unsigned mask, live;
    ir_sets_flags(op->op, &mask);
    live = op->n & mask;
    if (op->op == IR_FLAGS_NZ && op->type == IR_I32 && live == mask) {
        if (l->sum != op->a || l->ir->ops[op->a].type != IR_I32) {
            Reg x = use(l, op->a);
            asm_test_short(l->a, x);
        }
        asm_lahf_merge16_near(l->a, (uint8_t)X64_PACKED_FLAGS, X64_PACKED_N | X64_PACKED_Z);
        l->sum = IR_NONE;
        l->guest_flags = GUEST_FLAGS_STORED;
        return;
    }
    bool sum = op->op == IR_FLAGS_ADD || op->op == IR_FLAGS_SUB || op->op == IR_FLAGS_SBB;
    l->eager[l->at] = (uint8_t)live;
    lower_flags(l, op);
    l->guest_flags = sum && live == 0xf ? GUEST_FLAGS_CARRY : GUEST_FLAGS_STORED;
}

/* ---- Sums that can wait ---- */

/* True if the flags of this sum come soon: then it is computed for them, too. */
static bool flags_follow(const Lower *l, const IrOp *op) {
    enum { NEAR = 4 };
    for (uint32_t i = l->at + 1; i <= l->at + NEAR && i < l->ir->n_ops; i++) {
        const IrOp *next = &l->ir->ops[i];
        if (next->op == IR_FLAGS_ADD || next->op == IR_FLAGS_SUB || next->op == IR_FLAGS_SBB) {
            return next->a == op->a && next->b == op->b;
        }
        if (next->op == IR_FLAGS_NZ) {
            return next->a == l->at;
        }
    }
    return false;
}

/* base +- constant is computed by the accesses that use it, or when something else does. */
static bool can_wait(Lower *l, const IrOp *op) {
    const IrOp *y = &l->ir->ops[op->b];
    int32_t displacement;
    if (y->op != IR_CONST || !lower_is_displaced(l, l->at, &displacement) || l->late[op->a] || flags_follow(l, op)) {
        return false;
    }
    l->fused[l->at] = true;
    l->late[l->at] = X64_ALWAYS_LATE;
    lower_use_until(l, op->a, l->last_use[l->at]);
    return true;
}

/* ---- Parts that may be skipped ---- */

static void skip(Quick *q, const IrOp *op) {
    Lower *l = &q->l;
    if (q->n_parts == X64_SKIPS_MAX) {
        l->a->full = true;
        return;
    }
    Cc cc = lower_condition(l, op->a); /* what follows changes no flags */
    Part *part = &q->parts[q->n_parts++];
    part->reserved = l->reserved;
    part->kept = 0;
    for (uint32_t busy = l->busy; busy; busy &= busy - 1) {
        unsigned reg = (unsigned)__builtin_ctz(busy);
        if (l->last_use[l->held[reg]] > l->at) {
            part->kept |= 1u << reg;
            part->held[reg] = l->held[reg];
        }
    }
    if (__builtin_popcount(part->kept) > POOL_REGS - FREE_IN_PART) {
        l->a->full |= q->n_parts > 1; /* what is spilled inside of a part is not spilled behind it */
        lower_spill_all(l);
        lower_forget(l);
        part->kept = 0;
    }
    part->site = asm_jcc(l->a, cc ^ 1);
    l->reserved |= part->kept;
}

static void label(Quick *q) {
    Lower *l = &q->l;
    if (q->n_parts == 0) { /* its SKIP did not fit */
        return;
    }
    const Part *part = &q->parts[--q->n_parts];
    l->reserved = part->reserved;
    lower_forget(l);
    for (uint32_t kept = part->kept; kept; kept &= kept - 1) {
        unsigned reg = (unsigned)__builtin_ctz(kept);
        lower_hold(l, (Reg)reg, part->held[reg]);
    }
    asm_link(l->a, part->site, asm_offset(l->a));
    if (q->tested) { /* the tests may have been skipped */
        memset(l->aligned, 0, l->ir->n_ops);
        q->tested = false;
    }
}

/* ---- Ends ---- */

/* Out of a block whose last instruction has accessed memory: not to the next one if there is something to leave for. */
static void look_before_leaving(Quick *q, uint32_t *leave) {
    Lower *l = &q->l;
    *leave = 0;
    if (q->may_leave) {
        asm_cmp_mem8_imm(l->a, lower_cpu(offsetof(Cpu, leave)), 0);
        *leave = asm_jcc(l->a, CC_NE);
    }
}

static void emit_goto(Quick *q, const IrOp *op) {
    Lower *l = &q->l;
    uint32_t leave;
    look_before_leaving(q, &leave);
    lower_goto_exit(l, op, lower_jmp(l), leave);
}

static void emit_goto_if(Quick *q, const IrOp *op) {
    Lower *l = &q->l;
    Cc cc = lower_condition(l, op->a);
    add_stub(q, STUB_GOTO, q->may_leave ? asm_jcc(l->a, cc) : lower_jcc(l, cc));
}

static void emit_goto_ind(Quick *q, const IrOp *op) {
    Lower *l = &q->l;
    uint32_t leave, noting = 0, site = (uint32_t)l->out->sites.len;
    asm_mov(l->a, true, RAX, lower_use(l, op->a));
    asm_mov_imm(l->a, RDX, site);
    look_before_leaving(q, &leave);
    if (op->c == 0) { /* in the table; the first ones are noted by the engine, as in lower_goto */
        noting = lower_jmp(l);
        asm_link(l->a, asm_jmp(l->a), l->thunks->indirect);
        asm_link(l->a, noting, asm_offset(l->a));
    }
    if (leave) {
        asm_link(l->a, leave, asm_offset(l->a));
    }
    lower_site(l, (X64Site){.kind = X64_SITE_INDIRECT, .aux = op->c, .patch = noting});
    asm_link(l->a, asm_jmp(l->a), l->thunks->indirect_miss);
}

static void emit_goto_at(Quick *q, const IrOp *op) {
    Lower *l = &q->l;
    uint32_t leave;
    lower_goto_at(l, op);
    look_before_leaving(q, &leave);
    asm_link(l->a, asm_jmp(l->a), l->thunks->indirect_at);
    if (leave) {
        asm_link(l->a, leave, l->thunks->indirect_at_miss);
    }
}

/* The trap's argument is where it belongs. */
static void trap_exit(Quick *q, const X64Point *point) {
    Lower *l = &q->l;
    X64Site site = {.kind = X64_SITE_TRAP, .number = point->number, .unused = point->unused,
                    .pc_offset = point->pc_offset, .aux = point->aux};
    lower_exit_by(l, lower_site(l, site), l->thunks->trap);
}

static void trap(Quick *q, const IrOp *op) {
    X64Point here = point_here(q, op);
    lower_store_value(&q->l, offsetof(Cpu, trap_arg), op->b);
    trap_exit(q, &here);
}

static void trap_if(Quick *q, const IrOp *op) {
    Lower *l = &q->l;
    uint64_t constant;
    bool in_register = op->b != IR_NONE && !lower_is_const(l, op->b, &constant);
    Reg arg = in_register ? lower_use(l, op->b) : NO_REG;
    Cc cc = lower_condition(l, op->a);
    Stub *stub = add_stub(q, STUB_TRAP, asm_jcc(l->a, cc));
    stub->arg = arg;
    stub->point = point_here(q, op);
}

static void emit_stub(Quick *q, Stub *stub) {
    Lower *l = &q->l;
    const IrOp *op = &l->ir->ops[stub->op];
    l->at = stub->op;
    lower_forget(l); /* nobody knows here what the registers were at that op */
    lower_note(l, X64_NOTE_SLOW, stub->op);
    if (stub->kind == STUB_GOTO) {
        uint32_t leave = 0, jump = stub->site;
        if (q->may_leave) {
            asm_link(l->a, stub->site, asm_offset(l->a));
            look_before_leaving(q, &leave);
            jump = lower_jmp(l);
        }
        lower_goto_exit(l, op, jump, leave);
        return;
    }
    asm_link(l->a, stub->site, asm_offset(l->a));
    if (stub->kind == STUB_TRAP) {
        if (stub->arg == NO_REG) {
            lower_store_value(l, offsetof(Cpu, trap_arg), op->b);
        } else {
            asm_store(l->a, 64, lower_cpu(offsetof(Cpu, trap_arg)), stub->arg);
        }
        trap_exit(q, &stub->point);
        return;
    }
    stub->point.at = asm_offset(l->a);
    stub->point.rest = 0;
    add_point(q, &stub->point);
    call_thunk(l, l->thunks->point);
    asm_link(l->a, asm_jmp(l->a), stub->resume);
}

/* ---- What most ops are, of 32 bits ---- */

/* A register for the result, with the first operand in it. */
static inline Reg define_copy(Lower *l, IrVal source) {
    Reg from = l->reg[source];
    if (from == NO_REG && l->ir->ops[source].op == IR_CONST) {
        return lower_define_copy(l, l->at, source);
    }
    from = use(l, source);
    if (l->last_use[source] == l->at) {
        l->reg[source] = NO_REG;
        hold_free(l, from);
        return from;
    }
    Reg reg = define(l);
    asm_mov_short(l->a, reg, from);
    return reg;
}

static inline void short_alu(Lower *l, const IrOp *op, Alu how) {
    const IrOp *y = &l->ir->ops[op->b];
    if (y->op == IR_CONST) {
        int32_t imm = (int32_t)y->a;
        Reg reg = define_copy(l, op->a);
        bool small = imm == (int8_t)imm;
        asm_short(l->a, small ? 0x83 : 0x81, how, reg, 0xc0, (uint32_t)imm, small ? 1 : 4);
    } else {
        Reg right = use(l, op->b);
        asm_alu_short(l->a, how, define_copy(l, op->a), right);
    }
    l->sum = l->at;
    l->guest_flags = GUEST_FLAGS_STORED;
}

/* Any other op; flags are what they were only behind some. */
static void other_op(Lower *l, const IrOp *op) {
    lower_op(l, l->at);
    l->guest_flags = op->op == IR_PUT || op->op == IR_GET ? l->guest_flags : GUEST_FLAGS_STORED;
}

/* Multiplication of two values. */
static void multiply(Lower *l, const IrOp *op) {
    if (op->type != IR_I32 || l->ir->ops[op->b].op == IR_CONST) {
        other_op(l, op);
        return;
    }
    Reg right = use(l, op->b);
    asm_imul_short(l->a, define_copy(l, op->a), right);
    l->sum = IR_NONE;
    l->guest_flags = GUEST_FLAGS_STORED;
}

static bool short_shift(Lower *l, const IrOp *op, Shift how) {
    const IrOp *n = &l->ir->ops[op->b];
    if (n->op == IR_CONST) {
        asm_shift_short(l->a, how, define_copy(l, op->a), n->a & 31);
        l->sum = IR_NONE;
        l->guest_flags = GUEST_FLAGS_STORED;
    }
    return n->op == IR_CONST;
}

enum { NEAR = 128 };

static inline bool is_near(const IrOp *op) {
    return op->a < NEAR && op->type == IR_I32;
}

static void short_put(Lower *l, const IrOp *op) {
    if (l->ir->ops[op->b].op == IR_CONST) {
        asm_store_near_imm(l->a, (uint8_t)op->a, l->ir->ops[op->b].a);
    } else {
        asm_store_near(l->a, (uint8_t)op->a, use(l, op->b));
    }
}

/* ---- The whole ---- */

/* Which of the host's operations an op is. */
static const uint8_t alu_of[IR_OPCODE_COUNT] = {
    [IR_ADD] = ALU_ADD, [IR_SUB] = ALU_SUB, [IR_AND] = ALU_AND, [IR_OR] = ALU_OR, [IR_XOR] = ALU_XOR,
};
static const uint8_t shift_of[IR_OPCODE_COUNT] = {
    [IR_SHL] = SHIFT_SHL, [IR_SHR] = SHIFT_SHR, [IR_SAR] = SHIFT_SAR, [IR_ROR] = SHIFT_ROR,
};

static void alu(Lower *l, const IrOp *op) {
    if (op->type != IR_I32) {
        other_op(l, op);
    } else if ((op->op != IR_ADD && op->op != IR_SUB) || !can_wait(l, op)) {
        short_alu(l, op, alu_of[op->op]);
    }
}

static void shift(Lower *l, const IrOp *op) {
    if (op->type != IR_I32 || !short_shift(l, op, shift_of[op->op])) {
        other_op(l, op);
    }
}

/* An op that is no value's, or a value's that somebody uses. One dispatch for all: that is what costs. */
static void quick_op(Quick *q, const IrOp *op) {
    Lower *l = &q->l;
    switch (op->op) {
    case IR_INSN:
        q->insn = op;
        q->n_begun++;
        return;
    case IR_NOP: case IR_CONST:
        return;
    case IR_GET:
        if (is_near(op)) {
            asm_load_near(l->a, define(l), (uint8_t)op->a);
        } else {
            other_op(l, op);
        }
        return;
    case IR_PUT:
        if (is_near(op)) {
            short_put(l, op);
        } else {
            other_op(l, op);
        }
        return;
    case IR_ADD: case IR_SUB: case IR_AND: case IR_OR: case IR_XOR: alu(l, op); return;
    case IR_SHL: case IR_SHR: case IR_SAR: case IR_ROR: shift(l, op); return;
    case IR_MUL: multiply(l, op); return;
    case IR_FLAGS_ADD: case IR_FLAGS_SUB: case IR_FLAGS_SBB: case IR_FLAGS_NZ: case IR_FLAGS_C: case IR_FLAGS_V:
    case IR_FLAGS_SET:
        flags(l, op);
        return;
    case IR_COND: cond(l, op); return;
    case IR_LOAD: case IR_STORE: case IR_CALL: access(q, op); break;
    case IR_POLL: poll(q, op); break;
    case IR_SKIP: skip(q, op); break;
    case IR_LABEL: label(q); break;
    case IR_TRAP_IF: trap_if(q, op); break;
    case IR_TRAP: trap(q, op); break;
    case IR_GOTO: emit_goto(q, op); break;
    case IR_GOTO_IF: emit_goto_if(q, op); break;
    case IR_GOTO_IND: emit_goto_ind(q, op); break;
    case IR_GOTO_AT: emit_goto_at(q, op); break;
    case IR_EQ: case IR_NE: case IR_LTU: case IR_LEU: case IR_LTS: case IR_LES: comparison(l, op); break;
    default:
        other_op(l, op);
        return;
    }
    l->sum = IR_NONE;
    l->guest_flags = GUEST_FLAGS_STORED;
}

static void quick_ops(Quick *q) {
    Lower *l = &q->l;
    const IrOp *ops = l->ir->ops;
    const uint32_t *uses = l->ir->uses, n_ops = l->ir->n_ops;
    for (uint32_t i = 0; i < n_ops; i++) {
        if (!ir_is_used(uses[i])) {
            continue;
        }
        l->at = i;
        l->pinned = 0;
        lower_note(l, X64_NOTE_OP, i);
        quick_op(q, &ops[i]);
    }
}

/* All that is known about the block's values: what is 0 at first, then what has all bits set. */
static void make_room(Lower *l) {
    size_t n = (l->ir->n_ops + 3) & ~(size_t)3, n_zero = 11 * n, n_ones = 5 * n;
    uint8_t *room = arena_alloc_raw(l->arena, n_zero + n_ones);
    memset(room, 0, n_zero);
    memset(room + n_zero, 0xff, n_ones);
    l->last_use = l->ir->last_use;
    l->late = (uint32_t *)(void *)room;
    l->spill = (uint16_t *)(void *)(room + 4 * n);
    l->fused = (bool *)(room + 6 * n);
    l->after_sum = (bool *)(room + 7 * n);
    l->cold = (bool *)(room + 8 * n);
    l->aligned = room + 9 * n;
    l->eager = room + 10 * n;
    l->spilled_at = (uint32_t *)(void *)(room + n_zero);
    l->reg = room + n_zero + 4 * n;
}
_Static_assert(NO_REG == 0xff, "all bits set");

/* Where the block begins: first what counts its runs until it is warm. */
static uint32_t begin(Quick *q, uint32_t runs) {
    Lower *l = &q->l;
    uint32_t warm = 0;
    lower_note(l, X64_NOTE_ENTRY, IR_NONE);
    asm_bytes(l->a, ASM_NOP5, X64_ENTRY_BYTES);
    if (runs) {
        uint32_t index = (uint32_t)l->out->heat.len;
        vec_push(&l->out->heat, runs);
        asm_load(l->a, 64, false, true, RCX, lower_cpu(offsetof(Cpu, jit_heat)));
        asm_alu_mem_imm(l->a, ALU_SUB, false, asm_at(RCX, (int32_t)(4 * index)), 1);
        warm = asm_jcc(l->a, CC_E);
    }
    lower_budget(l->a, ALU_SUB, l->ir->n_insns);
    return warm;
}

static void quick_block(Quick *q, uint32_t runs) {
    Lower *l = &q->l;
    uint32_t warm = begin(q, runs), over = X64_COUNTS ? asm_jcc(l->a, CC_B) : 0;
    quick_ops(q);
    for (unsigned i = 0; i < q->n_stubs; i++) {
        emit_stub(q, &q->stubs[i]);
    }
    lower_note(l, X64_NOTE_BUDGET, IR_NONE);
    if (over) {
        asm_link(l->a, over, asm_offset(l->a));
    }
    lower_budget(l->a, ALU_ADD, l->ir->n_insns);
    lower_exit(l, X64_EXIT_BUDGET + l->block);
    if (warm) {
        asm_link(l->a, warm, asm_offset(l->a));
        lower_exit(l, X64_EXIT_WARM + l->block);
    }
}

bool x64_lower_quick(X64Code *code, const IrBlock *ir, uint32_t block, uint32_t runs, const X64Thunks *thunks,
                     X64Output *out, Arena *scratch) {
    Quick q;
    Mark mark = lower_mark(code, out);
    memset(&q, 0, offsetof(Quick, parts));
    q.l.code = code;
    q.l.a = &code->hot;
    q.l.ir = ir;
    q.l.thunks = thunks;
    q.l.out = out;
    q.l.block = block;
    q.l.cost = ir->n_insns;
    q.l.arena = scratch;
    q.l.late_check = q.l.sum = q.l.cold_for = q.l.ready = IR_NONE;
    q.l.reserved = 1u << RAX;
    q.l.quick = true;
    memset(q.l.held, 0xff, sizeof q.l.held);
    memset(q.l.alias, 0xff, sizeof q.l.alias);
    make_room(&q.l);
    quick_block(&q, runs);
    return lower_fitted(code, out, &mark);
}
