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
  Integers less(int32_t times, Integers by) const {
    const __m256i all = _mm256_set1_epi32(times);
    return {_mm256_sub_epi32(low, _mm256_mullo_epi32(all, by.low)),
            _mm256_sub_epi32(high, _mm256_mullo_epi32(all, by.high))};
  }
  void store(int32_t* to) const {
    _mm256_storeu_si256((__m256i*)to, low);
    _mm256_storeu_si256((__m256i*)(to + 8), high);
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
  // The lowest byte of each number, as sixteen 16-bit numbers in order.
  __m256i low_bytes() const {
    const __m256i byte = _mm256_set1_epi32(255);
    const __m256i first = _mm256_and_si256(_mm256_castps_si256(low), byte);
    const __m256i second = _mm256_and_si256(_mm256_castps_si256(high), byte);
    return _mm256_permute4x64_epi64(_mm256_packus_epi32(first, second), _MM_SHUFFLE(3, 1, 2, 0));
  }
  static __m256 rounded(__m256 v) { return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  Lanes rounded() const { return {rounded(low), rounded(high)}; }
  static __m256 absolute(__m256 v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }
  Lanes absolute() const { return {absolute(low), absolute(high)}; }
  static __m256 power_of_two(__m256 v) {
    auto exponent = _mm256_add_epi32(_mm256_cvtps_epi32(v), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
  }
  Lanes power_of_two() const { return {power_of_two(low), power_of_two(high)}; }
  float sum() const { return sum8(_mm256_add_ps(low, high)); }
  float lowest() const { return min8(_mm256_min_ps(low, high)); }
  float highest() const { return max8(_mm256_max_ps(low, high)); }
};

inline Lanes operator+(Lanes a, Lanes b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
inline Lanes operator-(Lanes a, Lanes b) { return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)}; }
inline Lanes operator*(Lanes a, Lanes b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
inline Lanes fma(Lanes a, Lanes b, Lanes c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
inline Lanes min(Lanes a, Lanes b) { return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)}; }
inline Lanes max(Lanes a, Lanes b) { return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }
}  // namespace
}  // namespace edgener
