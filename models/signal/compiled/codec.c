/* Sample bytes before zstd takes its part: what `models/signal/codec.py` says, in one call.
 *
 * Integers only, so every compiler and every processor give the same bytes.
 */

#include <stdint.h>
#include <string.h>

#define AXES 3
#define LOW_BITS_MAX 8
#define BLOCK 4096
#define CODED_BITS 4 /* of a delta of usual size: more are noise, fewer leave too little to code */

int muvr_codec_version(void) { return 1; }

/* gcc makes one for each kind of processor; clang's way of choosing does not link everywhere. */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

/* Zigzag deltas, axes still interleaved; returns their sum, and in `any` every bit that one has. */
FOR_EACH_PROCESSOR static uint64_t zigzags(const int16_t *counts, long values, uint16_t *zigzag,
                                           uint16_t *any) {
    uint64_t sum = 0;
    for (long from = 0; from < values; from += BLOCK) {
        const long to = values - from < BLOCK ? values : from + BLOCK;
        uint32_t part = 0; /* BLOCK of them fit, and short sums are quick */
        uint16_t bits = 0;
        for (long i = from; i < to; i++) {
            const uint16_t before = i < AXES ? 0 : (uint16_t)counts[i - AXES];
            const uint16_t delta = (uint16_t)(counts[i] - before); /* wraps, and unwraps on the way in */
            const uint16_t sign = (uint16_t)-(delta >> 15);
            zigzag[i] = (uint16_t)(delta << 1) ^ sign;
            part += zigzag[i];
            bits |= zigzag[i];
        }
        sum += part;
        *any |= bits;
    }
    return sum;
}

/* How many bits of each delta are left as they are; the others must fit a byte. */
static int low_bits_of(uint64_t sum, uint16_t any, long values) {
    int usual_bits = 0, bits = 0;
    while (sum > (uint64_t)values << usual_bits) usual_bits++;
    while (any >> bits) bits++;
    int low_bits = usual_bits - CODED_BITS;
    if (low_bits < bits - 8) low_bits = bits - 8;
    if (low_bits < 0) low_bits = 0;
    return low_bits > LOW_BITS_MAX ? LOW_BITS_MAX : low_bits;
}

/* One axis after the other: what lies above the low bits, and the lowest byte. */
FOR_EACH_PROCESSOR static void parts(const uint16_t *zigzag, long n, int low_bits, uint8_t *high,
                                     uint8_t *low) {
    for (int axis = 0; axis < AXES; axis++)
        for (long i = 0; i < n; i++) {
            const uint16_t one = zigzag[AXES * i + axis];
            high[axis * n + i] = (uint8_t)(one >> low_bits);
            low[axis * n + i] = (uint8_t)one;
        }
}

/* A bit of eight values each, in bytes: the first value's is the highest. */
static void plane(const uint8_t *low, long bytes, int bit, uint8_t *out) {
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

/* counts: int16 (n, 3). high: what zstd takes, uint8 (3n). planes: room for 8 * ceil(3n / 8) bytes.
 * room: uint16 (3n) and 8 * ceil(3n / 8) bytes. Returns the number of planes that were filled. */
int muvr_codec_split(const int16_t *counts, long n, uint8_t *high, uint8_t *planes, uint16_t *room) {
    const long values = AXES * n, bytes = (values + 7) / 8;
    uint8_t *low = (uint8_t *)(room + values);
    uint16_t any = 0;
    const uint64_t sum = zigzags(counts, values, room, &any);
    const int low_bits = low_bits_of(sum, any, values);
    parts(room, n, low_bits, high, low);
    memset(low + values, 0, (size_t)(8 * bytes - values));
    for (int bit = 0; bit < low_bits; bit++) plane(low, bytes, bit, planes + bit * bytes);
    return low_bits;
}
