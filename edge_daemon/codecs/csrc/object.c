#include "object.h"

enum { ROWS_AT_ONCE = 64 }; /* of pixels */

static void on_error(j_common_ptr jpeg)
{
    char message[JMSG_LENGTH_MAX];
    (*jpeg->err->format_message)(jpeg, message);
    fail(jpeg, message);
}

static void keep_quiet(j_common_ptr jpeg, int level)
{
    (void)jpeg;
    (void)level;
}

void fail(j_common_ptr jpeg, const char *message)
{
    struct catcher *catcher = (struct catcher *)jpeg->err;
    snprintf(catcher->message, sizeof catcher->message, "%s", message);
    longjmp(catcher->jump, 1);
}

void open_object(j_compress_ptr jpeg, struct catcher *catcher, const struct jpeg_blocks_job *job,
                 int height)
{
    jpeg->err = jpeg_std_error(&catcher->manager);
    catcher->manager.error_exit = on_error;
    catcher->manager.emit_message = keep_quiet;
    jpeg_create_compress(jpeg);
    jpeg->image_width = (JDIMENSION)job->width;
    jpeg->image_height = (JDIMENSION)height;
    jpeg->input_components = COMPONENTS;
    jpeg->in_color_space = JCS_RGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, job->quality, TRUE);
    jpeg->comp_info[0].h_samp_factor = jpeg->comp_info[0].v_samp_factor = job->halved ? 2 : 1;
    jpeg->dct_method = JDCT_ISLOW;
}

void feed_pixels(j_compress_ptr jpeg, const struct jpeg_blocks_job *job, int first_row)
{
    JSAMPROW rows[ROWS_AT_ONCE];
    const size_t row_bytes = (size_t)job->width * COMPONENTS;
    const JSAMPROW pixels = (JSAMPROW)job->pixels + (size_t)first_row * row_bytes;
    while (jpeg->next_scanline < jpeg->image_height) {
        JDIMENSION count = 0;
        for (; count < ROWS_AT_ONCE && jpeg->next_scanline + count < jpeg->image_height; count++)
            rows[count] = pixels + (jpeg->next_scanline + count) * row_bytes;
        jpeg_write_scanlines(jpeg, rows, count);
    }
}
