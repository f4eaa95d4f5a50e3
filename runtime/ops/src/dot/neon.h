// What the NEON sums of products share: activations lie as S8, 128 less than U8.
#pragma once
#include <arm_neon.h>

namespace edgener {
namespace {
struct SignedActivations {
  static constexpr size_t BYTES_PER_ELEMENT = 1;
  static constexpr int32_t OFFSET = 128;

  static void write(uint8_t* row, size_t at, Lanes q) {
    const int16x8_t low = vcombine_s16(q.low_words(0), q.low_words(1)), high = vcombine_s16(q.low_words(2), q.low_words(3));
    const uint8x16_t bytes = vreinterpretq_u8_s8(vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
    vst1q_u8(row + at, veorq_u8(bytes, vdupq_n_u8(0x80)));
  }
};
}  // namespace
}  // namespace edgener
