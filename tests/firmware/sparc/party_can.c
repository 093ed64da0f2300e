/* A party (party.h) on a CAN bus at 250 kbit/s: CAN_OC of the GR712RC in PeliCAN mode, GRCAN of the GR740. Identifiers
 * are 0x100 * (node + 1) + number, so that all contend with all. */
#include "leon_board.h"

#include "../party.h"

#ifdef BOARD_GR740

enum { GRCAN = 0xffa01000, CONF = 0, CTRL = 8, TXCTRL = 0x200, TXADDR = 0x204, TXSIZE = 0x208, TXWR = 0x20c,
       TXRD = 0x210, RXCTRL = 0x300, RXADDR = 0x304, RXSIZE = 0x308, RXWR = 0x30c, RXRD = 0x310,
       RXMASK = 0x318 };
enum { MESSAGE = 16, SIZE = 256 };

static volatile u32 sent[SIZE / 4] __attribute__((aligned(1024)));
static volatile u32 received[SIZE / 4] __attribute__((aligned(1024)));

/* 250 MHz / (50 * (2 + 12 + 6)) */
static void can_start(void) {
    *at(GRCAN + CONF) = 49u << 24 | 12 << 20 | 6 << 16;
    *at(GRCAN + TXADDR) = (u32)sent;
    *at(GRCAN + TXSIZE) = SIZE;
    *at(GRCAN + RXADDR) = (u32)received;
    *at(GRCAN + RXSIZE) = SIZE;
    *at(GRCAN + RXMASK) = 0;
    *at(GRCAN + CTRL) = 1;
    *at(GRCAN + TXCTRL) = 1;
    *at(GRCAN + RXCTRL) = 1;
}

static int party_send(const Word *word) {
    u32 place = *at(GRCAN + TXWR), next = (place + MESSAGE) % SIZE;
    if (next == *at(GRCAN + TXRD)) {
        return 0;
    }
    volatile u32 *message = sent + place / 4;
    message[0] = (0x100 * (word->from + 1) + word->number) << 18;
    message[1] = 2u << 28;
    message[2] = word->from << 24 | word->number << 16;
    *at(GRCAN + TXWR) = next;
    return 1;
}

static int party_receive(Word *word) {
    u32 place = *at(GRCAN + RXRD);
    if (place == *at(GRCAN + RXWR)) {
        return 0;
    }
    volatile u32 *message = received + place / 4;
    word->from = message[2] >> 24;
    word->number = message[2] >> 16 & 0xff;
    check("identifier", message[0] >> 18, 0x100 * (word->from + 1) + word->number);
    *at(GRCAN + RXRD) = (place + MESSAGE) % SIZE;
    return 1;
}

#else

static volatile unsigned char *const can = (volatile unsigned char *)0xfff30000;
enum { MOD, CMR, SR, BTR0 = 6, BTR1 = 7, CODE = 16, MASK = 20, BUFFER = 16, CDR = 31 };
enum { RBS = 1, TBS = 4, TR = 1, RRB = 4 };

/* 80 MHz / (2 * 10 * (10 + 3 + 3)) */
static void can_start(void) {
    can[CDR] = 0x80;
    can[BTR0] = 9;
    can[BTR1] = 0x3a;
    for (int i = 0; i < 4; i++) {
        can[CODE + i] = 0;
        can[MASK + i] = 0xff;
    }
    can[MOD] = 0;
}

static int party_send(const Word *word) {
    u32 id = 0x100 * (word->from + 1) + word->number;
    if (!(can[SR] & TBS)) {
        return 0;
    }
    can[BUFFER] = 2;
    can[BUFFER + 1] = (unsigned char)(id >> 3);
    can[BUFFER + 2] = (unsigned char)(id << 5);
    can[BUFFER + 3] = (unsigned char)word->from;
    can[BUFFER + 4] = (unsigned char)word->number;
    can[CMR] = TR;
    return 1;
}

static int party_receive(Word *word) {
    if (!(can[SR] & RBS)) {
        return 0;
    }
    word->from = can[BUFFER + 3];
    word->number = can[BUFFER + 4];
    check("identifier", (u32)can[BUFFER + 1] << 3 | can[BUFFER + 2] >> 5, 0x100 * (word->from + 1) + word->number);
    can[CMR] = RRB;
    return 1;
}

#endif

int main(void) {
    can_start();
    party();
    return 1;
}
