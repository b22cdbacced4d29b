/* The kernel for x86 processors with AVX2. */
#if defined(__x86_64__)
#define VARIANT smooth_avx2
#define USE_AVX2
#define TARGET __attribute__((target("avx2")))
#include "tile.h"
#else
typedef int smooth_avx2_is_for_x86; /* ISO C wants a translation unit to declare something */
#endif
