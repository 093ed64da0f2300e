/* A board and a firmware for tests of saved state: everything that a Cortex-M3 can be in the middle of. */
#ifndef TESTS_UNIT_SNAPSHOT_RIG_H
#define TESTS_UNIT_SNAPSHOT_RIG_H

#include <stdint.h>

/* mps2-an385 with little memory. */
static const char snapshot_board[] =
    "cpu: CPU.CortexM @ sysbus { cpuType: \"cortex-m3\"; nvic: nvic; clockFrequency: 25000000 }\n"
    "nvic: IRQControllers.NVIC @ sysbus 0xE000E000 { systickFrequency: 25000000; IRQ -> cpu@0 }\n"
    "dwt: Miscellaneous.DWT @ sysbus 0xE0001000 { frequency: 25000000; nvic: nvic }\n"
    "rom: Memory.MappedMemory @ sysbus 0 { size: 0x2000 }\n"
    "ram: Memory.MappedMemory @ sysbus 0x20000000 { size: 0x2400 }\n"
    "timer0: Timers.Arm_CMSDK_Timer @ sysbus 0x40000000 { frequency: 25000000; IRQ -> nvic@8 }\n"
    "timer1: Timers.Arm_CMSDK_Timer @ sysbus 0x40001000 { frequency: 25000000; IRQ -> nvic@9 }\n"
    "dual: Timers.Arm_CMSDK_DualTimer @ sysbus 0x40002000 { frequency: 25000000; CombinedIRQ -> nvic@10 }\n"
    "uart0: UART.CMSDK_APB_UART @ sysbus 0x40004000 { frequency: 25000000; RxInterrupt -> nvic@0 }\n"
    "watchdog: Timers.Arm_CMSDK_Watchdog @ sysbus 0x40008000 { frequency: 25000000; IRQ -> nvic@240 }\n"
    "gpio0: GPIOPort.ARM_AHB_GPIO @ sysbus 0x40010000 { CombinedIRQ -> nvic@6 }\n"
    "fpgaio: Miscellaneous.MPS2_FPGAIO @ sysbus 0x40028000 { frequency: 25000000 }\n"
    "button: Miscellaneous.Button @ none { -> gpio0@3 }\n";

/* At 0; vectors: SP 0x20001000, `reset`, `systick`, IRQ 0 `uart_rx`, IRQ 8 and 9 `timer`, all others `hang`. Assembled
 * from:
 *
 * reset:
 *     ldr r0, =0xe000e010  @ SysTick: every 997 cycles
 *     movw r1, #996
 *     str r1, [r0, #4]
 *     movs r1, #7
 *     str r1, [r0]
 *     ldr r0, =0xe000e100  @ interrupts 0, 8 and 9
 *     movw r1, #0x301
 *     str r1, [r0]
 *     ldr r0, =0x40000000  @ timers 0 and 1: 1501 cycles, at the same time
 *     ldr r2, =0x40001000
 *     movw r1, #1500
 *     str r1, [r0, #8]
 *     str r1, [r2, #8]
 *     movs r1, #9
 *     str r1, [r0]
 *     str r1, [r2]
 *     ldr r7, =0x40004000  @ UART 0: 16 cycles per bit
 *     movs r1, #16
 *     str r1, [r7, #16]
 *     movs r1, #11
 *     str r1, [r7, #8]
 *     ldr r6, =0x20000000
 *     movs r4, #0
 * loop:
 *     adds r4, r4, #1
 *     str r4, [r6]
 *     tst r4, #1
 *     itte ne
 *     addne r5, r5, r4
 *     rorne r5, r5, #3
 *     eoreq r5, r5, r4
 *     ldm r6, {r0, r1, r2, r3}
 *     add r0, r0, r5
 *     str r0, [r6, #32]
 *     ldrex r1, [r6, #36]
 *     add r1, r1, r0
 *     strex r2, r1, [r6, #36]
 *     lsls r3, r4, #27
 *     bne skip
 *     str r4, [r7]         @ a byte out
 *     str r4, [r6, r4, lsl #2]
 *     mov r8, r4
 *     bic r4, r4, #0x400
 *     adr r0, patched      @ code that changes itself
 *     bl store_code
 *     wfi
 * skip:
 * patched:
 *     movs r2, #0
 *     add r5, r5, r2
 *     b loop
 * store_code:
 *     ldrb r1, [r0]
 *     adds r1, r1, #1
 *     strb r1, [r0]
 *     bx lr
 * systick:
 *     ldr r0, =0x20000004
 *     b count
 * timer:
 *     mrs r2, ipsr
 *     sub r2, r2, #24
 *     lsls r2, r2, #12
 *     orr r2, r2, #0x40000000
 *     movs r1, #1
 *     str r1, [r2, #12]
 *     ldr r0, =0x20000008
 * count:
 *     ldr r1, [r0]
 *     adds r1, r1, #1
 *     str r1, [r0]
 *     bx lr
 * uart_rx:
 *     ldr r2, =0x40004000
 *     ldr r1, [r2]
 *     movs r3, #2
 *     str r3, [r2, #12]
 *     ldr r0, =0x2000000c
 *     ldr r3, [r0]
 *     add r3, r1, r3, ror #7
 *     str r3, [r0]
 *     bx lr
 * hang:
 *     b hang
 *     .pool
 */
static const uint32_t snapshot_firmware[] = {
    0x20001000, 0x00000069, 0x00000125, 0x00000125, 0x00000125, 0x00000125, 0x00000125, 0x00000125,
    0x00000125, 0x00000125, 0x00000125, 0x00000125, 0x00000125, 0x00000125, 0x00000125, 0x000000ef,
    0x0000010f, 0x00000125, 0x00000125, 0x00000125, 0x00000125, 0x00000125, 0x00000125, 0x00000125,
    0x000000f3, 0x000000f3, 0xf240482f, 0x604131e4, 0x60012107, 0xf240482d, 0x60013101, 0x4080f04f,
    0xf2404a2b, 0x608151dc, 0x21096091, 0x60116001, 0x2740f04f, 0x61392110, 0x60b9210b, 0x5600f04f,
    0x34012400, 0xf0146034, 0xbf1a0f01, 0xea4f192d, 0x406505f5, 0x000fe896, 0x62304428, 0x1f09e856,
    0xe8464401, 0x06e31209, 0x603cd10a, 0x4024f846, 0xf42446a0, 0xf20f6480, 0xf0000008, 0xbf30f804,
    0x44152200, 0x7801e7dd, 0x70013101, 0x48114770, 0xf3efe009, 0xf1a28205, 0x03120218, 0x4280f042,
    0x60d12101, 0x6801480c, 0x60013101, 0xf04f4770, 0x68112240, 0x60d32302, 0x68034808, 0x13f3eb01,
    0x47706003, 0x0000e7fe, 0xe000e010, 0xe000e100, 0x40001000, 0x20000004, 0x20000008, 0x2000000c,
};

#endif
