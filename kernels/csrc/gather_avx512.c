/* The kernel for x86 processors with AVX-512 (F, BW, DQ, VL). */
#if defined(__x86_64__)
#define GATHER_VARIANT gather_avx512
#define LANES 16
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma")))
#include "gather_core.h"
#else
typedef int gather_avx512_is_for_x86; /* ISO C wants a translation unit to declare something */
#endif
