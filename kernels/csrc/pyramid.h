/* The pyramid: each level is the one below it, smoothed with 1 4 6 4 1 and halved.
 *
 * That is Burt and Adelson's generating kernel (1983), OpenCV's pyrDown. Pixel i of a level lies at
 * pixel 2 i of the level below, so all levels share the picture's origin.
 *
 * A level reaches beyond the picture by as much as the filters and the next level read there. That
 * margin is made from the reflected picture like all the rest: the levels' own reflections would
 * not be its reflection wherever a side's length is even.
 */
#ifndef EDGE_PYRAMID_H
#define EDGE_PYRAMID_H

#include "smooth.h"
#include "vector.h"

enum {
    UNIT = 64,     /* of a sample: 1 grey level */
    MIDDLE = 8192, /* the sample that is 0: grey level 128 */
    /* Columns beyond the margin that vectors, rounded up, may touch; any values do. */
    SLACK = 64,
    PIECE = 16, /* rows of a level that a thread takes at a time */
};

/* One level as it lies in memory. `origin` is the sample of pixel (0, 0). */
struct level {
    int width, height; /* pixels that lie within the picture */
    int margin;        /* pixels on each side beyond them */
    ptrdiff_t stride;  /* samples from row to row */
    int16_t *origin;
};

INLINE int level_margin(int level, int levels)
{
    /* Expanding reads two pixels beyond the picture at most, and from there the filter's reach. */
    int margin = SMOOTH_MAX_RADIUS + 2;
    for (int l = levels; l > level; l--)
        margin = 2 * margin + 3; /* what reducing to margin `margin` reads */
    return margin;
}

INLINE struct level describe_level(
    int width, int height, int channels, int levels, int level, size_t *samples)
{
    struct level l = {.margin = level_margin(level, levels)};
    l.width = ((width - 1) >> level) + 1;
    l.height = ((height - 1) >> level) + 1;
    l.stride = round_up((l.width + 2 * l.margin + SLACK) * channels, 32);
    *samples = (size_t)l.stride * (size_t)(l.height + 2 * l.margin + 1);
    return l;
}

/* A level of the job's pyramid, where it lies in the job's memory. */
INLINE struct level find_level(const struct smooth_job *job, int level)
{
    int16_t *memory = job->pyramid;
    for (int l = 1;; l++) {
        size_t samples;
        struct level found = describe_level(
            job->width, job->height, job->channels, job->levels, l, &samples);
        if (l == level) {
            found.origin = memory + found.margin * (found.stride + job->channels);
            return found;
        }
        memory += samples;
    }
}

FUNCTION size_t pyramid_bytes(int width, int height, int channels, int levels)
{
    size_t total = 0;
    for (int l = 1; l <= levels; l++) {
        size_t samples;
        describe_level(width, height, channels, levels, l, &samples);
        total += samples * sizeof(int16_t);
    }
    return total;
}

/* From 1 4 6 4 1 of all pixels of a row, keep those at even places. */
INLINE void keep_even(const int16_t *restrict all, int16_t *restrict out, int pixels, int channels)
{
    for (int i = 0; i < pixels; i++)
        copy_pixel(out + i * channels, all + 2 * i * channels, channels);
}

/* One row of level 1 from five rows of the picture. `sums` and `all` hold a row of the picture with
 * what the margin is made from. */
INLINE void reduce_bytes(const struct smooth_job *job, const struct level *to, int y,
                         int16_t *sums, int16_t *all, int channels)
{
    const int from = 2 * (-to->margin) - 2, until = 2 * (to->width + to->margin) + 1;
    const uint8_t *row[5];
    for (int k = 0; k < 5; k++)
        row[k] = job->source +
                 reflect(2 * y + k - 2, job->height) * job->source_row_bytes;
    int16_t *at = sums - from * channels; /* pixel 0 */
    const int samples = job->width * channels;
    int i = 0;
    for (; i + LANES <= samples; i += LANES) {
        vec outer = load_bytes(row[0] + i) + load_bytes(row[4] + i);
        vec inner = load_bytes(row[1] + i) + load_bytes(row[3] + i);
        vec middle = load_bytes(row[2] + i);
        store(at + i, outer + 4 * inner + 6 * middle);
    }
    for (; i < samples; i++)
        at[i] = (int16_t)(row[0][i] + row[4][i] + 4 * (row[1][i] + row[3][i]) + 6 * row[2][i]);
    for (int x = from; x < 0; x++)
        for (int c = 0; c < channels; c++)
            at[x * channels + c] = at[reflect(x, job->width) * channels + c];
    for (int x = job->width; x < until; x++)
        for (int c = 0; c < channels; c++)
            at[x * channels + c] = at[reflect(x, job->width) * channels + c];

    const int pixels = to->width + 2 * to->margin;
    const int16_t *left = sums + 2 * channels;
    for (i = 0; i < 2 * pixels * channels; i += LANES) {
        vec outer = load(left + i - 2 * channels) + load(left + i + 2 * channels);
        vec inner = load(left + i - channels) + load(left + i + channels);
        /* The sums go up to 256 * 255, which takes all bits of a sample. */
        unsigned_vec sum = (unsigned_vec)outer + 4 * (unsigned_vec)inner +
                           6 * (unsigned_vec)load(left + i);
        store(all + i, (vec)((sum + 2) >> 2) - MIDDLE);
    }
    keep_even(all, to->origin + y * to->stride - to->margin * channels, pixels, channels);
}

INLINE vec weigh_five(vec outer, vec inner, vec middle)
{
    return scale(outer, splat(32768 / 16)) + scale(inner, splat(32768 * 4 / 16)) +
           scale(middle, splat(32768 * 6 / 16));
}

/* One row of a level from five rows of the level below. */
INLINE void reduce_samples(const struct level *from, const struct level *to, int y,
                           int16_t *sums, int16_t *all, int channels)
{
    const int pixels = to->width + 2 * to->margin;
    const int16_t *middle =
        from->origin + 2 * y * from->stride - (2 * to->margin + 2) * channels;
    for (int i = 0; i < (2 * pixels + 4) * channels; i += LANES) {
        const int16_t *p = middle + i;
        vec outer = load(p - 2 * from->stride) + load(p + 2 * from->stride);
        vec inner = load(p - from->stride) + load(p + from->stride);
        store(sums + i, weigh_five(outer, inner, load(p)));
    }
    const int16_t *left = sums + 2 * channels;
    for (int i = 0; i < 2 * pixels * channels; i += LANES) {
        vec outer = load(left + i - 2 * channels) + load(left + i + 2 * channels);
        vec inner = load(left + i - channels) + load(left + i + channels);
        store(all + i, weigh_five(outer, inner, load(left + i)));
    }
    keep_even(all, to->origin + y * to->stride - to->margin * channels, pixels, channels);
}

/* Samples in each of the two rows that reducing works in. */
INLINE int reduce_row_samples(int width, int channels, int levels)
{
    const int pixels = ((width - 1) >> 1) + 1 + 2 * level_margin(1, levels);
    return round_up((2 * pixels + 8) * channels + SLACK, 32);
}

/* Make a level, in rows from `sums` on. */
INLINE void reduce_level(const struct smooth_job *job, int level, int32_t *next_piece,
                         int16_t *sums, int channels)
{
    int16_t *all = sums + reduce_row_samples(job->width, channels, job->levels);
    const struct level to = find_level(job, level);
    const struct level from = level > 1 ? find_level(job, level - 1) : to;
    const int end = to.height + to.margin;
    int y;
    while ((y = __atomic_fetch_add(next_piece, PIECE, __ATOMIC_RELAXED) - to.margin) < end)
        for (const int until = min_int(y + PIECE, end); y < until; y++)
            if (level == 1)
                reduce_bytes(job, &to, y, sums, all, channels);
            else
                reduce_samples(&from, &to, y, sums, all, channels);
}

#endif
