/* The spectrum of a channel, and what is said of it. */
#pragma once

#include "lanes.h"

#define HALF (N / 2)
#define QUARTER (N / 4)
#define BINS HALF /* frequencies 0.25, 0.5 ... 25 Hz */
#define PADDED_BINS 112 /* up to the end of a block of lanes, as sums go */
#define BANDS 6

static const int BAND_END[BANDS] = {2, 4, 7, 12, 24, BINS}; /* bins below the edges in Hz */

/* Cosines and sines of j · (2f + odd) · 2π/200, frequencies side by side and filled up to 64; and the
 * frequencies in Hz. `waves.c` fills them. */
extern HIDDEN float COSINE[2][QUARTER + 1][4 * LANES], SINE[2][QUARTER + 1][4 * LANES];
extern HIDDEN float HERTZ[PADDED];

/* Power at 0.25, 0.5 ... 25 Hz. A cosine over the window is the same or the opposite from both ends
 * and from both sides of the middle: each frequency is a sum over a quarter of the samples. */
INLINE void power_of(const float *x, float *power) {
    float even[HALF + 1], odd[HALF + 1];
    even[0] = x[0], even[HALF] = x[HALF], odd[0] = odd[HALF] = 0.0f;
    for (int j = 1; j < HALF; j++) {
        even[j] = x[j] + x[N - j];
        odd[j] = x[j] - x[N - j];
    }
    for (int parity = 0; parity < 2; parity++) {
        float sign = parity ? -1.0f : 1.0f, across[QUARTER + 1], along[QUARTER + 1];
        float found[4 * LANES];
        for (int j = 0; j <= QUARTER; j++) {
            across[j] = j == QUARTER ? even[j] : even[j] + sign * even[HALF - j];
            along[j] = j == QUARTER ? odd[j] : odd[j] - sign * odd[HALF - j];
        }
        for (int first = 0; first < 4 * LANES; first += 4 * WIDTH) {
            part real[4] = {{0}}, imaginary[4] = {{0}};
            for (int j = 0; j <= QUARTER; j++)
                for (int k = 0; k < 4; k++) {
                    real[k] += across[j] * load(COSINE[parity][j] + first + k * WIDTH);
                    imaginary[k] += along[j] * load(SINE[parity][j] + first + k * WIDTH);
                }
            for (int k = 0; k < 4; k++)
                real[k] = real[k] * real[k] + imaginary[k] * imaginary[k];
            memcpy(found + first, real, sizeof real);
        }
        for (int f = 1 - parity; f <= QUARTER - parity; f++)
            power[2 * f + parity - 1] = found[f];
    }
}

/* Centroid in Hz, shares of six bands, crossings a sample, entropy from 0 to 1. */
INLINE void spectrum(const float *centred, float *out) {
    signal power = {0}, weighted;
    power_of(centred, power);
    float total = sum_of(power, BINS) + QUIET;
    for (int i = 0; i < PADDED_BINS; i += WIDTH) {
        part share = load(power + i) / total, weight = share * logs_of(share + 1e-9f);
        memcpy(power + i, &share, sizeof share);
        memcpy(weighted + i, &weight, sizeof weight);
    }
    out[0] = dot(power, HERTZ, BINS);
    for (int band = 0, bin = 0; band < BANDS; band++) {
        float share = 0.0f;
        for (; bin < BAND_END[band]; bin++)
            share += power[bin];
        out[1 + band] = share;
    }
    int crossings = 0;
    for (int i = 1; i < N; i++)
        crossings += (centred[i] > 0) != (centred[i - 1] > 0);
    out[7] = (float)crossings / (N - 1);
    out[8] = -sum_of(weighted, BINS) / 4.60517018598809136804f; /* log of 100 */
}
