/* Alternate address spaces: GRIP, LEON3: "ASI assignment"; GR712RC user's manual 4.7, GR740 user's manual 6.10.
 *
 * Caches are not modelled, as nothing but time tells them from none: their flushes do nothing, their control register
 * stores what is written, and diagnostic accesses to tags and data read 0. */
#include "guest/sparc/sys.h"

enum {
    ASI_CACHE_MISS = 0x01,
    ASI_CONTROL = 0x02,
    ASI_PROBE = 0x03,
    ASI_MMU_V8 = 0x04, /* as the reference MMU of the manual has it */
    ASI_USER_CODE = 0x08,
    ASI_SUPERVISOR_DATA = 0x0b,
    ASI_DIAGNOSTIC_FIRST = 0x0c,
    ASI_DIAGNOSTIC_LAST = 0x0f,
    ASI_FLUSH_CODE = 0x10,
    ASI_FLUSH_DATA = 0x11,
    ASI_FLUSH_CONTEXT = 0x13,
    ASI_FLUSH_MMU = 0x18,
    ASI_MMU = 0x19,
    ASI_BYPASS = 0x1c,
    ASI_TLB = 0x1d,
    ASI_SNOOP_TAGS = 0x1e,
};

enum { CONTROL_CCR = 0x0, CONTROL_ICACHE = 0x8, CONTROL_DCACHE = 0xc };
/* Of the cache control register: flushes are done at once, so they read 0. */
#define CCR_WRITABLE UINT32_C(0x0081003f)

typedef struct Access {
    uint32_t addr, asi;
    unsigned mem;
} Access;

static Access access_of(uint64_t packed) {
    return (Access){(uint32_t)packed, packed >> 32 & 0xff, (unsigned)(packed >> 40)};
}

static bool is_memory(uint32_t asi) {
    return asi == ASI_CACHE_MISS || asi == ASI_BYPASS || (asi >= ASI_USER_CODE && asi <= ASI_SUPERVISOR_DATA);
}

/* The MMU has no say in bypass accesses. */
static bool memory_access(Cpu *cpu, const Access *a, bool store, uint64_t *value) {
    bool checks = cpu->check_access;
    cpu->check_access = checks && a->asi != ASI_BYPASS;
    bool done = store ? cpu->store(cpu, a->addr, a->mem, *value) : cpu->load(cpu, a->addr, a->mem, value);
    cpu->check_access = checks;
    return done;
}

static bool aligned(Cpu *cpu, const Access *a) {
    bool fine = (a->addr & ((1u << (a->mem & IR_MEM_SIZE)) - 1)) == 0;
    if (!fine) {
        cpu_trap(cpu, SPARC_TT_NOT_ALIGNED, a->addr);
    }
    return fine;
}

static void unknown(Cpu *cpu, const Access *a, bool store) {
    bool silent = (a->asi >= ASI_DIAGNOSTIC_FIRST && a->asi <= ASI_FLUSH_DATA) || a->asi == ASI_FLUSH_CONTEXT ||
                  a->asi == ASI_FLUSH_MMU || a->asi == ASI_TLB || a->asi == ASI_SNOOP_TAGS || a->asi == ASI_PROBE;
    if (!silent) {
        device_guest_log(&sparc_device(cpu)->dev, GUEST_UNMODELLED, "ASI", "%s with ASI 0x%02x at 0x%08x",
                         store ? "store" : "load", (unsigned)a->asi, (unsigned)a->addr);
    }
}

static uint32_t control_read(const SparcState *s, uint32_t addr) {
    switch (addr) {
    case CONTROL_CCR: return s->ccr;
    case CONTROL_ICACHE: return s->config.cache_config[0];
    case CONTROL_DCACHE: return s->config.cache_config[1];
    default: return 0;
    }
}

uint64_t sparc_helper_load_asi(Cpu *cpu, uint64_t packed, uint64_t unused) {
    Access a = access_of(packed);
    uint64_t value = 0;
    (void)unused;
    if (!aligned(cpu, &a)) {
        return 0;
    }
    if (is_memory(a.asi)) {
        memory_access(cpu, &a, false, &value);
        return value;
    }
    switch (a.asi) {
    case ASI_CONTROL:
        return control_read(sparc_state(cpu), a.addr);
    case ASI_PROBE:
        return sparc_mmu_probe(cpu, a.addr);
    case ASI_MMU:
    case ASI_MMU_V8:
        return sparc_mmu_read(cpu, a.addr);
    default:
        unknown(cpu, &a, false);
        return 0;
    }
}

uint64_t sparc_helper_store_asi(Cpu *cpu, uint64_t packed, uint64_t value) {
    Access a = access_of(packed);
    if (!aligned(cpu, &a)) {
        return 0;
    }
    if (is_memory(a.asi)) {
        memory_access(cpu, &a, true, &value);
        return 0;
    }
    switch (a.asi) {
    case ASI_CONTROL:
        if (a.addr == CONTROL_CCR) {
            sparc_state(cpu)->ccr = (uint32_t)value & CCR_WRITABLE;
        }
        break;
    case ASI_MMU:
    case ASI_MMU_V8:
        sparc_mmu_write(cpu, a.addr, (uint32_t)value);
        break;
    default:
        unknown(cpu, &a, true);
    }
    return 0;
}
