/* A board of a town (town.h): MPS2 with two serial ports, LAN9220, a serial flash on the first PL022 whose chip select
 * is pin 15 of GPIO 0, and pins. */
#include "lan9118.h"
#include "mps2.h"

enum { RING_PORTS = 2, MEDIA = 1, TICK_CYCLES = 2500 };
#include "town.h"

#define IDENTITY REG32(0x21000000)
#define SERIAL(port, offset) REG32(0x40004000 + 0x1000 * (port) + (offset))
#define GPIO_DATA REG32(0x40010000)
#define GPIO_DATAOUT REG32(0x40010004)
#define GPIO_OUTENSET REG32(0x40010010)
#define SPI(offset) REG32(0x40020000 + (offset))
enum { CR0 = 0, CR1 = 4, DR = 8, SR = 12, CPSR = 16, RX_NOT_EMPTY = 4, CHIP_SELECT = 1 << 15, PIN_OUT = 1 << 1 };

static void on_tick(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame, (void)exc_return, (void)exception;
}

static unsigned board_id(void) {
    return IDENTITY;
}

static void board_start(void) {
    for (unsigned port = 0; port < RING_PORTS; port++) {
        SERIAL(port, 16) = 217; /* 115200 baud */
        SERIAL(port, 8) = UART_TXEN | UART_RXEN;
    }
    lan_start();
    GPIO_DATAOUT = CHIP_SELECT;
    GPIO_OUTENSET = CHIP_SELECT | PIN_OUT;
    SPI(CPSR) = 4;
    SPI(CR0) = 7;
    SPI(CR1) = 2;
    handlers[EXC_SYSTICK] = on_tick;
    SYST_RVR = TICK_CYCLES - 1;
    SYST_CVR = 0;
    SYST_CSR = 7;
}

static void board_wait(void) {
    __asm volatile("wfi" ::: "memory");
}

static int ring_get(unsigned port) {
    return SERIAL(port, 4) & UART_RXFULL ? (int)SERIAL(port, 0) : -1;
}

static void ring_put(unsigned port, unsigned byte) {
    if (!(SERIAL(port, 4) & UART_TXFULL)) {
        SERIAL(port, 0) = byte;
    }
}

static int media_send(unsigned medium, const Letter *letter) {
    (void)medium;
    return lan_send(letter);
}

static int media_receive(unsigned medium, Letter *letter) {
    (void)medium;
    return lan_receive(letter) != 0;
}

static unsigned board_pins(unsigned level) {
    GPIO_DATAOUT = CHIP_SELECT | (level ? PIN_OUT : 0);
    return GPIO_DATA & 0xff;
}

static unsigned transfer(unsigned byte) {
    SPI(DR) = byte;
    while (!(SPI(SR) & RX_NOT_EMPTY)) {
    }
    return SPI(DR);
}

/* Programs a byte, or reads what stands there and the identity of the flash. */
static unsigned board_sense(unsigned number) {
    static const unsigned char program[] = {0x02, 0, 1}, read[] = {0x03, 0, 1};
    const unsigned char *command = number % 2 ? read : program;
    unsigned value = 0;
    if (number % 2 == 0) {
        GPIO_DATAOUT &= ~(uint32_t)CHIP_SELECT;
        transfer(0x06);
        GPIO_DATAOUT |= CHIP_SELECT;
    }
    GPIO_DATAOUT &= ~(uint32_t)CHIP_SELECT;
    for (unsigned i = 0; i < sizeof program; i++) {
        transfer(command[i]);
    }
    transfer(number / 2);
    value = transfer(number);
    GPIO_DATAOUT |= CHIP_SELECT;
    GPIO_DATAOUT &= ~(uint32_t)CHIP_SELECT;
    for (unsigned i = 0; i < 4; i++) {
        value = value << 8 | transfer(i ? 0 : 0x9f);
    }
    GPIO_DATAOUT |= CHIP_SELECT;
    return value;
}

int main(void) {
    town();
    return 1;
}
