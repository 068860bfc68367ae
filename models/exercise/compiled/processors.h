/* The kinds of processor that code is compiled for.
 *
 * gcc compiles a variant for each and chooses when the library is loaded; clang's way of choosing does not
 * link everywhere.
 */
#pragma once

#include <string.h> /* defines __GLIBC__ */

#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__)
#define EACH_PROCESSOR
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

#define HIDDEN __attribute__((visibility("hidden"))) /* not exported from the library */
