/* Which kinds of processor code is compiled for, and how many numbers each takes at once.
 *
 * gcc makes one for each kind; clang's way of choosing does not link everywhere.
 */
#pragma once

#include <string.h> /* says which C library it is */

#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__)
#define EACH_PROCESSOR
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

#define HIDDEN __attribute__((visibility("hidden"))) /* of use inside one library alone */
