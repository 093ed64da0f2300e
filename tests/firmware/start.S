@ Start-up for programs with C handlers, for ARMv6-M and ARMv7-M: vector table, .data, .bss, code in RAM.
@ Every exception goes through `dispatch`, which calls handlers[exception](frame, exc_return, exception); the handler's
@ return is the return from the exception.
    .syntax unified
    .thumb

    .section .vectors, "a"
    .global vector_table
vector_table:
    .word stack_top
    .word reset
    .rept 46
    .word dispatch
    .endr

    .text
    .thumb_func
    .global reset
    .type reset, %function
reset:
    ldr r0, =data_start
    ldr r1, =data_end
    ldr r2, =data_load
    b 2f
1:  ldr r3, [r2]
    str r3, [r0]
    adds r0, #4
    adds r2, #4
2:  cmp r0, r1
    bne 1b
    ldr r0, =bss_start
    ldr r1, =bss_end
    movs r2, #0
    b 4f
3:  str r2, [r0]
    adds r0, #4
4:  cmp r0, r1
    bne 3b
    bl main
    bl guest_exit
    .pool
    .size reset, . - reset

    .thumb_func
    .global dispatch
    .type dispatch, %function
dispatch:
    mov r1, lr
    lsrs r0, r1, #3 @ C = bit 2: the frame is on the process stack
    bcs 1f
    mrs r0, msp
    b 2f
1:  mrs r0, psp
2:  mrs r2, ipsr
    lsls r2, #2
    ldr r3, =handlers
    ldr r3, [r3, r2]
    lsrs r2, #2
    cmp r3, #0
    beq 3f
    bx r3
3:  ldr r3, =guest_unexpected
    bx r3
    .pool
    .size dispatch, . - dispatch
