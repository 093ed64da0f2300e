/* The host's main program for a kernel: `native ROUNDS`. */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

int main(int argc, char **argv) {
    if (argc != 2) {
        return 2;
    }
    printf("checksum=%08x\n", kernel((uint32_t)strtoul(argv[1], NULL, 10)));
    return 0;
}
