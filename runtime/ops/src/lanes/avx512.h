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
  static Integers zero() { return {_mm512_setzero_si512()}; }
  Integers less(int32_t times, Integers by) const {
    return {_mm512_sub_epi32(v, _mm512_mullo_epi32(_mm512_set1_epi32(times), by.v))};
  }
  Integers plus_products(int32_t pair, Integers pairs) const {
    return {_mm512_dpwssd_epi32(v, _mm512_set1_epi32(pair), pairs.v)};
  }
  void store(int32_t* to) const { _mm512_storeu_si512(to, v); }
  void keep() { asm volatile("" : "+v"(v)); }

  // Sixteen rows of sixteen as columns.
  static void store_columns(const Integers (&rows)[16], int32_t* to, size_t stride) {
    __m512i two[16], four[16];  // what neighbouring rows have in a column, side by side
    for (int i = 0; i < 16; i += 2) {
      two[i] = _mm512_unpacklo_epi32(rows[i].v, rows[i + 1].v);
      two[i + 1] = _mm512_unpackhi_epi32(rows[i].v, rows[i + 1].v);
    }
    for (int i = 0; i < 16; i += 4)
      for (int j = 0; j < 2; ++j) {
        four[i + 2 * j] = _mm512_unpacklo_epi64(two[i + j], two[i + 2 + j]);
        four[i + 2 * j + 1] = _mm512_unpackhi_epi64(two[i + j], two[i + 2 + j]);
      }
    for (int j = 0; j < 4; ++j) {  // columns j, 4 + j, 8 + j and 12 + j
      const __m512i even[] = {_mm512_shuffle_i32x4(four[j], four[4 + j], 0x88), _mm512_shuffle_i32x4(four[8 + j], four[12 + j], 0x88)};
      const __m512i odd[] = {_mm512_shuffle_i32x4(four[j], four[4 + j], 0xdd), _mm512_shuffle_i32x4(four[8 + j], four[12 + j], 0xdd)};
      _mm512_storeu_si512(to + j * stride, _mm512_shuffle_i32x4(even[0], even[1], 0x88));
      _mm512_storeu_si512(to + (4 + j) * stride, _mm512_shuffle_i32x4(odd[0], odd[1], 0x88));
      _mm512_storeu_si512(to + (8 + j) * stride, _mm512_shuffle_i32x4(even[0], even[1], 0xdd));
      _mm512_storeu_si512(to + (12 + j) * stride, _mm512_shuffle_i32x4(odd[0], odd[1], 0xdd));
    }
  }
};

struct Lanes {
  static constexpr int QUERIES = 12;  // rows of the attention's tiles
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
  Lanes absolute() const { return {_mm512_abs_ps(v)}; }
  Lanes times_power_of_two(Lanes whole) const {
    return {_mm512_castsi512_ps(_mm512_add_epi32(bits(), _mm512_slli_epi32(whole.bits(), 23)))};
  }
  void store_words(int16_t* to) const { _mm256_storeu_si256((__m256i*)to, _mm512_cvtepi32_epi16(bits())); }
  __m256 low() const { return _mm512_castps512_ps256(v); }
  __m256 high() const { return _mm512_extractf32x8_ps(v, 1); }
  float sum() const { return sum8(_mm256_add_ps(low(), high())); }
  float highest() const { return max8(_mm256_max_ps(low(), high())); }
  static float number(int32_t bits) { return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(bits))); }
  float largest() const { return number(_mm512_reduce_max_epi32(bits())); }
  float lowest() const { return number(int32_t(_mm512_reduce_max_epu32(bits()))); }
};

inline Lanes operator+(Lanes a, Lanes b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Lanes operator-(Lanes a, Lanes b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Lanes operator*(Lanes a, Lanes b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Lanes fma(Lanes a, Lanes b, Lanes c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline Lanes min(Lanes a, Lanes b) { return {_mm512_min_ps(a.v, b.v)}; }
inline Lanes max(Lanes a, Lanes b) { return {_mm512_max_ps(a.v, b.v)}; }
inline Lanes larger(Lanes a, Lanes b) { return {_mm512_castsi512_ps(_mm512_max_epi32(a.bits(), b.bits()))}; }
inline Lanes lower(Lanes a, Lanes b) { return {_mm512_castsi512_ps(_mm512_max_epu32(a.bits(), b.bits()))}; }
inline Integers pairs(Lanes first, Lanes second) {
  return {_mm512_mask_blend_epi16(0xaaaaaaaa, first.bits(), _mm512_slli_epi32(second.bits(), 16))};
}
}  // namespace
}  // namespace edgener
