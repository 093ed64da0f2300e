/* Expectations of a world file: what must happen by when. Each listens to one port, line, or end of a node, on the
 * thread that runs the node; it is looked at between runs. */
#ifndef API_EXPECT_H
#define API_EXPECT_H

#include "load/world.h"

struct OrrNode;
struct OrrWorld;
typedef struct Expect Expect;

/** Starts listening; NULL and an error if the node has no such port or line. */
Expect *expect_new(struct OrrNode *node, const WorldFileExpect *what, Err *err);
void expect_free(Expect *expect);
/** After a run: nodes may have ended, times may be over. */
void expect_update(struct OrrWorld *world);

#endif
