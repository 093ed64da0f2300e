/* Checks and output of the test programs; see guest.h. */
#include "guest.h"

enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20, APPLICATION_EXIT = 0x20026 };

volatile Handler handlers[48];
static uint32_t checks;

static void semihost(uint32_t operation, const void *block) {
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = block;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

void guest_exit(uint32_t code) {
    uint32_t block[] = {APPLICATION_EXIT, code};
    for (;;) {
        semihost(SYS_EXIT_EXTENDED, block);
    }
}

void guest_print(const char *text) {
    semihost(SYS_WRITE0, text);
}

void guest_print_hex(uint32_t value) {
    char text[9];
    for (int i = 0; i < 8; i++) {
        uint32_t digit = value >> (28 - 4 * i) & 15;
        text[i] = (char)(digit < 10 ? '0' + digit : 'a' + digit - 10);
    }
    text[8] = '\0';
    guest_print(text);
}

static void print_number(uint32_t value) {
    char text[11];
    uint32_t at = 10;
    text[at] = '\0';
    do { /* no divide instruction on ARMv6-M */
        uint32_t tenth = 0, rest = value;
        while (rest >= 10) {
            rest -= 10;
            tenth++;
        }
        text[--at] = (char)('0' + rest);
        value = tenth;
    } while (value);
    guest_print(text + at);
}

void guest_check(bool good, const char *what, uint32_t line, uint32_t value, uint32_t expected) {
    checks++;
    if (good) {
        return;
    }
    guest_print("FAILED line ");
    print_number(line);
    guest_print(": ");
    guest_print(what);
    guest_print(": got 0x");
    guest_print_hex(value);
    guest_print(", expected 0x");
    guest_print_hex(expected);
    guest_print("\n");
    guest_exit(1);
}

void guest_passed(const char *what) {
    guest_print("passed: ");
    guest_print(what);
    guest_print("\n");
}

void guest_done(const char *name) {
    guest_print(name);
    guest_print(": ");
    print_number(checks);
    guest_print(" checks\n");
    guest_exit(0);
}

void guest_unexpected(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    guest_print("unexpected exception ");
    print_number(exception);
    guest_print(", pc 0x");
    guest_print_hex(frame[FRAME_PC]);
    guest_print(", EXC_RETURN 0x");
    guest_print_hex(exc_return);
    if ((CPUID >> 16 & 15) == 15) { /* ARMv7-M has fault status */
        guest_print(", CFSR 0x");
        guest_print_hex(CFSR);
        guest_print(", HFSR 0x");
        guest_print_hex(HFSR);
    }
    guest_print("\n");
    guest_exit(2);
}

/* The compiler may call these for loops and initialisers. */
void *memcpy(void *to, const void *from, unsigned size) {
    uint8_t *d = to;
    const uint8_t *s = from;
    while (size--) {
        *d++ = *s++;
    }
    return to;
}

void *memset(void *to, int value, unsigned size) {
    uint8_t *d = to;
    while (size--) {
        *d++ = (uint8_t)value;
    }
    return to;
}
