// Steps over single rows: quantisation, and LayerNorm of a sum.
#pragma once
#include <cmath>

#include "kernels.h"

namespace edgener {
namespace {
struct Whole {};  // sixteen numbers, not the fewer ones at the end of a row

inline Lanes load(const float* from, Whole) { return Lanes::load(from); }
inline Lanes load(const float* from, size_t count) { return Lanes::load(from, count); }
inline void store(Lanes lanes, float* to, Whole) { lanes.store(to); }
inline void store(Lanes lanes, float* to, size_t count) { lanes.store(to, count); }
inline Lanes only(Lanes lanes, Whole) { return lanes; }
inline Lanes only(Lanes lanes, size_t count) { return lanes.first(count); }

// Calls each(place, count, chain) along a row. What it adds up goes to two chains in turns, so that no sum waits for
// the one before.
template <class Each>
inline void along(size_t width, const Each& each) {
  size_t at = 0;
  for (; at + 32 <= width; at += 32) {
    each(at, Whole{}, 0);
    each(at + 16, Whole{}, 1);
  }
  if (at + 16 <= width) {
    each(at, Whole{}, 0);
    at += 16;
  }
  if (at < width) each(at, width - at, 1);
}

// Numbers from 0 to 255 plus this have the number, rounded, in their lowest byte.
constexpr float ROUNDING = 3 << 22;

// The lowest and the highest number of a row, and zero.
struct Extremes {
  Lanes low = Lanes::all(0), high = Lanes::all(0);

  void add(Lanes v) {
    low = lower(low, v);
    high = larger(high, v);
  }
};

// That range is cut into 255 steps.
struct Steps {
  float size, inverse, zero;
};

inline Steps steps_of(Extremes range) {
  const float high = range.high.largest(), lowest = range.low.lowest(), low = lowest < 0 ? lowest : 0;
  if (!(high < INFINITY && lowest > -INFINITY)) return {NAN, 0, 0};
  Steps steps;
  steps.size = high / 255 - low / 255;
  if (!(steps.size >= 1e-30f)) steps.size = 1;  // all zeros, or so near to it that the inverse would overflow
  steps.inverse = 1 / steps.size;
  steps.zero = std::fma(-low, steps.inverse, ROUNDING) - ROUNDING;  // rounded once, as numbers are: the lowest is not below 0
  if (steps.zero > 255) steps.zero = 255;
  return steps;
}

inline Extremes extremes_of(const float* x, size_t width) {
  Extremes range;
  along(width, [&](size_t at, auto count, int) { range.add(load(x + at, count)); });
  return range;
}

// Blocks of eight times sixteen numbers by the Hadamard matrix over the eight: a large number is shared out among eight,
// and the range of the row shrinks.
inline Extremes rotate_row(const float* x, size_t width, float* to) {
  const Lanes by = Lanes::all(0.353553391f);  // keeps the length: 1 / sqrt 8
  Extremes range;
  for (size_t at = 0; at < width; at += 16 * ROTATED) {
    Lanes v[ROTATED];
    for (size_t i = 0; i < ROTATED; ++i) v[i] = Lanes::load(x + at + 16 * i);
    for (size_t half = 1; half < ROTATED; half *= 2)
      for (size_t i = 0; i < ROTATED; ++i)
        if (!(i & half)) {
          const Lanes a = v[i], b = v[i + half];
          v[i] = a + b;
          v[i + half] = a - b;
        }
    for (size_t i = 0; i < ROTATED; ++i) {
      const Lanes rotated = v[i] * by;
      range.add(rotated);
      rotated.store(to + at + 16 * i);
    }
  }
  return range;
}

void quantise(View x, size_t rows, size_t width, float* scratch, Quantised to) {
  const Lanes end = Lanes::all(255 + ROUNDING);
  for (size_t row = 0; row < rows; ++row) {
    const Quantised one = to.from(row);
    const float* from = x.from(row).data;
    const Steps steps = steps_of(scratch ? rotate_row(from, width, scratch) : extremes_of(from, width));
    if (scratch) from = scratch;
    const Lanes by = Lanes::all(steps.inverse), zero = Lanes::all(steps.zero + ROUNDING);
    along(width, [&](size_t at, auto count, int) { Dot::write(one.bytes, at, min(end, fma(load(from + at, count), by, zero))); });
    *one.scale = steps.size;
    *one.zero = int32_t(steps.zero) - Dot::OFFSET;
  }
}

inline void residual_norm_row(const float* x, const float* y, size_t width, Norm norm, float* out) {
  Lanes total[2] = {Lanes::all(0), Lanes::all(0)}, squares[2] = {Lanes::all(0), Lanes::all(0)};
  along(width, [&](size_t at, auto count, int chain) {
    const Lanes sum = load(x + at, count) + load(y + at, count);
    store(sum, out + at, count);
    total[chain] = total[chain] + sum;
  });
  const Lanes mean = Lanes::all((total[0] + total[1]).sum() / float(width));
  along(width, [&](size_t at, auto count, int chain) {
    const Lanes off = only(load(out + at, count) - mean, count);
    squares[chain] = fma(off, off, squares[chain]);
  });
  const float variance = (squares[0] + squares[1]).sum() / float(width);
  const Lanes by = Lanes::all(1 / std::sqrt(variance + norm.epsilon));
  along(width, [&](size_t at, auto count, int) {
    const Lanes scaled = (load(out + at, count) - mean) * by;
    store(fma(scaled, load(norm.gamma + at, count), load(norm.beta + at, count)), out + at, count);
  });
}

void residual_norm(View x, View y, size_t rows, size_t width, Norm norm, Matrix out) {
  for (size_t row = 0; row < rows; ++row)
    residual_norm_row(x.from(row).data, y.from(row).data, width, norm, out.from(row).data);
}
}  // namespace
}  // namespace edgener
