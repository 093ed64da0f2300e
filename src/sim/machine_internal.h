/* What the parts of the machine builder share. */
#ifndef SIM_MACHINE_INTERNAL_H
#define SIM_MACHINE_INTERNAL_H

#include "base/vec.h"
#include "ir/cpu.h"
#include "sim/machine.h"

/* A name is looked up in the scope of the file that writes it: its local entries, its prefix, then plain. */
typedef struct Setting Setting;
struct Setting {
    const ReplAttr *attr;
    const ReplFile *scope;
    unsigned entry; /* number of the entry that gave it: twice in one entry is a mistake */
    struct Part *target; /* of an inline object or a reference */
    const char *text; /* of a string, in the plan's arena, once a machine has been built */
    Setting *next;
};

typedef struct SettingList {
    Setting *first, **tail;
    unsigned n;
} SettingList;

/** An entry after merging: a device to be. */
typedef struct Part Part;
struct Part {
    const char *key; /* prefix and name */
    const char *name; /* of the device: as key, unless a local name would be given twice; board's arena */
    const char *alias; /* or NULL */
    ReplPos pos;
    const ReplFile *local_to; /* NULL: seen everywhere */
    const char *type_name;
    ReplPos type_pos;
    const DeviceType *type; /* NULL: sysbus, or unknown and to be a stub */
    RegCache *reg_cache; /* of all devices of that type */
    const ReplReg *regs;
    const ReplFile *regs_scope;
    SettingList props, irqs, sections;
    LinePlan *lines; /* of its outputs, as machine_output counts; NULL: no machine has been built yet */
    unsigned number; /* place in Build.parts */
    /* Of the machine that is being built: */
    Device *device;
    bool is_init;
    bool is_cpu; /* on sysbus without an address */
    Part *hash_next;
};

enum { PART_PROPS_MAX = 256, PART_SECTIONS_MAX = 256, BUILD_TAGS_MAX = 4096, GATE_INPUTS_MAX = 64 };
enum { MACHINE_BANK_MAX = 32 };

/** An or-gate to be, behind the parts. */
typedef struct Gate {
    const char *name;
    LinePlan line;
    uint32_t device; /* its place in Board.devices */
    uint32_t given; /* inputs of it in use */
} Gate;

typedef struct MachinePlan Build;

/** A plan is the half of a build that is kept for the next machine. */
struct MachinePlan {
    /* ---- Of the machine that is being built */
    Machine *machine;
    Board *board;
    Err *err;
    Arena scratch; /* until it is built */
    VEC(Device *) devices;
    VEC(Device *) cpus;
    unsigned n_tags;
    /* ---- Kept */
    Arena files; /* syntax trees */
    Arena arena; /* parts, names */
    const char *name; /* of machines: path of the platform file or name of the built-in board */
    const MachineOptions *options;
    const Log *log; /* while the plan is made */
    MachineBytes bytes; /* that a machine has taken of its board's arenas */
    uint32_t n_regions; /* of its map */
    MemRegion *regions; /* those that any machine has, or NULL: they are not known to be equal */
    uint32_t *region_devices; /* whose they are, by place in Board.devices */
    VEC(Part *) declared; /* entries in file order */
    VEC(Part *) parts; /* the same with their inline objects, each before its owner */
    VEC(const ReplFile *) visited;
    Map part_names; /* hash of key and scope -> Part * */
    Map device_names; /* hash of each name in use */
    Map type_names; /* hash of a Renode type -> index in options->types + 1 */
    Map machine_names; /* hash of a device's name or alias -> index in Machine.devices + 1 */
    VEC(Gate *) gates;
    bool is_wired; /* lines and gates are as any machine has them */
    Part *sysbus;
    unsigned n_entries;
};

/** Stores `file:line:col: text`. Returns false. */
bool build_fail(Build *b, ReplPos pos, const char *fmt, ...) PRINTF_LIKE(3, 4);
/** For what a file says to another model than ours: with stubs it is told and left out, which is true. */
bool build_leave_out(Build *b, ReplPos pos, const char *fmt, ...) PRINTF_LIKE(3, 4);
/** "; the nearest is 'x'", or "". */
const char *build_nearest(Build *b, const char *name, const char *const *names, size_t n);
/** The entry that a name of the file means; sysbus too. NULL and an error if there is none. */
Part *build_resolve(Build *b, const ReplFile *scope, const char *name, ReplPos pos);
/** "a number", "a string"... for messages. */
const char *build_value_kind(const ReplValue *value);
/** Its devices belong into board->hot. */
bool build_is_hot(const DeviceType *type);
Device *build_device_new(Build *b, const DeviceType *type, const char *name);
/** One more of the board's, behind those that it has. */
void build_device_add(Build *b, Device *dev);

/** Understands a platform file, whose tree must live as long as the plan is built from. */
bool build_plan(MachinePlan *plan, const ReplFile *file, const MachineOptions *options, const Log *log, Err *err);

/* The steps, in this order: the first two make the plan, the others a machine. Each part of the plan is made in
 * b->scratch, which becomes b->arena. */
bool build_merge(Build *b, const ReplFile *file);
bool build_types(Build *b);
bool build_create(Build *b);
bool build_properties(Build *b);
bool build_attach(Build *b);
bool build_wire(Build *b);
bool build_init(Build *b);
bool build_place(Build *b);
/** Behind all steps of the first machine: what any other has on the bus, if that is sure. */
void build_keep_regions(Build *b);
bool build_tags(Build *b);

/** Makes the window of a device, its owner, that only one CPU sees a part of a bank. The owner is NULL then if the bank
 * is mapped already, else the bank, and the region is that of it. */
bool build_bank(Build *b, const Device *cpu, Device **owner, MemRegion *region, ReplPos pos);
/** Maps a device over whatever of [base, base + size) is free. */
bool build_fill(Build *b, Device *dev, uint64_t base, uint64_t size, ReplPos pos);
/** The value of a tag or 0 for stubs; both report the access. */
extern const DeviceType machine_stub_type;
extern const DeviceType machine_gate_type;

typedef struct StubDevice {
    Device dev;
    uint64_t value; /* what reads give */
} StubDevice;

typedef struct GateDevice {
    Device dev;
    uint64_t levels; /* of the inputs */
    Line out;
} GateDevice;

#endif
