/* Orrery: looking into a node: its cores one by one, memory as a core sees it, steps, breakpoints. Nothing here happens
 * in the guest: between runs, or in callbacks. */
#ifndef ORRERY_DEBUG_H
#define ORRERY_DEBUG_H

#include <orrery/orrery.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Cores in the order of the platform file; the functions of orrery.h that name no core mean the first. Beyond the last
 * one: NULL, 0, false. */
ORR_API unsigned orr_node_core_count(const OrrNode *node);
ORR_API const char *orr_core_name(const OrrNode *node, unsigned core);

typedef enum OrrCoreState {
    ORR_CORE_RUNS,
    ORR_CORE_SLEEPS, /* waits for an interrupt or event */
    ORR_CORE_HELD, /* in reset until a device starts it */
    ORR_CORE_DEAD, /* locked up: only a reset helps */
} OrrCoreState;
ORR_API OrrCoreState orr_core_state(const OrrNode *node, unsigned core);

/** Where the core is: no more than one quantum behind the first one. */
ORR_API uint64_t orr_core_time_ns(const OrrNode *node, unsigned core);
ORR_API uint64_t orr_core_instructions(const OrrNode *node, unsigned core);
ORR_API uint64_t orr_core_pc(const OrrNode *node, unsigned core);
/** Makes the core go on at an address. */
ORR_API bool orr_core_pc_set(OrrNode *node, unsigned core, uint64_t pc);

/** Registers by number; elements of an array share a name, *element tells them apart. */
ORR_API size_t orr_core_register_count(const OrrNode *node, unsigned core);
ORR_API const char *orr_core_register_name(const OrrNode *node, unsigned core, size_t number, unsigned *element);
ORR_API uint64_t orr_core_register(const OrrNode *node, unsigned core, size_t number);
ORR_API bool orr_core_register_set(OrrNode *node, unsigned core, size_t number, uint64_t value);
/** Number of a register, "r" and 13; SIZE_MAX if there is none. */
ORR_API size_t orr_core_register_find(const OrrNode *node, unsigned core, const char *name, unsigned element);

/** Memory at the addresses that the core's program uses (orr_node_read and orr_node_write take those of the bus); false
 * if any byte of the range is not mapped, or not memory. */
ORR_API bool orr_core_read(const OrrNode *node, unsigned core, uint64_t addr, void *out, size_t size);
ORR_API bool orr_core_write(OrrNode *node, unsigned core, uint64_t addr, const void *data, size_t size);

/** Text of the instruction at an address, and its length; 0 if there is no memory. */
ORR_API unsigned orr_core_disassemble(const OrrNode *node, unsigned core, uint64_t addr, char *out, size_t size);

/** Runs the node's next instruction, of whatever core is in turn. ORR_STOP_DURATION when it is done. */
ORR_API OrrStop orr_node_step(OrrNode *node);
/** Sets or removes a breakpoint for all cores: runs stop before the instruction there (ORR_STOP_BREAKPOINT), and go on
 * with it. The guest cannot tell; the host can, since each instruction is run by itself while there are any. False if
 * there are too many, or there was none. */
ORR_API bool orr_node_breakpoint(OrrNode *node, uint64_t pc, bool set);

#ifdef __cplusplus
}
#endif

#endif
