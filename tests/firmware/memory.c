/* Memory as the core sees it: unaligned accesses within and across regions, bit-band, exclusives, byte order.
 * DDI 0403E.e A3.2, A3.4, B3.1; Cortex-M3 TRM (DDI 0337I) 3.7. */
#include "fault.h"

CODE(load, AT(load) "ldr r0, [r0]\nbx lr\n")
CODE(load_half, AT(load_half) "ldrh r0, [r0]\nbx lr\n")
CODE(load_signed, AT(load_signed) "ldrsh r0, [r0]\nbx lr\n")
CODE(store, AT(store) "str r1, [r0]\nmov r0, #0\nbx lr\n")
CODE(store_half, AT(store_half) "strh r1, [r0]\nmov r0, #0\nbx lr\n")

/* ---- Unaligned ---- */

static uint32_t word_at(const uint8_t *at) {
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void test_unaligned(void) {
    static uint8_t bytes[16];
    for (uint32_t i = 0; i < 16; i++) {
        bytes[i] = (uint8_t)(0x81 + 7 * i);
    }
    for (uint32_t i = 0; i < 12; i++) {
        uint32_t at = (uint32_t)bytes + i;
        CHECK_EQ(fault_try(load, at, 0), word_at(bytes + i));
        CHECK_EQ(fault_try(load_half, at, 0), word_at(bytes + i) & 0xffff);
        CHECK_EQ(fault_try(load_signed, at, 0), (int16_t)word_at(bytes + i));
        uint32_t next = bytes[i + 4];
        fault_try(store, at, 0x11223344 + i);
        CHECK_EQ(word_at(bytes + i), 0x11223344 + i);
        CHECK_EQ(bytes[i + 4], next);
        fault_try(store_half, at, 0xa5b6);
        CHECK_EQ(word_at(bytes + i), 0x1122a5b6 + ((0x3344 + i) >> 16));
    }
    guest_passed("unaligned words and halfwords");
}

/* From the end of one region into the next, which is the start of the same memory again; and where nothing follows. */
static void test_across_regions(void) {
    const uint32_t end = 0x400000;
    uint32_t first = REG32(end);
    REG32(end - 4) = 0x44332211;
    for (uint32_t n = 1; n < 4; n++) {
        CHECK_EQ(fault_try(load, end - 4 + n, 0), 0x44332211 >> 8 * n | first << (32 - 8 * n));
    }
    fault_try(store_half, end - 1, 0x7766);
    CHECK_EQ(REG32(end - 4), 0x66332211);
    CHECK_EQ(REG8(end), 0x77);
    REG32(end) = first;
#ifndef FOR_QEMU /* which has zeros behind it */
    CHECK_EQ(fault_try(load, 0x207ffffe, 0), 0xdead);
    CHECK_FAULT(EXC_BUS, load_at);
    CHECK(fault.bfar >= 0x207ffffe && fault.bfar <= 0x20800000);
#endif
    guest_passed("unaligned accesses across regions");
}

/* ---- Bit-band ---- */

#define BIT(addr, n) (0x22000000u + ((uint32_t)(addr)-0x20000000u) * 32 + 4 * (n))

static volatile uint32_t bits_word;

static void test_bitband(void) {
    bits_word = 0xf0f0a5a5;
    for (uint32_t n = 0; n < 32; n++) {
        CHECK_EQ(REG32(BIT(&bits_word, n)), 0xf0f0a5a5 >> n & 1);
    }
    REG32(BIT(&bits_word, 1)) = 1;
    CHECK_EQ(bits_word, 0xf0f0a5a7);
    REG32(BIT(&bits_word, 31)) = 0xfffffffe; /* bit 0 counts */
    CHECK_EQ(bits_word, 0x70f0a5a7);
    REG8(BIT(&bits_word, 8)) = 0;
    CHECK_EQ(bits_word, 0x70f0a4a7);
    REG16(BIT(&bits_word, 16)) = 1;
    CHECK_EQ(bits_word, 0x70f1a4a7);
    CHECK_EQ(REG8(BIT(&bits_word, 16)), 1);
    CHECK_EQ(REG16(BIT(&bits_word, 17)), 0);
    guest_passed("bit-band of RAM");
    /* Of a device: enable bit of CMSDK timer 1. */
    REG32(0x40001008) = 1000;
    REG32(0x40001004) = 1000;
    REG32(0x42000000 + 0x1000 * 32) = 1;
    CHECK_EQ(REG32(0x40001000), 1);
    CHECK(REG32(0x40001004) < 1000);
    REG32(0x42000000 + 0x1000 * 32) = 0;
    CHECK_EQ(REG32(0x40001000), 0);
    guest_passed("bit-band of devices");
}

/* ---- Exclusives ---- */

static uint32_t strex(volatile uint32_t *at, uint32_t value) {
    uint32_t failed;
    __asm volatile("strex %0, %1, [%2]" : "=&r"(failed) : "r"(value), "r"(at) : "memory");
    return failed;
}

static uint32_t ldrex(volatile uint32_t *at) {
    uint32_t value;
    __asm volatile("ldrex %0, [%1]" : "=r"(value) : "r"(at) : "memory");
    return value;
}

static void on_svc(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
}

static void test_exclusives(void) {
    static volatile uint32_t word;
    word = 5;
    CHECK_EQ(strex(&word, 9), 1); /* without LDREX */
    CHECK_EQ(word, 5);
    CHECK_EQ(ldrex(&word), 5);
    CHECK_EQ(strex(&word, 6), 0);
    CHECK_EQ(word, 6);
    CHECK_EQ(strex(&word, 7), 1); /* STREX ends it */
    ldrex(&word);
    __asm volatile("clrex");
    CHECK_EQ(strex(&word, 8), 1);
    handlers[EXC_SVC] = on_svc;
    ldrex(&word);
    __asm volatile("svc 0");
    CHECK_EQ(strex(&word, 8), 1); /* so do exceptions */
    CHECK_EQ(word, 6);
    uint32_t value, failed;
    __asm volatile("ldrexb %0, [%2]\n\tadd %0, #1\n\tstrexb %1, %0, [%2]"
                   : "=&r"(value), "=&r"(failed)
                   : "r"(&word)
                   : "memory");
    CHECK_EQ(failed, 0);
    __asm volatile("ldrexh %0, [%2]\n\tadd %0, #256\n\tstrexh %1, %0, [%2]"
                   : "=&r"(value), "=&r"(failed)
                   : "r"(&word)
                   : "memory");
    CHECK_EQ(failed, 0);
    CHECK_EQ(word, 0x107);
    guest_passed("exclusives");
}

int main(void) {
    fault_init();
    test_unaligned();
    test_across_regions();
    test_bitband();
    test_exclusives();
    guest_done("memory");
}
