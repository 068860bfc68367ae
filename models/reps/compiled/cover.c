/* The cheapest way to cover a set by copies: what `models/reps/reference/cover.py` says, in one call.
 *
 * Sums, differences and comparisons of doubles only, in the order of the reference: every compiler and
 * every processor finds the same copies.
 */

#include <stddef.h>
#include <stdint.h>

int muvr_cover_version(void) { return 1; }

/* What copies of all lengths that end with a sample cost, against idling from the beginning. */
static inline double offer(const double *best, const double *spent, const float *cost,
                           const int64_t *lengths, long end, long which) {
    const long begin = end - lengths[which]; /* negative: it would begin before the set */
    const double gain = cost[which] - (spent[end] - (begin < 0 ? 0 : spent[begin]));
    return (begin < 0 ? 0 : best[begin]) + gain;
}

/* The first length that is cheapest. */
static long cheapest(const double *best, const double *spent, const float *cost,
                     const int64_t *lengths, long m, long end) {
    long found = 0;
    double least = offer(best, spent, cost, lengths, end, 0);
    for (long which = 1; which < m; which++) {
        const double one = offer(best, spent, cost, lengths, end, which);
        if (one < least) {
            least = one;
            found = which;
        }
    }
    return found;
}

/* cost: float (n, m) price of a copy by last sample and length. idle: (n) price of a sample outside.
 * lengths: (m) in samples, increasing. room: double (2n + 2). starts, which: room for n copies each,
 * the last one first. Returns how many there are. */
long muvr_cover(const float *cost, const double *idle, const int64_t *lengths, long n, long m,
                double *room, int64_t *starts, int64_t *which) {
    double *best = room, *spent = room + n + 1;
    best[0] = spent[0] = 0;
    for (long end = 1; end <= n; end++) {
        const float *prices = cost + (end - 1) * m;
        double least = best[end - 1]; /* idle samples cost nothing against idling */
        spent[end] = spent[end - 1] + idle[end - 1];
        for (long k = 0; k < m; k++) {
            const double one = offer(best, spent, prices, lengths, end, k);
            if (one < least) least = one;
        }
        best[end] = least;
    }
    long copies = 0;
    for (long end = n; end > 0;) {
        if (best[end] < best[end - 1]) { /* what a sample did not make cheaper, it idled */
            const long k = cheapest(best, spent, cost + (end - 1) * m, lengths, m, end);
            end -= lengths[k];
            starts[copies] = end;
            which[copies++] = k;
        } else {
            end--;
        }
    }
    return copies;
}
