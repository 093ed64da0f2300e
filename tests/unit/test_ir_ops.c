/* What each op computes: literal cases from ops.def, then every value op, flag recipe and condition over special
 * values, against the model (ir_model.h); each with operands from the state and, after ir_finish, with constants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "ir_model.h"

#define MIN32 UINT64_C(0x80000000)
#define MAX32 UINT64_C(0xffffffff)
#define MIN64 UINT64_C(0x8000000000000000)
#define MAX64 UINT64_MAX

static const uint64_t specials[] = {
    0, 1, 2, 7, 31, 32, 33, 63, 64, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x10000, 0x12345678, 0x7ffffffe,
    0x7fffffff, MIN32, MIN32 + 1, 0xfffffffe, MAX32, 0x100000000,
    0x7fffffffffffffff, MIN64, MIN64 + 1, MAX64 - 1, MAX64,
};

typedef struct OpCase {
    IrOpcode op;
    IrType type;
    uint64_t a, b, c, want;
} OpCase;

static const OpCase literal[] = {
    {IR_COPY, IR_I64, MAX64, 0, 0, MAX64},
    {IR_ADD, IR_I32, MAX32, 1, 0, 0},
    {IR_ADD, IR_I64, MAX32, 1, 0, 0x100000000},
    {IR_SUB, IR_I32, 0, 1, 0, MAX32},
    {IR_SUB, IR_I64, 0, 1, 0, MAX64},
    {IR_MUL, IR_I32, 0x10001, 0x10001, 0, 0x20001},
    {IR_MUL, IR_I64, 0x100000001, 0x100000001, 0, 0x200000001},
    {IR_UDIV, IR_I32, 7, 2, 0, 3},
    {IR_UDIV, IR_I32, 7, 0, 0, 0},
    {IR_UDIV, IR_I32, MIN32, MAX32, 0, 0},
    {IR_SDIV, IR_I32, 0xfffffff9, 2, 0, 0xfffffffd},
    {IR_SDIV, IR_I32, 7, 0, 0, 0},
    {IR_SDIV, IR_I32, MIN32, MAX32, 0, MIN32},
    {IR_SDIV, IR_I64, MIN64, MAX64, 0, MIN64},
    {IR_AND, IR_I32, 0xff00ff00, 0x0ff00ff0, 0, 0x0f000f00},
    {IR_OR, IR_I32, 0xff00ff00, 0x0ff00ff0, 0, 0xfff0fff0},
    {IR_XOR, IR_I32, 0xff00ff00, 0x0ff00ff0, 0, 0xf0f0f0f0},
    {IR_SHL, IR_I32, 1, 31, 0, MIN32},
    {IR_SHL, IR_I32, 1, 33, 0, 2},
    {IR_SHL, IR_I64, 1, 63, 0, MIN64},
    {IR_SHR, IR_I32, MIN32, 31, 0, 1},
    {IR_SHR, IR_I32, MIN32, 32, 0, MIN32},
    {IR_SAR, IR_I32, MIN32, 31, 0, MAX32},
    {IR_SAR, IR_I64, MIN64, 64 + 63, 0, MAX64},
    {IR_ROR, IR_I32, 0x12345678, 8, 0, 0x78123456},
    {IR_ROR, IR_I32, 0x12345678, 32, 0, 0x12345678},
    {IR_ROR, IR_I64, 1, 1, 0, MIN64},
    {IR_NOT, IR_I32, 0, 0, 0, MAX32},
    {IR_NEG, IR_I32, MIN32, 0, 0, MIN32},
    {IR_NEG, IR_I32, 1, 0, 0, MAX32},
    {IR_CLZ, IR_I32, 0, 0, 0, 32},
    {IR_CLZ, IR_I32, 1, 0, 0, 31},
    {IR_CLZ, IR_I64, 0, 0, 0, 64},
    {IR_RBIT, IR_I32, 1, 0, 0, MIN32},
    {IR_RBIT, IR_I64, 2, 0, 0, UINT64_C(1) << 62},
    {IR_BSWAP, IR_I32, 0x11223344, 0, 0, 0x44332211},
    {IR_BSWAP, IR_I64, 0x1122334455667788, 0, 0, 0x8877665544332211},
    {IR_BSWAP16, IR_I32, 0x11223344, 0, 0, 0x22114433},
    {IR_SEXT8, IR_I32, 0x17f, 0, 0, 0x7f},
    {IR_SEXT8, IR_I32, 0x80, 0, 0, 0xffffff80},
    {IR_SEXT16, IR_I64, 0x8000, 0, 0, 0xffffffffffff8000},
    {IR_ZEXT8, IR_I32, 0x1ff, 0, 0, 0xff},
    {IR_ZEXT16, IR_I32, 0x1ffff, 0, 0, 0xffff},
    {IR_SEXT32, IR_I64, MIN32, 0, 0, 0xffffffff80000000},
    {IR_ZEXT32, IR_I64, MIN32, 0, 0, MIN32},
    {IR_TRUNC, IR_I64, 0x1122334455667788, 0, 0, 0x55667788},
    {IR_HIGH, IR_I64, 0x1122334455667788, 0, 0, 0x11223344},
    {IR_EQ, IR_I64, 0x100000000, 0, 0, 0},
    {IR_NE, IR_I64, 0x100000000, 0, 0, 1},
    {IR_LTU, IR_I32, 1, MAX32, 0, 1},
    {IR_LEU, IR_I32, MAX32, MAX32, 0, 1},
    {IR_LTS, IR_I32, MAX32, 1, 0, 1},
    {IR_LTS, IR_I64, MAX32, 1, 0, 0},
    {IR_LES, IR_I32, MIN32, 0x7fffffff, 0, 1},
    {IR_SELECT, IR_I32, 2, 5, 6, 5},
    {IR_SELECT, IR_I64, 0, 5, 6, 6},
    {IR_CARRY, IR_I32, MAX32, 0, 1, 1},
    {IR_CARRY, IR_I32, MAX32, 0, 0, 0},
    {IR_CARRY, IR_I64, MAX64, MAX64, 1, 1},
    {IR_OVERFLOW, IR_I32, 0x7fffffff, 0, 1, 1},
    {IR_OVERFLOW, IR_I32, MIN32, MAX32, 0, 1},
    {IR_OVERFLOW, IR_I32, MIN32, MAX32, 1, 0},
    {IR_OVERFLOW, IR_I64, 0x7fffffffffffffff, 1, 0, 1},
    {IR_FADD, IR_I32, 0x3f800000, 0x40000000, 0, 0x40400000},
    {IR_FADD, IR_I64, 0x3ff0000000000000, 0x3cb0000000000000, 0, 0x3ff0000000000001},
    {IR_FSUB, IR_I32, 0x3f800000, 0x3f800000, 0, 0},
    {IR_FSUB, IR_I64, 0, 0x3ff0000000000000, 0, 0xbff0000000000000},
    {IR_FMUL, IR_I32, 0x40400000, 0xc0400000, 0, 0xc1100000},
    {IR_FMUL, IR_I64, 0x0010000000000000, 0x3fe0000000000000, 0, 0x0008000000000000},
    {IR_FDIV, IR_I32, 0x3f800000, 0x40400000, 0, 0x3eaaaaab},
    {IR_FDIV, IR_I64, 0xbff0000000000000, 0, 0, 0xfff0000000000000},
    {IR_FSQRT, IR_I32, 0x40800000, 0, 0, 0x40000000},
    {IR_FSQRT, IR_I64, 0x4000000000000000, 0, 0, 0x3ff6a09e667f3bcd},
    {IR_FCMP, IR_I64, 0, MIN64, 0, 0},
    {IR_FCMP, IR_I32, 0xbf800000, 0x3f800000, 0, 1},
    {IR_FCMP, IR_I64, 0x7ff0000000000000, 0x7fefffffffffffff, 0, 2},
    {IR_FCMP, IR_I32, 0x7fc00000, 0, 0, 3},
    {IR_FWIDEN, IR_I64, 1, 0, 0, 0x36a0000000000000},
    {IR_FNARROW, IR_I64, 0x3ff0000010000001, 0, 0, 0x3f800001},
    {IR_FOFINT, IR_I64, MAX32, 0, 0, 0xbff0000000000000},
    {IR_FTOINT, IR_I64, 0xc00e000000000000, 0, 0, 0xfffffffd},
    {IR_FTOINT, IR_I64, 0x41e0000000000000, 0, 0, MIN32},
};

/* Type of operand k of a value op. */
static IrType operand_type(const OpCase *c, unsigned k) {
    bool widens = c->op == IR_SEXT32 || c->op == IR_ZEXT32 || c->op == IR_FWIDEN || c->op == IR_FOFINT;
    bool from_i32 = widens || (c->op == IR_SELECT && k == 0);
    return from_i32 || ((c->op == IR_CARRY || c->op == IR_OVERFLOW) && k == 2) ? IR_I32 : c->type;
}

static uint64_t cut(IrType type, uint64_t x) {
    return type == IR_I64 ? x : (uint32_t)x;
}

/* d[0..2] hold the operands, d[3] gets the result; as_constants: the operands stand in the block. */
static uint64_t engine_value(Arena *arena, const OpCase *c, bool as_constants) {
    IrBuilder b;
    const uint64_t operand[3] = {c->a, c->b, c->c};
    IrVal v[3] = {0};
    Rig rig;
    rig_init(&rig, 1, 100, 1);
    ir_begin(&b, arena, (IrLoc){0});
    ir_insn(&b, 2, 0, 0, 0);
    for (unsigned k = 0; k < 3; k++) {
        if (ir_op_info[c->op].operand[k] == IR_OPERAND_VALUE) {
            IrType type = operand_type(c, k);
            rig.state.d[k] = cut(type, operand[k]);
            v[k] = !as_constants ? ir_get(&b, type, RIG_SLOT_D + 8 * k)
                                 : type == IR_I64 ? ir_i64(&b, operand[k]) : ir_i32(&b, (uint32_t)operand[k]);
        }
    }
    IrVal result = ir_emit(&b, c->op, c->type, 0, v[0], v[1], v[2]);
    rig.state.d[3] = 0;
    ir_put(&b, RIG_SLOT_D + 24, result);
    ir_goto(&b, 2, 0);
    IrBlock block = ir_end(&b);
    ir_finish(&block, arena);
    if (as_constants) {
        assert_int_equal(block.ops[block.n_ops - 3].op, IR_CONST); /* folded to what is put */
    }
    assert_int_equal(ir_interp(&rig.cpu, &block), IR_EXIT_NEXT);
    arena_reset(arena);
    return rig.state.d[3];
}

static void check_case(Arena *arena, const OpCase *c) {
    uint64_t model = model_value(c->op, c->type, cut(operand_type(c, 0), c->a), cut(operand_type(c, 1), c->b),
                                 cut(operand_type(c, 2), c->c));
    for (unsigned as_constants = 0; as_constants < 2; as_constants++) {
        uint64_t got = engine_value(arena, c, as_constants);
        if (got != c->want || model != c->want) {
            fail_msg("%s.%s 0x%llx 0x%llx 0x%llx: want 0x%llx, engine 0x%llx, model 0x%llx", ir_op_info[c->op].text,
                     c->type == IR_I64 ? "i64" : "i32", (unsigned long long)c->a, (unsigned long long)c->b,
                     (unsigned long long)c->c, (unsigned long long)c->want, (unsigned long long)got,
                     (unsigned long long)model);
        }
    }
}

static bool is_value_op(IrOpcode op) {
    return ir_op_info[op].result && (ir_op_info[op].traits & IR_TRAIT_PURE) && op != IR_CONST;
}

static void value_ops_compute_what_ops_def_says(void **state) {
    Arena arena = {0};
    bool seen[IR_OPCODE_COUNT] = {false};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(literal); i++) {
        check_case(&arena, &literal[i]);
        seen[literal[i].op] = true;
    }
    for (unsigned op = 0; op < IR_OPCODE_COUNT; op++) {
        if (is_value_op(op) && !seen[op]) {
            fail_msg("no literal case for %s", ir_op_info[op].text);
        }
    }
    arena_free(&arena);
}

/* All pairs of special values; the third operand is 0 and 1 for carries and a special value for SELECT. */
static void check_over_specials(Arena *arena, IrOpcode op, IrType type) {
    const uint8_t *kinds = ir_op_info[op].operand;
    size_t n_b = kinds[1] == IR_OPERAND_VALUE ? ARRAY_LEN(specials) : 1, n_c = kinds[2] == IR_OPERAND_VALUE ? 2 : 1;
    for (size_t i = 0; i < ARRAY_LEN(specials) * n_b * n_c; i++) {
        OpCase c = {op, type, specials[i / n_c / n_b], specials[i / n_c % n_b], i % n_c, 0};
        c.a = cut(operand_type(&c, 0), c.a);
        c.b = cut(operand_type(&c, 1), c.b);
        c.want = model_value(op, type, c.a, c.b, c.c);
        check_case(arena, &c);
    }
}

static void value_ops_agree_with_the_model_over_special_values(void **state) {
    Arena arena = {0};
    (void)state;
    for (unsigned op = 0; op < IR_OPCODE_COUNT; op++) {
        if (is_value_op(op)) {
            bool only_i64 = op == IR_SEXT32 || op == IR_ZEXT32 || op == IR_TRUNC || op == IR_HIGH ||
                            (op >= IR_FWIDEN && op <= IR_FTOINT);
            for (IrType type = only_i64 ? IR_I64 : IR_I32; type <= IR_I64; type++) {
                check_over_specials(&arena, op, type);
            }
        }
    }
    arena_free(&arena);
}

/* A block that runs one flag op on d[0], d[1] with carry `c`, then puts each condition, as 0 or 1, into r[cond]. */
static IrBlock flags_block(Arena *arena, IrOpcode op, IrType type, unsigned c) {
    IrBuilder b;
    ir_begin(&b, arena, (IrLoc){0});
    ir_insn(&b, 2, 0, 0, 0);
    IrVal x = ir_get(&b, type, RIG_SLOT_D);
    if (op == IR_FLAGS_ADD || op == IR_FLAGS_SUB || op == IR_FLAGS_SBB) {
        IrVal y = ir_get(&b, type, RIG_SLOT_D + 8);
        ir_flags3(&b, op, x, y, c & 2 ? ir_i64(&b, c & 1) : ir_i32(&b, c & 1));
    } else {
        if (op == IR_FLAGS_C || op == IR_FLAGS_V) {
            x = ir_op2i(&b, IR_AND, x, 1);
        }
        ir_flags1(&b, op, x);
    }
    for (unsigned cond = 0; cond < IR_COND_COUNT; cond++) {
        ir_put(&b, RIG_SLOT_R + 4 * cond, ir_cond(&b, cond));
    }
    ir_goto(&b, 2, 0);
    return ir_end(&b);
}

static void compare_flags(Arena *arena, IrBlock *block, uint64_t x, uint64_t y) {
    uint64_t v[256] = {0}, executed[IR_OPCODE_COUNT] = {0};
    Rig want, plain;
    rig_init(&want, x ^ y << 1, 100, 1);
    want.state.d[0] = x;
    want.state.d[1] = y;
    memcpy(&plain, &want, sizeof plain);
    plain.cpu.state = &plain.state;
    assert_true(block->n_ops <= ARRAY_LEN(v));
    Model m = {.rig = &want, .block = block, .v = v};
    model_run(&m, executed);
    assert_int_equal(ir_interp(&plain.cpu, block), IR_EXIT_NEXT);
    const char *what = rig_difference(&want, &plain);
    if (what) {
        fail_msg("%s differs for 0x%llx, 0x%llx\n%s", what, (unsigned long long)x, (unsigned long long)y,
                 ir_print(block, arena));
    }
}

static void flag_recipes_and_conditions_agree_with_the_model(void **state) {
    static const IrOpcode ops[] = {IR_FLAGS_ADD, IR_FLAGS_SUB, IR_FLAGS_SBB, IR_FLAGS_NZ, IR_FLAGS_C, IR_FLAGS_V,
                                   IR_FLAGS_SET};
    Arena arena = {0};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ops) * 2 * 4; i++) {
        IrOpcode op = ops[i / 8];
        IrBlock block = flags_block(&arena, op, i & 1 ? IR_I64 : IR_I32, i / 2 % 4);
        IrBlock fused = flags_block(&arena, op, i & 1 ? IR_I64 : IR_I32, i / 2 % 4);
        ir_pass_faults(&block, &arena);
        ir_finish(&fused, &arena);
        for (size_t k = 0; k < ARRAY_LEN(specials) * ARRAY_LEN(specials); k++) {
            uint64_t x = specials[k / ARRAY_LEN(specials)], y = specials[k % ARRAY_LEN(specials)];
            compare_flags(&arena, &block, x, y);
            compare_flags(&arena, &fused, x, y);
        }
        arena_reset(&arena);
    }
    arena_free(&arena);
}

/* Flags in the state as they come, without a recipe. */
static void conditions_read_the_state(void **state) {
    static const uint16_t holds[IR_COND_COUNT] = {
        /* Bit number: N Z C V as a binary number, N first. */
        [IR_COND_EQ] = 0xf0f0, [IR_COND_NE] = 0x0f0f, [IR_COND_CS] = 0xcccc, [IR_COND_CC] = 0x3333,
        [IR_COND_MI] = 0xff00, [IR_COND_PL] = 0x00ff, [IR_COND_VS] = 0xaaaa, [IR_COND_VC] = 0x5555,
        [IR_COND_HI] = 0x0c0c, [IR_COND_LS] = 0xf3f3, [IR_COND_GE] = 0xaa55, [IR_COND_LT] = 0x55aa,
        [IR_COND_GT] = 0x0a05, [IR_COND_LE] = 0xf5fa};
    Arena arena = {0};
    (void)state;
    for (unsigned cond = 0; cond < IR_COND_COUNT; cond++) {
        IrBuilder b;
        ir_begin(&b, &arena, (IrLoc){0});
        ir_insn(&b, 2, 0, 0, 0);
        ir_put(&b, RIG_SLOT_R, ir_cond(&b, cond));
        ir_goto(&b, 2, 0);
        IrBlock block = ir_end(&b);
        ir_finish(&block, &arena);
        for (unsigned nzcv = 0; nzcv < 16; nzcv++) {
            Rig rig;
            rig_init(&rig, 1, 100, 1);
            for (unsigned i = 0; i < 4; i++) {
                rig.state.flags[i] = nzcv >> (3 - i) & 1;
            }
            ir_interp(&rig.cpu, &block);
            assert_int_equal(rig.state.r[0], holds[cond] >> nzcv & 1);
        }
    }
    arena_free(&arena);
}

/* Loads cut to their type, pass their kind on, and see addresses of both types. */
static void loads_and_stores_pass_all_on(void **state) {
    Arena arena = {0};
    (void)state;
    for (unsigned mem = 0; mem < 64; mem++) {
        for (IrType type = (mem & IR_MEM_SIZE) == IR_MEM_64 ? IR_I64 : IR_I32; type <= IR_I64; type++) {
            IrBuilder b;
            Rig rig;
            rig_init(&rig, mem, 100, 1);
            ir_begin(&b, &arena, (IrLoc){0});
            ir_insn(&b, 2, 0, 0, 0);
            rig.state.d[1] = UINT64_C(0x1234567800000010);
            IrVal addr = ir_get(&b, IR_I64, RIG_SLOT_D + 8), value = ir_load(&b, type, mem, addr);
            ir_put(&b, RIG_SLOT_D, type == IR_I64 ? value : ir_op1(&b, IR_ZEXT32, value));
            ir_store(&b, mem & ~(unsigned)IR_MEM_SIGNED, ir_op1(&b, IR_TRUNC, addr), ir_get(&b, type, RIG_SLOT_D + 16));
            ir_goto(&b, 2, 0);
            IrBlock block = ir_end(&b);
            ir_finish(&block, &arena);
            assert_int_equal(ir_interp(&rig.cpu, &block), IR_EXIT_NEXT);
            const RigEvent *load = &rig.events[0], *store = &rig.events[1];
            assert_int_equal(rig.n_events, 2);
            assert_true(load->kind == 'l' && load->number == mem && load->a == UINT64_C(0x1234567800000010));
            assert_true(rig.state.d[0] == cut(type, load->b));
            assert_true(store->kind == 's' && store->number == (mem & ~(unsigned)IR_MEM_SIGNED) && store->a == 0x10);
            assert_true(store->b == cut(type, rig.state.d[2]));
            arena_reset(&arena);
        }
    }
    arena_free(&arena);
}

/* GETX and PUTX reach slot + 4 * index. */
static void indexed_slots_reach_every_word(void **state) {
    Arena arena = {0};
    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        IrBuilder b;
        Rig rig;
        rig_init(&rig, i, 100, 1);
        ir_begin(&b, &arena, (IrLoc){0});
        ir_insn(&b, 2, 0, 0, 0);
        IrVal index = ir_get(&b, IR_I32, RIG_SLOT_R);
        IrVal word = ir_emit(&b, IR_GETX, IR_I32, 0, RIG_SLOT_WINDOW, index, 0);
        ir_put(&b, RIG_SLOT_R + 4, word);
        ir_emit(&b, IR_PUTX, IR_I32, 0, RIG_SLOT_WINDOW, index, ir_i32(&b, 0xabcd0000 + i));
        ir_put(&b, RIG_SLOT_R + 8, ir_emit(&b, IR_GETX, IR_I32, 0, RIG_SLOT_WINDOW, index, 0));
        ir_goto(&b, 2, 0);
        IrBlock block = ir_end(&b);
        ir_finish(&block, &arena);
        rig.state.r[0] = i;
        RigState want = rig.state;
        want.r[1] = want.window[i];
        want.window[i] = want.r[2] = 0xabcd0000 + i;
        ir_interp(&rig.cpu, &block);
        assert_memory_equal(&rig.state, &want, sizeof want);
    }
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_ops_compute_what_ops_def_says),
        cmocka_unit_test(value_ops_agree_with_the_model_over_special_values),
        cmocka_unit_test(flag_recipes_and_conditions_agree_with_the_model),
        cmocka_unit_test(conditions_read_the_state),
        cmocka_unit_test(loads_and_stores_pass_all_on),
        cmocka_unit_test(indexed_slots_reach_every_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
