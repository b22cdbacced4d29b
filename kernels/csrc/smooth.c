/* The library's entry points: choose the vector level, check what memory safety rests on. */
#include "smooth.h"

int smooth_interface(void) { return SMOOTH_INTERFACE; }

int smooth_best_vectors(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return SMOOTH_AVX512;
    if (__builtin_cpu_supports("avx2"))
        return SMOOTH_AVX2;
#endif
    return SMOOTH_BASE; /* SSE2 on x86-64, NEON on aarch64 */
}

static const struct smooth_variant *variant_of(int vectors)
{
#if defined(__x86_64__)
    if (vectors == SMOOTH_AVX512)
        return &smooth_avx512;
    if (vectors == SMOOTH_AVX2)
        return &smooth_avx2;
#else
    (void)vectors;
#endif
    return &smooth_base;
}

static int scales_fit(const struct smooth_scales *scales, int levels)
{
    if (scales->count < 1 || scales->count > SMOOTH_MAX_SCALES)
        return 0;
    for (int k = 0; k < scales->count; k++)
        if (scales->level[k] < 0 || scales->level[k] > levels || scales->radius[k] < 0 ||
            scales->radius[k] > SMOOTH_MAX_RADIUS)
            return 0;
    return 1;
}

int smooth_accepts(const struct smooth_job *job, int vectors)
{
    const struct smooth_sigma *sigma = &job->sigma;
    if (vectors < SMOOTH_BASE || vectors > smooth_best_vectors())
        return 0;
    if (job->width < 1 || job->height < 1 || (job->channels != 1 && job->channels != 3))
        return 0;
    if (job->levels < 0 || job->levels > SMOOTH_MAX_LEVELS || !scales_fit(job->scales, job->levels))
        return 0;
    if (sigma->rows < 1 || sigma->columns < 1)
        return 0;
    return sigma->is_coarse || (sigma->rows == job->height && sigma->columns == job->width);
}

size_t smooth_pyramid_bytes(int width, int height, int channels, int levels)
{
    return smooth_base.pyramid_bytes(width, height, channels, levels);
}

size_t smooth_scratch_bytes(int width, int channels, int levels, int vectors)
{
    return variant_of(vectors)->scratch_bytes(width, channels, levels);
}

void smooth_reduce(
    const struct smooth_job *job, int level, int32_t *next_piece, void *scratch, int vectors)
{
    variant_of(vectors)->reduce(job, level, next_piece, scratch);
}

void smooth_tiles(const struct smooth_job *job, int32_t *next_piece, void *scratch, int vectors)
{
    variant_of(vectors)->tiles(job, next_piece, scratch);
}
