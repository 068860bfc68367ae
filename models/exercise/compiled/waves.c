/* The tables of sines and cosines for a window's spectrum, shared by all variants. */

#include "spectrum.h"

float COSINE[2][QUARTER + 1][4 * LANES], SINE[2][QUARTER + 1][4 * LANES];
float HERTZ[PADDED];

__attribute__((constructor)) static void make_waves(void) {
    const double step_cos = 0.99950656036573155700, step_sin = 0.031410759078128293845;
    double turn_cos[N], turn_sin[N];
    turn_cos[0] = 1.0, turn_sin[0] = 0.0;
    for (int k = 1; k < N; k++) {
        turn_cos[k] = turn_cos[k - 1] * step_cos - turn_sin[k - 1] * step_sin;
        turn_sin[k] = turn_sin[k - 1] * step_cos + turn_cos[k - 1] * step_sin;
    }
    for (int k = 0; k < BINS; k++)
        HERTZ[k] = 0.25f * (float)(k + 1);
    for (int odd = 0; odd < 2; odd++)
        for (int j = 0; j <= QUARTER; j++)
            for (int f = 0; f <= QUARTER; f++) {
                COSINE[odd][j][f] = (float)turn_cos[j * (2 * f + odd) % N];
                SINE[odd][j][f] = (float)turn_sin[j * (2 * f + odd) % N];
            }
}
