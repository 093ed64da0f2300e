/* A line: one bit from an output of a device to inputs of others. Interrupts, pins, chip selects are all lines. */
#ifndef BUS_LINE_H
#define BUS_LINE_H

#include "base/common.h"

struct Device;

typedef struct LineSink {
    struct Device *device;
    unsigned input;
} LineSink;

/** One more who hears of changes, beside sinks and watch: a wire to another node, an expectation. */
typedef struct LineTap {
    void (*changed)(void *user, bool level);
    void *user;
    struct LineTap *next;
} LineTap;

typedef struct Line {
    bool level;
    uint16_t n_sinks;
    LineSink *sinks; /* in connection order; owned by the board's arena */
    const char *name; /* "gpio.3", for traces; set when the board is built */
    void (*watch)(struct Line *line, void *user); /* called after each change, or NULL */
    void *watch_user;
    LineTap *taps; /* newest first */
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

/** Drives the line; sinks hear of changes only. */
void line_set(Line *line, bool level);
/** Nobody drives it any more: low. Watch and taps hear of it; the sinks are reset with the device. */
void line_release(Line *line);
/** Adds a listener. */
void line_tap_add(Line *line, LineTap *tap);
/** Takes it out again; not from a callback. */
void line_tap_remove(Line *line, LineTap *tap);
/** High, then low again: for outputs that are edges. */
void line_pulse(Line *line);

#endif
