// Sums of products by vpmaddwd on 16 bits, which cannot overflow: 255 * 127 * 2 needs 17 bits of the 32 that it gives.
//
// A group of four weights lies in 32 bits. Two shifts take the even ones out as 16-bit numbers, one the odd ones, so
// activations lie as 16-bit numbers in the order 0, 2, 1, 3 of each group. Tiles of up to 6 rows and half a panel.
#pragma once
#include <immintrin.h>

namespace edgener {
namespace {
struct Dot {
  static constexpr int ROWS = 6, PANELS = 1;
  static constexpr size_t BYTES_PER_ELEMENT = 2;
  static constexpr int32_t OFFSET = 0;

  static void write(uint8_t* row, size_t at, Lanes q) {
    const __m256i low = _mm256_shufflelo_epi16(q.low_bytes(), _MM_SHUFFLE(3, 1, 2, 0));
    const __m256i words = _mm256_shufflehi_epi16(low, _MM_SHUFFLE(3, 1, 2, 0));
    _mm256_storeu_si256((__m256i*)(row + 2 * at), words);
  }
  static __m256i broadcast(const uint8_t* from) {
    int32_t two;
    __builtin_memcpy(&two, from, 4);
    return _mm256_set1_epi32(two);
  }

  template <int R>
  __attribute__((noinline)) static void half(const uint8_t* rows, size_t stride, const int8_t* weights, size_t groups,
                                             int32_t* sums) {
    __m256i sum[R];
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) sum[r] = _mm256_setzero_si256();
    const uint8_t* base[2] = {rows, rows + 3 * stride};
    for (size_t at = 0; at < groups * 8; at += 8, weights += 64) {
      const __m256i weight = _mm256_loadu_si256((const __m256i*)weights);
      const __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(weight, 8), 8), odd = _mm256_srai_epi16(weight, 8);
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
        const uint8_t* row = base[r / 3] + at + r % 3 * stride;
        sum[r] = _mm256_add_epi32(sum[r], _mm256_madd_epi16(broadcast(row), even));
        sum[r] = _mm256_add_epi32(sum[r], _mm256_madd_epi16(broadcast(row + 4), odd));
      }
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) _mm256_storeu_si256((__m256i*)(sums + r * 16), sum[r]);
  }

  template <int R, int P, class Output>
  static void tile(const uint8_t* rows, size_t stride, const int8_t* weights, size_t, size_t groups,
                   const Output& output) {
    int32_t sums[R * 16];
    half<R>(rows, stride, weights, groups, sums);
    half<R>(rows, stride, weights + 32, groups, sums + 8);
    const auto panel = output.panel(0);
    for (int r = 0; r < R; ++r) panel(r, Integers::load(sums + r * 16));
  }
};
}  // namespace
}  // namespace edgener
