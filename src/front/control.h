/* The machine-readable interface of `orrery run world.yml --control`: docs/CONTROL.md. */
#ifndef FRONT_CONTROL_H
#define FRONT_CONTROL_H

#include <stdio.h>

#include <orrery/world.h>

/** Answers the requests of `in`, one line each, on `out`, until it ends or one asks to quit; *stop is how the last run
 * ended. False if `out` takes no more. */
bool control_serve(OrrWorld *world, FILE *in, FILE *out, OrrStop *stop);

#endif
