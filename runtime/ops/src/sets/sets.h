// The tables that were compiled in, the best first; the portable one is the last.
#pragma once
#include "../kernels.h"

namespace edgener {
#if defined(__x86_64__)
extern const Kernels AVX512_VNNI, AVX_VNNI, AVX2;
#elif defined(__aarch64__)
extern const Kernels NEON_I8MM, NEON_DOT;
#endif
extern const Kernels PORTABLE;

constexpr const Kernels* const BUILT[] = {
#if defined(__x86_64__)
    &AVX512_VNNI, &AVX_VNNI, &AVX2,
#elif defined(__aarch64__)
    &NEON_I8MM, &NEON_DOT,
#endif
    &PORTABLE,
};
}  // namespace edgener
