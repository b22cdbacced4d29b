#include "writer.h"

#include <stdlib.h>
#include <string.h>

#include "huffman.h"

enum { ROOM = 4096 }; /* for a bitstream's headers */

/* Everything that must outlive a jump lies in here. */
struct writer {
    struct jpeg_blocks_job *job;
    struct catcher catcher;
    struct jpeg_compress_struct jpeg;
    struct jpeg_destination_mgr destination;
    size_t capacity;
    const struct symbol_counts *counts;
    JBLOCKARRAY (*access)(j_common_ptr, jvirt_barray_ptr, JDIMENSION, JDIMENSION, boolean);
};

/* --- Where bytes go ----------------------------------------------------------------------- */

static void open_destination(j_compress_ptr jpeg)
{
    struct writer *w = jpeg->client_data;
    w->capacity = (size_t)w->job->width * (size_t)w->job->height / 4 + ROOM;
    w->job->bitstream = malloc(w->capacity);
    if (!w->job->bitstream)
        fail((j_common_ptr)jpeg, "out of memory");
    w->destination.next_output_byte = w->job->bitstream;
    w->destination.free_in_buffer = w->capacity;
}

static boolean grow_destination(j_compress_ptr jpeg)
{
    struct writer *w = jpeg->client_data;
    uint8_t *larger = realloc(w->job->bitstream, 2 * w->capacity);
    if (!larger)
        fail((j_common_ptr)jpeg, "out of memory");
    w->job->bitstream = larger;
    w->destination.next_output_byte = larger + w->capacity;
    w->destination.free_in_buffer = w->capacity;
    w->capacity *= 2;
    return TRUE;
}

static void close_destination(j_compress_ptr jpeg)
{
    struct writer *w = jpeg->client_data;
    w->job->size = w->capacity - w->destination.free_in_buffer;
}

/* --- Encoding ----------------------------------------------------------------------------- */

/* libjpeg asks for a row of MCUs at a time, in the first strip's arrays, which stand for all. */
static JBLOCKARRAY find_row(j_common_ptr jpeg, jvirt_barray_ptr array, JDIMENSION start,
                            JDIMENSION count, boolean writable)
{
    struct writer *w = jpeg->client_data;
    const struct strip *strip = w->job->strips;
    int c = 0;
    while (c < COMPONENTS && strip->arrays[c] != array)
        c++;
    if (c == COMPONENTS || count != (JDIMENSION)w->jpeg.comp_info[c].v_samp_factor || writable)
        fail(jpeg, "libjpeg reads its blocks in an unexpected way");
    while (start / count >= (JDIMENSION)strip->end)
        strip++;
    return w->access(jpeg, strip->arrays[c], start - (JDIMENSION)strip->top * count, count, FALSE);
}

static void set_codes(JHUFF_TBL *table, const uint32_t counts[256])
{
    fit_codes(counts, table->bits, table->huffval);
}

static void write_coefficients(struct writer *w)
{
    j_compress_ptr jpeg = &w->jpeg;
    if (w->job->coding == JPEG_BLOCKS_PROGRESSIVE)
        jpeg_simple_progression(jpeg);
    if (w->job->coding == JPEG_BLOCKS_OPTIMISED)
        for (int k = 0; k < 2; k++) {
            set_codes(jpeg->dc_huff_tbl_ptrs[k], w->counts[k].dc);
            set_codes(jpeg->ac_huff_tbl_ptrs[k], w->counts[k].ac);
        }
    w->access = jpeg->mem->access_virt_barray;
    jpeg->mem->access_virt_barray = find_row;
    jpeg_write_coefficients(jpeg, w->job->strips[0].arrays);
}

/* A function of its own: what it returns after a jump depends on none of its variables. */
static int run(struct writer *w)
{
    j_compress_ptr jpeg = &w->jpeg;
    if (setjmp(w->catcher.jump))
        return 1;
    jpeg->client_data = w;
    open_object(jpeg, &w->catcher, w->job, w->job->height);
    w->destination.init_destination = open_destination;
    w->destination.empty_output_buffer = grow_destination;
    w->destination.term_destination = close_destination;
    jpeg->dest = &w->destination;
    if (w->job->strips) {
        write_coefficients(w);
    } else {
        jpeg_start_compress(jpeg, TRUE);
        feed_pixels(jpeg, w->job, 0);
    }
    jpeg_finish_compress(jpeg);
    return 0;
}

int write_bitstream(struct jpeg_blocks_job *job, const struct symbol_counts counts[2])
{
    struct writer w;
    memset(&w, 0, sizeof w);
    w.job = job;
    w.counts = counts;
    const int failed = run(&w);
    jpeg_destroy_compress(&w.jpeg);
    if (failed)
        memcpy(job->message, w.catcher.message, sizeof job->message);
    return failed;
}
