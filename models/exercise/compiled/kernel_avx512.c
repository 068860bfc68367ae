/* The features of windows, in vectors of 16 lanes. */

#include "processors.h"

#ifdef EACH_PROCESSOR
#pragma GCC target("avx512f")
#define WIDTH 16

#include "kernel.h"
#include "window.h"

FEATURES(features_avx512) {
    windows(acc, gyro, originals, columns, m, out);
}
#endif
