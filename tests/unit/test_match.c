/* Texts and regular expressions in streams of bytes (api/match.h): found where they end, and nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "api/match.h"
#include "base/rng.h"

static bool found_at(const char *stream, size_t i, const char *text, size_t text_len) {
    return i + 1 >= text_len && memcmp(stream + i + 1 - text_len, text, text_len) == 0;
}

/* Texts of two letters overlap themselves in all ways. */
static void test_texts(void **state) {
    (void)state;
    Rng rng;
    rng_seed(&rng, 3);
    unsigned found = 0;
    for (unsigned round = 0; round < 2000; round++) {
        Arena arena = {0};
        Match match;
        char text[8] = {0}, stream[64];
        size_t len = 1 + rng_below(&rng, 6);
        for (size_t i = 0; i < len; i++) {
            text[i] = (char)('a' + rng_below(&rng, 2));
        }
        assert_true(match_open(&match, &arena, text, NULL, NULL));
        for (size_t i = 0; i < sizeof stream; i++) {
            stream[i] = (char)('a' + rng_below(&rng, 2));
            bool wanted = found_at(stream, i, text, len);
            assert_int_equal(match_byte(&match, (uint8_t)stream[i]), wanted);
            found += wanted;
        }
        match_close(&match);
        arena_free(&arena);
    }
    assert_true(found > 10000);
}

/* The position behind the first match, 0 if there is none. */
static size_t first(const char *regex, const char *stream) {
    Arena arena = {0};
    Match match;
    size_t at = 0, len = strlen(stream);
    assert_true(match_open(&match, &arena, NULL, regex, NULL));
    for (size_t i = 0; i < len && !at; i++) {
        at = match_byte(&match, (uint8_t)stream[i]) ? i + 1 : 0;
    }
    match_close(&match);
    arena_free(&arena);
    return at;
}

static void test_regexes(void **state) {
    (void)state;
    assert_int_equal(first("b[0-9]+", "abc b1 b22"), 6); /* as soon as it can */
    assert_int_equal(first("^b[0-9]+$", "abc b1\nb22\r\n"), 12); /* the end of a line is known when it has ended */
    assert_int_equal(first("^ready$", "ready..\nready\n"), 14);
    assert_int_equal(first("a.c", "a\nc abc"), 7); /* lines are apart */
    assert_int_equal(first("(x|yz){2}", "xyxxz yzyz"), 4);
    assert_int_equal(first("\\$", "a$"), 2);
    assert_int_equal(first("nothing", "noth\ning"), 0);
}

/* Of a long line the last bytes count. */
static void test_long_line(void **state) {
    (void)state;
    Arena arena = {0};
    Match match;
    assert_true(match_open(&match, &arena, NULL, "^a|end", NULL));
    for (unsigned i = 0; i < 3 * MATCH_LINE_BYTES; i++) {
        assert_false(match_byte(&match, i % 7 ? 'b' : '\0'));
    }
    assert_false(match_byte(&match, 'e'));
    assert_false(match_byte(&match, 'n'));
    assert_true(match_byte(&match, 'd'));
    match_close(&match);
    arena_free(&arena);
}

static void test_mistakes(void **state) {
    (void)state;
    Arena arena = {0};
    Match match;
    Err err;
    assert_false(match_open(&match, &arena, NULL, "a(b", &err));
    assert_true(strncmp(err.text, "'a(b' is no regular expression: ", 32) == 0);
    match_close(&match); /* nothing to close */
    assert_false(match_open(&match, &arena, "", NULL, &err));
    assert_non_null(strstr(err.text, "1 to 4096 bytes"));
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_regexes),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
