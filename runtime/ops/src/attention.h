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

// Keys of one head as columns, times `by`. Columns from `length` to `width` are zero, and a last row is added to every
// score: it takes them out of the softmax.
inline void transpose_keys(View key, size_t length, size_t size, float by, float* columns, size_t width) {
  for (size_t at = 0; at < size; ++at) {
    float* to = columns + at * width;
    for (size_t row = 0; row < length; ++row) to[row] = key.data[row * key.stride + at] * by;
    for (size_t row = length; row < width; ++row) to[row] = 0;
  }
  for (size_t row = 0; row < width; ++row) columns[size * width + row] = row < length ? 0 : -INFINITY;
}

// Scores of R queries with 16 V keys.
template <int R, int V>
void score_keys(View query, size_t size, const float* columns, size_t width, float* scores) {
  Lanes sum[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) sum[r][v] = Lanes::load(columns + size * width + 16 * v);
  for (size_t i = 0; i < size; ++i) {
    Lanes keys[V];
    for (int v = 0; v < V; ++v) keys[v] = Lanes::load(columns + i * width + 16 * v);
    for (int r = 0; r < R; ++r) {
      const Lanes by = Lanes::all(query.data[r * query.stride + i]);
      for (int v = 0; v < V; ++v) sum[r][v] = fma(by, keys[v], sum[r][v]);
    }
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) sum[r][v].store(scores + r * width + 16 * v);
}

// Powers of two of the scores less the highest, in place; returns one over their sum.
inline float soften(float* scores, size_t width) {
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

// 16 V numbers of the mean of one head's values, weighted for each of R queries.
template <int R, int V>
void mix_values(const float* weights, size_t width, const float* inverse, View value, size_t length, size_t count, Matrix out) {
  Lanes sum[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) sum[r][v] = Lanes::all(0);
  for (size_t row = 0; row < length; ++row) {
    Lanes values[V];
    for (int v = 0; v < V; ++v) values[v] = Lanes::load(value.data + row * value.stride + 16 * v);
    for (int r = 0; r < R; ++r) {
      const Lanes by = Lanes::all(weights[r * width + row]);
      for (int v = 0; v < V; ++v) sum[r][v] = fma(by, values[v], sum[r][v]);
    }
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) {
      const size_t rest = count - 16 * v;
      (sum[r][v] * Lanes::all(inverse[r])).store(out.from(r, 16 * v).data, rest < 16 ? rest : 16);
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
    const View query = head.query.from(first);
    size_t at = 0;
    for (; at + 32 <= head.width; at += 32) score_keys<R, 2>(query, head.size, head.columns + at, head.width, head.scores + at);
    if (at < head.width) score_keys<R, 1>(query, head.size, head.columns + at, head.width, head.scores + at);
    float inverse[R];
    for (int r = 0; r < R; ++r) inverse[r] = soften(head.scores + r * head.width, head.width);
    for (at = 0; at + 16 < head.size; at += 32)
      mix_values<R, 2>(head.scores, head.width, inverse, head.value.from(0, at), head.length, head.size - at, head.out.from(first, at));
    if (at < head.size)
      mix_values<R, 1>(head.scores, head.width, inverse, head.value.from(0, at), head.length, head.size - at, head.out.from(first, at));
  }
  if constexpr (R > 1) attend_queries<R / 2>(head, first);
}

inline void attend(View query, View key, View value, size_t length, Heads heads, Matrix out, float* scratch) {
  const size_t width = ceil_div(length, 16) * 16;
  const float by = 1.44269504f / std::sqrt(float(heads.size));  // log2(e): the softmax takes powers of two
  for (size_t head = 0; head < heads.count; ++head) {
    const size_t at = head * heads.size;
    transpose_keys(key.from(0, at), length, heads.size, by, scratch, width);
    attend_queries<Lanes::QUERIES>(
        {query.from(0, at), value.from(0, at), out.from(0, at), length, heads.size, width, scratch, scratch + (heads.size + 1) * width}, 0);
  }
}
}  // namespace
}  // namespace edgener
