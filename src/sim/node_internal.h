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
/** Takes resets that are due: the CPU is where its first instruction, or the next one, starts. */
void node_power_on(Node *node);
/** Forgets all that wait. */
void node_inputs_free(Node *node);

#endif
