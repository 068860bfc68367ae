/* Quantiles without sorting the whole window. */
#pragma once

#include <stdint.h>

#include "lanes.h"

#define BUCKETS 128
#define MAX_QUANTILES 5 /* of one channel */
#define HISTOGRAMS 4 /* filled in turn: neighbouring samples often share a bucket and would wait for its count */

/* The bucket of each number, by its value. NaN goes to the first: its window is not used anyway. */
INLINE void assign_buckets(const float *x, uint8_t *bucket) {
    float low[LANES], high[LANES];
    memcpy(low, x, sizeof low);
    memcpy(high, x, sizeof high);
    for (int i = LANES; i < N; i += LANES) {
        int first = i < N - LANES ? i : N - LANES;
        for (int k = 0; k < LANES; k++) {
            low[k] = x[first + k] < low[k] ? x[first + k] : low[k];
            high[k] = x[first + k] > high[k] ? x[first + k] : high[k];
        }
    }
    for (int k = 1; k < LANES; k++) {
        low[0] = low[k] < low[0] ? low[k] : low[0];
        high[0] = high[k] > high[0] ? high[k] : high[0];
    }
    float scale = high[0] > low[0] ? (BUCKETS - 1) / (high[0] - low[0]) : 0.0f;
    for (int i = 0; i < N; i++) {
        float position = (x[i] - low[0]) * scale;
        bucket[i] = (uint8_t)(position >= 0.0f && position < BUCKETS ? (int)position : 0);
    }
}

/* How many numbers lie in each bucket and those below it. */
INLINE void count_up_to(const uint8_t *bucket, uint8_t *end) {
    uint8_t count[HISTOGRAMS][BUCKETS] = {{0}};
    for (int i = 0; i < N; i += HISTOGRAMS)
        for (int k = 0; k < HISTOGRAMS; k++)
            count[k][bucket[i + k]]++;
    for (int k = 1; k < HISTOGRAMS; k++)
        for (int b = 0; b < BUCKETS; b++)
            count[0][b] += count[k][b];
    for (int b = 0, sum = 0; b < BUCKETS; b++)
        end[b] = (uint8_t)(sum += count[0][b]);
}

/* The bucket of the number with this rank in ascending order, from 0. */
INLINE uint8_t bucket_of_rank(const uint8_t *end, int rank) {
    uint8_t below = 0;
    for (int b = 0; b < BUCKETS; b++)
        below += end[b] <= rank;
    return below;
}

INLINE void insertion_sort(float *x, int n) {
    for (int i = 1; i < n; i++) {
        float value = x[i];
        int j = i;
        for (; j > 0 && x[j - 1] > value; j--)
            x[j] = x[j - 1];
        x[j] = value;
    }
}

/* Percentiles between 1 and 99, at most `MAX_QUANTILES`, interpolated linearly between neighbouring ranks.
 * Only the few buckets that hold those ranks are sorted. */
INLINE void quantiles(const float *x, const int *percent, int count, float *out) {
    uint8_t bucket[N], end[BUCKETS], begin[BUCKETS], size[BUCKETS], needed[BUCKETS] = {0};
    uint8_t rank_bucket[2 * MAX_QUANTILES]; /* of the two ranks around each percentile */
    int candidate[N + 1], used = 0, n = 0;
    float sorted[N];
    assign_buckets(x, bucket);
    count_up_to(bucket, end);
    for (int k = 0; k < 2 * count; k++) {
        uint8_t b = rank_bucket[k] = bucket_of_rank(end, percent[k / 2] * (N - 1) / 100 + k % 2);
        if (needed[b])
            continue;
        needed[b] = 1, begin[b] = (uint8_t)used, size[b] = 0;
        used += end[b] - (b ? end[b - 1] : 0);
    }
    for (int i = 0; i < N; i++) { /* branch-free: the branch would not be predictable */
        candidate[n] = i;
        n += needed[bucket[i]];
    }
    for (int k = 0; k < n; k++) {
        uint8_t b = bucket[candidate[k]];
        sorted[begin[b] + size[b]++] = x[candidate[k]];
    }
    for (int k = 0; k < 2 * count; k++)
        insertion_sort(sorted + begin[rank_bucket[k]], size[rank_bucket[k]]);
    for (int k = 0; k < count; k++) {
        int hundredths = percent[k] * (N - 1);
        float fraction = (float)(hundredths % 100) / 100.0f, pair[2];
        for (int side = 0; side < 2; side++) {
            uint8_t b = rank_bucket[2 * k + side];
            pair[side] = sorted[begin[b] + hundredths / 100 + side - (b ? end[b - 1] : 0)];
        }
        out[k] = pair[0] * (1.0f - fraction) + pair[1] * fraction;
    }
}
