/* A horizontal strip of the picture: its coefficients, treated and counted. */
#ifndef EDGE_STRIP_H
#define EDGE_STRIP_H

#include "blocks.h"
#include "object.h"

enum { SINK_BYTES = 4096 };

/* Everything that must outlive a jump lies in here. */
struct strip {
    const struct jpeg_blocks_job *job;
    int top, end; /* rows of MCUs; the last is not in it */
    int is_made;  /* otherwise the catcher has the reason */
    struct catcher catcher;
    struct jpeg_compress_struct jpeg;
    jvirt_barray_ptr arrays[COMPONENTS]; /* the coefficients */
    struct symbol_counts counts[2];      /* of luma and of both colours */
    /* The first coefficient of each component's first and last block. The first was counted as if
     * nothing were above the strip. */
    int first_dc[COMPONENTS], last_dc[COMPONENTS];

    /* What stands between libjpeg and its own coefficients. */
    jvirt_barray_ptr (*request)(j_common_ptr, int, boolean, JDIMENSION, JDIMENSION, JDIMENSION);
    JBLOCKARRAY (*access)(j_common_ptr, jvirt_barray_ptr, JDIMENSION, JDIMENSION, boolean);
    int arrays_seen;
    JDIMENSION rows_seen; /* of MCUs */
    JBLOCKARRAY blank;
    struct jpeg_destination_mgr nowhere;
    JOCTET sink[SINK_BYTES];
};

/* Rows of pixels in a row of MCUs. */
static inline int mcu_height(const struct jpeg_blocks_job *job)
{
    return job->halved ? 16 : 8;
}

/* Make the coefficients of a strip of which job, top and end are set and all else is zero. */
void make_strip(struct strip *strip);

void free_strip(struct strip *strip);

#endif
