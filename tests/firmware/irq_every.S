@ A program that an interrupt may hit at any instruction: tests/guest/test_irq_every.c does so, line 31 at each index
@ from program_begin to program_end. The handler destroys whatever the architecture saves for it. The results are the
@ registers at the end and the memory from results to results_end.
    .syntax unified
    .cpu cortex-m3
    .thumb

    .section .vectors, "a"
    .word stack_top
    .word reset
    .word wrong, wrong, wrong, wrong, wrong, 0, 0, 0, 0
    .word on_svc
    .word wrong, 0, wrong, wrong
    .rept 30
    .word wrong
    .endr
    .word on_inner @ 30
    .word on_irq @ 31

    .text
    .macro function name
    .balign 4
    .thumb_func
    .global \name
    .type \name, %function
\name:
    .endm

function wrong
    ldr r1, =exit_wrong
    b leave

function on_svc
    ldr r1, [sp, #0]
    add r1, r1, #100
    str r1, [sp, #0]
    mvn r2, r1
    bx lr

    @ Counts itself and keeps what was stacked; then nothing of r0-r3, r12, lr, flags is left.
    .macro handler record
    mov r2, sp
    tst lr, #4
    it ne
    mrsne r2, psp
    ldr r0, =\record
    ldr r1, [r0]
    adds r1, #1
    str r1, [r0]
    ldr r1, [r2, #24]
    str r1, [r0, #4]
    ldr r1, [r2, #28]
    str r1, [r0, #8]
    str lr, [r0, #12]
    mov r0, lr
    ldr r1, =0xdeadbeef
    mov r2, r1
    mov r3, r1
    mov r12, r1
    mov lr, r1
    msr apsr_nzcvq, r1
    bx r0
    .ltorg
    .endm

function on_irq
    handler irq_record
function on_inner
    handler inner_record

function reset
    ldr r0, =0xe000e100
    ldr r1, =0xc0000000 @ lines 30 and 31
    str r1, [r0]
    ldr r0, =0xe000e41e
    movs r1, #0x40
    strb r1, [r0] @ 30 above 31
    movs r1, #0x80
    strb r1, [r0, #1]
    ldr r0, =0xe000ed1f
    movs r1, #0xc0
    strb r1, [r0] @ SVC below both
    ldr r0, =process_top
    msr psp, r0
    ldr r4, =results
    ldr r5, =0x12345678
    movs r6, #0
    mov r7, #7
    mov r8, #0x80000000
    mov r9, #9
    mov r10, #10
    mov r11, #11
    mov r12, #12
    mov lr, #14
    movs r0, #0
    movs r1, #1
    movs r2, #2
    movs r3, #3
    b program_begin
    .ltorg

function program_begin
    @ Flags from one instruction to the next
    adds r0, r5, r5
    adcs r1, r0, r8
    sbcs r2, r1, r5
    rsbs r3, r2, #0
    lsls r0, r5, #5
    adc r1, r1, #0
    rrxs r2, r2
    adc r3, r3, r3
    muls r0, r5
    cmp r0, r1
    ror r0, r1
    stmia r4!, {r0-r3}

    @ IT blocks, taken and not, of each length, with loads and stores
    cmp r5, #0
    it eq
    moveq r0, #1
    it ne
    addne r0, r0, #3
    ittt pl
    addpl r1, r1, #5
    strpl r1, [r4], #4
    ldrpl r2, [r4, #-4]
    itete mi
    movmi r3, #1
    addpl r3, r3, #2
    movmi r3, #4
    addpl r3, r3, r1
    cmp r5, r5
    itttt eq
    addeq r12, r12, #1
    stmiaeq r4!, {r1, r3}
    ldmdbeq r4, {r2, r3}
    addseq r0, r0, r12
    ite cs
    movcs r6, #0x11
    movcc r6, #0x22
    tst r5, #8
    itt ne
    eorne r6, r6, r5
    bne 1f
    movs r6, #0
1:  cmp r6, #0
    it eq
    beq 2f
    adds r6, #1
2:  str r6, [r4], #4

    @ Loads and stores of many registers
    push {r0-r7, lr}
    pop {r0-r7}
    pop {r0}
    mov lr, r0
    push.w {r1, r5, r8-r12, lr}
    ldmia.w sp!, {r1, r5, r8-r12, lr}
    stmdb r4!, {r0, r1}
    ldmia r4!, {r2, r3}
    strd r2, r3, [r4, #8]!
    ldrd r0, r1, [r4], #8
    ldr r2, [r4, #-12]!
    str r2, [r4], #16
    ldrb r3, [r4, #-16]
    strh r3, [r4], #4

    @ Exclusives: the loop up to the inner branch is five instructions
    ldr r0, =counter
    movs r2, #3

3:  ldrex r1, [r0]
    adds r1, #7
    strex r3, r1, [r0]
    cmp r3, #0
    bne 3b
    subs r2, #1
    bne 3b
    str r1, [r4], #4

    @ Loops, calls, table branches
    movs r0, #0
    movs r1, #20
6:  add r0, r0, r1, lsl #2
    subs r1, #1
    bne 6b
    bl routine
    movs r1, #1
    tbb [pc, r1]
7:  .byte 0, (8f - 7b) / 2
8:  add r0, r0, #9
    ldr r1, =routine + 1
    blx r1
    push {r0, r1}
    bl popping
    pop {r0, r1}
    str r0, [r4], #4

    @ Masks: the interrupt waits
    cpsid i
    adds r0, #1
    str r0, [r4], #4
    adds r0, #2
    cpsie i
    adds r0, #3
    mov r1, #0x80
    msr basepri, r1
    add r0, r0, r1
    strb r0, [r4], #4
    mov r1, #0
    msr basepri, r1
    sub r0, r0, #5

    @ The other stack, an SVC, both stacks again
    mov r1, #2
    msr control, r1
    isb
    push {r0, r5}
    svc 5
    push {r0}
    mov r1, sp
    pop {r3}
    pop {r2, r3}
    str r2, [r4], #4
    mov r1, #0
    msr control, r1
    isb
    sub sp, #4 @ a misaligned frame
    svc 6
    adds r0, #1
    add sp, #4

    @ Saturation, bit fields, long multiplication, division
    ssat r1, #8, r5
    mrs r2, apsr
    usat r3, #5, r5, asr #3
    bfi r1, r5, #3, #9
    ubfx r2, r2, #27, #5
    smull r3, r6, r5, r8
    umlal r3, r6, r5, r5
    sdiv r7, r3, r9
    udiv r9, r5, r10
    clz r10, r9
    rbit r11, r5
    rev16 r12, r11
    sxtb r8, r12
    stmia r4!, {r1-r3, r6-r9}
    msr apsr_nzcvq, r5
    it vs
    addvs r0, r0, #1
    mrs r2, apsr
    str r2, [r4], #4
    ldr r5, =routine
    add r5, pc
    .balign 4
    mov r3, pc
    cmp r0, #0
    ite gt
    rsbgt r0, r0, #0
    rsble r0, r0, #1
    b program_end
    .ltorg

function routine
    eor r0, r0, r5, ror #7
    it ne
    addne r0, r0, #1
    bx lr

function popping
    push {r4, lr}
    cmp r0, #0
    ite eq
    moveq r4, #1
    movne r4, #2
    cmp r0, r0
    it eq
    popeq {r4, pc}
    udf #0

function program_end
    ldr r1, =exit_block
leave:
    mov r2, #0x20
    mov r0, r2
    bkpt 0xab
    b .

    .balign 4
exit_block:
    .word 0x20026, 0
exit_wrong:
    .word 0x20026, 3
    .ltorg

    .bss
    .balign 8
    .global irq_record, inner_record, results, results_end, counter
irq_record:
    .space 16
inner_record:
    .space 16
results:
    .space 256
counter:
    .space 4
results_end:
    .space 128
process_top:
