/* LEON3 and LEON4 processors: the models, their Isa and the CPU device. GRIP, chapters LEON3 and LEON4; GR712RC user's
 * manual, chapter 4; GR740 user's manual, chapter 6.
 *
 * Execution starts at `resetAddress`; processors with another index than 0 wait until the interrupt controller starts
 * them. Time: one instruction per cycle of clockFrequency, or what --cpi says. */
#include "guest/sparc/sys.h"

#include <string.h>

#include "base/text.h"
#include "bus/dt_binding.h"
#include "bus/amba.h"

enum { ELF_MACHINE_SPARC = 2 };
#define VERSION_LEON UINT32_C(0xf3000000) /* PSR.impl 15, ver 3 */
enum { ASR17_V8 = 1 << 8, ASR17_MAC = 1 << 9, ASR17_GRFPU = 1 << 10, ASR17_GRFPU_LITE = 3 << 10 };
enum { FSR_GRFPU = 2 << 17, FSR_GRFPU_LITE = 3 << 17 };
enum { WATCHPOINTS_2 = 2 << 5, WATCHPOINTS_4 = 4 << 5 };

/* X(name, summary, device number in AMBA plug and play, features, register windows, MMU, ...what the core was built
 * with). Cache sizes: ASI 2 configuration registers, of chips as their manuals tell. Of GR716 the summary of the data
 * sheet was at hand: 31 windows, double-precision FPU, protection units instead of an MMU (not modelled). The FPU is a
 * GRFPU-Lite: Phoenix-RTOS names it (its kernel's hal/sparcv8leon). That there are neither watchpoints nor caches is a
 * guess. */
#define SPARC_MODELS(X)                                                                                                \
    X("leon3", "LEON3 with all options, 8 windows", 0x003,                                                             \
      SPARC_FEATURE_MAC | SPARC_FEATURE_CASA | SPARC_FEATURE_FPU | SPARC_FEATURE_DENORMALS, 8, 1,                      \
      .fsr_version = FSR_GRFPU,                                                                                        \
      .asr17 = ASR17_V8 | ASR17_MAC | ASR17_GRFPU, .cache_config = {0x10220000, 0x18220008})                           \
    X("gr712rc", "LEON3FT of the GR712RC", 0x053, SPARC_FEATURE_CASA | SPARC_FEATURE_FPU, 8, 1,                        \
      .fsr_version = FSR_GRFPU, .asr17 = ASR17_V8 | ASR17_GRFPU | WATCHPOINTS_2,                                       \
      .cache_config = {0x13220008, 0x1b220008})                                                                        \
    X("gr716", "LEON3FT of the GR716: 31 windows, no MMU", 0x053, SPARC_FEATURE_CASA | SPARC_FEATURE_FPU, 31, 0,       \
      .fsr_version = FSR_GRFPU_LITE, .asr17 = ASR17_V8 | ASR17_GRFPU_LITE)                                             \
    X("leon4", "LEON4 with 8 windows", 0x048, SPARC_FEATURE_CASA | SPARC_FEATURE_FPU, 8, 1,                            \
      .fsr_version = FSR_GRFPU, .asr17 = ASR17_V8 | ASR17_GRFPU | WATCHPOINTS_4,                                       \
      .cache_config = {0x13230008, 0x1b230008})                                                                        \
    X("gr740", "LEON4FT of the GR740", 0x048, SPARC_FEATURE_CASA | SPARC_FEATURE_FPU, 8, 1,                            \
      .fsr_version = FSR_GRFPU, .asr17 = ASR17_V8 | ASR17_GRFPU | WATCHPOINTS_4,                                       \
      .cache_config = {0x13230008, 0x1b230008})

#define AS_MODEL(model_name, text, amba, feature_bits, windows, mmu, ...)                                              \
    {.name = (model_name), .amba_device = (amba), .features = (feature_bits),                                          \
     .config = {.n_windows = (windows), .version = VERSION_LEON, .has_mmu = (mmu), .has_fpu = 1, __VA_ARGS__}},
#define AS_LISTED(model_name, text, amba, feature_bits, windows, mmu, ...) {.name = (model_name), .summary = (text)},
static const SparcModel sparc_models[] = {SPARC_MODELS(AS_MODEL)};
static const DeviceModel listed_models[] = {SPARC_MODELS(AS_LISTED){NULL, NULL}};

/* ---- State ------------------------------------------------------------------------------------------------------ */

static const Field sparc_fields[] = {
    FIELD_ARRAY(SparcState, g, 0, "g0 to g7"),
    FIELD_ARRAY(SparcState, windows, 0, "o0 to o7, l0 to l7 of each window; the ins are the outs of the next one"),
    FIELD_MAX(SparcState, cwp, 0, SPARC_WINDOWS_MAX - 1, "PSR.CWP"),
    FIELD_ARRAY(SparcState, f, 0, "f1, f0, f3, f2 and so on: pairs lie as doubles do in memory of the host"),
    FIELD_MAX(SparcState, n, 0, 1, "PSR.icc.n"),
    FIELD_MAX(SparcState, z, 0, 1, "PSR.icc.z"),
    FIELD_MAX(SparcState, c, 0, 1, "PSR.icc.c"),
    FIELD_MAX(SparcState, v, 0, 1, "PSR.icc.v"),
    FIELD(SparcState, y, 0, "Y"),
    FIELD(SparcState, wim, 0, "WIM"),
    FIELD(SparcState, tbr, 0, "TBR"),
    FIELD(SparcState, fsr, 0, "FSR without fcc"),
    FIELD_MAX(SparcState, fcc, 0, 3, "FSR.fcc"),
    FIELD_MAX(SparcState, s, 1, 1, "PSR.S"),
    FIELD_MAX(SparcState, ps, 0, 1, "PSR.PS"),
    FIELD_MAX(SparcState, et, 0, 1, "PSR.ET"),
    FIELD_MAX(SparcState, ef, 0, 1, "PSR.EF"),
    FIELD_MAX(SparcState, ec, 0, 1, "PSR.EC"),
    FIELD_MAX(SparcState, pil, 0, 15, "PSR.PIL"),
    FIELD(SparcState, npc, 0, "nPC in the delay slot of a register-indirect jump, else 0"),
    FIELD(SparcState, asr16, 0, "%asr16: register protection control"),
    FIELD(SparcState, asr17, 0, "%asr17: writable bits of the configuration"),
    FIELD(SparcState, asr18, 0, "%asr18: accumulator"),
    FIELD_ARRAY(SparcState, asr24, 0, "%asr24 to 31: watchpoints"),
    FIELD_MAX(SparcState, fp_mode, 0, SPARC_FP_EXCEPTION, "0 execute, 1 exception pending, 2 exception"),
    FIELD(SparcState, fq_addr, 0, "floating-point queue: address"),
    FIELD(SparcState, fq_insn, 0, "floating-point queue: instruction"),
    FIELD(SparcState, ccr, 0, "cache control register"),
    FIELD(SparcState, mmu_ctrl, 0, "MMU control register"),
    FIELD(SparcState, mmu_table, 0, "MMU context table pointer"),
    FIELD_MAX(SparcState, mmu_context, 0, 255, "MMU context"),
    FIELD(SparcState, mmu_fault, 0, "MMU fault status"),
    FIELD(SparcState, mmu_addr, 0, "MMU fault address"),
    FIELD_MAX(SparcState, irq_level, 0, 15, "interrupt level asked for"),
    FIELD_MAX(SparcState, powered_down, 0, 1, "asleep by a write to %asr19"),
    FIELD_MAX(SparcState, held, 0, 1, "waits for its start since reset"),
};

static const char *row_name(size_t row) {
    return sparc_row_info[row].name;
}

static bool fetch_allowed(Cpu *cpu, uint64_t addr) {
    (void)cpu;
    return !(addr & 3);
}

/* nPC is scratch unless the location says that it is there. */
static void settle(Cpu *cpu) {
    SparcState *s = sparc_state(cpu);
    sparc_windows_settle(s);
    sparc_fsr_settle(s);
    s->npc = cpu->aux == SPARC_AUX_DYNAMIC ? s->npc : 0;
}

static void restored(Cpu *cpu) {
    SparcState *s = sparc_state(cpu);
    s->cwp %= s->config.n_windows;
    sparc_windows_place(s);
    s->fp_last = 0;
    sparc_fp_update(s);
    cpu->tlb_bank = NULL; /* memory has been restored, too */
    sparc_mmu_mode(cpu);
    sparc_update(cpu);
}

const Isa sparc_isa = {
    .name = "sparc-v8",
    .state_size = sizeof(SparcState),
    DEVICE_TABLE(fields, sparc_fields),
    .flags_slot = offsetof(SparcState, n),
    .big_endian = true,
    .elf_machine = ELF_MACHINE_SPARC,
    .pc_mask = UINT32_MAX,
    .insn_bytes_max = 8, /* a branch and its delay slot */
    .insn_align = 4,
    .helpers = sparc_helpers,
    .n_helpers = SPARC_HELPER_COUNT,
    .trap_fetch = SPARC_TRAP_FETCH,
    .row_name = row_name,
    .n_rows = SPARC_ROW_COUNT,
    .translate = sparc_translate_insns,
    .disassemble = sparc_disassemble_insn,
    .reset = sparc_reset,
    .trap = sparc_trap,
    .translate_trap = sparc_translate_trap,
    .interrupt = sparc_interrupt,
    .access_check = sparc_access_check,
    .access_fault = sparc_access_fault,
    .walk = sparc_mmu_walk,
    .physical = sparc_mmu_physical,
    .fetch_allowed = fetch_allowed,
    .host_float = true,
    .aux_mask = UINT32_MAX,
    .restored = restored,
    .settle = settle,
    .boot = sparc_boot,
};

/* ---- The interrupt port ----------------------------------------------------------------------------------------- */

static SparcCpu *of_port(const LeonIrqPort *port) {
    return CONTAINER_OF((LeonIrqPort *)(uintptr_t)port, SparcCpu, irq);
}

static void port_set_level(LeonIrqPort *port, unsigned level) {
    SparcCpu *c = of_port(port);
    c->state.irq_level = level;
    sparc_update(&c->cpu);
}

static void port_start(LeonIrqPort *port) {
    SparcCpu *c = of_port(port);
    sparc_start(&c->cpu);
}

static void port_set_entry(LeonIrqPort *port, uint32_t pc) {
    SparcCpu *c = of_port(port);
    if (c->state.held) {
        c->cpu.pc = pc & ~UINT32_C(3);
        c->cpu.aux = 0;
    }
}

static bool port_stopped(const LeonIrqPort *port) {
    const SparcCpu *c = of_port(port);
    return c->state.powered_down || c->state.held || c->cpu.locked_up;
}

static void port_hold(LeonIrqPort *port) {
    SparcCpu *c = of_port(port);
    c->state.held = 1;
    c->cpu.halted = c->cpu.leave = true;
    c->cpu.irq_request = false;
}

/* ---- CPU device ------------------------------------------------------------------------------------------------- */

static const SparcModel *model_find(const char *name, Err *err) {
    const char *names[ARRAY_LEN(sparc_models)];
    for (size_t i = 0; i < ARRAY_LEN(sparc_models); i++) {
        names[i] = sparc_models[i].name;
        if (strcmp(names[i], name) == 0) {
            return &sparc_models[i];
        }
    }
    const char *near = text_nearest(name, names, ARRAY_LEN(sparc_models));
    if (!err) {
        return NULL;
    }
    err_set(err, "cpuType \"%s\" is unknown; did you mean \"%s\"?", name, near ? near : "leon3");
    return NULL;
}

static bool cpu_init(Device *dev, Err *err) {
    SparcCpu *c = (SparcCpu *)dev;
    const SparcModel *model = model_find(c->model_name, err);
    if (!model) {
        return false;
    }
    enum { DEFAULT_MIPS = 50 };
    c->clock_hz = c->clock_hz ? c->clock_hz : (uint64_t)(c->mips ? c->mips : DEFAULT_MIPS) * 1000000;
    if (c->index > 15) {
        return err_set(err, "%s: cpuId must be at most 15, not %u", dev->name, (unsigned)c->index);
    }
    if (c->windows && (c->windows < 2 || c->windows > SPARC_WINDOWS_MAX)) {
        return err_set(err, "%s: windows must be 2 to %d, not %u", dev->name, SPARC_WINDOWS_MAX, (unsigned)c->windows);
    }
    c->state.config = model->config;
    c->state.config.n_windows = c->windows ? c->windows : model->config.n_windows;
    c->cpu.isa = &sparc_isa;
    c->cpu.state = &c->state;
    c->cpu.features = model->features;
    c->cpu.name = dev->name;
    c->cpu.board = dev->board;
    c->cpu.map = &dev->board->map;
    c->irq.set_level = port_set_level;
    c->irq.start = port_start;
    c->irq.set_entry = port_set_entry;
    c->irq.stopped = port_stopped;
    c->irq.hold = port_hold;
    return dev->board->add_cpu(dev->board, &c->cpu, c->clock_hz);
}

static void cpu_free(Device *dev) {
    SparcCpu *c = (SparcCpu *)dev;
    tlb_free(c->cpu.tlb);
    c->cpu.tlb = NULL;
}

/* Plug and play: which processor it says it is. */
static void describe(const Device *dev, AmbaRecord *record) {
    const SparcModel *model = model_find(((const SparcCpu *)dev)->model_name, NULL);
    record->device = model ? model->amba_device : record->device;
}

enum { AMBA_NO_IRQ = 255 };
static const AmbaCore cpu_amba = {.vendor = AMBA_VENDOR_GAISLER, .irq_output = AMBA_NO_IRQ,
                                  .describe = describe};

static const Prop cpu_props[] = {
    {.name = "cpuType", .kind = PROP_KIND_STRING, .offset = offsetof(SparcCpu, model_name), .required = true,
     .description = "the core, one of `orrery list cpus`"},
    PROP_U64(SparcCpu, clock_hz, "clockFrequency", 0, "cycles per second, 0 = 50 MHz"),
    PROP_U32(SparcCpu, mips, "PerformanceInMips", 0, "the same in millions, if clockFrequency is not given"),
    PROP_U32(SparcCpu, index, "cpuId", 0, "processor index in %asr17; others than 0 wait for their start"),
    PROP_U32(SparcCpu, windows, "windows", 0, "register windows, 0 = the model's"),
    PROP_U32(SparcCpu, entry, "resetAddress", 0, "PC after reset"),
};

static const DtBinding cpu_dt = {.big_endian = true};
static const char *const cpu_repl_types[] = {"CPU.Sparc", "CPU.LEON3", "CPU.LEON4", NULL};
static const char *const cpu_compatible[] = {"gaisler,leon3", "gaisler,leon4", NULL};

const DeviceType sparc_cpu_type = {
    .name = "leon",
    .summary = "LEON3 and LEON4 processors: SPARC V8",
    .repl_types = cpu_repl_types,
    .compatible = cpu_compatible,
    .dt = &cpu_dt,
    .struct_size = sizeof(SparcCpu),
    .cpu_offset = offsetof(SparcCpu, cpu),
    DEVICE_TABLE(props, cpu_props),
    .models = listed_models,
    .amba = &cpu_amba,
    .leon_irq_offset = offsetof(SparcCpu, irq),
    .n_inputs = 16, /* what the outputs of interrupt controllers lead to: the lines themselves are not used */
    .init = cpu_init,
    .free = cpu_free,
};
