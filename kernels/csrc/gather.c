/* The library's entry points: choose the vector level, check what memory safety rests on. */
#include "gather.h"

int gather_interface(void) { return GATHER_INTERFACE; }

int gather_best_level(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return GATHER_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return GATHER_AVX2;
#endif
    return GATHER_BASE; /* SSE2 on x86-64, NEON on aarch64 */
}

static const struct gather_variant *variant_of(int level)
{
    if (level < GATHER_BASE || level > gather_best_level())
        return NULL;
#if defined(__x86_64__)
    if (level == GATHER_AVX512)
        return &gather_avx512;
    if (level == GATHER_AVX2)
        return &gather_avx2;
#endif
    return &gather_base;
}

int gather_run(const struct gather_job *job, int level)
{
    const struct gather_variant *variant = variant_of(level);
    if (!variant || job->width < 1 || job->height < 1 ||
        (job->channels != 1 && job->channels != 3) || job->sigma.rows < 1 ||
        job->sigma.columns < 1 ||
        !(job->max_sigma >= 0.0f && job->max_sigma <= GATHER_MAX_SIGMA))
        return GATHER_BAD_JOB;
    if (!job->sigma.is_coarse &&
        (job->sigma.rows != job->height || job->sigma.columns != job->width))
        return GATHER_BAD_JOB;
    return variant->run(job);
}

size_t gather_scratch_bytes(float max_sigma, int level)
{
    const struct gather_variant *variant = variant_of(level);
    return variant ? variant->scratch_bytes(max_sigma) : 0;
}
