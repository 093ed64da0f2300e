/* `orrery top`: a live view of a world: nodes, speed, links. It looks on and changes nothing. */
#ifndef FRONT_TOP_H
#define FRONT_TOP_H

#include <orrery/world.h>

#include "front/front.h"

typedef struct Top Top;

/** Draws on stdout if that is a terminal; else prints a line now and then. `end_ns`: where the run will end. */
Top *top_open(OrrWorld *world, const char *title, uint64_t end_ns);
/** How far to run until the next look, so that it comes several times per second of the host. */
uint64_t top_span_ns(const Top *top);
/** Between runs. */
void top_look(Top *top);
/** A line of the log: told when the screen is no longer in the way. Without a top (NULL) it is told at once. */
void top_log(Top *top, OrrLogLevel level, const char *line);
/** Prints the last state; the terminal is as it was. NULL is fine. */
void top_close(Top *top);
/** The same from a signal handler: nothing is drawn any more. */
void top_abandon(void);

#endif
