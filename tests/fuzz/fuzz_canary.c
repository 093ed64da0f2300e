/* A fuzzer that must fail: it holds a bug that only a working fuzzer with a working sanitizer finds. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *copy = malloc(size + 1);
    memcpy(copy, data, size);
    volatile char past = size > 3 && memcmp(data, "bug!", 4) == 0 ? copy[size + 8] : 0;
    (void)past;
    free(copy);
    return 0;
}
