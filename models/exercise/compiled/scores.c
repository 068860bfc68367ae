/* What a linear model makes of windows, as `models/exercise/reference/predictions.py` spells it out.
 *
 * For one window numpy's array operations take longer to begin than to do. Scores have the same bytes
 * everywhere (`lanes.h`); probabilities, for which the library's logarithms are asked, nearly.
 */

#include "processors.h"

#ifdef EACH_PROCESSOR
#define WIDTH 8 /* one source for all of them: most take so many */
#endif

#include "lanes.h"

#define CLIP 5.0f /* standard deviations */
#define MOST 1024 /* features, and room for lanes */
#define LEAST 1e-6 /* no window says never */
#define TOUCHES 1e-6 /* a window that is its prototype has a logarithm as well */

/* Rows are filled up to whole blocks of lanes: `scale` with ones, all others with noughts. */
typedef struct {
    long features, row; /* row: floats from one row to the next, a multiple of LANES, at most MOST */
    long labels, prototypes;
    const float *mean, *scale; /* (row) */
    const float *weights, *bias; /* (labels, row), (labels) */
    const float *places, *roots; /* (prototypes, row), (row) */
    double typical, window, whole, doubt; /* of `ExerciseModel` and its `Calibration` */
} linear;

INLINE float distance(const float *a, const float *b, long n) {
    part sum[PARTS] = {{0}};
    for (long i = 0; i < n; i += LANES)
        for (int k = 0; k < PARTS; k++) {
            part off = load(a + i + k * WIDTH) - load(b + i + k * WIDTH);
            sum[k] += off * off;
        }
    return fold(sum);
}

/* In standard deviations, within CLIP of nought; what is no number stays none. */
INLINE void standardise(const linear *model, const float *x, float *z) {
    memcpy(z, x, (size_t)model->features * sizeof(float));
    memset(z + model->features, 0, (size_t)(model->row - model->features) * sizeof(float));
    for (long i = 0; i < model->row; i++) {
        float one = (z[i] - model->mean[i]) / model->scale[i];
        one = one > CLIP ? CLIP : one;
        z[i] = one < -CLIP ? -CLIP : one;
    }
}

/* Scores (labels) of z; returns the squared distance to the nearest prototype. z is used up. */
INLINE double see(const linear *model, float *z, double *scores) {
    for (long j = 0; j < model->labels; j++)
        scores[j] = (double)(dot(z, model->weights + j * model->row, (int)model->row) + model->bias[j]);
    for (long i = 0; i < model->row; i++)
        z[i] *= model->roots[i];
    float nearest = distance(z, model->places, model->row);
    for (long j = 1; j < model->prototypes; j++) {
        float one = distance(z, model->places + j * model->row, model->row);
        nearest = one < nearest ? one : nearest;
    }
    return (double)nearest;
}

/* Probabilities of n logarithms, in their place. */
static void softmax(double *x, long n) {
    double largest = x[0], sum = 0.0;
    for (long j = 1; j < n; j++)
        largest = x[j] > largest ? x[j] : largest;
    for (long j = 0; j < n; j++)
        sum += x[j] = exp(x[j] - largest);
    for (long j = 0; j < n; j++)
        x[j] /= sum;
}

/* A set's probabilities (n) from its m windows' rows, `row` numbers apart; returns its hesitation. */
static double whole_of(const linear *model, const double *each, long m, long row, double *whole) {
    const long n = model->labels;
    double hesitates = 0.0;
    memset(whole, 0, (size_t)n * sizeof(double));
    for (long k = 0; k < m; k++, each += row) {
        double surest = each[0];
        for (long j = 0; j < n; j++) {
            surest = each[j] > surest ? each[j] : surest;
            whole[j] += log(each[j] + LEAST);
        }
        hesitates -= log(surest);
    }
    for (long j = 0; j < n; j++)
        whole[j] = whole[j] / (double)m * model->whole;
    softmax(whole, n);
    for (long j = 0; j < n; j++)
        whole[j] = (1.0 - model->doubt) * whole[j] + model->doubt / (double)n;
    return hesitates / (double)m;
}

/* Changes with what is answered, and with the arguments below. */
int muvr_scores_version(void) { return 1; }

/* x: (m, features). scores: (m, labels). */
FOR_EACH_PROCESSOR void muvr_scores(const linear *model, const float *x, long m, double *scores) {
    float z[MOST];
    for (long k = 0; k < m; k++) {
        standardise(model, x + k * model->features, z);
        see(model, z, scores + k * model->labels);
    }
}

/* x: (m, features). found: (m + 1, labels + 1): each window's probabilities and strangeness; in the last
 * row those of all of them as one set, and its hesitation. */
FOR_EACH_PROCESSOR void muvr_answers(const linear *model, const float *x, long m, double *found) {
    const long row = model->labels + 1;
    float z[MOST];
    for (long k = 0; k < m; k++) {
        double *mine = found + k * row;
        standardise(model, x + k * model->features, z);
        mine[row - 1] = log(see(model, z, mine) + TOUCHES) - model->typical;
        for (long j = 0; j < model->labels; j++)
            mine[j] *= model->window;
        softmax(mine, model->labels);
    }
    found[m * row + row - 1] = whole_of(model, found, m, row, found + m * row);
}
