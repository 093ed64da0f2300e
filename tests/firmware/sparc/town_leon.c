/* A board of a town (../town.h): the LEON boards. LEON3 has one serial port; GR712RC two, CAN_OC twice, GRETH, and a
 * thermometer and an EEPROM on I2CMST; GR740 two, GRCAN, GRETH, and a serial flash on SPICTRL. */
#include "leon_board.h"

#if defined(BOARD_GR740)
enum { RING_PORTS = 2, MEDIA = 2, IDENTITY = 0x04000000, RING0 = 0xff900000, RING1 = 0xff901000,
       SPICTRL = 0xffa03000, PIN_IN = 2, PIN_OUT = 1 };
#elif defined(BOARD_GR712RC)
enum { RING_PORTS = 2, MEDIA = 3, IDENTITY = 0x60000000, RING0 = 0x80000100, RING1 = 0x80100100,
       I2CMST = 0x80000c00, PIN_IN = 2, PIN_OUT = 1 };
#else
enum { RING_PORTS = 1, MEDIA = 0, IDENTITY = 0x44000000, RING0 = 0x80000100, RING1 = 0 };
#endif
#if defined(BOARD_GR740) || defined(BOARD_GR712RC)
#define IS_BIG 1 /* it has more than a serial port */
#include "greth.h"
#include "leon_can.h"
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

/* ---- Media: Ethernet, then CAN, with identifiers that no two boards share ---- */

#if IS_BIG
static int media_send(unsigned medium, const Letter *letter) {
    return medium ? can_send(medium - 1, letter->number << 6 | letter->from, letter) : eth_send(letter);
}

static int media_receive(unsigned medium, Letter *letter) {
    u32 identifier;
    return medium ? can_receive(medium - 1, &identifier, letter) : eth_receive(letter) != 0;
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
    eth_start(board_id());
    for (unsigned core = 0; core < MEDIA - 1; core++) {
        can_start(core);
    }
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
