/* Lowering of a block that runs for the first time: op by op while the guest's rows make them, with nothing known about
 * what comes. So the code is worse than what lower.c makes of a block that has become warm, but it is there in a
 * fraction of the time.
 *
 * A pure op or a GET becomes code when somebody needs its value; what nobody needs costs nothing, and the accesses,
 * branches and flag ops that need it see what it is made of. Before a slot changes, a GET of it that nobody has used is
 * made; one that has been used straight from the slot is given up, since guests seldom use what they overwrite: the
 * block is for lower.c if they do. From one instruction to the next a value lives only in a slot of the state: that is
 * where the builder knows it from. A register keeps such a value as long as the slot does, or until the register is
 * needed; what no slot has loses its register when the next instruction begins.
 *
 * A COND becomes code when the value is needed, or the flags change; a branch on it takes the flags as they are.
 *
 * All state is stored when it changes, flags too: where the block is left in its middle nothing has to be made up for.
 * So an access has no slow path of its own. Where the host's memory protection stops one, the engine puts a call over
 * it; the call finds what it is about by its own address (X64Point) and keeps all registers. A POLL is a NOP until the
 * CPU has something to leave for after an access of its instruction; where nothing comes behind the only one, there is
 * none.
 *
 * Registers: rax is scratch, too. Not done here: window memory scheme, notes for it. */
#include "host/x64/quick.h"

/* ---- Places ---- */

/* Before an op: notes it if that is wanted. If there is no room for it the code is given up, and what is still written
 * goes where it has begun. */
static RARE void look_around(Quick *q) {
    lower_note(&q->l, X64_NOTE_OP, q->l.at);
    if (q->hot.end - q->hot.at < OP_BYTES_MAX) {
        q->hot.full = true;
        q->hot.at = q->start;
    }
}

static inline Quick *quick_of(IrSink *sink) {
    return CONTAINER_OF(sink, Quick, sink);
}

static inline Quick *begin_op(IrSink *sink, const IrOp *op) {
    Quick *q = quick_of(sink);
    q->l.at = (uint32_t)(op - q->ops);
    q->l.pinned = 0;
    if (UNLIKELY(q->hot.at >= q->room_until)) {
        look_around(q);
    }
    return q;
}

/* Behind an op that is more than a move of state. */
static inline void end_op(Quick *q) {
    q->l.sum = IR_NONE;
    q->l.guest_flags = GUEST_FLAGS_STORED;
}

/* At the instruction that has begun. */
static inline X64Point point_here(const Quick *q, const IrOp *op) {
    return (X64Point){
        .at = asm_offset(&q->hot), .block = q->l.block, .kind = op->op, .type = op->type, .mem = (uint8_t)op->n,
        .pc_offset = (uint16_t)q->insn->a, .begun = (uint8_t)q->b->n_insns, .base = NO_REG, .data = NO_REG,
    };
}

/* Where the next point stands. The fault handler of another thread looks there only when the block is complete. */
static inline X64Point *next_point(Quick *q) {
    X64Output *out = q->l.out;
    vec_reserve(&out->points, q->n_points + 2);
    return &out->points.data[q->n_points];
}

/* The next point is complete. */
static inline void add_point(Quick *q, uint32_t aux) {
    X64Point *points = q->l.out->points.data, *point = &points[q->n_points++];
    if (UNLIKELY(aux)) {
        points[q->n_points++] =
            (X64Point){.at = point->at + 1, .block = q->l.block, .kind = IR_INSN, .disp = (int32_t)aux};
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

void quick_condition(Quick *q, IrVal value) {
    Lower *l = &q->l;
    if (value == l->ready) {
        l->ready = IR_NONE;
    } else if (q->flags_set > value) { /* a branch has had it, and now it is too late: the block is for lower.c */
        q->hot.full = true;
    }
    lower_set_bool(l, host_condition(l, q->ops[value].a));
    l->sum = IR_NONE;
}

/* The flags will change: the last condition becomes a value unless somebody has used it as one. */
static inline void settle_condition(Quick *q) {
    if (q->l.ready != IR_NONE) {
        lower_quick_make(&q->l, q->l.ready);
    }
    if (UNLIKELY(q->branched != IR_NONE)) {
        if (q->n_parts == 0) { /* else it would be lost behind the part */
            quick_use(&q->l, q->branched);
        }
        q->branched = IR_NONE;
    }
}

/* If it is a branch that comes next it has all that it needs in the flags; so this waits for who needs the value. */
static void take_cond(IrSink *sink, const IrOp *op) {
    Quick *q = begin_op(sink, op);
    settle_condition(q);
    q->l.ready = q->l.at;
}

Cc lower_quick_condition(Lower *l, IrVal value) {
    const IrOp *op = &l->ir->ops[value];
    if (value == l->ready) {
        ((Quick *)l)->branched = value;
        l->ready = IR_NONE;
        return host_condition(l, op->a);
    }
    l->guest_flags = GUEST_FLAGS_STORED;
    if (!quick_is_held(l, value, l->reg[value]) && op->op >= IR_EQ && op->op <= IR_LES) {
        Cc cc = lower_compare(l, op);
        l->sum = IR_NONE;
        return cc;
    }
    Reg reg = quick_use(l, value);
    l->sum = IR_NONE;
    asm_test(l->a, false, reg, reg);
    return CC_NE;
}

static inline Quick *begin_flags(IrSink *sink, const IrOp *op) {
    Quick *q = begin_op(sink, op);
    settle_condition(q);
    q->flags_set = q->l.at;
    q->eager[q->l.at] = ir_flags_set[op->op];
    return q;
}

static void take_flags(IrSink *sink, const IrOp *op) {
    Quick *q = begin_flags(sink, op);
    lower_flags(&q->l, op);
    q->l.guest_flags = GUEST_FLAGS_STORED;
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

static void take_flags_nz(IrSink *sink, const IrOp *op) {
    if (UNLIKELY(op->type != IR_I32)) {
        take_flags(sink, op);
        return;
    }
    Quick *q = begin_flags(sink, op);
    test_value(q, op->a);
    asm_lahf_merge16_near(q->l.a, (uint8_t)X64_PACKED_FLAGS, X64_PACKED_N | X64_PACKED_Z);
    end_op(q);
}

/* The sum whose flags these are comes right before, if it is there at all. With its code the host's flags are there. */
static void make_sum(Quick *q, const IrOp *op) {
    const IrOp *sum = op - 1 - (op[-1].op == IR_CONST); /* an INSN is before all */
    IrVal value = (IrVal)(sum - q->ops);
    bool same = (sum->op == IR_ADD || sum->op == IR_SUB) && sum->a == op->a && sum->b == op->b;
    if (same && q->l.reg[value] == NO_REG) {
        quick_use(&q->l, value);
    }
}

static void take_flags_sum(IrSink *sink, const IrOp *op) {
    Quick *q = begin_flags(sink, op);
    make_sum(q, op);
    lower_flags(&q->l, op);
    q->l.guest_flags = GUEST_FLAGS_CARRY;
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
    bool multiple = ((uint32_t)displacement & (bytes - 1)) == 0, aligned = multiple && *known >= bytes;
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

/* Where a load or store of memory finds it, and its data. */
typedef struct Access {
    Reg base, data;
    int32_t disp;
} Access;

/* One instruction: another thread is not in its middle when it is patched. */
static inline void emit_access(Lower *l, const IrOp *op, Access x) {
    enum { WORD = 0x66 };
    static const uint32_t loads[2][4] = {{0xb60f, 0xb70f, 0x8b, 0x8b}, {0xbe0f, 0xbf0f, 0x63, 0x8b}};
    static const uint32_t stores[4] = {0x88, 0x89 << 8 | WORD, 0x89, 0x89};
    unsigned size = op->n & IR_MEM_SIZE;
    if (size == IR_MEM_32 && op->type == IR_I32 && x.base != NO_REG) {
        asm_word_r15(l->a, op->op == IR_STORE ? 0x89 : 0x8b, x.data, x.base, x.disp);
        return;
    }
    bool is_store = op->op == IR_STORE, is_signed = op->n & IR_MEM_SIGNED && (size < 2 || op->type == IR_I64);
    bool w = size == 3 || (is_signed && !is_store && op->type == IR_I64);
    asm_short_r15(l->a, is_store ? stores[size] : loads[is_signed][size], w, x.data, x.base, x.disp);
}

static RARE void emit_swapped_access(Lower *l, const IrOp *op, Access x) {
    Mem at = x.base == NO_REG ? asm_at(R15, x.disp) : asm_indexed(R15, x.base, 0, x.disp);
    at.patched = true;
    lower_emit_access(l, op, at, op->op == IR_STORE ? RCX : x.data);
}

static void access_fast(Quick *q, const IrOp *op) {
    Lower *l = &q->l;
    const IrOp *address = &q->ops[op->a];
    Access x = {.base = NO_REG};
    unsigned bytes = lower_access_bits(op) / 8;
    uint32_t misaligned = 0;
    bool folded = address->op == IR_CONST && address->a <= INT32_MAX, swaps = lower_swaps(op), aligned;
    if (folded) {
        x.disp = (int32_t)address->a;
        aligned = !(op->n & IR_MEM_ALIGNED) || address->a % bytes == 0;
    } else {
        IrVal base = is_sum(q, op->a, &x.disp) ? address->a : op->a;
        x.base = quick_use(l, base);
        aligned = is_aligned(q, op, base, x.disp, bytes);
    }
    x.data = op->op == IR_STORE ? quick_use(l, op->b) : quick_define(l);
    if (!aligned && folded) {
        misaligned = asm_jmp(l->a); /* it traps for sure */
    } else if (!aligned) {
        misaligned = lower_test_alignment(l, x.base, x.disp, bytes);
    }
    if (op->op == IR_STORE && swaps) {
        lower_swap_data(l, op, RCX, x.data);
    }
    asm_fit(l->a, 0, X64_ACCESS_BYTES);
    X64Point *point = next_point(q);
    *point = point_here(q, op);
    (swaps ? emit_swapped_access : emit_access)(l, op, x);
    point->base = (uint8_t)x.base;
    point->data = point->result = (uint8_t)x.data;
    point->disp = x.disp;
    point->rest = (uint8_t)(asm_offset(l->a) - point->at - X64_ACCESS_BYTES);
    if (misaligned) {
        add_access_stub(q, point, misaligned, asm_offset(l->a));
    }
    add_point(q, q->insn->c);
}

static Reg use_or_none(Lower *l, IrVal value) {
    return value == IR_NONE ? NO_REG : lower_use(l, value);
}

/* What always is the engine's. */
static void access_call(Quick *q, const IrOp *op) {
    Lower *l = &q->l;
    X64Point *point = next_point(q);
    *point = point_here(q, op);
    point->wide = op->op == IR_CALL || ir_result_type(&l->ir->ops[op->a]) == IR_I64;
    point->base = (uint8_t)use_or_none(l, op->a);
    if (op->op != IR_LOAD) {
        point->data = (uint8_t)use_or_none(l, op->b);
    }
    if (op->op != IR_STORE) {
        point->result = (uint8_t)lower_define(l, l->at);
    }
    point->at = asm_offset(l->a);
    point->disp = op->op == IR_CALL ? op->n : 0;
    add_point(q, q->insn->c);
    call_thunk(l, op->op == IR_CALL ? l->thunks->point_call : l->thunks->point);
    q->must_poll = true;
}

static void take_access(IrSink *sink, const IrOp *op) {
    Quick *q = begin_op(sink, op);
    bool is_far = op->n & IR_MEM_UNPRIV || ir_result_type(&q->ops[op->a]) == IR_I64;
    (is_far ? access_call : access_fast)(q, op);
    q->may_leave = true;
    end_op(q);
}

/* It may change any state. */
static void take_call(IrSink *sink, const IrOp *op) {
    Quick *q = begin_op(sink, op);
    settle_condition(q);
    quick_change_words(q, ~UINT64_C(0));
    access_call(q, op);
    q->flags_set = q->l.at;
    q->may_leave = true;
    end_op(q);
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
    return last->kind != IR_INSN && last->begun == q->b->n_insns && !second;
}

/* The last point is that of the instruction's access: it tells where the POLL is, if that is as nearly all are. */
static void add_poll(Quick *q, const IrOp *op, X64Point *last, uint32_t at) {
    uint32_t distance = at - last->at;
    bool plain = last->kind != IR_INSN && last->begun == q->b->n_insns && is_plain_poll(q, op);
    if (LIKELY(plain && distance < X64_POLL_NONE)) {
        last->poll = distance & 0x7f;
        last->long_insn = op->a - q->insn->a == 4;
        return;
    }
    X64Point *point = next_point(q);
    *point = point_here(q, op);
    point->pc_offset = (uint16_t)op->a;
    point->disp = (int32_t)op->b;
    add_point(q, 0);
}

/* Behind the one access of an instruction, with nothing left to do, no POLL is needed: it leaves by itself. */
static void take_poll(IrSink *sink, const IrOp *op) {
    Quick *q = begin_op(sink, op);
    Lower *l = &q->l;
    if (!q->may_leave) {
        return;
    }
    X64Point *last = &l->out->points.data[q->n_points - 1];
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
    end_op(q);
}

/* ---- Parts that may be skipped ---- */

static void take_skip(IrSink *sink, const IrOp *op) {
    Quick *q = begin_op(sink, op);
    Lower *l = &q->l;
    if (q->n_parts == X64_SKIPS_MAX) {
        l->a->full = true;
        return;
    }
    if (l->ready != op->a) {
        settle_condition(q);
    }
    Cc cc = lower_quick_condition(l, op->a); /* what follows changes no flags */
    q->parts[q->n_parts++] = (Part){.site = asm_jcc(l->a, cc ^ 1), .touched = l->touched};
    l->touched = 0;
    end_op(q);
}

/* Where both ways meet, a register holds what it has held on both, and a slot what it held before. */
static void take_label(IrSink *sink, const IrOp *op) {
    Quick *q = begin_op(sink, op);
    Lower *l = &q->l;
    if (q->n_parts == 0) { /* its SKIP did not fit */
        return;
    }
    const Part *part = &q->parts[--q->n_parts];
    for (uint32_t touched = l->touched; touched; touched &= touched - 1) {
        l->held[__builtin_ctz(touched)] = IR_NONE;
    }
    l->busy &= ~l->touched;
    l->touched |= part->touched;
    for (uint64_t w = q->b->learnt & q->b->is_known; w; w &= w - 1) { /* the builder forgets them, too */
        IrVal value = q->b->known[__builtin_ctzll(w)];
        l->fresh |= quick_is_held(l, value, l->reg[value]) ? 1u << l->reg[value] : 0;
        if (q->n_parts > 0 && q->ops[value].op == IR_GET && l->reg[value] >= SEEN) {
            l->reg[value] = LOST; /* it may be of the part around; nobody will tell when its slot changes */
        }
    }
    asm_link(l->a, part->site, asm_offset(l->a));
    if (q->tested) { /* the tests may have been skipped */
        memset(l->aligned, 0, q->b->n_ops);
        q->tested = false;
    }
    end_op(q);
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

static void take_goto(IrSink *sink, const IrOp *op) {
    Quick *q = begin_op(sink, op);
    Lower *l = &q->l;
    uint32_t leave;
    look_before_leaving(q, &leave);
    lower_goto_exit(l, op, leave ? lower_jmp(l) : 0, leave);
}

static void take_goto_if(IrSink *sink, const IrOp *op) {
    Quick *q = begin_op(sink, op);
    Lower *l = &q->l;
    Cc cc = lower_quick_condition(l, op->a);
    add_stub(q, STUB_GOTO, q->may_leave ? asm_jcc(l->a, cc) : lower_jcc(l, cc));
    end_op(q);
}

static void take_goto_ind(IrSink *sink, const IrOp *op) {
    Quick *q = begin_op(sink, op);
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

static void take_goto_at(IrSink *sink, const IrOp *op) {
    Quick *q = begin_op(sink, op);
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
    X64Site site = {.kind = X64_SITE_TRAP, .number = op->n, .unused = (uint8_t)(q->ir.n_insns - point->begun),
                    .pc_offset = point->pc_offset, .aux = aux};
    lower_exit_by(l, lower_site(l, site), l->thunks->trap);
}

static void take_trap(IrSink *sink, const IrOp *op) {
    Quick *q = begin_op(sink, op);
    X64Point here = point_here(q, op);
    lower_store_value(&q->l, offsetof(Cpu, trap_arg), op->b);
    q->ir.n_insns = q->b->n_insns; /* it ends the block */
    trap_exit(q, op, &here, q->insn->c);
}

static void take_trap_if(IrSink *sink, const IrOp *op) {
    Quick *q = begin_op(sink, op);
    Lower *l = &q->l;
    uint64_t constant;
    bool in_register = op->b != IR_NONE && !lower_is_const(l, op->b, &constant);
    Reg arg = in_register ? lower_use(l, op->b) : NO_REG;
    Cc cc = lower_quick_condition(l, op->a);
    Stub *stub = add_stub(q, STUB_TRAP, asm_jcc(l->a, cc));
    stub->arg = arg;
    stub->aux = q->insn->c;
    stub->point = point_here(q, op);
    end_op(q);
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
            quick_empty(l); /* nobody knows here what the registers were at that op */
            lower_store_value(l, offsetof(Cpu, trap_arg), op->b);
        } else {
            asm_store(l->a, 64, lower_cpu(offsetof(Cpu, trap_arg)), stub->arg);
        }
        trap_exit(q, op, &stub->point, stub->aux);
        return;
    }
    stub->point.at = asm_offset(l->a);
    stub->point.rest = 0;
    *next_point(q) = stub->point;
    add_point(q, stub->aux);
    call_thunk(l, l->thunks->point);
    asm_link(l->a, asm_jmp(l->a), stub->resume);
}

/* ---- State ---- */

/* Values that no slot has end with the instruction: others may have their registers. */
static void take_insn(IrSink *sink, const IrOp *op) {
    Quick *q = quick_of(sink);
    Lower *l = &q->l;
    if (UNLIKELY(q->kept != q->b->kept)) {
        begin_op(sink, op);
        quick_keep(q);
    }
    q->insn = op;
    q->n_spilled = 0;
    l->busy &= ~l->fresh;
    l->fresh = 0;
    l->ready = q->branched = IR_NONE;
}

static void take_get(IrSink *sink, const IrOp *op) {
    Quick *q = begin_op(sink, op);
    Lower *l = &q->l;
    uint32_t word = op->a / 4;
    lower_op(l, l->at);
    if (ir_is_known_slot(op->a, op->type) && !(q->b->is_known & UINT64_C(1) << word)) { /* as the builder has it */
        quick_back(q, l->reg[l->at]);
    }
}

static void take_put(IrSink *sink, const IrOp *op) {
    Quick *q = begin_op(sink, op);
    Lower *l = &q->l;
    uint64_t constant;
    bool is_kept = ir_is_known_slot(op->a, op->type) && !lower_is_const(l, op->b, &constant);
    quick_change_words(q, ir_slot_words(q->b, op->a, op->type));
    lower_op(l, l->at);
    if (is_kept) {
        quick_back(q, l->reg[op->b]);
    }
}

/* What the slot held is made, if it has to be, before it is too late. */
static RARE void put_far(Quick *q, const IrOp *op, IrVal old) {
    quick_use(&q->l, op->b);
    quick_unback(q, old);
    lower_op(&q->l, q->l.at);
}

static RARE void put_constant(Quick *q, const IrOp *op, IrVal old) {
    quick_unback(q, old);
    asm_store_near_imm(&q->hot, (uint8_t)op->a, q->ops[op->b].a);
}

static void put_plain(IrSink *sink, const IrOp *op, IrVal old) {
    Quick *q = begin_op(sink, op);
    bool is_const = q->ops[op->b].op == IR_CONST;
    q->old = old;
    q->changing = UINT64_C(1) << op->a / 4;
    if (UNLIKELY(is_const || op->a >= NEAR)) {
        (is_const && op->a < NEAR ? put_constant : put_far)(q, op, old);
        q->l.fresh &= ~(is_const ? 0 : 1u << q->l.reg[op->b]);
    } else {
        Reg from = quick_use(&q->l, op->b);
        quick_unback(q, old);
        asm_store_near(&q->hot, (uint8_t)op->a, from);
        quick_back(q, from);
    }
    q->old = 0;
    q->changing = 0;
}

static void take_other(IrSink *sink, const IrOp *op) {
    Quick *q = begin_op(sink, op);
    lower_op(&q->l, q->l.at);
    end_op(q);
}

/* ---- The whole ---- */

/* Where the block begins: first what counts its runs until it is warm. How many instructions it has is filled in when
 * it ends. */
static void begin(IrSink *sink, IrBuilder *b) {
    Quick *q = quick_of(sink);
    Lower *l = &q->l;
    q->b = b;
    q->ops = b->ops;
    q->ir = (IrBlock){.loc = b->loc, .ops = b->ops};
    lower_note(l, X64_NOTE_ENTRY, IR_NONE);
    if (l->thunks->regions || !X64_COUNTS) { /* else nobody jumps from here; an exit fits over what pays the budget */
        asm_bytes(l->a, ASM_NOP5, X64_ENTRY_BYTES);
    }
    if (q->runs) {
        uint32_t index = (uint32_t)l->out->heat.len;
        vec_push(&l->out->heat, q->runs);
        asm_load(l->a, 64, false, true, RCX, lower_cpu(offsetof(Cpu, jit_heat)));
        asm_alu_mem_imm(l->a, ALU_SUB, false, asm_at(RCX, (int32_t)(4 * index)), 1);
        q->warm = asm_jcc(l->a, CC_E);
    }
    if (X64_COUNTS) { /* at most EXEC_BLOCK_INSNS_MAX */
        asm_alu_imm8(&q->hot, ALU_SUB, R14, 0);
        q->cost = q->hot.at - 1;
        q->over = asm_jcc(l->a, CC_B);
    }
}

static void refuse(IrSink *sink) {
    quick_of(sink)->hot.full = true;
}

static const IrSink sink_of_quick = {
    .begin = begin,
    .put = put_plain,
    .refuse = refuse,
    .take = {
        [IR_INSN] = take_insn, [IR_LABEL] = take_label, [IR_SKIP] = take_skip, [IR_POLL] = take_poll,
        [IR_REFUND] = take_other, [IR_GET] = take_get, [IR_PUT] = take_put, [IR_GETX] = take_other,
        [IR_PUTX] = take_other, [IR_FLAGS_ADD] = take_flags_sum, [IR_FLAGS_SUB] = take_flags_sum,
        [IR_FLAGS_SBB] = take_flags_sum, [IR_FLAGS_NZ] = take_flags_nz, [IR_FLAGS_C] = take_flags,
        [IR_FLAGS_V] = take_flags, [IR_FLAGS_SET] = take_flags, [IR_COND] = take_cond, [IR_LOAD] = take_access,
        [IR_STORE] = take_access, [IR_CALL] = take_call, [IR_TRAP_IF] = take_trap_if, [IR_TRAP] = take_trap,
        [IR_GOTO] = take_goto, [IR_GOTO_IF] = take_goto_if, [IR_GOTO_IND] = take_goto_ind, [IR_GOTO_AT] = take_goto_at,
    },
};

X64Quick *x64_quick_new(void) {
    Quick *q = mem_alloc(sizeof *q);
    q->sink = sink_of_quick;
    q->l.ir = &q->ir;
    q->l.a = &q->hot;
    q->l.quick = true;
    q->l.reserved = 1u << RAX;
    q->l.late_check = q->l.cold_for = IR_NONE;
    q->l.reg = q->reg;
    q->l.aligned = q->aligned;
    q->l.eager = q->eager;
    q->l.fused = q->l.after_sum = q->l.cold = q->nothing;
    memset(q->reg, NO_REG, sizeof q->reg);
    return q;
}

void x64_quick_free(X64Quick *q) {
    mem_free(q);
}

IrSink *x64_quick_begin(X64Quick *q, X64Code *code, uint32_t block, uint32_t runs, const X64Thunks *thunks,
                        X64Output *out) {
    Lower *l = &q->l;
    if (code->hot.end - code->hot.at < 2 * OP_BYTES_MAX) {
        return NULL;
    }
    q->mark = lower_mark(code, out);
    q->n_points = out->points.len;
    q->hot = code->hot;
    q->room_until = out->noting ? NULL : q->hot.end - OP_BYTES_MAX;
    q->start = q->hot.at;
    q->runs = runs;
    q->warm = q->over = q->flags_set = 0;
    q->kept = q->branched = IR_NONE;
    q->old = 0;
    q->reg[0] = LOST; /* no value has this number */
    q->may_leave = q->must_poll = q->tested = false;
    q->n_parts = q->n_stubs = q->n_spilled = 0;
    l->code = code;
    l->thunks = thunks;
    l->out = out;
    l->block = block;
    l->sum = l->ready = IR_NONE;
    l->guest_flags = GUEST_FLAGS_STORED;
    l->fresh = l->touched = l->pinned = l->at = 0;
    l->evicted = RAX;
    quick_empty(l);
    return &q->sink;
}

/* Only now is known how many instructions the block has. */
static void complete(Quick *q) {
    if (q->over) {
        *q->cost = (uint8_t)q->ir.n_insns;
    }
    for (unsigned i = 0; i < q->n_stubs; i++) {
        emit_stub(q, &q->stubs[i]);
    }
    lower_note(&q->l, X64_NOTE_BUDGET, IR_NONE);
    if (q->over) {
        asm_link(&q->hot, q->over, asm_offset(&q->hot));
    }
    lower_exit(&q->l, X64_EXIT_BUDGET + q->l.block);
    if (q->warm) {
        asm_link(&q->hot, q->warm, asm_offset(&q->hot));
        lower_exit(&q->l, X64_EXIT_WARM + q->l.block);
    }
}

/* What is known per value is to be nothing when the next block begins. */
static void forget_values(Quick *q, uint32_t n_ops) {
    enum { STEP = 16 };
    _Static_assert(IR_SINK_OPS % STEP == 0, "steps");
    for (uint32_t i = 0; i < n_ops && i < IR_SINK_OPS; i += STEP) { /* most blocks are small */
        memset(&q->reg[i], NO_REG, STEP);
        memset(&q->aligned[i], 0, STEP);
    }
}

bool x64_quick_end(X64Quick *q, const IrBlock *ir) {
    X64Code *code = q->l.code;
    q->ir = *ir;
    if (!q->hot.full) {
        complete(q);
        __atomic_store_n(&q->l.out->points.len, q->n_points, __ATOMIC_RELEASE);
    }
    forget_values(q, ir->n_ops);
    code->hot.at = q->hot.at; /* nothing else: other threads read where the buffer begins */
    code->hot.full = q->hot.full;
    return lower_fitted(code, q->l.out, &q->mark);
}

void x64_quick_drop(X64Quick *q) {
    forget_values(q, IR_SINK_OPS);
    q->l.code->hot.full = true;
    lower_fitted(q->l.code, q->l.out, &q->mark);
}
