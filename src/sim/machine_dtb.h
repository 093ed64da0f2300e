/* What the parts of the device-tree reader share: machine_dtb.c finds the devices of a tree, machine_dtb_values.c their
 * properties, machine_dtb_emit.c writes them down as a platform file would. */
#ifndef SIM_MACHINE_DTB_H
#define SIM_MACHINE_DTB_H

#include "base/vec.h"
#include "bus/dt_binding.h"
#include "load/dtb.h"
#include "load/repl_make.h"
#include "sim/machine.h"

typedef struct DtDevice DtDevice;

/** A node that describes a device, or a part of one. */
typedef struct DtUse DtUse;
struct DtUse {
    const DtNode *node;
    DtUse *next;
};

typedef enum DtKind {
    DT_KIND_DEVICE, /* on the system bus */
    DT_KIND_CPU,
    DT_KIND_CHILD, /* under another device */
    DT_KIND_LOOSE, /* wired only: keys, LEDs */
    DT_KIND_EXTRA, /* goes with another device; the tree does not tell */
} DtKind;

struct DtDevice {
    DtKind kind;
    const DtNode *node; /* the first that describes it */
    DtUse *uses, **uses_tail;
    const DeviceType *type; /* NULL: unknown, becomes a stub */
    const char *type_name; /* in a platform file */
    const char *compatible; /* string by which it was found */
    const char *name;
    uint64_t base, size;
    const DtDevice *parent; /* of a child, and of a memory inside of its controller */
    ReplMaker maker;
    ReplEntry *entry;
    ReplAttr **attrs;
};

typedef struct DtBuild {
    const DtTree *tree;
    const MachineOptions *options;
    const Log *log;
    Arena *arena;
    Err *err;
    VEC(DtDevice *) devices;
    DtDevice **by_node; /* device of each node, by its index */
    Map names; /* in use */
    uint64_t system_hz; /* clock of the CPU and of all that names none; 0: unknown */
} DtBuild;

/** True if a type is that of a memory: it places itself and has a size. */
bool dtb_is_memory(const DeviceType *type);
/** The last type of that platform-file name, or NULL. */
const DeviceType *dtb_type_named(const DtBuild *b, const char *name);
/** The first device that a node of that `compatible` describes, or NULL. */
const DtDevice *dtb_device_compatible(const DtBuild *b, const char *compatible);
/** The device of the property's target node. */
const DtDevice *dtb_device_of(const DtBuild *b, const DtNode *node);

/** Finds the CPU's clock. */
bool dtb_system_clock(DtBuild *b);
/** Adds the properties that the tree gives, or that follow from it, to the device's entry. */
bool dtb_properties(DtBuild *b, DtDevice *dev);
/** What dtb_properties gave a number property, else its default. */
uint64_t dtb_property_number(const DtDevice *dev, const char *name);

/** The tree's devices as a platform file; they are complete. NULL and an error. */
const ReplFile *dtb_emit(DtBuild *b);

#endif
