/* The host's memory protection as a fast check: a fast access of translated code that hits what is not plain memory
 * raises SIGSEGV; its code is then patched to go its slow path for good, and the guest never notices. */
#ifndef EXEC_FAULT_H
#define EXEC_FAULT_H

#include "base/common.h"

/** One stretch of translated code. */
typedef struct FaultRange FaultRange;
struct FaultRange {
    const uint8_t *begin, *end;
    /** Called on the faulting thread: patches the access at `pc` and returns where to go on, NULL if it is none. */
    const uint8_t *(*redirect)(FaultRange *range, const uint8_t *pc);
    FaultRange *_Atomic next;
};

/** Ranges are added and removed while no thread runs code of theirs; other threads may run code of other ranges. The
 * handler is installed with the first one; signals that are not ours go to the handler that was there before. */
void fault_range_add(FaultRange *range);
void fault_range_remove(FaultRange *range);

#endif
