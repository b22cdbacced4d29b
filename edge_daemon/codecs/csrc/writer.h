/* Writing the bitstream of a picture. */
#ifndef EDGE_WRITER_H
#define EDGE_WRITER_H

#include "strip.h"

/* Write the job's bitstream: the coefficients of its strips, from top to bottom, of which `counts`
 * are the symbols of luma and of both colours; or, where there are no strips, the pixels as they
 * come, without steps and with the standard's tables. 0, or 1 with the reason in the job. */
int write_bitstream(struct jpeg_blocks_job *job, const struct symbol_counts counts[2]);

#endif
