// AVX-VNNI: x86-64 without AVX-512, from 2021 on.
#include "../lanes/avx2.h"
#include "../dot/avx_vnni.h"
#include "../steps.h"
#include <cpuid.h>

#include "sets.h"

namespace edgener {
namespace {
// Older compilers have no name for it in __builtin_cpu_supports.
[[maybe_unused]] bool has_avx_vnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}

bool supported() {
  __builtin_cpu_init();
#ifdef __AVX512VNNI__
  return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
#else
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_avx_vnni();
#endif
}
}  // namespace
const Kernels AVX_VNNI = table("avx-vnni", supported);
}  // namespace edgener
