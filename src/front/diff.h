/* Two nodes that should be equal, side by side: what `lockstep`, `tracediff` and `compare` show. */
#ifndef FRONT_DIFF_H
#define FRONT_DIFF_H

#include "front/front.h"

/** `what`, address, function and line, instruction. */
void diff_print_pc(const char *what, OrrNode *node, uint64_t pc);
/** Times, registers of a core, parts that differ, and the first byte of memories that do. */
void diff_print_state(OrrNode *const node[2], unsigned core, const OrrStop stop[2], const char *const names[2]);

#endif
