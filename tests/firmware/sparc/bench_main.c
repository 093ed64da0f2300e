/* The main program of a benchmark kernel (tests/firmware/bench) on LEON boards: prints the checksum. */
#include "../bench/bench.h"
#include "guest.h"

int main(void) {
    u32 checksum = kernel(ROUNDS);
    print("checksum=");
    print_hex(checksum);
    put_char('\n');
    guest_exit(0);
}
