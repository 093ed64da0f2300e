/* The two types between the engines and a guest architecture: `Isa`, constant, and `Cpu`, one core's state.
 *
 * A guest fills in an Isa: state table, translation of instructions, traps. Engines run translated blocks on a Cpu
 * and know nothing of the guest but what stands here. */
#ifndef IR_CPU_H
#define IR_CPU_H

#include "base/field.h"
#include "ir/build.h"
#include "ir/tlb.h"

struct Board;
struct MemMap;
typedef struct Cpu Cpu;

/** Out-of-line part of an instruction. It may raise a trap with cpu_trap; state is precise when it is called. */
typedef uint64_t (*IsaHelper)(Cpu *cpu, uint64_t a, uint64_t b);

typedef struct Isa {
    const char *name; /* "armv7-m" */
    size_t state_size; /* bytes of the state struct at cpu->state */
    const Field *fields; /* the registers: all of the state */
    size_t n_fields;
    uint32_t flags_slot; /* offset of the four flag bytes N Z C V */
    uint32_t stack_slot; /* offset of the 32-bit stack pointer, for guesses about what is used next; 0: unknown */
    bool big_endian; /* data accesses of the core itself, for debuggers and loaders */
    uint16_t elf_machine; /* e_machine of its images */
    unsigned insn_bytes_max, insn_align;
    uint64_t pc_mask; /* address bits: 0xffffffff for 32-bit guests */
    const IsaHelper *helpers;
    size_t n_helpers;
    unsigned trap_fetch; /* trap number for an instruction fetch that fails; argument: the address */
    const char *(*row_name)(size_t row); /* decode rows, for coverage */
    size_t n_rows; /* the row number n_rows means "none" */
    /** Appends instructions (each from ir_insn to ir_insn_done) found at `bytes`, `avail` long (at least insn_align),
     * with b->aux: one, and those that follow it as long as the block has not ended, holds less than b->limit, and they
     * begin less than `plain` bytes behind `bytes` (there, insn_bytes_max are at hand). False, with nothing appended,
     * if more bytes are needed to decode the first one. */
    bool (*translate)(IrBuilder *b, uint32_t features, const uint8_t *bytes, size_t avail, size_t plain);
    /** Text of one instruction; returns its length in bytes, at least insn_align. */
    unsigned (*disassemble)(char *out, size_t size, uint32_t features, const uint8_t *bytes, size_t avail,
                            uint64_t pc);
    /** Sets the architectural reset state beyond the field table (such as the vector fetch of M-profile). */
    void (*reset)(Cpu *cpu);
    /** After reset: the state in which a boot loader starts a program at `entry`, with a stack below `stack`. NULL:
     * programs start through the reset state alone. */
    void (*boot)(Cpu *cpu, uint64_t entry, uint64_t stack);
    /** Takes a trap raised by the instruction at cpu->pc, aux; the instruction has been counted. */
    void (*trap)(Cpu *cpu, unsigned number, uint64_t arg);
    /** May be NULL. Appends what `trap` does at location b->loc if nothing is unusual, so that it needs no call: no
     * instructions; a TRAP_IF of that number where something is, before any effect; an END. False, whatever has been
     * appended: it is always for `trap`. */
    bool (*translate_trap)(IrBuilder *b, unsigned number);
    /** Called at an instruction boundary while cpu->irq_request is set: takes a pending interrupt if one can be
     * taken, and clears irq_request if none is left. True if it changed the PC. */
    bool (*interrupt)(Cpu *cpu);
    /** Checks rights and alignment; called for accesses with IR_MEM_ALIGNED that are misaligned, for those with
     * IR_MEM_UNPRIV, and for every access while cpu->check_access is set. Raises the trap and returns false if the
     * access is not allowed. */
    bool (*access_check)(Cpu *cpu, uint64_t addr, unsigned mem, bool store);
    /** May be NULL. Memory management, asked while cpu->tlb_bank is set about what that does not know: walks the
     * tables, marks the page as accessed and, before a store, as modified, and fills in bus, load and store of *page.
     * False: the access is not done, and a trap is pending (not for a fetch), or it reads 0. What is found must follow
     * from tables that were read with mem_table_read, and from the key of the bank. */
    bool (*walk)(Cpu *cpu, uint64_t addr, TlbAccess access, TlbWalked *page);
    /** The bus answered an access with an error: raises the trap. */
    void (*access_fault)(Cpu *cpu, uint64_t addr, unsigned mem, bool store);
    /** True if an instruction may be fetched from addr (execute-never, protection unit). Asked at translation for what
     * never changes, and before each block while cpu->check_fetch is set. Then rights change at multiples of 32 bytes
     * at most, else of 1 MiB. */
    bool (*fetch_allowed)(Cpu *cpu, uint64_t addr);
    bool host_float; /* its translation uses floating-point ops */
    uint32_t aux_mask; /* bits of aux that are in use */
    /** The state table, PC, aux and the halves of sleep have been restored: sets what follows from them (irq_request,
     * the check flags). */
    void (*restored)(Cpu *cpu);
    /* Each of these may be NULL. */
    /** Other cores have run between two instructions of this one: exclusive reservations are lost. */
    void (*resumed)(Cpu *cpu);
    /** Another core sent an event (SEV). */
    void (*event)(Cpu *cpu);
    /** Bus address of a virtual one, as loads and stores find it now; false if nothing is mapped there. NULL: they are
     * the same. No side effects: for debuggers. */
    bool (*physical)(const Cpu *cpu, uint64_t addr, uint64_t *physical);
    /** Goes on at an address, as after a jump; NULL: pc is all that there is to set, aux becomes 0. */
    void (*set_pc)(Cpu *cpu, uint64_t pc);
    /** May be NULL. Brings what is kept in another form while code runs into the members of the state table, and
     * changes nothing else; called before somebody reads them. */
    void (*settle)(Cpu *cpu);
} Isa;

enum { CPU_WINDOWS_MAX = 4 };

struct Cpu {
    uint32_t features; /* bits that select decode rows */
    unsigned index; /* core number in its node */
    const char *name;
    uint32_t cpi; /* property: its cycles per instruction, 0 = as the node says */
    uint32_t op; /* index of the op that called out */
    const IrBlock *block; /* running, for cpu_at_fault; NULL outside of blocks */
    Tlb *tlb; /* NULL: memory management has never been on */
    bool (*load)(Cpu *cpu, uint64_t addr, unsigned mem, uint64_t *value); /* false: a trap is pending */
    bool (*store)(Cpu *cpu, uint64_t addr, unsigned mem, uint64_t value);
    uint64_t jit_t1, jit_in_region; /* with a probe that counts: instructions run in regions; inside of one */
    uint64_t jit_traps; /* likewise: traps taken by translated code itself */

    /* From here to the state, what each run of translated code looks at: with many nodes, few cache lines are to hold
     * it. */
    const Isa *isa;
    void *state; /* stands right behind the Cpu, so that translated code needs one address for both */
    struct Board *board;
    struct MemMap *map;
    struct ExecProbe *probe; /* who looks at the translator, or NULL */
    uint32_t *coverage; /* executions per decode row, or NULL */
    void (*trace)(Cpu *cpu, uint64_t pc, uint32_t aux); /* before each instruction, or NULL */
    void (*trace_exception)(Cpu *cpu, const char *text); /* at each entry and return, or NULL */

    bool leave; /* leave the block after this instruction */
    bool irq_request; /* isa->interrupt may have something to take */
    bool halted; /* sleeping (WFI): ticks pass, nothing runs */
    bool held; /* in reset until a device of the board starts it (board->start_cpu); halted, too */
    bool starts_held; /* property: held after each reset of the board */
    bool may_yield; /* other cores share the node's time */
    bool yielded; /* asleep for the rest of its slice: it said that it waits for another core */
    bool locked_up; /* can never run again without a reset */
    bool check_access; /* every access goes through isa->access_check, or tlb_bank is set */
    bool check_fetch; /* every block goes through isa->fetch_allowed, or tlb_bank is set */
    bool trap_pending;
    unsigned trap_number;
    uint64_t trap_arg;

    /* Counting. Instructions retired = deadline - budget - prepaid, at any moment. */
    uint64_t idle_ticks; /* of all ticks, those slept through */
    uint64_t deadline; /* tick at which the budget ends; a tick is one instruction, run or slept */
    uint32_t prepaid; /* taken from the budget but not yet retired: the rest of the running block */
    uint32_t aux; /* translation state at pc */
    TlbBank *tlb_bank; /* memory management is on: what is known of it; check_access and check_fetch are set, too */
    /* The last 128 bytes are those that translated code reaches with short displacements. */
    int64_t budget; /* ticks left */
    uint64_t pc; /* next instruction, precise between blocks and when a trap or a helper runs */

    /* Between translated code and the engine: operands of a helper, and its result in the latter; of an access to a
     * device, its address and site. */
    uint64_t jit_addr, jit_value;
    struct Jit *jit;
    uint32_t *jit_heat; /* counters of backward jumps */
    void *jit_targets; /* table of indirect branch targets */
    uint64_t jit_shadow[IR_SHADOWS]; /* what flag ops are made of, between blocks of a region */
    uintptr_t windows[CPU_WINDOWS_MAX]; /* where the memories stand that translated code reaches by range checks */
    uint16_t jit_flags; /* N Z C V while translated code runs, as LAHF and SETO give them */
};

/** What accesses and helpers that translated code calls answer. */
typedef enum CpuAnswer { CPU_GOES_ON, CPU_LEAVES /* after this instruction */, CPU_TRAPS } CpuAnswer;

/** A load's answer with its value: a pair of registers. */
typedef struct CpuLoaded {
    uint64_t value;
    uint32_t answer; /* CpuAnswer */
} CpuLoaded;

/** To be called before the members of the state table are read from outside of the guest's own code. */
static inline void cpu_settle(Cpu *cpu) {
    if (cpu->isa->settle) {
        cpu->isa->settle(cpu);
    }
}

/** Raises a trap in the running instruction; the engine leaves the block and calls isa->trap. */
static inline void cpu_trap(Cpu *cpu, unsigned number, uint64_t arg) {
    cpu->trap_pending = true;
    cpu->trap_number = number;
    cpu->trap_arg = arg;
}

/** Ticks up to now: instructions completed (run or slept) before the one that is running. */
static inline uint64_t cpu_ticks(const Cpu *cpu) {
    return cpu->deadline - (uint64_t)cpu->budget - cpu->prepaid;
}

/** Moves the deadline to an earlier tick without changing "now"; later ones are ignored. The running block is left
 * after the instruction that is running. */
static inline void cpu_shorten(Cpu *cpu, uint64_t deadline) {
    if (deadline < cpu->deadline) {
        cpu->budget -= (int64_t)(cpu->deadline - deadline);
        cpu->deadline = deadline;
        cpu->leave = true;
    }
}

/** A spin hint: the rest of the core's slice is slept away. No effect on a core that is alone. */
static inline void cpu_yield(Cpu *cpu) {
    if (cpu->may_yield) {
        cpu->yielded = true;
        cpu_shorten(cpu, cpu_ticks(cpu) + 1);
    }
}

/** Address of the instruction that is running (inside helpers and accesses) or comes next. */
uint64_t cpu_current_pc(const Cpu *cpu);

/** Why ir_interp came back. */
typedef enum IrExit {
    IR_EXIT_NEXT, /* end of block, or left early: cpu->pc and aux are the next location */
    IR_EXIT_TRAP, /* cpu->trap_*: to be taken; cpu->pc is the instruction that raised it */
} IrExit;

/** The reference engine: runs one block. The caller has made sure that cpu->budget covers block->n_insns. */
IrExit ir_interp(Cpu *cpu, const IrBlock *block);

#endif
