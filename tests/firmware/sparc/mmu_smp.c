/* Two cores and their MMUs: core 1 computes in virtual pages that core 0 moves about, with its own MMU off, and on with
 * other tables by turns. Both know the same virtual addresses for different pages of data and code. */
#include "leon_board.h"
#include "srmmu.h"

enum { MPSTAT = 4, ROUNDS = 60, WINDOW = 0x50000000, CODE = WINDOW + PAGE, RETL = 0x81c3e008, FRAMES = 4 };

static volatile u32 contexts[256] __attribute__((aligned(1024)));
static volatile u32 level1[2][256] __attribute__((aligned(1024)));
static volatile u32 level2[2][64] __attribute__((aligned(256)));
static volatile u32 level3[2][64] __attribute__((aligned(256)));
static volatile u32 frames[2][FRAMES][1024] __attribute__((aligned(4096)));
static volatile u32 step, answer, sums[2];

static void build(void) {
    for (u32 core = 0; core < 2; core++) {
        contexts[core] = table(level1[core]);
        level1[core][0x40] = page(0x40000000, RWX);
        level1[core][0x80] = page(0x80000000, RWX);
        level1[core][WINDOW >> 24] = table(level2[core]);
        level2[core][0] = table(level3[core]);
        for (u32 f = 0; f < FRAMES; f++) {
            for (u32 i = 2; i < 1024; i++) {
                frames[core][f][i] = core * 1000000 + f * 1000 + i;
            }
            frames[core][f][0] = RETL;
            frames[core][f][1] = 0x90102000 | (core * 100 + f); /* mov, %o0 */
        }
    }
}

static void mmu_on(u32 core) {
    mmu_write(TABLE, (u32)contexts >> 4);
    mmu_write(CONTEXT, core);
    mmu_write(CONTROL, 1);
}

static void move(u32 core, u32 data, u32 code) {
    level3[core][0] = page((u32)frames[core][data], RWX);
    level3[core][1] = page((u32)frames[core][code], RWX);
}

static u32 look(void) {
    const volatile u32 *words = (const volatile u32 *)WINDOW;
    u32 sum = 0;
    for (u32 i = 2; i < 1024; i += 31) {
        sum += words[i];
    }
    for (u32 i = 0; i < 20; i++) {
        sum += ((u32(*)(void))CODE)();
    }
    return sum;
}

static u32 expected(u32 core, u32 data, u32 code) {
    u32 sum = 20 * (core * 100 + code);
    for (u32 i = 2; i < 1024; i += 31) {
        sum += core * 1000000 + data * 1000 + i;
    }
    return sum;
}

void core_main(u32 me) {
    mmu_on(me);
    for (u32 round = 1; round <= ROUNDS; round++) {
        while (step != round) {
            sums[1] += *(volatile u32 *)(WINDOW + PAGE + 8); /* keeps what it knows in use; there is a page always */
        }
        mmu_flush(WINDOW, 4);
        answer = look();
        step = 0;
    }
}

int main(void) {
    build();
    move(1, 0, 0);
    at(IRQMP)[MPSTAT] = 2;
    for (u32 round = 1; round <= ROUNDS; round++) {
        u32 data = round % FRAMES, code = round / 3 % FRAMES;
        move(1, data, code);
        step = round;
        if (round & 1) {
            move(0, code, data);
            mmu_on(0);
            check("core 0", look(), expected(0, code, data));
        }
        while (step) {
        }
        check("core 1", answer, expected(1, data, code));
        if (round & 2) {
            mmu_write(CONTROL, 0);
        }
    }
    check("marked", level3[1][0] & (REFERENCED | MODIFIED), REFERENCED);
    print("ok\n");
    guest_exit(0);
}
