#include "jpeg_blocks.h"

#include <stdlib.h>
#include <string.h>

#include "writer.h"

#ifndef LIBJPEG_TURBO_VERSION
#error "another libjpeg than libjpeg-turbo computes other coefficients"
#endif

#define EXPORT __attribute__((visibility("default")))
#define TEXT(value) TEXT_OF(value)
#define TEXT_OF(value) #value

EXPORT int jpeg_blocks_open(struct jpeg_blocks_job *job)
{
    const int rows = (job->height + mcu_height(job) - 1) / mcu_height(job);
    if (!job->has_steps && job->coding == JPEG_BLOCKS_FIXED)
        job->strip_count = 0;
    else if (job->strip_count > rows)
        job->strip_count = rows;
    if (!job->strip_count)
        return 0;
    job->strips = calloc((size_t)job->strip_count, sizeof *job->strips);
    if (!job->strips) {
        snprintf(job->message, sizeof job->message, "out of memory");
        return 1;
    }
    for (int k = 0; k < job->strip_count; k++) {
        struct strip *strip = &job->strips[k];
        strip->job = job;
        strip->top = (int)((int64_t)rows * k / job->strip_count);
        strip->end = (int)((int64_t)rows * (k + 1) / job->strip_count);
    }
    return 0;
}

EXPORT void jpeg_blocks_make(struct jpeg_blocks_job *job)
{
    int k;
    while ((k = __atomic_fetch_add(&job->next_strip, 1, __ATOMIC_RELAXED)) < job->strip_count)
        make_strip(&job->strips[k]);
}

/* What the strips counted, as if they were one. */
static void add_counts(const struct jpeg_blocks_job *job, struct symbol_counts counts[2])
{
    for (int k = 0; k < job->strip_count; k++) {
        const struct strip *strip = &job->strips[k];
        for (int kind = 0; kind < 2; kind++)
            add_symbols(&strip->counts[kind], &counts[kind]);
        for (int c = 0; k && c < COMPONENTS; c++)
            recount_first(strip->first_dc[c], strip[-1].last_dc[c], &counts[c > 0]);
    }
}

EXPORT int jpeg_blocks_write(struct jpeg_blocks_job *job)
{
    for (int k = 0; k < job->strip_count; k++)
        if (!job->strips[k].is_made) {
            memcpy(job->message, job->strips[k].catcher.message, sizeof job->message);
            return 1;
        }
    struct symbol_counts counts[2];
    memset(counts, 0, sizeof counts);
    add_counts(job, counts);
    return write_bitstream(job, counts);
}

EXPORT void jpeg_blocks_close(struct jpeg_blocks_job *job)
{
    for (int k = 0; job->strips && k < job->strip_count; k++)
        free_strip(&job->strips[k]);
    free(job->strips);
    free(job->bitstream);
}

EXPORT void jpeg_blocks_coarsen(int16_t coefficients[64], float step)
{
    struct symbol_counts counts = {0};
    treat_block(coefficients, step, 0, &counts);
}

EXPORT int jpeg_blocks_interface(void)
{
    return JPEG_BLOCKS_INTERFACE;
}

EXPORT const char *jpeg_blocks_version(void)
{
    return TEXT(LIBJPEG_TURBO_VERSION);
}
