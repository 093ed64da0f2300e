/* Harness of the differential test of the Arm guest (arm_diff.c). It runs sequences of instructions one after the other
 * and writes one record for each to the semihosting console.
 *
 * The whole loop lives in exception handlers: a sequence starts with an exception return into it, with all registers
 * of a table entry, and ends with the first exception: SVC 255 behind it, or any fault. (Another SVC just returns.) So
 * nothing that a sequence does to its registers, stack pointers or rights matters to the harness. Only ARMv6-M
 * instructions are used, but for the special registers of ARMv7-M (-DV7M).
 *
 * The image lies where only few wild stores of a sequence hit it: ARMv6-M in flash memory at 0, ARMv7-M at 0x21100000,
 * with its first two words (stack pointer and reset vector) at 0, too. The numbers below must agree with arm_diff.h. */
    .syntax unified
    .thumb

#ifdef V7M
#define SCRATCH 0x20010000
#define RECORDS 0x20365940 /* far from what sequences compute */
#define VARS 0x2037a5c0
#define STACK_TOP 0x2036f3a8
#define RAM_BYTES 0x400000
#define BUFFERED 64
#else
#define SCRATCH 0x20001000
#define RECORDS 0x20002000
#define VARS 0x20003000
#define STACK_TOP 0x20003c00
#define RAM_BYTES 0x4000
#define BUFFERED 16
#endif
#define SCRATCH_BYTES 0x800
#define RECORD_BYTES 128

/* Variables. */
#define V_RECORD 0
#define V_INDEX 4
#define V_MPU 8
#define V_COUNT 12
#define V_DUMMY 16 /* the first record is none: it comes from the start */
#define V_CONSOLE 20

/* Header, filled in by arm_diff.c. */
#define H_FIRST 0
#define H_END 4
#define H_FLAGS 8 /* 1: scratch memory before each record */
#define H_ENTRIES 12
#define H_SLOTS 16
#define H_PRISTINE 20 /* copy of the slots to repair them from, or 0 */
#define H_SLOT_BYTES 24

/* Entry of the table of sequences. */
#define E_R4 32
#define E_SP 64
#define E_SP_OTHER 68
#define E_EXC_RETURN 72
#define E_FLAGS 76 /* bit 0 PRIMASK, 1 nPRIV, 2 pend PendSV; 8..15 BASEPRI; 16..23 MPU_CTRL */
#define E_CCR 80
#define E_SHCSR 84
#define E_POKE 88
#define E_BYTES 96

/* Record. */
#define R_INDEX 0
#define R_CAUSE 4 /* exception number; bit 16: the sequence's code changed */
#define R_EXC_RETURN 8
#define R_MSP 12
#define R_PSP 16
#define R_R4 20
#define R_FRAME 52
#define R_CFSR 84
#define R_MASKS 100
#define R_HASH 104
#define R_SHCSR 108
#define R_ICSR 112

    .text
    .macro vectors
    .word STACK_TOP
    .word reset + 1
    .rept 14
    .word handler + 1
    .endr
    .endm

    .org 0
    vectors
    .org 0x4000
vector_table:
    vectors

    .org 0x4040
header:
    .space 64

    .org 0x4080
    .thumb_func
reset:
    ldr r0, =SCRATCH
    ldr r1, =template
    ldr r2, =SCRATCH + SCRATCH_BYTES
1:  ldmia r1!, {r3}
    stmia r0!, {r3}
    cmp r0, r2
    bne 1b
    ldr r0, =VARS
    ldr r1, =RECORDS
    str r1, [r0, #V_RECORD]
    ldr r2, =header
    ldr r1, [r2, #H_FIRST]
    subs r1, #1
    str r1, [r0, #V_INDEX]
    movs r1, #0
    str r1, [r0, #V_MPU]
    str r1, [r0, #V_COUNT]
    str r1, [r0, #V_CONSOLE]
    movs r1, #1
    str r1, [r0, #V_DUMMY]
    /* SVCall 0x40, PendSV 0xc0; on ARMv7-M the faults 0x20. */
    ldr r0, =0xe000ed00
    ldr r1, =0x40000000
    str r1, [r0, #0x1c]
    ldr r1, =0x00c00000
    str r1, [r0, #0x20]
#ifdef V7M
    ldr r1, =vector_table
    str r1, [r0, #8]
    ldr r1, =0x00202020
    str r1, [r0, #0x18]
    ldr r1, =mpu_regions
    ldr r2, =0xe000ed98
    movs r3, #0
2:  str r3, [r2]
    ldmia r1!, {r4, r5}
    str r4, [r2, #4]
    str r5, [r2, #8]
    adds r3, #1
    cmp r3, #5
    bne 2b
    movs r0, #0
    msr basepri, r0
#endif
    /* Whether thread mode uses PSP does not matter: the record is dropped. */
    svc 255

    .align 2
mpu_regions: /* RBAR, RASR: size field is log2(bytes) - 1, AP in bits 24..26, XN bit 28 */
    .word 0x21000000, (0b110 << 24) | (21 << 1) | 1             /* code: read-only */
    .word 0x20000000, (1 << 28) | (0b011 << 24) | (16 << 1) | 1 /* RAM around the scratch memory: all rights */
    .word SCRATCH + 0x500, (1 << 28) | (0b001 << 24) | (4 << 1) | 1 /* 32 bytes: privileged only */
    .word SCRATCH + 0x600, (1 << 28) | (0b101 << 24) | (4 << 1) | 1 /* 32 bytes: privileged, read-only */
    .word SCRATCH + 0x700, (1 << 28) | (0b000 << 24) | (4 << 1) | 1 /* 32 bytes: none */
    .ltorg

    /* r0-r3 and r12 are free; the stack pointers are the sequence's and may be bad. */
    .thumb_func
handler:
#ifdef V7M
    ldr r0, =0xe000ed94
    movs r1, #0
    str r1, [r0]
    dsb
    isb
#endif
    ldr r0, =VARS
    ldr r1, [r0, #V_RECORD]
    mov r2, r1
    adds r2, #R_R4
    stmia r2!, {r4-r7}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    stmia r2!, {r4-r7}
    mov r4, r1
    mov r5, r0
    mov r6, lr
    str r6, [r4, #R_EXC_RETURN]
    mrs r1, msp
    str r1, [r4, #R_MSP]
    mrs r2, psp
    str r2, [r4, #R_PSP]
    ldr r3, =STACK_TOP
    msr msp, r3
    lsls r3, r6, #29
    bpl 1f
    mov r1, r2
1:  mrs r7, ipsr
    str r7, [r4, #R_CAUSE]
    /* r1: the frame. Is there one? */
    movs r6, #0
#ifdef V7M
    ldr r0, =0xe000ed28
    ldr r2, [r0]
    ldr r3, =0x1010
    tst r2, r3
    bne 2f
#endif
    ldr r2, =0x20000000
    subs r2, r1, r2
    ldr r3, =RAM_BYTES - 32
    cmp r2, r3
    bhi 2f
    lsls r2, r1, #30
    bne 2f
    mov r6, r1
2:  cmp r7, #11
    bne finish
    cmp r6, #0
    beq finish
    ldr r2, [r6, #24]
    subs r2, #2
    ldrh r2, [r2]
    ldr r3, =0xdfff
    cmp r2, r3
    beq finish
    /* An SVC of the sequence: back to it. */
    ldr r1, [r4, #R_MSP]
    msr msp, r1
    mov r2, r4
    adds r2, #R_R4 + 16
    ldmia r2!, {r4-r7}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    subs r2, #32
    ldmia r2!, {r4-r7}
#ifdef V7M
    ldr r0, =VARS
    ldr r1, [r0, #V_MPU]
    ldr r0, =0xe000ed94
    str r1, [r0]
    dsb
    isb
#endif
    bx lr
    .ltorg

    /* r4: record, r5: variables, r6: frame or 0. */
finish:
    mov r0, r4
    adds r0, #R_FRAME
    movs r2, #8
1:  movs r1, #0
    cmp r6, #0
    beq 2f
    ldmia r6!, {r1}
2:  stmia r0!, {r1}
    subs r2, #1
    bne 1b
    ldr r0, =0xe000ed00
#ifdef V7M
    ldr r1, [r0, #0x28] /* CFSR */
    str r1, [r4, #R_CFSR]
    ldr r2, [r0, #0x2c] /* HFSR */
    str r2, [r4, #R_CFSR + 4]
    str r2, [r0, #0x2c]
    movs r2, #0
    lsls r3, r1, #24 /* MMARVALID */
    bpl 3f
    ldr r2, [r0, #0x34]
3:  str r2, [r4, #R_CFSR + 8]
    movs r2, #0
    lsls r3, r1, #16 /* BFARVALID */
    bpl 4f
    ldr r2, [r0, #0x38]
4:  str r2, [r4, #R_CFSR + 12]
    str r1, [r0, #0x28]
    mrs r1, basepri
    mrs r2, faultmask
    lsls r2, r2, #16
    lsls r1, r1, #8
    orrs r1, r2
    mrs r2, primask
    orrs r1, r2
    mrs r2, control
    lsls r2, r2, #24
    orrs r1, r2
    str r1, [r4, #R_MASKS]
    ldr r1, [r0, #0x24] /* SHCSR */
    str r1, [r4, #R_SHCSR]
    ldr r2, =0xf000
    bics r1, r2
    str r1, [r0, #0x24]
    movs r1, #0
    msr basepri, r1
    msr faultmask, r1
    msr control, r1
#else
    movs r1, #0
    mov r2, r4
    adds r2, #R_CFSR
    str r1, [r2]
    str r1, [r2, #4]
    str r1, [r2, #8]
    str r1, [r2, #12]
    str r1, [r2, #R_SHCSR - R_CFSR]
    mrs r1, primask
    str r1, [r4, #R_MASKS]
#endif
    /* ICSR: PENDSVSET, RETTOBASE, VECTACTIVE. */
    ldr r1, [r0, #4]
    str r1, [r4, #R_ICSR]
    ldr r1, =0x0a000000 /* PENDSVCLR, PENDSTCLR */
    str r1, [r0, #4]
    movs r1, #0
    msr primask, r1
    movs r1, #0
    str r1, [r4, #116]
    str r1, [r4, #120]
    str r1, [r4, #124]
    ldr r1, [r5, #V_INDEX]
    str r1, [r4, #R_INDEX]
    ldr r0, =header
    ldr r1, [r0, #H_FLAGS]
    lsls r1, r1, #31
    beq 5f
    ldr r1, [r5, #V_DUMMY]
    cmp r1, #0
    bne 5f
    ldr r1, =SCRATCH
    ldr r2, =SCRATCH_BYTES
    bl write
5:  bl scratch_restore
    ldr r1, [r5, #V_DUMMY]
    movs r2, #0
    str r2, [r5, #V_DUMMY]
    cmp r1, #0
    bne 6f
    bl slot_check
    ldr r1, [r5, #V_COUNT]
    adds r1, #1
    str r1, [r5, #V_COUNT]
    ldr r2, [r5, #V_RECORD]
    adds r2, #RECORD_BYTES
    str r2, [r5, #V_RECORD]
    cmp r1, #BUFFERED
    bne 6f
    bl flush
6:  ldr r1, [r5, #V_INDEX]
    adds r1, #1
    str r1, [r5, #V_INDEX]
    ldr r0, =header
    ldr r2, [r0, #H_END]
    cmp r1, r2
    beq end
    b launch
end:
    bl flush
    movs r0, #0x18
    ldr r1, =0x20026
    bkpt 0xab
    b .
    .ltorg

    /* Console output of the records so far; r5: variables. */
flush:
    push {lr}
    ldr r1, =RECORDS
    str r1, [r5, #V_RECORD]
    ldr r2, [r5, #V_COUNT]
    lsls r2, r2, #7
    movs r0, #0
    str r0, [r5, #V_COUNT]
    cmp r2, #0
    beq 1f
    bl write
1:  pop {pc}

    /* r1: bytes, r2: how many. */
write:
    push {r4, lr}
    sub sp, #12
    str r1, [sp, #4]
    str r2, [sp, #8]
    ldr r0, =VARS
    ldr r4, [r0, #V_CONSOLE]
    cmp r4, #0
    bne 1f
    movs r0, #1 /* SYS_OPEN */
    adr r1, open_block
    bkpt 0xab
    mov r4, r0
    ldr r0, =VARS
    str r4, [r0, #V_CONSOLE]
1:  str r4, [sp]
    mov r1, sp
    movs r0, #5 /* SYS_WRITE */
    bkpt 0xab
    add sp, #12
    pop {r4, pc}
    .align 2
open_block:
    .word console, 4, 3
console:
    .asciz ":tt"
    .align 2
    .ltorg

    /* Puts the template back, and hashes what differed. r4: record. */
scratch_restore:
    push {r4-r7, lr}
    ldr r0, =SCRATCH
    ldr r1, =template
    movs r2, #0
    movs r3, #SCRATCH_BYTES >> 4
    lsls r3, r3, #4
    add r3, r0
    mov r12, r3
1:  ldmia r0!, {r4, r5}
    ldmia r1!, {r6, r7}
    cmp r4, r6
    bne 3f
    cmp r5, r7
    bne 3f
2:  cmp r0, r12
    bne 1b
    pop {r4}
    str r2, [r4, #R_HASH]
    pop {r5-r7, pc}
3:  subs r0, #8
    movs r3, #13
    eors r2, r4
    rors r2, r3
    eors r2, r5
    rors r2, r3
    adds r2, r0
    lsls r3, r2, #5
    adds r2, r3
    stmia r0!, {r6, r7}
    b 2b

    /* Repairs the code of the sequence, and notes in the record if it had changed. r4: record, r5: variables. */
slot_check:
    push {r4-r7, lr}
    ldr r0, =header
    ldr r1, [r0, #H_PRISTINE]
    cmp r1, #0
    beq 3f
    ldr r2, [r0, #H_SLOT_BYTES]
    ldr r3, [r5, #V_INDEX]
    muls r3, r2
    adds r1, r3
    ldr r6, [r0, #H_SLOTS]
    adds r6, r3
    adds r2, r6
1:  ldr r0, [r6]
    ldmia r1!, {r3}
    cmp r0, r3
    beq 2f
    str r3, [r6]
    ldr r7, [r4, #R_CAUSE]
    movs r0, #1
    lsls r0, r0, #16
    orrs r7, r0
    str r7, [r4, #R_CAUSE]
2:  adds r6, #4
    cmp r6, r2
    bne 1b
3:  pop {r4-r7, pc}
    .ltorg

    /* Into the sequence. r1: its index, r5: variables. */
launch:
    mov r4, r5
    adds r4, #64 /* no record: this repairs what another sequence did */
    bl slot_check
    ldr r0, =header
    ldr r2, [r0, #H_ENTRIES]
    ldr r1, [r5, #V_INDEX]
    movs r3, #E_BYTES
    muls r1, r3
    adds r7, r2, r1
    mov r4, r7
    adds r4, #E_SP
    ldr r0, [r4, #E_POKE - E_SP]
    cmp r0, #0
    beq 1f
    ldr r1, [r4, #E_POKE + 4 - E_SP]
    str r1, [r0]
1:  ldr r0, [r4, #E_SP - E_SP]
    mov r12, r0
    mov r1, r7
    movs r2, #8
2:  ldmia r1!, {r3}
    stmia r0!, {r3}
    subs r2, #1
    bne 2b
    ldr r6, [r4, #E_EXC_RETURN - E_SP]
    ldr r1, [r4, #E_SP_OTHER - E_SP]
    mov r2, r12
    mov lr, r6
    lsls r6, r6, #29
    bmi 3f
    mov r3, r1
    mov r1, r2
    mov r2, r3
3:  msr msp, r1 /* the stack of the harness is not used any more */
    msr psp, r2
    ldr r6, [r4, #E_FLAGS - E_SP]
    ldr r0, =0xe000ed00
#ifdef V7M
    ldr r1, [r4, #E_CCR - E_SP]
    str r1, [r0, #0x14]
    ldr r1, [r0, #0x24]
    ldr r2, =0xfff
    ands r1, r2
    ldr r2, [r4, #E_SHCSR - E_SP]
    orrs r1, r2
    str r1, [r0, #0x24]
    lsls r1, r6, #16
    lsrs r1, r1, #24
    msr basepri, r1
    lsls r1, r6, #30
    lsrs r1, r1, #31
    msr control, r1
#endif
    lsls r1, r6, #31
    lsrs r1, r1, #31
    msr primask, r1
    lsls r1, r6, #29
    bpl 4f
    ldr r1, =0x10000000 /* PENDSVSET */
    str r1, [r0, #4]
4:
#ifdef V7M
    lsls r1, r6, #8
    lsrs r1, r1, #24
    str r1, [r5, #V_MPU]
    ldr r0, =0xe000ed94
    str r1, [r0]
    dsb
    isb
#endif
    subs r4, #E_SP - E_R4 - 16
    ldmia r4!, {r0-r3}
    mov r8, r0
    mov r9, r1
    mov r10, r2
    mov r11, r3
    subs r4, #32
    ldmia r4, {r4-r7}
    bx lr
    .ltorg

    /* Where loaded addresses lead to. */
    .org 0x5000
    svc 255
    svc 255

    .org 0x5400
template:
    .space SCRATCH_BYTES
    .org 0x6000
