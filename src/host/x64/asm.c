#include "host/x64/asm.h"

/* Which bytes an instruction has depends on its operands in a way that no branch predictor knows. So there are none:
 * each byte is put, and the cursor moves on if it is wanted. */
static inline bool begins(Asm *a) {
    a->full |= a->end - a->at < ASM_INSN_BYTES_MAX;
    return !a->full;
}

static inline void byte(Asm *a, unsigned value) {
    if (LIKELY(a->end - a->at >= 1)) {
        *a->at++ = (uint8_t)value;
    } else {
        a->full = true;
    }
}

static inline void dword(Asm *a, uint32_t value) {
    if (LIKELY(a->end - a->at >= (ptrdiff_t)sizeof value)) {
        memcpy(a->at, &value, sizeof value);
        a->at += sizeof value;
    } else {
        a->full = true;
    }
}

/* An instruction in the making. */
typedef struct Bytes {
    uint64_t value;
    unsigned bits;
} Bytes;

static inline void add(Bytes *b, unsigned value) {
    b->value |= (uint64_t)value << b->bits;
    b->bits += 8;
}

static inline void add_if(Bytes *b, bool wanted, unsigned value) {
    b->value |= (uint64_t)(value & (0u - wanted)) << b->bits;
    b->bits += 8u * wanted;
}

/* REX prefix if any bit of it is needed, or `always` (byte registers SPL to DIL). */
static inline void add_rex(Bytes *b, bool w, unsigned reg, unsigned index, unsigned base, bool always) {
    unsigned value = 0x40 | (unsigned)w << 3 | (reg >> 3 & 1) << 2 | (index >> 3 & 1) << 1 | (base >> 3 & 1);
    add_if(b, (value != 0x40) | always, value);
}

static inline void put(Asm *a, const Bytes *b) {
    memcpy(a->at, &b->value, sizeof b->value);
    a->at += b->bits / 8;
}

static inline void rex(Asm *a, bool w, unsigned reg, unsigned index, unsigned base, bool always) {
    Bytes b = {0};
    add_rex(&b, w, reg, index, base, always);
    if (begins(a)) {
        put(a, &b);
    }
}

/* Opcodes of one byte, or two with 0F in front when op > 0xff. */
static inline void add_opcode(Bytes *b, unsigned op) {
    add_if(b, op > 0xff, op >> 8);
    add(b, op & 0xff);
}

static inline void op_rr(Asm *a, unsigned op, bool w, unsigned reg, unsigned rm, bool byte_regs) {
    Bytes b = {0};
    add_rex(&b, w, reg, 0, rm, byte_regs);
    add_opcode(&b, op);
    add(&b, 0xc0 | (reg & 7) << 3 | (rm & 7));
    if (begins(a)) {
        put(a, &b);
    }
}

/* Of the state and of the Cpu in front of it, as most accesses are. */
static inline void op_state(Asm *a, unsigned op, bool w, unsigned reg, int32_t disp, bool byte_reg) {
    bool small = disp == (int8_t)disp;
    Bytes b = {0};
    add_rex(&b, w, reg, 0, RBP, byte_reg);
    add_opcode(&b, op);
    add(&b, (small ? 0x45u : 0x85u) | (reg & 7) << 3);
    if (begins(a)) {
        put(a, &b);
        memcpy(a->at, &disp, sizeof disp);
        a->at += small ? 1 : 4;
    }
}

static __attribute__((noinline)) void op_any(Asm *a, unsigned op, bool w, unsigned reg, Mem m, bool byte_reg) {
    static const uint8_t disp_bytes[4] = {0, 1, 4};
    Bytes b = {0};
    bool indexed = m.index != NO_REG, sib = indexed | ((m.base & 7) == RSP);
    bool small = (m.disp == (int8_t)m.disp) & (sib | !m.patched);
    bool none = small & (m.disp == 0) & ((m.base & 7) != RBP) & !m.patched;
    unsigned mod = 2u - small - none, index = indexed ? m.index : 0;
    add_rex(&b, w, reg, index, m.base, byte_reg);
    add_opcode(&b, op);
    add(&b, mod << 6 | (reg & 7) << 3 | (sib ? 4u : m.base & 7u));
    add_if(&b, sib, (unsigned)m.shift << 6 | (indexed ? index & 7u : 4u) << 3 | (m.base & 7u));
    if (begins(a)) {
        put(a, &b);
        memcpy(a->at, &m.disp, sizeof m.disp);
        a->at += disp_bytes[mod];
    }
}

static inline void op_mem(Asm *a, unsigned op, bool w, unsigned reg, Mem m, bool byte_reg) {
    if (m.base == RBP && m.index == NO_REG && !m.patched) {
        op_state(a, op, w, reg, m.disp, byte_reg);
    } else {
        op_any(a, op, w, reg, m, byte_reg);
    }
}

void asm_alu(Asm *a, Alu op, bool w, Reg dst, Reg src) {
    op_rr(a, op * 8u + 1, w, src, dst, false);
}

static void put_imm(Asm *a, bool small, int32_t imm) {
    if (small) {
        byte(a, (unsigned)imm & 0xff);
    } else {
        dword(a, (uint32_t)imm);
    }
}

void asm_alu_imm(Asm *a, Alu op, bool w, Reg dst, int32_t imm) {
    bool small = imm >= -128 && imm <= 127;
    op_rr(a, small ? 0x83 : 0x81, w, op, dst, false);
    put_imm(a, small, imm);
}

void asm_alu_load(Asm *a, Alu op, bool w, Reg dst, Mem mem) {
    op_mem(a, op * 8u + 3, w, dst, mem, false);
}

void asm_alu_mem_imm(Asm *a, Alu op, bool w, Mem mem, int32_t imm) {
    op_mem(a, 0x81, w, op, mem, false);
    dword(a, (uint32_t)imm);
}

void asm_cmp_mem8_imm(Asm *a, Mem mem, uint8_t imm) {
    op_mem(a, 0x80, false, ALU_CMP, mem, false);
    byte(a, imm);
}

void asm_test(Asm *a, bool w, Reg x, Reg y) {
    op_rr(a, 0x85, w, y, x, false);
}

void asm_test_imm8(Asm *a, Reg x, uint8_t imm) {
    op_rr(a, 0xf6, false, 0, x, true);
    byte(a, imm);
}

void asm_test_imm(Asm *a, bool w, Reg x, int32_t imm) {
    op_rr(a, 0xf7, w, 0, x, false);
    dword(a, (uint32_t)imm);
}

void asm_mov(Asm *a, bool w, Reg dst, Reg src) {
    op_rr(a, 0x89, w, src, dst, false);
}

void asm_mov_imm(Asm *a, Reg dst, uint64_t value) {
    if (value <= UINT32_MAX) {
        bool bare = dst < R8;
        asm_bytes(a, (0x41 | (0xb8u | (dst & 7)) << 8 | value << 16) >> 8 * bare, 6 - bare);
        return;
    }
    rex(a, true, 0, 0, dst, false);
    byte(a, 0xb8 | (dst & 7));
    dword(a, (uint32_t)value);
    dword(a, (uint32_t)(value >> 32));
}

void asm_lea(Asm *a, bool w, Reg dst, Mem mem) {
    op_mem(a, 0x8d, w, dst, mem, false);
}

uint32_t asm_lea_code(Asm *a, Reg dst) {
    rex(a, true, dst, 0, 0, false);
    byte(a, 0x8d);
    byte(a, 0x05 | (dst & 7) << 3);
    dword(a, 0);
    return asm_offset(a) - 4;
}

void asm_data(Asm *a, const void *data, size_t size) {
    if ((size_t)(a->end - a->at) < size) {
        a->full = true;
        return;
    }
    memcpy(a->at, data, size);
    a->at += size;
}

void asm_imul(Asm *a, bool w, Reg dst, Reg src) {
    op_rr(a, 0x0faf, w, dst, src, false);
}

void asm_imul_imm(Asm *a, bool w, Reg dst, Reg src, int32_t imm) {
    bool small = imm >= -128 && imm <= 127;
    op_rr(a, small ? 0x6b : 0x69, w, dst, src, false);
    put_imm(a, small, imm);
}

void asm_unary(Asm *a, Unary op, bool w, Reg reg) {
    op_rr(a, 0xf7, w, op, reg, false);
}

void asm_shift_imm(Asm *a, Shift op, bool w, Reg dst, uint8_t n) {
    op_rr(a, 0xc1, w, op, dst, false);
    byte(a, n);
}

void asm_shift_cl(Asm *a, Shift op, bool w, Reg dst) {
    op_rr(a, 0xd3, w, op, dst, false);
}

void asm_bt_imm(Asm *a, Reg x, uint8_t n) {
    op_rr(a, 0x0fba, false, 4, x, false);
    byte(a, n);
}

void asm_cmc(Asm *a) {
    byte(a, 0xf5);
}

void asm_lahf(Asm *a) {
    byte(a, 0x9f);
}

void asm_bsr(Asm *a, bool w, Reg dst, Reg src) {
    op_rr(a, 0x0fbd, w, dst, src, false);
}

void asm_bswap(Asm *a, bool w, Reg reg) {
    rex(a, w, 0, 0, reg, false);
    byte(a, 0x0f);
    byte(a, 0xc8 | (reg & 7));
}

void asm_setcc(Asm *a, Cc cc, Reg dst) {
    op_rr(a, 0x0f90u | cc, false, 0, dst, true);
}

void asm_setcc_mem(Asm *a, Cc cc, Mem mem) {
    op_mem(a, 0x0f90u | cc, false, 0, mem, false);
}

void asm_cmov(Asm *a, Cc cc, bool w, Reg dst, Reg src) {
    op_rr(a, 0x0f40u | cc, w, dst, src, false);
}

void asm_extend(Asm *a, unsigned bits, bool is_signed, bool w, Reg dst, Reg src) {
    if (bits == 32) {
        if (is_signed) {
            op_rr(a, 0x63, true, dst, src, false);
        } else {
            asm_mov(a, false, dst, src);
        }
        return;
    }
    unsigned op = (bits == 8 ? 0x0fb6u : 0x0fb7u) | (is_signed ? 8 : 0);
    op_rr(a, op, w && is_signed, dst, src, bits == 8);
}

void asm_load(Asm *a, unsigned bits, bool is_signed, bool w, Reg dst, Mem mem) {
    if (bits == 64 || (bits == 32 && !(is_signed && w))) {
        op_mem(a, 0x8b, bits == 64, dst, mem, false);
    } else if (bits == 32) {
        op_mem(a, 0x63, true, dst, mem, false);
    } else {
        op_mem(a, (bits == 8 ? 0x0fb6u : 0x0fb7u) | (is_signed ? 8 : 0), w && is_signed, dst, mem, false);
    }
}

void asm_store(Asm *a, unsigned bits, Mem mem, Reg src) {
    if (bits == 16) {
        byte(a, 0x66);
    }
    op_mem(a, bits == 8 ? 0x88 : 0x89, bits == 64, src, mem, bits == 8);
}

void asm_store_imm(Asm *a, unsigned bits, Mem mem, int32_t imm) {
    op_mem(a, bits == 8 ? 0xc6 : 0xc7, bits == 64, 0, mem, false);
    if (bits == 8) {
        byte(a, (unsigned)imm & 0xff);
    } else {
        dword(a, (uint32_t)imm);
    }
}

void asm_movq_to_xmm(Asm *a, bool w, unsigned xmm, Reg src) {
    byte(a, 0x66);
    op_rr(a, 0x0f6e, w, xmm, src, false);
}

void asm_movq_from_xmm(Asm *a, bool w, Reg dst, unsigned xmm) {
    byte(a, 0x66);
    op_rr(a, 0x0f7e, w, xmm, dst, false);
}

void asm_sse(Asm *a, Sse op, bool w, unsigned dst, unsigned src) {
    byte(a, w ? 0xf2 : 0xf3);
    op_rr(a, 0x0f00u | op, false, dst, src, false);
}

void asm_ucomis(Asm *a, bool w, unsigned x, unsigned y) {
    if (w) {
        byte(a, 0x66);
    }
    op_rr(a, 0x0f2e, false, x, y, false);
}

void asm_cvtsi2sd(Asm *a, unsigned dst, Reg src) {
    byte(a, 0xf2);
    op_rr(a, 0x0f2a, false, dst, src, false);
}

void asm_cvttsd2si(Asm *a, Reg dst, unsigned src) {
    byte(a, 0xf2);
    op_rr(a, 0x0f2c, false, dst, src, false);
}

/* An opcode that names its register, with REX if it needs it. */
static inline void op_reg(Asm *a, unsigned opcode, Reg reg) {
    unsigned high = reg >> 3;
    asm_bytes(a, (0x41 | (opcode | (reg & 7)) << 8) >> 8 * !high, 1 + high);
}

void asm_push(Asm *a, Reg reg) {
    op_reg(a, 0x50, reg);
}

void asm_pop(Asm *a, Reg reg) {
    op_reg(a, 0x58, reg);
}

void asm_ret(Asm *a) {
    byte(a, 0xc3);
}

void asm_call_reg(Asm *a, Reg reg) {
    op_rr(a, 0xff, false, 2, reg, false);
}

void asm_jmp_mem(Asm *a, Mem mem) {
    op_mem(a, 0xff, false, 4, mem, false);
}

void asm_jmp_reg(Asm *a, Reg reg) {
    op_rr(a, 0xff, false, 4, reg, false);
}

/* Intel SDM volume 2, NOP: recommended forms. */
const uint64_t asm_nops[9] = {0, 0x90, 0x9066, 0x001f0f, 0x00401f0f, 0x0000441f0f, 0x0000441f0f66, 0x801f0f, 0x841f0f};

void asm_nop(Asm *a, unsigned bytes) {
    while (bytes > 0) {
        unsigned n = bytes < 8 ? bytes : 8;
        asm_bytes(a, asm_nops[n], n);
        bytes -= n;
    }
}

void asm_align(Asm *a, unsigned bytes) {
    asm_nop(a, -asm_offset(a) & (bytes - 1));
}


/* The opcode and a displacement of 32 bits, whose place it returns. */
static inline uint32_t branch(Asm *a, unsigned opcode, unsigned n) {
    enum { NOWHERE = -5, DISPLACEMENT_BYTES = 4 };
    asm_bytes(a, opcode, n + DISPLACEMENT_BYTES);
    /* Others' code may begin where this did not fit: asm_link leaves it. */
    return a->full ? (uint32_t)NOWHERE : asm_offset(a) - DISPLACEMENT_BYTES;
}

uint32_t asm_jmp(Asm *a) {
    return branch(a, 0xe9, 1);
}

uint32_t asm_jcc(Asm *a, Cc cc) {
    return branch(a, 0x800fu | (unsigned)cc << 8, 2);
}

uint32_t asm_call(Asm *a) {
    return branch(a, 0xe8, 1);
}

static bool jump_back(Asm *a, unsigned opcode, uint32_t target) {
    enum { BYTES = 2, REACH = 128 };
    uint32_t distance = asm_offset(a) + BYTES - target;
    if (target > asm_offset(a) || distance > REACH) {
        return false;
    }
    asm_bytes(a, opcode | (-distance & 0xff) << 8, BYTES);
    return true;
}

bool asm_jcc_back(Asm *a, Cc cc, uint32_t target) {
    return jump_back(a, 0x70 | cc, target);
}

bool asm_jmp_back(Asm *a, uint32_t target) {
    return jump_back(a, 0xeb, target);
}

uint32_t asm_call_by(Asm *a) {
    return branch(a, 0x15ff, 2); /* relative to RIP */
}

void asm_quad(Asm *a, uint64_t value) {
    asm_bytes(a, value, sizeof value);
}

void asm_link(Asm *a, uint32_t site, uint32_t target) {
    uint32_t relative = target - (site + 4);
    if (site + 4 <= (uint32_t)(a->end - a->begin)) {
        memcpy(a->begin + site, &relative, sizeof relative);
    }
}
