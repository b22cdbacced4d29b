/* What a thread works in, and the first thing that is done in it: the tile's sigma becomes
 * coordinates on the ladder of scales.
 *
 * A coordinate is in 1/SMOOTH_STEPS of the way from one scale to the next, with 0 at the picture
 * itself: SMOOTH_STEPS * 4 * log2(sigma / 0.25).
 */
#ifndef EDGE_SIGMA_H
#define EDGE_SIGMA_H

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
 * give some coordinate from 0 to that of the last scale. */
INLINE ints coordinates_of(ints bits, const struct smooth_scales *scales)
{
    floats m = (floats)((bits & 0x7fffff) | 0x3f800000) - 1.0f;
    floats log2 = m * -0.0847687f + 0.3255958f;
    log2 = m * log2 - 0.6799441f;
    log2 = m * log2 + 1.4390147f;
    log2 = m * log2 + __builtin_convertvector((bits >> 23) - (127 - 2), floats);
    const float steps = 4.0f * SMOOTH_STEPS;
    ints c = __builtin_convertvector(log2 * steps + 0.5f, ints);
    c &= bits > 0x3e800000; /* 0 up to sigma 0.25, and for what is negative */
    const int top = (scales->count - 1) * SMOOTH_STEPS;
    const ints below = c < top;
    return (below & c) | (~below & top);
}

/* The extremes of every cell's sigma, as coordinates. */
INLINE void survey_cells(struct scratch *s, const struct region *tile,
                         const struct smooth_scales *scales)
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
            low = coordinates_of(low, scales);
            high = coordinates_of(high, scales);
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
INLINE void spread_coordinates(struct scratch *s, const struct region *tile,
                               const struct smooth_scales *scales, int channels)
{
    for (int y = 0; y < tile->y1 - tile->y0; y++)
        for (int x = 0; x < round_up(tile->x1 - tile->x0, CELL); x += LANES) {
            const float *sigma = s->sigma + y * s->sigma_stride + x;
            int16_t pixels[LANES] __attribute__((aligned(64)));
            for (int i = 0; i < LANES; i += FLOATS)
                *(half_vec *)(pixels + i) = __builtin_convertvector(
                    coordinates_of(load_bits(sigma + i), scales), half_vec);
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

#endif
