/* What the test programs share: registers of the system control space, exceptions with C handlers, checks that end in
 * an exit code. DDI 0403E.e B3.2, B3.4; "Semihosting for AArch32 and AArch64", release 2.0. */
#ifndef FIRMWARE_GUEST_H
#define FIRMWARE_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#define REG32(addr) (*(volatile uint32_t *)(addr))
#define REG16(addr) (*(volatile uint16_t *)(addr))
#define REG8(addr) (*(volatile uint8_t *)(addr))

#define NAKED __attribute__((naked, noinline))
#define NOINLINE __attribute__((noinline))
/* RAM that start-up leaves alone: survives a reset. */
#define NOINIT __attribute__((section(".noinit")))
/* Code that start-up copies to RAM. */
#define RAMCODE __attribute__((section(".ramcode"), noinline, long_call))

/* System control space. */
#define SYST_CSR REG32(0xe000e010)
#define SYST_RVR REG32(0xe000e014)
#define SYST_CVR REG32(0xe000e018)
#define NVIC_ISER REG32(0xe000e100)
#define NVIC_ICER REG32(0xe000e180)
#define NVIC_ISPR REG32(0xe000e200)
#define NVIC_ICPR REG32(0xe000e280)
#define NVIC_IABR REG32(0xe000e300)
#define NVIC_IPR(n) REG8(0xe000e400 + (n))
#define NVIC_IPR_WORD(n) REG32(0xe000e400 + 4 * (n))
#define CPUID REG32(0xe000ed00)
#define ICSR REG32(0xe000ed04)
#define VTOR REG32(0xe000ed08)
#define AIRCR REG32(0xe000ed0c)
#define SCR REG32(0xe000ed10)
#define CCR REG32(0xe000ed14)
#define SHPR(n) REG8(0xe000ed18 + (n)-4)
#define SHCSR REG32(0xe000ed24)
#define CFSR REG32(0xe000ed28)
#define HFSR REG32(0xe000ed2c)
#define MMFAR REG32(0xe000ed34)
#define BFAR REG32(0xe000ed38)
#define MPU_TYPE REG32(0xe000ed90)
#define MPU_CTRL REG32(0xe000ed94)
#define MPU_RNR REG32(0xe000ed98)
#define MPU_RBAR REG32(0xe000ed9c)
#define MPU_RASR REG32(0xe000eda0)
#define DEMCR REG32(0xe000edfc)
#define STIR REG32(0xe000ef00)
#define DWT_CTRL REG32(0xe0001000)
#define DWT_CYCCNT REG32(0xe0001004)

#define AIRCR_KEY 0x05fa0000u
#define AIRCR_SYSRESETREQ 4u
#define ICSR_NMIPENDSET (1u << 31)
#define ICSR_PENDSVSET (1u << 28)
#define ICSR_PENDSVCLR (1u << 27)
#define ICSR_PENDSTSET (1u << 26)
#define ICSR_RETTOBASE (1u << 11)
#define SHCSR_MEMFAULTENA (1u << 16)
#define SHCSR_BUSFAULTENA (1u << 17)
#define SHCSR_USGFAULTENA (1u << 18)
#define SHCSR_FAULTS (SHCSR_MEMFAULTENA | SHCSR_BUSFAULTENA | SHCSR_USGFAULTENA)
#define CCR_NONBASETHRDENA (1u << 0)
#define CCR_USERSETMPEND (1u << 1)
#define CCR_UNALIGN_TRP (1u << 3)
#define CCR_DIV_0_TRP (1u << 4)
#define CCR_BFHFNMIGN (1u << 8)
#define CCR_STKALIGN (1u << 9)
#define SCR_SLEEPONEXIT (1u << 1)
#define SCR_SEVONPEND (1u << 4)

enum { EXC_NMI = 2, EXC_HARD, EXC_MEM, EXC_BUS, EXC_USAGE, EXC_SVC = 11, EXC_PENDSV = 14, EXC_SYSTICK, EXC_IRQ };

/* Words of a stack frame. */
enum { FRAME_R0, FRAME_R1, FRAME_R2, FRAME_R3, FRAME_R12, FRAME_LR, FRAME_PC, FRAME_PSR };

/** Handlers by exception number; start.S calls them with the frame that was stacked. NULL: the program fails. */
typedef void (*Handler)(uint32_t *frame, uint32_t exc_return, uint32_t exception);
extern volatile Handler handlers[48];

/** Ends the run with an exit code (SYS_EXIT_EXTENDED). */
void guest_exit(uint32_t code) __attribute__((noreturn));
void guest_print(const char *text);
void guest_print_hex(uint32_t value);
/** Reports a check; at the first one that fails the program ends with code 1. */
void guest_check(bool good, const char *what, uint32_t line, uint32_t value, uint32_t expected);
/** Prints `NAME: N checks` and ends with code 0. */
void guest_done(const char *name) __attribute__((noreturn));
/** Prints the name of a group of checks once it has passed. */
void guest_passed(const char *what);

#define CHECK_EQ(value, expected)                                                                                      \
    do {                                                                                                               \
        uint32_t value_ = (uint32_t)(value), expected_ = (uint32_t)(expected);                                         \
        guest_check(value_ == expected_, #value " == " #expected, __LINE__, value_, expected_);                        \
    } while (0)
#define CHECK(condition) guest_check(condition, #condition, __LINE__, 0, 1)

static inline void barrier(void) {
    __asm volatile("dsb\n\tisb" ::: "memory");
}

#define MRS(name)                                                                                                      \
    ({                                                                                                                 \
        uint32_t value_;                                                                                               \
        __asm volatile("mrs %0, " name : "=r"(value_)::"memory");                                                      \
        value_;                                                                                                        \
    })
#define MSR(name, value) __asm volatile("msr " name ", %0\n\tisb" ::"r"(value) : "memory")

int main(void);

#endif
