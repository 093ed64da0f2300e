@ Start-up of the cores behind the first for multi.c: a vector table each, at 0x800 and 0xc00 (test_multicore.c), and
@ the program of the third, a Cortex-M0.
    .syntax unified
    .thumb

    .section .vectors, "a"
    .balign 0x800
    .word stack_top - 0x4000
    .word reset_second
    .rept 46
    .word dispatch_second
    .endr
    .balign 0x400
    .word stack_top - 0x8000
    .word reset_third
    .rept 46
    .word reset_third
    .endr

    .text
    .thumb_func
    .type reset_second, %function
reset_second:
    bl main_second
1:  wfi
    b 1b

    .thumb_func
    .type dispatch_second, %function
dispatch_second:
    ldr r3, =irq_second
    bx r3
    .pool

    @ Counts in `third`, and sleeps for an event after each 1,000.
    .thumb_func
    .type reset_third, %function
reset_third:
    ldr r0, =third
    movs r1, #125
    lsls r1, #3
1:  movs r2, #0
2:  ldr r3, [r0]
    adds r3, #1
    str r3, [r0]
    adds r2, #1
    cmp r2, r1
    bne 2b
    wfe
    b 1b
    .pool
