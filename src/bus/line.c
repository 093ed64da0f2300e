#include "bus/line.h"

#include "bus/device.h"

static void tell_outside(Line *line) {
    if (line->watch) {
        line->watch(line, line->watch_user);
    }
    for (const LineTap *tap = line->taps; tap; tap = tap->next) {
        tap->changed(tap->user, line->level);
    }
}

void line_set(Line *line, bool level) {
    if (line->level == level) {
        return;
    }
    line->level = level;
    for (uint16_t i = 0; i < line->n_sinks; i++) {
        const LineSink *sink = &line->sinks[i];
        sink->device->type->input(sink->device, sink->input, level);
    }
    tell_outside(line);
}

void line_release(Line *line) {
    if (line->level) {
        line->level = false;
        tell_outside(line);
    }
}

void line_tap_add(Line *line, LineTap *tap) {
    tap->next = line->taps;
    line->taps = tap;
}

void line_tap_remove(Line *line, LineTap *tap) {
    LineTap **at = &line->taps;
    while (*at && *at != tap) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = tap->next;
    }
}

void line_pulse(Line *line) {
    line_set(line, true);
    line_set(line, false);
}
