/* Vectors of 16-bit samples, in GCC's portable vector types.
 *
 * The including file defines TARGET, the function attribute that selects the instruction set, and
 * one of USE_AVX2 and USE_AVX512, or neither. Everything else in the kernel is written in terms of
 * what stands here.
 */
#ifndef EDGE_VECTOR_H
#define EDGE_VECTOR_H

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#define FUNCTION static TARGET
#define INLINE static inline __attribute__((always_inline)) TARGET

/* Samples in one vector. */
#if defined(USE_AVX512)
#define LANES 32
#elif defined(USE_AVX2)
#define LANES 16
#else
#define LANES 8
#endif

typedef int16_t vec __attribute__((vector_size(LANES * 2)));
typedef uint16_t unsigned_vec __attribute__((vector_size(LANES * 2)));
/* The same, for addresses aligned to nothing more than a sample. */
typedef int16_t unaligned_vec __attribute__((vector_size(LANES * 2), aligned(2), may_alias));

INLINE vec load(const int16_t *p) { return *(const unaligned_vec *)p; }
INLINE void store(int16_t *p, vec v) { *(unaligned_vec *)p = v; }
INLINE vec splat(int16_t x) { return (vec){0} + x; }

/* The operations that compilers do not find, or not always, behind portable code:
 *     scale         (a * b + 16384) >> 15, a sample times a weight in 1/32768
 *     larger, smaller
 *     load_bytes    of bytes, as samples
 *     store_bytes   of samples, those outside of [0, 255] as the nearer end */
#if defined(USE_AVX512)
INLINE vec scale(vec a, vec b) { return (vec)_mm512_mulhrs_epi16((__m512i)a, (__m512i)b); }
INLINE vec larger(vec a, vec b) { return (vec)_mm512_max_epi16((__m512i)a, (__m512i)b); }
INLINE vec smaller(vec a, vec b) { return (vec)_mm512_min_epi16((__m512i)a, (__m512i)b); }
INLINE vec load_bytes(const uint8_t *p)
{
    return (vec)_mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)p));
}
INLINE void store_bytes(uint8_t *p, vec v)
{
    __m512i positive = (__m512i)larger(v, splat(0));
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtusepi16_epi8(positive));
}
#elif defined(USE_AVX2)
INLINE vec scale(vec a, vec b) { return (vec)_mm256_mulhrs_epi16((__m256i)a, (__m256i)b); }
INLINE vec larger(vec a, vec b) { return (vec)_mm256_max_epi16((__m256i)a, (__m256i)b); }
INLINE vec smaller(vec a, vec b) { return (vec)_mm256_min_epi16((__m256i)a, (__m256i)b); }
INLINE vec load_bytes(const uint8_t *p)
{
    return (vec)_mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)p));
}
INLINE void store_bytes(uint8_t *p, vec v)
{
    __m128i low = _mm256_castsi256_si128((__m256i)v);
    __m128i high = _mm256_extracti128_si256((__m256i)v, 1);
    _mm_storeu_si128((__m128i *)p, _mm_packus_epi16(low, high));
}
#elif defined(__SSE2__)
/* SSE2 has the product's halves only: twice the high one, plus the low one's two leading bits
 * rounded. */
INLINE vec scale(vec a, vec b)
{
    __m128i low = _mm_mullo_epi16((__m128i)a, (__m128i)b);
    __m128i high = _mm_mulhi_epi16((__m128i)a, (__m128i)b);
    __m128i carry = _mm_avg_epu16(_mm_srli_epi16(low, 14), _mm_setzero_si128());
    return (vec)_mm_add_epi16(_mm_add_epi16(high, high), carry);
}
INLINE vec larger(vec a, vec b) { return (vec)_mm_max_epi16((__m128i)a, (__m128i)b); }
INLINE vec smaller(vec a, vec b) { return (vec)_mm_min_epi16((__m128i)a, (__m128i)b); }
INLINE vec load_bytes(const uint8_t *p)
{
    return (vec)_mm_unpacklo_epi8(_mm_loadl_epi64((const __m128i *)p), _mm_setzero_si128());
}
INLINE void store_bytes(uint8_t *p, vec v)
{
    _mm_storel_epi64((__m128i *)p, _mm_packus_epi16((__m128i)v, (__m128i)v));
}
#elif defined(__ARM_NEON)
INLINE vec scale(vec a, vec b) { return (vec)vqrdmulhq_s16((int16x8_t)a, (int16x8_t)b); }
INLINE vec larger(vec a, vec b) { return (vec)vmaxq_s16((int16x8_t)a, (int16x8_t)b); }
INLINE vec smaller(vec a, vec b) { return (vec)vminq_s16((int16x8_t)a, (int16x8_t)b); }
INLINE vec load_bytes(const uint8_t *p) { return (vec)vmovl_u8(vld1_u8(p)); }
INLINE void store_bytes(uint8_t *p, vec v) { vst1_u8(p, vqmovun_s16((int16x8_t)v)); }
#else
INLINE vec scale(vec a, vec b)
{
    for (int i = 0; i < LANES; i++)
        a[i] = (int16_t)((a[i] * b[i] + 16384) >> 15);
    return a;
}
INLINE vec larger(vec a, vec b) { return ((a > b) & a) | (~(a > b) & b); }
INLINE vec smaller(vec a, vec b) { return larger(b, a) ^ a ^ b; }
INLINE vec load_bytes(const uint8_t *p)
{
    vec v;
    for (int i = 0; i < LANES; i++)
        v[i] = p[i];
    return v;
}
INLINE void store_bytes(uint8_t *p, vec v)
{
    v = smaller(larger(v, splat(0)), splat(255));
    for (int i = 0; i < LANES; i++)
        p[i] = (uint8_t)v[i];
}
#endif

INLINE int min_int(int a, int b) { return a < b ? a : b; }
INLINE int max_int(int a, int b) { return a > b ? a : b; }
INLINE int round_up(int n, int step) { return (n + step - 1) / step * step; }

/* Reflect-101, as often as it takes: a b c d -> ... c b [a b c d] c b ... */
INLINE int reflect(int i, int n)
{
    if (n == 1)
        return 0;
    while (i < 0 || i >= n)
        i = i < 0 ? -i : 2 * (n - 1) - i;
    return i;
}

/* Each lane of a vector three times, in three vectors, of which this is number `part`. */
INLINE vec repeat_thrice(vec v, int part)
{
    vec lane, repeated;
    for (int i = 0; i < LANES; i++)
        lane[i] = (int16_t)((part * LANES + i) / 3);
#if defined(__clang__)
    for (int i = 0; i < LANES; i++)
        repeated[i] = v[lane[i]];
#else
    repeated = __builtin_shuffle(v, lane);
#endif
    return repeated;
}

/* One pixel, 1 or 3 samples. A colour pixel is copied as four samples, for that is one move; the
 * fourth is overwritten by the next pixel, or lies in the slack that every row has. */
INLINE void copy_pixel(int16_t *to, const int16_t *from, int channels)
{
    memcpy(to, from, channels == 1 ? 2 : 8);
}

#endif
