// Sums of products by smmla, 2 rows by 2 channels by 8 inputs: tiles of 2 or 4 rows and 1 panel, 16 registers of sums.
#pragma once
#include "neon.h"

namespace edgener {
namespace {
struct Dot : SignedActivations {
  static constexpr int ROWS = 4, PANELS = 1;

  static int8x16_t two_rows(const uint8_t* first, const uint8_t* second) {
    return vreinterpretq_s8_u8(vcombine_u8(vld1_u8(first), vld1_u8(second)));
  }

  template <int R, int P, class Output>
  __attribute__((noinline)) static void tile(const uint8_t* rows, size_t stride, const int8_t* weights, size_t,
                                             size_t groups, const Output& output) {
    constexpr int PAIRS = (R + 1) / 2;  // an odd last row is computed twice
    int32x4_t sum[PAIRS][8];
#pragma GCC unroll 2
    for (int pair = 0; pair < PAIRS; ++pair)
#pragma GCC unroll 8
      for (int c = 0; c < 8; ++c) sum[pair][c] = vdupq_n_s32(0);
    for (size_t group = 0; group < groups; group += 2, weights += 128) {
      int8x16_t activation[PAIRS];
#pragma GCC unroll 2
      for (int pair = 0; pair < PAIRS; ++pair) {
        const int second = 2 * pair + 1 < R ? 2 * pair + 1 : 2 * pair;
        activation[pair] = two_rows(rows + 2 * pair * stride + group * 4, rows + second * stride + group * 4);
      }
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) {
        const int32x4_t near = vld1q_s32((const int32_t*)(weights + 16 * c));
        const int32x4_t far = group + 1 < groups ? vld1q_s32((const int32_t*)(weights + 64 + 16 * c)) : vdupq_n_s32(0);
        const int8x16_t even = vreinterpretq_s8_s32(vtrn1q_s32(near, far));  // channels 0 and 2 of the four
        const int8x16_t odd = vreinterpretq_s8_s32(vtrn2q_s32(near, far));   // channels 1 and 3
#pragma GCC unroll 2
        for (int pair = 0; pair < PAIRS; ++pair) {
          sum[pair][2 * c] = vmmlaq_s32(sum[pair][2 * c], activation[pair], even);
          sum[pair][2 * c + 1] = vmmlaq_s32(sum[pair][2 * c + 1], activation[pair], odd);
        }
      }
    }
    const auto panel = output.panel(0);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      Integers sums;
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) {
        const int32x4_t even = sum[r / 2][2 * c], odd = sum[r / 2][2 * c + 1];
        sums.v[c] = r % 2 ? vzip2q_s32(even, odd) : vzip1q_s32(even, odd);
      }
      panel(r, sums);
    }
  }
};
}  // namespace
}  // namespace edgener
