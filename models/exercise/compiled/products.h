/* Products of all pairs of features. `quantised.c` includes this once for each variant, which it names
 * (VARIANT, TARGET), with its sizes (WIDE, ROWS, BLOCK) and with the instruction that ADDs products of fours to
 * sums: of two in 16 bits each, which ADDS_16_BITS widens to 32, or of all four (ADDS_32_BITS). */

enum { VARIANT(block) = BLOCK };
typedef four VARIANT(fours) __attribute__((vector_size(4 * WIDE)));
typedef uint16_t VARIANT(halves) __attribute__((vector_size(4 * WIDE)));
typedef float VARIANT(floats) __attribute__((vector_size(4 * WIDE)));
#ifdef ADDS_16_BITS /* of the type that is added: gcc moves any other to and fro */
typedef int16_t VARIANT(partial) __attribute__((vector_size(4 * WIDE)));
#else
typedef VARIANT(fours) VARIANT(partial);
#endif

TARGET INLINE VARIANT(fours) VARIANT(all)(four y) { return (VARIANT(fours)){0} + y; }

TARGET INLINE VARIANT(partial) VARIANT(add)(VARIANT(partial) sums, VARIANT(fours) x, four y) {
#ifdef ADD
    return ADD(sums, x, VARIANT(all)(y));
#else
    const four even = 0x00ff00ff;
    VARIANT(halves) sum = (VARIANT(halves))sums;
    sum += (VARIANT(halves))(x & even) * (VARIANT(halves))VARIANT(all)(y & even);
    sum += (VARIANT(halves))(x >> 8 & even) * (VARIANT(halves))VARIANT(all)(y >> 8 & even);
    return (VARIANT(fours))sum;
#endif
}

/* What was added, in 32 bits. */
TARGET INLINE VARIANT(fours) VARIANT(sum)(VARIANT(partial) sums) {
#if defined(ADDS_32_BITS)
    return sums;
#elif defined(ADDS_16_BITS)
    return (VARIANT(fours))ADDS_16_BITS(sums);
#else
    return (sums & 0xffff) + (sums >> 16 & 0xffff);
#endif
}

/* The products of ROWS features, which y holds and whose steps are y_steps, with BLOCK features: x, x_steps. */
TARGET INLINE void VARIANT(tile)(const four *y, const four *x, const float *y_steps, const float *x_steps,
                             const long *rows, long sets, VARIANT(floats) total[ROWS][BLOCK / WIDE]) {
    for (long s = 0; s < sets; s++, y_steps += BLOCK, x_steps += BLOCK)
        for (long left = (rows[s] + 3) / 4; left > 0; left -= TOGETHER) {
            VARIANT(partial) sums[ROWS][BLOCK / WIDE] = {0};
            const four *end = x + (left < TOGETHER ? left : TOGETHER) * BLOCK;
#pragma GCC unroll 3
            for (; x < end; x += BLOCK, y += BLOCK)
                for (int c = 0; c < BLOCK / WIDE; c++) {
                    VARIANT(fours) beside;
                    memcpy(&beside, x + c * WIDE, sizeof beside);
                    for (int r = 0; r < ROWS; r++)
                        sums[r][c] = VARIANT(add)(sums[r][c], beside, y[r]);
                }
            for (int c = 0; c < BLOCK / WIDE; c++) {
                VARIANT(floats) step;
                memcpy(&step, x_steps + c * WIDE, sizeof step);
                for (int r = 0; r < ROWS; r++)
                    total[r][c] += __builtin_convertvector(VARIANT(sum)(sums[r][c]), VARIANT(floats))
                                   * (y_steps[r] * step);
            }
        }
}

TARGET static void VARIANT(products)(const four *laid, long depth, const long *rows, const float *steps, long sets,
                                 long features, float *found) {
    for (long j = 0; j < features; j += BLOCK)
        for (long i = 0; i < features && i < j + BLOCK; i += ROWS) {
            VARIANT(floats) total[ROWS][BLOCK / WIDE] = {0};
            const long block_of_i = i / BLOCK * BLOCK, within = i % BLOCK;
            VARIANT(tile)(laid + block_of_i * depth + within, laid + j * depth,
                          steps + block_of_i * sets + within, steps + j * sets, rows, sets, total);
            for (long r = i; r < i + ROWS && r < features; r++)
                if (r <= j && j + BLOCK <= features)
                    memcpy(found + r * features + j, total[r - i], sizeof total[0]);
                else
                    for (long c = j > r ? j : r; c < j + BLOCK && c < features; c++)
                        found[r * features + c] = total[r - i][(c - j) / WIDE][(c - j) % WIDE];
        }
}

#undef VARIANT
#undef TARGET
#undef WIDE
#undef ROWS
#undef BLOCK
#undef ADD
#undef ADDS_16_BITS
#undef ADDS_32_BITS
