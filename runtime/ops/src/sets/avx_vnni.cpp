// AVX-VNNI: x86-64 without AVX-512, from 2021 on.
#include "../lanes/avx2.h"
#include "../dot/avx_vnni.h"
#include "../steps.h"
#include "sets.h"

namespace edgener {
namespace {
bool supported() {
  __builtin_cpu_init();
#ifdef __AVX512VNNI__
  return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
#else
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("avxvnni");
#endif
}
}  // namespace
const Kernels AVX_VNNI = table("avx-vnni", supported);
}  // namespace edgener
