/* Start-up of programs for LEON boards: trap table, window handlers, stack, .bss, main. Traps that a program does not
 * handle itself go to `unexpected`, which halts the processor in error mode with its trap type as exit code.
 * SPARC V8 7 (trap table), D.5 (windows). Programs may give handlers of their own: trap_handler(tt, pc, npc), called
 * in the trap's window with traps disabled, for synchronous traps and interrupts alike. */

    .section .traps, "ax"
    .global _start, trap_table
    .align 4096

    /* Each entry is four instructions. */
    .macro TRAP_TO handler
    rd %psr, %l0
    sethi %hi(\handler), %l4
    jmp %l4 + %lo(\handler)
    rd %tbr, %l3
    .endm
    .macro WINDOW_TRAP handler
    rd %wim, %l3
    sethi %hi(\handler), %l4
    jmp %l4 + %lo(\handler)
    nop
    .endm
    .macro OTHERS n
    .rept \n
    TRAP_TO other_trap
    .endr
    .endm

trap_table:
_start:
    sethi %hi(entry), %g1               /* 0x00 reset */
    jmp %g1 + %lo(entry)
    mov %g0, %g0
    nop
    OTHERS 4                            /* 0x01 to 0x04 */
    WINDOW_TRAP window_overflow         /* 0x05 */
    WINDOW_TRAP window_underflow        /* 0x06 */
    OTHERS 0x79                         /* 0x07 to 0x7f */
    mov %i0, %o0                        /* 0x80: exit with the caller's %o0; traps are disabled here */
    ta 0
    nop
    nop
    OTHERS 2                            /* 0x81, 0x82 */
    TRAP_TO flush_windows               /* 0x83: what longjmp and the like use */
    OTHERS 0x7c                         /* 0x84 to 0xff */

    .text
#include "windows.inc"

/* Saves all windows but the caller's: goes down through them with traps enabled, so that each overflows. */
flush_windows:
    jmp %l2
    rett %l2 + 4

/* %l0 psr, %l1 pc, %l2 npc, %l3 tbr. A C handler runs in a window of its own, which must be free: if the window below
 * is marked, it is saved as an overflow would. */
other_trap:
    srl %l3, 4, %l3
    and %l3, 0xff, %l3
    rd %wim, %l4
    srl %l4, %l0, %l5                   /* the shift takes CWP; here it is the trapped window: this one + 1 */
    mov %g1, %l7
    and %l0, 31, %l6
    srl %l4, %l6, %l5
    btst 1, %l5
    be 1f
    nop
    srl %l4, 1, %g1
    sll %l4, NWINDOWS - 1, %l5
    or %g1, %l5, %g1
    and %g1, (1 << NWINDOWS) - 1, %g1
    save
    wr %g1, %wim
    nop
    nop
    nop
    std %l0, [%sp]
    std %l2, [%sp + 8]
    std %l4, [%sp + 16]
    std %l6, [%sp + 24]
    std %i0, [%sp + 32]
    std %i2, [%sp + 40]
    std %i4, [%sp + 48]
    std %i6, [%sp + 56]
    restore
1:
    sub %fp, 160, %sp                   /* a frame of our own below the interrupted one */
    std %g2, [%sp + 104]
    std %g4, [%sp + 112]
    std %g6, [%sp + 120]
    st %l7, [%sp + 100]
    rd %y, %l5
    st %l5, [%sp + 96]
    wr %l0, 0xf00, %psr                 /* no interrupts of level below 15; ET stays 0 */
    nop
    nop
    nop
    wr %l0, 0xf20, %psr                 /* traps enabled: the handler may use windows */
    nop
    nop
    nop
    mov %l3, %o0
    mov %l1, %o1
    call trap_handler
    mov %l2, %o2
    /* The handler gives back where to go on: 0 retry, else skip the instruction. */
    wr %l0, 0, %psr                     /* traps disabled */
    nop
    nop
    nop
    ld [%sp + 96], %l5
    wr %l5, %y
    ld [%sp + 100], %g1
    ldd [%sp + 104], %g2
    ldd [%sp + 112], %g4
    ldd [%sp + 120], %g6
    tst %o0
    be 2f
    nop
    mov %l2, %l1
    add %l2, 4, %l2
2:
    /* The window that is returned to must be valid. */
    rd %wim, %l4
    add %l0, 1, %l6
    and %l6, NWINDOWS - 1, %l6
    wr %l0, 0, %psr                     /* condition codes */
    nop
    nop
    nop
    rd %psr, %l6
    add %l6, 1, %l6
    and %l6, NWINDOWS - 1, %l6
    srl %l4, %l6, %l5
    andcc %l5, 1, %g0
    be 3f
    nop
    sll %l4, 1, %l5
    srl %l4, NWINDOWS - 1, %l6
    or %l5, %l6, %l5
    and %l5, (1 << NWINDOWS) - 1, %l5
    wr %l5, %wim
    nop
    nop
    nop
    restore
    ldd [%sp], %l0
    ldd [%sp + 8], %l2
    ldd [%sp + 16], %l4
    ldd [%sp + 24], %l6
    ldd [%sp + 32], %i0
    ldd [%sp + 40], %i2
    ldd [%sp + 48], %i4
    ldd [%sp + 56], %i6
    save
3:
    wr %l0, 0, %psr
    nop
    nop
    nop
    jmp %l1
    rett %l2

/* Reset, or what a boot loader started. */
entry:
    rd %asr17, %g1
    srl %g1, 28, %g1
    tst %g1
    bne other_core
    nop
    wr %g0, 0xfc0, %psr                 /* supervisor, no interrupts, traps disabled, window 0 */
    nop
    nop
    nop
    wr %g0, 2, %wim
    sethi %hi(trap_table), %g1
    wr %g1, %tbr
    set __stack_top - 96, %sp
    mov %g0, %fp
    mov %g0, %i7
    set __bss_start, %g1
    set __bss_end, %g2
1:  cmp %g1, %g2
    bgeu 2f
    nop
    st %g0, [%g1]
    ba 1b
    add %g1, 4, %g1
2:  wr %g0, 0x10e0, %psr                /* FPU on, traps enabled */
    nop
    nop
    nop
    sethi %hi(zero_fsr), %g1
    ld [%g1 + %lo(zero_fsr)], %fsr
    call main
    nop
    call guest_exit
    nop

/* Cores that the first one started keep the stack that the boot loader gave them, and run core_main(index). */
    .weak core_main
other_core:
    wr %g0, 0xfc0, %psr
    nop
    nop
    nop
    wr %g0, 2, %wim
    sethi %hi(trap_table), %g2
    wr %g2, %tbr
    andn %sp, 7, %sp
    sub %sp, 96, %sp
    mov %g0, %fp
    mov %g0, %i7
    wr %g0, 0x10e0, %psr
    nop
    nop
    nop
    set core_main, %g2
    tst %g2
    be 1f
    nop
    call %g2
    mov %g1, %o0
1:  wr %g0, %asr19                      /* nothing to do: powered down for ever */
    ba 1b
    nop

    .global halt_with
halt_with:
    mov 1, %g1
    ta 0
    nop

    .section .rodata
    .align 4
zero_fsr:
    .word 0

    .section .note.GNU-stack, "", %progbits
