/* base: arena, map, rng, text, vec, field, hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/field.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/text.h"
#include "base/vec.h"

static void arena_gives_zeroed_aligned_memory(void **state) {
    (void)state;
    Arena arena = {0};
    for (int round = 0; round < 3; round++) {
        for (size_t size = 0; size < 3000; size += 7) {
            uint8_t *p = arena_alloc(&arena, size);
            assert_int_equal((uintptr_t)p % 16, 0);
            for (size_t i = 0; i < size; i++) {
                assert_int_equal(p[i], 0);
            }
            memset(p, 0xa5, size);
        }
        assert_non_null(arena_alloc(&arena, 1 << 20));
        arena_reset(&arena); /* the next round gets used memory, zeroed again */
    }
    assert_string_equal(arena_printf(&arena, "%d-%s", 42, "x"), "42-x");
    assert_string_equal(arena_strndup(&arena, "hello", 4), "hell");
    arena_free(&arena);
    assert_null(arena.head);
}

/* Against a table of the whole small key space, with removals that must close gaps. */
static void stretch_stays_and_is_zero(void **state) {
    (void)state;
    enum { BYTES = 1 << 20, STEP = 1000 };
    Stretch stretch;
    assert_true(stretch_new(&stretch, BYTES - 1)); /* whole pages */
    assert_int_equal(stretch.bytes, BYTES);
    uint8_t *begin = stretch.data;
    for (size_t used = STEP; used <= BYTES; used += STEP) {
        stretch_need(&stretch, used);
        assert_true(stretch.ready >= used && stretch.ready <= BYTES && stretch.data == begin);
        for (size_t i = used - STEP; i < used; i++) {
            assert_int_equal(begin[i], 0);
            begin[i] = 1;
        }
    }
    stretch_free(&stretch);
    assert_null(stretch.data);
    stretch_free(&stretch);
    assert_false(stretch_new(&stretch, SIZE_MAX / 2));
    assert_null(stretch.data);
}

static void map_agrees_with_a_table(void **state) {
    (void)state;
    enum { KEYS = 500 };
    Map map = {0};
    uint64_t table[KEYS] = {0}; /* 0 = absent */
    Rng rng;
    rng_seed(&rng, 1);
    assert_null(map_get(&map, 3));
    map_remove(&map, 3);
    for (int step = 0; step < 200000; step++) {
        uint64_t key = rng_below(&rng, KEYS), value = rng_next(&rng) | 1;
        if (rng_below(&rng, 5) < 2) {
            map_remove(&map, key * 0x1000);
            table[key] = 0;
        } else {
            map_set(&map, key * 0x1000, value);
            table[key] = value;
        }
        key = rng_below(&rng, KEYS);
        const uint64_t *found = map_get(&map, key * 0x1000);
        assert_int_equal(found ? *found : 0, table[key]);
    }
    size_t used = 0;
    for (int i = 0; i < KEYS; i++) {
        used += table[i] != 0;
    }
    assert_int_equal(map.len, used);
    map_clear(&map);
    assert_int_equal(map.len, 0);
    assert_null(map_get(&map, 0x1000));
    map_free(&map);
}

static void rng_repeats_and_spreads(void **state) {
    (void)state;
    Rng a, b, c;
    rng_seed(&a, 7);
    rng_seed(&b, 7);
    rng_seed(&c, 8);
    unsigned differs = 0, buckets[16] = {0};
    for (int i = 0; i < 16000; i++) {
        uint64_t x = rng_next(&a);
        assert_int_equal(x, rng_next(&b));
        differs += x != rng_next(&c);
        buckets[rng_below(&c, 16)]++;
    }
    assert_true(differs > 15990);
    for (int i = 0; i < 16; i++) {
        assert_in_range(buckets[i], 800, 1200);
    }
}

/* The reference output of xoshiro256** seeded by splitmix64(0), computed from the published algorithms. */
static void rng_is_xoshiro(void **state) {
    (void)state;
    Rng rng;
    rng_seed(&rng, 0);
    assert_int_equal(rng.s[0], UINT64_C(0xe220a8397b1dcdaf));
    assert_int_equal(rng.s[1], UINT64_C(0x6e789e6aa1b965f4));
    assert_int_equal(rng_next(&rng), UINT64_C(0x99ec5f36cb75f2b4));
}

static void text_numbers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        uint64_t value;
    } rows[] = {
        {"0", true, 0},
        {"42", true, 42},
        {"1_000_000", true, 1000000},
        {"0x4000_0000", true, 0x40000000},
        {"0xdeadBEEF", true, 0xdeadbeef},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"0xffffffffffffffff", true, UINT64_MAX},
        {"0x10000000000000000", false, 0},
        {"", false, 0},
        {"0x", false, 0},
        {"12a", false, 0},
        {"-1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"_1", false, 0},
        {"1_", false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t value = 0;
        if (text_parse_u64(rows[i].text, &value) != rows[i].ok || (rows[i].ok && value != rows[i].value)) {
            fail_msg("\"%s\" gave %llu", rows[i].text, (unsigned long long)value);
        }
    }
}

static void text_nearest_name(void **state) {
    (void)state;
    static const char *const names[] = {"uart0", "uart1", "timer", "watchdog"};
    assert_string_equal(text_nearest("uatr0", names, 4), "uart0");
    assert_string_equal(text_nearest("watchdgo", names, 4), "watchdog");
    assert_null(text_nearest("completely-else", names, 4));
    assert_null(text_nearest("x", names, 0));
}

static void file_contents_and_errors(void **state) {
    (void)state;
    char path[] = "/tmp/orrery-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "abc\0def", 7), 7);
    close(fd);
    Arena arena = {0};
    size_t len = 0;
    Err err = {0};
    char *data = file_read(&arena, path, &len, &err);
    assert_non_null(data);
    assert_int_equal(len, 7);
    assert_memory_equal(data, "abc\0def", 8);
    unlink(path);
    assert_null(file_read(&arena, path, &len, &err));
    assert_non_null(strstr(err.text, path));
    assert_null(file_read(&arena, "/tmp", &len, &err));
    assert_non_null(strstr(err.text, "not a regular file"));
    arena_free(&arena);
}

static void vec_grows(void **state) {
    (void)state;
    VEC(uint16_t) v = {0};
    for (unsigned i = 0; i < 10000; i++) {
        vec_push(&v, (uint16_t)(i * 3));
    }
    assert_int_equal(v.len, 10000);
    for (unsigned i = 0; i < 10000; i++) {
        assert_int_equal(v.data[i], (uint16_t)(i * 3));
    }
    vec_free(&v);
    assert_null(v.data);
    assert_int_equal(v.cap, 0);
}

typedef struct Thing {
    uint32_t a;
    uint8_t b[5];
    uint64_t c[2];
    uint16_t kept;
    uint32_t not_state;
} Thing;

static const Field thing_fields[] = {
    FIELD(Thing, a, 0x12345678, "a number"),
    FIELD_ARRAY(Thing, b, 0x5a, "bytes"),
    FIELD_ARRAY(Thing, c, UINT64_C(0x1122334455667788), "wide"),
    {.name = "kept", .offset = offsetof(Thing, kept), .size = 2, .count = 1, .reset = 9, .keep = true},
};

static uint64_t thing_hash(const Thing *thing) {
    Hash *hash = hash_new();
    field_hash(thing_fields, ARRAY_LEN(thing_fields), thing, hash);
    uint64_t value = hash_value(hash);
    hash_free(hash);
    return value;
}

static void fields_reset_save_load_hash(void **state) {
    (void)state;
    const size_t n = ARRAY_LEN(thing_fields);
    Thing thing = {.not_state = 77};
    field_reset(thing_fields, n, &thing, true);
    assert_int_equal(thing.a, 0x12345678);
    assert_int_equal(thing.b[4], 0x5a);
    assert_true(thing.c[1] == UINT64_C(0x1122334455667788));
    assert_int_equal(thing.kept, 9);
    thing.kept = 10;
    thing.a = 1;
    field_reset(thing_fields, n, &thing, false);
    assert_int_equal(thing.kept, 10);
    assert_int_equal(thing.a, 0x12345678);
    assert_int_equal(thing.not_state, 77);

    uint8_t image[64];
    assert_int_equal(field_bytes(thing_fields, n), 4 + 5 + 16 + 2);
    field_save(thing_fields, n, &thing, image);
    Thing copy = {0};
    field_load(thing_fields, n, &copy, image);
    assert_true(thing_hash(&copy) == thing_hash(&thing));
    copy.not_state = 1;
    assert_true(thing_hash(&copy) == thing_hash(&thing));
    for (size_t i = 0; i < 5; i++) {
        copy = thing;
        copy.b[i] ^= 1;
        assert_true(thing_hash(&copy) != thing_hash(&thing));
    }
    copy = thing;
    copy.c[1] ^= UINT64_C(1) << 63;
    assert_true(thing_hash(&copy) != thing_hash(&thing));
}

static void hash_numbers_are_little_endian(void **state) {
    (void)state;
    Hash *a = hash_new(), *b = hash_new();
    hash_u64(a, UINT64_C(0x0807060504030201));
    hash_bytes(b, "\1\2\3\4", 4);
    hash_bytes(b, "\5\6\7\10", 4);
    assert_true(hash_value(a) == hash_value(b));
    hash_u64(a, 0);
    assert_true(hash_value(a) != hash_value(b));
    hash_free(a);
    hash_free(b);
}

static void errors_are_located(void **state) {
    (void)state;
    Err err;
    assert_false(err_at(&err, "board.repl", 3, 14, "expected %s", "a name"));
    assert_string_equal(err.text, "board.repl:3:14: expected a name");
    assert_false(err_set(NULL, "nobody listens"));
}

typedef struct Bounded {
    uint8_t free_byte, flag;
    uint32_t index;
    uint16_t levels[3];
} Bounded;

static void fields_have_bounds(void **state) {
    (void)state;
    static const Field fields[] = {
        FIELD(Bounded, free_byte, 0, "any"),
        FIELD_MAX(Bounded, flag, 0, 1, "0 or 1"),
        FIELD_MAX(Bounded, index, 0, 0x1234, "below 0x1235"),
        {.name = "levels", .offset = offsetof(Bounded, levels), .size = 2, .count = 3, .max = 9},
    };
    Bounded object = {255, 1, 0x1234, {9, 0, 9}};
    uint8_t bytes[12];
    assert_int_equal(field_bytes(fields, ARRAY_LEN(fields)), sizeof bytes);
    field_save(fields, ARRAY_LEN(fields), &object, bytes);
    assert_null(field_check(fields, ARRAY_LEN(fields), bytes));
    static const struct {
        unsigned at;
        uint8_t value;
        unsigned field;
    } bad[] = {{1, 2, 1}, {2, 0x35, 2}, {5, 1, 2}, {10, 10, 3}, {7, 1, 3}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint8_t was = bytes[bad[i].at];
        bytes[bad[i].at] = bad[i].value;
        assert_ptr_equal(field_check(fields, ARRAY_LEN(fields), bytes), &fields[bad[i].field]);
        bytes[bad[i].at] = was;
    }
}

static void bytes_come_back(void **state) {
    (void)state;
    ByteVec out = {0};
    bytes_put_u8(&out, 0x12);
    bytes_put_u32(&out, 0x3456789a);
    bytes_put(&out, "text", 4);
    bytes_put(&out, NULL, 0);
    bytes_put_u64(&out, UINT64_C(0x1122334455667788));
    static const uint8_t expected[] = {0x12, 0x9a, 0x78, 0x56, 0x34, 't',  'e',  'x', 't',
                                       0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11};
    assert_int_equal(out.len, sizeof expected);
    assert_memory_equal(out.data, expected, sizeof expected);
    ByteReader in = {out.data, out.len, false};
    assert_int_equal(bytes_take_u8(&in), 0x12);
    assert_int_equal(bytes_take_u32(&in), 0x3456789a);
    assert_memory_equal(bytes_take(&in, 4), "text", 4);
    ByteReader more = in;
    assert_true(bytes_take_u64(&in) == UINT64_C(0x1122334455667788) && in.left == 0 && !in.failed);
    assert_non_null(bytes_take(&in, 0));
    assert_true(bytes_take_u8(&in) == 0 && in.failed && !bytes_take(&in, 0));
    assert_true(!bytes_take(&more, UINT64_MAX) && bytes_take_u64(&more) == 0 && more.failed);
    vec_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(stretch_stays_and_is_zero),
        cmocka_unit_test(map_agrees_with_a_table),
        cmocka_unit_test(rng_repeats_and_spreads),
        cmocka_unit_test(rng_is_xoshiro),
        cmocka_unit_test(text_numbers),
        cmocka_unit_test(text_nearest_name),
        cmocka_unit_test(file_contents_and_errors),
        cmocka_unit_test(vec_grows),
        cmocka_unit_test(fields_reset_save_load_hash),
        cmocka_unit_test(fields_have_bounds),
        cmocka_unit_test(bytes_come_back),
        cmocka_unit_test(hash_numbers_are_little_endian),
        cmocka_unit_test(errors_are_located),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
