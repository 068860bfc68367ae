/* Quantised windows, as `models/exercise/quantised.py` stores them, and their products;
 * `models/exercise/reference/quantised.py` is the same in numpy.
 *
 * A feature of a window is a count below 16; the counts of two windows share a byte. Sums of products of counts
 * are integers, exact in any order; what is in single precision has a fixed order. So every compiler and
 * every processor gives the same bytes.
 */

#include <stdint.h>

#include "lanes.h"

#define MAX_COUNT 15.0f
#define MAX_DEPTH 64 /* groups of four windows whose products fit 16 bits: two of at most 225 each */
#define MIN_BLOCK 8  /* features; of all variants below */
#define MAX_BLOCK 16

typedef int32_t packed4; /* counts of a feature in four windows, a byte each */

/* The variants of the product, for `products.h`; all give the same bytes. */

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
#define ADD_PRODUCTS(sums, x, y) ((sums) + (VARIANT(accumulator))_mm256_maddubs_epi16((__m256i)(x), (__m256i)(y)))
#define ADD_PAIRS(sums) _mm256_madd_epi16((__m256i)(sums), _mm256_set1_epi16(1))
#include "products.h"

#define VARIANT(name) name##_vnni
#define ROWS 8
#if defined(__clang__) /* whose name for vectors of 512 bits differs from release to release */
#define TARGET __attribute__((target("avx512vl,avx512vnni")))
#define WIDE 8
#define BLOCK 16
#define ADD_PRODUCTS(sums, x, y) (VARIANT(vector))_mm256_dpbusd_epi32((__m256i)(sums), (__m256i)(x), (__m256i)(y))
#else
#define TARGET __attribute__((target("avx512bw,avx512vl,avx512vnni")))
#define WIDE 16
#define BLOCK 16 /* sums and totals take 16 registers: with 32 the compiler keeps totals in memory */
#define ADD_PRODUCTS(sums, x, y) (VARIANT(vector))_mm512_dpbusd_epi32((__m512i)(sums), (__m512i)(x), (__m512i)(y))
#endif
#include "products.h"

/* `__builtin_cpu_supports` would do, but does not link with every compiler. */
static int variants_here(void) {
    const unsigned ymm = 0x6, zmm = 0xe6, avx2 = bit_AVX2;
    const unsigned avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512VL;
    unsigned a, b, c, d, saved, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return 1;
    __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0)); /* the registers that the operating system saves */
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & avx2) || (saved & ymm) != ymm)
        return 1;
    return (b & avx512) == avx512 && (c & bit_AVX512VNNI) && (saved & zmm) == zmm ? 3 : 2;
}
#else
static int variants_here(void) { return 1; }
#endif

static const struct {
    long block;
    void (*products)(const packed4 *, long, const long *, const float *, long, long, float *);
} VARIANTS[] = {
    {block_plain, products_plain},
#if defined(__x86_64__)
    {block_avx2, products_avx2},
    {block_vnni, products_vnni},
#endif
};

/* Changes with the stored format, with the sums, and with the arguments below. */
int muvr_quantised_version(void) { return 4; }

/* How many variants of the product this processor can run; the last is the fastest. */
int muvr_quantised_variants(void) { return variants_here(); }

INLINE uint8_t count_of(float x, float minimum, float step) {
    float count = rintf((x - minimum) / step);
    count = count < 0.0f ? 0.0f : count;
    return (uint8_t)(count > MAX_COUNT ? MAX_COUNT : count);
}

/* x: (rows, features). minimum, step: (features), step 1 where a feature does not change. pairs: out, uint8
 * ((rows + 1) / 2, features): the count of an even row, plus 16 times that of the next row. */
FOR_EACH_PROCESSOR void muvr_quantised_pack(const float *x, long rows, long features, const float *minimum,
                                            const float *step, uint8_t *pairs) {
    for (long k = 0; k + 1 < rows; k += 2, x += 2 * features, pairs += features)
        for (long i = 0; i < features; i++)
            pairs[i] = (uint8_t)(count_of(x[i], minimum[i], step[i])
                                 | count_of(x[features + i], minimum[i], step[i]) << 4);
    if (rows % 2)
        for (long i = 0; i < features; i++)
            pairs[i] = count_of(x[i], minimum[i], step[i]);
}

/* Unpack a set's counts, uint8 pairs ((rows + 1) / 2, features), into its part of all panels, and sum them.
 *
 * A panel holds `block` features of `depth` groups of four windows, (depth, block); the next panel follows it.
 * group: workspace for a row. */
FOR_EACH_PROCESSOR static void pack_panels(const uint8_t *pairs, long rows, long features, long row, long block,
                                           long depth, packed4 *panels, packed4 *group, float *sums) {
    memset(group, 0, (size_t)row * sizeof(packed4));
    memset(sums, 0, (size_t)row * sizeof(float));
    for (; rows > 0; rows -= 4, pairs += 2 * features, panels += block) {
        const uint8_t *next_pairs = pairs + features;
        if (rows > 2)
            for (long i = 0; i < features; i++)
                group[i] = (packed4)((pairs[i] & 15u) | (pairs[i] & 240u) << 4 | (next_pairs[i] & 15u) << 16
                                 | (next_pairs[i] & 240u) << 20);
        else
            for (long i = 0; i < features; i++)
                group[i] = (pairs[i] & 15) | (pairs[i] & 240) << 4;
        for (long i = 0; i < features; i++)
            sums[i] += (float)((group[i] & 255) + (group[i] >> 8 & 255) + (group[i] >> 16 & 255)
                               + (group[i] >> 24 & 255));
        for (long i = 0; i < row; i += block) /* pieces of a constant size, without a call */
            for (long k = 0; k < block; k += MIN_BLOCK)
                memcpy(panels + i * depth + k, group + i + k, MIN_BLOCK * sizeof(packed4));
    }
}

/* Steps, (sets, row), in panels of the same features, (sets, block). */
static void pack_step_panels(const float *steps, long sets, long row, long block, float *panels) {
    for (long i = 0; i < row; i += block)
        for (long s = 0; s < sets; s++, panels += block)
            memcpy(panels, steps + s * row + i, (size_t)block * sizeof(float));
}

/* The sum over sets of (step of i) (step of j) (sum of count of i times count of j), for i <= j.
 *
 * variant: below muvr_quantised_variants. pairs: the sets' counts, one set after the other. rows: (sets), windows
 * of each. steps: (sets, row), row a multiple of MAX_BLOCK, padded with zeros. workspace: a row for each group of
 * four windows (rounded up in each set), for each set, and one more. sums: out, (sets, row), sums of counts.
 * moments: out, (features, features), of which the upper triangle is written. */
void muvr_quantised_products(long variant, const uint8_t *pairs, const long *rows, const float *steps, long sets,
                             long features, long row, packed4 *workspace, float *sums, float *moments) {
    long depth = 0;
    for (long s = 0; s < sets; s++)
        depth += (rows[s] + 3) / 4;
    const long block = VARIANTS[variant].block;
    packed4 *panels = workspace, *group = workspace + depth * row;
    float *step_panels = (float *)(group + row);
    pack_step_panels(steps, sets, row, block, step_panels);
    for (long s = 0; s < sets; s++) {
        pack_panels(pairs, rows[s], features, row, block, depth, panels, group, sums + s * row);
        panels += (rows[s] + 3) / 4 * block;
        pairs += (rows[s] + 1) / 2 * features;
    }
    VARIANTS[variant].products(workspace, depth, rows, step_panels, sets, features, moments);
}
