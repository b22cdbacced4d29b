/* The shortest Huffman codes for given counts, within what a JPEG can hold. */
#ifndef EDGE_HUFFMAN_H
#define EDGE_HUFFMAN_H

#include <stdint.h>

enum { LONGEST_CODE = 16 }; /* bits */

/* Find the codes.
 *
 * counts: of each symbol; at least one is not zero.
 * lengths: set to how many codes there are of each length; lengths[0] is 0.
 * symbols: set to the symbols, shortest code first; those with a count of zero get none.
 */
void fit_codes(const uint32_t counts[256], uint8_t lengths[LONGEST_CODE + 1],
               uint8_t symbols[256]);

#endif
