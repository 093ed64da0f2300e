/* The IR around its ops: what the builder infers, one violation for each rule of the verifier, exact counting at every
 * way out of a block, fault entries, hooks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "ir_rig.h"

/* ---- Builder ---- */

static void builder_infers_types_and_counts(void **state) {
    Arena arena = {0};
    IrBuilder b;
    (void)state;
    ir_begin(&b, &arena, (IrLoc){.pc = 0x100, .aux = 3});
    ir_insn(&b, 2, 1, 7, 3);
    IrVal x = ir_get(&b, IR_I32, 4), wide = ir_op1(&b, IR_SEXT32, x);
    ir_put(&b, 8, ir_op2i(&b, IR_ADD, wide, UINT64_C(0x123456789)));
    ir_insn_done(&b, 3);
    ir_insn(&b, 4, 0, 8, 3);
    IrVal greater = ir_cond(&b, IR_COND_GT);
    ir_put(&b, 4, ir_select(&b, greater, x, ir_op1(&b, IR_HIGH, wide)));
    ir_store(&b, IR_MEM_16, ir_load(&b, IR_I32, IR_MEM_8 | IR_MEM_SIGNED, x), wide);
    ir_insn_done(&b, 5);
    assert_int_equal(b.aux, 5);
    ir_insn(&b, 2, 0, 9, 5);
    ir_call(&b, 2, IR_NONE, wide);
    ir_goto_if(&b, ir_op2(&b, IR_EQ, wide, wide), 0x80, 1);
    ir_goto(&b, 0x108, 0);
    ir_insn_done(&b, 0); /* ended: no POLL */
    IrBlock block = ir_end(&b);
    Err err;
    assert_true(ir_verify(&block, &err));
    assert_int_equal(block.n_insns, 3);
    assert_int_equal(block.n_bytes, 8);
    assert_string_equal(ir_print(&block, &arena), "block pc=0x100 aux=0x3\n"
                                                  "  insn 0x0, 0x70102, 0x3\n"
                                                  "  %1 = get.i32 0x4\n"
                                                  "  %2 = sext32.i64 %1\n"
                                                  "  %3 = const.i64 0x23456789, 0x1\n"
                                                  "  %4 = add.i64 %2, %3\n"
                                                  "  put.i64 0x8, %4\n"
                                                  "  insn 0x2, 0x80004, 0x3\n"
                                                  "  %7 = cond.i32 0xc\n"
                                                  "  %8 = high.i64 %2\n"
                                                  "  %9 = select.i32 %7, %1, %8\n"
                                                  "  put.i32 0x4, %9\n"
                                                  "  %11 = load.i32#0x4 %1\n"
                                                  "  store.i64#0x1 %11, %2\n"
                                                  "  poll 0x6, 0x5\n"
                                                  "  insn 0x6, 0x90002, 0x5\n"
                                                  "  %15 = call.i64#0x2 -, %2\n"
                                                  "  %16 = eq.i64 %2, %2\n"
                                                  "  goto_if %16, 0xffffff80, 0x1\n"
                                                  "  goto 0x8, 0x0\n");
    arena_free(&arena);
}

typedef struct Listener {
    IrSink sink;
    IrBuilder *b;
    unsigned heard[IR_FIRST_PURE], refusals;
    IrVal old; /* of the last PUT of a plain slot */
} Listener;

static void listener_begins(IrSink *sink, IrBuilder *b) {
    CONTAINER_OF(sink, Listener, sink)->b = b;
}

static void listener_takes(IrSink *sink, const IrOp *op) {
    Listener *l = CONTAINER_OF(sink, Listener, sink);
    assert_ptr_equal(op, &l->b->ops[l->b->n_ops - 1]);
    l->heard[op->op]++;
}

static void listener_puts(IrSink *sink, const IrOp *op, IrVal old) {
    Listener *l = CONTAINER_OF(sink, Listener, sink);
    assert_int_equal(op->op, IR_PUT);
    assert_int_equal(l->b->known[op->a / 4], op->b); /* noted already */
    l->old = old;
}

static void listener_is_refused(IrSink *sink) {
    CONTAINER_OF(sink, Listener, sink)->refusals++;
}

static void sinks_hear_what_is_not_pure(void **state) {
    Arena arena = {0};
    Listener l = {.sink = {.begin = listener_begins, .put = listener_puts, .refuse = listener_is_refused}};
    IrBuilder b;
    (void)state;
    for (unsigned op = 0; op < IR_FIRST_PURE; op++) {
        l.sink.take[op] = listener_takes;
    }
    ir_begin_into(&b, &arena, (IrLoc){0}, &l.sink);
    ir_insn(&b, 2, 0, 0, 0);
    IrVal x = ir_get(&b, IR_I32, 4), sum = ir_op2i(&b, IR_ADD, x, 1);
    ir_put(&b, 8, sum);
    assert_int_equal(l.old, 0);
    ir_put(&b, 4, sum);
    assert_int_equal(l.old, x);
    assert_int_equal(ir_get(&b, IR_I32, 4), sum);
    ir_flags1(&b, IR_FLAGS_NZ, sum);
    ir_flags1(&b, IR_FLAGS_NZ, x); /* hides the other one, too late */
    ir_put(&b, 16, ir_op1(&b, IR_ZEXT32, x)); /* not plain */
    ir_get(&b, IR_I32, 24); /* and nor is this as long as that is known */
    ir_load(&b, IR_I32, IR_MEM_32, x);
    ir_insn_done(&b, 0);
    static const uint8_t want[IR_FIRST_PURE] = {[IR_INSN] = 1, [IR_FLAGS_NZ] = 2, [IR_PUT] = 1, [IR_GET] = 1,
                                                [IR_LOAD] = 1, [IR_POLL] = 1};
    for (unsigned op = 0; op < IR_FIRST_PURE; op++) {
        assert_int_equal(l.heard[op], want[op]);
    }
    assert_int_equal(b.unseen_flags, 0); /* what a sink has is not taken back */
    while (b.n_ops < IR_SINK_OPS) {
        ir_load(&b, IR_I32, IR_MEM_32, x);
        assert_int_equal(l.refusals, 0);
    }
    unsigned loads = l.heard[IR_LOAD];
    ir_load(&b, IR_I32, IR_MEM_32, x);
    assert_int_equal(l.refusals, 1);
    assert_null(b.sink);
    ir_load(&b, IR_I32, IR_MEM_32, x);
    ir_goto(&b, 0, 0);
    assert_int_equal(l.refusals, 1);
    assert_int_equal(l.heard[IR_LOAD], loads);
    IrBlock block = ir_end(&b);
    Err err;
    assert_true(ir_verify(&block, &err));
    assert_int_equal(block.n_ops, IR_SINK_OPS + 3);
    arena_free(&arena);
}

static void builder_grows_beyond_its_first_array(void **state) {
    Arena arena = {0};
    IrBuilder b;
    (void)state;
    ir_begin(&b, &arena, (IrLoc){0});
    ir_insn(&b, 2, 0, 0, 0);
    IrVal sum = ir_i32(&b, 0);
    for (uint32_t i = 0; i < 1000; i++) {
        sum = ir_op2i(&b, IR_ADD, sum, i);
    }
    ir_put(&b, RIG_SLOT_R, sum);
    ir_goto(&b, 2, 0);
    IrBlock block = ir_end(&b);
    ir_finish(&block, &arena);
    assert_int_equal(block.n_ops, 4); /* insn, const, put, goto */
    assert_int_equal(block.ops[1].a, 999 * 1000 / 2);
    arena_free(&arena);
}

/* A slot that is known is no op; flags that are overwritten before anybody can see them are not set. */
static void builder_keeps_account(void **state) {
    Arena arena = {0};
    IrBuilder b;
    Err err;
    (void)state;
    ir_begin(&b, &arena, (IrLoc){0});
    ir_insn(&b, 2, 0, 0, 0);
    IrVal x = ir_get(&b, IR_I32, RIG_SLOT_R), y = ir_op2i(&b, IR_ADD, x, 1);
    assert_int_equal(ir_get(&b, IR_I32, RIG_SLOT_R), x);
    ir_put(&b, RIG_SLOT_R, y);
    ir_flags3(&b, IR_FLAGS_SUB, x, y, ir_i32(&b, 1));
    uint32_t first_flags = b.n_ops - 1;
    ir_put(&b, RIG_SLOT_R, x);
    ir_flags1(&b, IR_FLAGS_NZ, x);
    assert_int_equal(b.ops[first_flags].n & 0xf, 0xc); /* C and V are still its */
    ir_flags3(&b, IR_FLAGS_ADD, x, x, ir_i32(&b, 0));
    assert_int_equal(b.ops[first_flags].op, IR_NOP);
    uint32_t last_flags = b.n_ops - 1;
    IrVal loaded = ir_load(&b, IR_I32, IR_MEM_32, x); /* may fault: the state is seen */
    ir_flags1(&b, IR_FLAGS_NZ, x);
    assert_int_equal(b.ops[last_flags].n & 0xf, 0xf);
    ir_put(&b, RIG_SLOT_R, loaded);
    assert_int_equal(ir_get(&b, IR_I32, RIG_SLOT_R), loaded);
    ir_insn_done(&b, 0);
    ir_goto(&b, 2, 0);
    IrBlock block = ir_end(&b);
    assert_true(ir_verify(&block, &err));
    arena_free(&arena);
}

/* As its users take for granted. */
static void pure_ops_come_last(void **state) {
    (void)state;
    for (unsigned op = 0; op < IR_OPCODE_COUNT; op++) {
        assert_int_equal(op >= IR_FIRST_PURE, (ir_op_info[op].traits & IR_TRAIT_PURE) != 0);
    }
}

/* The LABEL that makes the array grow is still found by its SKIP. */
static void labels_survive_growth(void **state) {
    Arena arena = {0};
    (void)state;
    for (unsigned fill = 250; fill < 262; fill++) {
        IrBuilder b;
        Err err;
        ir_begin(&b, &arena, (IrLoc){0});
        ir_insn(&b, 2, 0, 0, 0);
        IrVal skip = ir_skip_unless(&b, ir_get(&b, IR_I32, RIG_SLOT_R));
        while (b.n_ops < fill) {
            ir_i32(&b, 0);
        }
        ir_label(&b, skip);
        ir_goto(&b, 2, 0);
        IrBlock block = ir_end(&b);
        assert_true(ir_verify(&block, &err));
        ir_finish(&block, &arena);
        assert_true(ir_verify(&block, &err));
        arena_reset(&arena);
    }
    arena_free(&arena);
}

/* The same in the fold pass, whose array grows by what it makes of conditions: here three ops of each. */
static void labels_survive_growth_in_fold(void **state) {
    enum { PAIRS = 60 };
    Arena arena = {0};
    (void)state;
    for (unsigned conditions = 65; conditions < 75; conditions++) {
        IrBuilder b;
        Err err;
        ir_begin(&b, &arena, (IrLoc){0});
        ir_insn(&b, 2, 0, 0, 0);
        IrVal x = ir_get(&b, IR_I32, RIG_SLOT_R), carry = ir_cond(&b, IR_COND_CS);
        for (unsigned i = 0; i < conditions; i++) {
            ir_flags3(&b, IR_FLAGS_SUB, x, ir_op2i(&b, IR_ADD, x, i + 1), carry);
            ir_cond(&b, IR_COND_VC);
        }
        for (unsigned i = 0; i < PAIRS; i++) {
            IrVal skip = ir_skip_unless(&b, x);
            ir_store(&b, IR_MEM_32, x, x); /* keeps the part from being made unconditional */
            ir_label(&b, skip);
        }
        ir_goto(&b, 2, 0);
        IrBlock block = ir_end(&b);
        uint32_t before = block.n_ops;
        ir_pass_fold(&block, &arena);
        assert_true(block.n_ops >= before + 2 * conditions);
        assert_true(ir_verify(&block, &err));
        arena_reset(&arena);
    }
    arena_free(&arena);
}

/* ---- Verifier: one violation per rule. A case is text, or a change to the valid block below. ---- */

#define HEAD "block pc=0x10 aux=0\n insn 0, 2, 0\n %a = get.i32 0\n %q = get.i64 64\n"
#define TAIL " goto 2, 0\n"

typedef struct TextCase {
    const char *text, *want;
} TextCase;

static const TextCase refused[] = {
    {"block pc=0x10 aux=0\n", "empty"},
    {HEAD, "block has no end"},
    {HEAD TAIL TAIL, "block goes on after its end"},
    {HEAD " goto 2, 0\n" " nop\n", "block goes on after its end"},
    {HEAD " skip %a, @l\n" TAIL " @l label\n", "goes on after its end"},
    {HEAD " %b = not.i32 -\n" TAIL, "operand missing"},
    {HEAD " trap_if -, %a\n" TAIL, "operand missing"},
    {HEAD " %b = add.i32 %a, %q\n" TAIL, "wrong type"},
    {HEAD " %b = add.i64 %a, %q\n" TAIL, "wrong type"},
    {HEAD " %b = eq.i64 %a, %a\n" TAIL, "wrong type"},
    {HEAD " %b = select.i32 %q, %a, %a\n" TAIL, "wrong type"},
    {HEAD " %b = select.i64 %a, %q, %a\n" TAIL, "wrong type"},
    {HEAD " %b = carry.i64 %q, %a, %a\n" TAIL, "wrong type"},
    {HEAD " flags.sub.i32 %q, %q, %a\n" TAIL, "wrong type"},
    {HEAD " %b = trunc.i64 %a\n" TAIL, "wrong type"},
    {HEAD " %b = sext32.i64 %q\n" TAIL, "wrong type"},
    {HEAD " put.i32 0, %q\n" TAIL, "wrong type"},
    {HEAD " %b = getx.i32 0, %q\n" TAIL, "wrong type"},
    {HEAD " putx.i64 0, %q, %q\n" TAIL, "wrong type"},
    {HEAD " putx.i64 0, %a, %a\n" TAIL, "wrong type"},
    {HEAD " store.i32#2 %q, %q\n" TAIL, "wrong type"},
    {HEAD " skip %q, @l\n @l label\n" TAIL, "wrong type"},
    {HEAD " goto_if %q, 0, 0\n" TAIL, "wrong type"},
    {HEAD " trap_if %q, %q\n" TAIL, "wrong type"},
    {HEAD " %b = add %a, %a\n" TAIL, "type does not fit"},
    {HEAD " %b = eq %a, %a\n" TAIL, "type does not fit"},
    {HEAD " %b = sext32.i32 %a\n" TAIL, "type does not fit"},
    {HEAD " %b = high.i32 %q\n" TAIL, "type does not fit"},
    {HEAD " %b = cond.i64 0\n" TAIL, "type does not fit"},
    {HEAD " %b = call.i32#0 %a, %a\n" TAIL, "type does not fit"},
    {HEAD " put 0, %a\n" TAIL, "type does not fit"},
    {HEAD " flags.nz %a\n" TAIL, "type does not fit"},
    {HEAD " goto.i32 2, 0\n", "type does not fit"},
    {HEAD " %b = const.i32 0, 1\n" TAIL, "constant is wider than its type"},
    {HEAD " %b = cond.i32 14\n" TAIL, "no such condition"},
    {HEAD " %b = get.i32 0x8000\n" TAIL, "no such state slot"},
    {HEAD " put.i32 0xffffffff, %a\n" TAIL, "no such state slot"},
    {HEAD " %b = load.i32#0x40 %a\n" TAIL, "no such kind of access"},
    {HEAD " store.i32#0x4 %a, %a\n" TAIL, "no such kind of access"},
    {HEAD " %b = load.i32#3 %a\n" TAIL, "access is wider than its value"},
    {HEAD " store.i32#3 %a, %a\n" TAIL, "access is wider than its value"},
    {HEAD " put.i32#0x100 0, %a\n" TAIL, "no such liveness"},
    {HEAD " flags.set.i32#0x100 %a\n" TAIL, "no such liveness"},
    {HEAD " %b = add.i32#1 %a, %a\n" TAIL, "number on an op that has none"},
    {HEAD " skip %a, @l\n %b = not.i32 %a\n @l label\n put.i32 0, %b\n" TAIL, "may have been skipped"},
    {HEAD " skip %a, @l\n %b = not.i32 %a\n skip %b, @m\n @m label\n @l label\n put.i32 0, %b\n" TAIL,
     "may have been skipped"},
    {HEAD " skip %a, @l\n skip %a, @m\n %b = not.i32 %a\n @m label\n put.i32 0, %b\n @l label\n" TAIL,
     "may have been skipped"},
    {HEAD " @l label\n" TAIL, "label does not close the innermost skip"},
    {HEAD " @l label\n skip %a, @l\n" TAIL, "label does not close the innermost skip"},
    {HEAD " skip %a, @l\n skip %a, @m\n @l label\n @m label\n" TAIL, "label does not close the innermost skip"},
    {HEAD " skip %a, @l\n skip %a, @l\n @l label\n" TAIL, "block ends inside a skipped part"},
    {HEAD " skip %a, @a\n skip %a, @b\n skip %a, @c\n skip %a, @d\n skip %a, @e\n skip %a, @f\n skip %a, @g\n"
          " skip %a, @h\n skip %a, @i\n @i label\n @h label\n @g label\n @f label\n @e label\n @d label\n @c label\n"
          " @b label\n @a label\n" TAIL, "nested too deep"},
    {HEAD " goto_if %a, 0, 0\n insn 2, 2, 0\n" TAIL, "instruction begins after a conditional exit"},
    {"block pc=0 aux=0\n poll 0, 0\n" TAIL, "before its first instruction"},
    {"block pc=0 aux=0\n trap#1 -\n", "before its first instruction"},
};

static void verifier_refuses_what_breaks_a_rule(void **state) {
    Arena arena = {0};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        IrBlock block;
        Err err = {0};
        if (!ir_parse(&block, &arena, "case", refused[i].text, &err)) {
            fail_msg("does not parse: %s\n%s", err.text, refused[i].text);
        }
        if (ir_verify(&block, &err) || !strstr(err.text, refused[i].want)) {
            fail_msg("want \"%s\", got \"%s\" for\n%s", refused[i].want, err.text, refused[i].text);
        }
    }
    arena_free(&arena);
}

/* Blocks near to those above that are right. */
static void verifier_accepts_the_neighbours(void **state) {
    static const char *const text[] = {
        HEAD TAIL,
        HEAD " skip %a, @l\n %b = not.i32 %a\n put.i32 0, %b\n @l label\n put.i32 0, %a\n" TAIL,
        HEAD " skip %a, @l\n %b = not.i32 %a\n skip %b, @m\n put.i32 0, %b\n @m label\n put.i32 0, %b\n @l label\n"
             TAIL,
        HEAD " %b = call.i64 -, -\n %c = call.i64#3 %a, %b\n trap_if#2 %a, -\n trap -\n",
        HEAD " flags.sub.i64 %q, %q, %a\n flags.add.i32 %a, %a, %q\n" TAIL,
        HEAD " %b = load.i64#0x3f %a\n store.i64#0x3b %q, %b\n poll 2, 0\n insn 2, 2, 0\n" TAIL,
        HEAD " goto_if %a, 0, 0\n %b = load.i32#2 %a\n goto_ind %b, 0\n",
        HEAD " %b = cond.i32 13\n %c = high.i64 %q\n %d = getx.i64 0, %c\n putx.i32#0 0x7fff, %c, %b\n" TAIL,
    };
    Arena arena = {0};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(text); i++) {
        IrBlock block;
        Err err = {0};
        if (!ir_parse(&block, &arena, "case", text[i], &err) || !ir_verify(&block, &err)) {
            fail_msg("%s\n%s", err.text, text[i]);
        }
        ir_finish(&block, &arena);
        if (!ir_verify(&block, &err)) {
            fail_msg("after ir_finish: %s\n%s", err.text, ir_print(&block, &arena));
        }
    }
    arena_free(&arena);
}

enum { AT_GET = 1, AT_NOT = 2, AT_FLAGS = 3, AT_SKIP = 4, AT_PUT = 5, AT_LABEL = 6, AT_LOAD = 7, AT_POLL = 8 };

static void change_later(IrBlock *b) { b->ops[AT_NOT].a = AT_LOAD; }
static void change_itself(IrBlock *b) { b->ops[AT_NOT].a = AT_NOT; }
static void change_outside(IrBlock *b) { b->ops[AT_NOT].a = 1000; }
static void change_no_value(IrBlock *b) { b->ops[AT_NOT].a = 0; }
static void change_opcode(IrBlock *b) { b->ops[AT_NOT].op = IR_OPCODE_COUNT; }
static void change_type(IrBlock *b) { b->ops[AT_NOT].type = 3; }
static void change_target_back(IrBlock *b) { b->ops[AT_SKIP].b = AT_GET; }
static void change_target_plain(IrBlock *b) { b->ops[AT_SKIP].b = AT_PUT; }
static void change_target_outside(IrBlock *b) { b->ops[AT_SKIP].b = 1000; }
static void change_insns(IrBlock *b) { b->n_insns++; }
static void change_entry(IrBlock *b) { b->ops[AT_LOAD].c = 1; }
static void change_entry_outside(IrBlock *b) { b->ops[AT_LOAD].c = IR_NONE; }
static void change_entry_op(IrBlock *b) { b->faults[0].op = AT_POLL; }
static void change_entry_insn(IrBlock *b) { b->faults[1].insn = 2; }
static void change_recipe(IrBlock *b) { b->faults[0].flags[0] = AT_PUT; }
static void change_recipe_flag(IrBlock *b) { b->faults[0].flags[2] = AT_FLAGS; }
static void change_recipe_later(IrBlock *b) { b->faults[0].flags[0] = AT_POLL; }
static void change_entries(IrBlock *b) { b->n_faults++; }

static const struct {
    void (*change)(IrBlock *block);
    const char *want;
} changes[] = {
    {change_later, "operand is not made before its use"},
    {change_itself, "operand is not made before its use"},
    {change_outside, "operand is not made before its use"},
    {change_no_value, "operand has no value"},
    {change_opcode, "no such op"},
    {change_type, "type does not fit"},
    {change_target_back, "target is not a later label"},
    {change_target_plain, "target is not a later label"},
    {change_target_outside, "target is not a later label"},
    {change_insns, "1 instructions marked, 2 counted"},
    {change_entry, "fault entry does not match"},
    {change_entry_outside, "fault entry does not match"},
    {change_entry_op, "fault entry does not match"},
    {change_entry_insn, "fault entry does not match"},
    {change_recipe, "recipe that does not set the flag"},
    {change_recipe_flag, "recipe that does not set the flag"},
    {change_recipe_later, "recipe that does not set the flag"},
    {change_entries, "2 ops with a fault entry, 3 entries"},
};

static void verifier_refuses_blocks_that_text_cannot_say(void **state) {
    Arena arena = {0};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        IrBlock block;
        Err err = {0};
        assert_true(ir_parse(&block, &arena, "case",
                             "block pc=0x10 aux=0\n insn 0, 2, 0\n %a = get.i32 0\n %b = not.i32 %a\n"
                             " flags.nz.i32#15 %b\n skip %a, @l\n put.i32 0, %b\n @l label\n"
                             " %c = load.i32#2 %b\n poll 2, 0\n goto 2, 0\n",
                             &err));
        ir_pass_faults(&block, &arena);
        assert_true(ir_verify(&block, &err));
        changes[i].change(&block);
        if (ir_verify(&block, &err) || !strstr(err.text, changes[i].want)) {
            fail_msg("case %zu: want \"%s\", got \"%s\"", i, changes[i].want, err.text);
        }
    }
    arena_free(&arena);
}

/* ---- Counting: a block of five instructions whose third does the work ---- */

enum { START_TICKS = 1000, WORK = 3, INSNS = 5 };
enum { PC = 0x100, WORK_PC = PC + 4, NEXT_PC = PC + 8, AUX_WORK = 2, AUX_NEXT = 9 };

typedef enum Work { LOAD, STORE, CALL, TRAP_IF, TRAP, GOTO_IF } Work;

static IrBlock counted_block(Arena *arena, Work work) {
    IrBuilder b;
    ir_begin(&b, arena, (IrLoc){.pc = PC, .aux = 0});
    for (uint32_t i = 1; i <= INSNS && !b.ended; i++) {
        ir_insn(&b, i == WORK ? 4 : 2, 0, i, i == WORK ? AUX_WORK : 0);
        ir_put(&b, RIG_SLOT_R, ir_i32(&b, i));
        IrVal odd = ir_i32(&b, 1);
        ir_flags1(&b, IR_FLAGS_C, ir_get(&b, IR_I32, RIG_SLOT_R + 4 * 4));
        if (i == WORK) {
            switch (work) {
            case LOAD: ir_load(&b, IR_I32, IR_MEM_32, odd); break;
            case STORE: ir_store(&b, IR_MEM_32, odd, odd); break;
            case CALL: ir_call(&b, 1, ir_get(&b, IR_I32, RIG_SLOT_R + 4 * 5), odd); break;
            case TRAP_IF: ir_trap_if(&b, ir_get(&b, IR_I32, RIG_SLOT_R + 4 * 5), 6, odd); break;
            case TRAP: ir_trap(&b, 6, odd); break;
            case GOTO_IF: break;
            }
        }
        ir_insn_done(&b, i == WORK ? AUX_NEXT : 0);
    }
    if (work == GOTO_IF) {
        ir_goto_if(&b, ir_get(&b, IR_I32, RIG_SLOT_R + 4 * 5), 0x40, 4);
    }
    if (!b.ended) {
        ir_goto(&b, 0x80, 5);
    }
    IrBlock block = ir_end(&b);
    ir_finish(&block, arena);
    return block;
}

static void counted_start(Rig *rig) {
    rig_init(rig, 1, START_TICKS + 100, 100);
    rig->state.r[4] = 1;
    rig->state.r[5] = 1; /* condition and helper argument: do it */
    assert_int_equal(cpu_ticks(&rig->cpu), START_TICKS);
}

static void assert_left_at(const Rig *rig, uint64_t pc, uint32_t aux, uint64_t ticks) {
    assert_int_equal(rig->cpu.pc, pc);
    assert_int_equal(rig->cpu.aux, aux);
    assert_int_equal(cpu_ticks(&rig->cpu), ticks);
    assert_int_equal(rig->cpu.prepaid, 0);
    assert_null(rig->cpu.block);
    assert_int_equal(cpu_current_pc(&rig->cpu), pc);
}

static void accesses_see_now_and_faults_are_counted(void **state) {
    Arena arena = {0};
    (void)state;
    for (Work work = LOAD; work <= TRAP; work++) {
        IrBlock block = counted_block(&arena, work);
        Rig rig;
        counted_start(&rig);
        rig.fault_at = 1;
        assert_int_equal(ir_interp(&rig.cpu, &block), IR_EXIT_TRAP);
        assert_left_at(&rig, WORK_PC, AUX_WORK, START_TICKS + WORK);
        assert_int_equal(rig.state.r[0], WORK); /* earlier effects of the instruction are in the state */
        assert_int_equal(rig.state.flags[2], 1);
        assert_true(rig.cpu.trap_pending);
        assert_int_equal(rig.cpu.trap_arg, 1);
        assert_int_equal(rig.cpu.trap_number, work == CALL ? RIG_TRAP_HELPER : work < CALL ? RIG_TRAP_MEM : 6);
        assert_int_equal(rig.n_events, work <= CALL);
        if (work <= CALL) {
            assert_int_equal(rig.events[0].ticks, START_TICKS + WORK - 1);
            assert_int_equal(rig.events[0].pc, WORK_PC);
        }
    }
    arena_free(&arena);
}

static void whole_blocks_are_counted_whole(void **state) {
    Arena arena = {0};
    (void)state;
    for (Work work = LOAD; work <= GOTO_IF; work++) {
        if (work == TRAP) {
            continue;
        }
        IrBlock block = counted_block(&arena, work);
        Rig rig;
        counted_start(&rig);
        rig.state.r[5] = work == GOTO_IF;
        assert_int_equal(ir_interp(&rig.cpu, &block), IR_EXIT_NEXT);
        assert_left_at(&rig, work == GOTO_IF ? 0x40 : 0x80, work == GOTO_IF ? 4 : 5, START_TICKS + INSNS);
        assert_int_equal(rig.state.r[0], INSNS);
    }
    arena_free(&arena);
}

static void leaving_stops_after_the_instruction(void **state) {
    Arena arena = {0};
    (void)state;
    for (Work work = LOAD; work <= STORE; work++) {
        for (unsigned shorten = 0; shorten < 2; shorten++) {
            IrBlock block = counted_block(&arena, work);
            Rig rig;
            counted_start(&rig);
            *(shorten ? &rig.shorten_at : &rig.leave_at) = 1;
            assert_int_equal(ir_interp(&rig.cpu, &block), IR_EXIT_NEXT);
            assert_true(rig.cpu.leave && !rig.cpu.trap_pending);
            assert_left_at(&rig, NEXT_PC, AUX_NEXT, START_TICKS + WORK);
            assert_int_equal(rig.cpu.deadline, shorten ? START_TICKS + WORK : START_TICKS + 100);
            assert_int_equal(rig.cpu.budget, shorten ? 0 : 100 - WORK);
        }
    }
    arena_free(&arena);
}

static void locations_wrap_at_the_guests_address_width(void **state) {
    Arena arena = {0};
    IrBlock block;
    Rig rig;
    Err err;
    (void)state;
    assert_true(ir_parse(&block, &arena, "wrap", "block pc=0xfffffffe aux=0\n insn 0, 2, 0\n %a = const.i32 4, 0\n"
                         " %v = load.i32#2 %a\n poll 2, 0\n insn 2, 2, 0\n %w = load.i32#2 %a\n goto 0xfffffff0, 0\n",
                         &err));
    ir_finish(&block, &arena);
    rig_init(&rig, 1, 100, 10);
    ir_interp(&rig.cpu, &block);
    assert_int_equal(rig.events[0].pc, 0xfffffffe);
    assert_int_equal(rig.events[1].pc, 0);
    assert_int_equal(rig.cpu.pc, 0xffffffee);
    arena_free(&arena);
}

/* ---- Fault entries ---- */

static void fault_entries_name_the_recipes_that_hold(void **state) {
    static const uint32_t none = IR_NONE;
    static const uint32_t want[6][4] = {
        {none, none, none, none}, {5, 5, 5, 5}, {7, 7, 5, 5}, {7, 7, 9, 10}, {7, 7, 9, 13}, {none, none, none, none}};
    Arena arena = {0};
    IrBlock block;
    Err err;
    (void)state;
    assert_true(ir_parse(&block, &arena, "case", "block pc=0 aux=7\n insn 0, 2, 7\n %a = get.i32 0\n"
                         " %l = load.i32#2 %a\n poll 2, 8\n insn 2, 4, 8\n flags.sub.i32#255 %a, %a, %a\n"
                         " trap_if#1 %a, -\n flags.nz.i32#255 %a\n trap_if#2 %a, -\n"
                         " flags.c.i32#255 %a\n flags.v.i32#255 %a\n store.i32#2 %a, %a\n"
                         " skip %a, @e\n flags.v.i32#255 %a\n %c = call.i64 %a, %a\n @e label\n trap#3 %a\n", &err));
    ir_pass_faults(&block, &arena);
    assert_true(ir_verify(&block, &err));
    assert_int_equal(block.n_faults, 7);
    assert_true(block.faults[1].insn == 1 && block.faults[1].pc_offset == 2 && block.faults[1].aux == 8); /* POLL */
    assert_true(block.faults[2].insn == 2 && block.faults[2].pc_offset == 2 && block.faults[2].aux == 8);
    assert_memory_equal(block.faults[0].flags, want[0], sizeof want[0]);
    for (unsigned i = 1; i < 6; i++) {
        assert_memory_equal(block.faults[i + 1].flags, want[i], sizeof want[i]);
    }
    arena_free(&arena);
}

/* Fold and liveness number ops anew, so they drop the entries of the old numbers. */
static void passes_drop_fault_entries(void **state) {
    static void (*const passes[])(IrBlock *block, Arena *arena) = {ir_pass_fold, ir_pass_liveness};
    Arena arena = {0};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(passes); i++) {
        IrBlock block = counted_block(&arena, LOAD);
        Err err;
        assert_true(block.n_faults > 0 && ir_verify(&block, &err));
        passes[i](&block, &arena);
        assert_int_equal(block.n_faults, 0);
        ir_pass_faults(&block, &arena);
        assert_true(block.n_faults > 0 && ir_verify(&block, &err));
    }
    arena_free(&arena);
}

/* ---- Hooks ---- */

typedef struct Traced {
    Rig rig; /* first: hooks find it by the Cpu */
    uint64_t pc[8], ticks[8], current_pc[8];
    uint32_t aux[8];
    unsigned n;
} Traced;

static void note_trace(Cpu *cpu, uint64_t pc, uint32_t aux) {
    Traced *t = CONTAINER_OF(rig_of(cpu), Traced, rig);
    t->pc[t->n] = pc;
    t->aux[t->n] = aux;
    t->current_pc[t->n] = cpu_current_pc(cpu);
    t->ticks[t->n++] = cpu_ticks(cpu);
}

static void traces_and_coverage_see_each_instruction(void **state) {
    Arena arena = {0};
    Traced t = {.n = 0};
    uint32_t coverage[INSNS + 1] = {0};
    (void)state;
    IrBlock block = counted_block(&arena, LOAD);
    counted_start(&t.rig);
    t.rig.cpu.op = 1000; /* of some earlier block */
    t.rig.cpu.trace = note_trace;
    t.rig.cpu.coverage = coverage;
    t.rig.leave_at = 1;
    ir_interp(&t.rig.cpu, &block);
    assert_left_at(&t.rig, NEXT_PC, AUX_NEXT, START_TICKS + WORK);
    assert_int_equal(t.n, WORK);
    for (unsigned i = 0; i < WORK; i++) {
        assert_int_equal(t.pc[i], PC + 2 * i);
        assert_int_equal(t.current_pc[i], t.pc[i]);
        assert_int_equal(t.ticks[i], START_TICKS + i);
        assert_int_equal(t.aux[i], i + 1 == WORK ? AUX_WORK : 0);
    }
    assert_int_equal(t.rig.events[0].ticks, START_TICKS + WORK - 1);
    for (unsigned row = 0; row <= INSNS; row++) {
        assert_int_equal(coverage[row], row >= 1 && row <= WORK);
    }
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builder_infers_types_and_counts),
        cmocka_unit_test(sinks_hear_what_is_not_pure),
        cmocka_unit_test(builder_grows_beyond_its_first_array),
        cmocka_unit_test(builder_keeps_account),
        cmocka_unit_test(pure_ops_come_last),
        cmocka_unit_test(labels_survive_growth),
        cmocka_unit_test(labels_survive_growth_in_fold),
        cmocka_unit_test(verifier_refuses_what_breaks_a_rule),
        cmocka_unit_test(verifier_accepts_the_neighbours),
        cmocka_unit_test(verifier_refuses_blocks_that_text_cannot_say),
        cmocka_unit_test(accesses_see_now_and_faults_are_counted),
        cmocka_unit_test(whole_blocks_are_counted_whole),
        cmocka_unit_test(leaving_stops_after_the_instruction),
        cmocka_unit_test(locations_wrap_at_the_guests_address_width),
        cmocka_unit_test(fault_entries_name_the_recipes_that_hold),
        cmocka_unit_test(passes_drop_fault_entries),
        cmocka_unit_test(traces_and_coverage_see_each_instruction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
