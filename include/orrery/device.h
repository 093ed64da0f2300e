/* Orrery: a peripheral of your own. Fill in an OrrDeviceType, give it to a world before its nodes are made, and name
 * its `type` in a platform file or an OrrPart.
 *
 * A device works in virtual time and keeps all that it remembers in its state, which is saved, restored and hashed as
 * bytes: no pointers there, and no padding that is not zero. It must not use the host's time or randomness. Callbacks
 * run on the thread that runs the world. */
#ifndef ORRERY_DEVICE_H
#define ORRERY_DEVICE_H

#include <orrery/orrery.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Layout of OrrDeviceType; it changes when a member does. */
#define ORR_DEVICE_ABI 1

enum { ORR_DEVICE_OUTPUTS_MAX = 256, ORR_DEVICE_INPUTS_MAX = 256, ORR_DEVICE_EVENTS_MAX = 64,
       ORR_DEVICE_PROPERTIES_MAX = 64, ORR_DEVICE_STATE_MAX = 1 << 20 };

typedef struct OrrDevice OrrDevice;

/** A property that the platform file may set: a number, or text. */
typedef struct OrrDeviceProperty {
    const char *name; /* NULL ends the table */
    bool is_text, required;
    uint64_t fallback; /* of a number that is not given; text is NULL then */
    const char *description;
} OrrDeviceProperty;

/** All that a device is; it must outlive the world. Functions may be NULL. */
typedef struct OrrDeviceType {
    uint32_t abi; /* ORR_DEVICE_ABI */
    const char *type; /* in platform files: "Example.Dice" */
    const char *summary;
    uint64_t window_size; /* bytes of registers if the platform file does not tell; 0: none */
    size_t state_size; /* zeroed by each reset of the board */
    unsigned outputs, inputs, events;
    const OrrDeviceProperty *properties;
    void *user; /* for the callbacks: orr_device_user */

    /** Checks the properties. False and an error text refuse the platform. */
    bool (*init)(OrrDevice *device, OrrError *error);
    void (*reset)(OrrDevice *device);
    /** Accesses of 1, 2, 4 or 8 bytes at any offset within the window. */
    uint64_t (*read)(OrrDevice *device, uint64_t offset, unsigned size);
    void (*write)(OrrDevice *device, uint64_t offset, unsigned size, uint64_t value);
    /** An input has changed. */
    void (*input)(OrrDevice *device, unsigned input, bool level);
    /** The time of an event has come; it is no longer armed. */
    void (*event)(OrrDevice *device, unsigned event);
} OrrDeviceType;

/** Makes the type known to the nodes that are added afterwards; it replaces a model of the same type. Errors: another
 * ABI, limits, no name. */
ORR_API bool orr_world_device_type(OrrWorld *world, const OrrDeviceType *type, OrrError *error);

/** Its state_size bytes, aligned for any type. */
ORR_API void *orr_device_state(OrrDevice *device);
ORR_API void *orr_device_user(const OrrDevice *device);
ORR_API const char *orr_device_instance(const OrrDevice *device);
/** A property by its place in the table. */
ORR_API uint64_t orr_device_number(const OrrDevice *device, unsigned property);
ORR_API const char *orr_device_text(const OrrDevice *device, unsigned property);

ORR_API uint64_t orr_device_now_ns(const OrrDevice *device);
/** The core that makes the access. */
ORR_API unsigned orr_device_core(const OrrDevice *device);
/** Arms an event, or moves it; ORR_TIME_NEVER disarms. A time in the past is the next instruction boundary. */
ORR_API void orr_device_event_at(OrrDevice *device, unsigned event, uint64_t time_ns);
/** Drives an output. Equal levels are no change. */
ORR_API void orr_device_output(OrrDevice *device, unsigned output, bool level);
/** Answers the access that is under way with a bus error. */
ORR_API void orr_device_fault(OrrDevice *device);
/** Accesses memory as a bus master; false if any byte is not memory, nothing is written then. */
ORR_API bool orr_device_read(OrrDevice *device, uint64_t address, void *out, size_t size);
ORR_API bool orr_device_write(OrrDevice *device, uint64_t address, const void *data, size_t size);
/** Tells the guest log that the running instruction misused the register `what` (a string that stays). */
ORR_API void orr_device_misuse(OrrDevice *device, const char *what, const char *text);
/** Ends the run after the running instruction, as the guest itself could (ORR_STOP_EXIT). */
ORR_API void orr_device_exit(OrrDevice *device, int code);
#define ORR_ENTRY_RESET UINT64_MAX
/** Starts a core that is held in reset, at `entry`, or where its reset leads (ORR_ENTRY_RESET). False: it is not held.
 */
ORR_API bool orr_device_start_core(OrrDevice *device, unsigned core, uint64_t entry);

#ifdef __cplusplus
}
#endif

#endif
