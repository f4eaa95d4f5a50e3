// Sums of products by sdot: tiles of up to 4 rows and 1 panel, 16 registers of sums.
#pragma once
#include "neon.h"

namespace edgener {
namespace {
struct Dot : SignedActivations {
  static constexpr int ROWS = 4, PANELS = 1;

  template <int R, int P, class Output>
  __attribute__((noinline)) static void tile(const uint8_t* rows, size_t stride, const int8_t* weights, size_t,
                                             size_t groups, const Output& output) {
    int32x4_t sum[R][4];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) sum[r][c] = vdupq_n_s32(0);
    for (size_t group = 0; group < groups; ++group, weights += 64) {
      const int8x16_t w0 = vld1q_s8(weights), w1 = vld1q_s8(weights + 16);
      const int8x16_t w2 = vld1q_s8(weights + 32), w3 = vld1q_s8(weights + 48);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        int32_t four;
        __builtin_memcpy(&four, rows + r * stride + group * 4, 4);
        const int8x16_t activation = vreinterpretq_s8_s32(vdupq_n_s32(four));
        sum[r][0] = vdotq_s32(sum[r][0], activation, w0);
        sum[r][1] = vdotq_s32(sum[r][1], activation, w1);
        sum[r][2] = vdotq_s32(sum[r][2], activation, w2);
        sum[r][3] = vdotq_s32(sum[r][3], activation, w3);
      }
    }
    const auto panel = output.panel(0);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) panel(r, {{sum[r][0], sum[r][1], sum[r][2], sum[r][3]}});
  }
};
}  // namespace
}  // namespace edgener
