/* Blocks of quantised coefficients: coarsening them, and counting the symbols they are coded as. */
#ifndef EDGE_BLOCKS_H
#define EDGE_BLOCKS_H

#include <stdint.h>

enum { BLOCK = 64 }; /* coefficients */

/* How often each Huffman symbol occurs. */
struct symbol_counts {
    uint32_t dc[256], ac[256];
};

/* Coarsen a block by a factor of `step`, unless it is 1 or less, and count the symbols that the
 * block then is in a sequential JPEG. `dc_before` is the first coefficient of the component's
 * previous block.
 *
 * The first coefficient, the mean, stays. What any other takes to code depends only on how many
 * binary digits it has and on the zeros before it, in zigzag order. So rounding that leaves the
 * number of digits as it is saves nothing, and a coefficient either stays, or falls to the largest
 * value of fewer digits (..., 7, 3, 1) or to zero: whichever has the least
 *
 *     error^2 + step^2 / 10 * bits,    bits = 1.5 + 1.6 * digits + 0.5 * zeros before it
 *
 * with no bits for a zero, and the larger value where two are equal. The bits are roughly what
 * photographs take; the tenth makes a step of 2 cost about as many bytes as tables twice as coarse.
 */
void treat_block(int16_t block[BLOCK], float step, int dc_before, struct symbol_counts *counts);

/* Count blocks that repeat the first coefficient of the block before and have no other. */
void count_flat_blocks(int blocks, struct symbol_counts *counts);

/* Add some counts to others. */
void add_symbols(const struct symbol_counts *some, struct symbol_counts *counts);

/* Count a block anew whose first coefficient is `dc`, and which was counted as a picture's first,
 * with a `dc_before` of 0. */
void recount_first(int dc, int dc_before, struct symbol_counts *counts);

#endif
