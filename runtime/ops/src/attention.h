// Scaled dot-product attention within one sequence, head by head, without mask or padding. Both products are of 16-bit
// integers, two at a time, with exact sums; the softmax between them is FP32.
#pragma once
#include <cmath>

#include "kernels.h"

namespace edgener {
namespace {
// Numbers of one head as integers: x is near step * q. One step for a whole sequence.
struct Step {
  float size, inverse;
};

// Of queries and keys: as many steps as the sum of a head's products has room for in 31 bits.
inline float score_steps(size_t head_size) {
  const float steps = std::floor(std::sqrt(2147483647.0 / double(head_size)));
  return steps < 32767 ? steps : 32767;
}
constexpr float VALUE_STEPS = 1023;
constexpr size_t KEYS = 64;  // whose sum, of weights up to 32767 times values, stays below 2^31

// 16 numbers of a head from `at` on, and zeros behind its end.
inline Lanes part_of(const float* x, size_t at, size_t size) {
  return at + 16 <= size ? Lanes::load(x + at) : at < size ? Lanes::load(x + at, size - at) : Lanes::all(0);
}

inline Step step_of(View x, size_t length, size_t size, float steps) {
  Lanes largest = Lanes::all(0);
  for (size_t row = 0; row < length; ++row)
    for (size_t at = 0; at < size; at += 16) largest = larger(largest, part_of(x.from(row).data, at, size).absolute());
  Step step;
  step.size = largest.largest() / steps;
  if (step.size < 1e-30f) step.size = 1;  // all zeros, or so near to it that the inverse would overflow
  step.inverse = 1 / step.size;
  return step;
}

// A head's numbers lie in pairs of 16 bits: number i with i + 16 of each 32, so many pairs with anything but zeros.
constexpr size_t pairs_of(size_t size) { return size / 32 * 16 + (size % 32 < 16 ? size % 32 : 16); }
constexpr size_t padded_pairs(size_t size) { return ceil_div(size, 32) * 16; }

inline void pair_row(const float* x, size_t size, float inverse, int32_t* to) {
  const Lanes by = Lanes::all(inverse), from = Lanes::all(ROUNDING);
  for (size_t at = 0; at < size; at += 32)
    pairs(fma(part_of(x, at, size), by, from), fma(part_of(x, at + 16, size), by, from)).store(to + at / 2);
}

inline void pair_queries(View query, size_t length, size_t size, float inverse, int32_t* to) {
  for (size_t row = 0; row < length; ++row) pair_row(query.from(row).data, size, inverse, to + row * padded_pairs(size));
}

// Keys as columns, pair after pair. Those behind the last key are that key once more: the highest score stays.
inline void pair_keys(View key, size_t length, size_t size, float inverse, int32_t* columns, size_t width) {
  const Lanes by = Lanes::all(inverse), from = Lanes::all(ROUNDING);
  for (size_t first = 0; first < length; first += 16)
    for (size_t at = 0; at < size; at += 32) {
      Integers keys[16];
      for (size_t i = 0; i < 16; ++i) {
        const float* x = key.from(first + i < length ? first + i : length - 1).data;
        keys[i] = pairs(fma(part_of(x, at, size), by, from), fma(part_of(x, at + 16, size), by, from));
      }
      Integers::store_columns(keys, columns + at / 2 * width + first, width);
    }
}

// Values in pairs of rows: of each number, that of one row with that of the next.
inline void pair_values(View value, size_t length, size_t size, float inverse, int32_t* to) {
  const Lanes by = Lanes::all(inverse), from = Lanes::all(ROUNDING);
  for (size_t row = 0; row < length; row += 2)
    for (size_t at = 0; at < size; at += 16, to += 16) {
      const Lanes first = fma(part_of(value.from(row).data, at, size), by, from);
      const Lanes second = row + 1 < length ? fma(part_of(value.from(row + 1).data, at, size), by, from) : from;
      pairs(first, second).store(to);
    }
}

inline int32_t two(const int16_t* from) {
  int32_t both;
  __builtin_memcpy(&both, from, sizeof both);
  return both;
}

// Rows of pairs by columns of pairs: the exact sums for R rows and 16 V columns, in FP32.
template <int R, int V>
void sum_pairs(const int16_t* rows, size_t stride, size_t pairs, const int32_t* columns, size_t width, float* out,
               size_t out_stride) {
  Integers sum[R][V];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) sum[r][v] = Integers::zero();
  for (size_t pair = 0; pair < pairs; ++pair, columns += width) {
    Integers column[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) column[v] = Integers::load(columns + 16 * v);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) sum[r][v] = sum[r][v].plus_products(two(rows + r * stride + 2 * pair), column[v]);
  }
  // Without this GCC 12 has the sums in memory in the loop above, for the sake of what follows.
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) sum[r][v].keep();
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) Lanes::of(sum[r][v]).store(out + r * out_stride + 16 * v);
}

template <int R>
void sum_columns(const int16_t* rows, size_t stride, size_t pairs, const int32_t* columns, size_t width, size_t count,
                 float* out, size_t out_stride) {
  size_t at = 0;
  for (; at + 16 < count; at += 32) sum_pairs<R, 2>(rows, stride, pairs, columns + at, width, out + at, out_stride);
  if (at < count) sum_pairs<R, 1>(rows, stride, pairs, columns + at, width, out + at, out_stride);
}

// 32767 * 2^x of x from -1/2 to 1/2, minimax: a relative error of 7.5e-5.
constexpr float EXP2[] = {1807.80981f, 7949.63867f, 22716.082f, 32764.6426f};

// 32767 * 2^x of x <= 0; next to nothing for everything below -30.
inline Lanes power_of_two(Lanes x) {
  x = max(Lanes::all(-30), x);
  const Lanes whole = x + Lanes::all(ROUNDING), rest = x - (whole - Lanes::all(ROUNDING));
  Lanes sum = Lanes::all(EXP2[0]);
  for (size_t at = 1; at < sizeof EXP2 / sizeof *EXP2; ++at) sum = fma(sum, rest, Lanes::all(EXP2[at]));
  return sum.times_power_of_two(whole);
}

// Weights of the softmax in 15 bits, 32767 for the highest score; returns their sum.
inline float soften(const float* scores, size_t length, float by, int16_t* weights) {
  Lanes highest = Lanes::load(scores), total[2] = {Lanes::all(0), Lanes::all(0)};
  for (size_t at = 16; at < length; at += 16) highest = max(highest, Lanes::load(scores + at));
  const Lanes top = Lanes::all(highest.highest()), times = Lanes::all(by);
  along(length, [&](size_t at, auto count, int chain) {
    const Lanes power = only(power_of_two((Lanes::load(scores + at) - top) * times), count);
    total[chain] = total[chain] + power;
    (power + Lanes::all(ROUNDING)).store_words(weights + at);
  });
  return (total[0] + total[1]).sum();
}

struct Head {
  const int16_t* queries;  // in pairs, as `weights` are
  const int32_t *columns, *values;
  float *scores, *sums;
  int16_t* weights;
  size_t length, size, width;
  float score_step, value_step;
  Matrix out;
};

// Sums of weighted values, scaled; added to `out` unless they are the first.
inline void add_values(const float* sums, size_t size, float by, bool first, float* out) {
  const Lanes times = Lanes::all(by);
  along(size, [&](size_t at, auto count, int) {
    const Lanes part = Lanes::load(sums + at);
    store(first ? part * times : fma(part, times, load(out + at, count)), out + at, count);
  });
}

template <int R>
void attend_tile(const Head& head, size_t first) {
  const size_t size = head.size, width = head.width, stride = ceil_div(size, 16) * 16, pairs = padded_pairs(size);
  sum_columns<R>(head.queries + first * 2 * pairs, 2 * pairs, pairs_of(size), head.columns, width, head.length, head.scores, width);
  float times[R];
  for (int r = 0; r < R; ++r)
    times[r] = head.value_step / soften(head.scores + r * width, head.length, head.score_step, head.weights + 2 * r * width);
  for (size_t key = 0; key < head.length; key += KEYS) {
    const size_t keys = head.length - key < KEYS ? head.length - key : KEYS;
    sum_columns<R>(head.weights + key, 2 * width, ceil_div(keys, 2), head.values + key / 2 * stride, stride, size, head.sums, stride);
    for (int r = 0; r < R; ++r) add_values(head.sums + r * stride, size, times[r], !key, head.out.from(first + r).data);
  }
}

template <int R = Lanes::QUERIES>
inline void attend_queries(const Head& head, size_t first, size_t count) {
  if (count == R) return attend_tile<R>(head, first);
  if constexpr (R > 1) attend_queries<R - 1>(head, first, count);
}

inline void attend(View query, View key, View value, size_t length, Heads heads, Matrix out, float* scratch) {
  const size_t size = heads.size, width = score_stride(length), block = width * padded_pairs(size);
  int32_t* numbers = reinterpret_cast<int32_t*>(scratch);
  float *scores = scratch + 3 * block, *sums = scores + 2 * ATTENTION_ROWS * width;
  int16_t* weights = reinterpret_cast<int16_t*>(scores + ATTENTION_ROWS * width);
  for (size_t head = 0; head < heads.count; ++head) {
    const size_t at = head * size;
    const Step of_query = step_of(query.from(0, at), length, size, score_steps(size));
    const Step of_key = step_of(key.from(0, at), length, size, score_steps(size));
    const Step of_value = step_of(value.from(0, at), length, size, VALUE_STEPS);
    const float score = of_query.size * of_key.size * (1.44269504f / std::sqrt(float(size)));  // for powers of two
    if (!std::isfinite(score + of_value.size)) {
      for (size_t row = 0; row < length; ++row)
        for (size_t i = 0; i < size; ++i) *out.from(row, at + i).data = NAN;
      continue;
    }
    int32_t *queries = numbers, *values = numbers + block, *columns = numbers + 2 * block;
    pair_queries(query.from(0, at), length, size, of_query.inverse, queries);
    pair_values(value.from(0, at), length, size, of_value.inverse, values);
    pair_keys(key.from(0, at), length, size, of_key.inverse, columns, width);
    const Head one{reinterpret_cast<const int16_t*>(queries), columns, values, scores, sums, weights, length, size, width,
                   score, of_value.size, out.from(0, at)};
    const size_t tiles = ceil_div(length, Lanes::QUERIES);
    for (size_t tile = 0; tile < tiles; ++tile) {
      const size_t begin = length * tile / tiles, end = length * (tile + 1) / tiles;
      attend_queries(one, begin, end - begin);
    }
  }
}
}  // namespace
}  // namespace edgener
