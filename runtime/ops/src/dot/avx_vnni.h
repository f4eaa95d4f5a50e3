// Sums of products by vpdpbusd on 256 bits: tiles of up to 6 rows and 1 panel, 12 registers of sums.
#pragma once
#include <immintrin.h>

namespace edgener {
namespace {
struct Dot {
  static constexpr int ROWS = 6, PANELS = 1;
  static constexpr size_t BYTES_PER_ELEMENT = 1;
  static constexpr int32_t OFFSET = 0;  // activations lie as U8

  static void write(uint8_t* row, size_t at, Lanes q) {
    const __m256i words = q.low_bytes();
    auto bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128((__m128i*)(row + at), bytes);
  }

  // The AVX-512 form where the file is compiled for that: tests do, as few CPUs have the other.
  static __m256i add_products(__m256i sum, __m256i activation, __m256i weight) {
#ifdef __AVX512VNNI__
    return _mm256_dpbusd_epi32(sum, activation, weight);
#else
    return _mm256_dpbusd_avx_epi32(sum, activation, weight);
#endif
  }

  template <int R, int P, class Output>
  __attribute__((noinline)) static void tile(const uint8_t* rows, size_t stride, const int8_t* weights, size_t,
                                             size_t groups, const Output& output) {
    __m256i sum[R][2];
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) sum[r][0] = sum[r][1] = _mm256_setzero_si256();
    const uint8_t* base[2] = {rows, rows + 3 * stride};
    for (size_t at = 0; at < groups * 4; at += 4, weights += 64) {
      const __m256i left = _mm256_loadu_si256((const __m256i*)weights);
      const __m256i right = _mm256_loadu_si256((const __m256i*)(weights + 32));
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
        int32_t four;
        __builtin_memcpy(&four, base[r / 3] + at + r % 3 * stride, 4);
        const __m256i activation = _mm256_set1_epi32(four);
        sum[r][0] = add_products(sum[r][0], activation, left);
        sum[r][1] = add_products(sum[r][1], activation, right);
      }
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) asm volatile("" : "+x"(sum[r][0]), "+x"(sum[r][1]));  // as in avx512_vnni.h
    const auto panel = output.panel(0);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) panel(r, {sum[r][0], sum[r][1]});
  }
};
}  // namespace
}  // namespace edgener
