/* Orrery: a board from structs instead of a platform file. Part names, device types and properties are those of
 * platform files (`orrery list device NAME`); what is wrong is told as `parts:N:1: ...`, N being the number of the
 * part, counted from 1. All arrays end with an element of zeroes. Nothing is kept: they may go when orr_node_new is
 * back.
 *
 *     static const OrrPart board[] = {
 *         {.name = "cpu", .type = "CPU.CortexM", .places = (const OrrPlace[]){ORR_ON_BUS, {0}},
 *          .properties = (const OrrProperty[]){ORR_TEXT("cpuType", "cortex-m3"), ORR_PART("nvic", "nvic"), {0}}},
 *         {.name = "ram", .type = "Memory.MappedMemory", .places = (const OrrPlace[]){ORR_AT(0), {0}},
 *          .properties = (const OrrProperty[]){ORR_NUMBER("size", 0x10000), {0}}},
 *         ...
 *         {0},
 *     };
 */
#ifndef ORRERY_MACHINE_H
#define ORRERY_MACHINE_H

#include <orrery/orrery.h>

typedef enum OrrPlaceKind {
    ORR_PLACE_END,
    ORR_PLACE_BUS, /* on the system bus without an address: a CPU */
    ORR_PLACE_ADDRESS, /* on the system bus at `address`, `size` bytes (0: as many as the device has) */
    ORR_PLACE_UNDER, /* at `address` of the part `parent`: an I2C address, a pin */
} OrrPlaceKind;

typedef struct OrrPlace {
    OrrPlaceKind kind;
    uint64_t address, size;
    const char *parent;
    const char *cpu; /* ORR_PLACE_ADDRESS: the only CPU that sees it; NULL: all do */
} OrrPlace;

#define ORR_ON_BUS                                                                                                     \
    { .kind = ORR_PLACE_BUS }
#define ORR_AT(where)                                                                                                  \
    { .kind = ORR_PLACE_ADDRESS, .address = (where) }
#define ORR_AT_RANGE(where, bytes)                                                                                     \
    { .kind = ORR_PLACE_ADDRESS, .address = (where), .size = (bytes) }
#define ORR_AT_CPU(where, name)                                                                                        \
    { .kind = ORR_PLACE_ADDRESS, .address = (where), .cpu = (name) }
#define ORR_UNDER(name, where)                                                                                         \
    { .kind = ORR_PLACE_UNDER, .parent = (name), .address = (where) }

typedef enum OrrValueKind { ORR_VALUE_NUMBER, ORR_VALUE_BOOL, ORR_VALUE_TEXT, ORR_VALUE_PART } OrrValueKind;

typedef struct OrrProperty {
    const char *name;
    OrrValueKind kind;
    uint64_t number; /* or 0 and 1 for ORR_VALUE_BOOL */
    const char *text; /* or the name of a part */
} OrrProperty;

#define ORR_NUMBER(property, value)                                                                                    \
    { .name = (property), .kind = ORR_VALUE_NUMBER, .number = (value) }
#define ORR_BOOL(property, value)                                                                                      \
    { .name = (property), .kind = ORR_VALUE_BOOL, .number = (value) }
#define ORR_TEXT(property, value)                                                                                      \
    { .name = (property), .kind = ORR_VALUE_TEXT, .text = (value) }
#define ORR_PART(property, part)                                                                                       \
    { .name = (property), .kind = ORR_VALUE_PART, .text = (part) }

/** A line from an output of this part to an input of another. */
typedef struct OrrConnection {
    const char *output; /* its name, or its number in decimal; NULL: the only output, or the one that is called IRQ */
    const char *to; /* part */
    unsigned input;
} OrrConnection;

struct OrrPart {
    const char *name, *type;
    const OrrPlace *places; /* each of these three may be NULL */
    const OrrProperty *properties;
    const OrrConnection *connections;
};

#endif
