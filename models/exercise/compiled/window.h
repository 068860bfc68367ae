/* The features of one window, as `models/exercise/reference` spells them out in numpy.
 *
 * Compiled once for each kind of processor (`kernel.c`). What keeps its bytes the same everywhere
 * stands in `lanes.h`.
 */
#pragma once

#include "eigen.h"
#include "lanes.h"
#include "quantiles.h"
#include "spectrum.h"

#define SMOOTH 25 /* half a second, twice: what is slower is gravity */
#define CHANNELS 12
#define STATISTICS 24
#define LAGS 3
#define ECHOES 5

static const float TINY = 1e-6f;
static const float FLOOR = 1e-4f; /* added to a covariance before its logarithm */
static const int LAG[LAGS] = {6, 15, 30};
static const int ECHO[ECHOES] = {25, 50, 75, 100, 125};
static const int PAIR[6][2] = {{0, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 2}, {2, 2}};
/* Products of three axes: a pair of `PAIR`, and an axis that comes last. */
static const int TRIPLE[10][2] = {{0, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 2},
                                  {2, 2}, {3, 1}, {3, 2}, {4, 2}, {5, 2}};

/* The 24 statistics of a channel, in the order of `SINGLE`. */
INLINE void single(const float *x, const float *centred, float mean, float variance, float *out) {
    signal squares = {0}, steps = {0};
    for (int i = 0; i < N; i++)
        squares[i] = centred[i] * centred[i];
    for (int i = 0; i < N - 1; i++)
        steps[i] = fabsf(x[i + 1] - x[i]);
    static const int PERCENT[5] = {5, 25, 50, 75, 95};
    float safe = variance + QUIET;
    out[0] = mean;
    out[1] = sqrtf(variance);
    quantiles(x, PERCENT, 5, out + 2);
    out[7] = sum_of(steps, N - 1) / (N - 1);
    out[8] = dot(squares, centred, N) / N / (safe * sqrtf(safe));
    out[9] = log_of(dot(squares, squares, N) / N / (safe * safe) + 0.1f);
    spectrum(centred, out + 10);
    for (int k = 0; k < ECHOES; k++)
        out[19 + k] = dot(centred + ECHO[k], centred, N - ECHO[k]) / (float)(N - ECHO[k]) / safe;
}

/* Moving average of 25 samples of each axis; edges are held. */
INLINE void smooth(const signal *x, signal *out) {
    double total[3] = {0.0}, totals[3][N];
    for (int i = -(SMOOTH / 2); i <= SMOOTH / 2; i++)
        for (int axis = 0; axis < 3; axis++)
            total[axis] += x[axis][i < 0 ? 0 : i];
    for (int i = 0; i < N; i++) { /* all axes at once: each sum waits for the one before it */
        int next = i + SMOOTH / 2 + 1, last = i - SMOOTH / 2;
        next = next < N ? next : N - 1, last = last < 0 ? 0 : last;
        for (int axis = 0; axis < 3; axis++) {
            totals[axis][i] = total[axis];
            total[axis] += (double)x[axis][next] - (double)x[axis][last];
        }
    }
    for (int axis = 0; axis < 3; axis++)
        for (int i = 0; i < N; i++)
            out[axis][i] = (float)(totals[axis][i] / SMOOTH);
}

INLINE float length(float x, float y, float z) {
    return sqrtf(x * x + y * y + z * z);
}

INLINE void lengths(const signal *x, float *out) {
    for (int i = 0; i < N; i++)
        out[i] = length(x[0][i], x[1][i], x[2][i]);
}

/* Lengths along gravity and across it. */
INLINE void along_across(const signal *x, const signal *down, float *along, float *across) {
    for (int i = 0; i < N; i++) {
        float a = x[0][i] * down[0][i] + x[1][i] * down[1][i] + x[2][i] * down[2][i];
        along[i] = a;
        across[i] = length(x[0][i] - down[0][i] * a, x[1][i] - down[1][i] * a,
                           x[2][i] - down[2][i] * a);
    }
}

/* Matrix logarithm of a covariance: a flat picture of its cone. The upper triangle in a row. */
INLINE float *log_covariance(int n, float covariance[CHANNELS][CHANNELS], float *out) {
    double a[6][6], values[6], vectors[6][6], logs[6];
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            a[i][j] = (double)covariance[i][j] + (i == j ? (double)FLOOR : 0.0);
    eigen(n, a, values, vectors);
    for (int k = 0; k < n; k++) {
        float value = (float)values[k];
        logs[k] = (double)log_of(value > FLOOR / 2 ? value : FLOOR / 2);
    }
    for (int i = 0; i < n; i++)
        for (int j = i; j < n; j++) {
            double found = 0.0;
            for (int k = 0; k < n; k++)
                found += vectors[i][k] * logs[k] * vectors[j][k];
            *out++ = (float)found;
        }
    return out;
}

INLINE float *correlations(int first, int end, float covariance[CHANNELS][CHANNELS],
                           const float *deviation, float *out) {
    for (int i = first; i < end; i++)
        for (int j = i + 1; j < end; j++)
            *out++ = covariance[i][j] / (deviation[i] * deviation[j]);
    return out;
}

/* Where gravity points: mean, deviation and range of its unit vector. */
INLINE float *posture(const signal *down, float *out) {
    static const int PERCENT[2] = {5, 95};
    for (int axis = 0; axis < 3; axis++) {
        signal off = {0};
        float mean = sum_of(down[axis], N) / N, ends[2];
        for (int i = 0; i < N; i++)
            off[i] = down[axis][i] - mean;
        quantiles(down[axis], PERCENT, 2, ends);
        out[axis] = mean;
        out[3 + axis] = sqrtf(dot(off, off, N) / N);
        out[6 + axis] = ends[0];
        out[9 + axis] = ends[1];
    }
    return out + 12;
}

/* Which axis follows which. */
INLINE float *lagged(int axes, const signal *centred, const float *deviation, float *out) {
    for (int k = 0; k < LAGS; k++)
        for (int i = 0; i < axes; i++)
            for (int j = 0; j < axes; j++) {
                float scale = (float)(N - LAG[k]) * (deviation[i] * deviation[j]);
                *out++ = dot(centred[i] + LAG[k], centred[j], N - LAG[k]) / scale;
            }
    return out;
}

INLINE void products_of(const signal *x, signal *products) {
    for (int pair = 0; pair < 6; pair++)
        for (int i = 0; i < N; i++)
            products[pair][i] = x[PAIR[pair][0]][i] * x[PAIR[pair][1]][i];
}

/* Principal axis as a projector, log spreads, third moments. Returns the mean square length. */
INLINE float shape(const signal *x, const signal *products, float *out) {
    double a[6][6], sizes[6], vectors[6][6];
    float size = 0.0f;
    for (int pair = 0; pair < 6; pair++) {
        int i = PAIR[pair][0], j = PAIR[pair][1];
        a[i][j] = a[j][i] = (double)(sum_of(products[pair], N) / N);
    }
    float power = (float)(a[0][0] + a[1][1] + a[2][2]);
    eigen(3, a, sizes, vectors);
    for (int pair = 0; pair < 6; pair++)
        *out++ = (float)(vectors[PAIR[pair][0]][2] * vectors[PAIR[pair][1]][2]);
    for (int k = 0; k < 3; k++) {
        float value = (float)sizes[k];
        size += value;
        *out++ = log_of((value > 0.0f ? value : 0.0f) + FLOOR);
    }
    size += FLOOR;
    for (int k = 0; k < 10; k++)
        *out++ = dot(products[TRIPLE[k][0]], x[TRIPLE[k][1]], N) / N / (size * sqrtf(size));
    return power;
}

/* Gravity's direction, and acceleration without it. */
INLINE void part_gravity(const signal *acc, signal *down, signal *linear) {
    signal once[3];
    smooth(acc, once);
    smooth(once, down);
    for (int axis = 0; axis < 3; axis++)
        for (int i = 0; i < N; i++)
            linear[axis][i] = acc[axis][i] - down[axis][i];
    for (int i = 0; i < N; i++) {
        float size = length(down[0][i], down[1][i], down[2][i]) + TINY;
        for (int axis = 0; axis < 3; axis++)
            down[axis][i] /= size;
    }
}

/* E[a_i a_j w_k] over the size of both. */
INLINE void coupling(const signal *pulled, const signal *turning, float power, float spin,
                     float *out) {
    float size = (power + FLOOR) * sqrtf(spin + FLOOR);
    for (int pair = 0; pair < 6; pair++)
        for (int k = 0; k < 3; k++)
            *out++ = dot(pulled[pair], turning[k], N) / N / size;
}

/* All features of a window.
 * kin: those of the window that this one is a turned copy of; 0 where it is none. A turn changes no
 * length, so what stands there of the scalar channels is taken from it. */
INLINE void window(const float *acc, const float *gyro, const float *kin, float *out) {
    const int axes = gyro ? 6 : 3, channels = 2 * axes, fresh = kin ? axes : channels;
    signal every[CHANNELS] = {{0}}, centred[CHANNELS] = {{0}}, down[3] = {{0}}, linear[3] = {{0}};
    float mean[CHANNELS], deviation[CHANNELS], covariance[CHANNELS][CHANNELS];
    for (int axis = 0; axis < axes; axis++)
        memcpy(every[axis], axis < 3 ? acc + axis * N : gyro + (axis - 3) * N, N * sizeof(float));
    part_gravity(every, down, linear);
    if (!kin) {
        lengths(every, every[axes]);
        along_across(linear, down, every[axes + 1], every[axes + 2]);
        if (gyro) {
            lengths(every + 3, every[9]);
            along_across(every + 3, down, every[10], every[11]);
        }
    }
    for (int c = 0; c < fresh; c++) {
        mean[c] = sum_of(every[c], N) / N;
        for (int i = 0; i < N; i++)
            centred[c][i] = every[c][i] - mean[c];
    }
    for (int i = 0; i < fresh; i++) {
        for (int j = i; j < fresh; j++)
            covariance[i][j] = covariance[j][i] = dot(centred[i], centred[j], N) / N;
        deviation[i] = sqrtf(covariance[i][i] + QUIET);
    }
    float *begin = out;
    for (int c = 0; c < fresh; c++)
        single(every[c], centred[c], mean[c], covariance[c][c], out + STATISTICS * c);
    out = correlations(0, axes, covariance, deviation, begin + STATISTICS * channels);
    if (kin) {
        size_t scalars = STATISTICS * (size_t)axes, pairs = (size_t)(axes * (axes - 1) / 2);
        memcpy(begin + scalars, kin + scalars, scalars * sizeof(float));
        memcpy(out, kin + (out - begin), pairs * sizeof(float));
        out += pairs;
    } else
        out = correlations(axes, channels, covariance, deviation, out);
    out = posture(down, out);
    out = log_covariance(axes, covariance, out);
    out = lagged(axes, centred, deviation, out);
    signal pulled[6] = {{0}}, spun[6] = {{0}};
    products_of(linear, pulled);
    float power = shape(linear, pulled, out);
    if (gyro) {
        products_of(centred + 3, spun);
        float spin = shape(centred + 3, spun, out + 19);
        coupling(pulled, centred + 3, power, spin, out + 38);
    }
}

/* All features of m windows, one after the other. */
INLINE void windows(const float *acc, const float *gyro, const float *kin, long m, float *out) {
    const long size = gyro ? 515 : 214;
    for (long k = 0; k < m; k++)
        window(acc + 3 * N * k, gyro ? gyro + 3 * N * k : 0, kin ? kin + size * k : 0,
               out + size * k);
}
