/* Products of all pairs of features; included once for each way of multiplying in `kept.c`, which names it
 * (WAY, TARGET), says its sizes (WIDE, ROWS, BLOCK), and how to ADD the products of fours to sums: of two in 16
 * bits each, which ADDS_16_BITS brings to 32, or of all four (ADDS_32_BITS). */

enum { WAY(block) = BLOCK };
typedef four WAY(fours) __attribute__((vector_size(4 * WIDE)));
typedef uint16_t WAY(halves) __attribute__((vector_size(4 * WIDE)));
typedef float WAY(floats) __attribute__((vector_size(4 * WIDE)));
#ifdef ADDS_16_BITS /* of the type that is added: gcc moves any other to and fro */
typedef int16_t WAY(partial) __attribute__((vector_size(4 * WIDE)));
#else
typedef WAY(fours) WAY(partial);
#endif

TARGET INLINE WAY(fours) WAY(all)(four y) { return (WAY(fours)){0} + y; }

TARGET INLINE WAY(partial) WAY(add)(WAY(partial) sums, WAY(fours) x, four y) {
#ifdef ADD
    return ADD(sums, x, WAY(all)(y));
#else
    const four even = 0x00ff00ff;
    WAY(halves) sum = (WAY(halves))sums;
    sum += (WAY(halves))(x & even) * (WAY(halves))WAY(all)(y & even);
    sum += (WAY(halves))(x >> 8 & even) * (WAY(halves))WAY(all)(y >> 8 & even);
    return (WAY(fours))sum;
#endif
}

/* What was added, in 32 bits. */
TARGET INLINE WAY(fours) WAY(sum)(WAY(partial) sums) {
#if defined(ADDS_32_BITS)
    return sums;
#elif defined(ADDS_16_BITS)
    return (WAY(fours))ADDS_16_BITS(sums);
#else
    return (sums & 0xffff) + (sums >> 16 & 0xffff);
#endif
}

/* The products of ROWS features from i on with BLOCK features from j on, which y and x hold. */
TARGET INLINE void WAY(tile)(const four *y, const four *x, const long *rows, const float *steps, long sets,
                             long row, long i, long j, WAY(floats) total[ROWS][BLOCK / WIDE]) {
    for (long s = 0; s < sets; s++, steps += row)
        for (long left = (rows[s] + 3) / 4; left > 0; left -= TOGETHER) {
            WAY(partial) sums[ROWS][BLOCK / WIDE] = {0};
            const four *end = x + (left < TOGETHER ? left : TOGETHER) * BLOCK;
            for (; x < end; x += BLOCK, y += BLOCK)
                for (int c = 0; c < BLOCK / WIDE; c++) {
                    WAY(fours) beside;
                    memcpy(&beside, x + c * WIDE, sizeof beside);
                    for (int r = 0; r < ROWS; r++)
                        sums[r][c] = WAY(add)(sums[r][c], beside, y[r]);
                }
            for (int c = 0; c < BLOCK / WIDE; c++) {
                WAY(floats) step;
                memcpy(&step, steps + j + c * WIDE, sizeof step);
                for (int r = 0; r < ROWS; r++)
                    total[r][c] += __builtin_convertvector(WAY(sum)(sums[r][c]), WAY(floats))
                                   * (steps[i + r] * step);
            }
        }
}

TARGET static void WAY(products)(const four *laid, long depth, const long *rows, const float *steps, long sets,
                                 long features, long row, float *found) {
    for (long j = 0; j < features; j += BLOCK)
        for (long i = 0; i < features && i < j + BLOCK; i += ROWS) {
            WAY(floats) total[ROWS][BLOCK / WIDE] = {0};
            const four *above = laid + i / BLOCK * BLOCK * depth + i % BLOCK;
            WAY(tile)(above, laid + j * depth, rows, steps, sets, row, i, j, total);
            for (long r = i; r < i + ROWS && r < features; r++)
                if (r <= j && j + BLOCK <= features)
                    memcpy(found + r * features + j, total[r - i], sizeof total[0]);
                else
                    for (long c = j > r ? j : r; c < j + BLOCK && c < features; c++)
                        found[r * features + c] = total[r - i][(c - j) / WIDE][(c - j) % WIDE];
        }
}

#undef WAY
#undef TARGET
#undef WIDE
#undef ROWS
#undef BLOCK
#undef ADD
#undef ADDS_16_BITS
#undef ADDS_32_BITS
