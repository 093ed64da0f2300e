@ Every row of ARMv6-M at least once, with its result; runs on ARMv7-M, too. The traps (SVC, UDF, BKPT) are skipped by
@ the handlers of rows.c. DDI 0419E A5.2, A6.7.
    .include "rows.inc"
    .text

function rows16
    push {r4-r7, lr}
    mov r4, r8
    push {r4}

    @ Shift, add, subtract, move, compare
    movs r1, #0
    adds r1, #0 @ C = 0, V = 0
    ldr r0, =0x80000003
    movs r1, r0
    flags 8
    expect r1, 0x80000003
    lsls r1, r0, #1
    flags 2
    expect r1, 6
    lsrs r1, r0, #1
    flags 2
    expect r1, 0x40000001
    lsrs r1, r0, #32
    flags 6
    expect r1, 0
    asrs r1, r0, #1
    flags 10
    expect r1, 0xc0000001
    asrs r1, r0, #32
    flags 10
    expect r1, 0xffffffff
    adds r1, r0, r0
    flags 3
    expect r1, 6
    subs r1, r0, r0
    flags 6
    adds r1, r0, #7
    flags 8
    expect r1, 0x8000000a
    subs r1, r0, #4
    flags 3
    expect r1, 0x7fffffff
    movs r1, #200
    flags 2
    expect r1, 200
    cmp r1, #201
    flags 8
    adds r1, #255
    expect r1, 455
    subs r1, #56
    flags 2
    expect r1, 399
    pool

    @ Data processing
    ldr r0, =0xf0f0f0f0
    ldr r1, =0xff00ff00
    movs r2, r0
    ands r2, r1 @ C stays
    flags 10
    expect r2, 0xf000f000
    movs r2, r0
    eors r2, r1
    flags 2
    expect r2, 0x0ff00ff0
    movs r2, r0
    movs r3, #4
    lsls r2, r3
    flags 2
    expect r2, 0x0f0f0f00
    movs r2, r0
    lsrs r2, r3
    expect r2, 0x0f0f0f0f
    movs r2, r0
    asrs r2, r3
    expect r2, 0xff0f0f0f
    movs r2, r0
    movs r3, #36
    rors r2, r3
    flags 0
    expect r2, 0x0f0f0f0f
    movs r2, #0
    movs r3, #0
    subs r4, r3, r3 @ C = 1
    adcs r2, r3
    expect r2, 1
    movs r2, #5
    adds r4, r3, #0 @ C = 0
    sbcs r2, r3
    flags 2
    expect r2, 4
    tst r0, r1
    flags 10
    rsbs r2, r2, #0
    flags 8
    expect r2, 0xfffffffc
    cmp r0, r1
    flags 8
    movs r4, #4
    cmn r2, r4
    flags 6
    movs r2, r0
    orrs r2, r1
    expect r2, 0xfff0fff0
    movs r2, #7
    muls r2, r0
    expect r2, 0x96969690
    movs r2, r0
    bics r2, r1
    flags 2
    expect r2, 0x00f000f0
    mvns r2, r0
    expect r2, 0x0f0f0f0f
    pool

    @ Special data instructions, branch and exchange
    ldr r0, =0x11111111
    mov r8, r0
    add r0, r8
    expect r0, 0x22222222
    cmp r0, r8
    flags 2
    .balign 4
.Lmark:
    mov r2, pc
    adr r3, .Lmark + 8
    subs r3, r3, r2
    expect r3, 4
    b .Lafter_pc
    .balign 4
    .word 0, 0
.Lafter_pc:
    ldr r0, =.Lbx + 1
    bx r0
    udf #1
.Lbx:
    ldr r0, =.Lblx + 1
    blx r0
    b .Lbehind
.Lblx:
    mov r5, lr
    bx r5
.Lbehind:
    pool

    @ Loads and stores
    ldr r0, =rows_data
    ldr r1, =0x81828384
    movs r2, #4
    str r1, [r0, r2]
    ldr r3, [r0, r2]
    expect r3, 0x81828384
    movs r3, #8
    strh r1, [r0, r3]
    ldrh r4, [r0, r3]
    expect r4, 0x8384
    movs r3, #12
    strb r1, [r0, r3]
    ldrb r4, [r0, r3]
    expect r4, 0x84
    ldrsb r4, [r0, r3]
    expect r4, 0xffffff84
    ldrsh r4, [r0, r2]
    expect r4, 0xffff8384
    str r1, [r0, #16]
    ldr r4, [r0, #16]
    expect r4, 0x81828384
    strb r1, [r0, #21]
    ldrb r4, [r0, #21]
    expect r4, 0x84
    strh r1, [r0, #22]
    ldrh r4, [r0, #22]
    expect r4, 0x8384
    ldrb r4, [r0, #17]
    expect r4, 0x83
    pool

    @ Stack, addresses
    mov r5, sp
    sub sp, #16
    str r1, [sp, #8]
    ldr r4, [sp, #8]
    expect r4, 0x81828384
    add r3, sp, #8
    ldr r4, [r3]
    expect r4, 0x81828384
    add sp, #16
    cmp sp, r5
    beq 1f
    movs r0, #0
    bl rows_fail
1:  push {r0-r2}
    pop {r2-r4}
    cmp r4, r0
    bne 2f
    expect r3, 0x81828384
2:  ldr r0, =rows_data

    @ Extension and byte order
    ldr r1, =0x81828384
    sxth r2, r1
    expect r2, 0xffff8384
    sxtb r2, r1
    expect r2, 0xffffff84
    uxth r2, r1
    expect r2, 0x8384
    uxtb r2, r1
    expect r2, 0x84
    rev r2, r1
    expect r2, 0x84838281
    rev16 r2, r1
    expect r2, 0x82818483
    revsh r2, r1
    expect r2, 0xffff8483
    pool

    @ Multiple
    ldr r0, =rows_data
    movs r1, #1
    movs r2, #2
    movs r3, #3
    stmia r0!, {r1-r3}
    subs r0, #12
    ldmia r0!, {r2-r4}
    expect r2, 1
    expect r4, 3
    subs r0, #12
    ldmia r0, {r0, r1, r5} @ the base is in the list
    expect r0, 1
    expect r5, 3

    @ Branches, masks, hints, barriers, special registers, traps
    movs r0, #0
    b 3f
    adds r0, #1
3:  beq 4f
    adds r0, #1
4:  bne 5f
    adds r0, #4
5:  expect r0, 4
    bl rows_bl
    expect r0, 5
    cpsid i
    mrs r0, primask
    expect r0, 1
    cpsie i
    mrs r0, primask
    expect r0, 0
    movs r0, #1
    msr primask, r0
    mrs r1, primask
    expect r1, 1
    movs r0, #0
    msr primask, r0
    nop
    yield
    sev
    wfe
    .inst.n 0xbf50 @ a hint without a meaning
    dmb
    dsb
    isb
    bl rows_pend @ WFI does not sleep with PendSV pending
    wfi
    bl rows_unpend
    movs r0, #5
    svc 7
    expect r0, 12
    movs r0, #1
    udf #3
    bkpt #2
    expect r0, 3 @ each added 1
    pop {r4}
    mov r8, r4
    pop {r4-r7, pc}
    .ltorg

function rows_bl
    adds r0, #1
    bx lr
    .ltorg

    .section .bss
    .balign 8
    .global rows_data
rows_data:
    .space 256
