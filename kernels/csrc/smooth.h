/* The spatially varying Gaussian in C: what the shared library offers, and to whom.
 *
 * The library is plain C behind a plain C interface. kernels/native.py calls it through ctypes,
 * which releases the interpreter's lock around every call; so neither Python's nor NumPy's headers
 * are needed to build it, and one build serves every Python version.
 *
 * How a picture is smoothed. kernels/scales.py lays out a ladder of *scales*: Gaussians of fixed
 * sigma, a quarter of an octave apart. A pixel's value is interpolated between the two scales that
 * its own sigma lies between. The wide scales are filtered on smaller copies of the picture, the
 * levels of a pyramid, and expanded again. So each filter has one set of weights for all pixels,
 * however sigma varies, and no pixel sees another pixel's sigma.
 *
 *     smooth_reduce   once per level above the picture, from the level below (pyramid.h)
 *     smooth_tiles    once per thread: each takes tiles until none is left (tile.h)
 *
 * Samples between those steps are 16-bit integers in 1/64 of a grey level, with mid-grey (128) at
 * 0. All arithmetic on them is exact integer arithmetic, so every vector level and every processor
 * gives the same bytes.
 *
 * Nothing here allocates memory or keeps state: the caller owns all of it.
 */
#ifndef EDGE_SMOOTH_H
#define EDGE_SMOOTH_H

#include <stddef.h>
#include <stdint.h>

/* Raise when the structures below or the meaning of a call change, here and in native.py. */
#define SMOOTH_INTERFACE 2

enum {
    SMOOTH_MAX_SCALES = 40,
    SMOOTH_MAX_LEVELS = 5, /* above the picture */
    SMOOTH_MAX_RADIUS = 6, /* of a scale's filter, in pixels of its level */
    SMOOTH_STEPS = 512,    /* of the sigma coordinate from one scale to the next */
};

/* The ladder; scale 0 is the picture itself. taps[k][i] is the weight at distance i, in 1/32768;
 * bend[k] (1/32768) shapes the interpolation from scale k to k + 1. */
struct smooth_scales {
    int32_t count;
    int32_t level[SMOOTH_MAX_SCALES];
    int32_t radius[SMOOTH_MAX_SCALES];
    int16_t taps[SMOOTH_MAX_SCALES][SMOOTH_MAX_RADIUS + 1];
    int16_t bend[SMOOTH_MAX_SCALES];
};

/* Sigma in pixels. Full size (is_coarse = 0): values[row][column] belongs to that pixel.
 * Coarse: pixel (x, y) takes the bilinear sample at column scale_x * x + offset_x and row
 * scale_y * y + offset_y, clamped to the map. */
struct smooth_sigma {
    const float *values;
    ptrdiff_t row_bytes;
    int32_t rows, columns;
    int32_t is_coarse;
    double scale_x, offset_x, scale_y, offset_y;
};

/* One picture: 8-bit samples, 1 or 3 interleaved channels; each row contiguous, rows row_bytes
 * apart (negative for a picture stored bottom up). Source and target must not overlap. */
struct smooth_job {
    const uint8_t *source;
    ptrdiff_t source_row_bytes;
    uint8_t *target;
    ptrdiff_t target_row_bytes;
    int32_t width, height, channels;
    int32_t levels;   /* of the pyramid, above the picture; the widest scale's level */
    int16_t *pyramid; /* smooth_pyramid_bytes(); every level before the first tile */
    const struct smooth_scales *scales;
    struct smooth_sigma sigma;
};

/* Vector levels: the same source compiled for several instruction sets. */
enum smooth_vectors { SMOOTH_BASE = 0, SMOOTH_AVX2 = 1, SMOOTH_AVX512 = 2 };

#define EXPORTED __attribute__((visibility("default"))) /* all else is hidden by the build */

EXPORTED int smooth_interface(void);

/* The fastest vector level that this processor can run. */
EXPORTED int smooth_best_vectors(void);

/* Memory that the caller provides: for a picture's pyramid, and for the scratch of one thread in
 * the calls below. Zeroed at first, it may be used again as it was left: vectors reach beyond what
 * has been written, and though nothing becomes of those lanes, their sums must not overflow. */
EXPORTED size_t smooth_pyramid_bytes(int width, int height, int channels, int levels);
EXPORTED size_t smooth_scratch_bytes(int width, int channels, int levels, int vectors);

/* 1 if the job and the vector level keep the calls below within their memory, else 0. */
EXPORTED int smooth_accepts(const struct smooth_job *job, int vectors);

/* The work. Each call takes pieces until none is left; `next_piece`, 0 at first, is shared by the
 * threads that work together. `scratch` is smooth_scratch_bytes() of the thread's own, at a
 * multiple of 64 bytes.
 *
 * smooth_reduce makes a level (1 or higher) from the level below. */
EXPORTED void smooth_reduce(
    const struct smooth_job *job, int level, int32_t *next_piece, void *scratch, int vectors);
EXPORTED void smooth_tiles(
    const struct smooth_job *job, int32_t *next_piece, void *scratch, int vectors);

/* One implementation per vector level, chosen from by the functions above. */
struct smooth_variant {
    void (*reduce)(const struct smooth_job *job, int level, int32_t *next_piece, void *scratch);
    void (*tiles)(const struct smooth_job *job, int32_t *next_piece, void *scratch);
    size_t (*scratch_bytes)(int width, int channels, int levels);
    size_t (*pyramid_bytes)(int width, int height, int channels, int levels);
};

extern const struct smooth_variant smooth_base;
#if defined(__x86_64__)
extern const struct smooth_variant smooth_avx2;
extern const struct smooth_variant smooth_avx512;
#endif

#endif
