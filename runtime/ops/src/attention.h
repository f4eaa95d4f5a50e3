// Scaled dot-product attention within one sequence, head by head, in FP32, without mask or padding.
#pragma once
#include <cmath>

#include "kernels.h"

namespace edgener {
namespace {
// 2^x of x from -1/2 to 1/2, minimax: a relative error of 7.5e-8.
constexpr float EXP2[] = {0.00132764713f, 0.00967554189f, 0.0555071309f, 0.240221202f, 0.693146944f, 1.00000012f};

// 2^x of x <= 0; 2^-126 for everything smaller. NaN stays NaN.
inline Lanes power_of_two(Lanes x) {
  x = max(Lanes::all(-126), x);
  const Lanes whole = x.rounded(), rest = x - whole;
  Lanes sum = Lanes::all(EXP2[0]);
  for (size_t at = 1; at < sizeof EXP2 / sizeof *EXP2; ++at) sum = fma(sum, rest, Lanes::all(EXP2[at]));
  return sum * whole.power_of_two();
}

// Keys of one head as columns, times `by`; columns from `length` to `width` are zero.
inline void transpose_keys(View key, size_t length, size_t size, float by, float* columns, size_t width) {
  for (size_t at = 0; at < size; ++at) {
    float* to = columns + at * width;
    for (size_t row = 0; row < length; ++row) to[row] = key.data[row * key.stride + at] * by;
    for (size_t row = length; row < width; ++row) to[row] = 0;
  }
}

// Scores of R queries with all keys, 32 keys at a time.
template <int R>
void score(View query, size_t size, const float* columns, size_t width, float* scores) {
  for (size_t at = 0; at < width; at += 32) {
    Lanes left[R], right[R];
    for (int r = 0; r < R; ++r) left[r] = right[r] = Lanes::all(0);
    for (size_t i = 0; i < size; ++i) {
      const Lanes keys = Lanes::load(columns + i * width + at), more = Lanes::load(columns + i * width + at + 16);
      for (int r = 0; r < R; ++r) {
        const Lanes by = Lanes::all(query.data[r * query.stride + i]);
        left[r] = fma(by, keys, left[r]);
        right[r] = fma(by, more, right[r]);
      }
    }
    for (int r = 0; r < R; ++r) {
      left[r].store(scores + r * width + at);
      right[r].store(scores + r * width + at + 16);
    }
  }
}

// Powers of two of the scores less the highest, in place; returns one over their sum.
inline float soften(float* scores, size_t length, size_t width) {
  for (size_t at = length; at < width; ++at) scores[at] = -INFINITY;
  Lanes highest = Lanes::load(scores), total = Lanes::all(0);
  for (size_t at = 16; at < width; at += 16) highest = max(highest, Lanes::load(scores + at));
  const Lanes top = Lanes::all(highest.highest());
  for (size_t at = 0; at < width; at += 16) {
    const Lanes power = power_of_two(Lanes::load(scores + at) - top);
    power.store(scores + at);
    total = total + power;
  }
  return 1 / total.sum();
}

// The mean of the values of one head, weighted for each of R queries, 32 of its numbers at a time.
template <int R>
void mix(const float* weights, size_t width, const float* inverse, View value, size_t length, size_t size, Matrix out) {
  for (size_t at = 0; at < size; at += 32) {
    Lanes left[R], right[R];
    for (int r = 0; r < R; ++r) left[r] = right[r] = Lanes::all(0);
    for (size_t row = 0; row < length; ++row) {
      const float* from = value.data + row * value.stride + at;
      const Lanes some = Lanes::load(from), more = Lanes::load(from + 16);
      for (int r = 0; r < R; ++r) {
        const Lanes by = Lanes::all(weights[r * width + row]);
        left[r] = fma(by, some, left[r]);
        right[r] = fma(by, more, right[r]);
      }
    }
    const size_t rest = size - at;
    for (int r = 0; r < R; ++r) {
      float* to = out.from(r, at).data;
      (left[r] * Lanes::all(inverse[r])).store(to, rest < 16 ? rest : 16);
      if (rest > 16) (right[r] * Lanes::all(inverse[r])).store(to + 16, rest < 32 ? rest - 16 : 16);
    }
  }
}

struct Head {
  View query, value;
  Matrix out;
  size_t length, size, width;
  const float* columns;
  float* scores;
};

template <int R>
void attend_queries(const Head& head, size_t first) {
  for (; first + R <= head.length; first += R) {
    float inverse[R];
    score<R>(head.query.from(first), head.size, head.columns, head.width, head.scores);
    for (int r = 0; r < R; ++r) inverse[r] = soften(head.scores + r * head.width, head.length, head.width);
    mix<R>(head.scores, head.width, inverse, head.value, head.length, head.size, head.out.from(first));
  }
  if constexpr (R > 1) attend_queries<R / 2>(head, first);
}

inline void attend(View query, View key, View value, size_t length, Heads heads, Matrix out, float* scratch) {
  const size_t width = ceil_div(length, 32) * 32;
  const float by = 1.44269504f / std::sqrt(float(heads.size));  // log2(e): the softmax takes powers of two
  for (size_t head = 0; head < heads.count; ++head) {
    const size_t at = head * heads.size;
    transpose_keys(key.from(0, at), length, heads.size, by, scratch, width);
    attend_queries<Lanes::QUERIES>(
        {query.from(0, at), value.from(0, at), out.from(0, at), length, heads.size, width, scratch, scratch + heads.size * width}, 0);
  }
}
}  // namespace
}  // namespace edgener
