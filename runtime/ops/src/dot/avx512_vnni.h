// Sums of products by vpdpbusd on 512 bits: tiles of up to 12 rows and 2 panels, 24 registers of sums.
#pragma once
#include <immintrin.h>

namespace edgener {
namespace {
struct Dot {
  static constexpr int ROWS = 12, PANELS = 2;
  static constexpr size_t BYTES_PER_ELEMENT = 1;
  static constexpr int32_t OFFSET = 0;  // activations lie as U8

  static void write(uint8_t* row, size_t at, Lanes q) {
    _mm_storeu_si128((__m128i*)(row + at), _mm512_cvtepi32_epi8(q.bits()));
  }

  template <int R, int P, class Output>
  __attribute__((noinline)) static void tile(const uint8_t* rows, size_t stride, const int8_t* weights,
                                             size_t panel_bytes, size_t groups, const Output& output) {
    __m512i sum[R][P];
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) sum[r][p] = _mm512_setzero_si512();
    const uint8_t* base[4] = {rows, rows + 3 * stride, rows + 6 * stride, rows + 9 * stride};
    for (size_t at = 0; at < groups * 4; at += 4, weights += 64) {
      __m512i weight[P];
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) {
        weight[p] = _mm512_loadu_si512(weights + p * panel_bytes);
        __builtin_prefetch(weights + (P + p) * panel_bytes);
      }
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) {
        int32_t four;
        __builtin_memcpy(&four, base[r / 3] + at + r % 3 * stride, 4);
        const __m512i activation = _mm512_set1_epi32(four);
#pragma GCC unroll 2
        for (int p = 0; p < P; ++p) sum[r][p] = _mm512_dpbusd_epi32(sum[r][p], activation, weight[p]);
      }
    }
    // Without this GCC 12 has the sums in memory in the loop above, for the sake of what follows.
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) asm volatile("" : "+v"(sum[r][p]));
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) {
      const auto panel = output.panel(p);
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) panel(r, {sum[r][p]});
    }
  }
};
}  // namespace
}  // namespace edgener
