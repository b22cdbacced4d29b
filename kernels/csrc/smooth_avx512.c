/* The kernel for x86 processors with AVX-512 (F, BW, DQ and VL). */
#if defined(__x86_64__)
#define VARIANT smooth_avx512
#define USE_AVX512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#include "tile.h"
#else
typedef int smooth_avx512_is_for_x86; /* ISO C wants a translation unit to declare something */
#endif
