/* The program that is interrupted before each of its instructions, and traps at each (tests/guest/test_sparc_irq.c):
 * delay slots of all kinds, branches in delay slots, windows beyond their number, atomics, multiplications, divisions
 * and traps. It has a trap table of its own. It executes every integer and floating-point instruction that other
 * programs do not, and ends with code 0; what it computed is in `results`. */

    .section .traps, "ax"
    .global _start, program_begin, program_end, results, results_end, irq_record, patch_record
    .align 4096
    .macro TRAP_TO handler
    rd %psr, %l0
    sethi %hi(\handler), %l4
    jmp %l4 + %lo(\handler)
    nop
    .endm
_start:
    sethi %hi(entry), %g1
    jmp %g1 + %lo(entry)
    nop
    nop
    .rept 4
    TRAP_TO bad
    .endr
    rd %wim, %l3                        /* 0x05 */
    sethi %hi(window_overflow), %l4
    jmp %l4 + %lo(window_overflow)
    nop
    rd %wim, %l3                        /* 0x06 */
    sethi %hi(window_underflow), %l4
    jmp %l4 + %lo(window_underflow)
    nop
    .rept 3
    TRAP_TO bad
    .endr
    TRAP_TO tag_overflow                /* 0x0a */
    .rept 0x14
    TRAP_TO bad
    .endr
    TRAP_TO interrupt                   /* 0x1f */
    .rept 4
    TRAP_TO bad
    .endr
    TRAP_TO skip                        /* 0x24 */
    .rept 0x5c
    TRAP_TO bad
    .endr
    TRAP_TO skip                        /* 0x81: ta 1 */
    TRAP_TO bad
    TRAP_TO patched                     /* 0x83: ta 3 */
    .rept 0x7c
    TRAP_TO bad
    .endr

    .text
bad:
    mov 1, %g1
    mov 9, %o0
    ta 0
    nop

/* All that an interrupt may use are the locals of its window. */
interrupt:
    set irq_record, %l3
    st %l1, [%l3]
    st %l2, [%l3 + 4]
    ld [%l3 + 8], %l4
    inc %l4
    st %l4, [%l3 + 8]
    wr %l0, 0, %psr
    nop
    nop
    nop
    jmp %l1
    rett %l2

/* In the place of an instruction: puts that back (third word of the record) and runs it. */
patched:
    set patch_record, %l3
    st %l1, [%l3]
    st %l2, [%l3 + 4]
    ld [%l3 + 8], %l4
    st %l4, [%l1]
    flush %l1
    wr %l0, 0, %psr
    nop
    nop
    nop
    jmp %l1
    rett %l2

tag_overflow:
skip:
    wr %l0, 0, %psr
    nop
    nop
    nop
    jmp %l2
    rett %l2 + 4

#include "windows.inc"

entry:
    wr %g0, 0xfc0, %psr
    nop
    nop
    nop
    wr %g0, 2, %wim
    sethi %hi(_start), %g1
    wr %g1, %tbr
    set __stack_top - 96, %sp
    sethi %hi(0x1000), %g1
    or %g1, 0xfe0, %g1
    wr %g1, 0, %psr
    nop
    nop
    nop

program_begin:
    set results, %g7
    /* Delay slots: taken, not taken, annulled, always; with loads and stores in them. */
    mov 3, %l0
1:  subcc %l0, 1, %l0
    bne 1b
    st %l0, [%g7]
    cmp %l0, 0
    be,a 2f
    ld [%g7], %l1
    inc %l1
2:  bne,a 3f
    inc %l1
3:  ba,a 4f
    inc %l1
4:  bn 5f
    inc 16, %l1
    bn,a 5f
    inc %l1
5:  ba 6f
    st %l1, [%g7 + 4]
6:  call 7f
    ld [%g7 + 4], %l2
    /* A branch in a delay slot: one instruction of the first target, then the second's. */
7:  ba 8f
    ba 9f
    inc %l2
8:  inc 2, %l2
    inc 32, %l2
9:  inc 4, %l2
    jmpl %o7 + (1f - 6b), %l3
    std %l2, [%g7 + 8]
    inc %l2
1:  sub %l3, %o7, %l3
    st %l3, [%g7 + 16]
    /* Calls through all windows and back. */
    call deep
    mov 10, %o0
    st %o0, [%g7 + 20]
    /* Arithmetic. */
    set 0x87654321, %l0
    set 0x12345678, %l1
    addcc %l0, %l1, %l2
    addx %l2, 0, %l2
    addxcc %l2, %l0, %l3
    subxcc %l3, %l1, %l4
    subx %l4, 1, %l4
    andncc %l0, %l1, %l5
    orn %l5, %l1, %l5
    orncc %l5, %l0, %l6
    xnorcc %l6, %l1, %l6
    xnor %l6, 5, %l6
    xor %l6, %l5, %l6
    xorcc %l6, %l4, %l6
    sra %l6, 3, %l6
    std %l2, [%g7 + 24]
    std %l4, [%g7 + 32]
    umul %l0, %l1, %l2
    rd %y, %l3
    umulcc %l0, 77, %l4
    smul %l0, %l1, %l5
    smulcc %l0, -3, %l6
    std %l2, [%g7 + 40]
    std %l4, [%g7 + 48]
    wr %g0, 3, %y
    udivcc %l0, %l1, %l2
    wr %g0, -1, %y
    sdiv %l0, %l1, %l3
    sdivcc %l0, 9, %l4
    wr %l0, 0, %y
    mulscc %l1, %l0, %l5
    rd %y, %l6
    std %l2, [%g7 + 56]
    std %l4, [%g7 + 64]
    taddcc %l0, 4, %l2
    tsubcc %l0, %l1, %l3
    tsubcctv %l0, 4, %l3
    taddcctv %l0, 1, %l3
    std %l2, [%g7 + 72]
    /* Memory: bytes, halfwords, atomics, the data spaces. */
    stb %l0, [%g7 + 80]
    sth %l1, [%g7 + 82]
    lduh [%g7 + 82], %l2
    ldsh [%g7 + 80], %l3
    ldstub [%g7 + 80], %l4
    swap [%g7 + 80], %l5
    add %g7, 84, %g6
    sta %l5, [%g6] 0x0b
    stba %l4, [%g6] 0x0b
    add %g6, 2, %g5
    stha %l4, [%g5] 0x0b
    lduba [%g5] 0x0b, %l6
    ldsba [%g5] 0x0b, %l7
    lduha [%g5] 0x0b, %o0
    ldsha [%g5] 0x0b, %o1
    ldstuba [%g6] 0x0b, %o2
    swapa [%g6] 0x0b, %o3
    add %g6, 4, %g5
    stda %o0, [%g5] 0x0b
    ldda [%g5] 0x0b, %o4
    casa [%g5] 0x0a, %o0, %o3
    casa [%g5] 0x0b, %o0, %o2
    stbar
    std %o2, [%g7 + 96]
    std %o4, [%g7 + 104]
    std %l6, [%g7 + 112]
    ta 1
    cmp %l0, 0
    tne 1
    te 1
    nop
    .word 0x01c00000                    /* coprocessor branch */
    .word 0x81b00000                    /* CPop1 */
    .word 0xc1800000                    /* LDC */
    .word 0xc1980000                    /* LDDC */
    .word 0xc1a00000                    /* STC */
    .word 0xc1b00000                    /* STDCQ */
    /* Floating point. */
    set numbers, %g5
    ld [%g5], %f0
    ld [%g5 + 4], %f1
    ldd [%g5 + 8], %f2
    ldd [%g5 + 16], %f4
    fitos %f1, %f6
    fitod %f1, %f8
    fadds %f0, %f6, %f10
    fsubs %f0, %f6, %f11
    fmuls %f0, %f6, %f12
    fdivs %f0, %f6, %f13
    fsqrts %f0, %f14
    fsqrtd %f2, %f16
    faddd %f2, %f4, %f18
    fsubd %f2, %f4, %f20
    fmuld %f2, %f4, %f22
    fdivd %f2, %f4, %f24
    fsmuld %f0, %f6, %f26
    fstod %f0, %f28
    fdtos %f2, %f30
    fstoi %f0, %f31
    fdtoi %f2, %f7
    fmovs %f0, %f15
    fnegs %f0, %f1
    fabss %f1, %f1
    fcmps %f0, %f6
    nop
    fbl,a 1f
    std %f10, [%g7 + 120]
    std %f12, [%g7 + 120]
1:  fcmpd %f2, %f4
    nop
    fbne 2f
    std %f14, [%g7 + 128]
    nop
2:  fcmpes %f0, %f0
    fcmped %f2, %f2
    nop
    fbe 3f
    std %f16, [%g7 + 136]
    nop
3:  std %f18, [%g7 + 144]
    std %f20, [%g7 + 152]
    std %f22, [%g7 + 160]
    std %f24, [%g7 + 168]
    std %f26, [%g7 + 176]
    std %f30, [%g7 + 184]
    st %f7, [%g7 + 192]
    st %fsr, [%g7 + 196]
program_end:
    mov 1, %g1
    mov 0, %o0
    wr %g0, 0xfc0, %psr
    nop
    nop
    nop
    ta 0
    nop

/* The sum of 1 to o0, one window each. */
deep:
    save %sp, -96, %sp
    cmp %i0, 0
    be 1f
    mov 0, %o0
    call deep
    sub %i0, 1, %o0
    add %o0, %i0, %o0
1:  ret
    restore %g0, %o0, %o0

    .section .rodata
    .align 8
numbers:
    .word 0x40490fdb, 12345, 0x4005bf0a, 0x8b145769, 0xc00921fb, 0x54442d18

    .data
    .align 8
results:
    .skip 200
results_end:
    .align 8
irq_record:
    .word 0, 0, 0, 0
patch_record:
    .word 0, 0, 0, 0

    .section .note.GNU-stack, "", %progbits
