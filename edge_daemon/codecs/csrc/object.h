/* A libjpeg object for compression: set up as a job says, its errors caught. */
#ifndef EDGE_OBJECT_H
#define EDGE_OBJECT_H

#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>

#include <jpeglib.h>

#include "jpeg_blocks.h"

enum { COMPONENTS = 3 };

/* Where an object's errors go. libjpeg's part comes first: an object points at it. */
struct catcher {
    struct jpeg_error_mgr manager;
    jmp_buf jump;
    char message[JPEG_BLOCKS_MESSAGE];
};

/* Create the object, for pixel rows of the job's width. Whoever calls this, or any function of
 * libjpeg afterwards, has set the jump, and destroys the object whether it came about or not. */
void open_object(j_compress_ptr jpeg, struct catcher *catcher, const struct jpeg_blocks_job *job,
                 int height);

/* Jump to where the object's errors are caught. */
void fail(j_common_ptr jpeg, const char *message) __attribute__((noreturn));

/* Compress all rows of pixels, the job's from `first_row` on. */
void feed_pixels(j_compress_ptr jpeg, const struct jpeg_blocks_job *job, int first_row);

#endif
