#include "bus/line.h"

#include <stdio.h>
#include <string.h>

#include "bus/device.h"

static void tell_outside(const Line *line) {
    for (const LineTap *tap = line->taps; tap; tap = tap->next) {
        tap->changed(tap->user, line->level);
    }
}

static void ring_tell(Board *board) {
    LineGuard *g = &board->lines;
    char names[256] = "";
    for (unsigned i = g->n_ring; i-- > 0;) { /* in the order of driving */
        size_t len = strlen(names);
        snprintf(names + len, sizeof names - len, "%s%s", len ? ", " : "", g->ring[i]->plan->name);
    }
    g->told = true;
    log_line(board->log, LOG_ERROR, "%s%slines that change each other without end: %s%s",
             board->name ? board->name : "", board->name ? ": " : "", names,
             g->n_ring == LINE_RING_MAX ? " and more" : "");
    if (board->stop) {
        board->stop(board, STOP_ERROR, 0);
    }
}

static bool change_begin(Board *board, const Line *line) {
    LineGuard *g = &board->lines;
    if (!board->lines_stuck && g->depth == LINE_DEPTH_MAX) {
        board->lines_stuck = true;
        g->ring[g->n_ring++] = line;
    }
    g->depth += !board->lines_stuck;
    return !board->lines_stuck;
}

/* Behind the change that was too deep the others return, from the last one to the first: those up to the same line are
 * the ring. */
static void change_end(Board *board, const Line *line) {
    LineGuard *g = &board->lines;
    g->depth--;
    if (!board->lines_stuck || g->told) {
        return;
    }
    if (line == g->ring[0] || g->n_ring == LINE_RING_MAX) {
        ring_tell(board);
    } else {
        g->ring[g->n_ring++] = line;
    }
}

static Board *board_of(const Line *line) {
    return ((const Device *)((uintptr_t)line - line->plan->offset))->board;
}

Device *line_sink(const Line *line, unsigned i) {
    return board_of(line)->devices[line->plan->sinks[i].device];
}

static void sinks_tell(const Line *line, bool level) {
    Board *board = board_of(line);
    if (!change_begin(board, line)) {
        return;
    }
    for (uint32_t i = 0; i < line->plan->n_sinks; i++) {
        const LineSink *sink = &line->plan->sinks[i];
        Device *device = board->devices[sink->device];
        device->type->input(device, sink->input, level);
    }
    change_end(board, line);
}

void line_set(Line *line, bool level) {
    if (line->level == level) {
        return;
    }
    line->level = level;
    if (line_sinks(line)) {
        sinks_tell(line, level);
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
