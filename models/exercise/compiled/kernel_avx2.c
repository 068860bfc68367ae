/* The features of windows, for processors that take 8 numbers at once. */

#include "processors.h"

#ifdef EACH_PROCESSOR
#pragma GCC target("avx2")
#define WIDTH 8

#include "kernel.h"
#include "window.h"

FEATURES(features_avx2) {
    windows(acc, gyro, kin, m, out);
}
#endif
