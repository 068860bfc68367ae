/* The features of windows, once for each kind of processor. */
#pragma once

#include "processors.h"

/* As `muvr_features`. */
#define FEATURES(name)                                                                              \
    void name(const float *acc, const float *gyro, const float *kin, long m, float *out)

#ifdef EACH_PROCESSOR
HIDDEN FEATURES(features_avx512);
HIDDEN FEATURES(features_avx2);
#endif
