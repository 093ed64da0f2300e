/* What the boards of a world send on their serial ports, line by line, in the order of virtual time, each with the port
 * that it comes from. */
#ifndef FRONT_SHOW_H
#define FRONT_SHOW_H

#include <orrery/world.h>

#include "front/front.h"

typedef struct Show Show;

/** Listens to all ports of the world; whoever listens to one later has it alone. With `quiet` nothing is printed. */
Show *show_open(OrrWorld *world, bool quiet);
/** Between runs: prints the lines that are whole; at the `end` also those that are not. */
void show_lines(Show *show, bool end);
/** NULL is fine. */
void show_close(Show *show);

#endif
