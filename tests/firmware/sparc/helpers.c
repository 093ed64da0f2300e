/* What gcc calls on SPARC V8: 64-bit shifts by a variable, leading zeros, memcpy. Names are libgcc's (GCC internals,
 * 4.1). */
#include "guest.h"

typedef long long s64;
u64 __ashldi3(u64 x, int n);
u64 __lshrdi3(u64 x, int n);
s64 __ashrdi3(s64 x, int n);
int __clzsi2(u32 x);
void *memcpy(void *to, const void *from, __SIZE_TYPE__ n);

static u64 join(u32 high, u32 low) {
    union {
        u32 half[2];
        u64 whole;
    } x = {.half = {high, low}};
    return x.whole;
}

u64 __ashldi3(u64 x, int n) {
    u32 high = (u32)(x >> 32), low = (u32)x;
    if (n >= 32) {
        return join(low << (n - 32), 0);
    }
    return n ? join(high << n | low >> (32 - n), low << n) : x;
}

u64 __lshrdi3(u64 x, int n) {
    u32 high = (u32)(x >> 32), low = (u32)x;
    if (n >= 32) {
        return join(0, high >> (n - 32));
    }
    return n ? join(high >> n, low >> n | high << (32 - n)) : x;
}

s64 __ashrdi3(s64 x, int n) {
    int high = (int)(x >> 32);
    u32 low = (u32)x;
    if (n >= 32) {
        return (s64)join((u32)(high >> 31), (u32)(high >> (n - 32)));
    }
    return n ? (s64)join((u32)(high >> n), low >> n | (u32)high << (32 - n)) : x;
}

int __clzsi2(u32 x) {
    int zeros = 31;
    for (int step = 16; step; step /= 2) {
        int over = x >> step != 0;
        zeros -= over ? step : 0;
        x >>= over ? step : 0;
    }
    return zeros;
}

void *memcpy(void *to, const void *from, __SIZE_TYPE__ n) {
    char *out = to;
    const char *in = from;
    while (n--) {
        *out++ = *in++;
    }
    return to;
}
