/*
 * Test program around the decoder generated from good_small.decode.
 *
 *   small_main decode BITS FEATURES   words in hex from stdin -> "row|assembly|what the body got" per line
 *   small_main encode SEED FEATURES   per row the number of distinct encodings found, "none" if there is none
 *   small_main cut SIZE               disassembly of a push into a buffer of that size
 */
#include "small.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ToyContext {
    char seen[128];
    ToyRow row; /* what toy_begin() was told */
    ToyClass cls;
    unsigned bits;
    bool decline;
};

bool toy_begin(ToyContext *t, ToyRow row, ToyClass cls, unsigned bits)
{
    t->row = row;
    t->cls = cls;
    t->bits = bits;
    return !t->decline;
}

uint32_t toy_transform_expand_imm(uint32_t raw)
{
    return raw * 3 + 1;
}

uint32_t toy_transform_bit_count(uint32_t raw)
{
    uint32_t count = 0;
    for (; raw; raw &= raw - 1)
        count++;
    return count;
}

void toy_format_reg(char *out, size_t size, uint32_t value)
{
    snprintf(out, size, "r%u", (unsigned)value);
}

void toy_format_reglist(char *out, size_t size, uint32_t value)
{
    snprintf(out, size, "list:%03x", (unsigned)value);
}

#define SEEN(...) snprintf(t->seen, sizeof t->seen, __VA_ARGS__)

void toy_sem_mov_imm(ToyContext *t, const ToyArgs_mov_imm *a)
{
    SEEN("mov_imm %u %u", a->rd, a->imm);
}

void toy_sem_add_reg(ToyContext *t, const ToyArgs_add_reg *a)
{
    SEEN("add_reg %u %u %u", a->rd, a->rn, a->rm);
}

void toy_sem_push(ToyContext *t, const ToyArgs_push *a)
{
    SEEN("push %x", a->list);
}

void toy_sem_svc(ToyContext *t, const ToyArgs_svc *a)
{
    SEEN("svc %u", a->imm);
}

void toy_sem_udf(ToyContext *t, const ToyArgs_udf *a)
{
    SEEN("udf %u", a->imm);
}

void toy_sem_branch(ToyContext *t, const ToyArgs_branch *a)
{
    SEEN("branch %u %d", a->cond, a->off);
}

void toy_sem_bx(ToyContext *t, const ToyArgs_bx *a)
{
    SEEN("bx %u", a->rm);
}

void toy_sem_nop(ToyContext *t, const ToyArgs_nop *a)
{
    SEEN("nop %u", a->unused);
}

void toy_sem_clz(ToyContext *t, const ToyArgs_clz *a)
{
    SEEN("clz %u %u", a->rd, a->rm);
}

void toy_sem_mov_w(ToyContext *t, const ToyArgs_mov_w *a)
{
    SEEN("mov_w %u %u %x", a->rd, a->s, a->imm);
}

void toy_sem_ldr_lit(ToyContext *t, const ToyArgs_ldr_lit *a)
{
    SEEN("ldr_lit %u %u %u", a->rt, a->up, a->imm);
}

void toy_sem_ldr_imm(ToyContext *t, const ToyArgs_ldr_imm *a)
{
    SEEN("ldr_imm %u %u %u", a->rt, a->rn, a->imm);
}

void toy_sem_ldrd(ToyContext *t, const ToyArgs_ldrd *a)
{
    SEEN("ldrd %u %u %u %u p%u w%u u%u", a->rt, a->rt2, a->rn, a->imm, a->p, a->w, a->up);
}

void toy_sem_vmov(ToyContext *t, const ToyArgs_vmov *a)
{
    SEEN("vmov %u %u", a->sd, a->sm);
}

static void decode_stdin(unsigned bits, uint32_t features)
{
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        ToyArgs args;
        char text[64];
        uint32_t insn = (uint32_t)strtoul(line, NULL, 16);
        ToyRow row = toy_decode(insn, bits, features, &args);
        toy_disassemble(text, sizeof text, row, &args);
        ToyContext context = {.row = TOY_ROW_NONE}, declined = {.row = TOY_ROW_NONE, .decline = true};
        uint32_t word = bits == 16 ? insn << 16 | (~insn & 0xffff) : insn;
        bool done = toy_translate(&context, word, features);
        if (toy_translate(&declined, word, features) || declined.seen[0] || declined.row != row)
            exit(1);
        if (done != (row != TOY_ROW_NONE) || context.row != row)
            exit(1);
        if (done && (context.cls != toy_row_info[row].cls || context.bits != toy_row_info[row].bits))
            exit(1);
        printf("%s|%s|%s\n", row == TOY_ROW_NONE ? "-" : toy_row_info[row].name, text, context.seen);
    }
}

/* xorshift64: any source of varied bits will do. */
static uint64_t next_random(void *user)
{
    uint64_t *state = user;
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void encode_rows(uint64_t seed, uint32_t features)
{
    for (ToyRow row = 0; row < TOY_ROW_COUNT; row++) {
        const ToyRowInfo *info = &toy_row_info[row];
        uint32_t insn = 0, last = 0;
        int found = 0, distinct = 0;
        for (int i = 0; i < 100; i++) {
            ToyArgs args;
            if (!toy_row_encode(row, features, next_random, &seed, &insn))
                continue;
            if (toy_decode(insn, info->bits, features, &args) != row || (insn & info->mask) != info->match)
                exit(1);
            distinct += !found || insn != last;
            found++;
            last = insn;
            if (i < 3)
                printf("%s %0*x\n", info->name, info->bits / 4, insn);
        }
        printf("%s %s\n", info->name, !found ? "none" : distinct > 1 ? "varies" : "single");
    }
}

static void disassemble_cut(size_t size)
{
    char text[64];
    ToyArgs args = {.push = {0x1ff}};
    memset(text, '~', sizeof text);
    toy_disassemble(text, size, TOY_ROW_PUSH, &args);
    fwrite(text, 1, sizeof text, stdout);
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "decode"))
        decode_stdin((unsigned)atoi(argv[2]), (uint32_t)strtoul(argv[3], NULL, 0));
    else if (argc == 4 && !strcmp(argv[1], "encode"))
        encode_rows(strtoull(argv[2], NULL, 0), (uint32_t)strtoul(argv[3], NULL, 0));
    else if (argc == 3 && !strcmp(argv[1], "cut"))
        disassemble_cut((size_t)atoi(argv[2]));
    else
        return 2;
    return 0;
}
