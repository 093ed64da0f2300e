/* Blocks inside a region: what the flags are where one begins is known from the block before it, as flag ops over the
 * state there. Those ops are put in front of the block, and the passes then treat them as its own: conditions fuse
 * with comparisons that another block made, and nobody stores flags from block to block. */
#include <string.h>

#include "ir/ir.h"

enum { DEPTH_MAX = 3 }; /* of what an operand is made of */

/* ---- What the flags are at the end ---- */

typedef struct End {
    const IrBlock *block;
    IrEntry *entry;
    IrShadows *shadows;
    uint32_t current[4]; /* per N Z C V: the last op that sets it, or IR_NONE */
} End;

static bool overlap(const IrOp *x, const IrOp *y) {
    uint32_t x_bytes = x->type == IR_I64 ? 8 : 4, y_bytes = y->type == IR_I64 ? 8 : 4;
    return x->a < y->a + y_bytes && y->a < x->a + x_bytes;
}

/* True if the slot of a GET or PUT still has at the end what it had at op `at`. */
static bool slot_lasts(const IrBlock *block, uint32_t at) {
    const IrOp *op = &block->ops[at];
    for (uint32_t i = at + 1; i < block->n_ops; i++) {
        const IrOp *later = &block->ops[i];
        bool unknown = later->op == IR_PUTX || later->op == IR_CALL || later->op == IR_SKIP;
        if (unknown || (later->op == IR_PUT && overlap(later, op))) {
            return false;
        }
    }
    return true;
}

static IrVal add(IrEntry *entry, IrOp op) {
    for (uint32_t i = 0; i < entry->n; i++) {
        if (memcmp(&entry->ops[i], &op, sizeof op) == 0) {
            return i;
        }
    }
    if (entry->n == IR_ENTRY_OPS_MAX) {
        return IR_NONE;
    }
    entry->ops[entry->n] = op;
    return entry->n++;
}

/* The value as a GET of the slot that holds it at the end, or IR_NONE. */
static IrVal from_slot(End *e, IrVal value) {
    const IrBlock *block = e->block;
    for (uint32_t i = block->n_ops; i-- > value;) {
        const IrOp *op = &block->ops[i];
        bool holds = (op->op == IR_GET && i == value) || (op->op == IR_PUT && op->b == value);
        if (holds && op->a < IR_SHADOW_SLOT && slot_lasts(block, i)) {
            return add(e->entry, (IrOp){.op = IR_GET, .type = op->type, .a = op->a});
        }
    }
    return IR_NONE;
}

static uint32_t shadow_slot(unsigned k) {
    return IR_SHADOW_SLOT + k * IR_SHADOW_BYTES;
}

/* The shadow slot for a value: one that it has, that it came in, or a free one; IR_SHADOWS if all are taken. */
static unsigned find_shadow(const End *e, IrVal value) {
    const IrOp *op = &e->block->ops[value];
    unsigned free = IR_SHADOWS;
    for (unsigned k = IR_SHADOWS; k-- > 0;) {
        if (e->shadows->value[k] == value) {
            return k;
        }
        if (e->shadows->value[k] == IR_NONE) {
            free = free != IR_SHADOWS && op->op == IR_GET && op->a == shadow_slot(free) ? free : k;
        }
    }
    return free;
}

static IrVal from_shadow(End *e, IrVal value) {
    unsigned k = find_shadow(e, value);
    if (k == IR_SHADOWS) {
        return IR_NONE;
    }
    e->shadows->value[k] = value;
    return add(e->entry, (IrOp){.op = IR_GET, .type = (uint8_t)ir_result_type(&e->block->ops[value]),
                                .a = shadow_slot(k)});
}

/* The value as ops over the state at the end; IR_NONE if it is lost there. */
static IrVal express(End *e, IrVal value, unsigned depth) {
    IrOp op = e->block->ops[value];
    if (op.op == IR_CONST) {
        return add(e->entry, op);
    }
    IrVal held = from_slot(e, value);
    if (held != IR_NONE || depth == 0 || !(ir_op_info[op.op].traits & IR_TRAIT_PURE)) {
        return held;
    }
    uint32_t *operand[3] = {&op.a, &op.b, &op.c};
    for (unsigned k = 0; k < 3; k++) {
        if (ir_op_info[op.op].operand[k] == IR_OPERAND_VALUE) {
            *operand[k] = express(e, *operand[k], depth - 1);
            if (*operand[k] == IR_NONE) {
                return IR_NONE;
            }
        }
    }
    return add(e->entry, op);
}

static bool express_flag_op(End *e, uint32_t index) {
    IrOp op = e->block->ops[index];
    uint32_t *operand[3] = {&op.a, &op.b, &op.c};
    for (unsigned k = 0; k < 3; k++) {
        if (ir_op_info[op.op].operand[k] == IR_OPERAND_VALUE) {
            IrVal value = *operand[k];
            *operand[k] = express(e, value, DEPTH_MAX);
            if (*operand[k] == IR_NONE) {
                *operand[k] = from_shadow(e, value);
            }
            if (*operand[k] == IR_NONE) {
                return false;
            }
        }
    }
    op.n = 0;
    return add(e->entry, op) != IR_NONE;
}

/* The flag op that comes next behind `at`, of those that hold for a flag; IR_NONE behind the last. */
static uint32_t next_flag_op(const End *e, uint32_t at) {
    uint32_t next = IR_NONE;
    for (unsigned k = 0; k < 4; k++) {
        bool behind = e->current[k] != IR_NONE && (at == IR_NONE || e->current[k] > at);
        next = behind && e->current[k] < next ? e->current[k] : next;
    }
    return next;
}

/* Flag ops that hold for some wanted flag, first to last; one that also set a flag which must come from elsewhere is
 * left out, since it would hide that flag. */
static unsigned express_flags(End *e, unsigned wanted) {
    unsigned known = 0, sets;
    for (uint32_t i = next_flag_op(e, IR_NONE); i != IR_NONE; i = next_flag_op(e, i)) {
        unsigned holds = 0, stale = 0;
        ir_sets_flags(e->block->ops[i].op, &sets);
        for (unsigned k = 0; k < 4; k++) {
            holds |= e->current[k] == i ? 1u << k : 0;
            stale |= sets & 1u << k && e->current[k] != i ? 1u << k : 0;
        }
        holds &= wanted;
        if (!holds) {
            continue;
        }
        uint32_t n = e->entry->n;
        if (!express_flag_op(e, i)) {
            e->entry->n = n;
            continue;
        }
        e->entry->hidden |= stale & wanted;
        known |= holds;
    }
    return known;
}

unsigned ir_flags_at_end(const IrBlock *block, unsigned wanted, IrEntry *entry, IrShadows *shadows) {
    End e = {.block = block, .entry = entry, .shadows = shadows, .current = {IR_NONE, IR_NONE, IR_NONE, IR_NONE}};
    *entry = (IrEntry){0};
    for (uint32_t i = 0; i < block->n_ops; i++) {
        uint8_t op = block->ops[i].op;
        if (op == IR_CALL || op == IR_SKIP) {
            return 0;
        }
        for (unsigned sets = ir_flags_set[op]; sets; sets &= sets - 1) {
            e.current[__builtin_ctz(sets)] = i;
        }
    }
    unsigned known = express_flags(&e, wanted);
    if (entry->hidden & ~known) {
        *entry = (IrEntry){0}; /* rare: all of them come from the state */
        return 0;
    }
    return known;
}

void ir_put_shadows(IrBlock *block, const IrShadows *shadows, Arena *arena) {
    uint32_t at = block->n_ops - 1, n = 0;
    bool any = false;
    for (unsigned k = 0; k < IR_SHADOWS; k++) {
        any |= shadows->value[k] != IR_NONE;
    }
    if (!any) {
        return;
    }
    for (uint32_t i = 0; i < block->n_ops; i++) {
        at = block->ops[i].op == IR_GOTO_IF ? i : at;
    }
    IrOp *ops = ARENA_ARRAY_RAW(arena, IrOp, block->n_ops + IR_SHADOWS);
    memcpy(ops, block->ops, at * sizeof *ops);
    for (unsigned k = 0; k < IR_SHADOWS; k++) {
        IrVal value = shadows->value[k];
        if (value == IR_NONE || (ops[value].op == IR_GET && ops[value].a == shadow_slot(k))) {
            continue;
        }
        ops[at + n++] = (IrOp){.op = IR_PUT, .type = (uint8_t)ir_result_type(&ops[value]), .n = IR_LIVE_HOT,
                               .a = shadow_slot(k), .b = value};
    }
    for (uint32_t i = at; i < block->n_ops; i++) {
        IrOp op = block->ops[i];
        uint32_t *operand[3] = {&op.a, &op.b, &op.c};
        for (unsigned k = 0; k < 3; k++) {
            bool value = ir_op_info[op.op].operand[k] == IR_OPERAND_VALUE;
            *operand[k] += value && *operand[k] != IR_NONE && *operand[k] >= at ? n : 0;
        }
        ops[i + n] = op;
    }
    block->ops = ops;
    block->n_ops += n;
}

unsigned ir_flags_needed(const IrBlock *block) {
    unsigned needs = 0, set = 0, mask, depth = 0;
    for (uint32_t i = 0; i < block->n_ops && set != 0xf; i++) {
        const IrOp *op = &block->ops[i];
        if (op->op == IR_COND) {
            needs |= ir_cond_reads(op->a) & ~set;
        } else if (ir_op_info[op->op].operand[2] == IR_OPERAND_FAULT) {
            needs |= 0xfu & ~set;
        } else if (ir_sets_flags(op->op, &mask)) {
            set |= depth ? 0 : mask;
        } else if (op->op == IR_SKIP || op->op == IR_LABEL) {
            depth += op->op == IR_SKIP ? 1 : -1u; /* what may be skipped sets nothing for sure */
        }
    }
    return needs | (0xfu & ~set);
}

/* ---- The block behind it ---- */

/* True if an operand names an op. */
static bool moves(uint8_t kind, uint32_t operand) {
    return (kind == IR_OPERAND_VALUE && operand != IR_NONE) || kind == IR_OPERAND_LABEL;
}

/* Conditions of the block may fuse with flag ops of the entry. */
static IrBlock with_ops(const IrBlock *block, const IrEntry *entry, Arena *arena) {
    IrBlock made = *block;
    made.n_ops = entry->n + block->n_ops;
    made.ops = ARENA_ARRAY_RAW(arena, IrOp, made.n_ops);
    memcpy(made.ops, entry->ops, entry->n * sizeof *made.ops);
    for (uint32_t i = 0; i < block->n_ops; i++) {
        IrOp op = block->ops[i];
        const uint8_t *kind = ir_op_info[op.op].operand;
        op.a += moves(kind[0], op.a) ? entry->n : 0;
        op.b += moves(kind[1], op.b) ? entry->n : 0;
        op.c += moves(kind[2], op.c) ? entry->n : 0;
        made.ops[entry->n + i] = op;
    }
    made.n_faults = 0;
    ir_finish_in_region(&made, arena);
    return made;
}

/* ---- The same without passes, where the block only passes the flags on ----
 *
 * Most versions of a block differ by nothing but what is computed where they are left. */

/* No condition reads flags that came with the entry, nor may any part be skipped. */
static bool only_passes_flags(const IrBlock *block) {
    for (uint32_t i = 0; i < block->n_ops; i++) {
        uint8_t op = block->ops[i].op;
        if (op == IR_COND || op == IR_SKIP || op == IR_LABEL || op == IR_CALL) {
            return false;
        }
    }
    return true;
}

/* An entry that is put in front of a block. */
typedef struct Front {
    const IrEntry *entry;
    bool needed[IR_ENTRY_OPS_MAX];
    uint32_t new_of[IR_ENTRY_OPS_MAX];
    uint32_t recipe[4]; /* per N Z C V: the entry's op that tells it last, or IR_NONE; by old number */
    unsigned hot, cold; /* flags that the block passes on to its end; that it needs where it is left */
    uint64_t words; /* of the state, modulo 64, of which the entry's ops that are needed get something */
} Front;

/* The flags that can be seen before the block sets them, as ir_pass_liveness has it. */
static void find_passed(Front *f, const IrBlock *block) {
    unsigned open = 0xf, mask;
    for (uint32_t i = 0; i < block->n_ops && open; i++) {
        const IrOp *op = &block->ops[i];
        uint8_t traits = ir_op_info[op->op].traits;
        if (op->op == IR_GOTO_IF || traits & IR_TRAIT_END) {
            f->hot |= open;
            f->cold |= open;
        } else if (traits & IR_TRAIT_FAULT) {
            f->cold |= open;
        } else if (ir_sets_flags(op->op, &mask)) {
            open &= ~mask;
        }
    }
}

/* Which of the entry's ops something needs; its flag ops are told who. */
static void find_needed(Front *f, IrOp *ops) {
    unsigned hot = f->hot, cold = f->cold, mask;
    for (uint32_t i = f->entry->n; i-- > 0;) {
        IrOp *op = &ops[i];
        const uint32_t operand[3] = {op->a, op->b, op->c};
        if (ir_sets_flags(op->op, &mask)) {
            op->n = (uint16_t)((hot & mask) | (cold & mask) << 4);
            f->needed[i] = op->n != 0;
            hot &= ~mask;
            cold &= ~mask;
        }
        for (unsigned k = 0; f->needed[i] && k < 3; k++) {
            if (ir_op_info[op->op].operand[k] == IR_OPERAND_VALUE) {
                f->needed[operand[k]] = true;
            }
        }
    }
    for (uint32_t i = 0; i < f->entry->n; i++) {
        ir_sets_flags(ops[i].op, &mask);
        for (unsigned k = 0; f->needed[i] && k < 4; k++) {
            f->recipe[k] = mask & 1u << k ? i : f->recipe[k];
        }
    }
}

/* The words of the state, modulo 64, that a GET or PUT touches. */
static uint64_t words_of(const IrOp *op) {
    uint64_t first = UINT64_C(1) << op->a / 4 % 64;
    if (LIKELY(op->type == IR_I32 && op->a % 4 == 0)) {
        return first;
    }
    return first | first << 1 | first >> 63 | first << 2 | first >> 62;
}

static uint32_t put_entry(Front *f, IrOp *to) {
    IrOp ops[IR_ENTRY_OPS_MAX];
    uint32_t n = 0;
    memcpy(ops, f->entry->ops, f->entry->n * sizeof *ops);
    find_needed(f, ops);
    for (uint32_t i = 0; i < f->entry->n; i++) {
        f->new_of[i] = n;
        if (f->needed[i]) {
            f->words |= ops[i].op == IR_GET ? words_of(&ops[i]) : 0;
            to[n++] = ir_renumbered(ops[i], f->new_of);
        }
    }
    return n;
}

/* The entry's GET that a GET of the block repeats, as a new number; IR_NONE if it does not. */
static IrVal find_get(const IrOp *front, uint32_t n, uint32_t changed, const IrOp *get) {
    for (uint32_t i = 0; i < n; i++) {
        if (front[i].op == IR_GET && front[i].a == get->a && front[i].type == get->type && !(changed & 1u << i)) {
            return i;
        }
    }
    return IR_NONE;
}

/* GETs of the entry, as a set, that have other values behind a PUT. */
static uint32_t find_changed(const IrOp *front, uint32_t n, const IrOp *put) {
    uint32_t changed = 0;
    for (uint32_t i = 0; i < n; i++) {
        changed |= front[i].op == IR_GET && overlap(&front[i], put) ? 1u << i : 0;
    }
    return changed;
}

static void put_faults(IrBlock *made, const Front *f, const IrFault *from, const uint32_t *new_of, Arena *arena) {
    made->faults = ARENA_ARRAY_RAW(arena, IrFault, made->n_faults ? made->n_faults : 1);
    for (uint32_t i = 0; i < made->n_faults; i++) {
        IrFault *to = &made->faults[i];
        *to = from[i];
        to->op = new_of[to->op];
        for (unsigned k = 0; k < 4; k++) {
            uint32_t own = to->flags[k], before = f->recipe[k];
            to->flags[k] = own != IR_NONE ? new_of[own] : before != IR_NONE ? f->new_of[before] : IR_NONE;
        }
    }
}

static IrBlock with_front(const IrBlock *block, const IrEntry *entry, Arena *arena) {
    Front f = {.entry = entry, .recipe = {IR_NONE, IR_NONE, IR_NONE, IR_NONE}};
    IrBlock made = *block;
    uint32_t *new_of = ARENA_ARRAY_RAW(arena, uint32_t, block->n_ops), changed = 0;
    made.ops = ARENA_ARRAY_RAW(arena, IrOp, entry->n + block->n_ops);
    find_passed(&f, block);
    uint32_t n_front = put_entry(&f, made.ops), n = n_front;
    for (uint32_t i = 0; i < block->n_ops; i++) {
        const IrOp *op = &block->ops[i];
        bool state = op->op == IR_GET || op->op == IR_PUT, near = state && words_of(op) & f.words;
        IrVal same = near && op->op == IR_GET ? find_get(made.ops, n_front, changed, op) : IR_NONE;
        new_of[i] = same != IR_NONE ? same : n;
        if (same == IR_NONE) {
            made.ops[n++] = ir_renumbered(*op, new_of);
            changed |= near && op->op == IR_PUT ? find_changed(made.ops, n_front, op) : 0;
        }
    }
    made.n_ops = n;
    put_faults(&made, &f, block->faults, new_of, arena);
    return made;
}

IrBlock ir_with_entry(const IrBlock *block, const IrEntry *entry, Arena *arena) {
    if (entry->n == 0) {
        return *block;
    }
    return only_passes_flags(block) ? with_front(block, entry, arena) : with_ops(block, entry, arena);
}
