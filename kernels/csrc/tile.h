/* Tiles of the picture, smoothed one at a time; the including file chooses the instruction set.
 *
 * A tile's sigma becomes a *coordinate* on the ladder of scales, in 1/SMOOTH_STEPS of the way from
 * one to the next: 512 log2(sigma / 0.25) * 4. Then, scale by scale from the finest that any of its
 * pixels needs to the widest, the tile is filtered where a pixel needs that scale, and moved
 * towards the result by as much as the pixel's coordinate says.
 */
#include "filter.h"

enum {
    CELL = LANES <= 16 ? 16 : 32, /* columns; of 1 or 3 channels, a multiple of LANES samples */
    CELL_ROWS = 4,
    CELLS = TILE_WIDTH / CELL,
    CELLS_DOWN = TILE_HEIGHT / CELL_ROWS,
    FLOATS = LANES / 2, /* floats in a vector */
    WINDOW_SAMPLES = (TILE_WIDTH + 2 * SMOOTH_MAX_RADIUS) * 3 + SLACK,
    WINDOW_ROWS = TILE_HEIGHT + 2 * SMOOTH_MAX_RADIUS,
};

typedef float floats __attribute__((vector_size(FLOATS * 4)));
typedef int32_t ints __attribute__((vector_size(FLOATS * 4)));
typedef float unaligned_floats __attribute__((vector_size(FLOATS * 4), aligned(4), may_alias));
typedef int16_t half_vec __attribute__((vector_size(FLOATS * 2)));

/* What one thread works in. */
struct scratch {
    const float *sigma; /* of the tile's first pixel, rows sigma_stride apart */
    ptrdiff_t sigma_stride;
    int16_t lowest[CELLS_DOWN][CELLS], highest[CELLS_DOWN][CELLS]; /* coordinates in a cell */
    int16_t coordinate[TILE_HEIGHT][TILE_SAMPLES];                 /* of every sample, not pixel */
    int16_t window[WINDOW_ROWS * WINDOW_SAMPLES]; /* the picture's tile with the filters' reach */
    int16_t result[TILE_HEIGHT * TILE_SAMPLES];
    int16_t value[TILE_HEIGHT * TILE_SAMPLES];
    int16_t expanded[2][REGION_ROWS * REGION_SAMPLES + SLACK];
    int16_t rows[REGION_ROWS * (REGION_SAMPLES + 2 * LANES) + SLACK];
    /* Sigma where the map itself can't be read in whole vectors: sampled, or padded. */
    float own_sigma[TILE_HEIGHT][TILE_WIDTH];
    /* Two rows of a coarse map, sampled at the tile's columns. */
    int32_t column[TILE_WIDTH], next_column[TILE_WIDTH];
    float fraction[TILE_WIDTH], above[TILE_WIDTH], below[TILE_WIDTH];
};

/* ------------------------------------------------------------------ sigma */

INLINE const float *map_row(const struct smooth_sigma *map, int row)
{
    return (const float *)((const char *)map->values + row * map->row_bytes);
}

/* Split a map coordinate, clamped to [0, n - 1], into a cell and the fraction within it. */
INLINE int split_coordinate(double at, int n, float *fraction)
{
    if (!(at > 0.0)) {
        *fraction = 0.0f;
        return 0;
    }
    if (at >= n - 1) {
        *fraction = 0.0f;
        return n - 1;
    }
    int cell = (int)at;
    *fraction = (float)(at - cell);
    return cell;
}

INLINE void prepare_columns(const struct smooth_sigma *map, struct scratch *s, int x0, int columns)
{
    for (int i = 0; i < columns; i++) {
        double at = map->scale_x * (x0 + i) + map->offset_x;
        s->column[i] = split_coordinate(at, map->columns, &s->fraction[i]);
        s->next_column[i] = min_int(s->column[i] + 1, map->columns - 1);
    }
}

INLINE void sample_map_row(const struct smooth_sigma *map, const struct scratch *s, int row,
                           int columns, float *restrict out)
{
    const float *values = map_row(map, row);
    for (int i = 0; i < columns; i++) {
        float left = values[s->column[i]];
        out[i] = left + (values[s->next_column[i]] - left) * s->fraction[i];
    }
}

/* Find the tile's sigma, in rows of whole cells: in the map, or in s->own_sigma. */
INLINE void find_sigma(const struct smooth_job *job, struct scratch *s, const struct region *tile)
{
    const struct smooth_sigma *map = &job->sigma;
    const int columns = tile->x1 - tile->x0, padded = round_up(columns, CELL);
    if (!map->is_coarse && padded == columns) {
        s->sigma = map_row(map, tile->y0) + tile->x0;
        s->sigma_stride = map->row_bytes / (ptrdiff_t)sizeof(float);
        return;
    }
    s->sigma = s->own_sigma[0];
    s->sigma_stride = TILE_WIDTH;
    int sampled = -1; /* the map row in s->above */
    if (map->is_coarse)
        prepare_columns(map, s, tile->x0, columns);
    for (int y = tile->y0; y < tile->y1; y++) {
        float *sigma = s->own_sigma[y - tile->y0];
        if (map->is_coarse) {
            float down;
            int row = split_coordinate(map->scale_y * y + map->offset_y, map->rows, &down);
            if (row != sampled) {
                sample_map_row(map, s, row, columns, s->above);
                sample_map_row(map, s, min_int(row + 1, map->rows - 1), columns, s->below);
                sampled = row;
            }
            for (int i = 0; i < columns; i++)
                sigma[i] = s->above[i] + (s->below[i] - s->above[i]) * down;
        } else {
            memcpy(sigma, map_row(map, y) + tile->x0, (size_t)columns * sizeof(float));
        }
        for (int i = columns; i < padded; i++)
            sigma[i] = sigma[columns - 1];
    }
}

/* The bits of floats, which for floats above zero have the order of integers. */
INLINE ints load_bits(const float *sigma) { return (ints) * (const unaligned_floats *)sigma; }

/* Coordinates of sigmas: the exponent of a float and a polynomial of its mantissa m make log2 (the
 * minimax polynomial on [1, 2]; its error is 0.2 steps). A power of two comes out exactly. Any bits
 * give some coordinate in range. */
INLINE ints coordinates_of(ints bits)
{
    floats m = (floats)((bits & 0x7fffff) | 0x3f800000) - 1.0f;
    floats log2 = m * -0.0847687f + 0.3255958f;
    log2 = m * log2 - 0.6799441f;
    log2 = m * log2 + 1.4390147f;
    log2 = m * log2 + __builtin_convertvector((bits >> 23) - (127 - 2), floats);
    const float steps = 4.0f * SMOOTH_STEPS;
    ints c = __builtin_convertvector(log2 * steps + 0.5f, ints);
    c &= bits > 0x3e800000;               /* 0 up to sigma 0.25, and for what is negative */
    const int top = 8 * 4 * SMOOTH_STEPS; /* sigma 64 */
    const ints below = c < top;
    return (below & c) | (~below & top);
}

/* The extremes of every cell's sigma, as coordinates. */
INLINE void survey_cells(struct scratch *s, const struct region *tile)
{
    const int rows = tile->y1 - tile->y0;
    for (int x = 0; x < tile->x1 - tile->x0; x += CELL)
        for (int y = 0; y < rows; y += CELL_ROWS) {
            const float *sigma = s->sigma + y * s->sigma_stride + x;
            ints low = load_bits(sigma), high = low;
            for (int j = 0; j < min_int(CELL_ROWS, rows - y); j++)
                for (int i = 0; i < CELL; i += FLOATS) {
                    ints bits = load_bits(sigma + j * s->sigma_stride + i);
                    const ints less = bits < low, more = bits > high;
                    low = (less & bits) | (~less & low);
                    high = (more & bits) | (~more & high);
                }
            low = coordinates_of(low);
            high = coordinates_of(high);
            int least = low[0], most = high[0];
            for (int i = 1; i < FLOATS; i++) {
                least = min_int(least, low[i]);
                most = max_int(most, high[i]);
            }
            s->lowest[y / CELL_ROWS][x / CELL] = (int16_t)least;
            s->highest[y / CELL_ROWS][x / CELL] = (int16_t)most;
        }
}

/* Give every sample of the tile its pixel's coordinate. */
INLINE void spread_coordinates(struct scratch *s, const struct region *tile, int channels)
{
    for (int y = 0; y < tile->y1 - tile->y0; y++)
        for (int x = 0; x < round_up(tile->x1 - tile->x0, CELL); x += LANES) {
            const float *sigma = s->sigma + y * s->sigma_stride + x;
            int16_t pixels[LANES] __attribute__((aligned(64)));
            for (int i = 0; i < LANES; i += FLOATS)
                *(half_vec *)(pixels + i) =
                    __builtin_convertvector(coordinates_of(load_bits(sigma + i)), half_vec);
            for (int part = 0; part < channels; part++)
                store(s->coordinate[y] + x * channels + part * LANES,
                      channels == 1 ? load(pixels) : repeat_thrice(load(pixels), part));
        }
}

/* The part of the tile, in whole cells, that needs scale `k`; 0 if none does. */
INLINE int find_region(const struct scratch *s, const struct region *tile, int k, struct region *r)
{
    const int across = round_up(tile->x1 - tile->x0, CELL) / CELL;
    const int down = round_up(tile->y1 - tile->y0, CELL_ROWS) / CELL_ROWS;
    int left = across, right = 0, top = down, bottom = 0;
    for (int j = 0; j < down; j++)
        for (int i = 0; i < across; i++)
            if (s->lowest[j][i] < (k + 1) * SMOOTH_STEPS &&
                s->highest[j][i] > (k - 1) * SMOOTH_STEPS) {
                left = min_int(left, i);
                right = max_int(right, i + 1);
                top = min_int(top, j);
                bottom = j + 1;
            }
    r->x0 = tile->x0 + left * CELL;
    r->x1 = tile->x0 + right * CELL;
    r->y0 = tile->y0 + top * CELL_ROWS;
    r->y1 = min_int(tile->y0 + bottom * CELL_ROWS, tile->y1);
    return right > 0;
}

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
    survey_cells(s, tile);
    int low = INT16_MAX, high = 0;
    for (int j = 0; j * CELL_ROWS < tile->y1 - tile->y0; j++)
        for (int i = 0; i * CELL < tile->x1 - tile->x0; i++) {
            low = min_int(low, s->lowest[j][i]);
            high = max_int(high, s->highest[j][i]);
        }
    const int finest = low / SMOOTH_STEPS;
    const int widest = min_int((high + SMOOTH_STEPS - 1) / SMOOTH_STEPS, scales->count - 1);
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
    spread_coordinates(s, tile, channels);
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
