/* Scores of windows by a linear model; `models/exercise/reference/predictions.py` is the same in numpy.
 *
 * For a single window the overhead of numpy's operations is larger than their work. Scores have the same bytes
 * everywhere (`lanes.h`); probabilities nearly, as they use the C library's logarithm.
 */

#include "processors.h"

#ifdef EACH_PROCESSOR
#define WIDTH 8 /* one width for all variants: most processors have it */
#endif

#include "lanes.h"

#define MAX_Z 5.0f /* standard deviations */
#define MAX_ROW 1024 /* features, padded to whole blocks of lanes */
#define PROBABILITY_FLOOR 1e-6 /* added to probabilities: no window rules an exercise out */
#define DISTANCE_FLOOR 1e-6 /* keeps the logarithm of a distance of 0 finite */

/* Rows are padded to whole blocks of lanes: `scale` with ones, all others with zeros. */
typedef struct {
    long features, row; /* row: floats from one row to the next, a multiple of LANES, at most MAX_ROW */
    long labels, prototypes;
    const float *mean, *scale; /* (row) */
    const float *weights, *bias; /* (labels, row), (labels) */
    const float *scaled_prototypes, *root_precision; /* (prototypes, row), times root_precision; (row) */
    double typical, window, whole, doubt; /* of `ExerciseModel` and its `Calibration` */
} linear_model;

INLINE float squared_distance(const float *a, const float *b, long n) {
    vector sum[VECTORS] = {{0}};
    for (long i = 0; i < n; i += LANES)
        for (int k = 0; k < VECTORS; k++) {
            vector difference = load(a + i + k * WIDTH) - load(b + i + k * WIDTH);
            sum[k] += difference * difference;
        }
    return horizontal_sum(sum);
}

/* In standard deviations, clipped to ±MAX_Z; NaN stays NaN. */
INLINE void standardise(const linear_model *model, const float *x, float *z) {
    memcpy(z, x, (size_t)model->features * sizeof(float));
    memset(z + model->features, 0, (size_t)(model->row - model->features) * sizeof(float));
    for (long i = 0; i < model->row; i++) {
        float value = (z[i] - model->mean[i]) / model->scale[i];
        value = value > MAX_Z ? MAX_Z : value;
        z[i] = value < -MAX_Z ? -MAX_Z : value;
    }
}

/* Scores (labels) of z; returns the squared distance to the nearest prototype. Overwrites z. */
INLINE double score_window(const linear_model *model, float *z, double *scores) {
    for (long j = 0; j < model->labels; j++)
        scores[j] = (double)(dot(z, model->weights + j * model->row, (int)model->row) + model->bias[j]);
    for (long i = 0; i < model->row; i++)
        z[i] *= model->root_precision[i];
    float nearest = squared_distance(z, model->scaled_prototypes, model->row);
    for (long j = 1; j < model->prototypes; j++) {
        float value = squared_distance(z, model->scaled_prototypes + j * model->row, model->row);
        nearest = value < nearest ? value : nearest;
    }
    return (double)nearest;
}

/* Softmax of n logits, in place. */
static void softmax(double *x, long n) {
    double largest = x[0], sum = 0.0;
    for (long j = 1; j < n; j++)
        largest = x[j] > largest ? x[j] : largest;
    for (long j = 0; j < n; j++)
        sum += x[j] = exp(x[j] - largest);
    for (long j = 0; j < n; j++)
        x[j] /= sum;
}

/* A set's probabilities (n) from those of its m windows, `row` numbers apart; returns its hesitation. */
static double combine_windows(const linear_model *model, const double *windows, long m, long row, double *whole) {
    const long n = model->labels;
    double surprise = 0.0;
    memset(whole, 0, (size_t)n * sizeof(double));
    for (long k = 0; k < m; k++, windows += row) {
        double most_likely = windows[0];
        for (long j = 0; j < n; j++) {
            most_likely = windows[j] > most_likely ? windows[j] : most_likely;
            whole[j] += log(windows[j] + PROBABILITY_FLOOR);
        }
        surprise -= log(most_likely);
    }
    for (long j = 0; j < n; j++)
        whole[j] = whole[j] / (double)m * model->whole;
    softmax(whole, n);
    for (long j = 0; j < n; j++)
        whole[j] = (1.0 - model->doubt) * whole[j] + model->doubt / (double)n;
    return surprise / (double)m;
}

/* Changes with the results and with the arguments below. */
int muvr_scores_version(void) { return 1; }

/* x: (m, features). scores: (m, labels). */
FOR_EACH_PROCESSOR void muvr_scores(const linear_model *model, const float *x, long m, double *scores) {
    float z[MAX_ROW];
    for (long k = 0; k < m; k++) {
        standardise(model, x + k * model->features, z);
        score_window(model, z, scores + k * model->labels);
    }
}

/* x: (m, features). found: (m + 1, labels + 1): each window's probabilities and strangeness; in the last
 * row the set's probabilities and its hesitation. */
FOR_EACH_PROCESSOR void muvr_answers(const linear_model *model, const float *x, long m, double *found) {
    const long row = model->labels + 1;
    float z[MAX_ROW];
    for (long k = 0; k < m; k++) {
        double *own_row = found + k * row;
        standardise(model, x + k * model->features, z);
        own_row[row - 1] = log(score_window(model, z, own_row) + DISTANCE_FLOOR) - model->typical;
        for (long j = 0; j < model->labels; j++)
            own_row[j] *= model->window;
        softmax(own_row, model->labels);
    }
    found[m * row + row - 1] = combine_windows(model, found, m, row, found + m * row);
}
