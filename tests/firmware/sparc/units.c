/* What no comparison with QEMU covers: MAC instructions, ancillary state registers, deferred floating-point traps and
 * their queue, unimplemented operations, traps by priority, cache control, single-vector trapping, the SRMMU. Each trap
 * comes through trap_handler, which notes it and skips the instruction, or ends the FPU's exception mode. */
#include "srmmu.h"

static volatile struct {
    u32 queue[2] __attribute__((aligned(8)));
    u32 count, tt, pc, fsr;
} seen;

static u32 read_fsr(void) {
    u32 value;
    __asm__ volatile("st %%fsr, [%1]\n\tld [%1], %0" : "=r"(value) : "r"(&seen.fsr) : "memory");
    return value;
}

u32 trap_handler(u32 tt, u32 pc, u32 npc) {
    (void)npc;
    seen.count++;
    seen.tt = tt;
    seen.pc = pc;
    if (tt != 8) {
        return 1;
    }
    read_fsr();
    __asm__ volatile("std %%fq, [%0]" : : "r"(seen.queue) : "memory");
    return 0; /* the instruction that reported it has not run yet */
}

static void expect_trap(const char *what, u32 tt) {
    check(what, seen.count, 1);
    check(what, seen.tt, tt);
    seen.count = 0;
}

/* ---- Integer ---- */

static void multiply_accumulate(void) {
    u32 a, b, y, low;
    __asm__ volatile("wr %%g0, 0, %%y\n\twr %%g0, 0, %%asr18\n\t"
                     "umac %4, %5, %0\n\tumac %4, %5, %1\n\trd %%y, %2\n\trd %%asr18, %3"
                     : "=&r"(a), "=&r"(b), "=&r"(y), "=&r"(low) : "r"(0x1ffff), "r"(0x2ffff));
    check("umac", a, 0xfffe0001);
    check("umac again", b, 0xfffc0002);
    check("umac y", y, 1);
    check("asr18", low, 0xfffc0002);
    __asm__ volatile("wr %%g0, 0, %%y\n\twr %%g0, 0, %%asr18\n\tsmac %3, %4, %0\n\trd %%y, %1\n\trd %%asr18, %2"
                     : "=&r"(a), "=&r"(y), "=&r"(low) : "r"(0xffff), "r"(5));
    check("smac", a, (u32)-5);
    check("smac y", y, 0xff);
    check("asr18", low, (u32)-5);
}

static void state_registers(void) {
    u32 value;
    __asm__ volatile("rd %%asr17, %0" : "=r"(value));
    check("asr17", value, 0x707);
    __asm__ volatile("wr %0, %%asr16\n\trd %%asr16, %0" : "+r"(value));
    check("asr16", value, 0x707);
    __asm__ volatile("wr %1, %%asr24\n\trd %%asr24, %0" : "=r"(value) : "r"(0x40001000));
    check("asr24", value, 0x40001000);
    u32 first, second;
    __asm__ volatile("rd %%asr23, %0\n\tnop\n\tnop\n\trd %%asr23, %1" : "=&r"(first), "=&r"(second));
    check("asr23", second - first, 3);
    __asm__ volatile("rd %%asr22, %0" : "=r"(value));
    check("asr22", value, 0);
    __asm__ volatile("rd %%psr, %0" : "=r"(value));
    check("psr", value & 0xff0010e0, 0xf30010a0 | (value & 0x40));
}

static void traps(void) {
    u32 value = 0x40000001, tagged;
    __asm__ volatile("ld [%0], %0" : "+r"(value));
    expect_trap("misaligned", 7);
    __asm__ volatile(".word 0x00000000");
    expect_trap("unimp", 2);
    __asm__ volatile("udiv %0, %%g0, %0" : "+r"(value));
    expect_trap("division", 0x2a);
    __asm__ volatile("taddcctv %1, 1, %0" : "=r"(tagged) : "r"(4));
    expect_trap("tag", 0x0a);
    __asm__ volatile("ta 5");
    expect_trap("software", 0x85);
    __asm__ volatile(".word 0xc1800000"); /* ld [%g0], %c0 */
    expect_trap("coprocessor", 0x24);
    value = 0x70000000;
    __asm__ volatile("ld [%0], %0" : "+r"(value));
    expect_trap("data access", 9);
    /* In a delay slot: nPC is the target. */
    __asm__ volatile("ba 1f\n\tldd [%0 + 4], %%g2\n\tnop\n1:\tnop" : : "r"(0x40000000) : "g2", "g3");
    expect_trap("in a delay slot", 7);
}

/* All traps go to the table's first entry, which finds the type in TBR. */
u32 single_vector_tbr;
extern u32 single_vector_table[];
__asm__(".pushsection .text\n\t.align 4096\nsingle_vector_table:\n\t"
        "rd %tbr, %l3\n\tsethi %hi(single_vector_tbr), %l4\n\tst %l3, [%l4 + %lo(single_vector_tbr)]\n\t"
        "jmp %l2\n\trett %l2 + 4\n\t.popsection");

static void single_vector(void) {
    u32 tbr;
    __asm__ volatile("rd %%tbr, %0\n\twr %1, %%tbr\n\twr %2, %%asr17\n\tnop\n\tnop\n\tnop\n\tta 6\n\t"
                     "wr %%g0, %%asr17\n\twr %0, %%tbr\n\tnop\n\tnop\n\tnop"
                     : "=&r"(tbr) : "r"(single_vector_table), "r"(1 << 13) : "memory");
    check("single vector", single_vector_tbr, (u32)single_vector_table | 0x860);
    __asm__ volatile("ta 5");
    expect_trap("a vector each", 0x85);
}

static void alternate_spaces(void) {
    u32 value = 0x12345678, read;
    static volatile u32 word __attribute__((aligned(8)));
    __asm__ volatile("sta %1, [%2] 0x1c\n\tlda [%2] 1, %0" : "=r"(read) : "r"(value), "r"(&word) : "memory");
    check("bypass", read, value);
    __asm__ volatile("sta %%g0, [%%g0] 0x11\n\tsta %%g0, [%%g0] 0x10\n\tflush %%g0" : : : "memory");
    __asm__ volatile("sta %1, [%%g0] 2\n\tlda [%%g0] 2, %0" : "=r"(read) : "r"(0x0060000f));
    check("cache control", read, 0xf);
    __asm__ volatile("lda [%1] 2, %0" : "=r"(read) : "r"(8));
    check("icache", read, 0x10220000);
    __asm__ volatile("lda [%1] 2, %0" : "=r"(read) : "r"(12));
    check("there is an MMU", read & 8, 8);
}

/* ---- Floating point ---- */

static u32 set_fsr(u32 value) {
    static volatile u32 word;
    word = value;
    __asm__ volatile("ld [%0], %%fsr" : : "r"(&word) : "memory");
    return value;
}

static void deferred_traps(void) {
    u32 fsr, at;
    static const float values[2] = {1.0f, 0.0f};
    set_fsr(2u << 23); /* division by zero traps */
    __asm__ volatile("ld [%1], %%f0\n\tld [%1 + 4], %%f1\n\tld [%1], %%f2\n\t"
                     "1:\tfdivs %%f0, %%f1, %%f2\n\tnop\n\tfmovs %%f0, %%f4\n\tset 1b, %0"
                     : "=r"(at) : "r"(values) : "f0", "f1", "f2", "f4");
    expect_trap("division by zero", 8);
    check("reported by", seen.pc, at + 8);
    check("queue", seen.queue[0], at);
    check("queue", seen.queue[1], 0x85a009a1);
    check("fsr", seen.fsr & 0x1fc3ff, 0x046002 & 0x1fc3ff);
    fsr = read_fsr();
    check("queue empty", fsr >> 13 & 1, 0);
    set_fsr(0);
    __asm__ volatile("fdivs %%f0, %%f1, %%f2\n\tst %%f2, [%0]" : : "r"(&seen.fsr) : "f2", "memory");
    check("infinity", seen.fsr, 0x7f800000);
    check("accrued", read_fsr() & 0x3ff, 0x42);
    __asm__ volatile("faddq %%f0, %%f4, %%f8\n\tfmovs %%f0, %%f5" : : : "f5");
    expect_trap("quad", 8);
    check("unimplemented", seen.fsr >> 14 & 7, 3);
    __asm__ volatile(".word 0x81a80000\n\tfmovs %%f0, %%f5" : : : "f5"); /* no FPop2 */
    expect_trap("no FPop2", 8);
    set_fsr(1u << 22 | 0); /* non-standard: denormals are 0 */
    static const u32 denormal[2] = {1, 0};
    __asm__ volatile("ld [%1], %%f0\n\tfadds %%f0, %%f0, %%f1\n\tst %%f1, [%0]" : : "r"(&seen.fsr), "r"(denormal)
                     : "f0", "f1", "memory");
    check("flushed", seen.fsr, 0);
    set_fsr(0);
}

static void no_fpu(void) {
    u32 psr;
    __asm__ volatile("rd %%psr, %0\n\tandn %0, %1, %%g1\n\twr %%g1, 0, %%psr\n\tnop\n\tnop\n\tnop\n\t"
                     "fmovs %%f0, %%f1\n\twr %0, 0, %%psr\n\tnop\n\tnop\n\tnop"
                     : "=&r"(psr) : "r"(0x1000) : "g1");
    expect_trap("FPU disabled", 4);
}

/* ---- MMU ---- */

static u32 contexts[256] __attribute__((aligned(1024)));
static u32 level1[256] __attribute__((aligned(1024)));
static u32 level2[64] __attribute__((aligned(256)));
static u32 level3[64] __attribute__((aligned(256)));
static u32 pages[2][1024] __attribute__((aligned(4096)));

static void memory_management(void) {
    enum { WINDOW = 0x50000000 };
    volatile u32 *window = (volatile u32 *)WINDOW;
    contexts[0] = table(level1);
    level1[0x40] = page(0x40000000, RWX);
    level1[0x80] = page(0x80000000, RWX);
    level1[0x50] = table(level2);
    level2[0] = table(level3);
    level3[0] = page((u32)pages[0], RWX);
    level3[1] = page((u32)pages[1], READ_ONLY);
    pages[0][0] = 0x11111111;
    pages[1][0] = 0x22222222;
    pages[0][4] = 0x81c3e008; /* retl */
    pages[0][5] = 0x90102007; /* mov 7, %o0 */
    mmu_write(0x100, (u32)contexts >> 4);
    mmu_write(0x200, 0);
    mmu_write(0, 1);
    check("mapped", window[0], 0x11111111);
    check("mapped", window[1024], 0x22222222);
    window[1] = 0x33333333;
    check("stored", pages[0][1], 0x33333333);
    check("marked", level3[0] & 0x60, 0x60);
    check("marked", level3[1] & 0x60, 0x20);
    window[1024] = 5;
    expect_trap("read-only", 9);
    check("fault status", mmu_read(0x300), 3 << 8 | 5 << 5 | 2 << 2 | 2);
    check("fault address", mmu_read(0x400), WINDOW + 4096);
    check("cleared", mmu_read(0x300), 0);
    u32 lost = window[2048];
    (void)lost;
    expect_trap("invalid", 9);
    check("fault status", mmu_read(0x300), 3 << 8 | 1 << 5 | 1 << 2 | 2);
    check("probe", mmu_probe(WINDOW, 4), page((u32)pages[0], RWX) | 0x60);
    check("probe", mmu_probe(WINDOW + 8192, 4), 0);
    check("code", ((u32(*)(void))(WINDOW + 16))(), 7);
    /* The same virtual page becomes another one, with other code. */
    pages[1][4] = 0x81c3e008;
    pages[1][5] = 0x90102009; /* mov 9, %o0 */
    level3[0] = page((u32)pages[1], RWX);
    __asm__ volatile("sta %%g0, [%0] 0x18" : : "r"(0x400) : "memory");
    check("other code", ((u32(*)(void))(WINDOW + 16))(), 9);
    mmu_write(0, 3); /* no fault */
    lost = window[2048];
    check("no fault", seen.count, 0);
    check("fault status", mmu_read(0x300) >> 2 & 7, 1);
    mmu_write(0, 0);
    check("off", mmu_read(0) & 1, 0);
}

int main(void) {
    multiply_accumulate();
    state_registers();
    traps();
    single_vector();
    alternate_spaces();
    deferred_traps();
    no_fpu();
    memory_management();
    print("ok\n");
    guest_exit(0);
}
