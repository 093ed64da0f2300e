/* See fault.h. */
#include "fault.h"

volatile Fault fault;
uint32_t fault_msp;

/* The stack is as fault_try left it: its registers lie on top. */
NAKED static void resume(void) {
    __asm("ldr r1, =fault_msp\n"
          "ldr r1, [r1]\n"
          "mrs r2, control\n"
          "movs r3, #2\n"
          "bics r2, r3\n"
          "msr control, r2\n"
          "isb\n"
          "mov sp, r1\n"
          "ldr r0, =0xdead\n"
          "pop {r4-r7, pc}\n"
          ".pool\n");
}

NAKED uint32_t fault_try(const void *code, uint32_t a, uint32_t b) {
    (void)code;
    (void)a;
    (void)b;
    __asm("push {r4-r7, lr}\n"
          "ldr r3, =fault_msp\n"
          "mov r4, sp\n"
          "str r4, [r3]\n"
          "ldr r3, =fault\n"
          "movs r4, #0\n"
          "str r4, [r3]\n"
          "mov r3, r0\n"
          "mov r0, r1\n"
          "mov r1, r2\n"
          "blx r3\n"
          "pop {r4-r7, pc}\n"
          ".pool\n");
}

void fault_note(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    fault.exception = exception;
    fault.exc_return = exc_return;
    fault.frame_at = frame;
    for (int i = 0; i < 8; i++) {
        fault.frame[i] = frame[i];
    }
    if ((CPUID >> 16 & 15) == 15) {
        fault.cfsr = CFSR;
        fault.hfsr = HFSR;
        fault.mmfar = MMFAR;
        fault.bfar = BFAR;
        CFSR = fault.cfsr;
        HFSR = fault.hfsr;
    }
    frame[FRAME_PC] = (uint32_t)resume & ~1u;
    frame[FRAME_PSR] = (frame[FRAME_PSR] & 0x3ff) | 1u << 24;
}

void fault_init(void) {
    for (int n = EXC_HARD; n <= EXC_USAGE; n++) {
        handlers[n] = fault_note;
    }
    if ((CPUID >> 16 & 15) == 15) {
        SHCSR |= SHCSR_FAULTS;
        barrier();
    }
}
