/* The first words: output, deep recursion through all windows, a delay slot or two. */
#include "guest.h"

static u32 fib(u32 n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

/* The compiler must not see that this is a loop. */
static u32 depth(u32 n) {
    u32 below = n ? depth(n - 1) : 0;
    __asm__ volatile("" : "+r"(below));
    return below + n;
}

int main(void) {
    print("Hello from SPARC V8\n");
    check("fib", fib(20), 6765);
    check("depth", depth(500), 125250);
    print("ok\n");
    guest_exit(0);
}
