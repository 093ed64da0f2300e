/* Formats of thumb.decode: operands to UAL text. Manual: ARMv7-M Architecture Reference Manual (DDI 0403E.e) A7.4.2
 * (shifts), B5.1.1 (numbers of special registers). */
#include <stdio.h>

#include "translator.h"

static const char *const reg_names[16] = {"r0", "r1", "r2",  "r3",  "r4",  "r5", "r6", "r7",
                                          "r8", "r9", "r10", "r11", "r12", "sp", "lr", "pc"};
static const char *const cond_names[16] = {"eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc",
                                           "hi", "ls", "ge", "lt", "gt", "le", "",   ""};

void arm_format_reg(char *out, size_t size, uint32_t value) {
    snprintf(out, size, "%s", reg_names[value & 15]);
}

void arm_format_s(char *out, size_t size, uint32_t value) {
    snprintf(out, size, "%s", value ? "s" : "");
}

void arm_format_cond(char *out, size_t size, uint32_t value) {
    snprintf(out, size, "%s", cond_names[value & 15]);
}

/* Amount of a shift by an immediate. */
void arm_format_amount(char *out, size_t size, uint32_t value) {
    uint32_t type = value >> 5, amount = value & 31;
    snprintf(out, size, "#%u", type != 0 && amount == 0 ? 32 : amount);
}

/* The shift behind a register. */
void arm_format_shift(char *out, size_t size, uint32_t value) {
    static const char *const types[4] = {"lsl", "lsr", "asr", "ror"};
    enum { RRX = 3 << 5 };
    char amount[8];
    if (value == 0) {
        out[0] = 0;
    } else if (value == RRX) {
        snprintf(out, size, ", rrx");
    } else {
        arm_format_amount(amount, sizeof amount, value);
        snprintf(out, size, ", %s %s", types[value >> 5 & 3], amount);
    }
}

void arm_format_rotate(char *out, size_t size, uint32_t value) {
    out[0] = 0;
    if (value) {
        snprintf(out, size, ", ror #%u", value);
    }
}

void arm_format_offset(char *out, size_t size, uint32_t value) {
    snprintf(out, size, "#%ld", (long)(int32_t)value);
}

void arm_format_list(char *out, size_t size, uint32_t value) {
    size_t at = (size_t)snprintf(out, size, "{");
    const char *comma = "";
    for (uint32_t n = 0; n < 16; n++) {
        if (bit(value, n) && at < size) {
            at += (size_t)snprintf(out + at, size - at, "%s%s", comma, reg_names[n]);
            comma = ", ";
        }
    }
    if (at < size) {
        snprintf(out + at, size - at, "}");
    }
}

void arm_format_bang(char *out, size_t size, uint32_t value) {
    snprintf(out, size, "%s", value ? "!" : "");
}

/* ITSTATE: the letters behind the first, and the condition. */
void arm_format_it(char *out, size_t size, uint32_t value) {
    char letters[4] = "";
    uint32_t n = 0, last = (uint32_t)__builtin_ctz(value | 8);
    for (uint32_t i = 3; i > last; i--) {
        letters[n++] = bit(value, i) == bit(value, 4) ? 't' : 'e';
    }
    letters[n] = 0;
    snprintf(out, size, "%s %s", letters, value >> 4 == 14 ? "al" : cond_names[value >> 4 & 15]);
}

/* CPS: bit 0 disable, bit 1 FAULTMASK, bit 2 PRIMASK. */
void arm_format_effect(char *out, size_t size, uint32_t value) {
    snprintf(out, size, "%s %s%s", value & 1 ? "id" : "ie", value & 4 ? "i" : "", value & 2 ? "f" : "");
}

void arm_format_barrier(char *out, size_t size, uint32_t value) {
    enum { SY = 15 };
    if (value == SY) {
        snprintf(out, size, "sy");
    } else {
        snprintf(out, size, "#%u", value);
    }
}

/* SYSm, with the mask of MSR above bit 8: bit 1 of it is nzcvq, bit 0 is g. */
void arm_format_sysreg(char *out, size_t size, uint32_t value) {
    static const char *const names[21] = {
        "APSR", "IAPSR", "EAPSR", "XPSR",    NULL,      "IPSR",        "EPSR",      "IEPSR",   "MSP", "PSP",
        NULL,   NULL,    NULL,    NULL,      NULL,      NULL,          "PRIMASK",   "BASEPRI", "BASEPRI_MAX",
        "FAULTMASK", "CONTROL"};
    static const char *const fields[4] = {"", "_g", "_nzcvq", "_nzcvqg"};
    uint32_t number = value & 0xff;
    if (number >= ARRAY_LEN(names) || !names[number]) {
        snprintf(out, size, "sysm%u", number);
    } else {
        snprintf(out, size, "%s%s", names[number], number < 4 ? fields[value >> 8 & 3] : "");
    }
}

/* MRC to r15 sets the flags instead. */
void arm_format_apsr(char *out, size_t size, uint32_t value) {
    snprintf(out, size, "%s", value == ARM_PC ? "APSR_nzcv" : reg_names[value & 15]);
}

void arm_format_large(char *out, size_t size, uint32_t value) {
    snprintf(out, size, "%s", value ? "l" : "");
}

/* P:U:W:imm8 of LDC and STC: what stands behind the base register. */
void arm_format_indexed(char *out, size_t size, uint32_t value) {
    enum { W = 1 << 8, U = 1 << 9, P = 1 << 10 };
    uint32_t imm = value & 0xff;
    const char *sign = value & U ? "" : "-";
    if (value & P) {
        snprintf(out, size, ", #%s%u]%s", sign, imm * 4, value & W ? "!" : "");
    } else if (value & W) {
        snprintf(out, size, "], #%s%u", sign, imm * 4);
    } else {
        snprintf(out, size, "], {%u}", imm);
    }
}
