// AVX-512 VNNI: x86-64 servers from 2019 on, Zen 4 on.
#include "../lanes/avx512.h"
#include "../dot/avx512_vnni.h"
#include "../steps.h"
#include "sets.h"

namespace edgener {
namespace {
bool supported() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma");
}
}  // namespace
const Kernels AVX512_VNNI = table("avx512-vnni", supported);
}  // namespace edgener
