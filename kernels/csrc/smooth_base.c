/* The kernel for what every processor of its kind has: SSE2 on x86-64, NEON on aarch64, and plain C
 * elsewhere. */
#define VARIANT smooth_base
#define TARGET
#include "tile.h"
