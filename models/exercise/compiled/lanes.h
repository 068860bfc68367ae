/* What all parts of the kernel stand on: the shape of a window, and arithmetic in a fixed order.
 *
 * Sums run in sixteen lanes; nothing is contracted or reassociated, and no library function is called
 * but the square root: every compiler and every processor gives the same bytes.
 */
#pragma once

#include <math.h>
#include <string.h>

#include "processors.h"

#define N 200 /* samples of a window: 4 s at 50 Hz */
#define LANES 16
#define PADDED 224 /* with noughts behind, so that sums need not end within a block of lanes */
typedef float signal[PADDED];

static const float QUIET = 1e-6f; /* variance below which a channel counts as still */

#define INLINE static inline __attribute__((always_inline))

/* How many of them are taken at once. What is wider than the processor clang takes apart in registers;
 * gcc goes through memory, which takes four times as long. */
#ifndef WIDTH
#ifdef __clang__
#define WIDTH LANES
#else
#define WIDTH 4
#endif
#endif
#define PARTS (LANES / WIDTH)

typedef float part __attribute__((vector_size(4 * WIDTH)));

INLINE part load(const float *x) {
    part found;
    memcpy(&found, x, sizeof found);
    return found;
}

/* The sum of sixteen, which lie in parts: halves upon halves. */
INLINE float fold(const part *sum) {
    typedef float four __attribute__((vector_size(16)));
    four quarter[4];
    memcpy(quarter, sum, sizeof quarter);
    four low = quarter[0] + quarter[2], high = quarter[1] + quarter[3];
    low += high;
    return (low[0] + low[2]) + (low[1] + low[3]);
}

/* Sums over n numbers and the noughts behind them: at least up to the next block of lanes. */
INLINE float sum_of(const float *x, int n) {
    part sum[PARTS] = {{0}};
    for (int i = 0; i < n; i += LANES)
        for (int k = 0; k < PARTS; k++)
            sum[k] += load(x + i + k * WIDTH);
    return fold(sum);
}

INLINE float dot(const float *a, const float *b, int n) {
    part sum[PARTS] = {{0}};
    for (int i = 0; i < n; i += LANES)
        for (int k = 0; k < PARTS; k++)
            sum[k] += load(a + i + k * WIDTH) * load(b + i + k * WIDTH);
    return fold(sum);
}

/* Natural logarithms of positive normal numbers, within 1 unit in the last place.
 * Polynomial: Cephes, S. Moshier, 1992. */
INLINE part logs_of(part x) {
    typedef int whole __attribute__((vector_size(4 * WIDTH)));
    whole bits = (whole)x;
    whole exponent = ((bits >> 23) & 0xff) - 126;
    part m = (part)((bits & 0x007fffff) | 0x3f000000);
    whole below = m < 0.707106781186547524f; /* all bits where true */
    exponent += below;
    m = m + (part)((whole)m & below) - 1.0f;
    part z = m * m;
    part y = 7.0376836292e-2f * m - 1.1514610310e-1f;
    y = y * m + 1.1676998740e-1f;
    y = y * m - 1.2420140846e-1f;
    y = y * m + 1.4249322787e-1f;
    y = y * m - 1.6668057665e-1f;
    y = y * m + 2.0000714765e-1f;
    y = y * m - 2.4999993993e-1f;
    y = y * m + 3.3333331174e-1f;
    part e = __builtin_convertvector(exponent, part);
    y = y * m * z + -2.12194440e-4f * e;
    return m + (y + -0.5f * z) + 0.693359375f * e;
}

INLINE float log_of(float x) {
    part all = {0};
    return logs_of(all + x)[0];
}
