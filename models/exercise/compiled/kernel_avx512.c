/* The features of windows, for processors that take 16 numbers at once. */

#include "processors.h"

#ifdef EACH_PROCESSOR
#pragma GCC target("avx512f")
#define WIDTH 16

#include "kernel.h"
#include "window.h"

FEATURES(features_avx512) {
    windows(acc, gyro, kin, m, out);
}
#endif
