/* Floating point without denormal numbers, as the chips' GRFPU has it: operands are left unfinished (a deferred trap
 * with ftt 2 that names the instruction), results are flushed to zero, comparisons and moves do not mind. With
 * DENORMALS 1 the same program expects IEEE 754. Each thing is done often enough to be translated in all ways. */
#include "leon_board.h"

enum { TIMES = 40, NS = 1 << 22, UNDERFLOW = 4, INEXACT = 1, FTT_UNFINISHED = 2 };

static volatile struct {
    u32 queue[2] __attribute__((aligned(8)));
    u32 count, fsr;
} seen;

static void set_fsr(u32 value) {
    static volatile u32 word;
    word = value;
    __asm__ volatile("ld [%0], %%fsr" : : "r"(&word) : "memory");
}

static u32 read_fsr(void) {
    __asm__ volatile("st %%fsr, [%0]" : : "r"(&seen.fsr) : "memory");
    return seen.fsr;
}

u32 trap_handler(u32 tt, u32 pc, u32 npc) {
    (void)pc, (void)npc;
    check("trap", tt, 8);
    seen.count++;
    read_fsr();
    __asm__ volatile("std %%fq, [%0]" : : "r"(seen.queue) : "memory");
    return 0;
}

/* ---- Results ---- */

/* How often 1 can be halved before it is zero. */
static u32 halvings_double(void) {
    volatile double half = 0.5;
    double x = 1, h = half;
    u32 n = 0;
    while (x != 0) {
        x *= h;
        n++;
    }
    return n;
}

static u32 halvings_single(void) {
    volatile float half = 0.5f;
    float x = 1, h = half;
    u32 n = 0;
    while (x != 0) {
        x *= h;
        n++;
    }
    return n;
}

static void results(void) {
    set_fsr(0);
    check("halvings", halvings_double(), DENORMALS ? 1075 : 1023);
    check("halvings", halvings_single(), DENORMALS ? 150 : 127);
    check("accrued", read_fsr() >> 5 & 31, UNDERFLOW | INEXACT);
    static volatile double least = 0x1p-1022, little = 0x1.8p-1022;
    static volatile union {
        double d;
        u32 words[2];
    } difference;
    for (u32 i = 0; i < TIMES; i++) {
        set_fsr(INEXACT << 5); /* so that operations are done in translated code */
        difference.d = least - little;
        check("difference", difference.words[0], DENORMALS ? 0x80080000 : 0x80000000);
        check("its exceptions", read_fsr() & 31, DENORMALS ? 0 : UNDERFLOW | INEXACT);
    }
    static volatile double wide = 0x1p-140;
    static volatile union {
        float f;
        u32 word;
    } narrow;
    narrow.f = (float)wide;
    check("narrowed", narrow.word, DENORMALS ? 0x00000200 : 0);
}

/* ---- Operands ---- */

#define DENORMAL 0x00000123u

/* The instruction `op` on %f0 (denormal) and %f2 (one), into %f4; what follows reports it. */
#define UNFINISHED(what, op)                                                                                           \
    do {                                                                                                               \
        u32 at, before = seen.count;                                                                                   \
        __asm__ volatile("ldd [%1], %%f0\n\tldd [%2], %%f2\n\tldd [%2], %%f4\n1:\t" op                                 \
                         "\n\tfmovs %%f2, %%f6\n\tset 1b, %0"                                                        \
                         : "=r"(at) : "r"(denormal), "r"(one) : "f0", "f1", "f2", "f3", "f4", "f5", "f6", "memory");   \
        check(what, seen.count - before, !DENORMALS);                                                                  \
        if (!DENORMALS) {                                                                                              \
            check(what, seen.fsr >> 14 & 7, FTT_UNFINISHED);                                                           \
            check(what, seen.queue[0], at);                                                                            \
            check(what, seen.queue[1], *(const volatile u32 *)at);                                                     \
        }                                                                                                              \
    } while (0)

static void operands(void) {
    static const u32 denormal[2] __attribute__((aligned(8))) = {DENORMAL, 0}; /* as a single, and as a double */
    static const u32 one[2] __attribute__((aligned(8))) = {0x3ff00000, 0};
    for (u32 i = 0; i < TIMES; i++) {
        set_fsr(INEXACT << 5);
        UNFINISHED("fadds", "fadds %%f2, %%f0, %%f4");
        UNFINISHED("fsubd", "fsubd %%f0, %%f2, %%f4");
        UNFINISHED("fmuld", "fmuld %%f0, %%f2, %%f4");
        UNFINISHED("fdivs", "fdivs %%f2, %%f0, %%f4");
        UNFINISHED("fsqrtd", "fsqrtd %%f0, %%f4");
        UNFINISHED("fsmuld", "fsmuld %%f0, %%f2, %%f4");
        UNFINISHED("fstod", "fstod %%f0, %%f4");
        UNFINISHED("fdtos", "fdtos %%f0, %%f4");
        UNFINISHED("fdtoi", "fdtoi %%f0, %%f4");
        UNFINISHED("fstoi", "fstoi %%f0, %%f4");
    }
    check("nothing else", seen.count, DENORMALS ? 0 : 10 * TIMES);
}

/* What knows denormal numbers, or sees none. */
static void others(void) {
    static volatile float small = 0x1p-140f, large = 2.0f;
    static volatile int number = DENORMAL;
    static volatile float result;
    for (u32 i = 0; i < TIMES; i++) {
        set_fsr(INEXACT << 5 | (i & 1 ? NS : 0)); /* comparisons do not mind the mode, either */
        check("compared", small > 0 && small < large && -small < 0, 1);
        result = -small;
        check("moved", result < 0, 1);
        result = (float)number;
        check("integer", (u32)result, DENORMAL);
        set_fsr(INEXACT << 5 | NS);
        result = small + large;
        check("taken for zero", result == 2.0f, 1);
        result = small * 0x1p100f;
        check("taken for zero", result == 0, 1);
    }
    check("none traps", seen.count, DENORMALS ? 0 : 10 * TIMES);
    set_fsr(0);
}

int main(void) {
    results();
    operands();
    others();
    print("ok\n");
    guest_exit(0);
}
