/* The features of windows, in vectors of 8 lanes. */

#include "processors.h"

#ifdef EACH_PROCESSOR
#pragma GCC target("avx2")
#define WIDTH 8

#include "kernel.h"
#include "window.h"

FEATURES(features_avx2) {
    windows(acc, gyro, originals, columns, m, out);
}
#endif
