/* A line: one bit from an output of a device to inputs of others. Interrupts, pins, chip selects are all lines. */
#ifndef BUS_LINE_H
#define BUS_LINE_H

#include "base/common.h"

struct Device;

/** An input that a line leads to. */
typedef struct LineSink {
    uint32_t device; /* its place in Board.devices */
    uint32_t input;
} LineSink;

/** What a line is: common to all nodes that are built alike. */
typedef struct LinePlan {
    const char *name; /* "gpio.3", for traces */
    const LineSink *sinks; /* in connection order */
    uint32_t n_sinks;
    uint32_t offset; /* of the line in its device */
} LinePlan;

/** One who hears of changes beside the sinks: a wire to another node, an expectation, who watches from outside. */
typedef struct LineTap {
    void (*changed)(void *user, bool level);
    void *user;
    struct LineTap *next;
} LineTap;

typedef struct Line {
    const LinePlan *plan; /* NULL: it leads nowhere and has no name */
    LineTap *taps; /* newest first */
    bool level;
} Line;

/* Of a board: outputs that drive each other in a ring whose levels never settle are a mistake of the platform file.
 * When lines change each other too deep, nobody hears of changes any more (board->lines_stuck), and the board stops
 * with STOP_ERROR. */
enum { LINE_DEPTH_MAX = 200, LINE_RING_MAX = 8 };

typedef struct LineGuard {
    const Line *ring[LINE_RING_MAX]; /* the last one first, in the order in which they return */
    unsigned n_ring;
    bool told;
    unsigned depth; /* changes under way, one inside the other */
} LineGuard;

/** How many sinks it has, and the device of one of them. */
static inline unsigned line_sinks(const Line *line) {
    return line->plan ? line->plan->n_sinks : 0;
}
struct Device *line_sink(const Line *line, unsigned i);
/** Drives the line; sinks hear of changes only. */
void line_set(Line *line, bool level);
/** Nobody drives it any more: low. Taps hear of it; the sinks are reset with the device. */
void line_release(Line *line);
/** Adds a listener. */
void line_tap_add(Line *line, LineTap *tap);
/** Takes it out again; not from a callback. */
void line_tap_remove(Line *line, LineTap *tap);
/** High, then low again: for outputs that are edges. */
void line_pulse(Line *line);

#endif
