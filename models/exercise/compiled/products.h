/* Products of all pairs of features; included once for each way of multiplying in `kept.c`, which names it
 * (WAY, TARGET), says its sizes (WIDE, ROWS, BLOCK), and how to ADD the products of fours to sums: of two in 16
 * bits each, or of all four (ADDS_32_BITS). */

typedef four WAY(fours) __attribute__((vector_size(4 * WIDE)));
typedef uint16_t WAY(halves) __attribute__((vector_size(4 * WIDE)));
typedef float WAY(floats) __attribute__((vector_size(4 * WIDE)));

TARGET INLINE WAY(fours) WAY(all)(four y) { return (WAY(fours)){0} + y; }

TARGET INLINE WAY(fours) WAY(add)(WAY(fours) sums, WAY(fours) x, four y) {
#ifdef ADD
    return (WAY(fours))ADD(sums, x, WAY(all)(y));
#else
    const four even = 0x00ff00ff;
    WAY(halves) sum = (WAY(halves))sums;
    sum += (WAY(halves))(x & even) * (WAY(halves))WAY(all)(y & even);
    sum += (WAY(halves))(x >> 8 & even) * (WAY(halves))WAY(all)(y >> 8 & even);
    return (WAY(fours))sum;
#endif
}

/* What was added, in 32 bits. */
TARGET INLINE WAY(fours) WAY(sum)(WAY(fours) sums) {
#ifdef ADDS_32_BITS
    return sums;
#else
    return (sums & 0xffff) + (sums >> 16 & 0xffff);
#endif
}

/* The products of ROWS features from i on with BLOCK features from j on. */
TARGET INLINE void WAY(tile)(const four *laid, const long *rows, const float *steps, long sets, long row,
                             long i, long j, WAY(floats) total[ROWS][BLOCK / WIDE]) {
    for (long s = 0; s < sets; s++, steps += row)
        for (long left = (rows[s] + 3) / 4; left > 0; left -= TOGETHER) {
            WAY(fours) sums[ROWS][BLOCK / WIDE] = {0};
            for (const four *end = laid + (left < TOGETHER ? left : TOGETHER) * row; laid < end; laid += row) {
                for (int c = 0; c < BLOCK / WIDE; c++) {
                    WAY(fours) x;
                    memcpy(&x, laid + j + c * WIDE, sizeof x);
                    for (int r = 0; r < ROWS; r++)
                        sums[r][c] = WAY(add)(sums[r][c], x, laid[i + r]);
                }
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

TARGET static void WAY(products)(const four *laid, const long *rows, const float *steps, long sets,
                                 long features, long row, float *found) {
    for (long j = 0; j < features; j += BLOCK)
        for (long i = 0; i < features && i < j + BLOCK; i += ROWS) {
            WAY(floats) total[ROWS][BLOCK / WIDE] = {0};
            WAY(tile)(laid, rows, steps, sets, row, i, j, total);
            for (long r = i; r < i + ROWS && r < features; r++)
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
#undef ADDS_32_BITS
