/* Attached parts of a GR712RC: an LM75 at 0x48 and an AT24 EEPROM at 0x50 of the I2C bus, a W25Q flash on SPI that
 * pin 5 of the first GPIO port selects. What is not acknowledged is tried again; how often is told in the end. */
#include "leon_board.h"

enum { I2C = 0x80000c00, PRESCALE = 0, CONTROL = 4, TXRX = 8, COMMAND = 12 };
enum { STA = 0x80, STO = 0x40, RD = 0x20, WR = 0x10, NACK = 8, TIP = 2, NACKED = 0x80, TRIES = 1000,
       CONVERSION = 1500000 /* the first one comes after 100 ms */ };
enum { SPI = 0x80000400, MODE = 0x20, EVENT = 0x24, TX = 0x30, RX = 0x34, NE = 0x200, PIN = 1 << 5 };

static u32 retries;

static int i2c_do(u32 command) {
    *at(I2C + COMMAND) = command;
    while (*at(I2C + COMMAND) & TIP) {
    }
    return !(*at(I2C + COMMAND) & NACKED);
}

static int i2c_put(u32 byte, u32 more) {
    *at(I2C + TXRX) = byte;
    return i2c_do(WR | more);
}

/* Writes `out_len` bytes and reads `in_len`; 0 if something was not acknowledged. */
static int transfer(u32 address, const unsigned char *out, u32 out_len, unsigned char *in, u32 in_len) {
    int good = i2c_put(address << 1, STA);
    for (u32 i = 0; i < out_len && good; i++) {
        good = i2c_put(out[i], 0);
    }
    good = good && (!in_len || i2c_put(address << 1 | 1, STA));
    for (u32 i = 0; i < in_len && good; i++) {
        i2c_do(RD | (i + 1 == in_len ? NACK : 0));
        in[i] = (unsigned char)*at(I2C + TXRX);
    }
    i2c_do(STO);
    return good;
}

static void insist(const char *what, u32 address, const unsigned char *out, u32 out_len, unsigned char *in,
                   u32 in_len) {
    for (u32 tries = 0; tries < TRIES; tries++, retries++) {
        if (transfer(address, out, out_len, in, in_len)) {
            return;
        }
    }
    print(what);
    print(": no answer\n");
    guest_exit(1);
}

static u32 spi_byte(u32 out) {
    *at(SPI + TX) = out << 24;
    while (!(*at(SPI + EVENT) & NE)) {
    }
    return *at(SPI + RX) >> 16;
}

static void flash_identify(void) {
    *at(GPIO + 4) = PIN;
    *at(GPIO + 8) = PIN;
    *at(SPI + MODE) = 0x07700000; /* MSB first, master, on, 8 bits */
    *at(GPIO + 4) = 0;
    spi_byte(0x9f);
    u32 id = spi_byte(0) << 16;
    id |= spi_byte(0) << 8;
    id |= spi_byte(0);
    *at(GPIO + 4) = PIN;
    print("flash ");
    print_hex(id);
    print("\n");
}

int main(void) {
    static const unsigned char temperature[] = {0}, page[] = {0, 16, 0x12, 0x34}, place[] = {0, 16};
    unsigned char in[2];
    *at(I2C + PRESCALE) = 159; /* 100 kHz */
    *at(I2C + CONTROL) = 0x80;
    for (volatile u32 i = 0; i < CONVERSION; i++) {
    }
    insist("thermometer", 0x48, temperature, 1, in, 2);
    print("temperature ");
    print_hex((u32)in[0] << 8 | in[1]);
    insist("eeprom", 0x50, page, 4, in, 0);
    insist("eeprom", 0x50, place, 2, in, 2); /* until it has been written */
    print("\neeprom ");
    print_hex((u32)in[0] << 8 | in[1]);
    print("\n");
    flash_identify();
    print("retries ");
    print_hex(retries);
    print("\n");
    guest_exit(0);
}
