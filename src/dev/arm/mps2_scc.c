/* MPS2 serial configuration controller (SCC): LEDs and switches of the board's microcontroller, clock generators, image
 * identification. Arm V2M-MPS2 TRM (100112), section on SCC registers; values: Application Note AN385. No interrupts.
 *
 * Outputs 0 to 7 are the MCC LEDs, inputs 0 to 7 the MCC switches. A transfer over SYS_CFGCTRL ends at once; function 1
 * reads and writes the three clock generators.
 * Not modelled: a clock generator that is written changes no clock of the machine; CFG_REG0's remapping of block RAM to
 * address 0. Both are logged. */
#include "bus/device.h"

enum { LEDS = 8, SWITCHES = 8, OSCCLKS = 3 };
enum { CFGSTAT_COMPLETE = 1, CFGSTAT_ERROR = 2 };
#define CFGCTRL_START (UINT32_C(1) << 31)
#define CFGCTRL_WRITE (UINT32_C(1) << 30)
#define CFGCTRL_BITS UINT32_C(0x43F00FFF)
enum { FUNCTION_OSCCLK = 1 };

typedef struct Mps2Scc {
    Device dev;
    uint32_t aid, id, board_revision, oscclk_reset[OSCCLKS];
    Line led[LEDS];
    uint32_t cfg0, cfg1, switches, data_rtn, data_out, ctrl, stat, dll, oscclk[OSCCLKS];
} Mps2Scc;

static Mps2Scc *scc_of(Device *dev) {
    return (Mps2Scc *)dev;
}

static void cfg0_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    if ((value ^ old) & 1) {
        device_guest_log(dev, GUEST_UNMODELLED, "CFG_REG0", "remapping of block RAM");
    }
}

static void cfg1_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    for (unsigned i = 0; i < LEDS; i++) {
        line_set(&scc_of(dev)->led[i], bit(value, i));
    }
}

static uint32_t cfg3_read(Device *dev, unsigned index) {
    (void)index;
    return scc_of(dev)->switches;
}

static uint32_t cfg4_read(Device *dev, unsigned index) {
    (void)index;
    return scc_of(dev)->board_revision;
}

static void ctrl_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Mps2Scc *s = scc_of(dev);
    s->stat = 0;
    if (!(value & CFGCTRL_START)) {
        return;
    }
    unsigned function = bits(value, 20, 6), device = bits(value, 0, 12);
    s->stat = CFGSTAT_COMPLETE;
    if (function != FUNCTION_OSCCLK || device >= OSCCLKS) {
        device_guest_log(dev, GUEST_MISUSE, "SYS_CFGCTRL", "no function %u, device %u", function, device);
        s->stat |= CFGSTAT_ERROR;
    } else if (value & CFGCTRL_WRITE) {
        device_guest_log(dev, GUEST_UNMODELLED, "SYS_CFGCTRL", "clock generator %u set to %u Hz", device,
                         (unsigned)s->data_out);
        s->oscclk[device] = s->data_out;
    } else {
        s->data_rtn = s->oscclk[device];
    }
}

static uint32_t aid_read(Device *dev, unsigned index) {
    (void)index;
    return scc_of(dev)->aid;
}
static uint32_t scc_id_read(Device *dev, unsigned index) {
    (void)index;
    return scc_of(dev)->id;
}

static void scc_input(Device *dev, unsigned index, bool level) {
    Mps2Scc *s = scc_of(dev);
    s->switches = level ? s->switches | 1u << index : s->switches & ~(1u << index);
}

static void scc_reset(Device *dev) {
    Mps2Scc *s = scc_of(dev);
    for (unsigned i = 0; i < OSCCLKS; i++) {
        s->oscclk[i] = s->oscclk_reset[i];
    }
}

static const Prop props[] = {
    PROP_U32(Mps2Scc, aid, "aid", 0x00200008, "SCC_AID: build and features of the FPGA image"),
    PROP_U32(Mps2Scc, id, "id", 0x41043850, "SCC_ID: which image"),
    PROP_U32(Mps2Scc, board_revision, "boardRevision", 2, "CFG_REG4"),
    PROP_U32(Mps2Scc, oscclk_reset[0], "oscclk0", 50000000, "clock generator 0 in Hz"),
    PROP_U32(Mps2Scc, oscclk_reset[1], "oscclk1", 24576000, "clock generator 1 in Hz"),
    PROP_U32(Mps2Scc, oscclk_reset[2], "oscclk2", 25000000, "clock generator 2 in Hz"),
};

static const Field fields[] = {
    {.name = "switches", .description = "levels of the switches, which a reset does not change",
     .offset = offsetof(Mps2Scc, switches), .size = 4, .count = 1, .keep = true},
    FIELD_ARRAY(Mps2Scc, oscclk, 0, "clock generators in Hz"),
};

#define AT(member) .storage = offsetof(Mps2Scc, member)
static const Reg regs[] = {
    {.name = "CFG_REG0", .offset = 0x000, AT(cfg0), .writable = 1, .write = cfg0_write},
    {.name = "CFG_REG1", .offset = 0x004, AT(cfg1), .writable = 0xFF, .write = cfg1_write},
    {.name = "CFG_REG2", .offset = 0x008, .access = REG_RO},
    {.name = "CFG_REG3", .offset = 0x00C, .read = cfg3_read, .access = REG_RO},
    {.name = "CFG_REG4", .offset = 0x010, .read = cfg4_read, .access = REG_RO},
    {.name = "SYS_CFGDATA_RTN", .offset = 0x0A0, AT(data_rtn), .access = REG_RO},
    {.name = "SYS_CFGDATA_OUT", .offset = 0x0A4, AT(data_out), .writable = UINT32_MAX},
    {.name = "SYS_CFGCTRL", .offset = 0x0A8, AT(ctrl), .reset = 0x00100000, .writable = CFGCTRL_BITS,
     .write = ctrl_write},
    {.name = "SYS_CFGSTAT", .offset = 0x0AC, AT(stat), .access = REG_RO},
    {.name = "SCC_DLL", .offset = 0x100, AT(dll), .reset = 0xFFFF0001, .writable = 0xFF000000},
    {.name = "SCC_AID", .offset = 0xFF8, .read = aid_read, .access = REG_RO},
    {.name = "SCC_ID", .offset = 0xFFC, .read = scc_id_read, .access = REG_RO},
};

static const Output outputs[] = {{.offset = offsetof(Mps2Scc, led), .count = LEDS}};
static const char *const repl_types[] = {"Miscellaneous.MPS2_SCC", NULL};
static const char *const compatible[] = {"arm,mps2-scc", NULL};

const DeviceType mps2_scc_type = {
    .name = "mps2-scc",
    .summary = "MPS2 serial configuration controller: LEDs, switches, clock generators, identification",
    .repl_types = repl_types,
    .compatible = compatible,
    .struct_size = sizeof(Mps2Scc),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(fields, fields),
    DEVICE_TABLE(regs, regs),
    DEVICE_TABLE(outputs, outputs),
    .n_inputs = SWITCHES,
    .window_size = 0x1000,
    .reset = scc_reset,
    .input = scc_input,
};
