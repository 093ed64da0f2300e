/* A register machine with three operands, interpreted by a switch: counts the primes below 256 with a sieve. */
#include "bench.h"

typedef enum Opcode { LOAD_CONST, MOVE, ADD, ADD_CONST, MULTIPLY, XOR, GET, PUT, LESS, JUMP_IF, JUMP, HALT } Opcode;

typedef struct Insn {
    uint8_t opcode, a, b, c;
} Insn;

enum { REGISTERS = 8, CELLS = 256, I = 0, J = 1, COUNT = 2, T = 3, LIMIT = 4, HASH = 5, SEED = 6 };

/* Jumps are to absolute indices: `a` for JUMP, `b` for JUMP_IF. */
static const Insn program[] = {
    /* 0 */ {LOAD_CONST, LIMIT, 255, 0},
    /* 1 */ {LOAD_CONST, COUNT, 0, 0},
    /* 2 */ {LOAD_CONST, T, 0, 0},
    /* 3 */ {LOAD_CONST, I, 0, 0},
    /* clear: */
    /* 4 */ {PUT, I, T, 0},
    /* 5 */ {ADD_CONST, I, I, 1},
    /* 6 */ {LESS, J, I, LIMIT},
    /* 7 */ {JUMP_IF, J, 4, 0},
    /* 8 */ {LOAD_CONST, I, 2, 0},
    /* candidate: */
    /* 9 */ {GET, T, I, 0},
    /* 10 */ {JUMP_IF, T, 20, 0},
    /* 11 */ {ADD_CONST, COUNT, COUNT, 1},
    /* 12 */ {MULTIPLY, HASH, HASH, SEED},
    /* 13 */ {XOR, HASH, HASH, I},
    /* 14 */ {MULTIPLY, J, I, I},
    /* 15 */ {JUMP, 18, 0, 0},
    /* strike out: */
    /* 16 */ {PUT, J, LIMIT, 0},
    /* 17 */ {ADD, J, J, I},
    /* 18 */ {LESS, T, J, LIMIT},
    /* 19 */ {JUMP_IF, T, 16, 0},
    /* next: */
    /* 20 */ {ADD_CONST, I, I, 1},
    /* 21 */ {LESS, T, I, LIMIT},
    /* 22 */ {JUMP_IF, T, 9, 0},
    /* 23 */ {MOVE, T, COUNT, 0},
    /* 24 */ {HALT, 0, 0, 0},
};

static uint32_t cells[CELLS], registers[REGISTERS];

static BENCH_CALL void run(uint32_t r[REGISTERS]) {
    for (const Insn *pc = program;; pc++) {
        switch ((Opcode)pc->opcode) {
        case LOAD_CONST:
            r[pc->a] = pc->b;
            break;
        case MOVE:
            r[pc->a] = r[pc->b];
            break;
        case ADD:
            r[pc->a] = r[pc->b] + r[pc->c];
            break;
        case ADD_CONST:
            r[pc->a] = r[pc->b] + pc->c;
            break;
        case MULTIPLY:
            r[pc->a] = r[pc->b] * r[pc->c];
            break;
        case XOR:
            r[pc->a] = r[pc->b] ^ r[pc->c];
            break;
        case GET:
            r[pc->a] = cells[r[pc->b] % CELLS];
            break;
        case PUT:
            cells[r[pc->a] % CELLS] = r[pc->b];
            break;
        case LESS:
            r[pc->a] = r[pc->b] < r[pc->c];
            break;
        case JUMP_IF:
            if (r[pc->a]) {
                pc = program + pc->b - 1;
            }
            break;
        case JUMP:
            pc = program + pc->a - 1;
            break;
        case HALT:
            return;
        }
    }
}

uint32_t kernel(uint32_t rounds) {
    uint32_t sum = 0;
    for (uint32_t r = 0; r < rounds; r++) {
        registers[SEED] = r * 2 + 1;
        run(registers);
        sum += registers[T] ^ registers[HASH];
    }
    return sum;
}
