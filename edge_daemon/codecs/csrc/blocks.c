#include "blocks.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the masks below are made for little-endian processors"
#endif

enum {
    END_OF_BLOCK = 0x00,
    SIXTEEN_ZEROS = 0xf0,
    /* of a coefficient that is not zero, in tenths of a bit */
    BITS = 15,
    BITS_PER_DIGIT = 16,
    BITS_PER_ZERO = 5,
};

/* Where in zigzag order the coefficients stand that lie row by row; and the other way. */
static const uint8_t zigzag[BLOCK] = {
    0,  1,  5,  6,  14, 15, 27, 28, 2,  4,  7,  13, 16, 26, 29, 42, 3,  8,  12, 17, 25, 30,
    41, 43, 9,  11, 18, 24, 31, 40, 44, 53, 10, 19, 23, 32, 39, 45, 52, 54, 20, 22, 33, 38,
    46, 51, 55, 60, 21, 34, 37, 47, 50, 56, 59, 61, 35, 36, 48, 49, 57, 58, 62, 63,
};
static const uint8_t place[BLOCK] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
};

/* One bit per coefficient, row by row, set where it is not zero. */
static uint64_t nonzero(const int16_t block[BLOCK])
{
    uint8_t flags[BLOCK];
    for (int i = 0; i < BLOCK; i++)
        flags[i] = block[i] != 0;
    uint64_t mask = 0;
    for (int row = 0; row < 8; row++) {
        uint64_t bytes;
        memcpy(&bytes, flags + 8 * row, sizeof bytes);
        /* brings the lowest bit of byte j to bit 56 + j */
        mask |= (bytes * 0x0102040810204080u >> 56) << 8 * row;
    }
    return mask;
}

static uint64_t in_zigzag_order(uint64_t mask)
{
    uint64_t ordered = 0;
    for (; mask; mask &= mask - 1)
        ordered |= (uint64_t)1 << zigzag[__builtin_ctzll(mask)];
    return ordered;
}

static int digits(int size)
{
    return size ? 32 - __builtin_clz((unsigned)size) : 0;
}

/* What a coefficient of that size becomes; `price` is that of a tenth of a bit. */
static int cheapest(int size, int zeros, double price)
{
    const int before = BITS + BITS_PER_ZERO * zeros;
    if (size == 1) /* the most frequent by far */
        return price * (before + BITS_PER_DIGIT) <= 1.0;
    int best = size;
    double least = price * (before + BITS_PER_DIGIT * digits(size));
    for (int n = digits(size) - 1; n >= 0; n--) {
        const int lower = (1 << n) - 1;
        const double error = size - lower;
        const double cost = error * error + (n ? price * (before + BITS_PER_DIGIT * n) : 0.0);
        if (cost < least) {
            least = cost;
            best = lower;
        }
    }
    return best;
}

/* The symbol for the first coefficient of a block. */
static int dc_symbol(int dc, int dc_before)
{
    return digits(dc < dc_before ? dc_before - dc : dc - dc_before);
}

void treat_block(int16_t block[BLOCK], float step, int dc_before, struct symbol_counts *counts)
{
    counts->dc[dc_symbol(block[0], dc_before)]++;
    const double price = step > 1.0f ? 0.01 * step * step : 0.0;
    int last = 0;
    for (uint64_t left = in_zigzag_order(nonzero(block) & ~(uint64_t)1); left; left &= left - 1) {
        const int at = __builtin_ctzll(left);
        const int zeros = at - last - 1;
        const int value = block[place[at]];
        int size = value < 0 ? -value : value;
        if (price > 0.0) {
            size = cheapest(size, zeros, price);
            block[place[at]] = (int16_t)(value < 0 ? -size : size);
            if (!size)
                continue;
        }
        counts->ac[SIXTEEN_ZEROS] += (uint32_t)(zeros >> 4);
        counts->ac[(zeros & 15) << 4 | digits(size)]++;
        last = at;
    }
    counts->ac[END_OF_BLOCK] += last != BLOCK - 1;
}

void count_flat_blocks(int blocks, struct symbol_counts *counts)
{
    counts->dc[0] += (uint32_t)blocks;
    counts->ac[END_OF_BLOCK] += (uint32_t)blocks;
}

void add_symbols(const struct symbol_counts *some, struct symbol_counts *counts)
{
    for (int symbol = 0; symbol < 256; symbol++) {
        counts->dc[symbol] += some->dc[symbol];
        counts->ac[symbol] += some->ac[symbol];
    }
}

void recount_first(int dc, int dc_before, struct symbol_counts *counts)
{
    counts->dc[dc_symbol(dc, 0)]--;
    counts->dc[dc_symbol(dc, dc_before)]++;
}
