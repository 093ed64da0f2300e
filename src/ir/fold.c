/* Forward pass: rewrites a block op by op into a new array. It
 *   - forwards a PUT (or an earlier GET) of a slot to later GETs,
 *   - folds constants, algebraic identities and what was computed just before,
 *   - replaces conditions by comparisons of what the flags were computed from (the flag recipes),
 *   - makes short parts that may be skipped unconditional, with choices instead of a branch,
 *   - names the operands of flag recipes by what lives on, so that nothing is kept only for them.
 * Values and recipes made under a SKIP are forgotten at its LABEL, since that part may not have run. */
#include <string.h>

#include "ir/eval.h"
#include "ir/ir.h"

enum { SLOTS_MAX = 64, RECENT_BITS = 8 };

typedef struct KnownSlot {
    uint32_t slot;
    IrVal root; /* of GETX and PUTX: what the slot is counted from, in the new array; else IR_NONE */
    IrType type;
    IrVal value; /* in the new array */
    uint32_t since; /* new index at which it became known */
} KnownSlot;

typedef struct Fold {
    Arena *arena;
    IrOp *ops; /* the new array */
    uint32_t n_ops, cap;
    IrVal *new_of; /* per old op: its value in the new array */
    const IrOp *old_ops;
    uint32_t *label_of; /* per old op: new index of the SKIP that jumps to this LABEL */
    IrVal chooser; /* condition of the part that is being made unconditional, or IR_NONE */
    KnownSlot words[SLOTS_MAX]; /* i32 of the state, by word */
    uint64_t known_words;
    KnownSlot slots[SLOTS_MAX]; /* all others */
    uint32_t n_slots;
    uint64_t slot_words; /* that they may be in, see words_of */
    uint32_t recipe[4]; /* per N Z C V: new index of the flag op that holds, or IR_NONE */
    uint32_t recipe_since[4]; /* and the new index at which that became so */
    uint32_t visible_from; /* values made before may lie in a part that was skipped */
    uint32_t summed; /* flag op whose sum or difference is a value, or IR_NONE */
    IrVal sum, addend; /* that value, and the first operand that the op had */
    IrVal remade, original; /* what recipe_from_sum made last, and the value that it is; or IR_NONE */
    bool in_region;
    uint64_t pc; /* of the block */
    uint32_t recent[1 << RECENT_BITS]; /* by hash of a PURE op: the last one like that, or IR_NONE */
} Fold;

static IrVal append(Fold *f, IrOp op) {
    if (f->n_ops == f->cap) {
        IrOp *bigger = ARENA_ARRAY_RAW(f->arena, IrOp, f->cap * 2);
        memcpy(bigger, f->ops, f->n_ops * sizeof *bigger);
        f->ops = bigger;
        f->cap *= 2;
    }
    f->ops[f->n_ops] = op;
    return f->n_ops++;
}

/* The first op that a search for an equal value looks at: far enough for what compilers leave, and quick. */
static uint32_t look_back(const Fold *f) {
    enum { OPS = 16 };
    uint32_t near = f->n_ops > OPS ? f->n_ops - OPS : 0;
    return near > f->visible_from ? near : f->visible_from;
}

static uint32_t *recent_of(Fold *f, const IrOp *op) {
    uint64_t key = (uint64_t)op->b << 32 | (op->a << 9 | op->op << 2 | op->type);
    uint64_t hash = key * UINT64_C(0x9e3779b97f4a7c15);
    return &f->recent[hash >> (64 - RECENT_BITS)];
}

/* The same op on the same values again is the same value. */
static IrVal append_pure(Fold *f, IrOp op) {
    uint32_t *recent = recent_of(f, &op), last = *recent;
    if (last != IR_NONE && last >= look_back(f)) {
        const IrOp *made = &f->ops[last];
        if (made->a == op.a && made->op == op.op && made->type == op.type && made->b == op.b && made->c == op.c) {
            return last;
        }
    }
    *recent = f->n_ops;
    return append(f, op);
}

static IrVal constant(Fold *f, IrType type, uint64_t value) {
    IrOp op = {.op = IR_CONST, .type = (uint8_t)type, .a = (uint32_t)value, .b = (uint32_t)(value >> 32)};
    return append_pure(f, op);
}

static bool const_of(const Fold *f, IrVal value, uint64_t *out) {
    const IrOp *op = &f->ops[value];
    *out = op->op == IR_CONST ? ir_const_value(op) : 0;
    return op->op == IR_CONST;
}

/* ---- Slots ---- */

static uint32_t type_bytes(IrType type) {
    return type == IR_I64 ? 8 : 4;
}

/* Whether writing the one may change the other: see GETX in ops.def. */
static bool may_overlap(const KnownSlot *x, const KnownSlot *y) {
    if (x->root != y->root) {
        return x->root != IR_NONE && y->root != IR_NONE;
    }
    return x->slot < y->slot + type_bytes(y->type) && y->slot < x->slot + type_bytes(x->type);
}

/* The words of the state that a slot is in, as bits; the last one is for all that are further behind, or counted from
 * a value. */
static uint64_t words_of(uint32_t slot, IrType type, IrVal root) {
    enum { LAST = 63 };
    uint32_t first = slot / 4, last = (slot + type_bytes(type) - 1) / 4;
    first = root == IR_NONE && first < LAST ? first : LAST;
    last = root == IR_NONE && last < LAST ? last : LAST;
    return UINT64_MAX << first & UINT64_MAX >> (LAST - last);
}

static void slots_forget(Fold *f, const KnownSlot *written) {
    uint32_t kept = 0;
    while (kept < f->n_slots && !may_overlap(&f->slots[kept], written)) {
        kept++;
    }
    for (uint32_t i = kept + 1; i < f->n_slots; i++) {
        const KnownSlot *k = &f->slots[i];
        if (!may_overlap(k, written)) {
            f->slots[kept++] = *k;
        }
    }
    f->n_slots = kept;
}

static IrVal root_of(const IrOp *op) {
    return op->op == IR_GETX || op->op == IR_PUTX ? op->b : IR_NONE;
}

/* Nearly all slots are words of the state. */
static inline bool is_word(const IrOp *access) {
    bool state = access->op == IR_GET || access->op == IR_PUT;
    return state && access->type == IR_I32 && access->a < 4 * (SLOTS_MAX - 1) && access->a % 4 == 0;
}

/* `access` is a GET, GETX, PUT or PUTX of the new array. */
static void slots_learn(Fold *f, const IrOp *access, IrVal value, uint32_t since) {
    KnownSlot known = {access->a, root_of(access), access->type, value, since};
    if (is_word(access) && !(f->slot_words >> access->a / 4 & 1)) {
        f->words[access->a / 4] = known;
        f->known_words |= UINT64_C(1) << access->a / 4;
        return;
    }
    uint64_t words = words_of(known.slot, known.type, known.root);
    f->known_words &= known.root == IR_NONE ? ~words : UINT64_MAX;
    if (words & f->slot_words) {
        slots_forget(f, &known);
    }
    f->slot_words |= words;
    if (f->n_slots < SLOTS_MAX) {
        f->slots[f->n_slots++] = known;
    }
}

static IrVal slots_find(const Fold *f, const IrOp *access) {
    IrVal root = root_of(access);
    if (is_word(access) && f->known_words >> access->a / 4 & 1) {
        return f->words[access->a / 4].value;
    }
    if (!(words_of(access->a, access->type, root) & f->slot_words)) {
        return IR_NONE;
    }
    for (uint32_t i = 0; i < f->n_slots; i++) {
        const KnownSlot *k = &f->slots[i];
        if (k->slot == access->a && k->root == root && k->type == access->type) {
            return k->value;
        }
    }
    return IR_NONE;
}

static void forget_everything(Fold *f) {
    f->n_slots = 0;
    f->slot_words = f->known_words = 0;
    f->summed = IR_NONE;
    for (unsigned i = 0; i < 4; i++) {
        f->recipe[i] = IR_NONE;
        f->recipe_since[i] = f->n_ops;
    }
}

/* At the LABEL of the SKIP at new index `skip`: what was learnt after it may not hold. */
static void forget_since(Fold *f, uint32_t skip) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < f->n_slots; i++) {
        if (f->slots[i].since <= skip) {
            f->slots[kept++] = f->slots[i];
        }
    }
    f->n_slots = kept;
    for (uint64_t words = f->known_words; words; words &= words - 1) {
        uint64_t word = words & -words;
        f->known_words &= f->words[__builtin_ctzll(words)].since <= skip ? UINT64_MAX : ~word;
    }
    f->summed = f->summed != IR_NONE && f->summed > skip ? IR_NONE : f->summed;
    for (unsigned i = 0; i < 4; i++) {
        if (f->recipe_since[i] > skip) {
            f->recipe[i] = IR_NONE;
            f->recipe_since[i] = f->n_ops;
        }
    }
}

/* ---- Flag recipes ---- */

static IrVal emit3(Fold *f, IrOpcode op, IrType type, IrVal a, IrVal b, IrVal c) {
    IrOp made = {.op = (uint8_t)op, .type = (uint8_t)type, .a = a, .b = b, .c = c};
    *recent_of(f, &made) = f->n_ops;
    return append(f, made);
}

static IrVal fold_pure(Fold *f, IrOp op);

/* What conditions are made of: folded as if the guest's rows had built it. */
static IrVal made(Fold *f, IrOpcode op, IrType type, IrVal a, IrVal b, IrVal c) {
    return fold_pure(f, (IrOp){.op = (uint8_t)op, .type = (uint8_t)type, .a = a, .b = b, .c = c});
}

/* A value that is 0 or 1, in the type that is asked for. */
static IrVal truth_as(Fold *f, IrType type, IrVal value) {
    if (ir_result_type(&f->ops[value]) == type) {
        return value;
    }
    return made(f, type == IR_I64 ? IR_ZEXT32 : IR_TRUNC, IR_I64, value, 0, 0);
}

static IrVal inverted(Fold *f, IrVal value, bool invert) {
    return invert ? made(f, IR_EQ, IR_I32, value, constant(f, IR_I32, 0), 0) : value;
}

/* The second addend of a flag op: b, or ~b for a subtraction. */
static IrVal second_addend(Fold *f, IrOp recipe) {
    return recipe.op == IR_FLAGS_SUB ? made(f, IR_NOT, recipe.type, recipe.b, 0, 0) : recipe.b;
}

/* A whole subtraction a - b (carry in 1) under all flags that cond reads: one comparison. */
static IrVal compare_subtraction(Fold *f, IrOp r, IrCond cond) {
    switch (cond) {
    case IR_COND_EQ: return made(f, IR_EQ, r.type, r.a, r.b, 0);
    case IR_COND_NE: return made(f, IR_NE, r.type, r.a, r.b, 0);
    case IR_COND_CS: return made(f, IR_LEU, r.type, r.b, r.a, 0);
    case IR_COND_CC: return made(f, IR_LTU, r.type, r.a, r.b, 0);
    case IR_COND_HI: return made(f, IR_LTU, r.type, r.b, r.a, 0);
    case IR_COND_LS: return made(f, IR_LEU, r.type, r.a, r.b, 0);
    case IR_COND_GE: return made(f, IR_LES, r.type, r.b, r.a, 0);
    case IR_COND_LT: return made(f, IR_LTS, r.type, r.a, r.b, 0);
    case IR_COND_GT: return made(f, IR_LTS, r.type, r.b, r.a, 0);
    case IR_COND_LE: return made(f, IR_LES, r.type, r.a, r.b, 0);
    default: return IR_NONE;
    }
}

/* Conditions on one flag, from any recipe that has its value at hand. */
static IrVal single_flag(Fold *f, IrOp r, IrCond cond) {
    bool invert = cond & 1;
    switch (cond & ~1u) {
    case IR_COND_EQ:
        return r.op == IR_FLAGS_NZ ? made(f, invert ? IR_NE : IR_EQ, r.type, r.a, constant(f, r.type, 0), 0) : IR_NONE;
    case IR_COND_MI:
        if (r.op != IR_FLAGS_NZ) {
            return IR_NONE;
        }
        return inverted(f, made(f, IR_LTS, r.type, r.a, constant(f, r.type, 0), 0), invert);
    case IR_COND_CS:
        if (r.op == IR_FLAGS_C) {
            return inverted(f, truth_as(f, IR_I32, r.a), invert);
        }
        return r.op == IR_FLAGS_SET ? IR_NONE
                                    : inverted(f, made(f, IR_CARRY, r.type, r.a, second_addend(f, r), r.c), invert);
    case IR_COND_VS:
        if (r.op == IR_FLAGS_V) {
            return inverted(f, truth_as(f, IR_I32, r.a), invert);
        }
        return r.op == IR_FLAGS_SET ? IR_NONE
                                    : inverted(f, made(f, IR_OVERFLOW, r.type, r.a, second_addend(f, r), r.c), invert);
    default:
        return IR_NONE;
    }
}

/* 1 - carry. */
static IrVal inverse_of(Fold *f, IrVal carry) {
    uint64_t k;
    IrType type = ir_result_type(&f->ops[carry]);
    return const_of(f, carry, &k) ? constant(f, IR_I32, !k)
                                  : made(f, IR_EQ, type, carry, constant(f, type, 0), 0);
}

/* FLAGS_SBB is FLAGS_SUB with the other C: so conditions on both C and Z mean something else, and false comes back. N
 * and Z of a - 0 are those of a. */
static bool without_borrow(Fold *f, IrOp *r, IrCond *cond) {
    uint64_t b, c;
    if (*cond == IR_COND_HI || *cond == IR_COND_LS) {
        return false;
    }
    *cond ^= *cond == IR_COND_CS || *cond == IR_COND_CC;
    bool logical = const_of(f, r->b, &b) && const_of(f, r->c, &c) && b == 0 && c == 0;
    r->op = logical && (*cond == IR_COND_MI || *cond == IR_COND_PL) ? IR_FLAGS_NZ : IR_FLAGS_SUB;
    r->c = inverse_of(f, r->c);
    return true;
}

static IrVal fuse_condition(Fold *f, IrCond cond) {
    unsigned reads = ir_cond_reads(cond);
    uint32_t recipe = IR_NONE;
    for (unsigned i = 0; i < 4; i++) {
        if (!(reads & 1u << i)) {
            continue;
        }
        if (f->recipe[i] == IR_NONE || (recipe != IR_NONE && recipe != f->recipe[i])) {
            return IR_NONE;
        }
        recipe = f->recipe[i];
    }
    IrOp r = f->ops[recipe]; /* a copy: appending moves the array */
    uint64_t carry_in;
    if (recipe == f->summed) {
        if (reads == 1 || reads == 2) { /* N or Z */
            return single_flag(f, (IrOp){.op = IR_FLAGS_NZ, .type = r.type, .a = f->sum}, cond);
        }
        r.a = f->addend;
    }
    if (r.op == IR_FLAGS_SBB && !without_borrow(f, &r, &cond)) {
        return IR_NONE;
    }
    if (r.op == IR_FLAGS_SUB && const_of(f, r.c, &carry_in) && carry_in == 1) {
        IrVal compared = compare_subtraction(f, r, cond);
        if (compared != IR_NONE) {
            return compared;
        }
    }
    if ((r.op == IR_FLAGS_ADD || r.op == IR_FLAGS_SUB) && (reads == 1 || reads == 2)) {
        /* N or Z of a sum: as if from FLAGS_NZ of it. */
        IrVal sum = made(f, IR_ADD, r.type, r.a, second_addend(f, r), 0);
        sum = made(f, IR_ADD, r.type, sum, truth_as(f, r.type, r.c), 0);
        r = (IrOp){.op = IR_FLAGS_NZ, .type = r.type, .a = sum};
    }
    return single_flag(f, r, cond);
}

static void learn_flags(Fold *f, uint32_t index) {
    unsigned mask;
    ir_sets_flags(f->ops[index].op, &mask);
    for (unsigned i = 0; i < 4; i++) {
        if (mask & 1u << i) {
            f->recipe[i] = index;
            f->recipe_since[i] = index;
        }
    }
}

/* ---- Constants and identities ---- */

/* Of an op with operands. */
static bool all_const(const Fold *f, const IrOp *op, uint64_t v[3]) {
    unsigned values = ir_op_info[op->op].values;
    v[1] = v[2] = 0;
    return const_of(f, op->a, &v[0]) && (!(values & 2) || const_of(f, op->b, &v[1])) &&
           (!(values & 4) || const_of(f, op->c, &v[2]));
}

/* x op constant that is x itself, or IR_NONE. */
static IrVal identity(const Fold *f, const IrOp *op) {
    uint64_t k;
    switch (op->op) {
    case IR_COPY:
        return op->a;
    case IR_ADD: case IR_OR: case IR_XOR:
        if (const_of(f, op->a, &k) && k == 0) {
            return op->b;
        }
        return const_of(f, op->b, &k) && k == 0 ? op->a : IR_NONE;
    case IR_SUB: case IR_SHL: case IR_SHR: case IR_SAR: case IR_ROR:
        return const_of(f, op->b, &k) && k == 0 ? op->a : IR_NONE;
    case IR_AND:
        return const_of(f, op->b, &k) && k == ir_mask(op->type) ? op->a : IR_NONE;
    case IR_MUL:
        return const_of(f, op->b, &k) && k == 1 ? op->a : IR_NONE;
    case IR_SELECT:
        if (op->b == op->c) {
            return op->b;
        }
        return const_of(f, op->a, &k) ? (k ? op->b : op->c) : IR_NONE;
    default:
        return IR_NONE;
    }
}

/* a < b against its inverse, and so on: opcodes with the operands to swap. */
static IrVal inverse_comparison(Fold *f, IrOp op) {
    switch (op.op) {
    case IR_EQ: return emit3(f, IR_NE, op.type, op.a, op.b, 0);
    case IR_NE: return emit3(f, IR_EQ, op.type, op.a, op.b, 0);
    case IR_LTU: return emit3(f, IR_LEU, op.type, op.b, op.a, 0);
    case IR_LEU: return emit3(f, IR_LTU, op.type, op.b, op.a, 0);
    case IR_LTS: return emit3(f, IR_LES, op.type, op.b, op.a, 0);
    default: return emit3(f, IR_LTS, op.type, op.b, op.a, 0);
    }
}

/* Comparisons of comparisons: what conditions on two flags, and inverted ones, fuse to. Else IR_NONE. */
static IrVal fold_truth(Fold *f, const IrOp *op) {
    IrOp x = f->ops[op->a];
    uint64_t k;
    if (x.op < IR_EQ || x.op > IR_LES) {
        return IR_NONE;
    }
    if ((op->op == IR_EQ || op->op == IR_NE) && const_of(f, op->b, &k) && k == 0) {
        return op->op == IR_NE ? op->a : inverse_comparison(f, x);
    }
    const IrOp *y = &f->ops[op->b];
    if (op->op == IR_OR && x.op == IR_LTU && y->op == IR_EQ && x.type == y->type && x.a == y->a && x.b == y->b) {
        return emit3(f, IR_LEU, x.type, x.a, x.b, 0);
    }
    return IR_NONE;
}

/* A shift to the left, and one to the right that brings back what went out: a rotation, where guests have none. */
static IrVal fold_rotation(Fold *f, const IrOp *op) {
    const IrOp *x = &f->ops[op->a], *y = &f->ops[op->b];
    const IrOp *right = x->op == IR_SHR ? x : y, *left = x->op == IR_SHR ? y : x;
    uint64_t n, back, width = op->type == IR_I64 ? 64 : 32;
    if ((op->op != IR_OR && op->op != IR_XOR && op->op != IR_ADD) || left->op != IR_SHL || right->op != IR_SHR ||
        left->a != right->a || !const_of(f, left->b, &n) || !const_of(f, right->b, &back) || n >= width ||
        back >= width || n + back != width) {
        return IR_NONE;
    }
    return append_pure(f, (IrOp){.op = IR_ROR, .type = op->type, .a = left->a, .b = right->b});
}

/* (x op constant) op constant is x op one constant: compilers split what does not fit an immediate. */
static void reassociate(Fold *f, IrOp *op) {
    uint64_t outer, inner;
    const IrOp before = f->ops[op->a];
    if (op->op != IR_ADD && op->op != IR_AND && op->op != IR_OR && op->op != IR_XOR && op->op != IR_SUB) {
        return;
    }
    bool sum = op->op == IR_ADD || op->op == IR_SUB, before_sum = before.op == IR_ADD || before.op == IR_SUB;
    if (!const_of(f, op->b, &outer) || before.type != op->type || (sum ? !before_sum : before.op != op->op) ||
        !const_of(f, before.b, &inner)) {
        return;
    }
    if (sum) {
        inner = before.op == IR_SUB ? 0 - inner : inner;
        outer = op->op == IR_SUB ? inner - outer : inner + outer;
        op->op = IR_ADD;
    } else {
        outer = ir_eval(op->op, op->type, outer, inner, 0);
    }
    op->a = before.a;
    op->b = constant(f, op->type, outer & ir_mask(op->type));
}

static IrVal fold_pure(Fold *f, IrOp op) {
    uint64_t v[3];
    if (op.op == IR_CONST) {
        return append_pure(f, op);
    }
    if (all_const(f, &op, v)) {
        return constant(f, ir_result_type(&op), ir_eval(op.op, op.type, v[0], v[1], v[2]));
    }
    reassociate(f, &op);
    IrVal same = identity(f, &op);
    if (same == IR_NONE && (op.op == IR_EQ || op.op == IR_NE || op.op == IR_OR)) {
        same = fold_truth(f, &op);
    }
    same = same == IR_NONE ? fold_rotation(f, &op) : same;
    return same != IR_NONE ? same : append_pure(f, op);
}

/* ---- Conditions that exclude each other ---- */

static bool same_value(const Fold *f, IrVal x, IrVal y) {
    uint64_t kx, ky;
    return x == y || (const_of(f, x, &kx) && const_of(f, y, &ky) && kx == ky);
}

/* 1 if the two conditions always agree, -1 if they never do, 0 if that cannot be seen. */
static int agreement(const Fold *f, IrVal x, IrVal y) {
    const IrOp *p = &f->ops[x], *q = &f->ops[y];
    bool same = same_value(f, p->a, q->a) && same_value(f, p->b, q->b);
    bool crossed = same_value(f, p->a, q->b) && same_value(f, p->b, q->a);
    if (p->op < IR_EQ || p->op > IR_LES || q->op < IR_EQ || q->op > IR_LES || p->type != q->type) {
        return x == y;
    }
    if (p->op == q->op) {
        return same || (crossed && p->op <= IR_NE);
    }
    if (p->op <= IR_NE && q->op <= IR_NE) {
        return same || crossed ? -1 : 0;
    }
    /* x < y against y <= x */
    IrOpcode low = p->op < q->op ? p->op : q->op, high = p->op < q->op ? q->op : p->op;
    bool pair = (low == IR_LTU && high == IR_LEU) || (low == IR_LTS && high == IR_LES);
    return pair && crossed ? -1 : 0;
}

/* What a value is where `chooser` has the truth `taken`: one side of a choice on the same condition. */
static IrVal known_side(const Fold *f, IrVal value, IrVal chooser, bool taken) {
    const IrOp *op = &f->ops[value];
    int agrees = op->op == IR_SELECT ? agreement(f, op->a, chooser) : 0;
    return agrees == 0 ? value : (agrees > 0) == taken ? op->b : op->c;
}

/* ---- The pass ---- */

/* Takes constants out of an index, so that the windows of a block are counted from one value. */
static void root_index(const Fold *f, IrOp *op) {
    const IrOp *sum = &f->ops[op->b];
    uint64_t k;
    while (sum->op == IR_ADD && const_of(f, sum->b, &k)) {
        int64_t slot = (int64_t)op->a + 4 * (int64_t)(int32_t)k;
        if (slot < 0 || slot > INT16_MAX) {
            return;
        }
        op->a = (uint32_t)slot;
        op->b = sum->a;
        sum = &f->ops[op->b];
    }
}

static void fold_get(Fold *f, IrOp op, uint32_t old) {
    IrVal known = slots_find(f, &op);
    if (known == IR_NONE) {
        known = append(f, op);
        slots_learn(f, &op, known, known);
    }
    f->new_of[old] = f->chooser == IR_NONE ? known : known_side(f, known, f->chooser, true);
}

/* ---- Short parts that may be skipped ---- */

/* True if what may be skipped only computes and puts, and is short: then it runs always, and its PUTs choose between
 * the new value and the old one, which costs less than a branch. */
bool ir_may_always_run(const IrOp *ops, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        uint8_t op = ops[i].op;
        if (!(ir_op_info[op].traits & IR_TRAIT_PURE) && op != IR_GET && op != IR_PUT && op != IR_COND) {
            return false;
        }
    }
    return n <= IR_ALWAYS_RUN_OPS;
}

/* The value to put into a slot: under a chooser, what is there already if the part should have been skipped. */
static IrVal chosen(Fold *f, IrOp put) {
    if (f->chooser == IR_NONE) {
        return put.b;
    }
    IrOp get = {.op = IR_GET, .type = put.type, .a = put.a};
    IrVal before = slots_find(f, &get);
    if (before == IR_NONE) {
        before = append(f, get);
        slots_learn(f, &get, before, before);
    }
    before = known_side(f, before, f->chooser, false);
    return fold_pure(f, (IrOp){.op = IR_SELECT, .type = put.type, .a = f->chooser, .b = put.b, .c = before});
}

/* The value of the sum or difference whose flags `op` sets, if it has been computed just now; else IR_NONE. */
static IrVal find_sum(const Fold *f, const IrOp *op) {
    uint64_t carry;
    IrOpcode sum = op->op == IR_FLAGS_ADD ? IR_ADD : IR_SUB;
    if ((op->op != IR_FLAGS_SUB && op->op != IR_FLAGS_SBB && op->op != IR_FLAGS_ADD) || !const_of(f, op->c, &carry) ||
        carry != (op->op == IR_FLAGS_SUB)) {
        return IR_NONE;
    }
    for (uint32_t i = f->n_ops; i-- > look_back(f);) {
        const IrOp *made = &f->ops[i];
        if (made->op == sum && made->type == op->type && same_value(f, made->a, op->a) &&
            same_value(f, made->b, op->b)) {
            return i == f->remade ? f->original : i;
        }
    }
    return IR_NONE;
}

static bool in_some_slot(const Fold *f, IrVal value) {
    for (uint64_t words = f->known_words; words; words &= words - 1) {
        if (f->words[__builtin_ctzll(words)].value == value) {
            return true;
        }
    }
    for (uint32_t i = 0; i < f->n_slots; i++) {
        if (f->slots[i].value == value) {
            return true;
        }
    }
    return false;
}

/* x +- constant, whose result lives on while x does not: then the recipe has x from the result. */
static IrOp recipe_from_sum(Fold *f, IrOp op, IrVal sum) {
    uint64_t k;
    if (const_of(f, op.b, &k) && !const_of(f, op.a, &k) && !in_some_slot(f, op.a) && in_some_slot(f, sum)) {
        f->original = op.a;
        op.a = f->remade = emit3(f, op.op == IR_FLAGS_ADD ? IR_SUB : IR_ADD, op.type, sum, op.b, 0);
    }
    return op;
}

static void fold_flags(Fold *f, IrOp op, uint32_t old) {
    IrVal sum = find_sum(f, &op), addend = op.a;
    if (sum != IR_NONE && f->in_region) {
        op = recipe_from_sum(f, op, sum);
    }
    uint32_t index = append(f, op);
    f->new_of[old] = index;
    learn_flags(f, index);
    if (sum != IR_NONE) {
        f->summed = index;
        f->sum = sum;
        f->addend = addend;
    }
}

static void fold_effect(Fold *f, IrOp op, uint32_t old) {
    uint64_t k;
    unsigned mask;
    if (ir_sets_flags(op.op, &mask)) {
        fold_flags(f, op, old);
        return;
    }
    if (op.op == IR_TRAP_IF && const_of(f, op.a, &k) && k == 0) {
        return;
    }
    if (op.op == IR_GOTO_IND && const_of(f, op.a, &k) && f->ops[op.a].type == IR_I32) {
        op = (IrOp){.op = IR_GOTO, .a = (uint32_t)(k - f->pc), .c = op.c};
    }
    if (op.op == IR_PUT) {
        op.b = chosen(f, op);
    } else if (op.op == IR_PUTX) {
        root_index(f, &op);
    }
    uint32_t index = append(f, op);
    f->new_of[old] = index;
    if (op.op == IR_PUT || op.op == IR_PUTX) {
        slots_learn(f, &op, op.op == IR_PUT ? op.b : op.c, index);
    } else if (op.op == IR_CALL) {
        forget_everything(f);
    }
}

static void fold_op(Fold *f, IrOp op, uint32_t old) {
    switch (op.op) {
    case IR_GETX:
        root_index(f, &op);
        /* fallthrough */
    case IR_GET:
        fold_get(f, op, old);
        break;
    case IR_COND: {
        IrVal fused = fuse_condition(f, op.a);
        f->new_of[old] = fused != IR_NONE ? fused : append(f, op);
        break;
    }
    case IR_SKIP:
        if (ir_may_always_run(&f->old_ops[old + 1], op.b - old - 1)) {
            f->chooser = op.a;
        } else {
            f->label_of[op.b] = append(f, op);
        }
        break;
    case IR_LABEL: {
        if (f->chooser != IR_NONE) {
            f->chooser = IR_NONE; /* these parts do not nest */
            break;
        }
        uint32_t skip = f->label_of[old], label = append(f, op); /* first: it may move the array */
        f->ops[skip].b = label;
        f->visible_from = label;
        forget_since(f, skip);
        break;
    }
    default:
        if (ir_op_info[op.op].traits & IR_TRAIT_PURE) {
            f->new_of[old] = fold_pure(f, op);
        } else {
            fold_effect(f, op, old);
        }
    }
}

/* Labels keep the number that they had: label_of tells of them. */
static IrOp with_new_values(const Fold *f, IrOp op) {
    unsigned values = ir_op_info[op.op].values;
    op.a = values & 1 && op.a != IR_NONE ? f->new_of[op.a] : op.a;
    op.b = values & 2 && op.b != IR_NONE ? f->new_of[op.b] : op.b;
    op.c = values & 4 && op.c != IR_NONE ? f->new_of[op.c] : op.c;
    return op;
}

static void fold(IrBlock *block, Arena *arena, bool in_region) {
    Fold f;
    f.arena = arena;
    f.cap = block->n_ops + block->n_ops / 2 + 16;
    f.n_ops = f.visible_from = 0;
    f.old_ops = block->ops;
    f.chooser = f.remade = f.original = f.sum = f.addend = IR_NONE;
    f.in_region = in_region;
    f.pc = block->loc.pc;
    f.ops = ARENA_ARRAY_RAW(arena, IrOp, f.cap);
    f.new_of = ARENA_ARRAY_RAW(arena, IrVal, block->n_ops);
    f.label_of = ARENA_ARRAY_RAW(arena, uint32_t, block->n_ops);
    memset(f.recent, 0xff, sizeof f.recent);
    forget_everything(&f);
    for (uint32_t i = 0; i < block->n_ops; i++) {
        if (block->ops[i].op != IR_NOP) {
            fold_op(&f, with_new_values(&f, block->ops[i]), i);
        }
    }
    block->ops = f.ops;
    block->n_ops = f.n_ops;
    block->n_faults = 0; /* they named ops by their old index */
}

void ir_pass_fold(IrBlock *block, Arena *arena) {
    fold(block, arena, false);
}

void ir_pass_fold_in_region(IrBlock *block, Arena *arena) {
    fold(block, arena, true);
}
