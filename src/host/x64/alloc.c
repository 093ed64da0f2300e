/* Register allocation, and the facts about a block that the other files ask for. See lower.h. */
#include "host/x64/lower.h"

#include <string.h>

static const Reg pool[] = {RAX, RDX, RSI, RBX, RDI, R8, R9, R10, R11, R12, R13};

/* ---- Facts ---- */

static bool is_comparison(IrOpcode op) {
    return op >= IR_EQ && op <= IR_LES;
}

/* Lets a value live at least until op `at`. */
static void use_until(Lower *l, IrVal value, uint32_t at) {
    l->last_use[value] = at > l->last_use[value] ? at : l->last_use[value];
}

/* What one look at all ops tells beside what is in the Lower. The lists are of ops, first to last. */
typedef struct Survey {
    uint8_t *uses; /* per value, 255 is as many or more */
    bool *hot; /* per value: some op needs it on the normal way */
    uint32_t *puts, n_puts; /* into pinned slots */
    uint32_t *users, n_users; /* that may do the work of an operand */
    uint32_t *gets, n_gets; /* that are cold */
} Survey;

/* True if the op leaves the host's flags alone. */
static bool keeps_host_flags(const Lower *l, uint32_t i) {
    const IrOp *op = &l->ir->ops[i];
    unsigned mask;
    switch (op->op) {
    case IR_INSN: case IR_NOP: case IR_CONST: case IR_GET: case IR_PUT:
        return true;
    default:
        return l->cold[i] || l->fused[i] || (ir_sets_flags(op->op, &mask) && !l->eager[i]);
    }
}

/* A comparison, done by op `at`, of what was subtracted just before: the host's flags have its result already. */
static bool follows_sum(Lower *l, IrVal comparison, uint32_t at) {
    const IrOp *compare = &l->ir->ops[comparison];
    for (uint32_t i = at; i-- > 0;) {
        const IrOp *op = &l->ir->ops[i];
        bool same = op->op == IR_SUB && op->type == compare->type && op->a == compare->a && op->b == compare->b;
        if (same && !l->cold[i]) {
            l->after_sum[comparison] = true;
            return true;
        }
        if (!keeps_host_flags(l, i)) {
            return false;
        }
    }
    return false;
}

/* x & y against 0, where nobody else needs x & y: one TEST. */
static void fuse_test(Lower *l, const uint8_t *uses, IrVal comparison, uint32_t at) {
    const IrOp *compare = &l->ir->ops[comparison], *both = &l->ir->ops[compare->a];
    uint64_t zero, constant;
    if (compare->op <= IR_NE && lower_is_const(l, compare->b, &zero) && zero == 0 && both->op == IR_AND &&
        uses[compare->a] == 1 && !lower_is_const(l, both->a, &constant)) {
        l->fused[compare->a] = true;
        use_until(l, both->a, at);
        use_until(l, both->b, at);
    }
}

/* A comparison with one user that branches on it is done there: its operands live on until then. A part that may be
 * skipped must not lie between, since registers change at its end. */
static void fuse(Lower *l, const uint8_t *uses, uint32_t i) {
    const IrOp *op = &l->ir->ops[i];
    if (!is_comparison(l->ir->ops[op->a].op) || uses[op->a] != 1) {
        return;
    }
    for (uint32_t k = op->a; k < i; k++) {
        if (l->ir->ops[k].op == IR_LABEL) {
            return;
        }
    }
    l->fused[op->a] = true;
    if (!follows_sum(l, op->a, i)) {
        fuse_test(l, uses, op->a, i);
        const IrOp *compare = &l->ir->ops[op->a];
        use_until(l, compare->a, i);
        use_until(l, compare->b, i);
    }
}

/* True if the op is a value +- a small constant, which an access can compute. */
static bool is_displaced(const Lower *l, IrVal sum, int32_t *displacement) {
    const IrOp *op = &l->ir->ops[sum];
    uint64_t constant, base;
    if ((op->op != IR_ADD && op->op != IR_SUB) || op->type != IR_I32 || !lower_is_const(l, op->b, &constant) ||
        lower_is_const(l, op->a, &base)) {
        return false;
    }
    *displacement = (int32_t)(uint32_t)(op->op == IR_SUB ? 0 - constant : constant);
    return *displacement >= -X64_DISPLACEMENT_MAX && *displacement <= X64_DISPLACEMENT_MAX;
}

static bool is_access_to(const IrOp *op, IrVal address) {
    return (op->op == IR_LOAD || op->op == IR_STORE) && op->a == address && !(op->op == IR_STORE && op->b == address);
}

/* A displaced address with one user: the access computes it. */
static void fuse_address(Lower *l, const uint8_t *uses, uint32_t i) {
    const IrOp *op = &l->ir->ops[i];
    int32_t displacement;
    if (is_access_to(op, op->a) && uses[op->a] == 1 &&
        is_displaced(l, op->a, &displacement)) {
        l->fused[op->a] = true;
        use_until(l, l->ir->ops[op->a].a, i);
    }
}

static bool uses_value(const IrOp *op, IrVal value) {
    const uint32_t operand[3] = {op->a, op->b, op->c};
    for (unsigned k = 0; k < 3; k++) {
        if (ir_op_info[op->op].operand[k] == IR_OPERAND_VALUE && operand[k] == value) {
            return true;
        }
    }
    return false;
}

/* Base registers that an access updates (push, pop, post-increment): until the PUT of the sum only accesses use it,
 * which compute it themselves; the PUT then adds in the pinned register. Not if anything needs the old value later. */
static void find_late_sum(Lower *l, uint32_t put) {
    const IrOp *op = &l->ir->ops[put];
    int32_t displacement;
    if (l->fused[op->b] || l->cold[op->b] || !is_displaced(l, op->b, &displacement)) {
        return;
    }
    IrVal base = l->ir->ops[op->b].a;
    if (l->ir->ops[base].op != IR_GET || l->ir->ops[base].a != op->a || l->last_use[base] > put) {
        return;
    }
    bool accessed = false;
    for (uint32_t i = base + 1; i < l->last_use[op->b] || i < put; i++) {
        if (l->ir->ops[i].op == IR_SKIP || l->ir->ops[i].op == IR_LABEL) {
            return; /* the PUT may not run */
        }
    }
    for (uint32_t i = base + 1; i < put; i++) {
        const IrOp *between = &l->ir->ops[i];
        bool other_put = between->op == IR_PUT && between->a == op->a;
        if (other_put || (i > op->b && uses_value(between, op->b) && !is_access_to(between, op->b))) {
            return;
        }
        accessed |= between->op == IR_LOAD || between->op == IR_STORE;
    }
    if (accessed) {
        l->fused[op->b] = true;
        l->late[op->b] = put;
        use_until(l, base, put);
    }
}

/* x + (y << 1..3) with one user of the shift: one LEA. */
static void fuse_shift(Lower *l, const uint8_t *uses, uint32_t i) {
    const IrOp *op = &l->ir->ops[i], *shift = &l->ir->ops[op->b];
    uint64_t n, constant;
    if (shift->op != IR_SHL || uses[op->b] != 1 || op->a == op->b ||
        !lower_is_const(l, shift->b, &n) || n < 1 || n > 3 || lower_is_const(l, op->a, &constant) ||
        lower_is_const(l, shift->a, &constant)) {
        return;
    }
    l->fused[op->b] = true;
    use_until(l, shift->a, i);
}

static void find_fused(Lower *l, const Survey *s) {
    for (uint32_t k = 0; k < s->n_users; k++) {
        uint32_t i = s->users[k];
        switch (l->ir->ops[i].op) {
        case IR_LOAD: case IR_STORE: fuse_address(l, s->uses, i); break;
        case IR_ADD: fuse_shift(l, s->uses, i); break;
        default: fuse(l, s->uses, i); break;
        }
    }
}

bool lower_fused_shift(const Lower *l, IrVal value) {
    return l->fused[value] && l->ir->ops[value].op == IR_SHL;
}

IrVal lower_address_base(const Lower *l, IrVal address, int32_t *displacement) {
    if (!l->fused[address] || (l->late[address] && l->at > l->late[address])) {
        *displacement = 0;
        return address;
    }
    is_displaced(l, address, displacement);
    return l->ir->ops[address].a;
}

/* What a value that only cold paths need is made of must live until then. */
static void keep(Lower *l, IrVal value, uint32_t until) {
    const IrOp *op = &l->ir->ops[value];
    const uint32_t operand[3] = {op->a, op->b, op->c};
    if (l->last_use[value] < until) {
        l->last_use[value] = until;
    }
    for (unsigned k = 0; l->cold[value] && k < 3; k++) {
        if (ir_op_info[op->op].operand[k] == IR_OPERAND_VALUE) {
            keep(l, operand[k], until);
        }
    }
}

/* A GET can wait as long as nobody changes its slot. */
static void find_early_gets(Lower *l, const Survey *s) {
    for (uint32_t g = 0; g < s->n_gets; g++) {
        uint32_t i = s->gets[g];
        const IrOp *get = &l->ir->ops[i];
        for (uint32_t k = i + 1; l->cold[i] && k < l->last_use[i]; k++) {
            const IrOp *op = &l->ir->ops[k];
            bool near = op->op == IR_PUT && op->a < get->a + 8 && get->a < op->a + 8;
            l->cold[i] = !near && op->op != IR_CALL && op->op != IR_PUTX;
        }
    }
}

/* Recipes that a fault entry refers to must still be computable there. */
static void keep_recipes(Lower *l, const IrFault *fault) {
    uint32_t kept = IR_NONE;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t recipe = fault->flags[i];
        if (recipe == kept || recipe == IR_NONE || l->eager[recipe] & 1u << i) {
            continue;
        }
        kept = recipe;
        const IrOp *op = &l->ir->ops[recipe];
        const uint32_t operand[3] = {op->a, op->b, op->c};
        for (unsigned k = 0; k < 3; k++) {
            if (ir_op_info[op->op].operand[k] == IR_OPERAND_VALUE) {
                keep(l, operand[k], fault->op);
            }
        }
    }
}

/* From the last entry on: one with the flags of the entry behind it wants nothing that is not kept already. */
static void keep_all_recipes(Lower *l) {
    const IrFault *behind = NULL;
    for (uint32_t i = l->ir->n_faults; i-- > 0;) {
        const IrFault *fault = &l->ir->faults[i];
        if (!behind || memcmp(fault->flags, behind->flags, sizeof fault->flags) != 0) {
            keep_recipes(l, fault);
        }
        behind = fault;
    }
}

/* Flags while ops are looked at from the last one on: those that are read behind, that nothing behind surely sets, that
 * a part which may be skipped, or a call, finds; and how many such parts are open.
 *
 * A block alone stores all that its end shows. In a region only conditions that could not be fused read stored flags;
 * edges and exits compute recipes, and what the flags are at the end is told by an entry like that of a fault, at the
 * last op. Where a part begins or ends flags are stored in any case: a fault entry behind can name no recipe. */
typedef struct FlagsBack {
    unsigned live, open, found, depth;
} FlagsBack;

static void note_setter(Lower *l, FlagsBack *f, uint32_t i, unsigned mask) {
    l->eager[i] = (uint8_t)(mask & (f->found | (l->region ? f->live : l->ir->ops[i].n)));
    f->found &= ~mask;
    f->live &= f->depth ? ~0u : ~mask;
    for (unsigned set = mask & f->open; set; set &= set - 1) {
        l->end.flags[__builtin_ctz(set)] = i;
    }
    f->open &= ~mask;
}

static void note_part(FlagsBack *f, uint8_t op) {
    f->depth += op == IR_LABEL ? 1 : op == IR_SKIP ? -1u : 0;
    f->open = op == IR_CALL ? f->open : 0; /* what is before may not have run */
    f->found = 0xf;
}

/* Pure values that only flag recipes use which no code computes on the normal way are cold: they are made where the
 * block is left. True if the op needs its operands on the normal way. */
static inline bool is_hot(Lower *l, Survey *s, const IrOp *op, uint32_t i) {
    if (ir_flags_set[op->op]) {
        return l->eager[i];
    }
    bool pure = ir_op_info[op->op].traits & IR_TRAIT_PURE || op->op == IR_GET;
    bool waits = pure && op->op != IR_CONST && !s->hot[i];
    bool late = i >= l->late_check && (op->op == IR_TRAP_IF || op->op == IR_GOTO_IND);
    l->cold[i] = waits;
    return !waits && !late;
}

static inline void note_use(Lower *l, Survey *s, IrVal value, uint32_t at, bool hot) {
    if (value != IR_NONE) {
        l->last_use[value] = l->last_use[value] ? l->last_use[value] : at;
        s->uses[value] += s->uses[value] < 255;
        s->hot[value] |= hot;
    }
}

static inline void note_uses(Lower *l, Survey *s, const IrOp *op, uint32_t at, bool hot) {
    unsigned values = ir_op_info[op->op].values;
    if (values & 1) {
        note_use(l, s, op->a, at, hot);
    }
    if (values & 2) {
        note_use(l, s, op->b, at, hot);
    }
    if (values & 4) {
        note_use(l, s, op->c, at, hot);
    }
}

/* From the last op on. */
static void survey_ops(Lower *l, Survey *s) {
    const IrOp *ops = l->ir->ops;
    uint32_t n = l->ir->n_ops, *puts = s->puts + n, *users = s->users + n, *gets = s->gets + n;
    FlagsBack flags = {.open = 0xf};
    for (uint32_t i = n; i-- > 0;) {
        const IrOp *op = &ops[i];
        switch (op->op) {
        case IR_SKIP:
            *--users = i;
            /* fallthrough */
        case IR_LABEL: case IR_CALL: note_part(&flags, op->op); break;
        case IR_COND: flags.live |= ir_cond_reads(op->a); break;
        case IR_PUT:
            *(puts - 1) = i;
            puts -= lower_pinned(l, op->a, op->type) >= 0;
            break;
        case IR_GOTO_IF: case IR_TRAP_IF: case IR_SELECT: case IR_LOAD: case IR_STORE: *--users = i; break;
        case IR_ADD:
            *(users - 1) = i;
            users -= ops[op->b].op == IR_SHL;
            break;
        default:
            if (ir_flags_set[op->op]) {
                note_setter(l, &flags, i, ir_flags_set[op->op]);
            }
        }
        note_uses(l, s, op, i, is_hot(l, s, op, i));
        *(gets - 1) = i;
        gets -= l->cold[i] && op->op == IR_GET;
    }
    s->n_puts = (uint32_t)(s->puts + n - puts);
    s->n_users = (uint32_t)(s->users + n - users);
    s->n_gets = (uint32_t)(s->gets + n - gets);
    s->puts = puts;
    s->users = users;
    s->gets = gets;
}

/* A value that goes into a pinned slot can be computed right there if nothing in between sees the old one. */
static void find_targets(Lower *l, const Survey *s) {
    for (uint32_t p = 0; p < s->n_puts; p++) {
        const IrOp *op = &l->ir->ops[s->puts[p]], *value = &l->ir->ops[op->b];
        bool pinned = value->op == IR_GET && lower_pinned(l, value->a, value->type) >= 0, clear = true;
        if (pinned || value->op == IR_CONST || l->target[op->b]) {
            continue;
        }
        for (uint32_t i = op->b + 1; clear && i < s->puts[p]; i++) {
            const IrOp *between = &l->ir->ops[i];
            bool same_slot = (between->op == IR_GET || between->op == IR_PUT) && between->a == op->a;
            bool forks = between->op == IR_GOTO_IF || between->op == IR_SKIP || between->op == IR_LABEL;
            clear = !same_slot && !forks && !(ir_op_info[between->op].traits & IR_TRAIT_FAULT);
        }
        l->target[op->b] = clear ? (uint8_t)(lower_pinned(l, op->a, op->type) + 1) : 0;
    }
}

/* All that is known about the block's values: what is 0 at first, then what has all bits set. */
static void make_room(Lower *l, Survey *s) {
    size_t n = (l->ir->n_ops + 3) & ~(size_t)3, n_zero = 22 * n, n_ones = 5 * n;
    uint8_t *room = arena_alloc_raw(l->arena, n_zero + n_ones);
    memset(room, 0, n_zero);
    memset(room + n_zero, 0xff, n_ones);
    l->last_use = (uint32_t *)(void *)room;
    l->late = (uint32_t *)(void *)(room + 4 * n);
    l->spilled_by = (uint32_t *)(void *)(room + 8 * n);
    l->spill = (uint16_t *)(void *)(room + 12 * n);
    l->fused = (bool *)(room + 14 * n);
    l->after_sum = (bool *)(room + 15 * n);
    l->cold = (bool *)(room + 16 * n);
    l->aligned = room + 17 * n;
    l->eager = room + 18 * n;
    l->target = room + 19 * n;
    l->spilled_at = (uint32_t *)(void *)(room + n_zero);
    l->reg = room + n_zero + 4 * n;
    s->uses = room + 20 * n;
    s->hot = (bool *)(room + 21 * n);
    s->puts = ARENA_ARRAY_RAW(l->arena, uint32_t, 3 * n);
    s->users = s->puts + n;
    s->gets = s->puts + 2 * n;
}
_Static_assert(NO_REG == 0xff, "all bits set");

void lower_prepare(Lower *l) {
    uint32_t n = l->ir->n_ops;
    Survey s = {0};
    make_room(l, &s);
    l->end = (IrFault){.op = n - 1, .flags = {IR_NONE, IR_NONE, IR_NONE, IR_NONE}};
    survey_ops(l, &s);
    find_fused(l, &s);
    if (l->region) {
        keep_recipes(l, &l->end);
    }
    if (l->late_check != IR_NONE) {
        keep(l, l->ir->ops[l->late_check].a, n - 1);
        keep(l, l->ir->ops[n - 1].a, n - 1);
    }
    find_targets(l, &s);
    keep_all_recipes(l);
    find_early_gets(l, &s);
    for (uint32_t p = 0; p < s.n_puts; p++) {
        find_late_sum(l, s.puts[p]);
    }
    lower_forget(l);
    l->sum = l->cold_for = IR_NONE;
}

/* ---- Registers ---- */

static Mem spill_slot(const Lower *l, IrVal value) {
    return asm_at(RSP, 8 * (l->spill[value] - 1));
}

/* On the path that is being written: what the main path spills behind the place where this one leaves it is not spilled
 * here. At that op itself all spilling comes before the jump. */
static bool is_spilled(const Lower *l, IrVal value) {
    if (!l->path) {
        return l->spilled_at[value] != UINT32_MAX;
    }
    bool before = l->spilled_at[value] != UINT32_MAX && l->spilled_at[value] <= l->path_from;
    uint32_t by = l->spilled_by[value];
    return before || by == l->path || (by && by == l->path_parent);
}

static void store_spill(Lower *l, IrVal value) {
    uint64_t constant;
    if (is_spilled(l, value) || lower_is_const(l, value, &constant)) {
        return;
    }
    if (!l->spill[value]) {
        if (l->n_spills == X64_SPILLS_MAX) {
            l->a->full = true; /* the block is left to the interpreter */
            return;
        }
        l->spill[value] = (uint16_t)++l->n_spills;
    }
    if (l->path) {
        l->spilled_by[value] = l->path;
    } else {
        l->spilled_at[value] = l->cold_for != IR_NONE ? l->cold_for : l->at;
    }
    asm_store(l->a, 64, spill_slot(l, value), l->reg[value]);
}

bool lower_holds(const Lower *l, Reg reg) {
    return l->held[reg] != IR_NONE && l->last_use[l->held[reg]] >= l->at;
}

/* A register that the current op does not need: a free one, or that of the value whose last use is furthest. */
static Reg take(Lower *l) {
    Reg best = NO_REG;
    if (l->quick) {
        best = lower_take_free(l);
        best = best != NO_REG ? best : lower_quick_evict(l);
        l->held[best] = IR_NONE;
        return best;
    }
    for (size_t i = 0; i < ARRAY_LEN(pool); i++) {
        Reg reg = pool[i];
        if ((l->pinned | l->reserved) & 1u << reg) {
            continue;
        }
        if (!lower_holds(l, reg)) {
            lower_drop(l, reg);
            return reg;
        }
        if (best == NO_REG || l->last_use[l->held[reg]] > l->last_use[l->held[best]]) {
            best = reg;
        }
    }
    if (best == NO_REG) {
        l->a->full = true; /* an op that needs more registers than there are: the region is given up */
        return RAX;
    }
    store_spill(l, l->held[best]);
    lower_drop(l, best);
    return best;
}

/* Makes a late sum; the host's flags stay. */
static Reg make_late(Lower *l, IrVal value) {
    int32_t displacement;
    is_displaced(l, value, &displacement);
    Reg base = lower_use(l, l->ir->ops[value].a), reg = lower_borrow(l);
    asm_lea(l->a, false, reg, asm_at(base, displacement));
    lower_hold(l, reg, value);
    return reg;
}

/* Makes a cold value here, with the registers that the current op needs kept. */
static Reg make_cold(Lower *l, IrVal value) {
    uint32_t at = l->at, pinned = l->pinned, outer = l->cold_for;
    l->cold_for = outer == IR_NONE ? at : outer;
    l->at = value; /* nothing that it uses is used there for the last time */
    if (l->ir->ops[value].op == IR_GET) {
        lower_get(l, &l->ir->ops[value]);
    } else {
        lower_pure(l, &l->ir->ops[value]);
    }
    l->sum = IR_NONE;
    l->at = at;
    l->cold_for = outer;
    l->pinned = pinned | 1u << l->reg[value];
    return l->reg[value];
}

Reg lower_use(Lower *l, IrVal value) {
    uint64_t constant;
    Reg reg = l->reg[value];
    if (reg < REG_COUNT && (!l->quick || l->held[reg] == value)) {
        l->pinned |= 1u << reg;
        return reg;
    }
    if (l->quick) {
        return lower_quick_make(l, value);
    }
    if (!is_spilled(l, value) && (l->cold[value] || l->late[value])) {
        return l->cold[value] ? make_cold(l, value) : make_late(l, value);
    }
    reg = take(l);
    if (lower_is_const(l, value, &constant)) {
        asm_mov_imm(l->a, reg, constant);
    } else {
        assert(is_spilled(l, value) || l->code->hot.full || l->code->cold.full);
        asm_load(l->a, 64, false, true, reg, spill_slot(l, value));
    }
    lower_hold(l, reg, value);
    return reg;
}

/* The pinned register that the value is going to be put into, if what it stands for now is not needed any more:
 * `needed_until` is the op up to which an old value would still be in the way. */
static Reg target_of(Lower *l, IrVal value, uint32_t needed_until) {
    if (!l->region || !l->target[value]) {
        return NO_REG;
    }
    unsigned k = l->target[value] - 1u;
    IrVal old = l->alias[k];
    if (old != IR_NONE && old != value && l->last_use[old] >= needed_until) {
        return NO_REG;
    }
    if (old != IR_NONE) {
        l->reg[old] = NO_REG;
    }
    l->alias[k] = value;
    l->reg[value] = (uint8_t)l->region->pinned[k].reg;
    l->pinned |= 1u << l->reg[value];
    return l->reg[value];
}

/* True if the op is one host instruction that reads its operands before it writes its result, so that the result may
 * take the place of an operand. (A load that faults writes nothing.) */
static bool reads_first(const Lower *l, const IrOp *op) {
    switch (op->op) {
    case IR_LOAD: case IR_SEXT8: case IR_SEXT16: case IR_ZEXT8: case IR_ZEXT16: case IR_TRUNC:
        return true;
    default:
        return op->op == IR_ADD && lower_fused_shift(l, op->b);
    }
}

Reg lower_define(Lower *l, IrVal value) {
    Reg reg = target_of(l, value, l->at + reads_first(l, &l->ir->ops[value]));
    if (reg == NO_REG) {
        reg = take(l);
        lower_hold(l, reg, value);
    }
    return reg;
}

Reg lower_define_copy(Lower *l, IrVal value, IrVal source) {
    uint64_t constant;
    if (lower_is_const(l, source, &constant)) {
        Reg reg = lower_define(l, value);
        asm_mov_imm(l->a, reg, constant);
        return reg;
    }
    Reg from = lower_use(l, source);
    bool dies = !lower_lives_on(l, source), in_pool = l->held[from] == source;
    unsigned k = l->region && l->target[value] ? l->target[value] - 1u : X64_PINNED_MAX;
    if (dies && k < X64_PINNED_MAX && l->alias[k] == source) {
        return target_of(l, value, l->at + 1); /* in place, in its pinned register */
    }
    if (dies && in_pool) {
        lower_hold(l, from, value);
        return from;
    }
    Reg reg = lower_define(l, value);
    asm_mov(l->a, ir_result_type(&l->ir->ops[source]) == IR_I64, reg, from);
    return reg;
}

/* ---- Pinned slots of a region ---- */

int lower_pinned(const Lower *l, uint32_t slot, IrType type) {
    const RegionLower *r = l->region;
    int k = r && type == IR_I32 ? r->pinned_at[slot / 4 % ARRAY_LEN(r->pinned_at)] : 0;
    while (k && r->pinned[k - 1].slot != slot) {
        k--;
    }
    return k - 1;
}

void lower_get_pinned(Lower *l, unsigned index) {
    Reg reg = l->region->pinned[index].reg;
    IrVal old = l->alias[index];
    if (old != IR_NONE && l->last_use[old] > l->at) {
        asm_mov(l->a, false, lower_define(l, l->at), reg);
        return;
    }
    if (old != IR_NONE) {
        l->reg[old] = NO_REG;
    }
    l->alias[index] = l->at;
    l->reg[l->at] = (uint8_t)reg;
}

/* The PUT of a late sum: adds in the pinned register, with LEA since the host's flags may be wanted. */
static bool put_late_sum(Lower *l, unsigned index, IrVal value) {
    Reg reg = l->region->pinned[index].reg;
    IrVal base = l->ir->ops[value].a;
    int32_t displacement;
    if (!l->late[value] || l->alias[index] != base || l->last_use[base] > l->at || l->slow_mode) {
        return false;
    }
    is_displaced(l, value, &displacement);
    asm_lea(l->a, false, reg, asm_at(reg, displacement));
    l->reg[base] = NO_REG;
    l->alias[index] = value;
    l->reg[value] = (uint8_t)reg;
    return true;
}

void lower_put_pinned(Lower *l, unsigned index, IrVal value) {
    Reg to = l->region->pinned[index].reg;
    IrVal old = l->alias[index];
    uint64_t constant;
    if (old == value || put_late_sum(l, index, value)) {
        return;
    }
    if (l->late[value]) {
        lower_use(l, value); /* before its base moves */
    }
    if (old != IR_NONE) {
        l->reg[old] = NO_REG;
        l->alias[index] = IR_NONE;
        if (l->last_use[old] > l->at) {
            Reg moved = take(l);
            asm_mov(l->a, false, moved, to);
            lower_hold(l, moved, old);
        }
    }
    if (lower_is_const(l, value, &constant)) {
        asm_mov_imm(l->a, to, (uint32_t)constant);
        return;
    }
    Reg from = lower_use(l, value);
    asm_mov(l->a, false, to, from);
    if (l->held[from] == value) {
        lower_drop(l, from);
        l->alias[index] = value;
        l->reg[value] = (uint8_t)to;
    }
}


Reg lower_borrow(Lower *l) {
    Reg reg = take(l);
    l->pinned |= 1u << reg;
    return reg;
}


void lower_spill_all(Lower *l) {
    for (size_t i = 0; i < ARRAY_LEN(pool); i++) {
        IrVal value = l->held[pool[i]];
        if (value != IR_NONE && l->last_use[value] > l->at) {
            store_spill(l, value);
        }
    }
    for (unsigned k = 0; l->region && k < l->region->n_pinned; k++) {
        if (l->alias[k] != IR_NONE && l->last_use[l->alias[k]] > l->at) {
            store_spill(l, l->alias[k]);
        }
    }
}

void lower_forget(Lower *l) {
    l->sum = IR_NONE;
    for (; l->busy; l->busy &= l->busy - 1) {
        unsigned reg = (unsigned)__builtin_ctz(l->busy);
        l->reg[l->held[reg]] = NO_REG;
        l->held[reg] = IR_NONE;
    }
    for (unsigned k = 0; l->region && k < l->region->n_pinned; k++) {
        if (l->alias[k] != IR_NONE) {
            l->reg[l->alias[k]] = NO_REG;
        }
        l->alias[k] = IR_NONE;
    }
    l->pinned = 0;
}

void lower_remember(const Lower *l, Values *values) {
    memcpy(values->held, l->held, sizeof values->held);
    memcpy(values->alias, l->alias, sizeof values->alias);
    values->busy = l->busy;
}

void lower_restore(Lower *l, const Values *values) {
    lower_forget(l);
    memcpy(l->alias, values->alias, sizeof l->alias);
    for (unsigned k = 0; l->region && k < l->region->n_pinned; k++) {
        if (l->alias[k] != IR_NONE) {
            l->reg[l->alias[k]] = (uint8_t)l->region->pinned[k].reg;
        }
    }
    for (uint32_t busy = values->busy; busy; busy &= busy - 1) {
        unsigned reg = (unsigned)__builtin_ctz(busy);
        l->held[reg] = values->held[reg];
        l->reg[l->held[reg]] = (uint8_t)reg;
    }
    l->busy = values->busy;
}

void lower_path_begin(Lower *l, uint32_t from) {
    l->path = ++l->n_paths;
    l->path_parent = 0;
    l->path_from = from;
}

void lower_side_begin(Lower *l, Side *side) {
    lower_remember(l, &side->values);
    side->path = l->path;
    side->path_parent = l->path_parent;
    side->path_from = l->path_from;
    l->path_parent = l->path;
    l->path_from = l->path ? l->path_from : l->at;
    l->path = ++l->n_paths;
}

void lower_side_end(Lower *l, const Side *side) {
    lower_restore(l, &side->values);
    l->path = side->path;
    l->path_parent = side->path_parent;
    l->path_from = side->path_from;
}
