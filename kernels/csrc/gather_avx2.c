/* The kernel for x86 processors with AVX2 and fused multiply-add. */
#if defined(__x86_64__)
#define GATHER_VARIANT gather_avx2
#define LANES 8
#define TARGET __attribute__((target("avx2,fma")))
#include "gather_core.h"
#else
typedef int gather_avx2_is_for_x86; /* ISO C wants a translation unit to declare something */
#endif
