/* Cortex-M cores: the models, their Isa, the CPU device and the NVIC device that carries the System Control Space.
 * Technical reference manuals: Cortex-M0 DDI 0432C, M0+ DDI 0484C, M1 DDI 0413D, M3 DDI 0337I.
 *
 * Priority bits and the number of lines are the chip maker's choice; the NVIC's properties say them. One core per
 * NVIC. */
#include "bus/dt_binding.h"
#include "guest/arm/sys.h"

#include <string.h>

#include "base/text.h"

enum { ELF_MACHINE_ARM = 40 };
#define VTOR_V7 UINT32_C(0xffffff80)
#define VTOR_V6 UINT32_C(0xffffff00)

/* X(name, summary, features, ...what the core was built with) */
#define ARM_MODELS(X)                                                                                                  \
    X("cortex-m0", "ARMv6-M", 0, .cpuid = 0x410cc200, .lines = 32, .priority_mask = 0xc0)                              \
    X("cortex-m0+", "ARMv6-M with MPU", 0, .cpuid = 0x410cc601, .lines = 32, .priority_mask = 0xc0, .mpu_regions = 8,  \
      .vtor_mask = VTOR_V6, .unprivileged = 1)                                                                         \
    X("cortex-m0plus", "the same", 0, .cpuid = 0x410cc601, .lines = 32, .priority_mask = 0xc0, .mpu_regions = 8,       \
      .vtor_mask = VTOR_V6, .unprivileged = 1)                                                                         \
    X("cortex-m1", "ARMv6-M", 0, .cpuid = 0x411cc210, .lines = 32, .priority_mask = 0xc0)                              \
    X("cortex-m3", "ARMv7-M", ARM_FEATURE_V7M, .cpuid = 0x412fc231, .v7m = 1, .lines = 240, .priority_mask = 0xff,     \
      .mpu_regions = ARM_MPU_REGIONS, .vtor_mask = VTOR_V7, .unprivileged = 1)

#define AS_MODEL(model_name, text, feature_bits, ...)                                                                  \
    {.name = (model_name), .features = (feature_bits), .config = {__VA_ARGS__}},
#define AS_LISTED(model_name, text, feature_bits, ...) {.name = (model_name), .summary = (text)},
#define AS_COMPATIBLE(model_name, text, feature_bits, ...) "arm," model_name,
static const ArmModel arm_models[] = {ARM_MODELS(AS_MODEL)};
static const DeviceModel listed_models[] = {ARM_MODELS(AS_LISTED){NULL, NULL}};

/* ---- State ------------------------------------------------------------------------------------------------------ */

static const Field arm_fields[] = {
    FIELD_ARRAY(ArmState, r, 0, "r0 to r14, r13 being the stack pointer in use; r15 is scratch"),
    FIELD_MAX(ArmState, n, 0, 1, "APSR.N"),
    FIELD_MAX(ArmState, z, 0, 1, "APSR.Z"),
    FIELD_MAX(ArmState, c, 0, 1, "APSR.C"),
    FIELD_MAX(ArmState, v, 0, 1, "APSR.V"),
    FIELD_MAX(ArmState, q, 0, 1, "APSR.Q"),
    FIELD(ArmState, sp_other, 0, "the banked stack pointer that is not in use"),
    FIELD(ArmState, exclusive_addr, 0, "local monitor: tagged address"),
    FIELD_MAX(ArmState, exclusive_size, 0, 8, "local monitor: tagged bytes, 0 = open"),
    FIELD_MAX(ArmState, ipsr, 0, ARM_EXCEPTIONS - 1, "exception number, 0 in thread mode"),
    FIELD_MAX(ArmState, primask, 0, 1, "PRIMASK"),
    FIELD_MAX(ArmState, faultmask, 0, 1, "FAULTMASK"),
    FIELD_MAX(ArmState, basepri, 0, 255, "BASEPRI"),
    FIELD_MAX(ArmState, control, 0, ARM_CONTROL_NPRIV | ARM_CONTROL_SPSEL, "CONTROL"),
    FIELD_MAX(ArmState, event, 0, 1, "event register of WFE"),
    FIELD_MAX(ArmState, div_0_trp, 0, 1, "copy of CCR.DIV_0_TRP"),
    FIELD_ARRAY(ArmState, pending, 0, "pending exceptions"),
    FIELD_ARRAY(ArmState, active, 0, "active exceptions"),
    FIELD_ARRAY(ArmState, enabled, 0, "enabled exceptions"),
    FIELD_ARRAY(ArmState, line, 0, "levels of the interrupt inputs"),
    FIELD_ARRAY(ArmState, priority, 0, "priorities"),
    FIELD_MAX(ArmState, prigroup, 0, 7, "AIRCR.PRIGROUP"),
    FIELD(ArmState, vtor, 0, "VTOR"),
    FIELD(ArmState, scr, 0, "SCR"),
    FIELD(ArmState, ccr, 0, "CCR"),
    FIELD(ArmState, actlr, 0, "ACTLR"),
    FIELD(ArmState, cfsr, 0, "CFSR"),
    FIELD(ArmState, hfsr, 0, "HFSR"),
    FIELD(ArmState, dfsr, 0, "DFSR"),
    FIELD(ArmState, mmfar, 0, "MMFAR"),
    FIELD(ArmState, bfar, 0, "BFAR"),
    FIELD(ArmState, demcr, 0, "DEMCR"),
    FIELD(ArmState, mpu_ctrl, 0, "MPU_CTRL"),
    FIELD_MAX(ArmState, mpu_rnr, 0, ARM_MPU_REGIONS - 1, "MPU_RNR"),
    FIELD_ARRAY(ArmState, mpu_rbar, 0, "MPU_RBAR of each region"),
    FIELD_ARRAY(ArmState, mpu_rasr, 0, "MPU_RASR of each region"),
    FIELD_MAX(ArmState, sleeping, 0, ARM_SLEEP_WFE, "0 awake, 1 in WFI, 2 in WFE"),
    FIELD(ArmState, semihost_errno, 0, "semihosting: number of the last error"),
};

static const char *row_name(size_t row) {
    return arm_row_info[row].name;
}

static void cpu_restored(Cpu *cpu) {
    cpu->irq_request = !cpu->locked_up && arm_takable(arm_state(cpu));
    arm_rights_changed(cpu);
}

/* The global monitor of a shared memory: whatever the other cores have stored, the reservation is given up. */
static void cpu_resumed(Cpu *cpu) {
    arm_state(cpu)->exclusive_size = 0;
}

const Isa arm_isa = {
    .name = "arm-m",
    .state_size = sizeof(ArmState),
    DEVICE_TABLE(fields, arm_fields),
    .flags_slot = offsetof(ArmState, n),
    .stack_slot = offsetof(ArmState, r[13]),
    .elf_machine = ELF_MACHINE_ARM,
    .pc_mask = UINT32_MAX,
    .insn_bytes_max = 4,
    .insn_align = 2,
    .helpers = arm_helpers,
    .n_helpers = ARM_HELPER_COUNT,
    .trap_fetch = ARM_TRAP_FETCH,
    .row_name = row_name,
    .n_rows = ARM_ROW_COUNT,
    .translate = arm_translate_insns,
    .disassemble = arm_disassemble_insn,
    .reset = arm_reset,
    .trap = arm_trap,
    .interrupt = arm_interrupt,
    .access_check = arm_access_check,
    .access_fault = arm_access_fault,
    .fetch_allowed = arm_fetch_allowed,
    .aux_mask = ARM_AUX_IT | ARM_AUX_NOT_THUMB,
    .restored = cpu_restored,
    .resumed = cpu_resumed,
    .event = arm_event,
};

/* ---- CPU device ------------------------------------------------------------------------------------------------- */

/* The NVIC's properties narrow what the model allows. */
static void configure(ArmCpu *c) {
    if (!c->model) {
        return;
    }
    ArmConfig *config = &c->state.config;
    *config = c->model->config;
    config->vtor_reset = c->vtor_reset;
    if (c->nvic) {
        config->priority_mask &= c->nvic->priority_mask;
        config->lines = c->nvic->lines ? c->nvic->lines : config->lines;
    }
}

void arm_cpu_link(ArmCpu *cpu, ArmNvic *nvic) {
    cpu->nvic = nvic;
    nvic->cpu = &cpu->cpu;
    configure(cpu);
}

static const ArmModel *model_find(const char *name, Err *err) {
    const char *names[ARRAY_LEN(arm_models)];
    for (size_t i = 0; i < ARRAY_LEN(arm_models); i++) {
        names[i] = arm_models[i].name;
        if (strcmp(names[i], name) == 0) {
            return &arm_models[i];
        }
    }
    const char *near = text_nearest(name, names, ARRAY_LEN(arm_models));
    err_set(err, "cpuType \"%s\" is unknown; did you mean \"%s\"?", name, near ? near : "cortex-m3");
    return NULL;
}

static bool cpu_init(Device *dev, Err *err) {
    ArmCpu *c = (ArmCpu *)dev;
    c->model = model_find(c->model_name, err);
    if (!c->model) {
        return false;
    }
    if (c->nvic_device && c->nvic_device->type != &arm_nvic_type) {
        return err_set(err, "%s: nvic must be an IRQControllers.NVIC, %s is none", dev->name, c->nvic_device->name);
    }
    if (c->nvic_device) {
        arm_cpu_link(c, (ArmNvic *)c->nvic_device);
    }
    configure(c);
    if (c->state.config.vtor_reset & ~c->model->config.vtor_mask) {
        return err_set(err, "%s: vectorTable 0x%08x is not possible for %s", dev->name, (unsigned)c->vtor_reset,
                       c->model->name);
    }
    uint64_t mips_hz = (uint64_t)c->mips * 1000000;
    uint64_t hz = c->clock_hz ? c->clock_hz : mips_hz ? mips_hz : c->nvic ? c->nvic->core_hz : 0;
    if (!hz) {
        return err_set(err, "%s: expected clockFrequency, or an nvic with systickFrequency", dev->name);
    }
    if (hz > CLOCK_HZ_MAX) {
        return err_set(err, "%s: clockFrequency must be at most 1 THz", dev->name);
    }
    c->cpu.isa = &arm_isa;
    c->cpu.state = &c->state;
    c->cpu.features = c->model->features;
    c->cpu.name = dev->name;
    c->cpu.board = dev->board;
    c->cpu.map = &dev->board->map;
    return dev->board->add_cpu(dev->board, &c->cpu, hz) || err_set(err, "%s: too many CPUs", dev->name);
}

static const Prop cpu_props[] = {
    {.name = "cpuType", .kind = PROP_KIND_STRING, .offset = offsetof(ArmCpu, model_name), .required = true,
     .description = "the core, one of `orrery list cpus`"},
    PROP_DEVICE(ArmCpu, nvic_device, "nvic", false, "its NVIC, if that has no `IRQ -> cpu@0`"),
    PROP_U64(ArmCpu, clock_hz, "clockFrequency", 0, "instructions per second, 0 = the NVIC's systickFrequency"),
    PROP_U32(ArmCpu, mips, "PerformanceInMips", 0, "the same in millions, if clockFrequency is not given"),
    PROP_U32(ArmCpu, vtor_reset, "vectorTable", 0, "VTOR at reset"),
    PROP_U32(ArmCpu, cpu.cpi, "cyclesPerInstruction", 0, "clock cycles per instruction, 0 = as --cpi says"),
    PROP_BOOL(ArmCpu, cpu.starts_held, "held", false, "stays in reset until a device of the board starts it"),
};

static const char *const cpu_repl_types[] = {"CPU.CortexM", NULL};
static const char *const cpu_compatible[] = {ARM_MODELS(AS_COMPATIBLE) NULL};

const DeviceType arm_cpu_type = {
    .name = "cortex-m",
    .summary = "Arm Cortex-M core: ARMv6-M, ARMv7-M",
    .repl_types = cpu_repl_types,
    .compatible = cpu_compatible,
    .struct_size = sizeof(ArmCpu),
    .cpu_offset = offsetof(ArmCpu, cpu),
    DEVICE_TABLE(props, cpu_props),
    .models = listed_models,
    .n_inputs = 1,
    .init = cpu_init,
};

/* ---- NVIC device ------------------------------------------------------------------------------------------------ */

static bool nvic_init(Device *dev, Err *err) {
    ArmNvic *nvic = (ArmNvic *)dev;
    if (!nvic->core_hz || nvic->core_hz > CLOCK_HZ_MAX) {
        return err_set(err, "%s: systickFrequency must be more than 0 Hz, and at most 1 THz", dev->name);
    }
    if (nvic->reference_hz > CLOCK_HZ_MAX) {
        return err_set(err, "%s: referenceFrequency must be at most 1 THz", dev->name);
    }
    if (nvic->lines > ARM_NVIC_LINES) {
        return err_set(err, "%s: interruptLines must be at most %d, not %u", dev->name, ARM_NVIC_LINES,
                       (unsigned)nvic->lines);
    }
    if (nvic->priority_mask > 0xff) {
        return err_set(err, "%s: priorityMask must be at most 0xFF, not 0x%x", dev->name,
                       (unsigned)nvic->priority_mask);
    }
    Board *board = dev->board;
    nvic->core_clock = clock_shared(board->clocks, board->arena, nvic->core_hz, 1);
    nvic->reference_clock = clock_shared(board->clocks, board->arena, nvic->reference_hz, 1);
    for (unsigned i = 0; i < line_sinks(&nvic->irq); i++) {
        Device *sink = line_sink(&nvic->irq, i);
        if (sink->type != &arm_cpu_type) {
            return err_set(err, "%s: IRQ must lead to a CPU.CortexM, %s is none", dev->name, sink->name);
        }
        arm_cpu_link((ArmCpu *)sink, nvic);
    }
    return true;
}

static void nvic_input(Device *dev, unsigned index, bool level) {
    ArmNvic *nvic = (ArmNvic *)dev;
    if (nvic->cpu) {
        arm_line_set(nvic->cpu, index, level);
    }
}

static void nvic_reset(Device *dev) {
    arm_systick_reset((ArmNvic *)dev);
}

/* Files of Renode's tree often leave it out; its CPUs run 100 million instructions per second if nothing is said. */
#define NVIC_HZ_DEFAULT 100000000

static const Prop nvic_props[] = {
    PROP_U64(ArmNvic, core_hz, "systickFrequency", NVIC_HZ_DEFAULT,
             "Hz of the processor clock, which SysTick counts with CLKSOURCE = 1"),
    PROP_U64(ArmNvic, reference_hz, "referenceFrequency", 0, "Hz of SysTick's reference clock, 0 = it has none"),
    PROP_U32(ArmNvic, priority_mask, "priorityMask", 0xff, "implemented bits of interrupt priorities"),
    PROP_U32(ArmNvic, lines, "interruptLines", 0, "number of external interrupts, 0 = the core's maximum"),
};

static const Field nvic_fields[] = {
    FIELD(ArmNvic, systick_ctrl, 0, "SYST_CSR without COUNTFLAG"),
    FIELD(ArmNvic, systick_reload, 0, "SYST_RVR"),
    FIELD(ArmNvic, systick_from, 0, "SYST_CVR at systick_start"),
    FIELD(ArmNvic, systick_start, 0, "cycle from which SysTick counts"),
    FIELD(ArmNvic, systick_zeros_seen, 0, "times it reached 0 when COUNTFLAG was last cleared"),
    FIELD(ArmNvic, systick_countflag, 0, "COUNTFLAG from before systick_start"),
};

static const Output nvic_outputs[] = {{"IRQ", offsetof(ArmNvic, irq), 1}};
static const EventField nvic_events[] = {{"systick", offsetof(ArmNvic, systick_event), arm_systick_fire, 0}};
static const DtName nvic_dt_props[] = {{"arm,num-irq-priority-bits", "priorityMask"}, {NULL, NULL}};
/* SysTick has a node of its own inside of this window, and the tree's NVIC begins at 0xE000E100. */
static const DtBinding nvic_dt = {.props = nvic_dt_props, .drives_cpus = true, .aligned = true};
static const char *const nvic_repl_types[] = {"IRQControllers.NVIC", NULL};
static const char *const nvic_compatible[] = {"arm,v6m-nvic", "arm,v7m-nvic", "arm,armv6m-systick",
                                              "arm,armv7m-systick", NULL};

const DeviceType arm_nvic_type = {
    .name = "arm-nvic",
    .summary = "Arm NVIC with System Control Space and SysTick",
    .repl_types = nvic_repl_types,
    .compatible = nvic_compatible,
    .dt = &nvic_dt,
    .struct_size = sizeof(ArmNvic),
    .beside_cpu = true,
    DEVICE_TABLE(props, nvic_props),
    DEVICE_TABLE(fields, nvic_fields),
    DEVICE_TABLE(outputs, nvic_outputs),
    DEVICE_TABLE(events, nvic_events),
    .n_inputs = ARM_INPUTS, /* 0 to 239 interrupts, 240 NMI */
    .window_size = 0x1000,
    .read = arm_scs_read,
    .write = arm_scs_write,
    .init = nvic_init,
    .reset = nvic_reset,
    .input = nvic_input,
};
