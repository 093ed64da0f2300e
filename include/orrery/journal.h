/* The journal: all that comes into a world from outside, as it comes, so that the run can be had again. */
#ifndef ORRERY_JOURNAL_H
#define ORRERY_JOURNAL_H

#include "orrery/orrery.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum OrrInputKind {
    ORR_INPUT_UART, /* orr_node_uart_input */
    ORR_INPUT_SIGNAL, /* orr_node_signal_drive */
    ORR_INPUT_POWER, /* orr_node_power */
    ORR_INPUT_RESET, /* orr_node_reset */
    ORR_INPUT_MEET, /* orr_world_meet_at */
} OrrInputKind;

typedef struct OrrInput {
    OrrInputKind kind;
    OrrNode *node; /* ORR_INPUT_MEET: NULL */
    uint64_t given_ns; /* orr_world_ran_ns when it was given */
    uint64_t time_ns; /* when it takes effect */
    const char *device; /* UART, SIGNAL */
    unsigned input; /* SIGNAL */
    bool level; /* SIGNAL; POWER: on */
    const void *bytes; /* UART */
    size_t len;
} OrrInput;

/** Calls `given` for each input that is taken from now on; NULL: nobody. What a world file says is none. */
ORR_API void orr_world_journal(OrrWorld *world, void (*given)(void *user, const OrrInput *input), void *user);
/** Gives an input; `given_ns` is not looked at. False if there is no such device or input. A run whose inputs are given
 * again where they were given, each after a run to its `given_ns`, is the same run. */
ORR_API bool orr_world_input(OrrWorld *world, const OrrInput *input);
/** How far the world has run: as far as the last run was to go, or where it ended sooner. Input from outside belongs
 * there or later. */
ORR_API uint64_t orr_world_ran_ns(const OrrWorld *world);
/** Files that have been read for the world, in that order: world and platform files, device trees, images; NULL behind
 * the last one. Not those that a platform file takes in with `using`. */
ORR_API const char *orr_world_file(const OrrWorld *world, size_t index);

#ifdef __cplusplus
}
#endif

#endif
