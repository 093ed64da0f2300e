/* Test program for generated tables of 16-bit rows: prints the row of each of the 65536 words, -1 for none. The decoder
 * and the translator have to agree on it. */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>

struct RndTranslator {
    RndRow row;
    uint32_t value; /* what the body got */
};

bool rnd_begin(RndTranslator *t, RndRow row, RndClass cls, unsigned bits)
{
    (void)cls;
    t->row = row;
    return bits == 16;
}

void rnd_sem_b(RndTranslator *t, const RndArgs_b *a)
{
    t->value = a->v;
}

int main(int argc, char **argv)
{
    uint32_t features = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 0;
    for (uint32_t word = 0; word < 0x10000; word++) {
        RndArgs args = {.b = {0}};
        RndTranslator t = {.row = RND_ROW_NONE};
        RndRow row = rnd_decode(word, 16, features, &args);
        bool known = rnd_translate(&t, word << 16 | (~word & 0xffff), features);
        if (known != (row != RND_ROW_NONE) || t.row != row || (known && t.value != args.b.v))
            return 1;
        printf("%d\n", row == RND_ROW_NONE ? -1 : (int)row);
    }
    return 0;
}
