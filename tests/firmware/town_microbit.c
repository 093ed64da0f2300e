/* A board of a town (town.h): micro:bit with its serial port, which others share, its motion sensor on I2C, pins. */
#include "guest.h"

enum { RING_PORTS = 1, MEDIA = 0, TICK_CYCLES = 1600 };
#include "town.h"

#define IDENTITY REG32(0x10001080) /* customer's word of UICR */
#define UART(offset) REG32(0x40002000 + (offset))
#define TWI(offset) REG32(0x40003000 + (offset))
#define GPIO(offset) REG32(0x50000000 + (offset))
enum { STARTRX = 0x000, STARTTX = 0x008, RXDRDY = 0x108, TXDRDY = 0x11c, ENABLE = 0x500, PSELTXD = 0x50c,
       PSELRXD = 0x514, RXD = 0x518, TXD = 0x51c, BAUDRATE = 0x524 };
enum { TWI_STARTRX = 0, TWI_STARTTX = 8, TWI_STOP = 0x14, TWI_STOPPED = 0x104, TWI_RXDREADY = 0x108,
       TWI_TXDSENT = 0x11c, TWI_ERROR = 0x124, TWI_PSELSCL = 0x508, TWI_PSELSDA = 0x50c, TWI_RXD = 0x518,
       TWI_TXD = 0x51c, TWI_FREQUENCY = 0x524, TWI_ADDRESS = 0x588 };
enum { OUT = 0x504, IN = 0x510, PIN_CNF = 0x700, PIN_OUT = 1, PIN_IN = 2, SENSOR = 0x1d, WHO_AM_I = 0x0d };

static unsigned sending;

static void on_tick(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame, (void)exc_return, (void)exception;
}

static unsigned board_id(void) {
    return IDENTITY;
}

static void board_start(void) {
    UART(PSELTXD) = 24;
    UART(PSELRXD) = 25;
    UART(BAUDRATE) = 0x01d7e000; /* 115200 */
    UART(ENABLE) = 4;
    UART(STARTTX) = 1;
    UART(STARTRX) = 1;
    TWI(TWI_PSELSCL) = 0;
    TWI(TWI_PSELSDA) = 30;
    TWI(TWI_FREQUENCY) = 0x06680000; /* 400 kbit/s */
    TWI(TWI_ADDRESS) = SENSOR;
    TWI(ENABLE) = 5;
    GPIO(PIN_CNF + 4 * PIN_OUT) = 1;
    GPIO(PIN_CNF + 4 * PIN_IN) = 0;
    handlers[EXC_SYSTICK] = on_tick;
    SYST_RVR = TICK_CYCLES - 1;
    SYST_CVR = 0;
    SYST_CSR = 7;
}

static void board_wait(void) {
    __asm volatile("wfi" ::: "memory");
}

static int ring_get(unsigned port) {
    (void)port;
    if (!UART(RXDRDY)) {
        return -1;
    }
    UART(RXDRDY) = 0;
    return (int)UART(RXD);
}

static void ring_put(unsigned port, unsigned byte) {
    (void)port;
    if (!sending || UART(TXDRDY)) {
        UART(TXDRDY) = 0;
        UART(TXD) = byte;
        sending = 1;
    }
}

static int media_send(unsigned medium, const Letter *letter) {
    (void)medium, (void)letter;
    return 0;
}

static int media_receive(unsigned medium, Letter *letter) {
    (void)medium, (void)letter;
    return 0;
}

static unsigned board_pins(unsigned level) {
    GPIO(OUT) = level << PIN_OUT;
    return GPIO(IN) >> PIN_IN & 1;
}

static unsigned twi_wait(unsigned event) {
    while (!TWI(event) && !TWI(TWI_ERROR)) {
    }
    TWI(event) = 0;
    return TWI(TWI_ERROR);
}

/* Its identity, or the high byte of an axis. */
static unsigned board_sense(unsigned number) {
    TWI(TWI_ERROR) = 0;
    TWI(TWI_STARTTX) = 1;
    TWI(TWI_TXD) = number % 4 ? 2 * (number % 4) - 1 : WHO_AM_I;
    twi_wait(TWI_TXDSENT);
    TWI(TWI_STARTRX) = 1;
    twi_wait(TWI_RXDREADY);
    unsigned value = TWI(TWI_RXD);
    TWI(TWI_STOP) = 1;
    twi_wait(TWI_STOPPED);
    return value;
}

int main(void) {
    town();
    return 1;
}
