/* All cores of a LEON board: the first releases the others through MPSTAT; they share a counter under a spin lock
 * (LDSTUB), pass a token around with SWAP and another with CASA, and the first two play ping-pong: one sleeps in
 * power-down and is woken by interrupts that the other forces on it. */
#include "leon_board.h"

#ifndef SCALE
#define SCALE 1
#endif
enum { MPSTAT = 4, PIMASK = 16, PIFORCE = 32, LOCKED_ADDS = 300 * SCALE, RING_ROUNDS = 50 * SCALE, PINGS = 40 * SCALE,
       IPI = 13 };

static volatile u32 *const irqmp = (volatile u32 *)IRQMP;
static volatile unsigned char lock;
static volatile u32 counter, token, cas_token, ball, interrupts, finished, cores;

u32 trap_handler(u32 tt, u32 pc, u32 npc) {
    (void)pc, (void)npc;
    if (tt != 0x10 + IPI) {
        print("trap ");
        print_hex(tt);
        guest_exit(2);
    }
    interrupts = interrupts + 1;
    return 0;
}

static void take_lock(void) {
    u32 was;
    do {
        __asm__ volatile("ldstub [%1], %0" : "=r"(was) : "r"(&lock) : "memory");
    } while (was);
}

static void add_locked(u32 n) {
    for (u32 i = 0; i < n; i++) {
        take_lock();
        counter = counter + 1;
        __asm__ volatile("" ::: "memory");
        lock = 0;
    }
}

/* The token is the number of the step; step k belongs to core k modulo their number. */
static void pass_token(u32 me) {
    for (u32 round = 0; round < RING_ROUNDS; round++) {
        u32 mine = round * cores + me, next = mine + 1;
        while (token != mine) {
        }
        __asm__ volatile("swap [%1], %0" : "+r"(next) : "r"(&token) : "memory");
        check("token", next, mine);
    }
}

static void pass_by_cas(u32 me) {
    for (u32 round = 0; round < RING_ROUNDS; round++) {
        u32 mine = round * cores + me, value;
        do {
            value = mine + 1;
            __asm__ volatile("casa [%1] 0xa, %2, %0" : "+r"(value) : "r"(&cas_token), "r"(mine) : "memory");
        } while (value != mine);
    }
}

static void work(u32 me) {
    add_locked(LOCKED_ADDS);
    pass_token(me);
    pass_by_cas(me);
}

/* Core 1 sleeps until the ball is its own. The interrupt may come just before it falls asleep, so core 0 asks again. */
static void ping(void) {
    for (u32 i = 0; i < PINGS; i++) {
        ball = 2 * i + 1;
        while (ball == 2 * i + 1) {
            irqmp[PIFORCE + 1] = 1 << IPI;
            for (volatile u32 wait = 0; wait < 20; wait++) {
            }
        }
    }
}

static void pong(void) {
    irqmp[PIMASK + 1] = 1 << IPI;
    for (u32 i = 0; i < PINGS; i++) {
        while (ball != 2 * i + 1) {
            __asm__ volatile("wr %g0, %asr19");
        }
        ball = 2 * i + 2;
    }
}

static void done(void) {
    take_lock();
    finished = finished + 1;
    lock = 0;
}

void core_main(u32 me) {
    work(me);
    if (me == 1) {
        pong();
    }
    done();
}

int main(void) {
    cores = (irqmp[MPSTAT] >> 28) + 1;
    check("the others wait", irqmp[MPSTAT] & 0xffff, (1u << cores) - 2);
    irqmp[MPSTAT] = (1u << cores) - 2;
    work(0);
    ping();
    done();
    while (finished < cores) {
    }
    check("counter", counter, cores * LOCKED_ADDS);
    check("token", token, cores * RING_ROUNDS);
    check("token by CASA", cas_token, cores * RING_ROUNDS);
    check("pings", ball, 2 * PINGS);
    check("interrupts", interrupts >= PINGS / 2, 1);
    print("cores ");
    print_hex(cores);
    print("\nsmp ok\n");
    guest_exit(0);
}
