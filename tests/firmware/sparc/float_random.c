/* Every floating-point operation on random operands, those that are special included, in random modes; what comes of
 * it, traps and FSR included, goes into a hash, which must be the same with each engine. */
#include "guest.h"

enum { ROUNDS = 100, INEXACT_ACCRUED = 0x20, NS = 1 << 22 };
#define MODES 0xcfc00000u /* rounding, traps, non-standard */

static volatile struct {
    u32 queue[2] __attribute__((aligned(8)));
    u32 count, fsr;
} seen;
static u32 hash, state = 1;

static void mix(u32 value) {
    hash = (hash ^ value) * 16777619u;
    hash ^= hash >> 13;
}

u32 trap_handler(u32 tt, u32 pc, u32 npc) {
    (void)npc;
    check("trap", tt, 8);
    seen.count++;
    __asm__ volatile("st %%fsr, [%0]\n\tstd %%fq, [%1]" : : "r"(&seen.fsr), "r"(seen.queue) : "memory");
    mix(pc);
    mix(seen.fsr);
    mix(seen.queue[0]);
    mix(seen.queue[1]);
    return 0;
}

static u32 next(void) {
    state = state * 1664525u + 1013904223u;
    return state >> 3 ^ state << 7;
}

/* The first word of a number. */
static u32 word(void) {
    static const u32 special[] = {0x00000000, 0x80000000, 0x00000001, 0x00000123, 0x807fffff, 0x00800000,
                                  0x7f7fffff, 0x3f800000, 0x00100000, 0x000fffff, 0x3ff00000, 0x7ff00000,
                                  0x7fc00000, 0x36a00000, 0x380fffff, 0x38100000, 0x7f800000, 0x7fa00000};
    u32 kind = next() & 3;
    return kind == 0 ? next() : kind == 1 ? 0x3f800000 + (next() & 0xffffff) : special[next() % 18];
}

static volatile u32 in[4] __attribute__((aligned(8))), out[2] __attribute__((aligned(8)));

/* `op` on %f0 to %f3 into %f4; FMOVS reports what is deferred. */
#define DO(op)                                                                                                         \
    do {                                                                                                               \
        __asm__ volatile("ldd [%1 + 8], %%f4\n\t" op "\n\tfmovs %%f5, %%f5\n\tstd %%f4, [%0]\n\tst %%fsr, [%2]"        \
                         : : "r"(out), "r"(in), "r"(&seen.fsr) : "memory", "f4", "f5", "f6", "f7");                    \
        mix(out[0]);                                                                                                   \
        mix(out[1]);                                                                                                   \
        mix(seen.fsr);                                                                                                 \
    } while (0)

static void operate(void) {
    DO("fadds %%f0, %%f2, %%f4");
    DO("faddd %%f0, %%f2, %%f4");
    DO("fsubs %%f0, %%f3, %%f4");
    DO("fsubd %%f0, %%f2, %%f4");
    DO("fmuls %%f0, %%f2, %%f4");
    DO("fmuld %%f0, %%f2, %%f4");
    DO("fdivs %%f0, %%f2, %%f4");
    DO("fdivd %%f0, %%f2, %%f4");
    DO("fsqrts %%f0, %%f4");
    DO("fsqrtd %%f0, %%f4");
    DO("fsmuld %%f0, %%f2, %%f4");
    DO("fstod %%f0, %%f4");
    DO("fdtos %%f0, %%f4");
    DO("fstoi %%f0, %%f4");
    DO("fdtoi %%f0, %%f4");
    DO("fitos %%f0, %%f4");
    DO("fitod %%f0, %%f4");
    DO("fcmps %%f0, %%f2\n\tnop");
    DO("fcmped %%f0, %%f2\n\tnop");
    DO("fmuld %%f0, %%f2, %%f4\n\tfaddd %%f4, %%f2, %%f4");
    DO("fsubd %%f0, %%f2, %%f4\n\tfsubd %%f4, %%f0, %%f4\n\tfmuld %%f4, %%f4, %%f4");
}

int main(void) {
    for (u32 i = 0; i < ROUNDS; i++) {
        static volatile u32 fsr;
        for (int k = 0; k < 4; k++) {
            in[k] = word();
        }
        u32 kind = next() & 7;
        fsr = kind == 0 ? next() & MODES : kind < 3 ? NS | INEXACT_ACCRUED : INEXACT_ACCRUED;
        __asm__ volatile("ld [%0], %%fsr\n\tldd [%1], %%f0\n\tldd [%1 + 8], %%f2" : : "r"(&fsr), "r"(in)
                         : "f0", "f1", "f2", "f3");
        operate();
    }
    print_hex(hash);
    print("\n");
    check("some trap", seen.count > ROUNDS / 4, 1);
    guest_exit(0);
}
