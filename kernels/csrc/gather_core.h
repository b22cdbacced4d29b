/* The kernel itself, compiled once per vector level by the file that includes it.
 *
 * The including file defines
 *   GATHER_VARIANT  the name of the gather_variant to define,
 *   LANES           floats in one vector; one lane works on one pixel,
 *   TARGET          the function attribute that selects the instruction set.
 *
 * What it computes. Every output pixel is the normalised sum of the source under the Gaussian of
 * that pixel's own sigma, radius ceil(3 sigma), rows and columns beyond the border reflected
 * without repeating the edge (reflect-101). As a gather this separates if sigma is constant along
 * columns: filter rows first, with weights of the pixel at hand, then columns of the filtered rows.
 *
 * Where sigma varies along a column, the second pass reads rows that were filtered with their own
 * sigma rather than with the output pixel's. Along gentle slopes that is a small error, in
 * proportion to the slope. At steps it would be gross (dozens of grey levels), so the image is cut
 * into *segments*: runs of rows without a step. A segment filters the rows it needs from beyond its
 * ends anew, with the sigma of its own nearest row, as if its sigma went on for ever. A map of
 * constant pieces with horizontal edges is thereby smoothed exactly.
 *
 * How it walks. The image is worked off in vertical strips, each from top to bottom in chunks of
 * rows. Horizontally filtered rows live in a ring just long enough for the largest radius, and so
 * does what was derived from sigma. A strip's blocks of LANES pixels are the unit of decision: a
 * block is copied if all its sigmas are small, filtered with shared weights if they are all equal,
 * and with weights of their own per lane otherwise.
 */
#include "gather.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FUNCTION static TARGET
#define INLINE static inline __attribute__((always_inline)) TARGET

enum {
    STRIP = 128,            /* columns in a strip */
    BLOCKS = STRIP / LANES, /* blocks in a strip */
    CHUNK = 32,             /* rows that go through the second pass together */
    ALIGN = 64,             /* a cache line, and the widest vector */
    CACHED_WEIGHTS = 8,     /* shared-weight tables kept at a time */
};

/* Changes of sigma from one row to the next, in pixels: up to GENTLE they are a slope that segments
 * run along; more than that adds to the segment's drift, and a drift above DRIFT ends it. Cutting
 * more costs time (each segment filters its surroundings anew), cutting less costs accuracy. */
#define GENTLE 0.15f
#define DRIFT 0.25f

typedef float vec __attribute__((vector_size(LANES * 4)));
typedef int32_t ivec __attribute__((vector_size(LANES * 4)));
typedef uint8_t bytevec __attribute__((vector_size(LANES)));
/* The same, for addresses aligned to nothing more than a float. */
typedef float unaligned_vec __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef uint8_t unaligned_bytevec __attribute__((vector_size(LANES), aligned(1), may_alias));

INLINE vec load(const float *p) { return *(const unaligned_vec *)p; }
INLINE void store(float *p, vec v) { *(unaligned_vec *)p = v; }
INLINE vec splat(float x) { return (vec){0} + x; }
INLINE vec keep_where(ivec mask, vec v) { return (vec)(mask & (ivec)v); }
INLINE vec choose(ivec mask, vec yes, vec no)
{
    return (vec)((mask & (ivec)yes) | (~mask & (ivec)no));
}
INLINE int min_int(int a, int b) { return a < b ? a : b; }
INLINE int max_int(int a, int b) { return a > b ? a : b; }

/* Reflect-101, as often as it takes: a b c d -> ... c b [a b c d] c b ... */
INLINE int reflect(int i, int n)
{
    if (n == 1)
        return 0;
    while (i < 0 || i >= n)
        i = i < 0 ? -i : 2 * (n - 1) - i;
    return i;
}

/* 2^x for x <= 0: the integer part goes into the exponent bits, the rest into a polynomial (the
 * series of exp(x ln 2); relative error about 1e-7 on [-1/2, 1/2]). */
INLINE vec exp2_of_negative(vec x)
{
    x = choose(x > -120.0f, x, splat(-120.0f));
    ivec whole = __builtin_convertvector(x - 0.5f, ivec);
    vec f = x - __builtin_convertvector(whole, vec);
    vec p = splat(1.5403530e-4f);
    p = p * f + 1.3333558e-3f;
    p = p * f + 9.6181291e-3f;
    p = p * f + 5.5504109e-2f;
    p = p * f + 2.4022651e-1f;
    p = p * f + 6.9314718e-1f;
    p = p * f + 1.0f;
    return (vec)((ivec)p + (whole << 23));
}

/* What the two passes need to know of a block of one row. */
struct block {
    int16_t radius;  /* largest radius of its lanes; 0: the block is a copy of the source */
    int16_t uniform; /* all its lanes have the same sigma */
};

/* Normalised weights of one sigma; w[k] serves both neighbours at distance k. */
struct weights {
    float reach;
    float w[GATHER_MAX_RADIUS + 1];
};

/* Two rows of a coarse map, sampled at the strip's columns: every sigma row between them is a
 * blend of the two, so the samples are taken anew only when the pair changes. */
struct coarse_rows {
    int upper; /* row of the map that `above` was sampled from; -1: none yet */
    int32_t column[STRIP], next[STRIP];
    float fraction[STRIP], above[STRIP], below[STRIP];
};

/* One strip on its way down the image. Rings are indexed by row & ring_mask. */
struct strip {
    const struct gather_job *job;
    int x0, columns, blocks; /* columns: those inside the image; blocks: rounded up */
    int max_radius, ring_mask;
    int line_plane; /* floats between the channels of `line` */

    float *line;          /* a source row as floats, one plane per channel, margins reflected */
    float *filtered;      /* ring: rows after the first pass, one plane per channel */
    float *decay;         /* ring: exp(-1 / (2 sigma^2)) per pixel */
    float *reach;         /* ring: taps at distances below this count; 0 for a copy */
    struct block *block;  /* ring: BLOCKS per row */
    int *row_radius;      /* ring: largest radius in the row */
    uint8_t *result;      /* the chunk after the second pass, one plane per channel */
    struct weights *weights;

    int top, end, next;   /* the segment [top, end), and the first row not yet classified */
    float drift;         /* how far sigma has moved in the segment, gentle slopes apart */
    int filled_from[BLOCKS], filled_to[BLOCKS]; /* rows of the segment in `filtered`, per block */

    struct coarse_rows coarse;
    float sigma[2][STRIP + LANES]; /* this row's and the last row's sigma */
    const float *tap_row[CHUNK + 2 * GATHER_MAX_RADIUS];
};

/* An odd number of cache lines per row, or the columns of the second pass would fall into a few
 * sets of the first-level cache and evict each other. */
#define FILTERED_ROW(channels) ((channels) * STRIP + ALIGN / 4)

/* ------------------------------------------------------------------ scratch memory */

struct layout {
    int max_radius, ring, line_plane;
    size_t line, filtered, decay, reach, block, row_radius, result, weights, total;
};

FUNCTION size_t reserve(size_t *total, size_t bytes)
{
    size_t at = *total;
    *total += (bytes + ALIGN - 1) / ALIGN * ALIGN;
    return at;
}

FUNCTION struct layout plan_scratch(float max_sigma)
{
    struct layout l = {0};
    /* One more than ceil(3 sigma) can be: products in float may round upwards. */
    l.max_radius = max_sigma > GATHER_KEEP_SIGMA
                       ? min_int((int)(3.0f * max_sigma) + 1, GATHER_MAX_RADIUS) : 0;
    for (l.ring = CHUNK; l.ring < CHUNK + 2 * l.max_radius + 1; l.ring *= 2)
        ;
    l.line_plane = STRIP + 2 * (l.max_radius + LANES);

    const size_t ring = (size_t)l.ring;
    l.total = 0;
    reserve(&l.total, sizeof(struct strip));
    l.line = reserve(&l.total, 3 * (size_t)l.line_plane * sizeof(float));
    l.filtered = reserve(&l.total, ring * FILTERED_ROW(3) * sizeof(float));
    l.decay = reserve(&l.total, ring * STRIP * sizeof(float));
    l.reach = reserve(&l.total, ring * STRIP * sizeof(float));
    l.block = reserve(&l.total, ring * BLOCKS * sizeof(struct block));
    l.row_radius = reserve(&l.total, ring * sizeof(int));
    l.result = reserve(&l.total, 3 * CHUNK * STRIP);
    l.weights = reserve(&l.total, CACHED_WEIGHTS * sizeof(struct weights));
    return l;
}

FUNCTION size_t scratch_bytes(float max_sigma) { return plan_scratch(max_sigma).total + ALIGN; }

/* ------------------------------------------------------------------ sigma, row by row */

FUNCTION const float *map_row(const struct gather_sigma *map, int row)
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

FUNCTION void prepare_coarse_columns(struct strip *s)
{
    const struct gather_sigma *map = &s->job->sigma;
    struct coarse_rows *coarse = &s->coarse;
    coarse->upper = -1;
    for (int i = 0; i < s->columns; i++) {
        double at = map->scale_x * (s->x0 + i) + map->offset_x;
        coarse->column[i] = split_coordinate(at, map->columns, &coarse->fraction[i]);
        coarse->next[i] = min_int(coarse->column[i] + 1, map->columns - 1);
    }
}

FUNCTION void sample_coarse_row(const struct strip *s, int row, float *restrict out)
{
    const struct coarse_rows *coarse = &s->coarse;
    const float *values = map_row(&s->job->sigma, row);
    for (int i = 0; i < s->columns; i++) {
        float left = values[coarse->column[i]];
        float right = values[coarse->next[i]];
        out[i] = left + (right - left) * coarse->fraction[i];
    }
}

FUNCTION void read_sigma(struct strip *s, int y, float *restrict out)
{
    const struct gather_sigma *map = &s->job->sigma;
    if (map->is_coarse) {
        struct coarse_rows *coarse = &s->coarse;
        float fraction;
        int upper = split_coordinate(map->scale_y * y + map->offset_y, map->rows, &fraction);
        if (upper != coarse->upper) {
            sample_coarse_row(s, upper, coarse->above);
            sample_coarse_row(s, min_int(upper + 1, map->rows - 1), coarse->below);
            coarse->upper = upper;
        }
        for (int i = 0; i < s->columns; i++)
            out[i] = coarse->above[i] + (coarse->below[i] - coarse->above[i]) * fraction;
    } else {
        memcpy(out, map_row(map, y) + s->x0, (size_t)s->columns * sizeof(float));
    }
    for (int i = s->columns; i < s->blocks * LANES; i++)
        out[i] = out[s->columns - 1];
}

INLINE vec larger(vec a, vec b) { return choose(a > b, a, b); }
INLINE vec smaller(vec a, vec b) { return choose(a < b, a, b); }

/* The largest change of sigma in any column from one row to another. Below half a pixel the weights
 * react the more strongly the smaller sigma is, so changes count for more there; where both are
 * copies there is none. */
FUNCTION float largest_change(const struct strip *s, const float *one, const float *other)
{
    vec largest = {0};
    for (int i = 0; i < s->blocks * LANES; i += LANES) {
        vec a = larger(load(one + i), splat(GATHER_KEEP_SIGMA));
        vec b = larger(load(other + i), splat(GATHER_KEEP_SIGMA));
        vec high = larger(a, b), low = smaller(a, b);
        largest = larger(largest, (high - low) / smaller(2.0f * high, splat(1.0f)));
    }
    float change = 0.0f;
    for (int i = 0; i < LANES; i++)
        change = largest[i] > change ? largest[i] : change;
    return change;
}

/* Derive decay, reach and the blocks' kinds of row y from its sigma. */
FUNCTION void classify_row(struct strip *s, int y, const float *sigma)
{
    const int slot = y & s->ring_mask;
    float *decay = s->decay + (size_t)slot * STRIP;
    float *reach = s->reach + (size_t)slot * STRIP;
    struct block *block = s->block + (size_t)slot * BLOCKS;
    const vec limit = splat(s->job->max_sigma);
    int row_radius = 0;
    for (int b = 0; b < s->blocks; b++) {
        vec v = load(sigma + b * LANES);
        v = choose(v < limit, v, limit); /* NaN too: the caller may have raced us past its check */
        ivec smoothed = v > GATHER_KEEP_SIGMA;
        v = choose(smoothed, v, splat(GATHER_KEEP_SIGMA)); /* no division by zero below */
        /* -1/2 log2(e) / sigma^2 */
        store(decay + b * LANES, exp2_of_negative(-0.72134752f / (v * v)));
        /* k <= ceil(3 sigma) is k < 3 sigma + 1. */
        vec taps = keep_where(smoothed, v * 3.0f + 1.0f);
        store(reach + b * LANES, taps);

        /* Floats that are not negative are ordered as their bits are; integers reduce faster. */
        int32_t bits[LANES], low, high;
        memcpy(bits, &taps, sizeof bits);
        low = high = bits[0];
        for (int i = 1; i < LANES; i++) {
            low = bits[i] < low ? bits[i] : low;
            high = bits[i] > high ? bits[i] : high;
        }
        float farthest;
        memcpy(&farthest, &high, sizeof farthest);
        int radius = (int)farthest;
        radius -= (float)radius == farthest && radius > 0; /* strictly below */
        radius = min_int(radius, s->max_radius);
        block[b] = (struct block){.radius = (int16_t)radius, .uniform = low == high};
        row_radius = max_int(row_radius, radius);
    }
    s->row_radius[slot] = row_radius;
}

/* Classify rows up to `limit`, or up to the one whose sigma ends the segment. */
FUNCTION void look_ahead(struct strip *s, int limit)
{
    limit = min_int(limit, s->end);
    for (; s->next < limit; s->next++) {
        float *current = s->sigma[s->next & 1];
        read_sigma(s, s->next, current);
        if (s->next > s->top) {
            const float change = largest_change(s, current, s->sigma[~s->next & 1]);
            if (change > GENTLE)
                s->drift += change;
            if (s->drift > DRIFT) {
                s->end = s->next;
                return;
            }
        }
        classify_row(s, s->next, current);
    }
}

/* ------------------------------------------------------------------ the two passes */

/* Where a pass finds its taps. Horizontal: in one row, k floats away. Vertical: in other rows, at
 * the same column. Channels lie `plane` floats apart in both. */
struct taps {
    int vertical;
    const float *centre;
    const float *const *rows; /* rows[k] is the row at distance k of either sign */
    ptrdiff_t column, plane;
};

INLINE vec tap(struct taps t, int k, int channel)
{
    const float *at = t.vertical ? t.rows[k] + t.column : t.centre + k;
    return load(at + channel * t.plane);
}

/* Weights per lane. exp(-k^2 / (2 sigma^2)) = decay^(k^2), and k^2 grows by odd numbers: two
 * multiplications a tap give the next weight. Sums hold the half of each, for the symmetry. */
INLINE void sum_varying(struct taps t, vec decay, vec reach, int radius, int channels, vec *sum)
{
    vec weight = decay, square = decay * decay, ratio = square * decay;
    vec distance = splat(1.0f), total = splat(0.5f);
    for (int c = 0; c < channels; c++)
        sum[c] = splat(0.0f);
    for (int k = 1; k <= radius; k++) {
        vec w = keep_where(distance < reach, weight);
        total += w;
        for (int c = 0; c < channels; c++)
            sum[c] += w * (tap(t, -k, c) + tap(t, k, c));
        weight *= ratio;
        ratio *= square;
        distance += 1.0f;
    }
    vec scale = 0.5f / total;
    for (int c = 0; c < channels; c++)
        sum[c] = (sum[c] + tap(t, 0, c)) * scale;
}

/* The same with one sigma for all lanes. */
INLINE void sum_uniform(struct taps t, const float *weights, int radius, int channels, vec *sum)
{
    for (int c = 0; c < channels; c++)
        sum[c] = tap(t, 0, c) * weights[0];
    for (int k = 1; k <= radius; k++)
        for (int c = 0; c < channels; c++)
            sum[c] += (tap(t, -k, c) + tap(t, k, c)) * weights[k];
}

/* The table for a block of one sigma, from the cache or computed into it. */
FUNCTION const float *shared_weights(struct strip *s, float decay, float reach, int radius)
{
    uint32_t bits;
    memcpy(&bits, &reach, sizeof bits);
    struct weights *entry = &s->weights[(bits * 2654435761u) >> 29]; /* top bits: CACHED_WEIGHTS */
    if (entry->reach == reach)
        return entry->w;
    entry->reach = reach;
    double weight = decay, square = (double)decay * decay, ratio = square * decay, total = 1.0;
    for (int k = 1; k <= radius; k++) {
        entry->w[k] = (float)weight;
        total += 2.0 * weight;
        weight *= ratio;
        ratio *= square;
    }
    entry->w[0] = (float)(1.0 / total);
    for (int k = 1; k <= radius; k++)
        entry->w[k] *= entry->w[0];
    return entry->w;
}

INLINE void sum_block(struct strip *s, struct taps t, int slot, int b, int channels, vec *sum)
{
    const struct block block = s->block[slot * BLOCKS + b];
    const float *decay = s->decay + (size_t)slot * STRIP + b * LANES;
    const float *reach = s->reach + (size_t)slot * STRIP + b * LANES;
    if (block.uniform) {
        const float *weights = shared_weights(s, *decay, *reach, block.radius);
        sum_uniform(t, weights, block.radius, channels, sum);
    } else {
        sum_varying(t, load(decay), load(reach), block.radius, channels, sum);
    }
}

/* Source row y as floats with `margin` reflected pixels at either side, into s->line. */
INLINE void read_line(struct strip *s, int y, int margin, int channels)
{
    const struct gather_job *job = s->job;
    const uint8_t *restrict row = job->source + reflect(y, job->height) * job->source_row_bytes;
    const int plane = s->line_plane;
    const int from = s->x0 - margin, to = s->x0 + s->blocks * LANES + margin;
    float *restrict line = s->line + s->max_radius + LANES - margin; /* where `from` goes */
    const int inner_from = max_int(from, 0), inner_to = min_int(to, job->width);
    for (int x = inner_from; x < inner_to; x++)
        for (int c = 0; c < channels; c++)
            line[x - from + c * plane] = row[channels * x + c];
    for (int x = from; x < inner_from; x++)
        for (int c = 0; c < channels; c++)
            line[x - from + c * plane] = row[channels * reflect(x, job->width) + c];
    for (int x = inner_to; x < to; x++)
        for (int c = 0; c < channels; c++)
            line[x - from + c * plane] = row[channels * reflect(x, job->width) + c];
}

/* First pass of row y for the blocks with from[b] <= y < to[b]. Rows outside of the segment, those
 * beyond the image among them, take the sigma of the segment's nearest row. */
INLINE void filter_row(struct strip *s, int y, const int *from, const int *to, int channels)
{
    const int slot = min_int(max_int(y, s->top), s->end - 1) & s->ring_mask;
    read_line(s, y, s->row_radius[slot], channels);
    float *out = s->filtered + (size_t)(y & s->ring_mask) * FILTERED_ROW(3);
    for (int b = 0; b < s->blocks; b++) {
        if (y < from[b] || y >= to[b])
            continue;
        struct taps t = {.vertical = 0, .plane = s->line_plane,
                         .centre = s->line + s->max_radius + LANES + b * LANES};
        vec sum[3];
        if (s->block[slot * BLOCKS + b].radius)
            sum_block(s, t, slot, b, channels, sum);
        else
            for (int c = 0; c < channels; c++)
                sum[c] = tap(t, 0, c);
        for (int c = 0; c < channels; c++)
            store(out + c * STRIP + b * LANES, sum[c]);
    }
}

/* Second pass of block b of row y into s->result, rounded to the nearest level. */
INLINE void filter_column(struct strip *s, int y, int y0, int b, int channels)
{
    struct taps t = {.vertical = 1, .rows = s->tap_row + (y - y0) + s->max_radius,
                     .column = b * LANES, .plane = STRIP};
    vec sum[3];
    sum_block(s, t, y & s->ring_mask, b, channels, sum);
    uint8_t *out = s->result + (size_t)(y - y0) * 3 * STRIP + b * LANES;
    for (int c = 0; c < channels; c++) {
        ivec level = __builtin_convertvector(sum[c] + 0.5f, ivec);
        *(unaligned_bytevec *)(out + c * STRIP) = __builtin_convertvector(level, bytevec);
    }
}

/* Columns [from, to) of the strip's row y to the target: the source's bytes, or the result's. */
INLINE void write_run(
    const struct strip *s, int y, int y0, int from, int to, int copy, int channels)
{
    const struct gather_job *job = s->job;
    const size_t at = (size_t)channels * (size_t)(s->x0 + from);
    uint8_t *restrict out = job->target + y * job->target_row_bytes + at;
    to = min_int(to, s->columns);
    if (copy) {
        memcpy(out, job->source + y * job->source_row_bytes + at,
               (size_t)channels * (size_t)(to - from));
        return;
    }
    const uint8_t *restrict in = s->result + (size_t)(y - y0) * 3 * STRIP + from;
    for (int x = 0; x < to - from; x++)
        for (int c = 0; c < channels; c++)
            out[channels * x + c] = in[x + c * STRIP];
}

INLINE void write_row(const struct strip *s, int y, int y0, int channels)
{
    const struct block *block = s->block + (size_t)(y & s->ring_mask) * BLOCKS;
    for (int b = 0, end; b < s->blocks; b = end) {
        const int copy = block[b].radius == 0;
        for (end = b + 1; end < s->blocks && (block[end].radius == 0) == copy; end++)
            ;
        write_run(s, y, y0, b * LANES, end * LANES, copy, channels);
    }
}

/* Rows [y0, y1) of the segment, classified as far as their radius reaches. */
INLINE void smooth_chunk(struct strip *s, int y0, int y1, int channels)
{
    /* Which rows does each block's second pass read, and which of them are new? */
    int from[BLOCKS], to[BLOCKS], first = INT_MAX, last = INT_MIN;
    for (int b = 0; b < s->blocks; b++) {
        from[b] = INT_MAX;
        to[b] = INT_MIN;
        for (int y = y0; y < y1; y++) {
            const int radius = s->block[(size_t)(y & s->ring_mask) * BLOCKS + b].radius;
            if (radius) {
                from[b] = min_int(from[b], y - radius);
                to[b] = max_int(to[b], y + radius + 1);
            }
        }
        if (from[b] > to[b])
            continue;
        if (from[b] >= s->filled_from[b] && from[b] <= s->filled_to[b])
            from[b] = s->filled_to[b];
        else
            s->filled_from[b] = from[b];
        s->filled_to[b] = max_int(from[b], to[b]);
        first = min_int(first, from[b]);
        last = max_int(last, to[b]);
    }
    for (int y = first; y < last; y++)
        filter_row(s, y, from, to, channels);

    for (int i = 0; i < y1 - y0 + 2 * s->max_radius; i++) {
        const int slot = (y0 - s->max_radius + i) & s->ring_mask;
        s->tap_row[i] = s->filtered + (size_t)slot * FILTERED_ROW(3);
    }
    /* Down a block before across: its rows stay in the first-level cache. */
    for (int b = 0; b < s->blocks; b++)
        for (int y = y0; y < y1; y++)
            if (s->block[(size_t)(y & s->ring_mask) * BLOCKS + b].radius)
                filter_column(s, y, y0, b, channels);
    for (int y = y0; y < y1; y++)
        write_row(s, y, y0, channels);
}

/* ------------------------------------------------------------------ the walk */

INLINE void smooth_strip(struct strip *s, int channels)
{
    const int height = s->job->height;
    if (s->job->sigma.is_coarse)
        prepare_coarse_columns(s);
    for (int y = 0; y < height;) {
        s->top = s->next = y;
        s->end = height;
        s->drift = 0.0f;
        for (int b = 0; b < s->blocks; b++) {
            s->filled_from[b] = INT_MAX;
            s->filled_to[b] = INT_MIN;
        }
        while (y < s->end) {
            look_ahead(s, min_int(y + CHUNK, height) + s->max_radius);
            const int stop = min_int(y + CHUNK, s->end);
            smooth_chunk(s, y, stop, channels);
            y = stop;
        }
    }
}

/* The channel count as a constant, so that the loops over channels unroll. */
FUNCTION void smooth_strip_grey(struct strip *s) { smooth_strip(s, 1); }
FUNCTION void smooth_strip_colour(struct strip *s) { smooth_strip(s, 3); }

FUNCTION int run(const struct gather_job *job)
{
    const struct layout l = plan_scratch(job->max_sigma);
    void *memory = calloc(1, l.total + ALIGN);
    if (!memory)
        return GATHER_NO_MEMORY;
    char *base = (char *)(((uintptr_t)memory + ALIGN - 1) / ALIGN * ALIGN);

    struct strip *s = (struct strip *)base;
    s->job = job;
    s->max_radius = l.max_radius;
    s->ring_mask = l.ring - 1;
    s->line_plane = l.line_plane;
    s->line = (float *)(base + l.line);
    s->filtered = (float *)(base + l.filtered);
    s->decay = (float *)(base + l.decay);
    s->reach = (float *)(base + l.reach);
    s->block = (struct block *)(base + l.block);
    s->row_radius = (int *)(base + l.row_radius);
    s->result = (uint8_t *)(base + l.result);
    s->weights = (struct weights *)(base + l.weights);

    for (s->x0 = 0; s->x0 < job->width; s->x0 += STRIP) {
        s->columns = min_int(STRIP, job->width - s->x0);
        s->blocks = (s->columns + LANES - 1) / LANES;
        if (job->channels == 1)
            smooth_strip_grey(s);
        else
            smooth_strip_colour(s);
    }
    free(memory);
    return GATHER_OK;
}

const struct gather_variant GATHER_VARIANT = {run, scratch_bytes};
