/* The features of windows, as `models/exercise/reference` spells them out in numpy.
 *
 * A window by itself costs numpy some 150 array operations; most of their time goes into beginning
 * them. Here it is one call. The arithmetic is IEEE single precision in a fixed order (sums in
 * sixteen lanes, nothing contracted, nothing reassociated, no library function but sqrt), so that
 * every compiler and every processor gives the same bytes.
 */

#include <math.h>
#include <string.h>

#define N 200 /* samples of a window: 4 s at 50 Hz */
#define LANES 16
#define HALF (N / 2)
#define QUARTER (N / 4)
#define BINS HALF /* frequencies 0.25, 0.5 ... 25 Hz */
#define SMOOTH 25 /* half a second, twice: what is slower is gravity */
#define CHANNELS 12
#define STATISTICS 24
#define BANDS 6
#define LAGS 3
#define ECHOES 5
#define BUCKETS 128

static const float QUIET = 1e-6f; /* variance below which a channel counts as still */
static const float TINY = 1e-6f;
static const float FLOOR = 1e-4f; /* added to a covariance before its logarithm */
static const int LAG[LAGS] = {6, 15, 30};
static const int ECHO[ECHOES] = {25, 50, 75, 100, 125};
static const int BAND_END[BANDS] = {2, 4, 7, 12, 24, BINS}; /* bins below the edges in Hz */
static const int PAIR[6][2] = {{0, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 2}, {2, 2}};
/* Products of three axes: a pair of `PAIR`, and an axis that comes last. */
static const int TRIPLE[10][2] = {{0, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 2},
                                  {2, 2}, {3, 1}, {3, 2}, {4, 2}, {5, 2}};

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif
typedef float signal[N];
#define INLINE static inline __attribute__((always_inline))

/* Cosines and sines of j · (2f + odd) · 2π/200, frequencies side by side and filled up to 64. */
static float COSINE[2][QUARTER + 1][4 * LANES], SINE[2][QUARTER + 1][4 * LANES];

__attribute__((constructor)) static void make_waves(void) {
    const double step_cos = 0.99950656036573155700, step_sin = 0.031410759078128293845;
    double turn_cos[N], turn_sin[N];
    turn_cos[0] = 1.0, turn_sin[0] = 0.0;
    for (int k = 1; k < N; k++) {
        turn_cos[k] = turn_cos[k - 1] * step_cos - turn_sin[k - 1] * step_sin;
        turn_sin[k] = turn_sin[k - 1] * step_cos + turn_cos[k - 1] * step_sin;
    }
    for (int odd = 0; odd < 2; odd++)
        for (int j = 0; j <= QUARTER; j++)
            for (int f = 0; f <= QUARTER; f++) {
                COSINE[odd][j][f] = (float)turn_cos[j * (2 * f + odd) % N];
                SINE[odd][j][f] = (float)turn_sin[j * (2 * f + odd) % N];
            }
}

/* Sixteen numbers side by side: compilers turn them into what the processor has. */
typedef float lanes __attribute__((vector_size(4 * LANES)));

INLINE lanes load(const float *x) {
    lanes found;
    memcpy(&found, x, sizeof found);
    return found;
}

/* The first n of sixteen, and noughts. */
INLINE lanes load_first(const float *x, int n) {
    lanes found = {0};
    for (int k = 0; k < n; k++)
        found[k] = x[k];
    return found;
}

INLINE float fold(lanes sum) {
    float x[LANES];
    memcpy(x, &sum, sizeof x);
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int k = 0; k < width; k++)
            x[k] += x[k + width];
    return x[0];
}

INLINE float sum_of(const float *x, int n) {
    lanes sum = {0};
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        sum += load(x + i);
    return fold(sum + load_first(x + i, n - i));
}

INLINE float dot(const float *a, const float *b, int n) {
    lanes sum = {0};
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        sum += load(a + i) * load(b + i);
    return fold(sum + load_first(a + i, n - i) * load_first(b + i, n - i));
}

/* Natural logarithm of a positive normal number, within 1 unit in the last place.
 * Polynomial: Cephes, S. Moshier, 1992. */
INLINE float log_of(float x) {
    int bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = ((bits >> 23) & 0xff) - 126;
    bits = (bits & 0x007fffff) | 0x3f000000;
    float m;
    memcpy(&m, &bits, sizeof m);
    int below = m < 0.707106781186547524f;
    exponent -= below;
    m = m + (below ? m : 0.0f) - 1.0f;
    float z = m * m;
    float y = 7.0376836292e-2f;
    y = y * m - 1.1514610310e-1f;
    y = y * m + 1.1676998740e-1f;
    y = y * m - 1.2420140846e-1f;
    y = y * m + 1.4249322787e-1f;
    y = y * m - 1.6668057665e-1f;
    y = y * m + 2.0000714765e-1f;
    y = y * m - 2.4999993993e-1f;
    y = y * m + 3.3333331174e-1f;
    y = y * m * z;
    y += -2.12194440e-4f * (float)exponent;
    y += -0.5f * z;
    return m + y + 0.693359375f * (float)exponent;
}

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
        float sign = parity ? -1.0f : 1.0f;
        lanes real[4] = {{0}}, imaginary[4] = {{0}};
        for (int j = 0; j <= QUARTER; j++) {
            float across = j == QUARTER ? even[j] : even[j] + sign * even[HALF - j];
            float along = j == QUARTER ? odd[j] : odd[j] - sign * odd[HALF - j];
            for (int k = 0; k < 4; k++) {
                real[k] += across * load(COSINE[parity][j] + k * LANES);
                imaginary[k] += along * load(SINE[parity][j] + k * LANES);
            }
        }
        for (int k = 0; k < 4; k++)
            real[k] = real[k] * real[k] + imaginary[k] * imaginary[k];
        for (int f = 1 - parity; f <= QUARTER - parity; f++)
            power[2 * f + parity - 1] = real[f / LANES][f % LANES];
    }
}

/* Centroid in Hz, shares of six bands, crossings a sample, entropy from 0 to 1. */
INLINE void spectrum(const float *centred, float *out) {
    float power[BINS], weighted[BINS], hertz[BINS];
    power_of(centred, power);
    float total = sum_of(power, BINS) + QUIET;
    for (int k = 0; k < BINS; k++) {
        power[k] /= total;
        hertz[k] = 0.25f * (float)(k + 1);
        weighted[k] = power[k] * log_of(power[k] + 1e-9f);
    }
    out[0] = dot(power, hertz, BINS);
    for (int band = 0, first = 0; band < BANDS; first = BAND_END[band++])
        out[1 + band] = sum_of(power + first, BAND_END[band] - first);
    int crossings = 0;
    for (int i = 1; i < N; i++)
        crossings += (centred[i] > 0) != (centred[i - 1] > 0);
    out[7] = (float)crossings / (N - 1);
    out[8] = -sum_of(weighted, BINS) / 4.60517018598809136804f; /* log of 100 */
}

/* The 24 statistics of a channel, in the order of `SINGLE`. */
INLINE void single(const float *x, const float *centred, float mean, float variance, float *out) {
    float squares[N], steps[N - 1];
    buckets all;
    for (int i = 0; i < N; i++)
        squares[i] = centred[i] * centred[i];
    for (int i = 0; i < N - 1; i++)
        steps[i] = fabsf(x[i + 1] - x[i]);
    deal(x, &all);
    static const int PERCENT[5] = {5, 25, 50, 75, 95};
    float safe = variance + QUIET;
    out[0] = mean;
    out[1] = sqrtf(variance);
    for (int k = 0; k < 5; k++)
        out[2 + k] = quantile(&all, PERCENT[k]);
    out[7] = sum_of(steps, N - 1) / (N - 1);
    out[8] = dot(squares, centred, N) / N / (safe * sqrtf(safe));
    out[9] = log_of(dot(squares, squares, N) / N / (safe * safe) + 0.1f);
    spectrum(centred, out + 10);
    for (int k = 0; k < ECHOES; k++)
        out[19 + k] = dot(centred + ECHO[k], centred, N - ECHO[k]) / (float)(N - ECHO[k]) / safe;
}

/* Moving average of 25 samples; edges are held. */
INLINE void smooth(const float *x, float *out) {
    double total = 0.0;
    for (int i = -(SMOOTH / 2); i <= SMOOTH / 2; i++)
        total += x[i < 0 ? 0 : i];
    for (int i = 0; i < N; i++) {
        out[i] = (float)(total / SMOOTH);
        int next = i + SMOOTH / 2 + 1, last = i - SMOOTH / 2;
        total += (double)x[next < N ? next : N - 1] - (double)x[last < 0 ? 0 : last];
    }
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

/* Eigenvalues, ascending, and eigenvectors (columns) of a symmetric matrix, by Jacobi. */
INLINE void eigen(int n, double a[6][6], double *values, double vectors[6][6]) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            vectors[i][j] = i == j;
    for (int sweep = 0; sweep < 30; sweep++) {
        double off = 0.0, on = 0.0;
        for (int i = 0; i < n; i++) {
            on += a[i][i] * a[i][i];
            for (int j = i + 1; j < n; j++)
                off += a[i][j] * a[i][j];
        }
        if (off <= 1e-22 * on)
            break;
        for (int p = 0; p < n; p++)
            for (int q = p + 1; q < n; q++) {
                if (a[p][q] == 0.0)
                    continue;
                double theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                double t = 1.0 / (fabs(theta) + sqrt(theta * theta + 1.0));
                t = theta < 0.0 ? -t : t;
                double c = 1.0 / sqrt(t * t + 1.0), s = t * c;
                for (int k = 0; k < n; k++) {
                    double kp = a[k][p], kq = a[k][q];
                    a[k][p] = c * kp - s * kq;
                    a[k][q] = s * kp + c * kq;
                }
                for (int k = 0; k < n; k++) {
                    double pk = a[p][k], qk = a[q][k];
                    a[p][k] = c * pk - s * qk;
                    a[q][k] = s * pk + c * qk;
                    double vp = vectors[k][p], vq = vectors[k][q];
                    vectors[k][p] = c * vp - s * vq;
                    vectors[k][q] = s * vp + c * vq;
                }
            }
    }
    for (int i = 0; i < n; i++)
        values[i] = a[i][i];
    for (int i = 0; i < n; i++)
        for (int j = i + 1; j < n; j++)
            if (values[j] < values[i]) {
                double swap = values[i];
                values[i] = values[j], values[j] = swap;
                for (int k = 0; k < n; k++) {
                    swap = vectors[k][i];
                    vectors[k][i] = vectors[k][j], vectors[k][j] = swap;
                }
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
    for (int axis = 0; axis < 3; axis++) {
        float off[N], mean = sum_of(down[axis], N) / N;
        buckets all;
        for (int i = 0; i < N; i++)
            off[i] = down[axis][i] - mean;
        deal(down[axis], &all);
        out[axis] = mean;
        out[3 + axis] = sqrtf(dot(off, off, N) / N);
        out[6 + axis] = quantile(&all, 5);
        out[9 + axis] = quantile(&all, 95);
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

INLINE void window(const float *acc, const float *gyro, float *out) {
    const int axes = gyro ? 6 : 3, channels = 2 * axes;
    signal every[CHANNELS], centred[CHANNELS], down[3], linear[3];
    float mean[CHANNELS], deviation[CHANNELS], covariance[CHANNELS][CHANNELS];
    memcpy(every[0], acc, 3 * N * sizeof(float));
    for (int axis = 0; axis < 3; axis++) {
        float once[N];
        smooth(every[axis], once);
        smooth(once, down[axis]);
    }
    for (int axis = 0; axis < 3; axis++)
        for (int i = 0; i < N; i++)
            linear[axis][i] = every[axis][i] - down[axis][i];
    for (int i = 0; i < N; i++) {
        float size = length(down[0][i], down[1][i], down[2][i]);
        for (int axis = 0; axis < 3; axis++)
            down[axis][i] /= size + TINY;
    }
    lengths(every, every[axes]);
    along_across(linear, down, every[axes + 1], every[axes + 2]);
    if (gyro) {
        memcpy(every[3], gyro, 3 * N * sizeof(float));
        lengths(every + 3, every[9]);
        along_across(every + 3, down, every[10], every[11]);
    }
    for (int c = 0; c < channels; c++) {
        mean[c] = sum_of(every[c], N) / N;
        for (int i = 0; i < N; i++)
            centred[c][i] = every[c][i] - mean[c];
    }
    for (int i = 0; i < channels; i++) {
        for (int j = i; j < channels; j++)
            covariance[i][j] = covariance[j][i] = dot(centred[i], centred[j], N) / N;
        deviation[i] = sqrtf(covariance[i][i] + QUIET);
    }
    for (int c = 0; c < channels; c++, out += STATISTICS)
        single(every[c], centred[c], mean[c], covariance[c][c], out);
    out = correlations(0, axes, covariance, deviation, out);
    out = correlations(axes, channels, covariance, deviation, out);
    out = posture(down, out);
    out = log_covariance(axes, covariance, out);
    out = lagged(axes, centred, deviation, out);
    signal pulled[6], spun[6];
    products_of(linear, pulled);
    float power = shape(linear, pulled, out);
    out += 19;
    if (!gyro)
        return;
    products_of(centred + 3, spun);
    float spin = shape(centred + 3, spun, out);
    out += 19;
    float size = (power + FLOOR) * sqrtf(spin + FLOOR);
    for (int pair = 0; pair < 6; pair++)
        for (int k = 0; k < 3; k++)
            *out++ = dot(pulled[pair], centred[3 + k], N) / N / size;
}

/* Changes with what a window's features are, and with the arguments below. */
int muvr_features_version(void) { return 2; }

/* acc, gyro: float (m, 3, 200), gyro NULL where there is none; out: (m, 515) or (m, 214). */
FOR_EACH_PROCESSOR void muvr_features(const float *acc, const float *gyro, long m, float *out) {
    const long size = gyro ? 515 : 214;
    for (long k = 0; k < m; k++)
        window(acc + 3 * N * k, gyro ? gyro + 3 * N * k : 0, out + size * k);
}
