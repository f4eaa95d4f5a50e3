// Sixteen numbers in one AVX-512 register.
#pragma once
#include <cstddef>
#include <cstdint>

#include "x86.h"

namespace edgener {
namespace {
struct Integers {
  __m512i v;

  static Integers load(const int32_t* from) { return {_mm512_loadu_si512(from)}; }
  Integers less(int32_t times, Integers by) const {
    return {_mm512_sub_epi32(v, _mm512_mullo_epi32(_mm512_set1_epi32(times), by.v))};
  }
  void store(int32_t* to) const { _mm512_storeu_si512(to, v); }
};

struct Lanes {
  static constexpr int QUERIES = 8;  // rows of the attention's tiles
  __m512 v;

  static __mmask16 mask(size_t count) { return __mmask16((1u << count) - 1); }
  static Lanes load(const float* from) { return {_mm512_loadu_ps(from)}; }
  static Lanes load(const float* from, size_t count) { return {_mm512_maskz_loadu_ps(mask(count), from)}; }
  static Lanes all(float value) { return {_mm512_set1_ps(value)}; }
  static Lanes of(Integers integers) { return {_mm512_cvtepi32_ps(integers.v)}; }
  void store(float* to) const { _mm512_storeu_ps(to, v); }
  void store(float* to, size_t count) const { _mm512_mask_storeu_ps(to, mask(count), v); }
  Lanes first(size_t count) const { return {_mm512_maskz_mov_ps(mask(count), v)}; }
  __m512i bits() const { return _mm512_castps_si512(v); }
  Lanes rounded() const { return {_mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
  Lanes absolute() const { return {_mm512_abs_ps(v)}; }
  Lanes power_of_two() const {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(v), _mm512_set1_epi32(127)), 23))};
  }
  __m256 low() const { return _mm512_castps512_ps256(v); }
  __m256 high() const { return _mm512_extractf32x8_ps(v, 1); }
  float sum() const { return sum8(_mm256_add_ps(low(), high())); }
  float lowest() const { return min8(_mm256_min_ps(low(), high())); }
  float highest() const { return max8(_mm256_max_ps(low(), high())); }
};

inline Lanes operator+(Lanes a, Lanes b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Lanes operator-(Lanes a, Lanes b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Lanes operator*(Lanes a, Lanes b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Lanes fma(Lanes a, Lanes b, Lanes c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline Lanes min(Lanes a, Lanes b) { return {_mm512_min_ps(a.v, b.v)}; }
inline Lanes max(Lanes a, Lanes b) { return {_mm512_max_ps(a.v, b.v)}; }
}  // namespace
}  // namespace edgener
