/* The features of windows: one call, which asks once what the processor can do.
 *
 * A window by itself costs numpy some 150 array operations; most of their time goes into beginning
 * them.
 */

#include "kernel.h"
#include "window.h"

/* Changes with what a window's features are, and with the arguments below. */
int muvr_features_version(void) { return 2; }

/* acc, gyro: float (m, 3, 200), gyro 0 where there is none; out: (m, 515) or (m, 214).
 * kin: features (m, 515) or (m, 214) of the windows that these are turned copies of, or 0. */
FEATURES(muvr_features) {
#ifdef EACH_PROCESSOR
    if (__builtin_cpu_supports("avx512f")) {
        features_avx512(acc, gyro, kin, m, out);
        return;
    }
    if (__builtin_cpu_supports("avx2")) {
        features_avx2(acc, gyro, kin, m, out);
        return;
    }
#endif
    windows(acc, gyro, kin, m, out);
}
