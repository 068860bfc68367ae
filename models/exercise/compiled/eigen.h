/* Eigenvalue problems of small symmetric matrices. */
#pragma once

#include "lanes.h"

/* Eigenvalues, ascending, and eigenvectors (columns) of a symmetric matrix, by Jacobi. */
INLINE void eigen(int n, double a[6][6], double *values, double vectors[6][6]) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            vectors[i][j] = i == j;
    for (int sweep = 0; sweep < 30; sweep++) {
        double off = 0.0, on = 0.0;
        for (int i = 0; i < n; i++) {
            on += a[i][i] * a[i][i];
            for (int j = i + 1; j < n; j++)
                off += a[i][j] * a[i][j];
        }
        if (off <= 1e-18 * on)
            break;
        for (int p = 0; p < n; p++)
            for (int q = p + 1; q < n; q++) {
                if (a[p][q] == 0.0)
                    continue;
                double theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                double t = 1.0 / (fabs(theta) + sqrt(theta * theta + 1.0));
                t = theta < 0.0 ? -t : t;
                double c = 1.0 / sqrt(t * t + 1.0), s = t * c;
                for (int k = 0; k < n; k++) {
                    double kp = a[k][p], kq = a[k][q];
                    a[k][p] = c * kp - s * kq;
                    a[k][q] = s * kp + c * kq;
                }
                for (int k = 0; k < n; k++) {
                    double pk = a[p][k], qk = a[q][k];
                    a[p][k] = c * pk - s * qk;
                    a[q][k] = s * pk + c * qk;
                    double vp = vectors[k][p], vq = vectors[k][q];
                    vectors[k][p] = c * vp - s * vq;
                    vectors[k][q] = s * vp + c * vq;
                }
            }
    }
    for (int i = 0; i < n; i++)
        values[i] = a[i][i];
    for (int i = 0; i < n; i++)
        for (int j = i + 1; j < n; j++)
            if (values[j] < values[i]) {
                double swap = values[i];
                values[i] = values[j], values[j] = swap;
                for (int k = 0; k < n; k++) {
                    swap = vectors[k][i];
                    vectors[k][i] = vectors[k][j], vectors[k][j] = swap;
                }
            }
}
