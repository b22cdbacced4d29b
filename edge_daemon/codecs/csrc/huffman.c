/* Package-merge (Larmore and Hirschberg 1990): optimal codes of limited length.
 *
 * Level by level, from the longest codes to the shortest, the symbols are merged by weight with
 * pairs ("packages") of the level below. The lightest 2n - 2 items of the last level are taken; a
 * symbol's code is as long as the number of levels in which it is among those taken, directly or
 * within a package.
 */
#include "huffman.h"

#include <string.h>

enum {
    MOST = 257, /* symbols, with the reserved one */
    ITEMS = 2 * MOST,
};

struct level {
    int size;
    uint64_t weight[ITEMS];
    uint8_t is_symbol[ITEMS];
};

static void merge(const uint64_t *weights, int n, const struct level *below, struct level *level)
{
    const int packages = below ? below->size / 2 : 0;
    int symbol = 0, package = 0;
    for (level->size = 0; symbol < n || package < packages; level->size++) {
        uint64_t pair = UINT64_MAX;
        if (package < packages)
            pair = below->weight[2 * package] + below->weight[2 * package + 1];
        const int is_symbol = symbol < n && weights[symbol] <= pair;
        level->is_symbol[level->size] = (uint8_t)is_symbol;
        level->weight[level->size] = is_symbol ? weights[symbol] : pair;
        symbol += is_symbol;
        package += !is_symbol;
    }
}

void fit_codes(const uint32_t counts[256], uint8_t lengths[LONGEST_CODE + 1],
               uint8_t symbols[256])
{
    /* Ascending by weight. The first is no symbol: it takes the code of ones only, which a JPEG may
     * not use. Weighing nothing, it gets one of the longest codes, and the last of those. */
    uint64_t weights[MOST] = {0};
    uint8_t ordered[MOST] = {0};
    int n = 1;
    for (int symbol = 0; symbol < 256; symbol++) {
        if (!counts[symbol])
            continue;
        int at = n++;
        for (; weights[at - 1] > counts[symbol]; at--) {
            weights[at] = weights[at - 1];
            ordered[at] = ordered[at - 1];
        }
        weights[at] = counts[symbol];
        ordered[at] = (uint8_t)symbol;
    }

    struct level levels[LONGEST_CODE];
    for (int k = 0; k < LONGEST_CODE; k++)
        merge(weights, n, k ? &levels[k - 1] : NULL, &levels[k]);
    int length[MOST] = {0};
    int taken = 2 * n - 2;
    for (int k = LONGEST_CODE - 1; k >= 0; k--) {
        int direct = 0;
        for (int i = 0; i < taken; i++)
            direct += levels[k].is_symbol[i];
        for (int i = 0; i < direct; i++)
            length[i]++;
        taken = 2 * (taken - direct);
    }

    memset(lengths, 0, LONGEST_CODE + 1);
    for (int i = n - 1; i > 0; i--) {
        lengths[length[i]]++;
        *symbols++ = ordered[i];
    }
}
