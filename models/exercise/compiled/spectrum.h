/* The power spectrum of a channel, and its statistics. */
#pragma once

#include "lanes.h"

#define HALF (N / 2)
#define QUARTER (N / 4)
#define BINS HALF /* frequencies 0.25, 0.5 ... 25 Hz */
#define PADDED_BINS 112 /* to the end of a block of lanes, as far as sums read */
#define BANDS 6

static const int BAND_END[BANDS] = {2, 4, 7, 12, 24, BINS}; /* the bin after each band's last */

/* Cosines and sines of j · (2f + odd) · 2π/200, indexed [odd][j][f] with f padded to 64, and the frequencies
 * in Hz; computed in `waves.c`. */
extern HIDDEN float COSINE[2][QUARTER + 1][4 * LANES], SINE[2][QUARTER + 1][4 * LANES];
extern HIDDEN float HERTZ[PADDED];

/* Power at 0.25, 0.5 ... 25 Hz. Cosines and sines are symmetric or antisymmetric about the window's middle and
 * about its quarters, so samples are folded twice and each frequency sums over a quarter of them. */
INLINE void power_of(const float *x, float *power) {
    float even[HALF + 1], odd[HALF + 1];
    even[0] = x[0], even[HALF] = x[HALF], odd[0] = odd[HALF] = 0.0f;
    for (int j = 1; j < HALF; j++) {
        even[j] = x[j] + x[N - j];
        odd[j] = x[j] - x[N - j];
    }
    for (int parity = 0; parity < 2; parity++) {
        float sign = parity ? -1.0f : 1.0f, cosine_terms[QUARTER + 1], sine_terms[QUARTER + 1];
        float powers[4 * LANES];
        for (int j = 0; j <= QUARTER; j++) {
            cosine_terms[j] = j == QUARTER ? even[j] : even[j] + sign * even[HALF - j];
            sine_terms[j] = j == QUARTER ? odd[j] : odd[j] - sign * odd[HALF - j];
        }
        for (int first = 0; first < 4 * LANES; first += 4 * WIDTH) {
            vector real[4] = {{0}}, imaginary[4] = {{0}};
            for (int j = 0; j <= QUARTER; j++)
                for (int k = 0; k < 4; k++) {
                    real[k] += cosine_terms[j] * load(COSINE[parity][j] + first + k * WIDTH);
                    imaginary[k] += sine_terms[j] * load(SINE[parity][j] + first + k * WIDTH);
                }
            for (int k = 0; k < 4; k++)
                real[k] = real[k] * real[k] + imaginary[k] * imaginary[k];
            memcpy(powers + first, real, sizeof real);
        }
        for (int f = 1 - parity; f <= QUARTER - parity; f++)
            power[2 * f + parity - 1] = powers[f];
    }
}

/* Centroid in Hz, shares of six bands, zero crossings per sample, entropy from 0 to 1. */
INLINE void spectrum(const float *centred, float *out) {
    signal power = {0}, weighted;
    power_of(centred, power);
    float total = sum_of(power, BINS) + VARIANCE_FLOOR;
    for (int i = 0; i < PADDED_BINS; i += WIDTH) {
        vector share = load(power + i) / total, weight = share * log_each(share + 1e-9f);
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
