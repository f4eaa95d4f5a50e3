// AVX2 with FMA: x86-64 from 2013 on.
#include "../lanes/avx2.h"
#include "../dot/avx2.h"
#include "../steps.h"
#include "sets.h"

namespace edgener {
namespace {
bool supported() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
}  // namespace
const Kernels AVX2 = table("avx2", supported);
}  // namespace edgener
