/* System Control Space, 0xE000E000 to 0xE000EFFF: system control block, SysTick, NVIC, MPU, debug registers as far as
 * firmware without a debugger sees them. DDI 0403E.e B3.2 (SCB), B3.4 (NVIC), B3.5 (MPU), C1.6 (debug);
 * DDI 0419E B3.2 to B3.5. Identification registers: Cortex-M3 TRM (DDI 0337), table 4-1.
 *
 * Everything is a word register; priorities, SHPRn and CFSR may also be written in bytes and halfwords. Registers that
 * the core does not have read as zero and are reported. Not modelled: debug halt (DHCSR, DCRSR, DCRDR), ACTLR's
 * effects. VECTRESET resets the whole board, as SYSRESETREQ does. */
#include "guest/arm/sys.h"

#include "bus/guest_log.h"

typedef struct ScsReg {
    const char *name; /* as in the manual */
    uint16_t offset;
    uint16_t count; /* words, 0 or 1 for a single one */
    uint32_t storage; /* offset of the first word in ArmState, 0 = none: hooks, or the constant */
    uint32_t writable; /* bits that a write stores */
    uint32_t clear_on_one;
    uint32_t constant; /* value if there is neither storage nor hook */
    uint8_t flags;
    uint32_t (*read)(ArmNvic *nvic, unsigned index);
    void (*write)(ArmNvic *nvic, unsigned index, uint32_t value); /* does all of the write */
} ScsReg;

enum {
    SCS_V7 = 1, /* not in ARMv6-M */
    SCS_BYTES = 2, /* bytes and halfwords may be written */
    SCS_MPU = 4, /* only with an MPU */
    SCS_UNMODELLED = 8,
};

#define STORED(member) .storage = offsetof(ArmState, member)

static ArmState *state_of(const ArmNvic *nvic) {
    return arm_state(nvic->cpu);
}

/* ---- Interrupts ------------------------------------------------------------------------------------------------- */

/* The bitmaps go by exception number, the registers by interrupt number: 16 less. */
static uint32_t lines_get(const uint32_t *map, unsigned word) {
    enum { LAST = ARM_EXCEPTIONS / 32 - 1 };
    return map[word] >> 16 | (word < LAST ? map[word + 1] << 16 : 0);
}

static uint32_t lines_mask(const ArmState *s, unsigned word) {
    uint32_t first = 32 * word;
    if (s->config.lines <= first) {
        return 0;
    }
    uint32_t n = s->config.lines - first;
    return n >= 32 ? UINT32_MAX : (UINT32_C(1) << n) - 1;
}

static void lines_put(uint32_t *map, unsigned word, uint32_t mask, bool value) {
    for (; mask; mask &= mask - 1) {
        arm_bitmap_put(map, ARM_EXC_IRQ0 + 32 * word + (unsigned)__builtin_ctz(mask), value);
    }
}

static uint32_t enable_read(ArmNvic *nvic, unsigned index) {
    return lines_get(state_of(nvic)->enabled, index);
}

static void enable_set(ArmNvic *nvic, unsigned index, uint32_t value) {
    ArmState *s = state_of(nvic);
    lines_put(s->enabled, index, value & lines_mask(s, index), true);
    arm_update(nvic->cpu);
}

static void enable_clear(ArmNvic *nvic, unsigned index, uint32_t value) {
    ArmState *s = state_of(nvic);
    lines_put(s->enabled, index, value & lines_mask(s, index), false);
    arm_update(nvic->cpu);
}

static uint32_t pending_read(ArmNvic *nvic, unsigned index) {
    return lines_get(state_of(nvic)->pending, index);
}

static void pending_set(ArmNvic *nvic, unsigned index, uint32_t value) {
    ArmState *s = state_of(nvic);
    for (uint32_t mask = value & lines_mask(s, index); mask; mask &= mask - 1) {
        arm_pend(nvic->cpu, ARM_EXC_IRQ0 + 32 * index + (unsigned)__builtin_ctz(mask));
    }
}

/* An input that is still high keeps an inactive interrupt pending (B3.4.1). */
static void pending_clear(ArmNvic *nvic, unsigned index, uint32_t value) {
    ArmState *s = state_of(nvic);
    uint32_t held = lines_get(s->line, index) & ~lines_get(s->active, index);
    lines_put(s->pending, index, value & lines_mask(s, index) & ~held, false);
    arm_update(nvic->cpu);
}

static uint32_t active_read(ArmNvic *nvic, unsigned index) {
    return lines_get(state_of(nvic)->active, index);
}

static uint32_t priorities_read(const ArmState *s, unsigned first) {
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; i++) {
        value |= (uint32_t)s->priority[first + i] << (8 * i);
    }
    return value;
}

static uint32_t ipr_read(ArmNvic *nvic, unsigned index) {
    return priorities_read(state_of(nvic), ARM_EXC_IRQ0 + 4 * index);
}

static void ipr_write(ArmNvic *nvic, unsigned index, uint32_t value) {
    ArmState *s = state_of(nvic);
    for (unsigned i = 0; i < 4 && 4 * index + i < s->config.lines; i++) {
        s->priority[ARM_EXC_IRQ0 + 4 * index + i] = (uint8_t)(bits(value, 8 * i, 8) & s->config.priority_mask);
    }
    arm_update(nvic->cpu);
}

static uint32_t ictr_read(ArmNvic *nvic, unsigned index) {
    (void)index;
    uint32_t lines = state_of(nvic)->config.lines;
    return lines ? (lines - 1) / 32 : 0;
}

static void stir_write(ArmNvic *nvic, unsigned index, uint32_t value) {
    (void)index;
    uint32_t irq = value & 0x1ff;
    if (irq < state_of(nvic)->config.lines) {
        arm_pend(nvic->cpu, ARM_EXC_IRQ0 + irq);
    }
}

/* ---- System control block --------------------------------------------------------------------------------------- */

static uint32_t cpuid_read(ArmNvic *nvic, unsigned index) {
    (void)index;
    return state_of(nvic)->config.cpuid;
}

/* VECTPENDING knows BASEPRI and FAULTMASK, but neither PRIMASK nor what is active (B3.2.4). */
static unsigned vect_pending(const ArmState *s) {
    unsigned n = arm_highest_pending(s);
    if (!n) {
        return 0;
    }
    int priority = arm_group_priority(s, n), base = (int)s->basepri & ~((2 << s->prigroup) - 1);
    bool masked = (s->faultmask && priority >= -1) || (s->basepri && priority >= base);
    return masked ? 0 : n;
}

static uint32_t icsr_read(ArmNvic *nvic, unsigned index) {
    (void)index;
    enum { NMIPENDSET = 31, PENDSVSET = 28, PENDSTSET = 26, ISRPENDING = 22, VECTPENDING = 12, RETTOBASE = 11 };
    const ArmState *s = state_of(nvic);
    bool isr = false;
    for (unsigned word = 0; word < ARM_EXCEPTIONS / 32; word++) {
        isr |= lines_get(s->pending, word) != 0;
    }
    bool current_active = s->ipsr && arm_bitmap_test(s->active, s->ipsr);
    bool to_base = s->config.v7m && arm_active_count(s) <= current_active;
    return arm_bitmap_test(s->pending, ARM_EXC_NMI) * (UINT32_C(1) << NMIPENDSET) |
           (uint32_t)arm_bitmap_test(s->pending, ARM_EXC_PENDSV) << PENDSVSET |
           (uint32_t)arm_bitmap_test(s->pending, ARM_EXC_SYSTICK) << PENDSTSET | (uint32_t)isr << ISRPENDING |
           vect_pending(s) << VECTPENDING | (uint32_t)to_base << RETTOBASE | s->ipsr;
}

static void icsr_write(ArmNvic *nvic, unsigned index, uint32_t value) {
    (void)index;
    enum { NMIPENDSET = 31, PENDSVSET = 28, PENDSVCLR = 27, PENDSTSET = 26, PENDSTCLR = 25 };
    if (bit(value, NMIPENDSET)) {
        arm_pend(nvic->cpu, ARM_EXC_NMI);
    }
    if (bit(value, PENDSVSET)) {
        arm_pend(nvic->cpu, ARM_EXC_PENDSV);
    } else if (bit(value, PENDSVCLR)) {
        arm_unpend(nvic->cpu, ARM_EXC_PENDSV);
    }
    if (bit(value, PENDSTSET)) {
        arm_pend(nvic->cpu, ARM_EXC_SYSTICK);
    } else if (bit(value, PENDSTCLR)) {
        arm_unpend(nvic->cpu, ARM_EXC_SYSTICK);
    }
}

static uint32_t vtor_read(ArmNvic *nvic, unsigned index) {
    (void)index;
    return state_of(nvic)->vtor;
}

static void vtor_write(ArmNvic *nvic, unsigned index, uint32_t value) {
    (void)index;
    ArmState *s = state_of(nvic);
    if (!s->config.vtor_mask) {
        device_guest_log(&nvic->dev, GUEST_MISUSE, "VTOR", "written, but this core has none");
    }
    s->vtor = (s->vtor & ~s->config.vtor_mask) | (value & s->config.vtor_mask);
}

static uint32_t aircr_read(ArmNvic *nvic, unsigned index) {
    (void)index;
    return UINT32_C(0xfa050000) | state_of(nvic)->prigroup << 8;
}

static void aircr_write(ArmNvic *nvic, unsigned index, uint32_t value) {
    enum { VECTRESET = 1, VECTCLRACTIVE = 2, SYSRESETREQ = 4, VECTKEY = 0x05fa };
    (void)index;
    ArmState *s = state_of(nvic);
    if (value >> 16 != VECTKEY) {
        device_guest_log(&nvic->dev, GUEST_MISUSE, "AIRCR", "write of 0x%08x ignored: bits 31..16 must be 0x05fa",
                         (unsigned)value);
        return;
    }
    if (s->config.v7m) {
        s->prigroup = bits(value, 8, 3);
    }
    if (value & VECTCLRACTIVE) {
        device_guest_log(&nvic->dev, GUEST_MISUSE, "AIRCR", "VECTCLRACTIVE is for debuggers");
    }
    if (value & SYSRESETREQ || (value & VECTRESET && s->config.v7m)) {
        nvic->dev.board->request_reset(nvic->dev.board);
    }
    arm_update(nvic->cpu);
}

static uint32_t ccr_read(ArmNvic *nvic, unsigned index) {
    (void)index;
    return state_of(nvic)->ccr;
}

static void ccr_write(ArmNvic *nvic, unsigned index, uint32_t value) {
    (void)index;
    ArmState *s = state_of(nvic);
    if (!s->config.v7m) {
        return; /* read-only there */
    }
    s->ccr = value & (ARM_CCR_NONBASETHRDENA | ARM_CCR_USERSETMPEND | ARM_CCR_UNALIGN_TRP | ARM_CCR_DIV_0_TRP |
                      ARM_CCR_BFHFNMIGN | ARM_CCR_STKALIGN);
    s->div_0_trp = (s->ccr & ARM_CCR_DIV_0_TRP) != 0;
    arm_rights_changed(nvic->cpu);
    nvic->cpu->leave = true;
}

static uint32_t shpr_read(ArmNvic *nvic, unsigned index) {
    return priorities_read(state_of(nvic), ARM_EXC_MEMMANAGE + 4 * index);
}

static void shpr_write(ArmNvic *nvic, unsigned index, uint32_t value) {
    ArmState *s = state_of(nvic);
    uint32_t implemented = 1u << ARM_EXC_SVCALL | 1u << ARM_EXC_PENDSV | 1u << ARM_EXC_SYSTICK;
    if (s->config.v7m) {
        implemented |= 1u << ARM_EXC_MEMMANAGE | 1u << ARM_EXC_BUSFAULT | 1u << ARM_EXC_USAGEFAULT |
                       1u << ARM_EXC_DEBUGMON;
    }
    for (unsigned i = 0; i < 4; i++) {
        unsigned exception = ARM_EXC_MEMMANAGE + 4 * index + i;
        if (bit(implemented, exception)) {
            s->priority[exception] = (uint8_t)(bits(value, 8 * i, 8) & s->config.priority_mask);
        }
    }
    arm_update(nvic->cpu);
}

/* SHCSR gathers bits of the bitmaps (B3.2.13). */
typedef struct ShcsrBit {
    uint8_t position, exception;
    uint32_t map; /* offset in ArmState */
    bool v6m;
} ShcsrBit;

static const ShcsrBit shcsr_bits[] = {
    {0, ARM_EXC_MEMMANAGE, offsetof(ArmState, active), false},
    {1, ARM_EXC_BUSFAULT, offsetof(ArmState, active), false},
    {3, ARM_EXC_USAGEFAULT, offsetof(ArmState, active), false},
    {7, ARM_EXC_SVCALL, offsetof(ArmState, active), false},
    {8, ARM_EXC_DEBUGMON, offsetof(ArmState, active), false},
    {10, ARM_EXC_PENDSV, offsetof(ArmState, active), false},
    {11, ARM_EXC_SYSTICK, offsetof(ArmState, active), false},
    {12, ARM_EXC_USAGEFAULT, offsetof(ArmState, pending), false},
    {13, ARM_EXC_MEMMANAGE, offsetof(ArmState, pending), false},
    {14, ARM_EXC_BUSFAULT, offsetof(ArmState, pending), false},
    {15, ARM_EXC_SVCALL, offsetof(ArmState, pending), true},
    {16, ARM_EXC_MEMMANAGE, offsetof(ArmState, enabled), false},
    {17, ARM_EXC_BUSFAULT, offsetof(ArmState, enabled), false},
    {18, ARM_EXC_USAGEFAULT, offsetof(ArmState, enabled), false},
};

static uint32_t *shcsr_map(ArmState *s, const ShcsrBit *b) {
    return (uint32_t *)((uint8_t *)s + b->map);
}

static uint32_t shcsr_read(ArmNvic *nvic, unsigned index) {
    (void)index;
    ArmState *s = state_of(nvic);
    uint32_t value = 0;
    for (const ShcsrBit *b = shcsr_bits; b < shcsr_bits + ARRAY_LEN(shcsr_bits); b++) {
        if (s->config.v7m || b->v6m) {
            value |= (uint32_t)arm_bitmap_test(shcsr_map(s, b), b->exception) << b->position;
        }
    }
    return value;
}

static void shcsr_write(ArmNvic *nvic, unsigned index, uint32_t value) {
    (void)index;
    ArmState *s = state_of(nvic);
    for (const ShcsrBit *b = shcsr_bits; b < shcsr_bits + ARRAY_LEN(shcsr_bits); b++) {
        if (s->config.v7m || b->v6m) {
            arm_bitmap_put(shcsr_map(s, b), b->exception, bit(value, b->position));
        }
    }
    arm_update(nvic->cpu);
}

/* ---- MPU -------------------------------------------------------------------------------------------------------- */

static uint32_t mpu_type_read(ArmNvic *nvic, unsigned index) {
    (void)index;
    return state_of(nvic)->config.mpu_regions << 8;
}

static uint32_t mpu_ctrl_read(ArmNvic *nvic, unsigned index) {
    (void)index;
    return state_of(nvic)->mpu_ctrl;
}

/* A change of rights must hold from the next instruction on, fetches included. */
static void mpu_changed(ArmNvic *nvic) {
    arm_rights_changed(nvic->cpu);
    nvic->cpu->leave = true;
}

static void mpu_ctrl_write(ArmNvic *nvic, unsigned index, uint32_t value) {
    (void)index;
    uint32_t ctrl = value & (ARM_MPU_ENABLE | ARM_MPU_HFNMIENA | ARM_MPU_PRIVDEFENA);
    if (ctrl == ARM_MPU_HFNMIENA) {
        device_guest_log(&nvic->dev, GUEST_MISUSE, "MPU_CTRL", "HFNMIENA without ENABLE is unpredictable");
    }
    state_of(nvic)->mpu_ctrl = ctrl;
    mpu_changed(nvic);
}

static void mpu_rnr_write(ArmNvic *nvic, unsigned index, uint32_t value) {
    (void)index;
    ArmState *s = state_of(nvic);
    if ((value & 0xff) >= s->config.mpu_regions) {
        device_guest_log(&nvic->dev, GUEST_MISUSE, "MPU_RNR", "region %u of %u", (unsigned)(value & 0xff),
                         (unsigned)s->config.mpu_regions);
        return;
    }
    s->mpu_rnr = value & 0xff;
}

static uint32_t mpu_rbar_read(ArmNvic *nvic, unsigned index) {
    (void)index;
    const ArmState *s = state_of(nvic);
    return s->mpu_rbar[s->mpu_rnr] | s->mpu_rnr;
}

static void mpu_rbar_write(ArmNvic *nvic, unsigned index, uint32_t value) {
    enum { VALID = 1 << 4, REGION = 0xf };
    ArmState *s = state_of(nvic);
    if (value & VALID) {
        mpu_rnr_write(nvic, index, value & REGION);
    }
    s->mpu_rbar[s->mpu_rnr] = value & (s->config.v7m ? ~UINT32_C(0x1f) : ~UINT32_C(0xff));
    mpu_changed(nvic);
}

static uint32_t mpu_rasr_read(ArmNvic *nvic, unsigned index) {
    (void)index;
    const ArmState *s = state_of(nvic);
    return s->mpu_rasr[s->mpu_rnr];
}

static void mpu_rasr_write(ArmNvic *nvic, unsigned index, uint32_t value) {
    (void)index;
    ArmState *s = state_of(nvic);
    s->mpu_rasr[s->mpu_rnr] = value & UINT32_C(0x173fff3f);
    mpu_changed(nvic);
}

/* ---- Debug ------------------------------------------------------------------------------------------------------ */

static uint32_t demcr_read(ArmNvic *nvic, unsigned index) {
    (void)index;
    const ArmState *s = state_of(nvic);
    return s->demcr | (arm_bitmap_test(s->pending, ARM_EXC_DEBUGMON) ? ARM_DEMCR_MON_PEND : 0);
}

static void demcr_write(ArmNvic *nvic, unsigned index, uint32_t value) {
    enum { MON_REQ = 1 << 19 };
    (void)index;
    ArmState *s = state_of(nvic);
    bool monitor = s->config.v7m && value & ARM_DEMCR_MON_EN, trace = value & ARM_DEMCR_TRCENA;
    if (nvic->dwt && trace != ((s->demcr & ARM_DEMCR_TRCENA) != 0)) {
        arm_dwt_trace(nvic->dwt, trace);
    }
    s->demcr = (monitor ? ARM_DEMCR_MON_EN | (value & MON_REQ) : 0) | (trace ? ARM_DEMCR_TRCENA : 0);
    arm_bitmap_put(s->enabled, ARM_EXC_DEBUGMON, monitor);
    arm_bitmap_put(s->pending, ARM_EXC_DEBUGMON, s->config.v7m && value & ARM_DEMCR_MON_PEND);
    arm_update(nvic->cpu);
}

/* ---- The table -------------------------------------------------------------------------------------------------- */

#define MPU_PAIR(suffix, at)                                                                                           \
    {"MPU_RBAR" suffix, (at), .flags = SCS_MPU, .read = mpu_rbar_read, .write = mpu_rbar_write},                       \
    {"MPU_RASR" suffix, (at) + 4, .flags = SCS_MPU, .read = mpu_rasr_read, .write = mpu_rasr_write}
#define CONSTANT(text, at, value) {(text), (at), .constant = (value), .flags = SCS_V7}

/* Sorted by offset. */
static const ScsReg scs_regs[] = {
    {"ICTR", 0x004, .flags = SCS_V7, .read = ictr_read},
    {"ACTLR", 0x008, STORED(actlr), .writable = 0x7, .flags = SCS_V7},
    {"SYST", 0x010, .count = 4, .read = arm_systick_read, .write = arm_systick_write},
    {"NVIC_ISER", 0x100, .count = 8, .read = enable_read, .write = enable_set},
    {"NVIC_ICER", 0x180, .count = 8, .read = enable_read, .write = enable_clear},
    {"NVIC_ISPR", 0x200, .count = 8, .read = pending_read, .write = pending_set},
    {"NVIC_ICPR", 0x280, .count = 8, .read = pending_read, .write = pending_clear},
    {"NVIC_IABR", 0x300, .count = 8, .flags = SCS_V7, .read = active_read},
    {"NVIC_IPR", 0x400, .count = ARM_NVIC_LINES / 4, .flags = SCS_BYTES, .read = ipr_read, .write = ipr_write},
    {"CPUID", 0xd00, .read = cpuid_read},
    {"ICSR", 0xd04, .read = icsr_read, .write = icsr_write},
    {"VTOR", 0xd08, .read = vtor_read, .write = vtor_write},
    {"AIRCR", 0xd0c, .read = aircr_read, .write = aircr_write},
    {"SCR", 0xd10, STORED(scr), .writable = ARM_SCR_SLEEPONEXIT | ARM_SCR_SLEEPDEEP | ARM_SCR_SEVONPEND},
    {"CCR", 0xd14, .read = ccr_read, .write = ccr_write},
    {"SHPR", 0xd18, .count = 3, .flags = SCS_BYTES, .read = shpr_read, .write = shpr_write},
    {"SHCSR", 0xd24, .read = shcsr_read, .write = shcsr_write},
    {"CFSR", 0xd28, STORED(cfsr), .clear_on_one = UINT32_MAX, .flags = SCS_V7 | SCS_BYTES},
    {"HFSR", 0xd2c, STORED(hfsr), .clear_on_one = UINT32_MAX, .flags = SCS_V7},
    {"DFSR", 0xd30, STORED(dfsr), .clear_on_one = 0x1f},
    {"MMFAR", 0xd34, STORED(mmfar), .writable = UINT32_MAX, .flags = SCS_V7},
    {"BFAR", 0xd38, STORED(bfar), .writable = UINT32_MAX, .flags = SCS_V7},
    CONSTANT("AFSR", 0xd3c, 0),
    CONSTANT("ID_PFR0", 0xd40, 0x00000030),
    CONSTANT("ID_PFR1", 0xd44, 0x00000200),
    CONSTANT("ID_DFR0", 0xd48, 0x00100000),
    CONSTANT("ID_AFR0", 0xd4c, 0),
    CONSTANT("ID_MMFR0", 0xd50, 0x00000030),
    CONSTANT("ID_MMFR1", 0xd54, 0),
    CONSTANT("ID_MMFR2", 0xd58, 0),
    CONSTANT("ID_MMFR3", 0xd5c, 0),
    CONSTANT("ID_ISAR0", 0xd60, 0x01141110),
    CONSTANT("ID_ISAR1", 0xd64, 0x02111000),
    CONSTANT("ID_ISAR2", 0xd68, 0x21112231),
    CONSTANT("ID_ISAR3", 0xd6c, 0x01111110),
    CONSTANT("ID_ISAR4", 0xd70, 0x01310102),
    CONSTANT("CPACR", 0xd88, 0), /* no coprocessors */
    {"MPU_TYPE", 0xd90, .read = mpu_type_read},
    {"MPU_CTRL", 0xd94, .flags = SCS_MPU, .read = mpu_ctrl_read, .write = mpu_ctrl_write},
    {"MPU_RNR", 0xd98, STORED(mpu_rnr), .flags = SCS_MPU, .write = mpu_rnr_write},
    MPU_PAIR("", 0xd9c),
    MPU_PAIR("_A1", 0xda4),
    MPU_PAIR("_A2", 0xdac),
    MPU_PAIR("_A3", 0xdb4),
    {"DHCSR", 0xdf0, .flags = SCS_UNMODELLED}, /* reads as zero: no debugger is attached */
    {"DCRSR", 0xdf4, .flags = SCS_UNMODELLED},
    {"DCRDR", 0xdf8, .flags = SCS_UNMODELLED},
    {"DEMCR", 0xdfc, .read = demcr_read, .write = demcr_write},
    {"STIR", 0xf00, .flags = SCS_V7, .write = stir_write},
};

static const ScsReg *reg_find(uint32_t offset, unsigned *index) {
    size_t lo = 0, hi = ARRAY_LEN(scs_regs);
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (scs_regs[mid].offset <= offset) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    const ScsReg *reg = lo ? &scs_regs[lo - 1] : NULL;
    *index = reg ? (offset - reg->offset) / 4 : 0;
    return reg && *index < (reg->count ? reg->count : 1u) ? reg : NULL;
}

/* The register, if this core has it; what it has not is reported. */
static const ScsReg *reg_of_core(ArmNvic *nvic, uint32_t offset, unsigned *index, const char *access) {
    const ScsReg *reg = reg_find(offset, index);
    if (!reg) {
        device_guest_log(&nvic->dev, GUEST_UNMODELLED, "reserved", "%s of offset 0x%03x, where no register is", access,
                         (unsigned)offset);
        return NULL;
    }
    const ArmConfig *config = &state_of(nvic)->config;
    if ((reg->flags & SCS_V7 && !config->v7m) || (reg->flags & SCS_MPU && !config->mpu_regions)) {
        device_guest_log(&nvic->dev, GUEST_MISUSE, reg->name, "%s, but this core has no such register", access);
        return NULL;
    }
    if (reg->flags & SCS_UNMODELLED) {
        device_guest_log(&nvic->dev, GUEST_UNMODELLED, reg->name, "%s", access);
        return NULL;
    }
    return reg;
}

static uint32_t *storage_of(const ArmNvic *nvic, const ScsReg *reg, unsigned index) {
    return (uint32_t *)((uint8_t *)nvic->cpu->state + reg->storage) + index;
}

static uint32_t reg_read(ArmNvic *nvic, const ScsReg *reg, unsigned index) {
    if (reg->read) {
        return reg->read(nvic, index);
    }
    return reg->storage ? *storage_of(nvic, reg, index) : reg->constant;
}

static void reg_write(ArmNvic *nvic, const ScsReg *reg, unsigned index, uint32_t value) {
    if (reg->write) {
        reg->write(nvic, index, value);
    } else if (reg->storage) {
        uint32_t *word = storage_of(nvic, reg, index);
        *word = ((*word & ~reg->writable) | (value & reg->writable)) & ~(value & reg->clear_on_one);
    }
}

static uint32_t lanes(unsigned size, unsigned byte) {
    return size >= 4 ? UINT32_MAX : ((UINT32_C(1) << (8 * size)) - 1) << (8 * byte);
}

static uint32_t word_read(ArmNvic *nvic, uint32_t offset) {
    unsigned index;
    const ScsReg *reg = reg_of_core(nvic, offset, &index, "read");
    return reg ? reg_read(nvic, reg, index) : 0;
}

/* Bytes that are not written keep their value, or are 0 where a one would clear something. */
static void word_write(ArmNvic *nvic, uint32_t offset, uint32_t mask, uint32_t value) {
    unsigned index;
    const ScsReg *reg = reg_of_core(nvic, offset, &index, "write");
    if (!reg) {
        return;
    }
    if (mask != UINT32_MAX) {
        if (!(reg->flags & SCS_BYTES)) {
            device_guest_log(&nvic->dev, GUEST_MISUSE, reg->name, "must be written as a word; ignored");
            return;
        }
        value |= reg->clear_on_one ? 0 : reg_read(nvic, reg, index) & ~mask;
    }
    reg_write(nvic, reg, index, value);
}

/* A loop that also looks at SysTick or the NVIC is no poll of another device. */

uint64_t arm_scs_read(Device *dev, uint64_t offset, unsigned size) {
    ArmNvic *nvic = (ArmNvic *)dev;
    unsigned byte = (unsigned)offset & 3;
    guest_poll_end(&dev->board->map.poll);
    if (!nvic->cpu || byte + size > 4) {
        dev->board->map.fault = true; /* no core, or across two registers: nobody answers */
        return 0;
    }
    return (word_read(nvic, (uint32_t)offset & ~3u) & lanes(size, byte)) >> (8 * byte);
}

void arm_scs_write(Device *dev, uint64_t offset, unsigned size, uint64_t value) {
    ArmNvic *nvic = (ArmNvic *)dev;
    unsigned byte = (unsigned)offset & 3;
    guest_poll_end(&dev->board->map.poll);
    if (!nvic->cpu || byte + size > 4) {
        dev->board->map.fault = true;
        return;
    }
    uint32_t mask = lanes(size, byte);
    word_write(nvic, (uint32_t)offset & ~3u, mask, ((uint32_t)value << (8 * byte)) & mask);
}
