/* Quantiles without putting everything in order. */
#pragma once

#include "lanes.h"

#define BUCKETS 128

/* Numbers dealt into buckets by size: each bucket's lie together, in any order. */
typedef struct {
    float dealt[N], least, scale;
    int end[BUCKETS];
} buckets;

/* What is no number goes to the first: its window is spoilt anyway. */
INLINE int bucket_of(const buckets *all, float value) {
    float place = (value - all->least) * all->scale;
    return place >= 0.0f && place < BUCKETS ? (int)place : 0;
}

INLINE void deal(const float *x, buckets *all) {
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
    all->least = low[0];
    all->scale = high[0] > low[0] ? (BUCKETS - 1) / (high[0] - low[0]) : 0.0f;
    int bucket[N], next[BUCKETS] = {0};
    for (int i = 0; i < N; i++)
        bucket[i] = bucket_of(all, x[i]);
    for (int i = 0; i < N; i++)
        next[bucket[i]]++;
    for (int k = 0, begin = 0; k < BUCKETS; k++) {
        all->end[k] = begin + next[k];
        next[k] = begin;
        begin = all->end[k];
    }
    for (int i = 0; i < N; i++)
        all->dealt[next[bucket[i]]++] = x[i];
}

/* The number that would stand at a place in ascending order: its bucket is put in order. */
INLINE float placed(buckets *all, int place) {
    int bucket = bucket_of(all, all->dealt[place]);
    int begin = bucket ? all->end[bucket - 1] : 0;
    for (int i = begin + 1; i < all->end[bucket]; i++) {
        float value = all->dealt[i];
        int j = i;
        for (; j > begin && all->dealt[j - 1] > value; j--)
            all->dealt[j] = all->dealt[j - 1];
        all->dealt[j] = value;
    }
    return all->dealt[place];
}

/* Linear interpolation between neighbours; `percent` of 1 to 99. */
INLINE float quantile(buckets *all, int percent) {
    int hundredths = percent * (N - 1), low = hundredths / 100;
    float part = (float)(hundredths % 100) / 100.0f;
    return placed(all, low) * (1.0f - part) + placed(all, low + 1) * part;
}
