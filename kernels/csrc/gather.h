/* The spatially varying Gaussian in C: what the shared library offers, and to whom.
 *
 * The library is plain C behind a plain C interface. kernels/gather.py calls it through ctypes,
 * which releases the interpreter's lock around every call; so neither Python's nor NumPy's headers
 * are needed to build it, and one build serves every Python version.
 *
 * Everything here is reentrant: no globals, one private allocation per call.
 */
#ifndef EDGE_GATHER_H
#define EDGE_GATHER_H

#include <stddef.h>
#include <stdint.h>

/* Raise when the structures below or the meaning of a call change, here and in gather.py. */
#define GATHER_INTERFACE 1

#define GATHER_KEEP_SIGMA 0.25f /* at most this: the pixel is copied */
#define GATHER_MAX_SIGMA 64.0f  /* larger values are clamped, so that they cannot overrun scratch */
#define GATHER_MAX_RADIUS 192   /* ceil(3 * GATHER_MAX_SIGMA) */

/* Sigma in pixels. Full size (is_coarse = 0): values[row][column] belongs to that pixel.
 * Coarse: pixel (x, y) takes the bilinear sample at column scale_x * x + offset_x and row
 * scale_y * y + offset_y, clamped to the map. */
struct gather_sigma {
    const float *values;
    ptrdiff_t row_bytes;
    int32_t rows, columns;
    int32_t is_coarse;
    double scale_x, offset_x, scale_y, offset_y;
};

/* One image: 8-bit samples, 1 or 3 interleaved channels; each row contiguous, rows row_bytes apart
 * (negative for an image stored bottom up). Source and target must not overlap. */
struct gather_job {
    const uint8_t *source;
    ptrdiff_t source_row_bytes;
    uint8_t *target;
    ptrdiff_t target_row_bytes;
    int32_t width, height, channels;
    float max_sigma; /* no sigma of the map is larger; bounds the scratch memory */
    struct gather_sigma sigma;
};

enum gather_status { GATHER_OK = 0, GATHER_NO_MEMORY = 1, GATHER_BAD_JOB = 2 };

/* Vector levels: the same source compiled for several instruction sets. */
enum gather_level { GATHER_BASE = 0, GATHER_AVX2 = 1, GATHER_AVX512 = 2, GATHER_LEVELS = 3 };

#define EXPORTED __attribute__((visibility("default"))) /* all else is hidden by the build */

EXPORTED int gather_interface(void);

/* The fastest level that this processor can run. */
EXPORTED int gather_best_level(void);

/* Smooth one image on the calling thread at a level of at most gather_best_level(). */
EXPORTED int gather_run(const struct gather_job *job, int level);

/* Bytes that gather_run allocates for this largest sigma; independent of the image's size. */
EXPORTED size_t gather_scratch_bytes(float max_sigma, int level);

/* One implementation per level, chosen from by gather_run. */
struct gather_variant {
    int (*run)(const struct gather_job *job);
    size_t (*scratch_bytes)(float max_sigma);
};

extern const struct gather_variant gather_base;
#if defined(__x86_64__)
extern const struct gather_variant gather_avx2;
extern const struct gather_variant gather_avx512;
#endif

#endif
