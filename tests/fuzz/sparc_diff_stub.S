/* Harness of the differential test of the SPARC guest (sparc_diff.c). It runs sequences of instructions one after the
 * other: all registers come from a table entry, RETT enters the sequence, and the first trap ends it: `ta 1` behind it,
 * or any other. Then all registers go into a record. At the end `ta 0` with traps disabled stops both machines. The
 * numbers below must agree with sparc_diff.h. */

#define BASE 0x40000000
#define HEADER (BASE + 0x3000)
#define TEMPLATE (BASE + 0x3800)
#define SCRATCH (BASE + 0x3c00)
#define SCRATCH_WORDS 80
#define HASHED_WORDS 64
#define ENTRY_BYTES 688
#define RECORD_BYTES 720
#define SLOT_BYTES 128
/* Header: index of the sequence, end, addresses of its entry, slot and record. */
#define H_INDEX 0
#define H_END 4
#define H_ENTRY 8
#define H_SLOT 12
#define H_RECORD 16

    .section .text
    .global _start
    .align 4096
_start:
    sethi %hi(begin), %l3
    jmp %l3 + %lo(begin)
    nop
    nop
    .rept 255
    sethi %hi(trapped), %l3
    jmp %l3 + %lo(trapped)
    nop
    nop
    .endr

begin:
    wr %g0, 0xfc0, %psr                 /* supervisor, no interrupts, traps disabled */
    nop
    nop
    nop
    sethi %hi(_start), %g1
    wr %g1, %tbr
    ba next
    nop

trapped:
    rd %psr, %l0
    set HEADER, %l3
    ld [%l3 + H_INDEX], %l5
    ld [%l3 + H_RECORD], %l4
    st %l5, [%l4]
    rd %tbr, %l5
    st %l5, [%l4 + 4]
    st %l0, [%l4 + 8]
    st %l1, [%l4 + 12]
    st %l2, [%l4 + 16]
    rd %wim, %l5
    st %l5, [%l4 + 20]
    rd %y, %l5
    st %l5, [%l4 + 24]
    st %g0, [%l4 + 32]
    st %g1, [%l4 + 36]
    std %g2, [%l4 + 40]
    std %g4, [%l4 + 48]
    std %g6, [%l4 + 56]
    /* Floating point on, all windows valid. */
    sethi %hi(0x1000), %l5
    or %l0, %l5, %l5
    wr %l5, 0, %psr
    nop
    nop
    nop
    wr %g0, 0, %wim
    nop
    nop
    nop
    st %fsr, [%l4 + 28]
    std %f0, [%l4 + 64]
    std %f2, [%l4 + 72]
    std %f4, [%l4 + 80]
    std %f6, [%l4 + 88]
    std %f8, [%l4 + 96]
    std %f10, [%l4 + 104]
    std %f12, [%l4 + 112]
    std %f14, [%l4 + 120]
    std %f16, [%l4 + 128]
    std %f18, [%l4 + 136]
    std %f20, [%l4 + 144]
    std %f22, [%l4 + 152]
    std %f24, [%l4 + 160]
    std %f26, [%l4 + 168]
    std %f28, [%l4 + 176]
    std %f30, [%l4 + 184]
    /* All windows, by their number. */
    mov 8, %g3
    add %l4, 192, %g1
1:  rd %psr, %g2
    and %g2, 7, %g2
    sll %g2, 6, %g2
    add %g1, %g2, %g2
    std %o0, [%g2]
    std %o2, [%g2 + 8]
    std %o4, [%g2 + 16]
    std %o6, [%g2 + 24]
    std %l0, [%g2 + 32]
    std %l2, [%g2 + 40]
    std %l4, [%g2 + 48]
    std %l6, [%g2 + 56]
    save
    subcc %g3, 1, %g3
    bne 1b
    nop
    /* A hash of the scratch memory. */
    set SCRATCH, %g1
    mov HASHED_WORDS, %g2
    mov %g0, %g3
2:  ld [%g1], %g4
    sll %g3, 5, %g5
    srl %g3, 27, %g3
    or %g3, %g5, %g3
    xor %g3, %g4, %g3
    subcc %g2, 1, %g2
    bne 2b
    add %g1, 4, %g1
    set HEADER, %g1
    ld [%g1 + H_RECORD], %g2
    st %g3, [%g2 + 704]
    add %g2, RECORD_BYTES, %g2
    st %g2, [%g1 + H_RECORD]
    ld [%g1 + H_ENTRY], %g2
    add %g2, ENTRY_BYTES, %g2
    st %g2, [%g1 + H_ENTRY]
    ld [%g1 + H_SLOT], %g2
    add %g2, SLOT_BYTES, %g2
    st %g2, [%g1 + H_SLOT]

next:
    set HEADER, %g1
    ld [%g1 + H_INDEX], %g2
    add %g2, 1, %g2
    st %g2, [%g1 + H_INDEX]
    ld [%g1 + H_END], %g3
    cmp %g2, %g3
    be finished
    ld [%g1 + H_ENTRY], %g7
    set TEMPLATE, %g1
    set SCRATCH, %g2
    mov SCRATCH_WORDS, %g3
3:  ld [%g1], %g4
    st %g4, [%g2]
    add %g1, 4, %g1
    subcc %g3, 1, %g3
    bne 3b
    add %g2, 4, %g2
    rd %psr, %g1
    sethi %hi(0x1000), %g2
    or %g1, %g2, %g1
    wr %g1, 0, %psr
    wr %g0, 0, %wim
    nop
    nop
    nop
    ld [%g7 + 12], %fsr
    ldd [%g7 + 48], %f0
    ldd [%g7 + 56], %f2
    ldd [%g7 + 64], %f4
    ldd [%g7 + 72], %f6
    ldd [%g7 + 80], %f8
    ldd [%g7 + 88], %f10
    ldd [%g7 + 96], %f12
    ldd [%g7 + 104], %f14
    ldd [%g7 + 112], %f16
    ldd [%g7 + 120], %f18
    ldd [%g7 + 128], %f20
    ldd [%g7 + 136], %f22
    ldd [%g7 + 144], %f24
    ldd [%g7 + 152], %f26
    ldd [%g7 + 160], %f28
    ldd [%g7 + 168], %f30
    mov 8, %g3
    add %g7, 176, %g1
4:  rd %psr, %g2
    and %g2, 7, %g2
    sll %g2, 6, %g2
    add %g1, %g2, %g2
    ldd [%g2], %o0
    ldd [%g2 + 8], %o2
    ldd [%g2 + 16], %o4
    ldd [%g2 + 24], %o6
    ldd [%g2 + 32], %l0
    ldd [%g2 + 40], %l2
    ldd [%g2 + 48], %l4
    ldd [%g2 + 56], %l6
    save
    subcc %g3, 1, %g3
    bne 4b
    nop
    ld [%g7 + 8], %g1
    wr %g1, 0, %y
    ld [%g7 + 4], %g2
    ld [%g7], %g1
    wr %g1, 0, %psr                     /* the window below that of the sequence */
    nop
    nop
    nop
    wr %g2, 0, %wim
    nop
    nop
    nop
    mov %g7, %l3
    set HEADER, %l1
    ld [%l1 + H_SLOT], %l1
    add %l1, 4, %l2
    ld [%l3 + 16], %g1
    ld [%l3 + 20], %g2
    ld [%l3 + 24], %g3
    ld [%l3 + 28], %g4
    ld [%l3 + 32], %g5
    ld [%l3 + 36], %g6
    ld [%l3 + 40], %g7
    jmp %l1
    rett %l2

finished:
    mov %g0, %o0
    mov 1, %g1
    ta 0
    nop

    .section .note.GNU-stack, "", %progbits
