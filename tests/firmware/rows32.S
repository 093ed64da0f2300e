@ Every row that ARMv7-M adds to ARMv6-M at least once, with its result. DDI 0403E.e A5.3, A7.7.
    .include "rows.inc"
    .text

function rows32
    push {r4-r11, lr}
    bl immediates
    bl plain_immediates
    bl control
    bl multiples
    bl exclusives
    bl loads
    bl hints
    bl stores
    bl shifted_registers
    bl registers
    bl multiplies
    pop {r4-r11, pc}

function immediates
    push {r4-r7, lr}
    ldr r0, =0x80a5a5ff
    tst.w r0, #0x80000000
    flags 10
    and.w r1, r0, #0xff00ff00
    expect r1, 0x8000a500
    ands r1, r0, #0xf000000
    flags 4
    bic.w r1, r0, #0x00ff00ff
    expect r1, 0x8000a500
    mov.w r1, #0xab00ab00
    expect r1, 0xab00ab00
    movs.w r1, #0x80000000
    flags 10
    orr.w r1, r0, #0x00ff0000
    expect r1, 0x80ffa5ff
    mvn.w r1, #0xff
    expect r1, 0xffffff00
    orn r1, r0, #0xf0f0f0f0
    expect r1, 0x8fafafff
    teq r0, #0xa5 @ C stays
    flags 10
    eor.w r1, r0, #0xa5a5a5a5
    expect r1, 0x2500005a
    movs r1, #1
    cmn.w r1, #0xffffffff
    flags 6
    adds.w r1, r0, #0x7f000000
    flags 8
    expect r1, 0xffa5a5ff
    cmp r1, r1 @ C = 1
    adc.w r1, r0, #0x1000
    expect r1, 0x80a5b600
    cmp r1, r1
    sbc.w r1, r0, #0xff
    expect r1, 0x80a5a500
    cmp.w r0, #0x80000000
    flags 2
    subs.w r1, r0, #0x1fe
    expect r1, 0x80a5a401
    rsb.w r1, r0, #0x100
    expect r1, 0x7f5a5b01
    pop {r4-r7, pc}
    .ltorg

function plain_immediates
    push {r4-r7, lr}
    ldr r0, =0x80a5a5ff
    adr.w r1, .Lafter
    ldr r2, =.Lafter
    cmp r1, r2
    bne.w .Lwrong
    .balign 4
.Lbefore:
    nop
    adr.w r1, .Lbefore
    ldr r2, =.Lbefore
    cmp r1, r2
    bne.w .Lwrong
    addw r1, r0, #0xfff
    expect r1, 0x80a5b5fe
    subw r1, r0, #0x5ff
    expect r1, 0x80a5a000
    movw r1, #0xcdef
    expect r1, 0xcdef
    movt r1, #0x89ab
    expect r1, 0x89abcdef
    ssat r2, #8, r1
    expect r2, 0xffffff80
    mrs r3, apsr
    ubfx r3, r3, #27, #1
    expect r3, 1
    ssat r2, #16, r1, asr #8
    expect r2, 0xffff8000
    usat r2, #7, r0
    expect r2, 0
    movs r2, #100
    usat r2, #8, r2, lsl #2
    expect r2, 255
    usat r2, #31, r1, asr #4
    expect r2, 0
    sbfx r2, r1, #8, #8
    expect r2, 0xffffffcd
    ubfx r2, r1, #28, #4
    expect r2, 8
    mov r2, r1
    bfc r2, #4, #24
    expect r2, 0x8000000f
    bfi r2, r1, #8, #16
    expect r2, 0x80cdef0f
    pop {r4-r7, pc}
.Lwrong:
    movs r0, #0
    bl rows_fail
.Lafter:
    .ltorg

function control
    push {r4-r7, lr}
    movs r0, #0
    udf.w #0x321
    udf #1
    expect r0, 2
    ldr r0, =0xf8000000
    msr apsr_nzcvq, r0
    mrs r1, apsr
    expect r1, 0xf8000000
    cpsid f
    cpsie f
    nop.w
    yield.w
    sev.w
    wfe.w
    bl rows_pend
    wfi.w
    bl rows_unpend
    dbg #3
    .inst.w 0xf3af8020 @ a hint without a meaning
    clrex
    dmb sy
    isb sy
    movs r0, #0
    movs r1, #5
1:  adds r0, #3
    subs r1, #1
    bne.w 1b
    b.w 2f
    adds r0, #1
2:  expect r0, 15
    cbz r1, 3f
    adds r0, #1
3:  cbnz r0, 4f
    adds r0, #1
4:  expect r0, 15
    cmp r0, #15
    ittet eq
    addeq r0, #1
    moveq r1, #2
    movne r1, #3
    addeq r0, r1
    expect r0, 18
    expect r1, 2
    cmp r0, #1
    ite mi
    movmi r2, #1
    movpl r2, #2
    expect r2, 2
    movs r1, #2
    movs r3, #0
    tbb [pc, r1]
.Lbytes:
    .byte 3, 4, (5f - .Lbytes) / 2, 6
    udf #9
    udf #9
5:  adds r3, #77
    expect r3, 77
    movs r1, #1
    movs r3, #1
    tbh [pc, r1, lsl #1]
.Lhalfwords:
    .hword 2, (6f - .Lhalfwords) / 2
    udf #9
6:  adds r3, #77
    expect r3, 78
    pop {r4-r7, pc}
    .ltorg

function multiples
    push.w {r4-r7, r8, lr}
    ldr r0, =rows_data
    movs r1, #1
    movs r2, #2
    mov r8, #8
    stmia.w r0!, {r1, r2, r8}
    ldr r3, =rows_data + 12
    cmp r0, r3
    bne.w .Lmultiple_wrong
    stmdb r0!, {r2, r8}
    ldr r3, =rows_data
    ldmia.w r3!, {r4, r5, r8}
    expect r4, 1
    expect r5, 2
    expect r8, 8
    ldmdb r3!, {r4, r5}
    expect r4, 2
    expect r5, 8
    ldmdb r3, {r3, r5} @ one word lies before rows_data
    expect r5, 1
    push.w {r1, r2, r8}
    pop.w {r2, r4, r8}
    expect r4, 2
    expect r8, 8
    ldr r0, =rows_data
    ldr r1, =0x01234567
    ldr r2, =0x89abcdef
    strd r1, r2, [r0, #8]
    ldrd r3, r4, [r0, #8]
    expect r4, 0x89abcdef
    strd r2, r1, [r0, #8]!
    ldr r3, =rows_data + 8
    cmp r0, r3
    bne.w .Lmultiple_wrong
    strd r1, r2, [r0], #-8
    ldrd r3, r4, [r0, #8]!
    expect r3, 0x01234567
    ldrd r3, r4, [r0], #-8
    expect r4, 0x89abcdef
    ldrd r3, r4, .Lpair
    expect r3, 0x11112222
    expect r4, 0x33334444
    pop.w {r4-r7, r8, pc}
.Lmultiple_wrong:
    movs r0, #0
    bl rows_fail
    .balign 4
.Lpair:
    .word 0x11112222, 0x33334444
    .ltorg

function exclusives
    push {r4-r7, lr}
    ldr r0, =rows_data
    ldr r1, =0x8899aabb
    str r1, [r0, #4]
    ldrex r2, [r0, #4]
    expect r2, 0x8899aabb
    strex r3, r0, [r0, #4]
    expect r3, 0
    ldrexb r2, [r0]
    strexb r3, r1, [r0]
    expect r3, 0
    ldrb r2, [r0]
    expect r2, 0xbb
    ldrexh r2, [r0]
    strexh r3, r1, [r0]
    expect r3, 0
    strexh r3, r0, [r0]
    expect r3, 1
    ldrh r2, [r0]
    expect r2, 0xaabb
    pop {r4-r7, pc}
    .ltorg

function loads
    push {r4-r7, lr}
    ldr r0, =rows_words
    movs r1, #2
    ldr.w r2, .Lliteral
    expect r2, 0xc1c2c3c4
    ldr.w r2, [r0, #4]
    expect r2, 0x95969798
    ldr.w r2, [r0, #-4]
    expect r2, 0x85868788
    ldrt r2, [r0, #4]
    expect r2, 0x95969798
    ldr.w r2, [r0, #4]!
    expect r2, 0x95969798
    ldr.w r2, [r0], #-4
    expect r2, 0x95969798
    ldr.w r2, [r0, r1, lsl #1]
    expect r2, 0x95969798
    ldrh.w r2, .Lliteral
    expect r2, 0xc3c4
    ldrh.w r2, [r0, #2]
    expect r2, 0x9192
    ldrh.w r2, [r0, #-2]
    expect r2, 0x8586
    ldrht r2, [r0, #2]
    expect r2, 0x9192
    ldrh.w r2, [r0, #2]!
    expect r2, 0x9192
    ldrh.w r2, [r0], #-2
    expect r2, 0x9192
    ldrh.w r2, [r0, r1, lsl #1]
    expect r2, 0x9798
    pool
    ldrsh.w r2, .Lliteral
    expect r2, 0xffffc3c4
    ldrsh.w r2, [r0, #2]
    expect r2, 0xffff9192
    ldrsh.w r2, [r0, #-2]
    expect r2, 0xffff8586
    ldrsht r2, [r0, #2]
    expect r2, 0xffff9192
    ldrsh.w r2, [r0, #2]!
    expect r2, 0xffff9192
    ldrsh.w r2, [r0], #-2
    expect r2, 0xffff9192
    ldrsh.w r2, [r0, r1, lsl #1]
    expect r2, 0xffff9798
    ldrb.w r2, .Lliteral
    expect r2, 0xc4
    ldrb.w r2, [r0, #1]
    expect r2, 0x93
    ldrb.w r2, [r0, #-1]
    expect r2, 0x85
    ldrbt r2, [r0, #1]
    expect r2, 0x93
    ldrb.w r2, [r0, #1]!
    expect r2, 0x93
    ldrb.w r2, [r0], #-1
    expect r2, 0x93
    ldrb.w r2, [r0, r1, lsl #1]
    expect r2, 0x98
    ldrsb.w r2, .Lliteral
    expect r2, 0xffffffc4
    ldrsb.w r2, [r0, #1]
    expect r2, 0xffffff93
    ldrsb.w r2, [r0, #-1]
    expect r2, 0xffffff85
    ldrsbt r2, [r0, #1]
    expect r2, 0xffffff93
    ldrsb.w r2, [r0, #1]!
    expect r2, 0xffffff93
    ldrsb.w r2, [r0], #-1
    expect r2, 0xffffff93
    ldrsb.w r2, [r0, r1, lsl #1]
    expect r2, 0xffffff98
    ldr r3, =rows_words
    cmp r0, r3
    beq 1f
    movs r0, #0
    bl rows_fail
1:  pop {r4-r7, pc}
    .balign 4
.Lliteral:
    .word 0xc1c2c3c4
    .ltorg

@ Preloads, and the loads to the PC that are hints (A5.3.8, A5.3.9): nothing is accessed.
function hints
    push {r4-r7, lr}
    ldr r0, =0x60000000
    movs r1, #1
    pld .Lliteral
    pld [r0, #4]
    pld [r0, #-4]
    pld [r0, r1, lsl #2]
    pli .Lliteral
    pli [r0, #4]
    pli [r0, #-4]
    pli [r0, r1, lsl #2]
    .inst.w 0xf8bff004 @ ldrh pc, [pc, #4]
    .inst.w 0xf8b0f004 @ ldrh pc, [r0, #4]
    .inst.w 0xf830fc04 @ ldrh pc, [r0, #-4]
    .inst.w 0xf830f001 @ ldrh pc, [r0, r1]
    .inst.w 0xf9bff004 @ ldrsh pc, [pc, #4]
    .inst.w 0xf9b0f004 @ ldrsh pc, [r0, #4]
    .inst.w 0xf930fc04 @ ldrsh pc, [r0, #-4]
    .inst.w 0xf930f001 @ ldrsh pc, [r0, r1]
    expect r0, 0x60000000
    @ Coprocessors: each one is skipped by the handler, which adds 1 to r0.
    movs r0, #0
    cdp p5, 1, c2, c3, c4, 5
    mcr p5, 1, r2, c3, c4, 5
    mrc p5, 1, r2, c3, c4, 5
    mcrr p5, 1, r2, r3, c4
    mrrc p5, 1, r2, r3, c4
    stc p5, c2, [r0, #4]
    ldc p5, c2, [r0, #4]
    cdp2 p5, 1, c2, c3, c4, 5
    mcr2 p5, 1, r2, c3, c4, 5
    mrc2 p5, 1, r2, c3, c4, 5
    mcrr2 p5, 1, r2, r3, c4
    mrrc2 p5, 1, r2, r3, c4
    stc2 p5, c2, [r0, #4]
    ldc2 p5, c2, [r0, #4]
    expect r0, 14
    pop {r4-r7, pc}
    .ltorg

    .macro stored offset, value
    ldr r3, =rows_data
    ldr r3, [r3, #\offset]
    expect r3, \value
    .endm

function stores
    push {r4-r7, lr}
    ldr r0, =rows_data + 16
    ldr r1, =0xa1a2a3a4
    movs r2, #2
    str.w r1, [r0, #4]
    stored 20, 0xa1a2a3a4
    str.w r1, [r0, #-8]
    stored 8, 0xa1a2a3a4
    strt r2, [r0, #4]
    stored 20, 2
    str.w r1, [r0, #4]!
    stored 20, 0xa1a2a3a4
    str.w r2, [r0], #-4
    stored 20, 2
    str.w r1, [r0, r2, lsl #1]
    stored 20, 0xa1a2a3a4
    strh.w r2, [r0, #4]
    stored 20, 0xa1a20002
    strh.w r2, [r0, #-6]
    stored 8, 0x0002a3a4
    strht r1, [r0, #4]
    stored 20, 0xa1a2a3a4
    strh.w r2, [r0, #4]!
    stored 20, 0xa1a20002
    strh.w r1, [r0], #-4
    stored 20, 0xa1a2a3a4
    strh.w r2, [r0, r2, lsl #1]
    stored 20, 0xa1a20002
    pool
    strb.w r1, [r0, #5]
    stored 20, 0xa1a2a402
    strb.w r1, [r0, #-7]
    stored 8, 0x0002a4a4
    strbt r2, [r0, #5]
    stored 20, 0xa1a20202
    strb.w r1, [r0, #5]!
    stored 20, 0xa1a2a402
    strb.w r2, [r0], #-5
    stored 20, 0xa1a20202
    strb.w r1, [r0, r2, lsl #1]
    stored 20, 0xa1a202a4
    pop {r4-r7, pc}
    .ltorg

function shifted_registers
    push {r4-r7, lr}
    ldr r0, =0x80000f0f
    ldr r1, =0x10ff00f0
    tst.w r0, r1, lsl #3
    flags 8
    and.w r2, r0, r1, lsr #4
    expect r2, 0xf
    bics.w r2, r0, r1, ror #4
    flags 8
    expect r2, 0x80000f00
    mov.w r2, r1
    expect r2, 0x10ff00f0
    movs r2, #1
    lsrs r2, r2, #1 @ C = 1
    rrx r2, r1
    expect r2, 0x887f8078
    lsl.w r2, r1, #4
    expect r2, 0x0ff00f00
    lsr.w r2, r0, #31
    expect r2, 1
    asrs.w r2, r0, #4
    flags 10
    expect r2, 0xf80000f0
    ror.w r2, r0, #8
    expect r2, 0x0f80000f
    orr.w r2, r0, r1, lsl #8
    expect r2, 0xff00ff0f
    mvn.w r2, r1, lsl #1
    expect r2, 0xde01fe1f
    orn r2, r0, r1
    expect r2, 0xef00ff0f
    teq r0, r1, asr #2
    flags 8
    eor.w r2, r0, r1, lsl #16
    expect r2, 0x80f00f0f
    cmn.w r0, r0
    flags 3
    adds.w r2, r0, r1, lsl #3
    flags 3
    expect r2, 0x07f8168f
    cmp r0, r0
    adc.w r2, r0, r1
    expect r2, 0x90ff1000
    cmp r0, r0
    sbc.w r2, r0, r1, lsr #1
    expect r2, 0x77808e97
    cmp.w r0, r1, lsl #3
    flags 8
    sub.w r2, r0, r1
    expect r2, 0x6f010e1f
    rsb r2, r1, r0, lsl #1
    expect r2, 0xef011d2e
    pop {r4-r7, pc}
    .ltorg

function registers
    push {r4-r7, lr}
    ldr r0, =0x81828384
    movs r1, #8
    lsl.w r2, r0, r1
    expect r2, 0x82838400
    lsr.w r2, r0, r1
    expect r2, 0x00818283
    asr.w r2, r0, r1
    expect r2, 0xff818283
    rors.w r2, r0, r1
    flags 10
    expect r2, 0x84818283
    sxth.w r2, r0, ror #8
    expect r2, 0xffff8283
    uxth.w r2, r0, ror #16
    expect r2, 0x8182
    sxtb.w r2, r0, ror #24
    expect r2, 0xffffff81
    uxtb.w r2, r0, ror #8
    expect r2, 0x83
    rev.w r2, r0
    expect r2, 0x84838281
    rev16.w r2, r0
    expect r2, 0x82818483
    rbit r2, r0
    expect r2, 0x21c14181
    revsh.w r2, r0
    expect r2, 0xffff8483
    clz r2, r1
    expect r2, 28
    pop {r4-r7, pc}
    .ltorg

function multiplies
    push {r4-r7, lr}
    ldr r0, =0x80000003
    ldr r1, =0xfffffff0
    mul.w r2, r0, r1
    expect r2, 0xffffffd0
    mla r2, r0, r1, r0
    expect r2, 0x7fffffd3
    mls r2, r0, r1, r0
    expect r2, 0x80000033
    smull r2, r3, r0, r1
    expect r2, 0xffffffd0
    expect r3, 7
    umull r2, r3, r0, r1
    expect r2, 0xffffffd0
    expect r3, 0x7ffffffa
    smlal r2, r3, r0, r0
    expect r2, 0xffffffd9
    expect r3, 0xbffffff7
    umlal r2, r3, r0, r0
    expect r2, 0xffffffe2
    expect r3, 0xfffffffa
    sdiv r2, r0, r1
    expect r2, 0x07ffffff
    udiv r2, r1, r0
    expect r2, 1
    pop {r4-r7, pc}
    .ltorg

    .section .rodata
    .balign 4
    .word 0x85868788
rows_words:
    .word 0x91929394, 0x95969798
