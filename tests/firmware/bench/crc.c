/* CRC-32 (IEEE 802.3), bit by bit, over 256 bytes; the CRC of one round is the start value of the next. */
#include "bench.h"

static uint8_t data[256];

static BENCH_CALL uint32_t crc_bits(uint32_t crc, const uint8_t *bytes, uint32_t count) {
    crc = ~crc;
    for (uint32_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            if (crc & 1) {
                crc = crc >> 1 ^ 0xedb88320;
            } else {
                crc >>= 1;
            }
        }
    }
    return ~crc;
}

uint32_t kernel(uint32_t rounds) {
    uint32_t crc = 0;
    for (uint32_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 7 + 3);
    }
    for (uint32_t r = 0; r < rounds; r++) {
        crc = crc_bits(crc, data, sizeof data);
    }
    return crc;
}
