/* Products of all pairs of features, as `quantised.c` includes them once for each variant. It defines
 *
 * VARIANT, TARGET: the suffix of its names, and its instruction set;
 * WIDE, ROWS, BLOCK: lanes of a vector, and the size of the tile that the registers hold;
 * ADD_PRODUCTS: the instruction, if any, that multiplies bytes and adds the products of four windows to sums: all
 *     four in 32 bits; or two each in 16 bits, of which ADD_PAIRS makes 32.
 */

enum { VARIANT(block) = BLOCK };
typedef packed4 VARIANT(vector) __attribute__((vector_size(4 * WIDE)));
typedef uint16_t VARIANT(vector16) __attribute__((vector_size(4 * WIDE)));
typedef float VARIANT(vectorf) __attribute__((vector_size(4 * WIDE)));
#ifdef ADD_PAIRS /* the type of the instruction's result: gcc moves any other through memory */
typedef int16_t VARIANT(accumulator) __attribute__((vector_size(4 * WIDE)));
#else
typedef VARIANT(vector) VARIANT(accumulator);
#endif

TARGET INLINE VARIANT(vector) VARIANT(broadcast)(packed4 y) { return (VARIANT(vector)){0} + y; }

TARGET INLINE VARIANT(accumulator) VARIANT(add_product)(VARIANT(accumulator) sums, VARIANT(vector) x, packed4 y) {
#ifdef ADD_PRODUCTS
    return ADD_PRODUCTS(sums, x, VARIANT(broadcast)(y));
#else
    const packed4 low_bytes = 0x00ff00ff;
    typedef VARIANT(vector16) half; /* every other byte, in 16 bits */
    half even = (half)(x & low_bytes) * (half)VARIANT(broadcast)(y & low_bytes);
    half odd = (half)(x >> 8 & low_bytes) * (half)VARIANT(broadcast)(y >> 8 & low_bytes);
    return (VARIANT(vector))((half)sums + even + odd);
#endif
}

/* The sums of products, in 32 bits. */
TARGET INLINE VARIANT(vector) VARIANT(as_int32)(VARIANT(accumulator) sums) {
#if defined(ADD_PAIRS)
    return (VARIANT(vector))ADD_PAIRS(sums);
#elif defined(ADD_PRODUCTS)
    return sums;
#else
    return (sums & 0xffff) + (sums >> 16 & 0xffff);
#endif
}

/* The products of ROWS features (their counts in y, their steps in y_steps) and BLOCK features (x, x_steps). */
TARGET INLINE void VARIANT(tile)(const packed4 *y, const packed4 *x, const float *y_steps, const float *x_steps,
                                 const long *rows, long sets, VARIANT(vectorf) total[ROWS][BLOCK / WIDE]) {
    for (long s = 0; s < sets; s++, y_steps += BLOCK, x_steps += BLOCK)
        for (long remaining = (rows[s] + 3) / 4; remaining > 0; remaining -= MAX_DEPTH) {
            VARIANT(accumulator) sums[ROWS][BLOCK / WIDE] = {0};
            const packed4 *end = x + (remaining < MAX_DEPTH ? remaining : MAX_DEPTH) * BLOCK;
#pragma GCC unroll 3
            for (; x < end; x += BLOCK, y += BLOCK)
                for (int c = 0; c < BLOCK / WIDE; c++) {
                    VARIANT(vector) column;
                    memcpy(&column, x + c * WIDE, sizeof column);
                    for (int r = 0; r < ROWS; r++)
                        sums[r][c] = VARIANT(add_product)(sums[r][c], column, y[r]);
                }
            for (int c = 0; c < BLOCK / WIDE; c++) {
                VARIANT(vectorf) step;
                memcpy(&step, x_steps + c * WIDE, sizeof step);
                for (int r = 0; r < ROWS; r++)
                    total[r][c] += __builtin_convertvector(VARIANT(as_int32)(sums[r][c]), VARIANT(vectorf))
                                   * (y_steps[r] * step);
            }
        }
}

/* As `muvr_quantised_products`, of counts and steps in panels. */
TARGET static void VARIANT(products)(const packed4 *panels, long depth, const long *rows, const float *steps,
                                     long sets, long features, float *moments) {
    for (long j = 0; j < features; j += BLOCK)
        for (long i = 0; i < features && i < j + BLOCK; i += ROWS) {
            VARIANT(vectorf) total[ROWS][BLOCK / WIDE] = {0};
            const long block_of_i = i / BLOCK * BLOCK, row_in_block = i % BLOCK;
            VARIANT(tile)(panels + block_of_i * depth + row_in_block, panels + j * depth,
                          steps + block_of_i * sets + row_in_block, steps + j * sets, rows, sets, total);
            for (long r = i; r < i + ROWS && r < features; r++)
                if (r <= j && j + BLOCK <= features)
                    memcpy(moments + r * features + j, total[r - i], sizeof total[0]);
                else
                    for (long c = j > r ? j : r; c < j + BLOCK && c < features; c++)
                        moments[r * features + c] = total[r - i][(c - j) / WIDE][(c - j) % WIDE];
        }
}

#undef VARIANT
#undef TARGET
#undef WIDE
#undef ROWS
#undef BLOCK
#undef ADD_PRODUCTS
#undef ADD_PAIRS
