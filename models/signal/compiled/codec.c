/* Splits samples into the bytes that zstd compresses and the bits that it does not; see `models/signal/codec.py`.
 *
 * Integers only, so every compiler and every processor gives the same bytes.
 */

#include <stdint.h>
#include <string.h>

#define AXES 3
#define LOW_BITS_MAX 8
#define BLOCK 4096
#define CODED_BITS 4 /* high bits of a typical delta: lower bits are noise, which does not compress */

int muvr_codec_version(void) { return 1; }

/* gcc compiles a variant for each kind of processor; clang's way of choosing does not link everywhere. */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

/* Zigzag deltas, axes still interleaved; returns their sum, and in `used_bits` every bit that is set in any. */
FOR_EACH_PROCESSOR static uint64_t zigzags(const int16_t *counts, long values, uint16_t *zigzag,
                                           uint16_t *used_bits) {
    uint64_t sum = 0;
    for (long from = 0; from < values; from += BLOCK) {
        const long to = values - from < BLOCK ? values : from + BLOCK;
        uint32_t block_sum = 0; /* holds BLOCK of them; 32 bits vectorise better */
        uint16_t bits = 0;
        for (long i = from; i < to; i++) {
            const uint16_t before = i < AXES ? 0 : (uint16_t)counts[i - AXES];
            const uint16_t delta = (uint16_t)(counts[i] - before); /* wraps around, and back when decoded */
            const uint16_t sign = (uint16_t)-(delta >> 15);
            zigzag[i] = (uint16_t)(delta << 1) ^ sign;
            block_sum += zigzag[i];
            bits |= zigzag[i];
        }
        sum += block_sum;
        *used_bits |= bits;
    }
    return sum;
}

/* How many low bits of each delta zstd does not get; the others must fit a byte. */
static int low_bits_of(uint64_t sum, uint16_t used_bits, long values) {
    int typical_bits = 0, bits = 0;
    while (sum > (uint64_t)values << typical_bits) typical_bits++;
    while (used_bits >> bits) bits++;
    int low_bits = typical_bits - CODED_BITS;
    if (low_bits < bits - 8) low_bits = bits - 8;
    if (low_bits < 0) low_bits = 0;
    return low_bits > LOW_BITS_MAX ? LOW_BITS_MAX : low_bits;
}

/* One axis after the other: the bits above the low ones, and the lowest byte. */
FOR_EACH_PROCESSOR static void split_values(const uint16_t *zigzag, long n, int low_bits, uint8_t *high,
                                     uint8_t *low) {
    for (int axis = 0; axis < AXES; axis++)
        for (long i = 0; i < n; i++) {
            const uint16_t value = zigzag[AXES * i + axis];
            high[axis * n + i] = (uint8_t)(value >> low_bits);
            low[axis * n + i] = (uint8_t)value;
        }
}

/* One bit of every value, packed into bytes: of eight values the first one's is the highest. */
static void pack_bit(const uint8_t *low, long bytes, int bit, uint8_t *out) {
    for (long k = 0; k < bytes; k++) {
        uint64_t x;
        memcpy(&x, low + 8 * k, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        x = __builtin_bswap64(x);
#endif
        x = x >> bit & 0x0101010101010101u;
        out[k] = (uint8_t)(x * 0x8040201008040201u >> 56); /* value i from bit 8i to bit 63 - i */
    }
}

/* counts: int16 (n, 3). high: out, for zstd, uint8 (3n). planes: out, 8 * ceil(3n / 8) bytes, of which the planes
 * of the low bits are filled. workspace: uint16 (3n) and 8 * ceil(3n / 8) bytes. Returns the number of planes. */
int muvr_codec_split(const int16_t *counts, long n, uint8_t *high, uint8_t *planes, uint16_t *workspace) {
    const long values = AXES * n, bytes = (values + 7) / 8;
    uint8_t *low = (uint8_t *)(workspace + values);
    uint16_t used_bits = 0;
    const uint64_t sum = zigzags(counts, values, workspace, &used_bits);
    const int low_bits = low_bits_of(sum, used_bits, values);
    split_values(workspace, n, low_bits, high, low);
    memset(low + values, 0, (size_t)(8 * bytes - values));
    for (int bit = 0; bit < low_bits; bit++) pack_bit(low, bytes, bit, planes + bit * bytes);
    return low_bits;
}
