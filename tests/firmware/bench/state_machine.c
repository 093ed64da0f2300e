/* A scanner: finds integers, hexadecimal numbers, fractions, exponents, words and mistakes in a text. */
#include "bench.h"

typedef enum State { START, SIGN, ZERO, INTEGER, HEX, FRACTION, EXPONENT, EXPONENT_DIGITS, WORD, WRONG, STATES } State;

enum { LENGTH = 1024 };

static uint8_t text[LENGTH];
static uint32_t counts[STATES];

static inline int is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

static State step_start(uint8_t c) {
    if (c == '+' || c == '-') {
        return SIGN;
    }
    if (is_digit(c)) {
        return c == '0' ? ZERO : INTEGER;
    }
    return c == '.' ? FRACTION : c >= 'a' ? WORD : WRONG;
}

static inline State step(State state, uint8_t c) {
    switch (state) {
    case START:
        return step_start(c);
    case SIGN:
        return is_digit(c) ? INTEGER : c == '.' ? FRACTION : WRONG;
    case ZERO:
        return c == 'x' ? HEX : c == '.' ? FRACTION : is_digit(c) ? INTEGER : WRONG;
    case INTEGER:
        return is_digit(c) ? INTEGER : c == '.' ? FRACTION : c == 'e' ? EXPONENT : WRONG;
    case HEX:
        return is_digit(c) || (c >= 'a' && c <= 'f') ? HEX : WRONG;
    case FRACTION:
        return is_digit(c) ? FRACTION : c == 'e' ? EXPONENT : WRONG;
    case EXPONENT:
        return is_digit(c) || c == '+' || c == '-' ? EXPONENT_DIGITS : WRONG;
    case EXPONENT_DIGITS:
        return is_digit(c) ? EXPONENT_DIGITS : WRONG;
    case WORD:
        return c >= 'a' ? WORD : WRONG;
    default:
        return WRONG;
    }
}

static BENCH_CALL void scan(void) {
    State state = START;
    for (uint32_t i = 0; i < LENGTH; i++) {
        if (text[i] == ' ') {
            counts[state]++;
            state = START;
        } else {
            state = step(state, text[i]);
        }
    }
}

/* Tokens of random kinds; each 9 becomes a random digit. */
static void prepare(void) {
    static const char samples[8][12] = {
        "999999 ", "0x99af99c ", "-99.999 ", "+9.99e-99 ", "identifier ", ".99 ", "99..9999 ", "-0.9999e9 ",
    };
    uint32_t seed = 7, at = 0;
    const char *sample = samples[0];
    while (at < LENGTH) {
        uint32_t r = bench_random(&seed) >> 8;
        if (*sample == '\0') {
            sample = samples[r % 8];
        }
        text[at++] = *sample == '9' ? (uint8_t)('1' + r / 8 % 9) : (uint8_t)*sample;
        sample++;
    }
}

uint32_t kernel(uint32_t rounds) {
    uint32_t sum = 0;
    prepare();
    for (uint32_t r = 0; r < rounds; r++) {
        text[r % 6] = (uint8_t)('1' + r % 9); /* the first token is a number */
        scan();
    }
    for (uint32_t i = 0; i < STATES; i++) {
        sum = sum * 31 + counts[i];
    }
    return sum;
}
