/* What the files behind sim/node.h share: input from outside that waits for its time. */
#ifndef SIM_NODE_INTERNAL_H
#define SIM_NODE_INTERNAL_H

#include "sim/node.h"

struct NodeInput {
    Event event;
    Node *node;
    NodeInput *prev, *next;
    Device *device;
    UartPort *port; /* bytes for a UART, or NULL: a level */
    unsigned input;
    bool level;
    size_t len;
    uint8_t bytes[];
};

/** Adds an input that is armed for no time yet; the caller arms its event, which frees it when it has fired. */
NodeInput *node_input_new(Node *node, Device *device, const uint8_t *bytes, size_t len);
/** Forgets all that wait. */
void node_inputs_free(Node *node);

/** Copies a segment into guest memory; false and an error if there is none. */
bool node_place_segment(Node *node, const Image *image, const ImageSegment *segment, Err *err);
/** After the CPU's reset: plays the board's boot loader if a program in RAM is to be started (boot.c). */
void node_boot(Node *node);

#endif
