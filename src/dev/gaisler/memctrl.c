/* Memory controllers: the registers that boot software sets. Memories themselves are devices of their own on the
 * board.
 *
 * FTMCTRL and MCTRL: PROM, I/O, SRAM and SDRAM. GRLIB IP Core User's Manual, "FTMCTRL" and "MCTRL"; GR712RC User's
 * Manual; GR740 User's Manual, section on the PROM/IO controller. Its areas on the AHB are properties,
 * since the controller decodes more than there is memory. MCTRL is told apart by its identity and MCFG3.ME only: fields
 * that it does not have keep what is written.
 * MMCTRL: the SDRAM controller of GR740 (SDCTRL64 with EDAC multiplexer), GR740 User's Manual, section on SDRAM.
 * MEMSCRUB: the memory scrubber of GR740: a run is over when it begins, since no memory has errors; in mode initialise
 * it writes the pattern of INIT to the range. DONE stays until 0 is written to it.
 * Offsets and fields are those of RTEMS 6 (bsps/include/grlib/{ftmctrl,mmctrl,memscrub}-regs.h, made from Gaisler's
 * manuals); reset values of MMCTRL and the scrubber's burst length are not in any source that was at hand.
 * Not modelled: widths, wait states (the CPU's cycles per instruction hold them), write protection of PROM (PWEN),
 * EDAC: check bits, injected errors, the diagnostic registers keep what is written. */
#include "dev/gaisler/gaisler.h"

/* ---- FTMCTRL, MCTRL ---------------------------------------------------------------------------------------------- */

enum { MCFG1_RESET = 0x0003C0FF, MCFG1_WIDTH_SHIFT = 8, MCFG2_RESET = 0x7C400000, MCFG3_ME = 1 << 27,
       MCFG_WORDS = 7 };

typedef struct Ftmctrl {
    Device dev;
    uint32_t rom_base, rom_size, io_base, io_size, ram_base, ram_size, rom_width;
    bool is_mctrl;
    uint32_t mcfg[MCFG_WORDS];
} Ftmctrl;

static void ftm_area(AmbaRecord *record, uint32_t base, uint32_t size, bool memory) {
    if (size) {
        record->areas[record->n_areas++] = (AmbaArea){.address = base,
                                                      .size = size,
                                                      .space = AMBA_AHB_MEMORY,
                                                      .prefetchable = memory,
                                                      .cacheable = memory};
    }
}

static void ftm_describe(const Device *dev, AmbaRecord *record) {
    const Ftmctrl *m = (const Ftmctrl *)dev;
    if (m->is_mctrl) {
        record->vendor = AMBA_VENDOR_ESA;
        record->device = 0x00F;
    }
    ftm_area(record, m->rom_base, m->rom_size, true);
    ftm_area(record, m->io_base, m->io_size, false);
    ftm_area(record, m->ram_base, m->ram_size, true);
}

static bool ftm_init(Device *dev, Err *err) {
    const Ftmctrl *m = (const Ftmctrl *)dev;
    uint32_t sizes = m->rom_size & (m->rom_size - 1);
    sizes |= m->io_size & (m->io_size - 1);
    sizes |= m->ram_size & (m->ram_size - 1);
    return !sizes || err_set(err, "%s: romSize, ioSize and ramSize must be powers of 2", dev->name);
}

static void ftm_reset(Device *dev) {
    Ftmctrl *m = (Ftmctrl *)dev;
    m->mcfg[0] = MCFG1_RESET | (m->rom_width & 3) << MCFG1_WIDTH_SHIFT;
    m->mcfg[2] = m->is_mctrl ? 0 : MCFG3_ME; /* it has EDAC */
}

#define FTM_AREAS                                                                                                      \
    PROP_U32(Ftmctrl, rom_base, "romBase", 0x00000000, "address of the PROM area"),                                    \
        PROP_U32(Ftmctrl, rom_size, "romSize", 0x20000000, "its size"),                                                \
        PROP_U32(Ftmctrl, io_base, "ioBase", 0x20000000, "address of the I/O area"),                                   \
        PROP_U32(Ftmctrl, io_size, "ioSize", 0x20000000, "its size"),                                                  \
        PROP_U32(Ftmctrl, ram_base, "ramBase", 0x40000000, "address of the RAM area"),                                 \
        PROP_U32(Ftmctrl, ram_size, "ramSize", 0x40000000, "its size, 0 if there is none"),                            \
        PROP_U32(Ftmctrl, rom_width, "romWidth", 0, "bus width of the PROM after reset: 0, 1, 2 for 8, 16, 32 bits")
static const Prop ftm_props[] = {
    FTM_AREAS,
    PROP_BOOL(Ftmctrl, is_mctrl, "mctrl", false, "identify as MCTRL, the controller without EDAC"),
};
static const Prop mctrl_props[] = {
    FTM_AREAS,
    PROP_BOOL(Ftmctrl, is_mctrl, "mctrl", true, "identify as MCTRL, the controller without EDAC"),
};
#define MCFG(n) .storage = offsetof(Ftmctrl, mcfg) + 4 * ((n) - 1)
static const Reg ftm_regs[] = {
    {.name = "MCFG1", .offset = 0x00, MCFG(1), .writable = 0x7EFFFBFF},
    {.name = "MCFG2", .offset = 0x04, MCFG(2), .writable = UINT32_MAX, .reset = MCFG2_RESET},
    {.name = "MCFG3", .offset = 0x08, MCFG(3), .writable = 0x07FFFFFF},
    {.name = "MCFG4", .offset = 0x0C, MCFG(4), .writable = UINT32_MAX},
    {.name = "MCFG5", .offset = 0x10, MCFG(5), .writable = 0x3F803F80},
    {.name = "MCFG6", .offset = 0x14, MCFG(6), .writable = 0x00003F80},
    {.name = "MCFG7", .offset = 0x18, MCFG(7), .writable = UINT32_MAX},
};
static const AmbaCore ftm_amba = {.vendor = AMBA_VENDOR_GAISLER, .device = 0x054, .version = 1,
                                 .describe = ftm_describe};
/* The platform file says what memories there are, and where; that they stand at their controller adds nothing. */
static bool ftm_attach(Device *dev, Device *child, uint64_t address, Err *err) {
    (void)dev, (void)child, (void)address, (void)err;
    return true;
}

static const char *const ftm_repl_types[] = {"MemoryControllers.GaislerFTMCTRL",
                                             "MemoryControllers.Gaisler_FaultTolerantMemoryController", NULL};
static const char *const mctrl_repl_types[] = {"MemoryControllers.ESAMemoryController", NULL};

const DeviceType gaisler_ftmctrl_type = {
    .name = "grlib-ftmctrl",
    .summary = "GRLIB FTMCTRL or MCTRL: registers of the memory controller",
    .repl_types = ftm_repl_types,
    .struct_size = sizeof(Ftmctrl),
    DEVICE_TABLE(props, ftm_props),
    DEVICE_TABLE(regs, ftm_regs),
    .window_size = GAISLER_APB_WINDOW,
    .init = ftm_init,
    .reset = ftm_reset,
    .attach = ftm_attach,
    .amba = &ftm_amba,
};

const DeviceType gaisler_mctrl_type = {
    .name = "grlib-mctrl",
    .summary = "GRLIB MCTRL: registers of the memory controller",
    .repl_types = mctrl_repl_types,
    .struct_size = sizeof(Ftmctrl),
    DEVICE_TABLE(props, mctrl_props),
    DEVICE_TABLE(regs, ftm_regs),
    .window_size = GAISLER_APB_WINDOW,
    .init = ftm_init,
    .reset = ftm_reset,
    .attach = ftm_attach,
    .amba = &ftm_amba,
};

/* ---- MMCTRL ------------------------------------------------------------------------------------------------------ */

enum { SDCFG1_COMMAND = 7 << 18, SDCFG1_READ_ONLY = 3 << 15 };

typedef struct Mmctrl {
    Device dev;
    uint32_t ram_base, ram_size;
    uint32_t sdcfg1, sdcfg2, muxcfg, ftda, ftdc, ftdd, ftbnd;
} Mmctrl;

static void mm_describe(const Device *dev, AmbaRecord *record) {
    ftm_area(record, ((const Mmctrl *)dev)->ram_base, ((const Mmctrl *)dev)->ram_size, true);
}

/* Commands (precharge, refresh, load mode) are done at once and read as 0. */
static void sdcfg1_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    ((Mmctrl *)dev)->sdcfg1 &= ~(uint32_t)SDCFG1_COMMAND;
}

static const Prop mm_props[] = {
    PROP_U32(Mmctrl, ram_base, "ramBase", 0, "address of the SDRAM area"),
    PROP_U32(Mmctrl, ram_size, "ramSize", 0x80000000, "its size"),
};
#define MM(member) .storage = offsetof(Mmctrl, member)
static const Reg mm_regs[] = {
    {.name = "SDCFG1", .offset = 0x00, MM(sdcfg1), .writable = UINT32_MAX & ~SDCFG1_READ_ONLY, .reset = 0x7C408000,
     .write = sdcfg1_write},
    {.name = "SDCFG2", .offset = 0x04, MM(sdcfg2), .writable = 0x4000E000},
    {.name = "MUXCFG", .offset = 0x20, MM(muxcfg), .writable = 0x000000FF},
    {.name = "FTDA", .offset = 0x24, MM(ftda), .writable = 0xFFFFFFFC},
    {.name = "FTDC", .offset = 0x28, MM(ftdc), .writable = UINT32_MAX},
    {.name = "FTDD", .offset = 0x2C, MM(ftdd), .writable = UINT32_MAX},
    {.name = "FTBND", .offset = 0x30, MM(ftbnd), .writable = 0xFFFFFFF8},
};
static const AmbaCore mm_amba = {.vendor = AMBA_VENDOR_GAISLER, .device = 0x05D, .describe = mm_describe};
static const char *const mm_repl_types[] = {"MemoryControllers.GaislerMMCTRL", NULL};

const DeviceType gaisler_mmctrl_type = {
    .name = "grlib-mmctrl",
    .summary = "GR740 SDRAM controller registers",
    .repl_types = mm_repl_types,
    .struct_size = sizeof(Mmctrl),
    DEVICE_TABLE(props, mm_props),
    DEVICE_TABLE(regs, mm_regs),
    .window_size = GAISLER_APB_WINDOW,
    .amba = &mm_amba,
};

/* ---- MEMSCRUB ---------------------------------------------------------------------------------------------------- */

enum { CONFIG_SCEN = 1, CONFIG_MODE_SHIFT = 2, CONFIG_MODE_INIT = 2, CONFIG_LOOP = 0x10, CONFIG_IRQD = 0x80,
       STAT_DONE = 1 << 13, BURST_BYTES = 32 };

typedef struct Memscrub {
    Device dev;
    Line irq;
    uint32_t ahbs, ahbfar, ahberc, stat, config, rangel, rangeh, pos, ethres, init, rangel2, rangeh2;
} Memscrub;

/* Ranges begin and end with whole bursts. INIT is a shift register of the words of one burst, all alike here. */
static void range_init(Memscrub *m) {
    uint64_t first = m->rangel & ~(uint32_t)(BURST_BYTES - 1), last = m->rangeh | (BURST_BYTES - 1);
    for (uint64_t at = first; at < last; at += 4) {
        if (!mem_write(&m->dev.board->map, at, 4, true, m->init)) {
            device_guest_log(&m->dev, GUEST_MISUSE, "RANGEH", "no memory at 0x%08x", (unsigned)at);
            return;
        }
    }
}

/* DONE stands here, too; the flags of errors are never set. */
static uint32_t ahbs_read(Device *dev, unsigned index) {
    (void)index;
    const Memscrub *m = (const Memscrub *)dev;
    return m->ahbs | (m->stat & STAT_DONE);
}

static void stat_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    ((Memscrub *)dev)->stat = old & (value | ~(uint32_t)STAT_DONE);
}

static void config_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Memscrub *m = (Memscrub *)dev;
    if (!(value & CONFIG_SCEN)) {
        return;
    }
    if ((value >> CONFIG_MODE_SHIFT & 3) == CONFIG_MODE_INIT) {
        range_init(m);
    }
    m->stat |= STAT_DONE;
    if (value & CONFIG_IRQD) {
        line_pulse(&m->irq);
    }
    if (!(value & CONFIG_LOOP)) {
        m->config &= ~(uint32_t)CONFIG_SCEN;
    }
}

#define MS(member) .storage = offsetof(Memscrub, member)
static const Reg scrub_regs[] = {
    {.name = "AHBS", .offset = 0x00, MS(ahbs), .read = ahbs_read, .writable = 0xFFFFC000},
    {.name = "AHBFAR", .offset = 0x04, MS(ahbfar), .access = REG_RO},
    {.name = "AHBERC", .offset = 0x08, MS(ahberc), .writable = 0xFFFFC003},
    {.name = "STAT", .offset = 0x10, MS(stat), .write = stat_write, .reset = 4 << 1},
    {.name = "CONFIG", .offset = 0x14, MS(config), .writable = 0xFFBF, .write = config_write},
    {.name = "RANGEL", .offset = 0x18, MS(rangel), .writable = 0xFFFFFFE0},
    {.name = "RANGEH", .offset = 0x1C, MS(rangeh), .writable = 0xFFFFFFE0, .reset = 0x1F},
    {.name = "POS", .offset = 0x20, MS(pos), .writable = 0xFFFFFFE0},
    {.name = "ETHRES", .offset = 0x24, MS(ethres), .writable = 0xFFFFC003},
    {.name = "INIT", .offset = 0x28, MS(init), .writable = UINT32_MAX},
    {.name = "RANGEL2", .offset = 0x2C, MS(rangel2), .writable = 0xFFFFFFE0},
    {.name = "RANGEH2", .offset = 0x30, MS(rangeh2), .writable = 0xFFFFFFE0, .reset = 0x1F},
};
static const Output scrub_outputs[] = {{.name = "IRQ", .offset = offsetof(Memscrub, irq)}};
static const AmbaCore scrub_amba = {.vendor = AMBA_VENDOR_GAISLER, .device = 0x057};
static const char *const scrub_repl_types[] = {"MemoryControllers.GaislerMEMSCRUB", NULL};

const DeviceType gaisler_memscrub_type = {
    .name = "grlib-memscrub",
    .summary = "GR740 memory scrubber and AHB status register of the memory bus",
    .repl_types = scrub_repl_types,
    .struct_size = sizeof(Memscrub),
    DEVICE_TABLE(regs, scrub_regs),
    DEVICE_TABLE(outputs, scrub_outputs),
    .window_size = GAISLER_APB_WINDOW,
    .amba = &scrub_amba,
};
