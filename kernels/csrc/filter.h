/* A scale's filter, and the way from a level of the pyramid back to the picture. */
#ifndef EDGE_FILTER_H
#define EDGE_FILTER_H

#include "pyramid.h"

enum {
    TILE_WIDTH = 64, /* pixels */
    TILE_HEIGHT = 32,
    TILE_SAMPLES = TILE_WIDTH * 3,
    GROUP = 3, /* vectors that are filtered side by side, for the processor to overlap */
    /* A region of a tile, seen from a level, with what expanding reads around it. */
    REGION_SAMPLES = TILE_SAMPLES + 6 * 3 + LANES * GROUP,
    REGION_ROWS = TILE_HEIGHT + 6,
};

/* A rectangle of pixels of the picture or of a level: columns [x0, x1), rows [y0, y1). */
struct region {
    int x0, x1, y0, y1;
};

/* Weights of a scale, one vector for each distance. */
struct taps {
    int radius;
    vec weight[SMOOTH_MAX_RADIUS + 1];
};

/* Sums of `count` vectors of samples with the neighbours at multiples of `step`. */
INLINE void weigh(const struct taps *taps, const int16_t *at, ptrdiff_t step, int count, vec *sum)
{
    for (int v = 0; v < count; v++)
        sum[v] = scale(load(at + v * LANES), taps->weight[0]);
    for (int k = 1; k <= taps->radius; k++)
        for (int v = 0; v < count; v++) {
            const int16_t *p = at + v * LANES;
            sum[v] += scale(load(p - k * step) + load(p + k * step), taps->weight[k]);
        }
}

/* Filter `count` vectors in each of `rows` rows, first across, then down. */
INLINE void filter_group(const struct taps *taps, const int16_t *source, ptrdiff_t source_stride,
                         int rows, int count, int channels, int16_t *target,
                         ptrdiff_t target_stride)
{
    int16_t across[(REGION_ROWS + 2 * SMOOTH_MAX_RADIUS) * GROUP * LANES]
        __attribute__((aligned(64)));
    const int stride = count * LANES;
    vec sum[GROUP];
    for (int y = 0; y < rows + 2 * taps->radius; y++) {
        weigh(taps, source + (y - taps->radius) * source_stride, channels, count, sum);
        for (int v = 0; v < count; v++)
            store(across + y * stride + v * LANES, sum[v]);
    }
    for (int y = 0; y < rows; y++) {
        weigh(taps, across + (y + taps->radius) * stride, stride, count, sum);
        for (int v = 0; v < count; v++)
            store(target + y * target_stride + v * LANES, sum[v]);
    }
}

/* Filter a region of a level. `source` is the region's first sample within the level's rows. */
INLINE void filter_region(const struct taps *taps, const int16_t *source, ptrdiff_t source_stride,
                          const struct region *r, int channels, int16_t *target,
                          ptrdiff_t target_stride)
{
    const int samples = (r->x1 - r->x0) * channels, rows = r->y1 - r->y0;
    int i = 0;
    for (; i + GROUP * LANES <= samples; i += GROUP * LANES)
        filter_group(taps, source + i, source_stride, rows, GROUP, channels, target + i,
                     target_stride);
    for (; i < samples; i += LANES)
        filter_group(taps, source + i, source_stride, rows, 1, channels, target + i,
                     target_stride);
}

/* What a region of one level reads of the level above. */
INLINE struct region above(struct region r)
{
    return (struct region){(r.x0 >> 1) - 1, ((r.x1 - 1) >> 1) + 2,
                           (r.y0 >> 1) - 1, ((r.y1 - 1) >> 1) + 2};
}

/* Expanding inserts a pixel between any two and smooths with 1 4 6 4 1 again. So a pixel that was
 * there becomes 1 6 1 of itself and its neighbours, and a pixel between two becomes their mean. */
INLINE vec keep_pixel(vec before, vec at, vec after)
{
    return at + ((before + after - 2 * at + 4) >> 3);
}
INLINE vec insert_pixel(vec before, vec after) { return (before + after + 1) >> 1; }

/* Expand one row to twice its width. `row` starts a pixel before the `pixels` that are expanded. */
INLINE void expand_row(const int16_t *row, int pixels, int channels, int16_t *restrict out)
{
    int16_t kept[REGION_SAMPLES + LANES], inserted[REGION_SAMPLES + LANES];
    const int16_t *at = row + channels;
    for (int i = 0; i < pixels * channels; i += LANES) {
        vec here = load(at + i), after = load(at + i + channels);
        store(kept + i, keep_pixel(load(at + i - channels), here, after));
        store(inserted + i, insert_pixel(here, after));
    }
    for (int i = 0; i < pixels; i++) {
        copy_pixel(out + 2 * i * channels, kept + i * channels, channels);
        copy_pixel(out + (2 * i + 1) * channels, inserted + i * channels, channels);
    }
}

/* Expand the region `from` of a level, which is above(*to), to the region `to` of the next. `rows`
 * holds the widened rows. */
INLINE void expand_region(const int16_t *source, ptrdiff_t source_stride,
                          const struct region *from, int16_t *target, ptrdiff_t target_stride,
                          const struct region *to, int channels, int16_t *rows)
{
    const int pixels = from->x1 - from->x0 - 2, odd = to->x0 & 1;
    const ptrdiff_t stride = REGION_SAMPLES + 2 * LANES;
    for (int y = 0; y < from->y1 - from->y0; y++)
        expand_row(source + y * source_stride, pixels, channels, rows + y * stride);
    for (int y = to->y0; y < to->y1; y++) {
        const int16_t *at = rows + ((y >> 1) - from->y0) * stride + odd * channels;
        int16_t *out = target + (y - to->y0) * target_stride;
        const int samples = (to->x1 - to->x0) * channels;
        if (y & 1)
            for (int i = 0; i < samples; i += LANES)
                store(out + i, insert_pixel(load(at + i), load(at + i + stride)));
        else
            for (int i = 0; i < samples; i += LANES)
                store(out + i, keep_pixel(load(at + i - stride), load(at + i),
                                          load(at + i + stride)));
    }
}

#endif
