/* Tiles of the picture, smoothed one at a time; the including file chooses the instruction set.
 *
 * Scale by scale, from the finest that any of a tile's pixels needs to the widest, the tile is
 * filtered where a pixel needs that scale, and moved towards the result by as much as the pixel's
 * coordinate (sigma.h) says.
 */
#include "sigma.h"

/* ------------------------------------------------------------------ samples */

/* Bytes of the picture to samples: the tile and `reach` pixels around it. */
INLINE void read_window(const struct smooth_job *job, struct scratch *s, const struct region *tile,
                        int reach, int channels)
{
    const int width = job->width, from = tile->x0 - reach;
    const int until = tile->x0 + round_up(tile->x1 - tile->x0, CELL) + reach;
    const int inner_from = max_int(from, 0), inner_until = min_int(until, width);
    for (int y = tile->y0 - reach; y < tile->y1 + reach; y++) {
        const uint8_t *row = job->source + reflect(y, job->height) * job->source_row_bytes;
        int16_t *out = s->window + (y - tile->y0 + SMOOTH_MAX_RADIUS) * WINDOW_SAMPLES +
                       (SMOOTH_MAX_RADIUS - tile->x0) * channels; /* where pixel 0 would lie */
        int i = inner_from * channels;
        for (; i + LANES <= inner_until * channels; i += LANES)
            store(out + i, load_bytes(row + i) * UNIT - MIDDLE);
        for (; i < inner_until * channels; i++)
            out[i] = (int16_t)(row[i] * UNIT - MIDDLE);
        for (int x = from; x < inner_from; x++)
            for (int c = 0; c < channels; c++)
                out[x * channels + c] =
                    (int16_t)(row[reflect(x, width) * channels + c] * UNIT - MIDDLE);
        for (int x = inner_until; x < until; x++)
            for (int c = 0; c < channels; c++)
                out[x * channels + c] =
                    (int16_t)(row[reflect(x, width) * channels + c] * UNIT - MIDDLE);
    }
}

/* Filter a region of the tile at scale k into s->value. */
INLINE void evaluate_scale(const struct smooth_job *job, struct scratch *s,
                           const struct region *tile, const struct region *r, int k, int channels)
{
    const struct smooth_scales *scales = job->scales;
    struct taps taps = {.radius = scales->radius[k]};
    for (int i = 0; i <= taps.radius; i++)
        taps.weight[i] = splat(scales->taps[k][i]);
    int16_t *value =
        s->value + (r->y0 - tile->y0) * TILE_SAMPLES + (r->x0 - tile->x0) * channels;

    const int level = scales->level[k];
    if (level == 0) {
        const int16_t *window =
            s->window + (r->y0 - tile->y0 + SMOOTH_MAX_RADIUS) * WINDOW_SAMPLES +
            (r->x0 - tile->x0 + SMOOTH_MAX_RADIUS) * channels;
        filter_region(&taps, window, WINDOW_SAMPLES, r, channels, value, TILE_SAMPLES);
        return;
    }
    struct region regions[SMOOTH_MAX_LEVELS + 1];
    regions[0] = *r;
    for (int l = 1; l <= level; l++)
        regions[l] = above(regions[l - 1]);
    const struct level from = find_level(job, level);
    const struct region *there = &regions[level];
    filter_region(&taps, from.origin + there->y0 * from.stride + there->x0 * channels, from.stride,
                  there, channels, s->expanded[level & 1], REGION_SAMPLES);
    for (int l = level - 1; l > 0; l--)
        expand_region(s->expanded[(l + 1) & 1], REGION_SAMPLES, &regions[l + 1],
                      s->expanded[l & 1], REGION_SAMPLES, &regions[l], channels, s->rows);
    expand_region(s->expanded[1], REGION_SAMPLES, &regions[1], value, TILE_SAMPLES, r, channels,
                  s->rows);
}

/* Move the result towards scale k: not at all up to the coordinate of scale k - 1, all the way from
 * that of scale k on, and in between by the fraction, bent. */
INLINE void blend(struct scratch *s, const struct region *tile, const struct region *r, int k,
                  int bend, int channels)
{
    const vec start = splat((int16_t)((k - 1) * SMOOTH_STEPS)), whole = splat(32767);
    const int from = (r->x0 - tile->x0) * channels, until = (r->x1 - tile->x0) * channels;
    for (int y = r->y0 - tile->y0; y < r->y1 - tile->y0; y++) {
        const int16_t *value = s->value + y * TILE_SAMPLES;
        int16_t *result = s->result + y * TILE_SAMPLES;
        for (int i = from; i < until; i += LANES) {
            vec coordinate = smaller(load(s->coordinate[y] + i), start + SMOOTH_STEPS);
            unsigned_vec steps = (unsigned_vec)larger(coordinate - start, splat(0));
            /* 512 steps must make 32767, the largest weight, and not 32768. */
            vec share = (vec)((steps << 6) - (steps >> 9));
            if (bend)
                share += scale(scale(share, whole - share), splat((int16_t)bend));
            vec before = load(result + i);
            store(result + i, before + scale(load(value + i) - before, share));
        }
    }
}

/* Samples to bytes of the target, rounded half up. */
INLINE void write_tile(const struct smooth_job *job, const struct region *tile,
                       const int16_t *samples, int channels)
{
    const int count = (tile->x1 - tile->x0) * channels;
    for (int y = tile->y0; y < tile->y1; y++) {
        uint8_t *out = job->target + y * job->target_row_bytes + tile->x0 * channels;
        const int16_t *in = samples + (y - tile->y0) * TILE_SAMPLES;
        for (int i = 0; i < count; i += LANES) {
            vec v = (load(in + i) + (MIDDLE + UNIT / 2)) >> 6;
            if (i + LANES <= count) {
                store_bytes(out + i, v);
            } else {
                uint8_t rest[LANES];
                store_bytes(rest, v);
                memcpy(out + i, rest, (size_t)(count - i));
            }
        }
    }
}

/* ------------------------------------------------------------------ the walk */

INLINE void copy_tile(const struct smooth_job *job, const struct region *tile, int channels)
{
    for (int y = tile->y0; y < tile->y1; y++)
        memcpy(job->target + y * job->target_row_bytes + tile->x0 * channels,
               job->source + y * job->source_row_bytes + tile->x0 * channels,
               (size_t)((tile->x1 - tile->x0) * channels));
}

INLINE void smooth_tile(const struct smooth_job *job, struct scratch *s, const struct region *tile,
                        int channels)
{
    const struct smooth_scales *scales = job->scales;
    find_sigma(job, s, tile);
    survey_cells(s, tile, scales);
    int low = INT16_MAX, high = 0;
    for (int j = 0; j * CELL_ROWS < tile->y1 - tile->y0; j++)
        for (int i = 0; i * CELL < tile->x1 - tile->x0; i++) {
            low = min_int(low, s->lowest[j][i]);
            high = max_int(high, s->highest[j][i]);
        }
    const int finest = low / SMOOTH_STEPS;
    const int widest = (high + SMOOTH_STEPS - 1) / SMOOTH_STEPS;
    if (widest == 0) {
        copy_tile(job, tile, channels);
        return;
    }
    int reach = 0, at_picture = 0;
    for (int k = finest; k <= widest; k++)
        if (scales->level[k] == 0) {
            at_picture = 1;
            reach = max_int(reach, scales->radius[k]);
        }
    if (at_picture)
        read_window(job, s, tile, reach, channels);
    if (finest == widest) {
        struct region all = {tile->x0, tile->x0 + round_up(tile->x1 - tile->x0, CELL),
                             tile->y0, tile->y1};
        evaluate_scale(job, s, tile, &all, widest, channels);
        write_tile(job, tile, s->value, channels);
        return;
    }
    spread_coordinates(s, tile, scales, channels);
    memset(s->result, 0, sizeof s->result);
    for (int k = finest; k <= widest; k++) {
        struct region r;
        if (!find_region(s, tile, k, &r))
            continue;
        evaluate_scale(job, s, tile, &r, k, channels);
        blend(s, tile, &r, k, k > 0 ? scales->bend[k - 1] : 0, channels);
    }
    write_tile(job, tile, s->result, channels);
}

INLINE void take_tiles(const struct smooth_job *job, int32_t *next_piece, struct scratch *s,
                       int channels)
{
    const int across = (job->width + TILE_WIDTH - 1) / TILE_WIDTH;
    const int down = (job->height + TILE_HEIGHT - 1) / TILE_HEIGHT;
    int32_t i;
    while ((i = __atomic_fetch_add(next_piece, 1, __ATOMIC_RELAXED)) < across * down) {
        const int x = i % across * TILE_WIDTH, y = i / across * TILE_HEIGHT;
        const struct region tile = {x, min_int(x + TILE_WIDTH, job->width),
                                    y, min_int(y + TILE_HEIGHT, job->height)};
        smooth_tile(job, s, &tile, channels);
    }
}

/* ------------------------------------------------------------------ the calls */

/* The channel count is passed on as a constant, so that offsets and moves of pixels are. */
FUNCTION void tiles(const struct smooth_job *job, int32_t *next_piece, void *memory)
{
    if (job->channels == 1)
        take_tiles(job, next_piece, memory, 1);
    else
        take_tiles(job, next_piece, memory, 3);
}

FUNCTION size_t scratch_bytes(int width, int channels, int levels)
{
    return sizeof(struct scratch) +
           2 * sizeof(int16_t) * (size_t)reduce_row_samples(width, channels, levels);
}

FUNCTION void reduce(const struct smooth_job *job, int level, int32_t *next_piece, void *memory)
{
    struct scratch *s = memory;
    int16_t *rows = (int16_t *)(s + 1);
    if (job->channels == 1)
        reduce_level(job, level, next_piece, rows, 1);
    else
        reduce_level(job, level, next_piece, rows, 3);
}

const struct smooth_variant VARIANT = {reduce, tiles, scratch_bytes, pyramid_bytes};
