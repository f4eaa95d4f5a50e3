// Eight FP32 numbers to one, always in the same order: lanes 4 apart, 2 apart, neighbours.
#pragma once
#include <immintrin.h>

namespace edgener {
namespace {
template <class Combine>
inline float reduce8(__m256 v, Combine combine) {
  __m128 four = combine(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  __m128 two = combine(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(combine(two, _mm_shuffle_ps(two, two, 1)));
}
inline float sum8(__m256 v) {
  return reduce8(v, [](__m128 a, __m128 b) { return _mm_add_ps(a, b); });
}
inline float max8(__m256 v) {
  return reduce8(v, [](__m128 a, __m128 b) { return _mm_max_ps(a, b); });
}
}  // namespace
}  // namespace edgener
