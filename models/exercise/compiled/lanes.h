/* Shared by all parts of the kernel: the size of a window, and arithmetic in a fixed order.
 *
 * Sums run in sixteen lanes; nothing is contracted or reassociated, and the only library function is the
 * square root. So every compiler and every processor gives the same bytes.
 */
#pragma once

#include <math.h>
#include <string.h>

#include "processors.h"

#define N 200 /* samples of a window: 4 s at 50 Hz */
#define LANES 16
#define PADDED 224 /* zeros fill the rest, so that sums run over whole blocks of lanes */
typedef float signal[PADDED];

static const float VARIANCE_FLOOR = 1e-6f; /* added to variances; a channel below it is still */

#define INLINE static inline __attribute__((always_inline))

/* Lanes of one vector. Vectors wider than the processor's are split in registers by clang, but by way of
 * memory by gcc, which takes four times as long. */
#ifndef WIDTH
#ifdef __clang__
#define WIDTH LANES
#else
#define WIDTH 4
#endif
#endif
#define VECTORS (LANES / WIDTH)

typedef float vector __attribute__((vector_size(4 * WIDTH)));

INLINE vector load(const float *x) {
    vector loaded;
    memcpy(&loaded, x, sizeof loaded);
    return loaded;
}

/* The sum of sixteen lanes, pairwise: halves are added until one is left. */
INLINE float horizontal_sum(const vector *sum) {
    typedef float quarters __attribute__((vector_size(16)));
    quarters quarter[4];
    memcpy(quarter, sum, sizeof quarter);
    quarters low = quarter[0] + quarter[2], high = quarter[1] + quarter[3];
    low += high;
    return (low[0] + low[2]) + (low[1] + low[3]);
}

/* The sum of n numbers; zeros must follow them up to the end of a block of lanes. */
INLINE float sum_of(const float *x, int n) {
    vector sum[VECTORS] = {{0}};
    for (int i = 0; i < n; i += LANES)
        for (int k = 0; k < VECTORS; k++)
            sum[k] += load(x + i + k * WIDTH);
    return horizontal_sum(sum);
}

/* The scalar product of n numbers, padded as for `sum_of`. */
INLINE float dot(const float *a, const float *b, int n) {
    vector sum[VECTORS] = {{0}};
    for (int i = 0; i < n; i += LANES)
        for (int k = 0; k < VECTORS; k++)
            sum[k] += load(a + i + k * WIDTH) * load(b + i + k * WIDTH);
    return horizontal_sum(sum);
}

/* Natural logarithms of positive normal numbers, within 1 unit in the last place.
 * Polynomial: Cephes, S. Moshier, 1992. */
INLINE vector log_each(vector x) {
    typedef int integers __attribute__((vector_size(4 * WIDTH)));
    integers bits = (integers)x;
    integers exponent = ((bits >> 23) & 0xff) - 126;
    vector m = (vector)((bits & 0x007fffff) | 0x3f000000);
    integers is_below = m < 0.707106781186547524f; /* -1 where true */
    exponent += is_below;
    m = m + (vector)((integers)m & is_below) - 1.0f;
    vector z = m * m;
    vector y = 7.0376836292e-2f * m - 1.1514610310e-1f;
    y = y * m + 1.1676998740e-1f;
    y = y * m - 1.2420140846e-1f;
    y = y * m + 1.4249322787e-1f;
    y = y * m - 1.6668057665e-1f;
    y = y * m + 2.0000714765e-1f;
    y = y * m - 2.4999993993e-1f;
    y = y * m + 3.3333331174e-1f;
    vector e = __builtin_convertvector(exponent, vector);
    y = y * m * z + -2.12194440e-4f * e;
    return m + (y + -0.5f * z) + 0.693359375f * e;
}

INLINE float log_of(float x) {
    vector zeros = {0};
    return log_each(zeros + x)[0];
}
