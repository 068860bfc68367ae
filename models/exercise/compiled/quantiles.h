/* Quantiles without putting everything in order. */
#pragma once

#include <stdint.h>

#include "lanes.h"

#define BUCKETS 128
#define MOST 5 /* quantiles of one channel */
#define TABLES 4 /* neighbours are alike: what counts them in turn does not wait for itself */

/* Which bucket each number falls into by its size. What is no number goes to the first: its window is
 * spoilt anyway. */
INLINE void into_buckets(const float *x, uint8_t *bucket) {
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
        float place = (x[i] - low[0]) * scale;
        bucket[i] = (uint8_t)(place >= 0.0f && place < BUCKETS ? (int)place : 0);
    }
}

/* How many numbers lie in each bucket and those before it. */
INLINE void ends_of(const uint8_t *bucket, uint8_t *end) {
    uint8_t count[TABLES][BUCKETS] = {{0}};
    for (int i = 0; i < N; i += TABLES)
        for (int k = 0; k < TABLES; k++)
            count[k][bucket[i + k]]++;
    for (int k = 1; k < TABLES; k++)
        for (int b = 0; b < BUCKETS; b++)
            count[0][b] += count[k][b];
    for (int b = 0, sum = 0; b < BUCKETS; b++)
        end[b] = (uint8_t)(sum += count[0][b]);
}

/* The bucket of the number that stands at a place in ascending order. */
INLINE uint8_t bucket_at(const uint8_t *end, int place) {
    uint8_t found = 0;
    for (int b = 0; b < BUCKETS; b++)
        found += end[b] <= place;
    return found;
}

INLINE void put_in_order(float *x, int n) {
    for (int i = 1; i < n; i++) {
        float value = x[i];
        int j = i;
        for (; j > 0 && x[j - 1] > value; j--)
            x[j] = x[j - 1];
        x[j] = value;
    }
}

/* Linear interpolation between neighbours in ascending order, for at most `MOST` percents of 1 to 99.
 * Only the few buckets that hold those neighbours are put in order. */
INLINE void quantiles(const float *x, const int *percent, int count, float *out) {
    uint8_t bucket[N], end[BUCKETS], begin[BUCKETS], size[BUCKETS], sought[BUCKETS] = {0};
    uint8_t home[2 * MOST]; /* the bucket of each neighbour */
    int taken[N + 1], room = 0, n = 0;
    float dealt[N];
    into_buckets(x, bucket);
    ends_of(bucket, end);
    for (int k = 0; k < 2 * count; k++) {
        uint8_t b = home[k] = bucket_at(end, percent[k / 2] * (N - 1) / 100 + k % 2);
        if (sought[b])
            continue;
        sought[b] = 1, begin[b] = (uint8_t)room, size[b] = 0;
        room += end[b] - (b ? end[b - 1] : 0);
    }
    for (int i = 0; i < N; i++) { /* without a branch: which are taken is anybody's guess */
        taken[n] = i;
        n += sought[bucket[i]];
    }
    for (int k = 0; k < n; k++) {
        uint8_t b = bucket[taken[k]];
        dealt[begin[b] + size[b]++] = x[taken[k]];
    }
    for (int k = 0; k < 2 * count; k++)
        put_in_order(dealt + begin[home[k]], size[home[k]]);
    for (int k = 0; k < count; k++) {
        int hundredths = percent[k] * (N - 1);
        float part = (float)(hundredths % 100) / 100.0f, pair[2];
        for (int side = 0; side < 2; side++) {
            uint8_t b = home[2 * k + side];
            pair[side] = dealt[begin[b] + hundredths / 100 + side - (b ? end[b - 1] : 0)];
        }
        out[k] = pair[0] * (1.0f - part) + pair[1] * part;
    }
}
