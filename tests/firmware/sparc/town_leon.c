/* A board of a town (../town.h): the LEON boards. LEON3 has one serial port; GR712RC two, CAN_OC twice, GRETH, and a
 * thermometer and an EEPROM on I2CMST; GR740 two, GRCAN, GRETH, and a serial flash on SPICTRL. */
#include "leon_board.h"

#if defined(BOARD_GR740)
enum { RING_PORTS = 2, MEDIA = 2, IDENTITY = 0x04000000, RING0 = 0xff900000, RING1 = 0xff901000, GRETH = 0xff940000,
       GRCAN = 0xffa01000, SPICTRL = 0xffa03000, PIN_IN = 2, PIN_OUT = 1 };
#elif defined(BOARD_GR712RC)
enum { RING_PORTS = 2, MEDIA = 3, IDENTITY = 0x60000000, RING0 = 0x80000100, RING1 = 0x80100100, GRETH = 0x80000e00,
       CANOC = 0xfff30000, I2CMST = 0x80000c00, PIN_IN = 2, PIN_OUT = 1 };
#else
enum { RING_PORTS = 1, MEDIA = 0, IDENTITY = 0x44000000, RING0 = 0x80000100, RING1 = 0 };
#endif
#if defined(BOARD_GR740) || defined(BOARD_GR712RC)
#define IS_BIG 1 /* it has more than a serial port */
#else
#define IS_BIG 0
#endif
#include "../town.h"

enum { DATA = 0, STATUS = 4, CONTROL = 8, SCALER = 12, READY = 1, QUEUE_FULL = 0x200, BAUD = 115200 };
enum { COUNTER1 = 0x10, RELOAD1 = 0x14, CONTROL1 = 0x18, TICK_US = 100 };
enum { IRQ_MASK = 0x40 };

static unsigned board_id(void) {
    return *at(IDENTITY);
}

u32 trap_handler(u32 tt, u32 pc, u32 npc) {
    (void)pc, (void)npc;
    *at(GPTIMER + CONTROL1) = 0xb | IP_CLEAR;
    return tt != 0x10 + GPTIMER_IRQ; /* on with the instruction that was interrupted */
}

static void serial_start(u32 port) {
    *at(port + SCALER) = MHZ * 1000000 / (8 * BAUD) - 1;
    *at(port + CONTROL) = 3;
}

static void board_wait(void) {
    __asm__ volatile("wr %%g0, %%asr19" ::: "memory");
}

static int ring_get(unsigned port) {
    u32 base = port ? RING1 : RING0;
    return *at(base + STATUS) & READY ? (int)*at(base + DATA) : -1;
}

static void ring_put(unsigned port, unsigned byte) {
    u32 base = port ? RING1 : RING0;
    if (!(*at(base + STATUS) & QUEUE_FULL)) {
        *at(base + DATA) = byte;
    }
}

/* ---- Ethernet ---- */

#if IS_BIG
enum { CTRL = 0, MAC_MSB = 8, MAC_LSB = 12, TX = 20, RX = 24 };
enum { TE = 1, RE = 2, FULL = 0x10, SP = 0x80, EN = 0x800, WRAP = 0x1000, FRAME = 60, BUFFERS = 16 };

static volatile u32 tx_descriptor[2] __attribute__((aligned(1024)));
static volatile u32 rx_descriptors[BUFFERS][2] __attribute__((aligned(1024)));
static volatile unsigned char tx_frame[FRAME] __attribute__((aligned(4)));
static volatile unsigned char rx_frames[BUFFERS][64] __attribute__((aligned(4)));
static unsigned next_rx;

static void eth_start(void) {
    for (unsigned i = 0; i < BUFFERS; i++) {
        rx_descriptors[i][1] = (u32)rx_frames[i];
        rx_descriptors[i][0] = EN | (i + 1 == BUFFERS ? WRAP : 0);
    }
    *at(GRETH + MAC_MSB) = 0x0200;
    *at(GRETH + MAC_LSB) = board_id();
    *at(GRETH + TX) = (u32)tx_descriptor;
    *at(GRETH + RX) = (u32)rx_descriptors;
    *at(GRETH + CTRL) = RE | FULL | SP;
}

static int eth_send(const Letter *letter) {
    if (tx_descriptor[0] & EN) {
        return 0;
    }
    for (int i = 0; i < 6; i++) {
        tx_frame[i] = 0xff;
    }
    tx_frame[6] = 2;
    tx_frame[11] = tx_frame[14] = (unsigned char)letter->from;
    tx_frame[FRAME - 1] = (unsigned char)letter->number;
    tx_descriptor[1] = (u32)tx_frame;
    tx_descriptor[0] = EN | WRAP | FRAME;
    *at(GRETH + CTRL) |= TE;
    return 1;
}

static int eth_receive(Letter *letter) {
    u32 status = rx_descriptors[next_rx][0];
    if (status & EN) {
        return 0;
    }
    *letter = (Letter){rx_frames[next_rx][14], rx_frames[next_rx][FRAME - 1] | status << 8};
    rx_descriptors[next_rx][0] = EN | (next_rx + 1 == BUFFERS ? WRAP : 0);
    next_rx = (next_rx + 1) % BUFFERS;
    *at(GRETH + CTRL) |= RE;
    return 1;
}
#endif

/* ---- CAN: 250 kbit/s, identifiers that no two boards share ---- */

#if IS_BIG
static u32 identifier(const Letter *letter) {
    return letter->number << 6 | letter->from;
}
#endif

#ifdef BOARD_GR740
enum { CAN_CONF = 0, CAN_CTRL = 8, TXCTRL = 0x200, TXADDR = 0x204, TXSIZE = 0x208, TXWR = 0x20c, TXRD = 0x210,
       RXCTRL = 0x300, RXADDR = 0x304, RXSIZE = 0x308, RXWR = 0x30c, RXRD = 0x310, RXMASK = 0x318, MESSAGE = 16,
       CAN_SIZE = 256 };

static volatile u32 sent[CAN_SIZE / 4] __attribute__((aligned(1024)));
static volatile u32 received[CAN_SIZE / 4] __attribute__((aligned(1024)));

/* 250 MHz / (50 * (2 + 12 + 6)) */
static void can_start(void) {
    *at(GRCAN + CAN_CONF) = 49u << 24 | 12 << 20 | 6 << 16;
    *at(GRCAN + TXADDR) = (u32)sent;
    *at(GRCAN + TXSIZE) = CAN_SIZE;
    *at(GRCAN + RXADDR) = (u32)received;
    *at(GRCAN + RXSIZE) = CAN_SIZE;
    *at(GRCAN + RXMASK) = 0;
    *at(GRCAN + CAN_CTRL) = 1;
    *at(GRCAN + TXCTRL) = 1;
    *at(GRCAN + RXCTRL) = 1;
}

static int can_send(unsigned core, const Letter *letter) {
    u32 place = *at(GRCAN + TXWR), next = (place + MESSAGE) % CAN_SIZE;
    (void)core;
    if (next == *at(GRCAN + TXRD)) {
        return 0;
    }
    volatile u32 *message = sent + place / 4;
    message[0] = identifier(letter) << 18;
    message[1] = 2u << 28;
    message[2] = letter->from << 24 | letter->number << 16;
    *at(GRCAN + TXWR) = next;
    return 1;
}

static int can_receive(unsigned core, Letter *letter) {
    u32 place = *at(GRCAN + RXRD);
    (void)core;
    if (place == *at(GRCAN + RXWR)) {
        return 0;
    }
    const volatile u32 *message = received + place / 4;
    *letter = (Letter){message[2], message[0]};
    *at(GRCAN + RXRD) = (place + MESSAGE) % CAN_SIZE;
    return 1;
}
#endif

#ifdef BOARD_GR712RC
enum { MOD, CMR, SR, BTR0 = 6, BTR1 = 7, CODE = 16, MASK = 20, BUFFER = 16, CDR = 31 };
enum { RBS = 1, TBS = 4, TR = 1, RRB = 4, RESET = 1 };

static volatile unsigned char *can_core(unsigned core) {
    return (volatile unsigned char *)CANOC + 0x100 * core;
}

/* 80 MHz / (2 * 10 * (10 + 3 + 3)) */
static void can_start(void) {
    for (unsigned core = 0; core < 2; core++) {
        volatile unsigned char *can = can_core(core);
        can[CDR] = 0x80;
        can[BTR0] = 9;
        can[BTR1] = 0x3a;
        for (int i = 0; i < 4; i++) {
            can[CODE + i] = 0;
            can[MASK + i] = 0xff;
        }
        can[MOD] = 0;
    }
}

static int can_send(unsigned core, const Letter *letter) {
    volatile unsigned char *can = can_core(core);
    if (can[MOD] & RESET) { /* bus-off: back again */
        can[MOD] = 0;
    }
    if (!(can[SR] & TBS)) {
        return 0;
    }
    can[BUFFER] = 2;
    can[BUFFER + 1] = (unsigned char)(identifier(letter) >> 3);
    can[BUFFER + 2] = (unsigned char)(identifier(letter) << 5);
    can[BUFFER + 3] = (unsigned char)letter->from;
    can[BUFFER + 4] = (unsigned char)letter->number;
    can[CMR] = TR;
    return 1;
}

static int can_receive(unsigned core, Letter *letter) {
    volatile unsigned char *can = can_core(core);
    if (!(can[SR] & RBS)) {
        return 0;
    }
    *letter = (Letter){can[BUFFER + 3] << 8 | can[BUFFER + 4], can[BUFFER + 1]};
    can[CMR] = RRB;
    return 1;
}
#endif

#if IS_BIG
static int media_send(unsigned medium, const Letter *letter) {
    return medium ? can_send(medium - 1, letter) : eth_send(letter);
}

static int media_receive(unsigned medium, Letter *letter) {
    return medium ? can_receive(medium - 1, letter) : eth_receive(letter);
}

/* ---- Pins ---- */

static void pins_start(void) {
    *at(GPIO + 8) = 1 << PIN_OUT;
}

static unsigned board_pins(unsigned level) {
    *at(GPIO + 4) = level << PIN_OUT;
    return *at(GPIO) >> PIN_IN & 1;
}
#else
static int media_send(unsigned medium, const Letter *letter) {
    (void)medium, (void)letter;
    return 0;
}

static int media_receive(unsigned medium, Letter *letter) {
    (void)medium, (void)letter;
    return 0;
}

static unsigned board_pins(unsigned level) {
    return level;
}
#endif

/* ---- Parts ---- */

#if defined(BOARD_GR712RC)
enum { I2C_PRESCALE = 0, I2C_CONTROL = 4, I2C_DATA = 8, I2C_COMMAND = 12 };
enum { STA = 0x80, STO = 0x40, RD = 0x20, WR = 0x10, NACK = 8, TIP = 2, THERMOMETER = 0x48, EEPROM = 0x50 };

static void parts_start(void) {
    *at(I2CMST + I2C_PRESCALE) = 39; /* 400 kbit/s */
    *at(I2CMST + I2C_CONTROL) = 0x80;
}

static u32 i2c(u32 command, u32 byte) {
    *at(I2CMST + I2C_DATA) = byte;
    *at(I2CMST + I2C_COMMAND) = command;
    while (*at(I2CMST + I2C_COMMAND) & TIP) {
    }
    return *at(I2CMST + I2C_DATA);
}

/* Writes a byte of the EEPROM, or reads one and the temperature. */
static unsigned board_sense(unsigned number) {
    i2c(STA | WR, EEPROM << 1);
    i2c(WR, 0);
    i2c(WR, number / 2);
    if (number % 2 == 0) {
        i2c(WR | STO, number);
        return number;
    }
    i2c(STA | WR, EEPROM << 1 | 1);
    u32 value = i2c(RD | NACK | STO, 0);
    i2c(STA | WR, THERMOMETER << 1 | 1);
    value = value << 8 | i2c(RD, 0);
    return value << 8 | i2c(RD | NACK | STO, 0);
}
#elif defined(BOARD_GR740)
enum { SPI_MODE = 0x20, SPI_EVENT = 0x24, SPI_TX = 0x30, SPI_RX = 0x34, SPI_SELECT = 0x38, NOT_EMPTY = 1 << 9 };

/* Master, bytes, the highest bit first, 250 MHz / (4 * 8). */
static void parts_start(void) {
    *at(SPICTRL + SPI_MODE) = 1u << 26 | 1u << 25 | 7u << 20 | 7u << 16;
    *at(SPICTRL + SPI_MODE) |= 1u << 24;
    *at(SPICTRL + SPI_SELECT) = ~0u;
}

static u32 transfer(u32 byte) {
    *at(SPICTRL + SPI_TX) = byte << 24;
    while (!(*at(SPICTRL + SPI_EVENT) & NOT_EMPTY)) {
    }
    return *at(SPICTRL + SPI_RX) >> 16 & 0xff;
}

/* Programs a byte, or reads it; then the identity of the flash. */
static unsigned board_sense(unsigned number) {
    static const unsigned char program[] = {0x02, 0, 1}, read[] = {0x03, 0, 1};
    u32 value;
    if (number % 2 == 0) {
        *at(SPICTRL + SPI_SELECT) = ~1u;
        transfer(0x06);
        *at(SPICTRL + SPI_SELECT) = ~0u;
    }
    *at(SPICTRL + SPI_SELECT) = ~1u;
    for (unsigned i = 0; i < sizeof program; i++) {
        transfer((number % 2 ? read : program)[i]);
    }
    transfer(number / 2);
    value = transfer(number);
    *at(SPICTRL + SPI_SELECT) = ~0u;
    *at(SPICTRL + SPI_SELECT) = ~1u;
    for (unsigned i = 0; i < 4; i++) {
        value = value << 8 | transfer(i ? 0 : 0x9f);
    }
    *at(SPICTRL + SPI_SELECT) = ~0u;
    return value;
}
#else
static unsigned board_sense(unsigned number) {
    return number;
}
#endif

static void board_start(void) {
    serial_start(RING0);
#if IS_BIG
    serial_start(RING1);
    eth_start();
    can_start();
    pins_start();
    parts_start();
#endif
    *at(IRQMP + IRQ_MASK) = 1u << GPTIMER_IRQ;
    *at(GPTIMER + RELOAD1) = TICK_US - 1;
    *at(GPTIMER + CONTROL1) = 0xf;
    __asm__ volatile("rd %%psr, %%l0\n\tandn %%l0, 0xf00, %%l0\n\twr %%l0, 0, %%psr\n\tnop\n\tnop\n\tnop" ::: "l0");
}

int main(void) {
    town();
    return 1;
}
