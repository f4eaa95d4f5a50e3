// NEON with the dot product (HWCAP_ASIMDDP): arm64 from 2017 on.
#include "../lanes/neon.h"
#include "../dot/neon_dot.h"
#include "../steps.h"
#include "sets.h"
#include <sys/auxv.h>
namespace edgener {
namespace {
bool supported() {
  return getauxval(AT_HWCAP) & (1u << 20);
}
}  // namespace
const Kernels NEON_DOT = table("neon-dot", supported);
}  // namespace edgener
