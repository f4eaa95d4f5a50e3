// Steps over single rows: quantisation, and LayerNorm of a sum.
#pragma once
#include <cmath>

#include "kernels.h"

namespace edgener {
namespace {
// Numbers from 0 to 255 plus this have the number, rounded, in their lowest byte.
constexpr float ROUNDING = 3 << 22;

// The range of a row, zero included, is cut into 255 steps.
struct Steps {
  float size, inverse, zero;
};

inline Steps steps_of(float low, float high) {
  Steps steps;
  steps.size = high / 255 - low / 255;
  if (!(steps.size >= 1e-30f)) steps.size = 1;  // all zeros, or so near to it that the inverse would overflow
  steps.inverse = 1 / steps.size;
  steps.zero = std::nearbyint(-low * steps.inverse);
  if (steps.zero > 255) steps.zero = 255;
  return steps;
}

inline void quantise_row(const float* x, size_t width, uint8_t* to, float* scale, int32_t* zero) {
  const size_t whole = width / 16 * 16, rest = width - whole;
  const Lanes nothing = Lanes::all(0);
  Lanes low = nothing, high = nothing, finite = nothing;  // the last stays zero unless a number is NaN or infinite
  const auto look = [&](Lanes v) {
    low = min(low, v);
    high = max(high, v);
    finite = fma(v, nothing, finite);
  };
  for (size_t at = 0; at < whole; at += 16) look(Lanes::load(x + at));
  if (rest) look(Lanes::load(x + whole, rest));
  const bool usable = finite.sum() == 0;
  const Steps steps = usable ? steps_of(low.lowest(), high.highest()) : Steps{NAN, 0, 0};
  const Lanes by = Lanes::all(steps.inverse), from = Lanes::all(steps.zero + ROUNDING), end = Lanes::all(255 + ROUNDING);
  const auto write = [&](size_t at, Lanes v) { Dot::write(to, at, min(end, fma(v, by, from))); };
  for (size_t at = 0; at < whole; at += 16) write(at, Lanes::load(x + at));
  if (rest) write(whole, Lanes::load(x + whole, rest));
  *scale = steps.size;
  *zero = int32_t(steps.zero) - Dot::OFFSET;
}

void quantise(View x, size_t rows, size_t width, Quantised to) {
  for (size_t row = 0; row < rows; ++row) {
    const Quantised one = to.from(row);
    quantise_row(x.from(row).data, width, one.bytes, one.scale, one.zero);
  }
}

void residual_norm_row(const float* x, const float* y, size_t width, Norm norm, float* out) {
  const size_t whole = width / 16 * 16, rest = width - whole;
  Lanes total = Lanes::all(0), squares = Lanes::all(0);
  for (size_t at = 0; at < whole; at += 16) {
    const Lanes sum = Lanes::load(x + at) + Lanes::load(y + at);
    sum.store(out + at);
    total = total + sum;
  }
  if (rest) {
    const Lanes sum = Lanes::load(x + whole, rest) + Lanes::load(y + whole, rest);
    sum.store(out + whole, rest);
    total = total + sum;
  }
  const Lanes mean = Lanes::all(total.sum() / float(width));
  for (size_t at = 0; at < whole; at += 16) {
    const Lanes off = Lanes::load(out + at) - mean;
    squares = fma(off, off, squares);
  }
  if (rest) {
    const Lanes off = (Lanes::load(out + whole, rest) - mean).first(rest);
    squares = fma(off, off, squares);
  }
  const Lanes by = Lanes::all(1 / std::sqrt(squares.sum() / float(width) + norm.epsilon));
  for (size_t at = 0; at < whole; at += 16)
    fma((Lanes::load(out + at) - mean) * by, Lanes::load(norm.gamma + at), Lanes::load(norm.beta + at)).store(out + at);
  if (rest)
    fma((Lanes::load(out + whole, rest) - mean) * by, Lanes::load(norm.gamma + whole, rest),
        Lanes::load(norm.beta + whole, rest))
        .store(out + whole, rest);
}

void residual_norm(View x, View y, size_t rows, size_t width, Norm norm, Matrix out) {
  for (size_t row = 0; row < rows; ++row)
    residual_norm_row(x.from(row).data, y.from(row).data, width, norm, out.from(row).data);
}
}  // namespace
}  // namespace edgener
