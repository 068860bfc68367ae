/* What all parts of the kernel stand on: the shape of a window, and arithmetic in a fixed order.
 *
 * Sums run in sixteen lanes; nothing is contracted or reassociated, and no library function is called
 * but the square root: every compiler and every processor gives the same bytes.
 */
#pragma once

#include <math.h>
#include <string.h>

#define N 200 /* samples of a window: 4 s at 50 Hz */
#define LANES 16
#define PADDED 224 /* with noughts behind, so that sums need not end within a block of lanes */
typedef float signal[PADDED];

static const float QUIET = 1e-6f; /* variance below which a channel counts as still */

#define INLINE static inline __attribute__((always_inline))

/* gcc makes one for each kind of processor; clang's way of choosing does not link everywhere. */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

/* Sixteen numbers side by side: compilers turn them into what the processor has. */
typedef float lanes __attribute__((vector_size(4 * LANES)));

INLINE lanes load(const float *x) {
    lanes found;
    memcpy(&found, x, sizeof found);
    return found;
}

/* The sum of sixteen: halves upon halves. */
INLINE float fold(lanes sum) {
    typedef float eight __attribute__((vector_size(32)));
    typedef float four __attribute__((vector_size(16)));
    eight upper, lower;
    memcpy(&lower, &sum, sizeof lower);
    memcpy(&upper, (const char *)&sum + sizeof lower, sizeof upper);
    lower += upper;
    four high, low;
    memcpy(&low, &lower, sizeof low);
    memcpy(&high, (const char *)&lower + sizeof low, sizeof high);
    low += high;
    return (low[0] + low[2]) + (low[1] + low[3]);
}

/* Sums over n numbers and the noughts behind them: at least up to the next block of lanes. */
INLINE float sum_of(const float *x, int n) {
    lanes sum = {0};
    for (int i = 0; i < n; i += LANES)
        sum += load(x + i);
    return fold(sum);
}

INLINE float dot(const float *a, const float *b, int n) {
    lanes sum = {0};
    for (int i = 0; i < n; i += LANES)
        sum += load(a + i) * load(b + i);
    return fold(sum);
}

/* Natural logarithms of positive normal numbers, within 1 unit in the last place.
 * Polynomial: Cephes, S. Moshier, 1992. */
INLINE lanes logs_of(lanes x) {
    typedef int whole __attribute__((vector_size(4 * LANES)));
    whole bits = (whole)x;
    whole exponent = ((bits >> 23) & 0xff) - 126;
    lanes m = (lanes)((bits & 0x007fffff) | 0x3f000000);
    whole below = m < 0.707106781186547524f; /* all bits where true */
    exponent += below;
    m = m + (lanes)((whole)m & below) - 1.0f;
    lanes z = m * m;
    lanes y = 7.0376836292e-2f * m - 1.1514610310e-1f;
    y = y * m + 1.1676998740e-1f;
    y = y * m - 1.2420140846e-1f;
    y = y * m + 1.4249322787e-1f;
    y = y * m - 1.6668057665e-1f;
    y = y * m + 2.0000714765e-1f;
    y = y * m - 2.4999993993e-1f;
    y = y * m + 3.3333331174e-1f;
    lanes e = __builtin_convertvector(exponent, lanes);
    y = y * m * z + -2.12194440e-4f * e;
    return m + (y + -0.5f * z) + 0.693359375f * e;
}

INLINE float log_of(float x) {
    lanes all = {x, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    return logs_of(all)[0];
}
