/* Output through the first APBUART, checks, and the 64-bit helpers that gcc calls. */
#include "guest.h"

#ifndef UART_BASE
#define UART_BASE 0x80000100
#endif

static volatile u32 *const uart = (volatile u32 *)UART_BASE; /* data, status, control, scaler */

void put_char(char c) {
    enum { TRANSMITTER_EMPTY = 4 };
    while (!(uart[1] & TRANSMITTER_EMPTY)) {
    }
    uart[0] = (unsigned char)c;
}

void halt_with(int code) __attribute__((noreturn)); /* start.S */

void guest_exit(int code) {
    enum { SHIFT_REGISTER_EMPTY = 2 };
    while (!(uart[1] & SHIFT_REGISTER_EMPTY)) {
    }
    halt_with(code);
}

void print(const char *text) {
    while (*text) {
        put_char(*text++);
    }
}

void print_hex(u32 value) {
    for (int shift = 28; shift >= 0; shift -= 4) {
        put_char("0123456789abcdef"[value >> shift & 15]);
    }
}

void check(const char *what, u32 got, u32 expected) {
    if (got != expected) {
        print(what);
        print(": got ");
        print_hex(got);
        print(", expected ");
        print_hex(expected);
        put_char('\n');
        guest_exit(1);
    }
}

__attribute__((weak)) u32 trap_handler(u32 tt, u32 pc, u32 npc) {
    (void)npc;
    print("trap ");
    print_hex(tt);
    print(" at ");
    print_hex(pc);
    put_char('\n');
    guest_exit(2);
}
