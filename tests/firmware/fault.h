/* Code that is expected to fault: it runs under fault_try, the fault handlers note what they find and go on behind
 * it. */
#ifndef FIRMWARE_FAULT_H
#define FIRMWARE_FAULT_H

#include "guest.h"

typedef struct Fault {
    uint32_t exception; /* 0: there was none */
    uint32_t exc_return;
    uint32_t frame[8];
    uint32_t *frame_at;
    uint32_t cfsr, hfsr, mmfar, bfar; /* ARMv7-M */
} Fault;

extern volatile Fault fault;

/** Calls code(a, b); returns what it returns, or 0xdead after a fault. The stack pointers are restored. */
uint32_t fault_try(const void *code, uint32_t a, uint32_t b);
/** Makes all fault handlers note and resume. */
void fault_init(void);
/** The handler: clears the fault status. */
void fault_note(uint32_t *frame, uint32_t exc_return, uint32_t exception);

/** CFSR bits. */
enum {
    IACCVIOL = 1 << 0,
    DACCVIOL = 1 << 1,
    MUNSTKERR = 1 << 3,
    MSTKERR = 1 << 4,
    MMARVALID = 1 << 7,
    IBUSERR = 1 << 8,
    PRECISERR = 1 << 9,
    UNSTKERR = 1 << 11,
    STKERR = 1 << 12,
    BFARVALID = 1 << 15,
    UNDEFINSTR = 1 << 16,
    INVSTATE = 1 << 17,
    INVPC = 1 << 18,
    NOCP = 1 << 19,
    UNALIGNED = 1 << 24,
    DIVBYZERO = 1 << 25,
};
#define HFSR_FORCED (1u << 30)
#define HFSR_VECTTBL (1u << 1)

/** A function of assembler text with a label at the instruction that faults. */
#define CODE(name, text)                                                                                               \
    extern const char name##_at[];                                                                                     \
    NAKED __attribute__((unused)) static void name(void) {                                                             \
        __asm(text);                                                                                                   \
    }
#define AT(name) #name "_at: .global " #name "_at\n"

#define CHECK_FAULT(what, pc)                                                                                          \
    do {                                                                                                               \
        CHECK_EQ(fault.exception, what);                                                                               \
        CHECK_EQ(fault.frame[FRAME_PC], pc);                                                                           \
    } while (0)

#endif
