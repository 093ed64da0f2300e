/* The reference engine: runs the ops of one block in order. It is the definition of what a block does; speed comes
 * second. Nothing here knows the guest. */
#include "ir/cpu.h"

#include <string.h>

#include "ir/eval.h"

enum { FLAG_N, FLAG_Z, FLAG_C, FLAG_V };

/* Folds the opcode into the code of its case. */
#define SPECIALISED static inline __attribute__((always_inline))

uint64_t cpu_current_pc(const Cpu *cpu) {
    if (!cpu->block) {
        return cpu->pc;
    }
    uint32_t entry = cpu->block->ops[cpu->op].c;
    return (cpu->block->loc.pc + (uint64_t)(int64_t)cpu->block->faults[entry].pc_offset) & cpu->isa->pc_mask;
}

/* The lower half of a slot is copied into a variable of its own size: a host stalls when it reads back in one what it
 * has just written in parts. */
static uint64_t slot_read(const Cpu *cpu, uint32_t slot, IrType type) {
    const uint8_t *at = (const uint8_t *)cpu->state + slot;
    uint64_t wide;
    uint32_t word;
    if (type == IR_I64) {
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
    memcpy(&word, at, sizeof word);
    return word;
}

static void slot_write(Cpu *cpu, uint32_t slot, IrType type, uint64_t value) {
    uint8_t *at = (uint8_t *)cpu->state + slot;
    uint32_t word = (uint32_t)value;
    if (type == IR_I64) {
        memcpy(at, &value, sizeof value);
    } else {
        memcpy(at, &word, sizeof word);
    }
}

static void set_nz(uint8_t *flags, IrType type, uint64_t value) {
    flags[FLAG_N] = ir_signed(type, value) < 0;
    flags[FLAG_Z] = value == 0;
}

static void set_nzcv(uint8_t *flags, IrType type, uint64_t a, uint64_t b, uint64_t carry_in) {
    set_nz(flags, type, (a + b + carry_in) & ir_mask(type));
    flags[FLAG_C] = (uint8_t)ir_eval_carry(type, a, b, carry_in);
    flags[FLAG_V] = (uint8_t)ir_eval_overflow(type, a, b, carry_in);
}

static bool cond_holds(const uint8_t *f, IrCond cond) {
    switch (cond & ~1u) {
    case IR_COND_EQ: return f[FLAG_Z] ^ (cond & 1);
    case IR_COND_CS: return f[FLAG_C] ^ (cond & 1);
    case IR_COND_MI: return f[FLAG_N] ^ (cond & 1);
    case IR_COND_VS: return f[FLAG_V] ^ (cond & 1);
    case IR_COND_HI: return (f[FLAG_C] && !f[FLAG_Z]) ^ (cond & 1);
    case IR_COND_GE: return (f[FLAG_N] == f[FLAG_V]) ^ (cond & 1);
    default: return (f[FLAG_N] == f[FLAG_V] && !f[FLAG_Z]) ^ (cond & 1);
    }
}

static void set_flags(uint8_t *flags, const IrOp *op, const uint64_t *v) {
    switch (op->op) {
    case IR_FLAGS_ADD:
        set_nzcv(flags, op->type, v[op->a], v[op->b], v[op->c]);
        break;
    case IR_FLAGS_SUB:
        set_nzcv(flags, op->type, v[op->a], ~v[op->b] & ir_mask(op->type), v[op->c]);
        break;
    case IR_FLAGS_SBB:
        set_nzcv(flags, op->type, v[op->a], ~v[op->b] & ir_mask(op->type), !v[op->c]);
        flags[FLAG_C] ^= 1;
        break;
    case IR_FLAGS_NZ:
        set_nz(flags, op->type, v[op->a]);
        break;
    case IR_FLAGS_C:
        flags[FLAG_C] = (uint8_t)v[op->a];
        break;
    case IR_FLAGS_V:
        flags[FLAG_V] = (uint8_t)v[op->a];
        break;
    default: /* IR_FLAGS_SET */
        for (unsigned i = 0; i < 4; i++) {
            flags[i] = v[op->a] >> (31 - i) & 1;
        }
    }
}

/* Puts the location of a fault entry into the CPU and gives back what was prepaid beyond it. */
static void leave_at(Cpu *cpu, const IrBlock *block, const IrOp *op) {
    const IrFault *fault = &block->faults[op->c];
    cpu->pc = (block->loc.pc + (uint64_t)(int64_t)fault->pc_offset) & cpu->isa->pc_mask;
    cpu->aux = fault->aux;
    cpu->budget += block->n_insns - fault->insn;
    cpu->prepaid = 0;
    cpu->block = NULL;
}

/* Makes "now" and the current PC right for code called by op: the instruction is begun, not complete. */
static void call_out(Cpu *cpu, const IrBlock *block, uint32_t index) {
    cpu->op = index;
    cpu->prepaid = block->n_insns - block->faults[block->ops[index].c].insn + 1;
}

static IrExit run_trap(Cpu *cpu, const IrBlock *block, const IrOp *op, uint64_t arg) {
    leave_at(cpu, block, op);
    cpu_trap(cpu, op->n, arg);
    return IR_EXIT_TRAP;
}

static void run_goto(Cpu *cpu, uint64_t pc, uint32_t aux) {
    cpu->pc = pc & cpu->isa->pc_mask;
    cpu->aux = aux;
    cpu->prepaid = 0;
    cpu->block = NULL;
}

/* A helper sees the location of its own instruction, as trap code does. */
static uint64_t run_call(Cpu *cpu, const IrBlock *block, uint32_t index, const uint64_t *v) {
    const IrOp *op = &block->ops[index];
    const IrFault *fault = &block->faults[op->c];
    call_out(cpu, block, index);
    cpu->pc = (block->loc.pc + (uint64_t)(int64_t)fault->pc_offset) & cpu->isa->pc_mask;
    cpu->aux = fault->aux;
    return cpu->isa->helpers[op->n](cpu, op->a == IR_NONE ? 0 : v[op->a], op->b == IR_NONE ? 0 : v[op->b]);
}

/* Runs one LOAD, STORE or CALL; false if it raised a trap. */
SPECIALISED bool run_access(Cpu *cpu, const IrBlock *block, uint32_t index, IrOpcode opcode, uint64_t *v) {
    const IrOp *op = &block->ops[index];
    if (opcode == IR_CALL) {
        v[index] = run_call(cpu, block, index, v);
        return !cpu->trap_pending;
    }
    call_out(cpu, block, index);
    if (opcode == IR_STORE) {
        return cpu->store(cpu, v[op->a], op->n, v[op->b]);
    }
    uint64_t value;
    bool ok = cpu->load(cpu, v[op->a], op->n, &value);
    v[index] = ok ? value & ir_mask(op->type) : 0;
    return ok;
}

static uint32_t insns_up_to(const IrBlock *block, uint32_t index) {
    uint32_t n = 0;
    for (uint32_t i = 0; i <= index; i++) {
        n += block->ops[i].op == IR_INSN;
    }
    return n;
}

/* An INSN that somebody watches. The trace hook sees "now" and the PC as a helper of this instruction would. */
static void run_insn(Cpu *cpu, const IrBlock *block, uint32_t index) {
    const IrOp *op = &block->ops[index];
    if (cpu->coverage) {
        cpu->coverage[op->b >> 16]++;
    }
    if (cpu->trace) {
        cpu->pc = (block->loc.pc + op->a) & cpu->isa->pc_mask;
        cpu->aux = op->c;
        cpu->prepaid = block->n_insns - insns_up_to(block, index) + 1;
        cpu->block = NULL;
        cpu->trace(cpu, cpu->pc, cpu->aux);
        cpu->block = block;
    }
}

/* Ops that work on the guest state only. */
SPECIALISED void run_state(Cpu *cpu, const IrOp *op, IrOpcode opcode, uint64_t *v, uint32_t index) {
    uint8_t *flags = (uint8_t *)cpu->state + cpu->isa->flags_slot;
    switch (opcode) {
    case IR_GET:
        v[index] = slot_read(cpu, op->a, op->type);
        break;
    case IR_PUT:
        slot_write(cpu, op->a, op->type, v[op->b]);
        break;
    case IR_GETX:
        v[index] = slot_read(cpu, op->a + 4 * (uint32_t)v[op->b], op->type);
        break;
    case IR_PUTX:
        slot_write(cpu, op->a + 4 * (uint32_t)v[op->b], op->type, v[op->c]);
        break;
    case IR_COND:
        v[index] = cond_holds(flags, op->a);
        break;
    default:
        set_flags(flags, op, v);
    }
}

/* Any op but the PURE ones that compute. False if the block is left, with *exit set; SKIP moves *at. */
SPECIALISED bool run_effect(Cpu *cpu, const IrBlock *block, IrOpcode opcode, uint32_t *at, uint64_t *v, IrExit *exit) {
    const uint32_t index = *at;
    const IrOp *op = &block->ops[index];
    *exit = IR_EXIT_NEXT;
    switch (opcode) {
    case IR_NOP: case IR_LABEL:
        return true;
    case IR_INSN:
        if (UNLIKELY(cpu->coverage || cpu->trace)) {
            run_insn(cpu, block, index);
        }
        return true;
    case IR_CONST:
        v[index] = ir_const_value(op);
        return true;
    case IR_SKIP:
        *at = v[op->a] ? index : op->b;
        return true;
    case IR_REFUND:
        cpu->budget += v[op->a] ? op->b : 0;
        return true;
    case IR_LOAD: case IR_STORE: case IR_CALL:
        if (LIKELY(run_access(cpu, block, index, opcode, v))) {
            return true;
        }
        leave_at(cpu, block, op);
        *exit = IR_EXIT_TRAP;
        return false;
    case IR_POLL:
        if (UNLIKELY(cpu->leave)) {
            leave_at(cpu, block, op);
        }
        return !cpu->leave;
    case IR_TRAP_IF: case IR_TRAP:
        if (opcode == IR_TRAP_IF && LIKELY(!v[op->a])) {
            return true;
        }
        *exit = run_trap(cpu, block, op, op->b == IR_NONE ? 0 : v[op->b]);
        return false;
    case IR_GOTO_IF:
        if (v[op->a]) {
            run_goto(cpu, block->loc.pc + (uint64_t)(int64_t)(int32_t)op->b, op->c);
        }
        return !v[op->a];
    case IR_GOTO:
        run_goto(cpu, block->loc.pc + (uint64_t)(int64_t)(int32_t)op->a, op->c);
        return false;
    case IR_GOTO_IND:
        run_goto(cpu, v[op->a], op->c);
        return false;
    case IR_GOTO_AT:
        run_goto(cpu, v[op->a], (uint32_t)v[op->b]);
        return false;
    default:
        run_state(cpu, op, opcode, v, index);
        return true;
    }
}

/* One case per op, so that there is one jump per op: columns of ops.def as constants, an empty one (`-`) is 0. */
enum { I = 0, S = 0, L = 0, F = 0, V = 1, R = 1, PURE = 1, FAULT = 0, END = 0 };
#define COLUMN(x) (x + 0)
#define COMPUTES(name, result, traits) (COLUMN(result) && COLUMN(traits) && IR_##name != IR_CONST)

IrExit ir_interp(Cpu *cpu, const IrBlock *block) {
    uint64_t v[block->n_ops];
    const IrOp *const ops = block->ops;
    IrExit exit;
    cpu->budget -= block->n_insns;
    cpu->block = block;
    for (uint32_t i = 0;; i++) {
        const IrOp *op = &ops[i];
        switch ((IrOpcode)op->op) {
#define IR_OP(name, text, ka, kb, kc, result, traits)                                                                  \
    case IR_##name:                                                                                                    \
        if (COMPUTES(name, result, traits)) {                                                                          \
            v[i] = ir_eval(IR_##name, op->type, COLUMN(ka) ? v[op->a] : 0, COLUMN(kb) ? v[op->b] : 0,                  \
                           COLUMN(kc) ? v[op->c] : 0);                                                                 \
        } else if (!run_effect(cpu, block, IR_##name, &i, v, &exit)) {                                                 \
            return exit;                                                                                               \
        }                                                                                                              \
        break;
#include "ir/ops.def"
#undef IR_OP
        case IR_OPCODE_COUNT:
            assert(!"no such op");
        }
    }
}
