/* The variants of `muvr_features`, one for each kind of processor. */
#pragma once

#include "processors.h"

/* The signature of `muvr_features`. */
#define FEATURES(name) \
    void name(const float *acc, const float *gyro, const float *originals, const int *columns, \
              long m, float *out)

#ifdef EACH_PROCESSOR
HIDDEN FEATURES(features_avx512);
HIDDEN FEATURES(features_avx2);
#endif
