// GELU by the error function, without exponentials or divisions: relu(x) and an even function of x, as a polynomial.
#pragma once
#include <cstddef>

#include "kernels.h"

namespace edgener {
namespace {
// gelu(x) = max(x, 0) - |x| erfc(|x| / sqrt 2) / 2. The second part, over |x| from 0 to 5.25 mapped to u from -1 to 1:
// minimax to 5.2e-7; in FP32 gelu is within 1e-6 of the exact value everywhere (tests/kernels_test.cpp).
constexpr float GELU_END = 5.25f;
constexpr float GELU[] = {
    -0.0182269718f, 0.0346198231f, 0.069487296f, -0.188784704f, -0.0280230492f,
    0.398080409f, -0.297140837f, -0.252602637f, 0.582568228f, -0.358764648f,
    -0.0829536542f, 0.291149408f, -0.214338005f, 0.0763026476f, -0.0113731762f,
};

inline Lanes gelu(Lanes x) {
  const Lanes u = fma(min(Lanes::all(GELU_END), x.absolute()), Lanes::all(2 / GELU_END), Lanes::all(-1));
  Lanes sum = Lanes::all(GELU[0]);
  for (size_t at = 1; at < sizeof GELU / sizeof *GELU; ++at) sum = fma(sum, u, Lanes::all(GELU[at]));
  return max(Lanes::all(0), x) + sum;
}

template <Activation KIND>
inline Lanes activate(Lanes x) {
  if constexpr (KIND == Activation::gelu) return gelu(x);
  if constexpr (KIND == Activation::relu) return max(Lanes::all(0), x);
  return x;
}
}  // namespace
}  // namespace edgener
