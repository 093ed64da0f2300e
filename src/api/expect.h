/* Expectations: what must happen by when. Each listens to one port, line, or end of a node, on the thread that runs the
 * node, and stops the node where it is decided; times that are over are seen between runs, which end there. */
#ifndef API_EXPECT_H
#define API_EXPECT_H

#include "base/err.h"
#include "orrery/world.h"

typedef struct Expect Expect;

/** Starts listening; NULL and an error if the node has no such port or line. */
Expect *expect_new(OrrNode *node, const OrrExpectOptions *options, Err *err);
void expect_free(Expect *expect);
/** When the first of those that are open is over; TIME_NEVER: none is. */
uint64_t expect_limit_ns(const OrrWorld *world);
/** After a run: decides those whose nodes have ended, and those whose time is over if all nodes have reached
 * `reached_ns` (0: nobody knows). The node of one that was decided by time, or NULL. */
OrrNode *expect_update(OrrWorld *world, uint64_t reached_ns);
/** The world has ended: nothing that never was to happen will happen any more. */
void expect_end(OrrWorld *world);

#endif
