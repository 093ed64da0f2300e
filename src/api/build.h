/* From the parts of include/orrery/machine.h to the syntax tree of a platform file. */
#ifndef API_BUILD_H
#define API_BUILD_H

#include "orrery/machine.h"

#include "load/repl.h"

/** The tree lives in the arena and holds no pointer into the parts. NULL and an error. */
const ReplFile *build_parts(Arena *arena, const OrrPart *parts, Err *err);

#endif
