/* Lowering of a block that runs for the first time: one pass over the IR as the guest's rows made it, forward, with
 * nothing known about what comes. So the code is worse than what lower.c makes of a block that has become warm, but it
 * is there in a fraction of the time.
 *
 * A pure op becomes code when somebody needs its value; what nobody needs costs nothing, and the accesses, branches and
 * flag ops that need it see what it is made of. From one instruction to the next a value lives only in a slot of the
 * state: that is where the builder knows it from. A register keeps such a value as long as the slot does, or until the
 * register is needed; what no slot has is forgotten when the next instruction begins.
 *
 * All state is stored when it changes, flags too: where the block is left in its middle nothing has to be made up for.
 * So an access has no slow path of its own. Where the host's memory protection stops one, the engine puts a call over
 * it; the call finds what it is about by its own address (X64Point) and keeps all registers. A POLL is a NOP until the
 * CPU has something to leave for after an access of its instruction; where nothing comes behind the only one, there is
 * none.
 *
 * Registers: rax is scratch, too. Not done here: window memory scheme, notes for it. */
#include "host/x64/quick.h"

#include <string.h>

/* ---- Places ---- */

/* At the instruction that has begun. */
static inline X64Point point_here(const Quick *q, const IrOp *op) {
    return (X64Point){
        .at = asm_offset(&q->hot), .block = q->l.block, .kind = op->op, .type = op->type, .mem = (uint8_t)op->n,
        .pc_offset = (uint16_t)q->insn->a, .begun = (uint8_t)q->n_begun, .base = NO_REG, .data = NO_REG,
    };
}

static inline void add_point(Quick *q, const X64Point *point, uint32_t aux) {
    X64Output *out = q->l.out;
    vec_reserve(&out->points, out->points.len + 2);
    vec_publish(&out->points, *point); /* the fault handler of another thread may be looking */
    if (UNLIKELY(aux)) {
        const X64Point insn = {.at = point->at + 1, .block = q->l.block, .kind = IR_INSN, .disp = (int32_t)aux};
        vec_publish(&out->points, insn);
    }
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

/* ---- Accesses ---- */

static void add_access_stub(Quick *q, const X64Point *point, uint32_t site, uint32_t resume) {
    Stub *stub = add_stub(q, STUB_ACCESS, site);
    stub->aux = q->insn->c;
    stub->point = *point;
    stub->resume = resume;
}

/* A misaligned access never comes back, so behind it all that has the same base is known. */
static bool is_aligned(Quick *q, const IrOp *op, IrVal base, int32_t displacement, unsigned bytes) {
    if (!(op->n & IR_MEM_ALIGNED) || bytes == 1) {
        return true;
    }
    uint8_t *known = &q->l.aligned[base];
    bool multiple = displacement % (int32_t)bytes == 0, aligned = multiple && *known >= bytes;
    if (multiple && *known < bytes) {
        *known = (uint8_t)bytes;
    }
    q->tested = true;
    return aligned;
}

/* True if nobody has needed the value yet, and nobody has to: it is base +- a constant, which the access adds. */
static inline bool is_sum(const Quick *q, IrVal address, int32_t *displacement) {
    const IrOp *op = &q->ops[address];
    if (q->l.reg[address] != NO_REG || (op->op != IR_ADD && op->op != IR_SUB) || op->type != IR_I32 ||
        q->ops[op->b].op != IR_CONST || q->ops[op->a].op == IR_CONST) {
        return false;
    }
    int32_t constant = (int32_t)(op->op == IR_SUB ? 0 - q->ops[op->b].a : q->ops[op->b].a);
    bool small = constant >= -X64_DISPLACEMENT_MAX && constant <= X64_DISPLACEMENT_MAX;
    *displacement = small ? constant : 0;
    return small;
}

/* One instruction: another thread is not in its middle when it is patched. */
static void emit_access(Lower *l, const IrOp *op, const X64Point *point) {
    enum { WORD = 0x66 };
    static const uint32_t loads[2][4] = {{0xb60f, 0xb70f, 0x8b, 0x8b}, {0xbe0f, 0xbf0f, 0x63, 0x8b}};
    static const uint32_t stores[4] = {0x88, 0x89 << 8 | WORD, 0x89, 0x89};
    unsigned size = op->n & IR_MEM_SIZE;
    bool is_store = op->op == IR_STORE, is_signed = op->n & IR_MEM_SIGNED && (size < 2 || op->type == IR_I64);
    bool w = size == 3 || (is_signed && !is_store && op->type == IR_I64);
    asm_short_r15(l->a, is_store ? stores[size] : loads[is_signed][size], w, point->data, point->base, point->disp);
}

static void emit_swapped_access(Lower *l, const IrOp *op, const X64Point *point) {
    Mem at = point->base == NO_REG ? asm_at(R15, point->disp) : asm_indexed(R15, point->base, 0, point->disp);
    at.patched = true;
    lower_emit_access(l, op, at, op->op == IR_STORE ? RCX : (Reg)point->data);
}

static void access_fast(Quick *q, const IrOp *op) {
    Lower *l = &q->l;
    const IrOp *address = &q->ops[op->a];
    X64Point point = point_here(q, op);
    unsigned bytes = lower_access_bits(op) / 8;
    uint32_t misaligned = 0;
    bool folded = address->op == IR_CONST && address->a <= INT32_MAX, swaps = lower_swaps(op), aligned;
    if (folded) {
        point.disp = (int32_t)address->a;
        aligned = !(op->n & IR_MEM_ALIGNED) || address->a % bytes == 0;
    } else {
        IrVal base = is_sum(q, op->a, &point.disp) ? address->a : op->a;
        point.base = (uint8_t)quick_use(l, base);
        aligned = is_aligned(q, op, base, point.disp, bytes);
    }
    point.data = point.result = (uint8_t)(op->op == IR_STORE ? quick_use(l, op->b) : quick_define(l));
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
    add_point(q, &point, q->insn->c);
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
    point.disp = op->op == IR_CALL ? op->n : 0;
    add_point(q, &point, q->insn->c);
    call_thunk(l, op->op == IR_CALL ? l->thunks->point_call : l->thunks->point);
    if (op->op == IR_CALL) { /* which may have changed any state */
        q->learnt = ~UINT64_C(0);
        quick_forget_words(q, ~UINT64_C(0));
    }
    q->must_poll = true;
}

static void access(Quick *q, const IrOp *op) {
    bool is_call = op->op == IR_CALL || op->n & IR_MEM_UNPRIV || ir_result_type(&q->l.ir->ops[op->a]) == IR_I64;
    (is_call ? access_call : access_fast)(q, op);
    q->may_leave = true;
}

/* True if the instruction goes on as an entry of its own need not tell: at aux 0, 2 or 4 bytes behind. */
static bool is_plain_poll(const Quick *q, const IrOp *op) {
    uint32_t bytes = op->a - q->insn->a;
    return op->b == 0 && (bytes == 2 || bytes == 4);
}

/* True if the last point is the only one of the instruction that has begun. */
static bool is_only_access(const Quick *q, const X64Point *last) {
    const X64Point *begin = q->l.out->points.data;
    bool second = last > begin && last[-1].block == last->block && last[-1].begun == last->begun;
    return last->kind != IR_INSN && last->begun == q->n_begun && !second;
}

/* The last point is that of the instruction's access: it tells where the POLL is, if that is as nearly all are. */
static void add_poll(Quick *q, const IrOp *op, X64Point *last, uint32_t at) {
    uint32_t distance = at - last->at;
    bool plain = last->kind != IR_INSN && last->begun == q->n_begun && is_plain_poll(q, op);
    if (LIKELY(plain && distance < X64_POLL_NONE)) {
        last->poll = distance & 0x7f;
        last->long_insn = op->a - q->insn->a == 4;
        return;
    }
    X64Point point = point_here(q, op);
    point.pc_offset = (uint16_t)op->a;
    point.disp = (int32_t)op->b;
    add_point(q, &point, 0);
}

/* Behind the one access of an instruction, with nothing left to do, no POLL is needed: it leaves by itself. */
static void poll(Quick *q, const IrOp *op) {
    Lower *l = &q->l;
    if (!q->may_leave) {
        return;
    }
    X64Point *last = &l->out->points.data[l->out->points.len - 1];
    bool done = asm_offset(l->a) == last->at + X64_ACCESS_BYTES + last->rest, must_poll = q->must_poll;
    q->may_leave = q->must_poll = false;
    if (done && is_only_access(q, last) && is_plain_poll(q, op)) {
        last->poll = X64_POLL_NONE;
        last->long_insn = op->a - q->insn->a == 4;
        return;
    }
    asm_fit(l->a, 0, X64_ACCESS_BYTES);
    add_poll(q, op, last, asm_offset(l->a));
    if (must_poll) {
        call_thunk(l, l->thunks->point);
    } else {
        asm_bytes(l->a, ASM_NOP5, X64_ACCESS_BYTES);
    }
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

/* True if the instruction uses the value again behind the next op. */
static bool is_used_again(const Lower *l, IrVal value) {
    const IrOp *op = &l->ir->ops[l->at + 2], *end = l->ir->ops + l->ir->n_ops;
    while (op < end && op->op != IR_INSN && op->a != value && op->b != value && op->c != value) {
        op++;
    }
    return op < end && op->op != IR_INSN; /* at worst what is equal is no value */
}

/* True if the next op branches on the value of this one, and nobody else uses it. */
static bool next_branches(const Lower *l) {
    const IrOp *next = &l->ir->ops[l->at + 1];
    bool branches = next->op == IR_GOTO_IF || next->op == IR_SKIP || next->op == IR_TRAP_IF;
    return branches && next->a == l->at && !is_used_again(l, l->at);
}

/* If the next op branches it also finds the condition, when it has all else that it needs. */
static void cond(Lower *l, const IrOp *op) {
    if (next_branches(l)) {
        l->ready = l->at;
    } else {
        lower_set_bool(l, host_condition(l, op->a));
        l->sum = IR_NONE;
    }
}

Cc lower_quick_condition(Lower *l, IrVal value) {
    const IrOp *op = &l->ir->ops[value];
    if (value == l->ready) {
        return host_condition(l, op->a);
    }
    l->guest_flags = GUEST_FLAGS_STORED;
    if (l->reg[value] >= REG_COUNT && op->op >= IR_EQ && op->op <= IR_LES) {
        Cc cc = lower_compare(l, op);
        l->sum = IR_NONE;
        return cc;
    }
    Reg reg = quick_use(l, value);
    l->sum = IR_NONE;
    asm_test(l->a, false, reg, reg);
    return CC_NE;
}

/* The host's N and Z of a value of 32 bits. */
static void test_value(Quick *q, IrVal value) {
    Lower *l = &q->l;
    const IrOp *op = &q->ops[value];
    if (l->reg[value] == NO_REG && op->op == IR_AND && q->ops[op->b].op == IR_CONST) { /* maybe only here */
        asm_test_imm(l->a, false, quick_use(l, op->a), (int32_t)q->ops[op->b].a);
        return;
    }
    Reg x = quick_use(l, value); /* which may be made only now */
    if (l->sum != value) {
        asm_test_short(&q->hot, x);
    }
}

static void flags(Quick *q, const IrOp *op) {
    Lower *l = &q->l;
    unsigned mask, live;
    ir_sets_flags(op->op, &mask);
    live = op->n & mask;
    if (op->op == IR_FLAGS_NZ && op->type == IR_I32 && live == mask) {
        test_value(q, op->a);
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

/* ---- Parts that may be skipped ---- */

static void skip(Quick *q, const IrOp *op) {
    Lower *l = &q->l;
    if (q->n_parts == X64_SKIPS_MAX) {
        l->a->full = true;
        return;
    }
    Cc cc = lower_quick_condition(l, op->a); /* what follows changes no flags */
    q->learnt = q->n_parts ? q->learnt : 0;
    q->parts[q->n_parts++] = (Part){.site = asm_jcc(l->a, cc ^ 1), .touched = l->touched};
    l->touched = 0;
}

/* Where both ways meet, a register holds what it has held on both, and a slot what it held before. */
static void label(Quick *q) {
    Lower *l = &q->l;
    if (q->n_parts == 0) { /* its SKIP did not fit */
        return;
    }
    const Part *part = &q->parts[--q->n_parts];
    for (uint32_t touched = l->touched & l->busy; touched; touched &= touched - 1) {
        unsigned reg = (unsigned)__builtin_ctz(touched);
        l->reg[l->held[reg]] = LOST;
        l->held[reg] = IR_NONE;
        l->busy &= ~(1u << reg);
    }
    l->touched |= part->touched;
    quick_forget_words(q, q->learnt);
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
    lower_goto_exit(l, op, leave ? lower_jmp(l) : 0, leave);
}

static void emit_goto_if(Quick *q, const IrOp *op) {
    Lower *l = &q->l;
    Cc cc = lower_quick_condition(l, op->a);
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
static void trap_exit(Quick *q, const IrOp *op, const X64Point *point, uint32_t aux) {
    Lower *l = &q->l;
    X64Site site = {.kind = X64_SITE_TRAP, .number = op->n, .unused = l->ir->n_insns - point->begun,
                    .pc_offset = point->pc_offset, .aux = aux};
    lower_exit_by(l, lower_site(l, site), l->thunks->trap);
}

static void trap(Quick *q, const IrOp *op) {
    X64Point here = point_here(q, op);
    lower_store_value(&q->l, offsetof(Cpu, trap_arg), op->b);
    trap_exit(q, op, &here, q->insn->c);
}

static void trap_if(Quick *q, const IrOp *op) {
    Lower *l = &q->l;
    uint64_t constant;
    bool in_register = op->b != IR_NONE && !lower_is_const(l, op->b, &constant);
    Reg arg = in_register ? lower_use(l, op->b) : NO_REG;
    Cc cc = lower_quick_condition(l, op->a);
    Stub *stub = add_stub(q, STUB_TRAP, asm_jcc(l->a, cc));
    stub->arg = arg;
    stub->aux = q->insn->c;
    stub->point = point_here(q, op);
}

static void emit_stub(Quick *q, Stub *stub) {
    Lower *l = &q->l;
    const IrOp *op = &l->ir->ops[stub->op];
    l->at = stub->op;
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
            lower_forget(l); /* nobody knows here what the registers were at that op */
            lower_store_value(l, offsetof(Cpu, trap_arg), op->b);
        } else {
            asm_store(l->a, 64, lower_cpu(offsetof(Cpu, trap_arg)), stub->arg);
        }
        trap_exit(q, op, &stub->point, stub->aux);
        return;
    }
    stub->point.at = asm_offset(l->a);
    stub->point.rest = 0;
    add_point(q, &stub->point, stub->aux);
    call_thunk(l, l->thunks->point);
    asm_link(l->a, asm_jmp(l->a), stub->resume);
}

/* ---- State ---- */

/* Values that no slot has end with the instruction. */
static inline void begin_insn(Quick *q, const IrOp *op) {
    Lower *l = &q->l;
    if (UNLIKELY(op > q->to_keep)) {
        quick_keep(q);
    }
    q->insn = op;
    q->n_begun++;
    q->n_spilled = 0;
    for (uint32_t fresh = l->fresh & l->busy; fresh; fresh &= fresh - 1) {
        unsigned reg = (unsigned)__builtin_ctz(fresh);
        l->reg[l->held[reg]] = LOST;
        l->held[reg] = IR_NONE;
    }
    l->busy &= ~l->fresh;
    l->fresh = 0;
}

enum { NEAR = 128 };

static void get_any(Quick *q, const IrOp *op) {
    lower_op(&q->l, q->l.at);
    quick_learn_any(q, op->a, q->l.at, op->type);
}

static inline void get(Quick *q, const IrOp *op) {
    if (UNLIKELY(!quick_is_plain_slot(q, op) || op->a >= NEAR)) {
        get_any(q, op);
        return;
    }
    Reg to = quick_define(&q->l);
    asm_load_near(&q->hot, to, (uint8_t)op->a);
    quick_learn(q, op->a, q->l.at, to);
}

static void put_any(Quick *q, const IrOp *op) {
    lower_op(&q->l, q->l.at);
    quick_learn_any(q, op->a, op->b, op->type);
}

static inline void put(Quick *q, const IrOp *op) {
    if (UNLIKELY(!quick_is_plain_slot(q, op) || op->a >= NEAR)) {
        put_any(q, op);
    } else if (q->ops[op->b].op == IR_CONST) {
        asm_store_near_imm(&q->hot, (uint8_t)op->a, q->ops[op->b].a);
        quick_forget_word(q, op->a / 4);
    } else {
        Reg from = quick_use(&q->l, op->b);
        asm_store_near(&q->hot, (uint8_t)op->a, from);
        quick_learn(q, op->a, op->b, from);
    }
}

/* ---- The whole ---- */

/* Before an op: notes it if that is wanted. If there is no room for it the code is given up, and what is still written
 * goes where it has begun. */
static RARE void look_around(Quick *q) {
    lower_note(&q->l, X64_NOTE_OP, q->l.at);
    if (q->hot.end - q->hot.at < OP_BYTES_MAX) {
        q->hot.full = true;
        q->hot.at = q->start;
    }
}

static inline void begin_op(Quick *q, const IrOp *op) {
    q->l.at = (uint32_t)(op - q->ops);
    q->l.pinned = 0;
    if (UNLIKELY(q->hot.at >= q->room_until)) {
        look_around(q);
    }
}

/* Behind an op that is more than a move of state. */
static inline void end_op(Quick *q) {
    q->l.sum = IR_NONE;
    q->l.guest_flags = GUEST_FLAGS_STORED;
}

/* One dispatch for all ops: that is what costs. Pure ones come when they are needed. */
static void quick_ops(Quick *q) {
    for (const IrOp *op = q->ops, *end = op + q->l.ir->n_ops; op < end; op++) {
        switch ((IrOpcode)op->op) {
        case IR_INSN: begin_insn(q, op); break;
        case IR_GET: begin_op(q, op); get(q, op); break;
        case IR_PUT: begin_op(q, op); put(q, op); break;
        case IR_FLAGS_ADD: case IR_FLAGS_SUB: case IR_FLAGS_SBB: case IR_FLAGS_NZ: case IR_FLAGS_C: case IR_FLAGS_V:
        case IR_FLAGS_SET:
            begin_op(q, op);
            flags(q, op);
            break;
        case IR_COND: begin_op(q, op); cond(&q->l, op); break;
        case IR_LOAD: case IR_STORE: case IR_CALL: begin_op(q, op); access(q, op); end_op(q); break;
        case IR_POLL: begin_op(q, op); poll(q, op); end_op(q); break;
        case IR_SKIP: begin_op(q, op); skip(q, op); end_op(q); break;
        case IR_LABEL: begin_op(q, op); label(q); end_op(q); break;
        case IR_TRAP_IF: begin_op(q, op); trap_if(q, op); end_op(q); break;
        case IR_TRAP: begin_op(q, op); trap(q, op); break;
        case IR_GOTO: begin_op(q, op); emit_goto(q, op); break;
        case IR_GOTO_IF: begin_op(q, op); emit_goto_if(q, op); end_op(q); break;
        case IR_GOTO_IND: begin_op(q, op); emit_goto_ind(q, op); break;
        case IR_GOTO_AT: begin_op(q, op); emit_goto_at(q, op); break;
        case IR_GETX: case IR_PUTX: case IR_REFUND: begin_op(q, op); lower_op(&q->l, q->l.at); end_op(q); break;
        default: break;
        }
    }
}

/* All that is known about the block's values: what is 0 at first, then what has all bits set. Of what only lower.c
 * wants to know nothing is true. */
static void make_room(Quick *q) {
    Lower *l = &q->l;
    size_t n = l->ir->n_ops;
    uint8_t *room = arena_alloc_raw(l->arena, 4 * n);
    memset(room, 0, 3 * n);
    memset(room + 3 * n, 0xff, n);
    l->fused = l->after_sum = l->cold = (bool *)room;
    l->eager = room + n;
    l->aligned = room + 2 * n;
    l->reg = room + 3 * n;
}
_Static_assert(NO_REG == 0xff, "all bits set");

/* A block has at most EXEC_BLOCK_INSNS_MAX instructions. */
static inline void pay(Quick *q) {
    if (X64_COUNTS) {
        asm_alu_imm8(&q->hot, ALU_SUB, R14, (int8_t)q->l.ir->n_insns);
    }
}

/* Where the block begins: first what counts its runs until it is warm. */
static uint32_t begin(Quick *q, uint32_t runs) {
    Lower *l = &q->l;
    uint32_t warm = 0;
    lower_note(l, X64_NOTE_ENTRY, IR_NONE);
    if (l->thunks->regions || !X64_COUNTS) { /* else nobody jumps from here; an exit fits over what pays the budget */
        asm_bytes(l->a, ASM_NOP5, X64_ENTRY_BYTES);
    }
    if (runs) {
        uint32_t index = (uint32_t)l->out->heat.len;
        vec_push(&l->out->heat, runs);
        asm_load(l->a, 64, false, true, RCX, lower_cpu(offsetof(Cpu, jit_heat)));
        asm_alu_mem_imm(l->a, ALU_SUB, false, asm_at(RCX, (int32_t)(4 * index)), 1);
        warm = asm_jcc(l->a, CC_E);
    }
    pay(q);
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
    if (code->hot.end - code->hot.at < 2 * OP_BYTES_MAX) {
        return false;
    }
    memset(&q, 0, offsetof(Quick, slot));
    q.hot = code->hot;
    q.room_until = out->noting ? NULL : q.hot.end - OP_BYTES_MAX;
    q.start = q.hot.at;
    q.ops = ir->ops;
    q.to_keep = ir->kept != IR_NONE ? &ir->ops[ir->kept] : ir->ops + ir->n_ops;
    q.l.code = code;
    q.l.a = &q.hot;
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
    make_room(&q);
    quick_block(&q, runs);
    code->hot.at = q.hot.at; /* nothing else: other threads read where the buffer begins */
    code->hot.full = q.hot.full;
    return lower_fitted(code, out, &mark);
}
