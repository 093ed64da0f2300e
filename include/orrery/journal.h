/* The journal: all that comes into a world from outside, as it comes, so that the run can be had again. */
#ifndef ORRERY_JOURNAL_H
#define ORRERY_JOURNAL_H

#include "orrery/world.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum OrrInputKind {
    ORR_INPUT_UART, /* orr_node_uart_input */
    ORR_INPUT_SIGNAL, /* orr_node_signal_drive */
    ORR_INPUT_POWER, /* orr_node_power */
    ORR_INPUT_RESET, /* orr_node_reset */
    ORR_INPUT_MEET, /* orr_world_meet_at */
    ORR_INPUT_FRAME, /* orr_world_frame */
    /* What is changed between runs, at once: */
    ORR_INPUT_MEMORY, /* orr_core_write, orr_node_write */
    ORR_INPUT_REGISTER, /* orr_core_register_set */
    ORR_INPUT_PC, /* orr_core_pc_set */
} OrrInputKind;

enum { ORR_NO_CORE = 0xFFFF };

typedef struct OrrInput {
    OrrInputKind kind;
    OrrNode *node; /* MEET, FRAME: NULL */
    size_t link; /* FRAME: index of the link */
    uint64_t given_ns; /* orr_world_ran_ns when it was given */
    uint64_t time_ns; /* when it takes effect */
    const char *device; /* UART, SIGNAL */
    unsigned input; /* SIGNAL */
    bool level; /* SIGNAL; POWER: on */
    unsigned core; /* MEMORY (ORR_NO_CORE: by addresses of the bus), REGISTER, PC */
    uint64_t address; /* MEMORY; REGISTER: its number */
    uint64_t value; /* REGISTER, PC */
    const void *bytes; /* UART, FRAME, MEMORY */
    size_t len;
} OrrInput;

/** Calls `given` for each input that is taken from now on; NULL: nobody. What a world file says is none. While somebody
 * listens, memory and registers can be written only where orr_world_stands. */
ORR_API void orr_world_journal(OrrWorld *world, void (*given)(void *user, const OrrInput *input), void *user);
/** Gives an input; `given_ns` is not looked at. False if there is no such device or input. A run whose inputs are given
 * again where they were given, each after a run to its `given_ns`, is the same run. */
ORR_API bool orr_world_input(OrrWorld *world, const OrrInput *input);
/** The host sends an Ethernet frame, without its check sequence, on link `link` of the world, at a time that is not
 * before orr_world_ran_ns, nor before that of a frame before. Short ones are padded. False if the host is no end of
 * that link (orr_link_join_host), or the length is impossible. */
ORR_API bool orr_world_frame(OrrWorld *world, size_t link, uint64_t time_ns, const void *bytes, size_t len);
/** How far the world has run: as far as the last run was to go; if it ended sooner, where the last of its nodes stands.
 * Input from outside belongs there or later. */
ORR_API uint64_t orr_world_ran_ns(const OrrWorld *world);
/** The last run, if there was one, has gone to the time that it was to go to: a run to orr_world_ran_ns leads here.
 * False behind other stops, where some nodes stand within a window. */
ORR_API bool orr_world_stands(const OrrWorld *world);
/** Files that have been read for the world, in that order: world and platform files with those that they use, device
 * trees, images; NULL behind the last one. */
ORR_API const char *orr_world_file(const OrrWorld *world, size_t index);

/* ---- Two runs side by side ---- */

/** Two worlds with nodes of the same names, whose inputs, images or whatever differ. */
typedef struct OrrCompare {
    /** A world as it is before its run, side 0 or 1; NULL and an error if that fails. Called again for every replay; it
     * must give the same run each time. The world before it, of that side, is no more. */
    OrrWorld *(*make)(void *user, unsigned side, OrrError *error);
    /** Runs it on to a time, with its inputs; it does nothing if the world has stopped. False and an error. */
    bool (*run)(void *user, unsigned side, uint64_t until_ns, OrrStop *stop, OrrError *error);
    void *user;
    uint64_t step_ns; /* how often states are compared; 0: 10 ms */
    uint64_t until_ns; /* how far they are run */
} OrrCompare;

typedef struct OrrCompareResult {
    bool different;
    uint64_t equal_ns; /* run to that time the worlds were equal */
    uint64_t different_ns; /* and run to that time not any more; or where they ended */
    OrrNode *state_node[2]; /* the first one whose state was different then; NULL: stops, or links */
    bool found; /* there is a first instruction with another outcome */
    OrrNode *node[2]; /* whose, on both sides */
    unsigned core;
    bool has_pc; /* it is known: false if registers were different from the beginning */
    uint64_t pc;
    uint64_t instructions; /* of the node before it */
    uint64_t time_ns[2]; /* when the next one of that core begins, or where the world ended */
    OrrWorld *world[2]; /* run to time_ns, or to different_ns */
} OrrCompareResult;

/** Finds the first instruction, in virtual time, after which registers of its core are different: not the first place
 * where a state is, which is where an input waits that nobody has read. False and an error if a world cannot be made or
 * run, or they have other nodes. The worlds of the result belong to whoever made them. */
ORR_API bool orr_compare(const OrrCompare *compare, OrrCompareResult *result, OrrError *error);

#ifdef __cplusplus
}
#endif

#endif
