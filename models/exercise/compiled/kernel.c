/* The features of windows in one call, by the widest variant that the processor runs.
 *
 * In numpy a single window takes some 150 array operations, most of whose time is overhead.
 */

#include "kernel.h"
#include "window.h"

/* Changes with the features and with the arguments below. */
int muvr_features_version(void) { return 3; }

/* acc, gyro: float (m, 3, 200), gyro null without rotation; out: (m, 515) or (m, 214).
 * originals: features (m, 515) or (m, 214) of the windows that these are rotated copies of, or
 * null. columns: (515,) or (214,), where each feature is in the order that they are computed in. */
FEATURES(muvr_features) {
#ifdef EACH_PROCESSOR
    if (__builtin_cpu_supports("avx512f")) {
        features_avx512(acc, gyro, originals, columns, m, out);
        return;
    }
    if (__builtin_cpu_supports("avx2")) {
        features_avx2(acc, gyro, originals, columns, m, out);
        return;
    }
#endif
    windows(acc, gyro, originals, columns, m, out);
}
