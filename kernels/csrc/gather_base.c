/* The kernel for what every processor of the architecture has: SSE2, or NEON on aarch64. */
#define GATHER_VARIANT gather_base
#define LANES 4
#define TARGET
#include "gather_core.h"
