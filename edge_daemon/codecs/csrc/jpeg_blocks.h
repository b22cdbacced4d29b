/* A JPEG encoder over libjpeg-turbo that sees every block's coefficients before they are coded.
 *
 * The library is plain C behind a plain C interface. codecs/jpeg_blocks.py calls it through ctypes,
 * which releases the interpreter's lock around every call. It keeps no state but a job's, so any
 * number of threads may use it.
 *
 * How a picture is encoded. It is cut into strips of whole rows of MCUs, which need nothing of each
 * other, so several threads make them (strip.c): libjpeg turns pixels into quantised coefficients,
 * as it does for any JPEG. One row of blocks at a time, while they are in the cache, irrelevant
 * blocks are coarsened and the Huffman symbols of all blocks are counted (blocks.c). The counts of
 * all strips give Huffman tables of the picture's own (huffman.c), with which another libjpeg object
 * writes the coefficients of one strip after the other (writer.c), on one thread. The bitstream is
 * the same however many strips there are. libjpeg can count too, but takes about 1.5 times as long
 * for the whole picture.
 */
#ifndef EDGE_JPEG_BLOCKS_H
#define EDGE_JPEG_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

/* Raise when the structure below or the meaning of a call change, here and in jpeg_blocks.py. */
#define JPEG_BLOCKS_INTERFACE 2

enum { JPEG_BLOCKS_MESSAGE = 256 }; /* bytes, with the closing zero */

enum jpeg_blocks_coding {
    JPEG_BLOCKS_FIXED = 0,      /* the standard's Huffman tables */
    JPEG_BLOCKS_OPTIMISED = 1,  /* the picture's own */
    JPEG_BLOCKS_PROGRESSIVE = 2 /* several scans, each with its own */
};

struct jpeg_blocks_job {
    /* 8-bit RGB, width * 3 bytes in each row and no gaps between rows. */
    const uint8_t *pixels;
    int32_t width, height;
    int32_t quality;    /* libjpeg's, 1..100 */
    int32_t halved;     /* 1: colour at half the resolution in both directions (4:2:0); 0: 4:4:4 */
    int32_t coding;     /* enum jpeg_blocks_coding */
    int32_t has_steps;  /* 0: luma_steps and chroma_steps are not read */
    /* By how much each block is coarser, in quantiser steps, 1 or more, row by row: one value for
     * each 8x8 block of luma, and one for each block of either colour, which at 4:2:0 covers 16x16
     * pixels. */
    const float *luma_steps, *chroma_steps;
    /* As many strips as are wanted, 1 or more; jpeg_blocks_open sets how many there will be: no
     * more than rows of MCUs, and none where nothing has to be done to coefficients. */
    int32_t strip_count;

    /* Zero at first, and set by the calls. */
    int32_t next_strip;
    struct strip *strips;
    uint8_t *bitstream;
    size_t size;
    char message[JPEG_BLOCKS_MESSAGE];
};

/* The calls that encode a picture, in this order. Those with a result return 0, or else 1 with the
 * reason in the message; then only jpeg_blocks_close is left to be called. It always is. */
int jpeg_blocks_open(struct jpeg_blocks_job *job);

/* Make strips until none is left, together with other threads that call this at the same time. */
void jpeg_blocks_make(struct jpeg_blocks_job *job);

/* Write the bitstream, when all strips are made. */
int jpeg_blocks_write(struct jpeg_blocks_job *job);

/* Free everything, the bitstream too. */
void jpeg_blocks_close(struct jpeg_blocks_job *job);

/* What encoding does to a block that is `step` times coarser (blocks.h); row by row, not in zigzag
 * order. */
void jpeg_blocks_coarsen(int16_t coefficients[64], float step);

int jpeg_blocks_interface(void);

/* The version of libjpeg-turbo that the library was built with. */
const char *jpeg_blocks_version(void);

#endif
