// Sixteen numbers in two AVX2 registers.
#pragma once
#include <cstddef>
#include <cstdint>

#include "x86.h"

namespace edgener {
namespace {
struct Integers {
  __m256i low, high;

  static Integers load(const int32_t* from) {
    return {_mm256_loadu_si256((const __m256i*)from), _mm256_loadu_si256((const __m256i*)(from + 8))};
  }
  static Integers zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  Integers less(int32_t times, Integers by) const {
    const __m256i all = _mm256_set1_epi32(times);
    return {_mm256_sub_epi32(low, _mm256_mullo_epi32(all, by.low)),
            _mm256_sub_epi32(high, _mm256_mullo_epi32(all, by.high))};
  }
  Integers plus_products(int32_t pair, Integers pairs) const {
    const __m256i all = _mm256_set1_epi32(pair);
    return {_mm256_add_epi32(low, _mm256_madd_epi16(all, pairs.low)),
            _mm256_add_epi32(high, _mm256_madd_epi16(all, pairs.high))};
  }
  void store(int32_t* to) const {
    _mm256_storeu_si256((__m256i*)to, low);
    _mm256_storeu_si256((__m256i*)(to + 8), high);
  }
  void keep() { asm volatile("" : "+x"(low), "+x"(high)); }
  // Sixteen rows of sixteen as columns.
  static void store_columns(const Integers (&rows)[16], int32_t* to, size_t stride) {
    for (int i = 0; i < 16; ++i) {
      int32_t row[16];
      rows[i].store(row);
      for (int j = 0; j < 16; ++j) to[j * stride + i] = row[j];
    }
  }
};

struct Lanes {
  static constexpr int QUERIES = 2;
  __m256 low, high;

  static __m256i mask(size_t count, int from) {
    auto lane = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(from));
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(int(count)), lane);
  }
  static Lanes load(const float* from) { return {_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)}; }
  static Lanes load(const float* from, size_t count) {
    return {_mm256_maskload_ps(from, mask(count, 0)), _mm256_maskload_ps(from + 8, mask(count, 8))};
  }
  static Lanes all(float value) { return {_mm256_set1_ps(value), _mm256_set1_ps(value)}; }
  static Lanes of(Integers integers) {
    return {_mm256_cvtepi32_ps(integers.low), _mm256_cvtepi32_ps(integers.high)};
  }
  void store(float* to) const {
    _mm256_storeu_ps(to, low);
    _mm256_storeu_ps(to + 8, high);
  }
  void store(float* to, size_t count) const {
    _mm256_maskstore_ps(to, mask(count, 0), low);
    _mm256_maskstore_ps(to + 8, mask(count, 8), high);
  }
  Lanes first(size_t count) const {
    return {_mm256_and_ps(low, _mm256_castsi256_ps(mask(count, 0))),
            _mm256_and_ps(high, _mm256_castsi256_ps(mask(count, 8)))};
  }
  // These of the lowest 16 bits of each number, as sixteen 16-bit numbers in order.
  __m256i low_bits(int32_t which) const {
    const __m256i mask = _mm256_set1_epi32(which);
    const __m256i first = _mm256_and_si256(_mm256_castps_si256(low), mask);
    const __m256i second = _mm256_and_si256(_mm256_castps_si256(high), mask);
    return _mm256_permute4x64_epi64(_mm256_packus_epi32(first, second), _MM_SHUFFLE(3, 1, 2, 0));
  }
  __m256i low_bytes() const { return low_bits(0xff); }
  void store_words(int16_t* to) const { _mm256_storeu_si256((__m256i*)to, low_bits(0xffff)); }
  static __m256 absolute(__m256 v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }
  Lanes absolute() const { return {absolute(low), absolute(high)}; }
  static __m256 times_power_of_two(__m256 v, __m256 whole) {
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(v), _mm256_slli_epi32(_mm256_castps_si256(whole), 23)));
  }
  Lanes times_power_of_two(Lanes whole) const {
    return {times_power_of_two(low, whole.low), times_power_of_two(high, whole.high)};
  }
  float sum() const { return sum8(_mm256_add_ps(low, high)); }
  float highest() const { return max8(_mm256_max_ps(low, high)); }
  static __m256 larger(__m256 a, __m256 b) {
    return _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
  }
  float largest() const {
    return reduce8(larger(low, high), [](__m128 a, __m128 b) {
      return _mm_castsi128_ps(_mm_max_epi32(_mm_castps_si128(a), _mm_castps_si128(b)));
    });
  }
  static __m256 lower(__m256 a, __m256 b) {
    return _mm256_castsi256_ps(_mm256_max_epu32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
  }
  float lowest() const {
    return reduce8(lower(low, high), [](__m128 a, __m128 b) {
      return _mm_castsi128_ps(_mm_max_epu32(_mm_castps_si128(a), _mm_castps_si128(b)));
    });
  }
  static __m256i pairs(__m256 first, __m256 second) {
    return _mm256_blend_epi16(_mm256_castps_si256(first), _mm256_slli_epi32(_mm256_castps_si256(second), 16), 0xaa);
  }
};

inline Lanes operator+(Lanes a, Lanes b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
inline Lanes operator-(Lanes a, Lanes b) { return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)}; }
inline Lanes operator*(Lanes a, Lanes b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
inline Lanes fma(Lanes a, Lanes b, Lanes c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
inline Lanes min(Lanes a, Lanes b) { return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)}; }
inline Lanes max(Lanes a, Lanes b) { return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }
inline Lanes larger(Lanes a, Lanes b) { return {Lanes::larger(a.low, b.low), Lanes::larger(a.high, b.high)}; }
inline Lanes lower(Lanes a, Lanes b) { return {Lanes::lower(a.low, b.low), Lanes::lower(a.high, b.high)}; }
inline Integers pairs(Lanes first, Lanes second) {
  return {Lanes::pairs(first.low, second.low), Lanes::pairs(first.high, second.high)};
}
}  // namespace
}  // namespace edgener
