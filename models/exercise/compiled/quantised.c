/* Windows as `models/exercise/quantised.py` stores them, and products of such windows: what
 * `models/exercise/reference/quantised.py` spells out in numpy.
 *
 * A feature of a window is a count below 16, those of two windows share a byte. Products of counts are
 * whole numbers, which add up in any order; the little that is done in single precision is done in a
 * fixed one: every compiler and every processor give the same bytes.
 */

#include <stdint.h>

#include "lanes.h"

#define LARGEST 15.0f /* count */
#define TOGETHER 64   /* fours whose products add up in 16 bits: two of at most 225 each */
#define LEAST_BLOCK 8 /* of all variants below */
#define MOST_BLOCK 32

typedef int32_t four; /* counts of a feature in four windows, a byte each */

/* Variants of the product: each says how many numbers lie side by side (WIDE), and how many features' sums the
 * processor holds at once (ROWS times BLOCK). All give the same bytes. */

#define VARIANT(name) name##_plain
#define TARGET
#define WIDE 4
#define ROWS 4
#define BLOCK 8
#include "products.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define VARIANT(name) name##_avx2
#define TARGET __attribute__((target("avx2")))
#define WIDE 8
#define ROWS 8
#define BLOCK 8
#define ADD(sums, x, y) ((sums) + (VARIANT(partial))_mm256_maddubs_epi16((__m256i)(x), (__m256i)(y)))
#define ADDS_16_BITS(sums) _mm256_madd_epi16((__m256i)(sums), _mm256_set1_epi16(1))
#include "products.h"

#define VARIANT(name) name##_vnni
#define ROWS 8
#define ADDS_32_BITS
#if defined(__clang__) /* what it calls 512 bits differs from release to release */
#define TARGET __attribute__((target("avx512vl,avx512vnni")))
#define WIDE 8
#define BLOCK 16
#define ADD(sums, x, y) (VARIANT(fours))_mm256_dpbusd_epi32((__m256i)(sums), (__m256i)(x), (__m256i)(y))
#else
#define TARGET __attribute__((target("avx512bw,avx512vl,avx512vnni")))
#define WIDE 16
#define BLOCK 32
#define ADD(sums, x, y) (VARIANT(fours))_mm512_dpbusd_epi32((__m512i)(sums), (__m512i)(x), (__m512i)(y))
#endif
#include "products.h"

/* Compilers know this by name, but not all of them link it. */
static int variants_here(void) {
    const unsigned ymm = 0x6, zmm = 0xe6, avx2 = bit_AVX2;
    const unsigned avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512VL;
    unsigned a, b, c, d, saved, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return 1;
    __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0)); /* registers that the system saves */
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & avx2) || (saved & ymm) != ymm)
        return 1;
    return (b & avx512) == avx512 && (c & bit_AVX512VNNI) && (saved & zmm) == zmm ? 3 : 2;
}
#else
static int variants_here(void) { return 1; }
#endif

static const struct {
    long block;
    void (*products)(const four *, long, const long *, const float *, long, long, float *);
} VARIANTS[] = {
    {block_plain, products_plain},
#if defined(__x86_64__)
    {block_avx2, products_avx2},
    {block_vnni, products_vnni},
#endif
};

/* Changes with the stored form, with the sums, and with the arguments below. */
int muvr_quantised_version(void) { return 3; }

/* How many variants of the product this processor knows; the last is the fastest. */
int muvr_quantised_variants(void) { return variants_here(); }

INLINE uint8_t count_of(float x, float least, float step) {
    float count = rintf((x - least) / step);
    count = count < 0.0f ? 0.0f : count;
    return (uint8_t)(count > LARGEST ? LARGEST : count);
}

/* x: (rows, features). least, step: (features), step 1 where a feature does not change. pairs: out, uint8
 * ((rows + 1) / 2, features): the count of an even row, and 16 times that of the row behind it. */
FOR_EACH_PROCESSOR void muvr_quantised_pack(const float *x, long rows, long features, const float *least,
                                       const float *step, uint8_t *pairs) {
    for (long k = 0; k + 1 < rows; k += 2, x += 2 * features, pairs += features)
        for (long i = 0; i < features; i++)
            pairs[i] = (uint8_t)(count_of(x[i], least[i], step[i])
                                 | count_of(x[features + i], least[i], step[i]) << 4);
    if (rows % 2)
        for (long i = 0; i < features; i++)
            pairs[i] = count_of(x[i], least[i], step[i]);
}

/* Counts of a set, uint8 pairs ((rows + 1) / 2, features), as fours: `block` features side by side, below them
 * the next windows', `depth` fours of all sets; then the next block. And the sum of each feature's counts.
 * line: room for a row. */
FOR_EACH_PROCESSOR static void lay_out(const uint8_t *pairs, long rows, long features, long row, long block,
                                       long depth, four *laid, four *line, float *sums) {
    memset(line, 0, (size_t)row * sizeof(four));
    memset(sums, 0, (size_t)row * sizeof(float));
    for (; rows > 0; rows -= 4, pairs += 2 * features, laid += block) {
        const uint8_t *behind = pairs + features;
        if (rows > 2)
            for (long i = 0; i < features; i++)
                line[i] = (four)((pairs[i] & 15u) | (pairs[i] & 240u) << 4 | (behind[i] & 15u) << 16
                                 | (behind[i] & 240u) << 20);
        else
            for (long i = 0; i < features; i++)
                line[i] = (pairs[i] & 15) | (pairs[i] & 240) << 4;
        for (long i = 0; i < features; i++)
            sums[i] += (float)((line[i] & 255) + (line[i] >> 8 & 255) + (line[i] >> 16 & 255)
                               + (line[i] >> 24 & 255));
        for (long i = 0; i < row; i += LEAST_BLOCK)
            memcpy(laid + i / block * block * depth + i % block, line + i, LEAST_BLOCK * sizeof(four));
    }
}

/* Steps, (sets, row), in the same blocks: those of a block's features side by side, below them the next set's. */
static void lay_out_steps(const float *steps, long sets, long row, long block, float *laid) {
    for (long i = 0; i < row; i += block)
        for (long s = 0; s < sets; s++, laid += block)
            memcpy(laid, steps + s * row + i, (size_t)block * sizeof(float));
}

/* The sum over sets of (step of i) (step of j) (sum of count of i times count of j), for i <= j.
 *
 * variant: below muvr_quantised_variants. pairs: the sets' counts, one set after the other. rows: (sets), windows of
 * each. steps: (sets, row), row a multiple of MOST_BLOCK, noughts behind. room: a number for each four of
 * windows (rounded up in each set), for each set and one more, for each of `row`. sums: out, (sets, row), sums of counts.
 * found: out, (features, features), the upper triangle is written. */
void muvr_quantised_products(long variant, const uint8_t *pairs, const long *rows, const float *steps, long sets,
                        long features, long row, four *room, float *sums, float *found) {
    long depth = 0;
    for (long s = 0; s < sets; s++)
        depth += (rows[s] + 3) / 4;
    const long block = VARIANTS[variant].block;
    four *laid = room, *line = room + depth * row;
    float *laid_steps = (float *)(line + row);
    lay_out_steps(steps, sets, row, block, laid_steps);
    for (long s = 0; s < sets; s++) {
        lay_out(pairs, rows[s], features, row, block, depth, laid, line, sums + s * row);
        laid += (rows[s] + 3) / 4 * block;
        pairs += (rows[s] + 1) / 2 * features;
    }
    VARIANTS[variant].products(room, depth, rows, laid_steps, sets, features, found);
}
