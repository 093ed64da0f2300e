/* Device models. A DeviceType is constant data: properties, declared state, registers, lines, hooks. A Device is one
 * instance; the model's struct has `Device dev` as its first member, so a `Device *` casts to the model.
 *
 * Life of a device: memory is zeroed; properties are set from the platform file; lines and buses are connected;
 * `init` checks and resolves; then every reset sets fields and registers from the tables, disarms the events, lowers
 * the outputs without telling anyone, and calls `reset`. */
#ifndef BUS_DEVICE_H
#define BUS_DEVICE_H

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/field.h"
#include "base/log.h"
#include "bus/can.h"
#include "bus/eth.h"
#include "bus/i2c.h"
#include "bus/line.h"
#include "bus/mem.h"
#include "bus/spi.h"
#include "bus/uart.h"
#include "sim/clock.h"
#include "sim/event.h"

typedef struct Device Device;
typedef struct DeviceType DeviceType;
typedef struct Board Board;
struct Cpu;

/* ---- Registers ------------------------------------------------------------------------------------------------ */

typedef uint32_t (*RegRead)(Device *dev, unsigned index);
/** `value` is what the guest wrote, `old` what the storage held before; storage is already updated. */
typedef void (*RegWrite)(Device *dev, unsigned index, uint32_t value, uint32_t old);

typedef struct Reg {
    const char *name; /* as in the manual */
    uint32_t offset;
    uint32_t count; /* registers in an array, 0 or 1 for a single one */
    uint32_t stride; /* bytes between array elements, 0 = 4 */
    uint32_t storage; /* offset of a uint32_t member (or array of them) in the struct, 0 = none */
    uint32_t reset; /* entries that share storage: the last one that is not 0 counts */
    uint32_t writable; /* bits that a write stores */
    uint32_t clear_on_one; /* bits that writing 1 clears */
    RegRead read; /* NULL: the storage, 0 without storage */
    RegWrite write; /* runs after the storage has changed, or NULL */
    uint8_t access; /* REG_RW... */
    bool is_bit; /* it is 0 or 1, and stored in one bit of the word at `storage`: number `bit` and, of an array, on */
    uint8_t bit;
    bool unmodelled; /* known to the manual but without behaviour: accesses are logged, storage still works */
} Reg;

enum { REG_RW = 0, REG_RO = 1, REG_WO = 2 };

/* ---- Properties, outputs, events -------------------------------------------------------------------------------- */

typedef enum PropKind { PROP_KIND_U32, PROP_KIND_U64, PROP_KIND_BOOL, PROP_KIND_STRING, PROP_KIND_DEVICE } PropKind;

/** Construction property from the platform file, stored in the model's struct: uint32_t, uint64_t, bool, const char *,
 * Device *. */
typedef struct Prop {
    const char *name; /* as in .repl */
    PropKind kind;
    uint32_t offset;
    bool required;
    uint64_t fallback; /* if absent: numbers and booleans */
    const char *description;
} Prop;

#define PROP_U32(type, member, repl_name, value, text)                                                                 \
    { .name = (repl_name), .kind = PROP_KIND_U32, .offset = offsetof(type, member), .fallback = (value),               \
      .description = (text) }
#define PROP_U64(type, member, repl_name, value, text)                                                                 \
    { .name = (repl_name), .kind = PROP_KIND_U64, .offset = offsetof(type, member), .fallback = (value),               \
      .description = (text) }
#define PROP_BOOL(type, member, repl_name, value, text)                                                                \
    { .name = (repl_name), .kind = PROP_KIND_BOOL, .offset = offsetof(type, member), .fallback = (value),              \
      .description = (text) }
#define PROP_STRING(type, member, repl_name, text)                                                                     \
    { .name = (repl_name), .kind = PROP_KIND_STRING, .offset = offsetof(type, member), .description = (text) }
#define PROP_DEVICE(type, member, repl_name, must, text)                                                               \
    { .name = (repl_name), .kind = PROP_KIND_DEVICE, .offset = offsetof(type, member), .required = (must),             \
      .description = (text) }

/** Output lines: a `Line` member or array of them. */
typedef struct Output {
    const char *name; /* as in .repl; NULL = the numbered outputs `0 -> ...` */
    uint32_t offset;
    uint32_t count; /* 0 or 1 = single */
} Output;

/** An Event member: its `fire` is set at creation, its armed time is part of the state. */
typedef struct EventField {
    const char *name;
    uint32_t offset;
    void (*fire)(Event *event);
    uint8_t priority;
} EventField;

/** A table and its length, for the pairs below: `DEVICE_TABLE(fields, my_fields)`. */
#define DEVICE_TABLE(member, table) .member = (table), .n_##member = ARRAY_LEN(table)

/** A variant that the platform file selects by name (CPU types), for listings. */
typedef struct DeviceModel {
    const char *name, *summary;
} DeviceModel;

/* ---- The type --------------------------------------------------------------------------------------------------- */

/** Saved state on its way back into a node. It is read twice: first without `apply`, where everything that is not as it
 * must be is refused and nothing changes; then with it, where no mistake is left. */
typedef struct StateReader {
    ByteReader in;
    bool apply;
    uint64_t earliest_ns; /* no event may be armed for a time before */
    uint64_t sequence; /* of the event queue: those of the events are below */
    Err *err; /* what was wrong */
} StateReader;

struct DeviceType {
    const char *name; /* short: "cmsdk-uart" */
    const char *summary; /* one line for `orrery list devices` */
    const char *const *repl_types; /* names in .repl files, NULL-terminated */
    const char *const *compatible; /* device-tree strings, NULL-terminated, or NULL */
    size_t struct_size;

    const Prop *props;
    size_t n_props;
    const Field *fields; /* state that is not register storage */
    size_t n_fields;
    const Reg *regs; /* sorted by offset */
    size_t n_regs;
    const Output *outputs;
    size_t n_outputs;
    const EventField *events;
    size_t n_events;
    unsigned n_inputs;
    uint32_t uart_offset; /* of a UartPort member; 0 = none */
    uint32_t can_offset; /* of a CanPort member; 0 = none */
    uint32_t eth_offset; /* of an EthPort member; 0 = none */
    uint32_t phy_offset; /* of an EthPhy member (bus/mdio.h), for Ethernet controllers to attach; 0 = none */
    uint32_t i2c_bus_offset; /* controllers: of an I2cBus member; 0 = none */
    uint32_t spi_bus_offset; /* controllers: of a SpiBus member; 0 = none */
    uint32_t leon_irq_offset; /* of a LeonIrqPort member (bus/leon_irq.h); 0 = none */

    uint32_t cpu_offset; /* of a Cpu member; 0 = it is no CPU */

    const DeviceModel *models; /* ends with a NULL name; NULL if there are none */

    uint64_t window_size; /* bytes of the register window if the platform file does not tell */
    /* Windows without a register table, or banks of one: these then call device_reg_read and device_reg_write. */
    uint64_t (*read)(Device *dev, uint64_t offset, unsigned size);
    void (*write)(Device *dev, uint64_t offset, unsigned size, uint64_t value);

    bool (*init)(Device *dev, Err *err);
    void (*reset)(Device *dev);
    void (*free)(Device *dev); /* host resources only */
    void (*input)(Device *dev, unsigned index, bool level);
    /** Registration of a device under this one: `child: T @ parent 0x1d`. NULL: nothing can be attached. */
    bool (*attach)(Device *dev, Device *child, uint64_t address, Err *err);
    const I2cTargetOps *i2c;
    const SpiTargetOps *spi;
    /** Boot loaders that the simulator plays: sets up the board's devices, through their registers, as firmware that is
     * loaded straight into RAM expects to find them. src/sim/boot.c decides when. */
    void (*boot)(Device *dev);
    const struct DtBinding *dt; /* names in device trees that are not ours (bus/dt_binding.h), or NULL */
    const struct AmbaCore *amba; /* what GRLIB's plug and play tells of it (bus/amba.h), or NULL */
    bool beside_cpu; /* each run of a core looks at it: it stands next to the cores in the host's memory (board->hot) */
    bool background; /* its windows take only addresses that no other device has: bridges with holes */
    /** Only for types that place themselves on the bus (memories): called for each registration. */
    bool (*map)(Device *dev, uint64_t base, uint64_t size, Err *err);
    /** The backing of memory types, for devices that program them (flash controllers); valid after init, else NULL. */
    struct Memory *(*memory)(Device *dev);
    /** Of those: without power all its bytes become `*fill`; false, or NULL: it keeps them. */
    bool (*forgets)(const Device *dev, uint8_t *fill);
    /** State outside of the tables (memory contents): all three or none. */
    void (*hash)(const Device *dev, Hash *hash);
    void (*save)(const Device *dev, ByteVec *out);
    bool (*load)(Device *dev, StateReader *in);
};

/** Where word offsets led: only a cache, common to the devices of one type in all nodes of a plan, on whatever thread
 * they run. Zeroed, nothing is known. */
typedef struct RegCache {
    uint64_t found[64]; /* device.c says of what; by bits of the word number */
} RegCache;

struct Device {
    const DeviceType *type;
    const char *name; /* as in the platform file */
    Board *board;
    const struct Cpu *core; /* the only core that sees its registers; NULL: all do */
    RegCache *regs; /* NULL: each access looks its register up */
};

/* ---- The board: what a node gives its devices ------------------------------------------------------------------- */

typedef enum StopReason {
    STOP_NONE,
    STOP_DURATION, /* the time asked for has passed */
    STOP_EXIT, /* the guest asked to end, with a code */
    STOP_LOCKUP, /* no CPU can ever run again */
    STOP_ASLEEP, /* all CPUs sleep and nothing is left that could wake them */
    STOP_STRICT, /* a guest mistake under --strict */
    STOP_USER, /* the embedder asked */
    STOP_ERROR, /* Orrery itself failed */
    STOP_HALTED, /* a CPU took a trap that it could not take (SPARC error mode), with a code: many programs end so */
    STOP_DEADLINE, /* the time by which the guest should have ended has come */
    STOP_BREAKPOINT, /* a CPU stands before an instruction at a breakpoint */
    STOP_EXPECT, /* somebody waited for what has just happened */
} StopReason;

struct Board {
    const char *name; /* of the node */
    Arena *arena; /* lives as long as the board; use it in init only */
    Arena *bulk; /* for devices that are mostly buffers, or NULL: the same */
    Arena *hot; /* for what runs look at all the time, or NULL: the same */
    const Log *log;
    struct GuestLog *guest_log;
    struct LinkEnd *link_ends; /* ports of this board that links join, the last one first */
    uint64_t seed;
    void (*request_reset)(Board *board); /* system reset after the running instruction */
    void (*console)(Board *board, const void *bytes, size_t len); /* semihosting output */
    bool (*add_cpu)(Board *board, struct Cpu *cpu, uint64_t hz); /* from init of CPU types */
    /** Lets a held core go, at `entry` (BOARD_ENTRY_RESET: where its reset leads); it runs from its next slice on.
     * False if there is no such core or it is not held. */
    bool (*start_cpu)(Board *board, unsigned index, uint64_t entry);
    void (*send_event)(Board *board); /* SEV of the running core, for all others */
    /** The outside (a wire from another node, a finger) holds an input of a device at that level from now on. */
    void (*outside_level)(Board *board, Device *dev, unsigned input, bool level);
    ClockStore *clocks; /* for clock_shared, or NULL */
    uint64_t (*core_now_ns)(Board *board, const struct Cpu *cpu); /* where that core is */
    uint64_t (*current_pc)(Board *board); /* of the CPU that is running, 0 if none */
    void (*stop)(Board *board, StopReason reason, int code); /* after the running instruction */
    LineGuard lines;
    Device **devices; /* of the board, those of the platform file first */
    size_t n_devices;
    MemMap map;
    /* With the end of the map, what each event needs. */
    EventQueue events;
    bool off; /* no power: what arrives is lost */
    bool reset_pin; /* the reset under way comes from outside */
    bool lines_stuck; /* lines drive each other without end: for good */
    unsigned current_cpu; /* index of the core whose turn it is: who makes an access */
    /** Never runs backwards for what all cores share: if another core has been ahead in its slice, that time counts. */
    uint64_t (*now_ns)(Board *board);
};

#define BOARD_ENTRY_RESET UINT64_MAX

static inline uint64_t device_now_ns(const Device *dev) {
    Board *board = dev->board;
    return UNLIKELY(dev->core != NULL) ? board->core_now_ns(board, dev->core) : board->now_ns(board);
}
static inline void device_event_at(Device *dev, Event *event, uint64_t time_ns) {
    event_at(&dev->board->events, event, time_ns);
}
static inline void device_event_cancel(Device *dev, Event *event) {
    event_cancel(&dev->board->events, event);
}

/** Before init, with type, name and board set: gives the events their `fire` and the UartPort its device. */
void device_bind(Device *dev);
/** For DeviceType.attach of ports with so many pins: what stands at a pin (an LED, a button) is wired by connections;
 * the number only says where it is. */
bool device_attach_at_pin(const Device *port, const Device *child, uint64_t pin, unsigned pins, Err *err);
/** Resets one device as described at the head; `cold` also resets what survives a warm reset. A board does it in two
 * passes over its devices, tables first, hooks then: what a hook drives reaches devices that are reset already,
 * whatever their order. */
void device_reset(Device *dev, bool cold);
void device_reset_tables(Device *dev, bool cold);
void device_reset_hook(Device *dev);
void device_events_cancel(Device *dev);
/** Feeds fields, registers, event times and type->hash. */
void device_hash(const Device *dev, Hash *hash);
/** Appends what device_hash feeds, in that order. */
void device_save(const Device *dev, ByteVec *out);
/** Takes it back; false and an error that names the device. All events of the board are disarmed when it is applied. */
bool device_load(Device *dev, StateReader *in);
/** Feeds what saved state must agree on: names, sizes and counts of the tables, values of the properties, wiring. */
void device_layout_hash(const Device *dev, Hash *hash);
/** An event in saved state: its time and sequence, or that it is not armed. */
void device_event_save(const Event *event, ByteVec *out);
bool device_event_load(Event *event, EventQueue *queue, StateReader *in);

/** The parts of a device that its tables name. */
static inline Event *device_event(const Device *dev, const EventField *field) {
    return (Event *)((uintptr_t)dev + field->offset);
}
static inline Line *device_lines(const Device *dev, const Output *output) {
    return (Line *)((uintptr_t)dev + output->offset);
}
static inline unsigned device_output_count(const Output *output) {
    return output->count ? output->count : 1;
}
static inline UartPort *device_uart(const Device *dev) {
    return dev->type->uart_offset ? (UartPort *)((uintptr_t)dev + dev->type->uart_offset) : NULL;
}
static inline CanPort *device_can(const Device *dev) {
    return dev->type->can_offset ? (CanPort *)((uintptr_t)dev + dev->type->can_offset) : NULL;
}
static inline EthPort *device_eth(const Device *dev) {
    return dev->type->eth_offset ? (EthPort *)((uintptr_t)dev + dev->type->eth_offset) : NULL;
}
static inline struct EthPhy *device_phy(const Device *dev) {
    return dev->type->phy_offset ? (struct EthPhy *)((uintptr_t)dev + dev->type->phy_offset) : NULL;
}
static inline I2cBus *device_i2c_bus(const Device *dev) {
    return dev->type->i2c_bus_offset ? (I2cBus *)((uintptr_t)dev + dev->type->i2c_bus_offset) : NULL;
}
static inline SpiBus *device_spi_bus(const Device *dev) {
    return dev->type->spi_bus_offset ? (SpiBus *)((uintptr_t)dev + dev->type->spi_bus_offset) : NULL;
}
static inline struct Cpu *device_cpu(const Device *dev) {
    return dev->type->cpu_offset ? (struct Cpu *)((uintptr_t)dev + dev->type->cpu_offset) : NULL;
}
static inline uint32_t device_reg_count(const Reg *reg) {
    return reg->count ? reg->count : 1;
}
static inline uint32_t *device_reg_word(const Device *dev, const Reg *reg, unsigned index) {
    return (uint32_t *)((uintptr_t)dev + reg->storage) + (reg->is_bit ? 0 : index);
}
/** What is stored of a register that has storage. */
static inline uint32_t device_reg_get(const Device *dev, const Reg *reg, unsigned index) {
    uint32_t word = *device_reg_word(dev, reg, index);
    return UNLIKELY(reg->is_bit) ? word >> (reg->bit + index) & 1 : word;
}
static inline void device_reg_put(Device *dev, const Reg *reg, unsigned index, uint32_t value) {
    uint32_t *word = device_reg_word(dev, reg, index);
    if (UNLIKELY(reg->is_bit)) {
        uint32_t mask = UINT32_C(1) << ((reg->bit + index) & 31);
        value = value & 1 ? *word | mask : *word & ~mask;
    }
    *word = value;
}

/** Register-table access: what windows of types with `regs` call. Registers are 32-bit words. A smaller access reads
 * the whole register (with its side effects) and takes its part; it writes its bytes merged with the storage. */
uint64_t device_reg_read(Device *dev, uint64_t offset, unsigned size);
void device_reg_write(Device *dev, uint64_t offset, unsigned size, uint64_t value);
/** Name of the register at an offset, "CC[2]" for array elements, "+0x504" if the table has none. */
void device_reg_name(const Device *dev, uint64_t offset, char *out, size_t size);

/* ---- Guest mistakes --------------------------------------------------------------------------------------------- */

typedef enum GuestMistake {
    GUEST_UNMAPPED, /* nothing at that address */
    GUEST_UNMODELLED, /* the hardware has it, the model does not */
    GUEST_MISUSE, /* the manual forbids it */
    GUEST_POLL, /* reads one register again and again without progress */
} GuestMistake;

/** Reports what the running instruction did wrong with register `what` (static string); logged once per
 * (device, what, PC), counted always, an error under --strict (GUEST_POLL and GUEST_MISUSE excepted). */
void device_guest_log(Device *dev, GuestMistake kind, const char *what, const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif
