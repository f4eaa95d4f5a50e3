// NEON with products of 8-bit matrices (HWCAP2_I8MM): arm64 from 2021 on.
#include "../lanes/neon.h"
#include "../dot/neon_i8mm.h"
#include "../steps.h"
#include "sets.h"
#include <sys/auxv.h>
namespace edgener {
namespace {
bool supported() {
  return getauxval(AT_HWCAP2) & (1u << 13);
}
}  // namespace
const Kernels NEON_I8MM = table("neon-i8mm", supported);
}  // namespace edgener
