/* An x86-64 assembler: writes machine code at a cursor. Intel SDM volume 2 is the manual. Only the forms that the
 * lowering uses; widths are 32 bits unless a name or `w` (REX.W: true = 64 bits) says otherwise. */
#ifndef HOST_X64_ASM_H
#define HOST_X64_ASM_H

#include <string.h>

#include "base/common.h"

typedef enum Reg {
    RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15,
    REG_COUNT,
    NO_REG = 0xff,
} Reg;

/** Condition codes, as encoded in Jcc, SETcc, CMOVcc. */
typedef enum Cc {
    CC_O, CC_NO, CC_B, CC_AE, CC_E, CC_NE, CC_BE, CC_A, CC_S, CC_NS, CC_P, CC_NP, CC_L, CC_GE, CC_LE, CC_G
} Cc;

/** Two-operand group: the /digit of the immediate form; the register form is digit * 8 + 1. */
typedef enum Alu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP } Alu;
/** Shift group: the /digit. */
typedef enum Shift { SHIFT_ROL = 0, SHIFT_ROR = 1, SHIFT_SHL = 4, SHIFT_SHR = 5, SHIFT_SAR = 7 } Shift;
/** Unary group F7: the /digit. */
typedef enum Unary { UNARY_NOT = 2, UNARY_NEG = 3, UNARY_MUL = 4, UNARY_DIV = 6, UNARY_IDIV = 7 } Unary;

typedef struct Asm {
    uint8_t *begin, *at, *end; /* writable view */
    bool full; /* something did not fit: the code is useless */
    bool alone; /* nobody runs the code while it is patched */
} Asm;

/** A memory operand: base + (index << shift) + disp; index NO_REG for none. */
typedef struct Mem {
    Reg base, index;
    int32_t disp;
    uint8_t shift;
    bool patched; /* by base r8 or higher: the instruction has room for a jump, at least 5 bytes */
} Mem;

static inline Mem asm_at(Reg base, int32_t disp) {
    return (Mem){.base = base, .index = NO_REG, .disp = disp};
}

static inline Mem asm_indexed(Reg base, Reg index, unsigned shift, int32_t disp) {
    return (Mem){.base = base, .index = index, .disp = disp, .shift = (uint8_t)shift};
}

static inline uint32_t asm_offset(const Asm *a) {
    return (uint32_t)(a->at - a->begin);
}

/* ---- Bytes ---- */

/** Bytes that must be free to write an instruction, or what is shorter. */
enum { ASM_INSN_BYTES_MAX = 16 };

/** Appends the n lowest bytes of `bytes`; bytes behind them may be written, too: there is no code behind a cursor. */
static inline void asm_bytes(Asm *a, uint64_t bytes, unsigned n) {
    if (UNLIKELY(a->end - a->at < ASM_INSN_BYTES_MAX)) {
        a->full = true;
        return;
    }
    memcpy(a->at, &bytes, sizeof bytes);
    a->at += n;
}

/** The same where it is known that there is room. */
static inline void asm_put(Asm *a, uint64_t bytes, unsigned n) {
    memcpy(a->at, &bytes, sizeof bytes);
    a->at += n;
}

/** A NOP of five bytes. */
#define ASM_NOP5 UINT64_C(0x0000441f0f)

/* ---- What most code is made of, in line: 32 bits, and displacements of 8 bits from rbp. Functions with "short" and
 * "near" in their names take it for granted that there is room. ---- */

/* What a register is in REX and ModRM, which stand as bytes 0 and 2: in the field reg, and in r/m. */
#define ASM_FIELDS(bit, shift)                                                                                         \
    {0, 1u << (shift), 2u << (shift), 3u << (shift), 4u << (shift), 5u << (shift), 6u << (shift), 7u << (shift),       \
     (bit), (bit) | 1u << (shift), (bit) | 2u << (shift), (bit) | 3u << (shift), (bit) | 4u << (shift),                \
     (bit) | 5u << (shift), (bit) | 6u << (shift), (bit) | 7u << (shift)}
static const uint32_t asm_reg[16] = ASM_FIELDS(4u, 19), asm_rm[16] = ASM_FIELDS(1u, 16);

/* REX if a register needs it, opcode, ModRM and `n_rest` bytes behind it. */
static inline void asm_short(Asm *a, unsigned opcode, unsigned reg, unsigned rm, unsigned modrm, uint64_t rest,
                             unsigned n_rest) {
    uint32_t head = (0x40 | opcode << 8 | modrm << 16) | asm_reg[reg] | asm_rm[rm];
    unsigned bare = !(head & 0xf);
    asm_put(a, (head | rest << 24) >> 8 * bare, 3 - bare + n_rest);
}

/** An operand of 32 bits in r/m, ready to be encoded: a register, or [rbp + disp]. */
typedef struct ShortRm {
    uint32_t head, disp; /* of the instruction, REX and ModRM */
    unsigned n_disp; /* bytes */
} ShortRm;
static inline ShortRm asm_short_reg(Reg reg) {
    return (ShortRm){0xc00040 | asm_rm[reg], 0, 0};
}
static inline ShortRm asm_short_near(uint8_t disp) {
    return (ShortRm){0x450040, disp, 1};
}
/** opcode reg, rm. */
static inline void asm_short_rm(Asm *a, unsigned opcode, Reg reg, ShortRm rm) {
    uint32_t head = rm.head | opcode << 8 | asm_reg[reg];
    unsigned bare = !(head & 0xf);
    asm_put(a, (head | (uint64_t)rm.disp << 24) >> 8 * bare, 3 - bare + rm.n_disp);
}
enum { ASM_MOV_LOAD = 0x8b, ASM_ALU_LOAD = 3 /* + 8 * Alu */ };

static inline void asm_test_short(Asm *a, Reg x) {
    asm_short(a, 0x85, x, x, 0xc0, 0, 0);
}

static inline void asm_imul_short(Asm *a, Reg dst, Reg src) {
    unsigned rex = 0x40 | (dst >> 3) << 2 | src >> 3, bare = rex == 0x40;
    asm_put(a, (rex | 0xaf0f << 8 | (uint64_t)(0xc0 | (dst & 7) << 3 | (src & 7)) << 24) >> 8 * bare, 4 - bare);
}

static inline void asm_alu_imm32(Asm *a, Alu op, Reg dst, int32_t imm) {
    uint64_t bytes = 0x40 | dst >> 3 | 0x81 << 8 | (0xc0 | op << 3 | (dst & 7)) << 16 | (uint64_t)(uint32_t)imm << 24;
    asm_bytes(a, bytes, 7);
}

static inline void asm_shift_short(Asm *a, Shift op, Reg dst, uint8_t n) {
    asm_short(a, 0xc1, op, dst, 0xc0, n, 1);
}

/** Of 64 bits. */
static inline void asm_alu_imm8(Asm *a, Alu op, Reg dst, int8_t imm) {
    asm_bytes(a, 0x48 | dst >> 3 | 0x83 << 8 | (0xc0 | op << 3 | (dst & 7)) << 16 | (uint32_t)(uint8_t)imm << 24, 4);
}

/* Opcode and ModRM of [rbp + disp8] by register, with REX where it has to be. */
#define ASM_NEAR(opcode)                                                                                               \
    {(opcode) | 0x4500, (opcode) | 0x4d00, (opcode) | 0x5500, (opcode) | 0x5d00, (opcode) | 0x6500,                    \
     (opcode) | 0x6d00, (opcode) | 0x7500, (opcode) | 0x7d00, 0x44 | (opcode) << 8 | 0x450000,                         \
     0x44 | (opcode) << 8 | 0x4d0000, 0x44 | (opcode) << 8 | 0x550000, 0x44 | (opcode) << 8 | 0x5d0000,                \
     0x44 | (opcode) << 8 | 0x650000, 0x44 | (opcode) << 8 | 0x6d0000, 0x44 | (opcode) << 8 | 0x750000,                \
     0x44 | (opcode) << 8 | 0x7d0000}

static inline void asm_near(Asm *a, uint32_t bytes, Reg reg, uint8_t disp) {
    unsigned rex = reg >> 3;
    uint32_t all = bytes | (uint32_t)disp << (16 + 8 * rex);
    memcpy(a->at, &all, sizeof all);
    a->at += 3 + rex;
}

static inline void asm_load_near(Asm *a, Reg dst, uint8_t disp) {
    static const uint32_t bytes[16] = ASM_NEAR(0x8b);
    asm_near(a, bytes[dst], dst, disp);
}

static inline void asm_store_near(Asm *a, uint8_t disp, Reg src) {
    static const uint32_t bytes[16] = ASM_NEAR(0x89);
    asm_near(a, bytes[src], src, disp);
}

static inline void asm_store_near_imm(Asm *a, uint8_t disp, uint32_t imm) {
    asm_short(a, 0xc7, 0, RBP, 0x40, disp | (uint64_t)imm << 8, 5);
}

/** The same for 16 bits of rax, for a displacement as it is encoded. */
static inline void asm_alu16_load_near(Asm *a, Alu op, uint8_t disp) {
    asm_bytes(a, 0x66 | (op * 8u + 3) << 8 | 0x45 << 16 | (uint32_t)disp << 24, 4);
}

static inline void asm_alu16_store_near(Asm *a, Alu op, uint8_t disp) {
    asm_bytes(a, 0x66 | (op * 8u + 1) << 8 | 0x45 << 16 | (uint32_t)disp << 24, 4);
}

static inline void asm_store16_near(Asm *a, uint8_t disp) {
    asm_bytes(a, 0x458966 | (uint32_t)disp << 24, 4);
}

/** movzx eax, word [rbp + disp]; add al, imm, whose OF stays; sahf: the other flags come from ah. */
static inline void asm_load16_near_add_al_sahf(Asm *a, uint8_t disp, uint8_t imm) {
    asm_bytes(a, 0x9e000400000000 | (uint64_t)imm << 40 | (uint64_t)disp << 24 | 0x45b70f, 7);
}

/** lahf; bits `mask` of ax into word [rbp + disp]: xor ax, [rbp + disp]; and eax, mask; xor [rbp + disp], ax. */
static inline void asm_lahf_merge16_near(Asm *a, uint8_t disp, uint16_t mask) {
    asm_bytes(a, (uint64_t)mask << 48 | 0x250000000000 | (uint64_t)disp << 32 | 0x4533669f, 8);
    asm_bytes(a, (uint64_t)disp << 40 | 0x4531660000, 6);
}

/** lahf; seto al; mov [rbp + disp], ax. */
static inline void asm_lahf_seto_store16_near(Asm *a, uint8_t disp) {
    asm_bytes(a, (uint64_t)disp << 56 | 0x458966c0900f9f, 8);
}

/** mov eax, value; jmp to offset `target`. */
static inline void asm_mov_jmp(Asm *a, uint32_t value, uint32_t target) {
    enum { MOV_BYTES = 5, JMP_BYTES = 5 };
    asm_bytes(a, 0xb8 | (uint64_t)value << 8, MOV_BYTES);
    asm_bytes(a, 0xe9 | (uint64_t)(target - (asm_offset(a) + JMP_BYTES)) << 8, JMP_BYTES);
}

/** An access of `reg` to r15 + index + disp, or r15 + disp if index is NO_REG, with REX.W if `w`: one of at least five
 * bytes. `opcode` has up to three bytes, the first one lowest: 66 in front, then 0F; REX comes behind 66. */
static inline void asm_short_r15(Asm *a, unsigned opcode, bool w, unsigned reg, unsigned index, int32_t disp) {
    bool indexed = index != NO_REG, small = indexed & (disp == (int8_t)disp), word = (opcode & 0xff) == 0x66;
    unsigned high = indexed ? index >> 3 : 0, n = 2 + ((opcode >> 8 * word & 0xff) == 0x0f);
    uint64_t rex = 0x41 | (unsigned)w << 3 | (reg >> 3) << 2 | high << 1;
    uint64_t modrm = (small ? 0x40 : 0x80) | (reg & 7) << 3 | (indexed ? 4 : 7);
    uint64_t bytes = rex | (uint64_t)(opcode >> 8 * word) << 8 | modrm << 8 * n;
    n++;
    bytes |= indexed ? (uint64_t)((index & 7) << 3 | 7) << 8 * n : 0;
    n += indexed;
    asm_put(a, (bytes << 8 * word) | (word ? 0x66 : 0), n + word);
    asm_put(a, (uint32_t)disp, small ? 1 : 4);
}

/** The same for 32 bits, and for what has an index. */
static inline void asm_word_r15(Asm *a, unsigned opcode, unsigned reg, unsigned index, int32_t disp) {
    bool small = disp == (int8_t)disp;
    uint32_t head = (0x41 | opcode << 8 | 4u << 16 | 7u << 24) | asm_reg[reg] | (index & 7) << 27 | (index >> 3) << 1;
    head |= small ? 0x400000 : 0x800000;
    asm_put(a, head | (uint64_t)(uint32_t)disp << 32, small ? 5 : 8);
}

/* ---- All forms ---- */

void asm_alu(Asm *a, Alu op, bool w, Reg dst, Reg src);
void asm_alu_imm(Asm *a, Alu op, bool w, Reg dst, int32_t imm);
/** op dst, dword or qword [mem]. */
void asm_alu_load(Asm *a, Alu op, bool w, Reg dst, Mem mem);
/** op dword or qword [mem], imm. */
void asm_alu_mem_imm(Asm *a, Alu op, bool w, Mem mem, int32_t imm);
void asm_cmp_mem8_imm(Asm *a, Mem mem, uint8_t imm);
void asm_test(Asm *a, bool w, Reg x, Reg y);
void asm_test_imm8(Asm *a, Reg x, uint8_t imm);
void asm_test_imm(Asm *a, bool w, Reg x, int32_t imm);
void asm_mov(Asm *a, bool w, Reg dst, Reg src);
/** Shortest form of a 64-bit constant; does not change flags. */
void asm_mov_imm(Asm *a, Reg dst, uint64_t value);
void asm_lea(Asm *a, bool w, Reg dst, Mem mem);
/** dst = address of code or data: returns the offset of the displacement, for asm_link. */
uint32_t asm_lea_code(Asm *a, Reg dst);
/** Bytes that are no code. */
void asm_data(Asm *a, const void *data, size_t size);
void asm_imul(Asm *a, bool w, Reg dst, Reg src);
void asm_imul_imm(Asm *a, bool w, Reg dst, Reg src, int32_t imm);
void asm_unary(Asm *a, Unary op, bool w, Reg reg);
void asm_shift_imm(Asm *a, Shift op, bool w, Reg dst, uint8_t n);
/** Shift by CL. */
void asm_shift_cl(Asm *a, Shift op, bool w, Reg dst);
/** CF = bit n of x. */
void asm_bt_imm(Asm *a, Reg x, uint8_t n);
void asm_cmc(Asm *a);
/** AH = SF ZF 0 AF 0 PF 1 CF. */
void asm_lahf(Asm *a);
/** Highest set bit; ZF = 1 and dst unchanged for 0. */
void asm_bsr(Asm *a, bool w, Reg dst, Reg src);
void asm_bswap(Asm *a, bool w, Reg reg);
void asm_setcc(Asm *a, Cc cc, Reg dst); /* low byte only */
void asm_setcc_mem(Asm *a, Cc cc, Mem mem);
void asm_cmov(Asm *a, Cc cc, bool w, Reg dst, Reg src);
/** Zero- or sign-extension of the low 8, 16 (or 32, w) bits. */
void asm_extend(Asm *a, unsigned bits, bool is_signed, bool w, Reg dst, Reg src);
/** Load of 8, 16, 32 or 64 bits, extended to 32 (w: 64) bits. */
void asm_load(Asm *a, unsigned bits, bool is_signed, bool w, Reg dst, Mem mem);
void asm_store(Asm *a, unsigned bits, Mem mem, Reg src);
/** Store of an immediate of 8, 32 or 64 (sign-extended 32) bits. */
void asm_store_imm(Asm *a, unsigned bits, Mem mem, int32_t imm);
/** SSE2: xmm0 and xmm1 only, by number. Between a general register and one of them; op dst, src of doubles or singles
 * (`w`: doubles), opcode 0F op with its prefix. */
void asm_movq_to_xmm(Asm *a, bool w, unsigned xmm, Reg src);
void asm_movq_from_xmm(Asm *a, bool w, Reg dst, unsigned xmm);
typedef enum Sse { SSE_SQRT = 0x51, SSE_MUL = 0x59, SSE_ADD = 0x58, SSE_SUB = 0x5c, SSE_DIV = 0x5e,
                   SSE_CONVERT = 0x5a /* to the other precision */ } Sse;
void asm_sse(Asm *a, Sse op, bool w, unsigned dst, unsigned src);
/** CF, ZF, PF: less, equal; all set if unordered. */
void asm_ucomis(Asm *a, bool w, unsigned x, unsigned y);
/** Doubles from and to 32-bit integers, the latter towards zero. */
void asm_cvtsi2sd(Asm *a, unsigned dst, Reg src);
void asm_cvttsd2si(Asm *a, Reg dst, unsigned src);
void asm_push(Asm *a, Reg reg);
void asm_pop(Asm *a, Reg reg);
void asm_ret(Asm *a);
void asm_call_reg(Asm *a, Reg reg);
void asm_jmp_mem(Asm *a, Mem mem);
void asm_jmp_reg(Asm *a, Reg reg);
/** As few instructions as possible: up to 8 bytes are one. */
void asm_nop(Asm *a, unsigned bytes);
/** Fills up to a multiple of `bytes`. */
void asm_align(Asm *a, unsigned bytes);
/** What a store changes at once for all threads: 8 bytes at a multiple of 8. */
enum { ASM_WORD_BYTES = 8 };
extern const uint64_t asm_nops[ASM_WORD_BYTES + 1]; /* by their bytes */
/** Fills up until the `bytes` that come `ahead` bytes behind the cursor stand in one such word. Nobody could predict
 * a branch on that. */
static inline void asm_fit(Asm *a, unsigned ahead, unsigned bytes) {
    unsigned room = ASM_WORD_BYTES - (asm_offset(a) + ahead) % ASM_WORD_BYTES, n = room & (0u - (room < bytes));
    asm_bytes(a, asm_nops[n], n);
}

/** Jumps with a 32-bit displacement. They return the offset of the displacement, for asm_link. */
uint32_t asm_jmp(Asm *a);
uint32_t asm_jcc(Asm *a, Cc cc);
uint32_t asm_call(Asm *a);
/** A jump back to code that is there, in two bytes; false and nothing if that is too far away. */
bool asm_jcc_back(Asm *a, Cc cc, uint32_t target);
bool asm_jmp_back(Asm *a, uint32_t target);
/** A call to the address that stands where it is linked to, as asm_quad has put it there. */
uint32_t asm_call_by(Asm *a);
void asm_quad(Asm *a, uint64_t value);
/** Makes the jump or call whose displacement stands at offset `site` go to offset `target`. Nobody runs it yet. */
void asm_link(Asm *a, uint32_t site, uint32_t target);

#endif
