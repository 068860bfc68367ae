/* The cheapest cover of a set by copies of a template, by dynamic programming; `models/reps/reference/cover.py`
 * is the same in numpy.
 *
 * Sums, differences and comparisons of doubles only, in the order of the reference: every compiler and
 * every processor finds the same copies.
 */

#include <stddef.h>
#include <stdint.h>

int muvr_cover_version(void) { return 1; }

/* The cost, relative to idling from the start, of the best cover whose last copy ends here with this length. */
static inline double cost_with_copy(const double *best, const double *idle_cost, const float *cost,
                                    const int64_t *lengths, long end, long which) {
    const long begin = end - lengths[which]; /* negative where the copy begins before the set */
    const double gain = cost[which] - (idle_cost[end] - (begin < 0 ? 0 : idle_cost[begin]));
    return (begin < 0 ? 0 : best[begin]) + gain;
}

/* The index of the cheapest length, the first of equals. */
static long cheapest(const double *best, const double *idle_cost, const float *cost,
                     const int64_t *lengths, long m, long end) {
    long best_length = 0;
    double lowest = cost_with_copy(best, idle_cost, cost, lengths, end, 0);
    for (long which = 1; which < m; which++) {
        const double candidate = cost_with_copy(best, idle_cost, cost, lengths, end, which);
        if (candidate < lowest) {
            lowest = candidate;
            best_length = which;
        }
    }
    return best_length;
}

/* cost: float (n, m) of a copy, by its last sample and length. idle: (n), cost of a sample outside of copies.
 * lengths: (m) in samples, ascending. workspace: double (2n + 2). starts, which: out, for at most n copies, the
 * last one first: first sample and index of the length. Returns the number of copies. */
long muvr_cover(const float *cost, const double *idle, const int64_t *lengths, long n, long m,
                double *workspace, int64_t *starts, int64_t *which) {
    double *best = workspace, *idle_cost = workspace + n + 1;
    best[0] = idle_cost[0] = 0;
    for (long end = 1; end <= n; end++) {
        const float *prices = cost + (end - 1) * m;
        double lowest = best[end - 1]; /* relative to idling an idle sample is free */
        idle_cost[end] = idle_cost[end - 1] + idle[end - 1];
        for (long k = 0; k < m; k++) {
            const double candidate = cost_with_copy(best, idle_cost, prices, lengths, end, k);
            if (candidate < lowest) lowest = candidate;
        }
        best[end] = lowest;
    }
    long copies = 0;
    for (long end = n; end > 0;) {
        if (best[end] < best[end - 1]) { /* otherwise this sample idled */
            const long k = cheapest(best, idle_cost, cost + (end - 1) * m, lengths, m, end);
            end -= lengths[k];
            starts[copies] = end;
            which[copies++] = k;
        } else {
            end--;
        }
    }
    return copies;
}
