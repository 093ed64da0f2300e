/* Transforms of thumb.decode: encodings to operands. Manual: ARMv7-M Architecture Reference Manual (DDI 0403E.e) A5.3.2
 * (modified immediates), A7.7.12 (branch offsets). */
#ifndef GUEST_ARM_OPERANDS_H
#define GUEST_ARM_OPERANDS_H

#include "arm.h"

/* ThumbExpandImm_C: i:imm3:imm8 to 32 bits. */
static inline uint32_t arm_transform_expand_imm(uint32_t raw) {
    uint32_t low = raw & 0xff;
    if (raw < 0x400) {
        const uint32_t repeat[4] = {1, 0x00010001, 0x01000100, 0x01010101};
        return low * repeat[raw >> 8];
    }
    uint32_t value = 0x80 | (raw & 0x7f), rotation = raw >> 7; /* 8 to 31 */
    return value >> rotation | value << (32 - rotation);
}

/* The carry of the same: 2 for none. Repeating the byte 0 is UNPREDICTABLE: 3. */
static inline uint32_t arm_transform_imm_carry(uint32_t raw) {
    if (raw < 0x400) {
        return raw >= 0x100 && (raw & 0xff) == 0 ? 3 : 2;
    }
    return arm_transform_expand_imm(raw) >> 31;
}

static inline uint32_t arm_transform_negate(uint32_t raw) {
    return -raw;
}

/* U:imm8 */
static inline uint32_t arm_transform_signed_offset8(uint32_t raw) {
    return raw & 0x100 ? raw & 0xff : -raw;
}

/* U:imm8, in words */
static inline uint32_t arm_transform_signed_offset8x4(uint32_t raw) {
    return arm_transform_signed_offset8(raw) * 4;
}

/* U:imm12 */
static inline uint32_t arm_transform_signed_offset12(uint32_t raw) {
    return raw & 0x1000 ? raw & 0xfff : -raw;
}

/* lsb:msb to the width of the field; 0 if msb is below lsb. */
static inline uint32_t arm_transform_field_width(uint32_t raw) {
    uint32_t lsb = raw >> 5, msb = raw & 31;
    return msb >= lsb ? msb - lsb + 1 : 0;
}

/* M:list8, M is LR */
static inline uint32_t arm_transform_push_list(uint32_t raw) {
    return (raw & 0xff) | (raw >> 8) << ARM_LR;
}

/* P:list8, P is PC */
static inline uint32_t arm_transform_pop_list(uint32_t raw) {
    return (raw & 0xff) | (raw >> 8) << ARM_PC;
}

/* S:J1:J2:imm10:imm11 of B (T4) and BL to the distance from the instruction. I1 = NOT (J1 EOR S), I2 alike. */
static inline uint32_t arm_transform_branch_offset(uint32_t raw) {
    uint32_t s = bit(raw, 23), i1 = bit(raw, 22) ^ s ^ 1, i2 = bit(raw, 21) ^ s ^ 1;
    return ((0u - s) << 24 | i1 << 23 | i2 << 22 | bits(raw, 0, 21) << 1) + 4;
}

static inline uint32_t arm_transform_gp(uint32_t raw) {
    return raw != ARM_SP && raw != ARM_PC;
}

static inline uint32_t arm_transform_bit_count(uint32_t raw) {
    return (uint32_t)__builtin_popcount(raw);
}

#endif
