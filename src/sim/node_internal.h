/* What the files behind sim/node.h share: input from outside that waits for its time, and the scheduler. */
#ifndef SIM_NODE_INTERNAL_H
#define SIM_NODE_INTERNAL_H

#include "sim/node.h"

struct NodeInput {
    Event event;
    Node *node;
    NodeInput *prev, *next;
    NodeInputKind kind;
    Device *device; /* of bytes and levels, else NULL */
    unsigned input;
    bool level;
    size_t len;
    uint8_t bytes[];
};

/** Adds an input that is armed for no time yet; the caller arms its event, which frees it when it has fired. */
NodeInput *node_input_new(Node *node, NodeInputKind kind, Device *device, const uint8_t *bytes, size_t len);
/** Forgets all that wait. */
void node_inputs_free(Node *node);
/** Of the board: the outside holds a level at an input of a device from now on. */
void node_outside_level(Board *board, Device *device, unsigned input, bool level);

/* power.c: in the node's own time, between instructions. */
void node_power_off(Node *node);
void node_power_on(Node *node);
void node_power_reset(Node *node);

/** Resets all cores and devices; the cores take their first steps when they run again. */
void node_reset_all(Node *node, bool cold);
/** The power is gone: the same without what devices do at a reset. */
void node_clear_all(Node *node);

/* schedule.c: functions of the board. */
uint64_t node_now_ns(Board *board);
uint64_t node_core_now_ns(Board *board, const Cpu *cpu);
uint64_t node_current_pc(Board *board);
void node_request_reset(Board *board);
bool node_start_cpu(Board *board, unsigned index, uint64_t entry);
void node_send_event(Board *board);
void node_on_earlier(EventQueue *queue, uint64_t time_ns);
/** The running instruction is the last of this call of the engine. */
void node_interrupt_run(Node *node);

/** Copies a segment into guest memory; false and an error if there is none. */
bool node_place_segment(Node *node, const Image *image, const ImageSegment *segment, Err *err);
/** After the CPU's reset: plays the board's boot loader if a program in RAM is to be started (boot.c). */
void node_boot(Node *node);

#endif
