/* Test program for generated tables of 16-bit rows: prints the row of each of the 65536 words, -1 for none. */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    uint32_t features = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 0;
    for (uint32_t word = 0; word < 0x10000; word++) {
        RndArgs args;
        RndRow row = rnd_decode(word, 16, features, &args);
        printf("%d\n", row == RND_ROW_NONE ? -1 : (int)row);
    }
    return 0;
}
