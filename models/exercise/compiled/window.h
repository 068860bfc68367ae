/* The features of one window; `models/exercise/reference` is the same in numpy.
 *
 * Compiled once for each kind of processor (`kernel.c`). `lanes.h` says why all give the same bytes.
 */
#pragma once

#include "eigen.h"
#include "lanes.h"
#include "quantiles.h"
#include "spectrum.h"

#define SMOOTHING 25 /* samples of a moving average, applied twice: what is slower is gravity */
#define CHANNELS 12
#define STATISTICS 24
#define LAGS 3
#define ECHOES 5

static const float MIN_NORM = 1e-6f;
static const float COVARIANCE_FLOOR = 1e-4f; /* added to a covariance before its logarithm */
static const int LAG[LAGS] = {6, 15, 30};
static const int ECHO_LAG[ECHOES] = {25, 50, 75, 100, 125};
static const int PAIR[6][2] = {{0, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 2}, {2, 2}};
/* Products of three axes: a pair of `PAIR`, and the last axis. */
static const int TRIPLE[10][2] = {{0, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 2},
                                  {2, 2}, {3, 1}, {3, 2}, {4, 2}, {5, 2}};

/* The 24 statistics of a channel, in the order of `SINGLE`. */
INLINE void channel_statistics(const float *x, const float *centred, float mean, float variance, float *out) {
    signal squared = {0}, differences = {0};
    for (int i = 0; i < N; i++)
        squared[i] = centred[i] * centred[i];
    for (int i = 0; i < N - 1; i++)
        differences[i] = fabsf(x[i + 1] - x[i]);
    static const int PERCENT[5] = {5, 25, 50, 75, 95};
    float safe = variance + VARIANCE_FLOOR;
    out[0] = mean;
    out[1] = sqrtf(variance);
    quantiles(x, PERCENT, 5, out + 2);
    out[7] = sum_of(differences, N - 1) / (N - 1);
    out[8] = dot(squared, centred, N) / N / (safe * sqrtf(safe));
    out[9] = log_of(dot(squared, squared, N) / N / (safe * safe) + 0.1f);
    spectrum(centred, out + 10);
    for (int k = 0; k < ECHOES; k++)
        out[19 + k] = dot(centred + ECHO_LAG[k], centred, N - ECHO_LAG[k]) / (float)(N - ECHO_LAG[k]) / safe;
}

/* Moving average of 25 samples of each axis; samples before and after the window repeat its edges. */
INLINE void smooth(const signal *x, signal *out) {
    double total[3] = {0.0}, totals[3][N];
    for (int i = -(SMOOTHING / 2); i <= SMOOTHING / 2; i++)
        for (int axis = 0; axis < 3; axis++)
            total[axis] += x[axis][i < 0 ? 0 : i];
    for (int i = 0; i < N; i++) { /* all axes at once: each running sum waits for its last value */
        int next = i + SMOOTHING / 2 + 1, last = i - SMOOTHING / 2;
        next = next < N ? next : N - 1, last = last < 0 ? 0 : last;
        for (int axis = 0; axis < 3; axis++) {
            totals[axis][i] = total[axis];
            total[axis] += (double)x[axis][next] - (double)x[axis][last];
        }
    }
    for (int axis = 0; axis < 3; axis++)
        for (int i = 0; i < N; i++)
            out[axis][i] = (float)(totals[axis][i] / SMOOTHING);
}

INLINE float norm(float x, float y, float z) {
    return sqrtf(x * x + y * y + z * z);
}

INLINE void norms(const signal *x, float *out) {
    for (int i = 0; i < N; i++)
        out[i] = norm(x[0][i], x[1][i], x[2][i]);
}

/* The component along gravity, and the norm of the rest. */
INLINE void split_along_gravity(const signal *x, const signal *down, float *along, float *across) {
    for (int i = 0; i < N; i++) {
        float a = x[0][i] * down[0][i] + x[1][i] * down[1][i] + x[2][i] * down[2][i];
        along[i] = a;
        across[i] = norm(x[0][i] - down[0][i] * a, x[1][i] - down[1][i] * a,
                         x[2][i] - down[2][i] * a);
    }
}

/* The upper triangle, row by row, of a covariance's matrix logarithm: logarithms form a vector space. */
INLINE float *log_covariance(int n, float covariance[CHANNELS][CHANNELS], float *out) {
    double a[6][6], values[6], vectors[6][6], logs[6];
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            a[i][j] = (double)covariance[i][j] + (i == j ? (double)COVARIANCE_FLOOR : 0.0);
    eigen(n, a, values, vectors);
    for (int k = 0; k < n; k++) {
        float value = (float)values[k];
        logs[k] = (double)log_of(value > COVARIANCE_FLOOR / 2 ? value : COVARIANCE_FLOOR / 2);
    }
    for (int i = 0; i < n; i++)
        for (int j = i; j < n; j++) {
            double entry = 0.0;
            for (int k = 0; k < n; k++)
                entry += vectors[i][k] * logs[k] * vectors[j][k];
            *out++ = (float)entry;
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

/* Mean, standard deviation, 5th and 95th percentile of gravity's unit vector, axis by axis. */
INLINE float *posture(const signal *down, float *out) {
    static const int PERCENT[2] = {5, 95};
    for (int axis = 0; axis < 3; axis++) {
        signal off = {0};
        float mean = sum_of(down[axis], N) / N, range[2];
        for (int i = 0; i < N; i++)
            off[i] = down[axis][i] - mean;
        quantiles(down[axis], PERCENT, 2, range);
        out[axis] = mean;
        out[3 + axis] = sqrtf(dot(off, off, N) / N);
        out[6 + axis] = range[0];
        out[9 + axis] = range[1];
    }
    return out + 12;
}

/* Cross-correlations of all axes at each lag. */
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

/* Projector on the principal axis, logarithms of the eigenvalues, third moments. Returns the mean square norm. */
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
        *out++ = log_of((value > 0.0f ? value : 0.0f) + COVARIANCE_FLOOR);
    }
    size += COVARIANCE_FLOOR;
    for (int k = 0; k < 10; k++)
        *out++ = dot(products[TRIPLE[k][0]], x[TRIPLE[k][1]], N) / N / (size * sqrtf(size));
    return power;
}

/* Gravity's direction, and acceleration without gravity. */
INLINE void split_gravity(const signal *acc, signal *down, signal *linear) {
    signal smoothed[3];
    smooth(acc, smoothed);
    smooth(smoothed, down);
    for (int axis = 0; axis < 3; axis++)
        for (int i = 0; i < N; i++)
            linear[axis][i] = acc[axis][i] - down[axis][i];
    for (int i = 0; i < N; i++) {
        float size = norm(down[0][i], down[1][i], down[2][i]) + MIN_NORM;
        for (int axis = 0; axis < 3; axis++)
            down[axis][i] /= size;
    }
}

/* E[a_i a_j w_k] of acceleration a and rotation w, divided by the magnitudes of both. */
INLINE void coupling(const signal *acc_products, const signal *rotation, float power, float gyro_power,
                     float *out) {
    float size = (power + COVARIANCE_FLOOR) * sqrtf(gyro_power + COVARIANCE_FLOOR);
    for (int pair = 0; pair < 6; pair++)
        for (int k = 0; k < 3; k++)
            *out++ = dot(acc_products[pair], rotation[k], N) / N / size;
}

/* All features of a window, in the order that they are computed in.
 * is_copy: `out` holds the features of the window that this one is a rotated copy of. A rotation changes no norm,
 * so those of the scalar channels stay as they are. */
INLINE void window(const float *acc, const float *gyro, int is_copy, float *out) {
    const int axes = gyro ? 6 : 3, channels = 2 * axes, computed = is_copy ? axes : channels;
    signal signals[CHANNELS] = {{0}}, centred[CHANNELS] = {{0}}, down[3] = {{0}}, linear[3] = {{0}};
    float mean[CHANNELS], deviation[CHANNELS], covariance[CHANNELS][CHANNELS];
    for (int axis = 0; axis < axes; axis++)
        memcpy(signals[axis], axis < 3 ? acc + axis * N : gyro + (axis - 3) * N, N * sizeof(float));
    split_gravity(signals, down, linear);
    if (!is_copy) {
        norms(signals, signals[axes]);
        split_along_gravity(linear, down, signals[axes + 1], signals[axes + 2]);
        if (gyro) {
            norms(signals + 3, signals[9]);
            split_along_gravity(signals + 3, down, signals[10], signals[11]);
        }
    }
    for (int c = 0; c < computed; c++) {
        mean[c] = sum_of(signals[c], N) / N;
        for (int i = 0; i < N; i++)
            centred[c][i] = signals[c][i] - mean[c];
    }
    for (int i = 0; i < computed; i++) {
        for (int j = i; j < computed; j++)
            covariance[i][j] = covariance[j][i] = dot(centred[i], centred[j], N) / N;
        deviation[i] = sqrtf(covariance[i][i] + VARIANCE_FLOOR);
    }
    for (int c = 0; c < computed; c++)
        channel_statistics(signals[c], centred[c], mean[c], covariance[c][c], out + STATISTICS * c);
    out = correlations(0, axes, covariance, deviation, out + STATISTICS * channels);
    if (is_copy)
        out += axes * (axes - 1) / 2;
    else
        out = correlations(axes, channels, covariance, deviation, out);
    out = posture(down, out);
    out = log_covariance(axes, covariance, out);
    out = lagged(axes, centred, deviation, out);
    signal acc_products[6] = {{0}}, gyro_products[6] = {{0}};
    products_of(linear, acc_products);
    float power = shape(linear, acc_products, out);
    if (gyro) {
        products_of(centred + 3, gyro_products);
        float gyro_power = shape(centred + 3, gyro_products, out + 19);
        coupling(acc_products, centred + 3, power, gyro_power, out + 38);
    }
}

/* All features of m windows, one after the other; arguments as of `muvr_features`. */
INLINE void windows(const float *acc, const float *gyro, const float *originals, const int *columns, long m,
                    float *out) {
    const long size = gyro ? 515 : 214;
    float computed[515];
    for (long k = 0; k < m; k++) {
        if (originals)
            for (long i = 0; i < size; i++)
                computed[columns[i]] = originals[size * k + i];
        window(acc + 3 * N * k, gyro ? gyro + 3 * N * k : 0, originals != 0, computed);
        for (long i = 0; i < size; i++)
            out[size * k + i] = computed[columns[i]];
    }
}
