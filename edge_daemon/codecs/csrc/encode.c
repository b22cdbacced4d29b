#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "blocks.h"
#include "huffman.h"
#include "jpeg_blocks.h"

#ifndef LIBJPEG_TURBO_VERSION
#error "another libjpeg than libjpeg-turbo computes other coefficients"
#endif
_Static_assert(sizeof(JBLOCK) == BLOCK * sizeof(int16_t), "a block is 64 16-bit coefficients");

#define EXPORT __attribute__((visibility("default")))
#define TEXT(value) TEXT_OF(value)
#define TEXT_OF(value) #value

enum {
    COMPONENTS = 3,
    ROWS_AT_ONCE = 64, /* of pixels */
    SINK_BYTES = 4096,
    ROOM = 4096, /* for a bitstream's headers */
};

/* One picture on its way. Everything that must outlive a jump lies in here. */
struct encoder {
    struct jpeg_blocks_job *job;
    struct jpeg_error_mgr errors;
    jmp_buf failed;

    /* Makes the coefficients; also writes the bitstream if nothing has to be done to them. */
    struct jpeg_compress_struct first;
    /* Writes the coefficients. */
    struct jpeg_compress_struct second;
    struct jpeg_destination_mgr destination;
    uint8_t *bitstream;
    size_t capacity, size;

    /* What stands between libjpeg and its own coefficients. */
    jvirt_barray_ptr (*request)(j_common_ptr, int, boolean, JDIMENSION, JDIMENSION, JDIMENSION);
    JBLOCKARRAY (*access)(j_common_ptr, jvirt_barray_ptr, JDIMENSION, JDIMENSION, boolean);
    jvirt_barray_ptr arrays[COMPONENTS];
    int arrays_seen;
    JDIMENSION rows_seen; /* of MCUs */
    JBLOCKARRAY blank;
    int dc_before[COMPONENTS];
    struct symbol_counts counts[2]; /* of luma and of both colours */
    struct jpeg_destination_mgr nowhere;
    JOCTET sink[SINK_BYTES];
};

/* --- Errors ------------------------------------------------------------------------------- */

static void on_error(j_common_ptr jpeg)
{
    struct encoder *e = jpeg->client_data;
    char message[JMSG_LENGTH_MAX];
    (*jpeg->err->format_message)(jpeg, message);
    snprintf(e->job->message, sizeof e->job->message, "%s", message);
    longjmp(e->failed, 1);
}

static void fail(struct encoder *e, const char *message)
{
    snprintf(e->job->message, sizeof e->job->message, "%s", message);
    longjmp(e->failed, 1);
}

static void keep_quiet(j_common_ptr jpeg, int level)
{
    (void)jpeg;
    (void)level;
}

/* --- Where bytes go ----------------------------------------------------------------------- */

static void open_destination(j_compress_ptr jpeg)
{
    struct encoder *e = jpeg->client_data;
    e->capacity = (size_t)e->job->width * (size_t)e->job->height / 4 + ROOM;
    e->bitstream = malloc(e->capacity);
    if (!e->bitstream)
        fail(e, "out of memory");
    e->destination.next_output_byte = e->bitstream;
    e->destination.free_in_buffer = e->capacity;
}

static boolean grow_destination(j_compress_ptr jpeg)
{
    struct encoder *e = jpeg->client_data;
    uint8_t *larger = realloc(e->bitstream, 2 * e->capacity);
    if (!larger)
        fail(e, "out of memory");
    e->bitstream = larger;
    e->destination.next_output_byte = larger + e->capacity;
    e->destination.free_in_buffer = e->capacity;
    e->capacity *= 2;
    return TRUE;
}

static void close_destination(j_compress_ptr jpeg)
{
    struct encoder *e = jpeg->client_data;
    e->size = e->capacity - e->destination.free_in_buffer;
}

static boolean empty_sink(j_compress_ptr jpeg)
{
    struct encoder *e = jpeg->client_data;
    e->nowhere.next_output_byte = e->sink;
    e->nowhere.free_in_buffer = SINK_BYTES;
    return TRUE;
}

static void open_sink(j_compress_ptr jpeg)
{
    empty_sink(jpeg);
}

static void close_sink(j_compress_ptr jpeg)
{
    (void)jpeg;
}

/* --- Coefficients ------------------------------------------------------------------------- */

static jvirt_barray_ptr remember_array(j_common_ptr jpeg, int pool, boolean zeroed,
                                       JDIMENSION width, JDIMENSION height, JDIMENSION access)
{
    struct encoder *e = jpeg->client_data;
    jvirt_barray_ptr array = e->request(jpeg, pool, zeroed, width, height, access);
    if (e->arrays_seen < COMPONENTS)
        e->arrays[e->arrays_seen] = array;
    e->arrays_seen++;
    return array;
}

static int smaller(int one, int other)
{
    return one < other ? one : other;
}

/* Coarsen and count one row of MCUs, in the order in which they will be coded. libjpeg completes
 * MCUs at the right and lower edge with flat blocks, each like the block before it. */
static void treat_row(struct encoder *e)
{
    JBLOCKARRAY rows[COMPONENTS];
    for (int c = 0; c < COMPONENTS; c++) {
        const jpeg_component_info *component = &e->first.comp_info[c];
        const JDIMENSION height = (JDIMENSION)component->v_samp_factor;
        rows[c] = e->access((j_common_ptr)&e->first, e->arrays[c], e->rows_seen * height, height,
                            TRUE);
    }
    const struct jpeg_blocks_job *job = e->job;
    const int mcus = (int)e->first.comp_info[1].width_in_blocks;
    for (int mcu = 0; mcu < mcus; mcu++)
        for (int c = 0; c < COMPONENTS; c++) {
            const jpeg_component_info *component = &e->first.comp_info[c];
            const int across = component->h_samp_factor, down = component->v_samp_factor;
            const int width = (int)component->width_in_blocks;
            const int top = (int)e->rows_seen * down;
            const int height = smaller(down, (int)component->height_in_blocks - top);
            const int end = smaller((mcu + 1) * across, width);
            const float *steps = c ? job->chroma_steps : job->luma_steps;
            for (int y = 0; y < height; y++)
                for (int x = mcu * across; x < end; x++) {
                    JCOEF *block = rows[c][y][x];
                    const size_t at = (size_t)(top + y) * (size_t)width + (size_t)x;
                    treat_block(block, job->has_steps ? steps[at] : 1.0f, e->dc_before[c],
                                &e->counts[c > 0]);
                    e->dc_before[c] = block[0];
                }
            count_flat_blocks(across * (down - height) + ((mcu + 1) * across - end) * height,
                              &e->counts[c > 0]);
        }
    e->rows_seen++;
}

/* libjpeg asks for blocks to write when it makes them, all components in turn, and then for those
 * of the first scan to read, to code them. At that moment they are ready; what it is given to code
 * is blank, which takes no time. */
static JBLOCKARRAY intercept(j_common_ptr jpeg, jvirt_barray_ptr array, JDIMENSION start,
                             JDIMENSION count, boolean writable)
{
    struct encoder *e = jpeg->client_data;
    if (writable)
        return e->access(jpeg, array, start, count, writable);
    if (array != e->arrays[COMPONENTS - 1] || start != e->rows_seen || count != 1)
        fail(e, "libjpeg made its blocks in an unexpected order");
    treat_row(e);
    return e->blank;
}

/* --- Encoding ----------------------------------------------------------------------------- */

static void open_encoder(struct encoder *e, j_compress_ptr jpeg)
{
    jpeg->err = &e->errors;
    jpeg->client_data = e;
    jpeg_create_compress(jpeg);
    jpeg->image_width = (JDIMENSION)e->job->width;
    jpeg->image_height = (JDIMENSION)e->job->height;
    jpeg->input_components = COMPONENTS;
    jpeg->in_color_space = JCS_RGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, e->job->quality, TRUE);
    jpeg->comp_info[0].h_samp_factor = jpeg->comp_info[0].v_samp_factor = e->job->halved ? 2 : 1;
    jpeg->dct_method = JDCT_ISLOW;
}

static void write_to_memory(struct encoder *e, j_compress_ptr jpeg)
{
    e->destination.init_destination = open_destination;
    e->destination.empty_output_buffer = grow_destination;
    e->destination.term_destination = close_destination;
    jpeg->dest = &e->destination;
}

static void feed_pixels(struct encoder *e)
{
    JSAMPROW rows[ROWS_AT_ONCE];
    const size_t row_bytes = (size_t)e->job->width * COMPONENTS;
    while (e->first.next_scanline < e->first.image_height) {
        JDIMENSION count = 0;
        for (; count < ROWS_AT_ONCE && e->first.next_scanline + count < e->first.image_height;
             count++)
            rows[count] =
                (JSAMPROW)e->job->pixels + (e->first.next_scanline + count) * row_bytes;
        jpeg_write_scanlines(&e->first, rows, count);
    }
}

/* Have libjpeg make all coefficients, treated, and leave them in its arrays. */
static void make_coefficients(struct encoder *e)
{
    /* Several scans are what makes libjpeg keep the coefficients. Only the first one begins. */
    static const jpeg_scan_info scans[COMPONENTS] = {
        {1, {2}, 0, 63, 0, 0},
        {1, {0}, 0, 63, 0, 0},
        {1, {1}, 0, 63, 0, 0},
    };
    j_compress_ptr jpeg = &e->first;
    jpeg->scan_info = scans;
    jpeg->num_scans = COMPONENTS;
    e->nowhere.init_destination = open_sink;
    e->nowhere.empty_output_buffer = empty_sink;
    e->nowhere.term_destination = close_sink;
    jpeg->dest = &e->nowhere;

    struct jpeg_memory_mgr *memory = jpeg->mem;
    e->request = memory->request_virt_barray;
    e->access = memory->access_virt_barray;
    memory->request_virt_barray = remember_array;
    memory->access_virt_barray = intercept;
    jpeg_start_compress(jpeg, TRUE);
    if (e->arrays_seen != COMPONENTS)
        fail(e, "libjpeg keeps its blocks in an unexpected way");
    const JDIMENSION width = jpeg->comp_info[COMPONENTS - 1].width_in_blocks;
    e->blank = (*memory->alloc_barray)((j_common_ptr)jpeg, JPOOL_IMAGE, width, 1);
    memset(e->blank[0], 0, width * sizeof(JBLOCK));
    feed_pixels(e);
    if (e->rows_seen != e->first.comp_info[COMPONENTS - 1].height_in_blocks)
        fail(e, "libjpeg left blocks out");
    memory->request_virt_barray = e->request;
    memory->access_virt_barray = e->access;
}

static void set_codes(JHUFF_TBL *table, const uint32_t counts[256])
{
    fit_codes(counts, table->bits, table->huffval);
}

static void write_coefficients(struct encoder *e)
{
    j_compress_ptr jpeg = &e->second;
    open_encoder(e, jpeg);
    write_to_memory(e, jpeg);
    if (e->job->coding == JPEG_BLOCKS_PROGRESSIVE)
        jpeg_simple_progression(jpeg);
    if (e->job->coding == JPEG_BLOCKS_OPTIMISED)
        for (int k = 0; k < 2; k++) {
            set_codes(jpeg->dc_huff_tbl_ptrs[k], e->counts[k].dc);
            set_codes(jpeg->ac_huff_tbl_ptrs[k], e->counts[k].ac);
        }
    jpeg_write_coefficients(jpeg, e->arrays);
    jpeg_finish_compress(jpeg);
}

/* A function of its own: what it returns after a jump depends on none of its variables. */
static int run(struct encoder *e)
{
    if (setjmp(e->failed))
        return 1;
    jpeg_std_error(&e->errors);
    e->errors.error_exit = on_error;
    e->errors.emit_message = keep_quiet;
    open_encoder(e, &e->first);
    if (!e->job->has_steps && e->job->coding == JPEG_BLOCKS_FIXED) {
        write_to_memory(e, &e->first);
        jpeg_start_compress(&e->first, TRUE);
        feed_pixels(e);
        jpeg_finish_compress(&e->first);
        return 0;
    }
    make_coefficients(e);
    write_coefficients(e);
    return 0;
}

EXPORT int jpeg_blocks_encode(struct jpeg_blocks_job *job)
{
    struct encoder e;
    memset(&e, 0, sizeof e);
    e.job = job;
    const int failed = run(&e);
    jpeg_destroy_compress(&e.second);
    jpeg_destroy_compress(&e.first);
    if (failed) {
        free(e.bitstream);
        e.bitstream = NULL;
        e.size = 0;
    }
    job->bitstream = e.bitstream;
    job->size = e.size;
    return failed;
}

EXPORT void jpeg_blocks_free(uint8_t *bitstream)
{
    free(bitstream);
}

EXPORT void jpeg_blocks_coarsen(int16_t coefficients[64], float step)
{
    struct symbol_counts counts = {0};
    treat_block(coefficients, step, 0, &counts);
}

EXPORT int jpeg_blocks_interface(void)
{
    return JPEG_BLOCKS_INTERFACE;
}

EXPORT const char *jpeg_blocks_version(void)
{
    return TEXT(LIBJPEG_TURBO_VERSION);
}
