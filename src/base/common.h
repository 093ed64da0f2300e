/* Small macros that every room uses. */
#ifndef BASE_COMMON_H
#define BASE_COMMON_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
/** For functions on rare ways: kept out of line. */
#define RARE __attribute__((noinline, cold))
/** For functions whose callers are to stay short. */
#define APART __attribute__((noinline))
/** For the inner part of a few hot functions: a copy in each. */
#define IN_LINE static inline __attribute__((always_inline))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/** Bits [lo, lo+width) of x, right-aligned; width 1..32. */
static inline uint32_t bits(uint32_t x, unsigned lo, unsigned width) {
    return (x >> lo) & (uint32_t)((UINT64_C(1) << width) - 1);
}

/** Bit n of x as 0 or 1. */
static inline uint32_t bit(uint32_t x, unsigned n) {
    return (x >> n) & 1u;
}

#endif
