/* A machine: the devices of a board, built from a platform file and device types.
 *
 * The builder merges the entries of all files and finds their types: that is a plan, from which any number of machines
 * can be built. For each it makes the devices (zeroed, in the board's arena), sets properties, attaches devices to
 * their parents, wires lines, calls `init`, then maps windows. Each step goes in file order, so two machines of one
 * plan are equal; but the devices that a device's properties name are initialised before it. Inputs that
 * several outputs drive get an or-gate in between. Addresses that are only named (`Tag` lines of sysbus) and, if asked
 * for, devices of unknown types become windows that report each access as unmodelled and fill what nothing else
 * occupies.
 *
 * A window that is registered for one of several CPUs (`cpu:`) is seen by that CPU only, and its device keeps that
 * CPU's time (machine_bank.c).
 *
 * Refused with a message: monitor commands other than Tag in init, preinit and reset sections (with stubs: told and
 * left out); memories for one of several CPUs, registrations for clusters or with conditions; regions of a device
 * (BusMultiRegistration with `region`); local inputs (`#`). */
#ifndef SIM_MACHINE_H
#define SIM_MACHINE_H

#include "base/map.h"
#include "bus/device.h"
#include "load/repl.h"

enum { MACHINE_DEVICES_MAX = 4096, MACHINE_REGIONS_MAX = 8192, MACHINE_LINKS_MAX = 65536 };

typedef struct MachineOptions {
    const DeviceType *const *types;
    size_t n_types;
    bool stub_unknown; /* unknown types become windows that log, instead of errors */
} MachineOptions;

/** A platform file, understood, and what all machines made of it have in common. */
typedef struct MachinePlan MachinePlan;

typedef struct Machine {
    Board *board;
    MachinePlan *plan; /* holds the names of the devices and lines */
    bool owns_plan; /* nobody else uses it */
    const char *name; /* path of the platform file or name of the built-in board */
    Device **devices; /* in file order; or-gates, stubs and tags of the builder at the end */
    size_t n_devices;
    size_t n_declared; /* of them, those of the platform file */
    Device **cpus; /* registered on sysbus without an address */
    size_t n_cpus;
    bool big_endian; /* `sysbus: { Endianess: Endianess.BigEndian }` */
} Machine;

/** Builds the devices of file onto a board whose arena, log and functions are set and whose map is empty. False and
 * `file:line:col: what was expected` on a mistake; the machine is then empty, the map may hold regions. The platform
 * file may be freed afterwards. type->init may be called with a device property that has another type than meant:
 * models check `->type`. */
bool machine_build(Machine *machine, Board *board, const ReplFile *file, const MachineOptions *options, Err *err);
/** What a machine is built from: the first of the five that is not NULL. */
typedef struct MachineSource {
    const ReplFile *file; /* a syntax tree */
    const char *name; /* of a built-in board */
    const char *text; /* of a platform file */
    const char *text_name; /* where that comes from; NULL: "platform" */
    const char *dtb_path; /* of a device tree; if `dtb` is given, only its name in messages */
    const char *path; /* of a platform file */
    const void *dtb; /* dtb_size bytes */
    size_t dtb_size;
    const DeviceType *const *types; /* beside those of this program */
    size_t n_types;
    bool stub_unknown;
} MachineSource;

/** A plan with all device types of this program. NULL and an error on a mistake. `log` is told what is left out. */
MachinePlan *machine_plan_new(const MachineSource *source, const Log *log, Err *err);
/** What a machine takes of its board's arenas. */
typedef struct MachineBytes {
    size_t main, hot, bulk;
} MachineBytes;
/** Of a machine of the plan, about; 0 if none has been made yet. */
MachineBytes machine_plan_bytes(const MachinePlan *plan);
/** Files that the platform file has taken in with `using`, and their files; NULL behind the last. Those that come with
 * the program have no path: "". */
const char *machine_plan_used(const MachinePlan *plan, size_t index);
/** After all its machines. NULL is fine. */
void machine_plan_free(MachinePlan *plan);
/** A machine of the plan, in the board's arena. NULL and an error on a mistake; the plan is the machine's if `owned`,
 * also then. One thread at a time may build from a plan. */
Machine *machine_new(Board *board, MachinePlan *plan, bool owned, Err *err);
/** The platform file that a flattened device tree amounts to (machine_dtb.c); it lives in the arena and does not point
 * into the blob. NULL and `path:/node: what was expected` on a mistake. */
const ReplFile *machine_dtb(Arena *arena, const char *path, const void *blob, size_t len,
                            const MachineOptions *options, const Log *log, Err *err);
/** Calls type->free of every device (also after a failed init) and frees UART queues; the board frees the rest. */
void machine_free(Machine *machine);

/** Resets every device, in order. */
void machine_reset(Machine *machine, bool cold);
/** Without power: all state as after a cold reset, but no device does anything. */
void machine_clear(Machine *machine);
/** All outputs go low; who watches from outside hears of it, devices do not. */
void machine_outputs_release(Machine *machine);
/** Feeds every device, in order. */
void machine_hash(const Machine *machine, Hash *hash);

/** By the name in the platform file (with its prefix) or its alias; NULL and an error that names the nearest one. */
Device *machine_device(const Machine *machine, const char *name, Err *err);
/** An output: "gpio.3" for numbered ones, "uart0.TxInterrupt" for single ones, "timer.compare2" for named arrays. */
Line *machine_line(const Machine *machine, const char *name, Err *err);

/** The device that an access of the core in turn to a region of `device` reaches. */
const Device *machine_banked(const Device *device);

/** Number of outputs of a type, and output i of a device. */
size_t machine_output_count(const DeviceType *type);
Line *machine_output(const Device *dev, size_t i);

#endif
