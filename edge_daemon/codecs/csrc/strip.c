#include "strip.h"

#include <string.h>

_Static_assert(sizeof(JBLOCK) == BLOCK * sizeof(int16_t), "a block is 64 16-bit coefficients");

/* --- Where bytes go: there are none but headers --------------------------------------------- */

static boolean empty_sink(j_compress_ptr jpeg)
{
    struct strip *strip = jpeg->client_data;
    strip->nowhere.next_output_byte = strip->sink;
    strip->nowhere.free_in_buffer = SINK_BYTES;
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
    struct strip *strip = jpeg->client_data;
    jvirt_barray_ptr array = strip->request(jpeg, pool, zeroed, width, height, access);
    if (strip->arrays_seen < COMPONENTS)
        strip->arrays[strip->arrays_seen] = array;
    strip->arrays_seen++;
    return array;
}

static int smaller(int one, int other)
{
    return one < other ? one : other;
}

/* Coarsen and count one row of MCUs, in the order in which they will be coded. libjpeg completes
 * MCUs at the right and lower edge with flat blocks, each like the block before it. */
static void treat_row(struct strip *strip)
{
    JBLOCKARRAY rows[COMPONENTS];
    for (int c = 0; c < COMPONENTS; c++) {
        const JDIMENSION height = (JDIMENSION)strip->jpeg.comp_info[c].v_samp_factor;
        rows[c] = strip->access((j_common_ptr)&strip->jpeg, strip->arrays[c],
                                strip->rows_seen * height, height, TRUE);
    }
    const struct jpeg_blocks_job *job = strip->job;
    const int row = (int)strip->rows_seen;
    const int mcus = (int)strip->jpeg.comp_info[1].width_in_blocks;
    for (int mcu = 0; mcu < mcus; mcu++)
        for (int c = 0; c < COMPONENTS; c++) {
            const jpeg_component_info *component = &strip->jpeg.comp_info[c];
            const int across = component->h_samp_factor, down = component->v_samp_factor;
            const int width = (int)component->width_in_blocks;
            const int height = smaller(down, (int)component->height_in_blocks - row * down);
            const int end = smaller((mcu + 1) * across, width);
            const float *steps = c ? job->chroma_steps : job->luma_steps;
            for (int y = 0; y < height; y++)
                for (int x = mcu * across; x < end; x++) {
                    JCOEF *block = rows[c][y][x];
                    const size_t above = (size_t)((strip->top + row) * down + y);
                    const size_t at = above * (size_t)width + (size_t)x;
                    treat_block(block, job->has_steps ? steps[at] : 1.0f, strip->last_dc[c],
                                &strip->counts[c > 0]);
                    strip->last_dc[c] = block[0];
                }
            count_flat_blocks(across * (down - height) + ((mcu + 1) * across - end) * height,
                              &strip->counts[c > 0]);
        }
    if (!strip->rows_seen++)
        for (int c = 0; c < COMPONENTS; c++)
            strip->first_dc[c] = rows[c][0][0][0];
}

/* libjpeg asks for blocks to write when it makes them, all components in turn, and then for those
 * of the first scan to read, to code them. At that moment they are ready; what it is given to code
 * is blank, which takes no time. */
static JBLOCKARRAY intercept(j_common_ptr jpeg, jvirt_barray_ptr array, JDIMENSION start,
                             JDIMENSION count, boolean writable)
{
    struct strip *strip = jpeg->client_data;
    if (writable)
        return strip->access(jpeg, array, start, count, writable);
    if (array != strip->arrays[COMPONENTS - 1] || start != strip->rows_seen || count != 1)
        fail(jpeg, "libjpeg made its blocks in an unexpected order");
    treat_row(strip);
    return strip->blank;
}

/* Have libjpeg make all coefficients, treated, and leave them in its arrays. */
static void make_coefficients(struct strip *strip)
{
    /* Several scans are what makes libjpeg keep the coefficients. Only the first one begins. */
    static const jpeg_scan_info scans[COMPONENTS] = {
        {1, {2}, 0, 63, 0, 0},
        {1, {0}, 0, 63, 0, 0},
        {1, {1}, 0, 63, 0, 0},
    };
    const int rows = mcu_height(strip->job);
    const int first_row = strip->top * rows;
    j_compress_ptr jpeg = &strip->jpeg;
    jpeg->client_data = strip;
    open_object(jpeg, &strip->catcher, strip->job,
                smaller(strip->end * rows, strip->job->height) - first_row);
    jpeg->scan_info = scans;
    jpeg->num_scans = COMPONENTS;
    strip->nowhere.init_destination = open_sink;
    strip->nowhere.empty_output_buffer = empty_sink;
    strip->nowhere.term_destination = close_sink;
    jpeg->dest = &strip->nowhere;

    struct jpeg_memory_mgr *memory = jpeg->mem;
    strip->request = memory->request_virt_barray;
    strip->access = memory->access_virt_barray;
    memory->request_virt_barray = remember_array;
    memory->access_virt_barray = intercept;
    jpeg_start_compress(jpeg, TRUE);
    if (strip->arrays_seen != COMPONENTS)
        fail((j_common_ptr)jpeg, "libjpeg keeps its blocks in an unexpected way");
    const JDIMENSION width = jpeg->comp_info[COMPONENTS - 1].width_in_blocks;
    strip->blank = (*memory->alloc_barray)((j_common_ptr)jpeg, JPOOL_IMAGE, width, 1);
    memset(strip->blank[0], 0, width * sizeof(JBLOCK));
    feed_pixels(jpeg, strip->job, first_row);
    if (strip->rows_seen != jpeg->comp_info[COMPONENTS - 1].height_in_blocks)
        fail((j_common_ptr)jpeg, "libjpeg left blocks out");
}

void make_strip(struct strip *strip)
{
    if (setjmp(strip->catcher.jump))
        return;
    make_coefficients(strip);
    strip->is_made = 1;
}

void free_strip(struct strip *strip)
{
    jpeg_destroy_compress(&strip->jpeg);
}
