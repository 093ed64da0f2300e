/* The SRMMU at work: pages of 4 KiB, 256 KiB and 16 MiB, three contexts, demand mapping, referenced and modified bits,
 * faults and their status, code that goes on from page to page and is replaced, user mode. Ends in user mode, with `ta
 * 0`. ROUNDS makes it longer. */
#include "srmmu.h"

#ifndef ROUNDS
#define ROUNDS 2
#endif

enum { SMALL = 0x50000000, MIDDLE = 0x51000000, LARGE = 0x52000000, CODE = 0x50020000, FRAMES = 24 };

static volatile u32 contexts[256] __attribute__((aligned(1024)));
static volatile u32 level1[3][256] __attribute__((aligned(1024)));
static volatile u32 level2[3][2][64] __attribute__((aligned(256)));
static volatile u32 level3[3][64] __attribute__((aligned(256)));
static volatile u32 frames[FRAMES][PAGE / 4] __attribute__((aligned(4096)));

static volatile struct {
    u32 count, tt, pc, status, address;
    u32 demand; /* pages that may be mapped when somebody asks for them: the next one is frames[next] */
    u32 next, opened;
} seen;

/* In supervisor mode. 0: the instruction runs again. */
u32 trap_handler(u32 tt, u32 pc, u32 npc) {
    (void)npc;
    seen.count++;
    seen.tt = tt;
    seen.pc = pc;
    seen.address = mmu_read(ADDRESS);
    seen.status = mmu_read(STATUS);
    u32 at = (tt == 1 ? pc : seen.address) - SMALL, type = seen.status >> 2 & 7, context = mmu_read(CONTEXT);
    if (seen.demand && at < 64 * PAGE && type == INVALID) {
        seen.demand--;
        level3[context][at / PAGE] = page((u32)frames[seen.next++], RWX);
        return 0;
    }
    if (tt == 1 && type == PROTECTION) {
        level3[context][at / PAGE] |= RWX;
        return 0;
    }
    if (seen.demand && at < 64 * PAGE && type == PRIVILEGE) {
        seen.opened++;
        level3[context][at / PAGE] |= RWX;
        level3[context][at / PAGE] &= ~(4u << 2);
        return 0;
    }
    return 1;
}

static void expect_fault(const char *what, u32 tt, u32 status, u32 address) {
    check(what, seen.count, 1);
    check(what, seen.tt, tt);
    check(what, seen.status, status);
    check(what, seen.address, address);
    seen.count = 0;
}

static u32 status_of(u32 level, u32 access, u32 type) {
    return level << 8 | access << 5 | type << 2 | 2;
}

/* ---- Tables ---- */

static void build(void) {
    for (u32 c = 0; c < 3; c++) {
        contexts[c] = table(level1[c]);
        level1[c][0x40] = page(0x40000000, RWX);
        level1[c][0x80] = page(0x80000000, SUPERVISOR);
        level1[c][SMALL >> 24] = table(level2[c][0]);
        level2[c][0][0] = table(level3[c]);
        level1[c][MIDDLE >> 24] = table(level2[c][1]);
        level2[c][1][0] = page(0x40000000, READ_ONLY);
        level2[c][1][1] = page(0x40040000, RWX);
        level1[c][LARGE >> 24] = page(0x40000000, c == 2 ? READ_ONLY : RWX);
        for (u32 i = 0; i < 8; i++) {
            level3[c][i] = page((u32)frames[(i * (c + 3) + c) % 8], RWX); /* a permutation for even c only */
        }
    }
    mmu_write(TABLE, (u32)contexts >> 4);
    mmu_write(CONTEXT, 0);
    mmu_write(CONTROL, 1);
}

/* ---- Computing ---- */

static u32 mixed(u32 x) {
    x ^= x << 13;
    x ^= x >> 17;
    return x ^ x << 5;
}

/* Sorts words that lie in several pages, and sums them up by position. */
static u32 compute(volatile u32 *words, u32 n, u32 seed) {
    u32 sum = 0;
    for (u32 i = 0; i < n; i++) {
        seed = mixed(seed);
        words[i * 61] = seed;
    }
    for (u32 i = 1; i < n; i++) {
        u32 value = words[i * 61], k = i;
        for (; k > 0 && words[(k - 1) * 61] > value; k--) {
            words[k * 61] = words[(k - 1) * 61];
        }
        words[k * 61] = value;
    }
    for (u32 i = 0; i < n; i++) {
        sum = sum * 31 + words[i * 61];
    }
    return sum;
}

static volatile u32 plain[64 * 61];

/* The same data through pages of each size, in each context. */
static void sizes_and_contexts(void) {
    for (u32 round = 0; round < ROUNDS; round++) {
        u32 expected = compute(plain, 60, round + 1);
        for (u32 c = 0; c < 3; c++) {
            mmu_write(CONTEXT, c);
            if (c != 1) {
                check("small pages", compute((u32 *)SMALL, 60, round + 1), expected);
            }
            check("large page", compute((u32 *)(c == 2 ? (u32)plain : LARGE + (u32)plain - 0x40000000), 60, round + 1),
                  expected);
        }
        mmu_write(CONTEXT, 0);
    }
    volatile u32 *own = (u32 *)SMALL, *physical = frames[(0 * 3 + 0) % 8];
    own[5] = 0x12345678;
    check("context 0", physical[5], 0x12345678);
    mmu_write(CONTEXT, 2);
    own[5] = 0x23456789;
    check("context 2", frames[2][5], 0x23456789);
    mmu_write(CONTEXT, 0);
    check("context 0 again", own[5], physical[5]);
}

/* ---- Faults ---- */

static void faults(void) {
    volatile u32 *small = (u32 *)SMALL;
    u32 lost;
    mmu_read(STATUS);
    ((volatile u32 *)MIDDLE)[3] = 1;
    expect_fault("read-only segment", 9, status_of(2, 5, PROTECTION), MIDDLE);
    mmu_write(CONTEXT, 2);
    ((volatile u32 *)LARGE)[3] = 1;
    expect_fault("read-only region", 9, status_of(1, 5, PROTECTION), LARGE);
    mmu_write(CONTEXT, 0);
    lost = small[20 * 1024];
    expect_fault("invalid", 9, status_of(3, 1, INVALID), SMALL + 20 * PAGE);
    lost = *(volatile u32 *)0x60000000;
    expect_fault("no region", 9, status_of(1, 1, INVALID), 0x60000000);
    level3[0][9] = page((u32)frames[9], EXECUTE_ONLY);
    lost = small[9 * 1024];
    expect_fault("execute-only", 9, status_of(3, 1, PROTECTION), SMALL + 9 * PAGE);
    level3[0][9] = RESERVED;
    lost = small[9 * 1024];
    expect_fault("reserved", 9, status_of(3, 1, TRANSLATION), SMALL + 9 * PAGE);
    level1[0][0x53] = 0x80000000 >> 4 | PTD; /* tables are in memory */
    lost = *(volatile u32 *)0x53000000;
    expect_fault("table in a device", 9, status_of(2, 1, TRANSLATION), 0x53000000);
    /* A pair is one access; a misaligned one traps before it is looked up. */
    __asm__ volatile("ldd [%0], %%g2" : : "r"(SMALL + 20 * PAGE + 8) : "g2", "g3");
    expect_fault("pair", 9, status_of(3, 1, INVALID), SMALL + 20 * PAGE);
    __asm__ volatile("ld [%0], %%g2" : : "r"(SMALL + 20 * PAGE + 2) : "g2");
    check("misaligned", seen.tt, 7);
    seen.count = 0;
    (void)lost;
}

/* No-fault mode: nobody reads the status in between. */
static void status_overwritten(void) {
    volatile u32 *small = (u32 *)SMALL;
    mmu_write(CONTROL, 3);
    mmu_read(STATUS);
    u32 value = small[20 * 1024];
    check("reads 0", value, 0);
    small[21 * 1024] = 1;
    check("overwritten", mmu_read(STATUS), status_of(3, 5, INVALID) | 1);
    check("by the last one", mmu_read(ADDRESS), SMALL + 21 * PAGE);
    value = small[20 * 1024];
    value += small[9 * 1024]; /* reserved entry */
    check("translation error comes first", mmu_read(STATUS), status_of(3, 1, TRANSLATION));
    value += small[9 * 1024];
    value += small[20 * 1024];
    check("and stays", mmu_read(STATUS), status_of(3, 1, TRANSLATION));
    check("with its address", mmu_read(ADDRESS), SMALL + 9 * PAGE);
    check("no trap", seen.count + value, 0);
    mmu_write(CONTROL, 1);
}

/* ---- Demand mapping, referenced and modified bits ---- */

static void demand(void) {
    volatile u32 *words = (u32 *)(SMALL + 10 * PAGE);
    for (u32 round = 0; round < ROUNDS; round++) {
        seen.demand = 6;
        seen.next = 10;
        seen.count = 0;
        u32 sum = 0;
        for (u32 i = 0; i < 6 * 1024; i += 16) {
            words[i] = i + round;
            sum += words[i] + words[i / 2 & ~15u];
        }
        check("demand faults", seen.count, 6);
        check("demand left", seen.demand, 0);
        for (u32 i = 0; i < 6; i++) {
            check("frame", frames[10 + i][16], i * 1024 + 16 + round);
            check("marked", level3[0][10 + i], page((u32)frames[10 + i], RWX) | REFERENCED | MODIFIED);
            level3[0][10 + i] = 0;
            mmu_flush(SMALL + (10 + i) * PAGE, i % 5);
        }
        check("sum", sum != 0, 1);
    }
    seen.count = 0;
}

static void marks(void) {
    volatile u32 *small = (u32 *)SMALL;
    u32 entry = page((u32)frames[0], RWX), value;
    for (u32 round = 0; round < 4 * ROUNDS; round++) {
        level3[0][0] = entry;
        mmu_flush(SMALL, round % 5);
        value = small[0];
        check("referenced", level3[0][0], entry | REFERENCED);
        value += small[1];
        check("referenced once", level3[0][0], entry | REFERENCED);
        small[2] = value;
        check("modified", level3[0][0], entry | REFERENCED | MODIFIED);
        level3[0][0] = entry | REFERENCED;
        mmu_flush(SMALL, round % 5);
        for (u32 i = 0; i < 20; i++) {
            small[i] = i;
        }
        check("modified again", level3[0][0], entry | REFERENCED | MODIFIED);
    }
    check("probe page", mmu_probe(SMALL, 0), entry | REFERENCED | MODIFIED);
    check("probe segment", mmu_probe(SMALL, 1), level2[0][0][0]);
    check("probe region", mmu_probe(SMALL, 2), level1[0][SMALL >> 24]);
    check("probe context", mmu_probe(SMALL, 3), contexts[0]);
    check("probe all", mmu_probe(SMALL, 4), entry | REFERENCED | MODIFIED);
    check("probe nothing", mmu_probe(SMALL + 20 * PAGE, 4), 0);
}

/* ---- Code ---- */

enum { RETL = 0x81c3e008, NOP = 0x01000000, INC = 0x90022001 /* add %o0, 1, %o0 */ };

/* Straight code from 20 instructions before the end of one page to 20 behind it: an addition of 40. Returns what stands
 * at the other end through a branch back over the border. */
static void put_code(u32 first, u32 second) {
    volatile u32 *a = frames[first] + 1004, *b = frames[second];
    for (u32 i = 0; i < 20; i++) {
        a[i] = b[i] = INC;
    }
    b[20] = RETL;
    b[21] = NOP;
    frames[first][1000] = 0x10800004; /* ba 1004 */
    frames[first][1001] = INC;
    frames[second][30] = 0x10bffff2; /* ba back to [16] */
    frames[second][31] = INC;
}

static void code(void) {
    u32 (*cross)(u32) = (u32(*)(u32))(CODE + 1000 * 4), (*back)(u32) = (u32(*)(u32))(CODE + PAGE + 30 * 4);
    put_code(16, 19);
    put_code(18, 17);
    for (u32 round = 0; round < ROUNDS; round++) {
        level3[0][32] = page((u32)frames[16], RWX);
        level3[0][33] = page((u32)frames[19], EXECUTE_ONLY);
        mmu_flush(CODE, 4);
        u32 sum = 0;
        for (u32 i = 0; i < 300; i++) {
            sum = cross(sum);
            sum = back(sum);
        }
        check("across pages", sum, 300 * (41 + 5));
        check("code is referenced", level3[0][32], page((u32)frames[16], RWX) | REFERENCED);
        /* A loop over both pages is hot by now; who looks for pages in use clears the bit, and finds it again. */
        for (u32 i = 0; i < 3; i++) {
            level3[0][33] = page((u32)frames[19], EXECUTE_ONLY);
            mmu_flush(CODE + PAGE, i);
            check("first page only", level3[0][33] & REFERENCED, 0);
            check("again", cross(0), 41);
            check("is referenced again", level3[0][33] & REFERENCED, REFERENCED);
        }
        /* The second page becomes another one. */
        frames[17][19] = 0x90022064; /* add %o0, 100, %o0 */
        level3[0][33] = page((u32)frames[17], EXECUTE_ONLY);
        mmu_flush(CODE + PAGE, 0);
        check("another page", cross(0), 40 + 100);
        /* Its code is changed through its address on the bus. */
        frames[17][19] = 0x90022007;
        __asm__ volatile("flush %0" : : "r"(&frames[17][19]) : "memory");
        check("other code", cross(0), 40 + 7);
        frames[17][19] = INC;
        /* And it goes: the fault is that of the first instruction in it. */
        level3[0][33] = page((u32)frames[19], READ_ONLY);
        mmu_flush(CODE + PAGE, 1);
        seen.count = 0;
        seen.demand = 0;
        check("made executable", cross(0), 41);
        expect_fault("no right to execute", 1, status_of(3, 3, PROTECTION), CODE + PAGE);
        check("where", seen.pc, CODE + PAGE);
        seen.count = 0;
        seen.demand = 1;
        seen.next = 19;
        level3[0][33] = 0;
        mmu_flush(CODE + PAGE, 2);
        check("code on demand", cross(0), 41);
        check("one fault", seen.count, 1);
        check("instruction fault", seen.status, status_of(3, 3, INVALID));
        seen.count = 0;
    }
}

/* ---- User mode ---- */

static u32 user_compute(void) {
    volatile u32 *words = (u32 *)(SMALL + 10 * PAGE);
    u32 sum = 0;
    for (u32 round = 0; round < 20 * ROUNDS; round++) {
        for (u32 i = 0; i < 4 * 1024; i += 32) {
            words[i] = mixed(words[i] + i + round);
            sum += words[i];
        }
    }
    return sum;
}

static void user(void) {
    enum { SUPERVISOR_BIT = 0x80 };
    for (u32 i = 0; i < 4; i++) {
        for (u32 k = 0; k < 1024; k++) {
            frames[10 + i][k] = 0;
        }
    }
    level3[0][10] = page((u32)frames[10], RWX);
    level3[0][11] = page((u32)frames[11], SUPERVISOR);
    level3[0][12] = page((u32)frames[12], SUPERVISOR);
    level3[0][13] = 0;
    mmu_flush(SMALL, 3);
    seen.demand = 1;
    seen.next = 13;
    seen.opened = seen.count = 0;
    u32 expected = user_compute();
    check("on demand", seen.count, 1);
    for (u32 i = 0; i < 4; i++) {
        for (u32 k = 0; k < 1024; k++) {
            frames[10 + i][k] = 0;
        }
    }
    level3[0][14] = page((u32)frames[14], USER_READS);
    frames[14][0] = 77;
    seen.count = 0;
    seen.demand = 1;
    print("ok\n");
    __asm__ volatile("rd %%psr, %%g1\n\tandn %%g1, %0, %%g1\n\twr %%g1, %%psr\n\tnop\n\tnop\n\tnop"
                     : : "i"(SUPERVISOR_BIT) : "g1", "memory");
    u32 got = user_compute(), faults = seen.count, opened = seen.opened;
    u32 value = ((volatile u32 *)(SMALL + 14 * PAGE))[0];
    ((volatile u32 *)(SMALL + 14 * PAGE))[0] = 5;
    u32 refused = seen.status, again = ((volatile u32 *)(SMALL + 14 * PAGE))[0];
    u32 code = got == expected && faults == 2 && opened == 2 && value == 77 && again == 77 &&
               refused == status_of(3, 4, PROTECTION) ? 0 : 9;
    __asm__ volatile("mov %0, %%o0\n\tmov 1, %%g1\n\tta 0" : : "r"(code) : "g1", "o0");
}

int main(void) {
    build();
    sizes_and_contexts();
    faults();
    status_overwritten();
    demand();
    marks();
    code();
    user();
    guest_exit(3);
}
