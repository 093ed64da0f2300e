/* Floating-point loops, for the engines: the sums must be those that QEMU's leon3_generic gives for this program. */
#include "guest.h"

enum { N = 12, ROUNDS = 20 };

static double a[N][N], b[N][N], c[N][N];
static float s[N];

static void fill(void) {
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            a[i][j] = (i * 3 + j) % 7 * 0.5 + 0.1;
            b[i][j] = (i + j * 5) % 11 * 0.25 - 0.3;
        }
    }
}

static void multiply(void) {
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < N; k++) {
                sum += a[i][k] * b[k][j];
            }
            c[i][j] = sum;
        }
    }
}

static u32 sum_of(const void *data, unsigned bytes) {
    const u32 *words = data;
    u32 sum = 0;
    for (unsigned i = 0; i < bytes / 4; i++) {
        sum = sum * 31 + words[i];
    }
    return sum;
}

int main(void) {
    fill();
    for (int r = 0; r < ROUNDS; r++) {
        multiply();
        b[r % N][1] = c[2][r % N] / 17.0;
        s[r % N] = (float)c[1][r % N] * 1.5f - (float)r;
        a[r % N][2] = s[r % N] < 0 ? -s[r % N] : (double)(int)s[r % N];
    }
    check("doubles", sum_of(c, sizeof c), DOUBLES);
    check("singles", sum_of(s, sizeof s), SINGLES);
    print("ok\n");
    guest_exit(0);
}
