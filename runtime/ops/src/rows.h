// Steps over single rows: quantisation, and LayerNorm of a sum.
#pragma once
#include <cmath>

#include "kernels.h"

namespace edgener {
namespace {
void quantise_row(const float* x, size_t width, uint8_t* to, float* scale, int32_t* zero) {
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
  const float not_finite = finite.sum(), lowest = low.lowest();
  float step = high.highest() / 255 - lowest / 255;
  if (!(step >= 1e-30f)) step = 1;  // all zeros, or so near to it that 1 / step would overflow
  const float inverse = 1 / step;
  if (not_finite == 0) {
    const float nearest = std::nearbyint(-lowest * inverse);
    *zero = nearest < 255 ? int32_t(nearest) : 255;
    *scale = step;
  } else {
    *zero = 0;
    *scale = NAN;
  }
  const Lanes by = not_finite == 0 ? Lanes::all(inverse) : nothing;
  for (size_t at = 0; at < whole; at += 16) Dot::write(to, at, (Lanes::load(x + at) * by).bytes(*zero));
  if (rest) Dot::write(to, whole, (Lanes::load(x + whole, rest) * by).bytes(*zero));
  *zero -= Dot::OFFSET;
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
