// Quantised rows by packed weights: a loop over tiles, whose exact sums an epilogue turns into FP32.
#pragma once
#include "kernels.h"

namespace edgener {
namespace {
template <class Output>
using Tile = void (*)(const uint8_t* rows, size_t stride, const int8_t* weights, size_t panel_bytes, size_t groups,
                      const Output& output);

template <class Output>
struct Tiles {
  Tile<Output> of[Dot::PANELS + 1][Dot::ROWS + 1];  // by panels and rows
};

template <class Output, int P = Dot::PANELS, int R = Dot::ROWS>
constexpr void fill(Tiles<Output>& tiles) {
  tiles.of[P][R] = &Dot::template tile<R, P, Output>;
  if constexpr (R > 1) fill<Output, P, R - 1>(tiles);
  else if constexpr (P > 1) fill<Output, P - 1, Dot::ROWS>(tiles);
}
template <class Output>
constexpr Tiles<Output> make_tiles() {
  Tiles<Output> tiles{};
  fill(tiles);
  return tiles;
}
template <class Output>
constexpr Tiles<Output> TILES = make_tiles<Output>();

// Gives the sums of every tile to output.at(row, panel); weights of a tile's panels stay in the first cache.
template <class Output>
inline void for_each_tile(Quantised rows, size_t count, const Weights& weights, Range panels, const Output& output) {
  const size_t tiles = ceil_div(count, Dot::ROWS), panel_bytes = weights.groups * PANEL * GROUP;
  for (size_t panel = panels.begin; panel < panels.end; panel += Dot::PANELS) {
    const size_t beside = panels.end - panel < Dot::PANELS ? panels.end - panel : Dot::PANELS;
    for (size_t tile = 0; tile < tiles; ++tile) {
      const size_t begin = count * tile / tiles, end = count * (tile + 1) / tiles;
      TILES<Output>.of[beside][end - begin](rows.bytes + begin * rows.stride, rows.stride,
                                            weights.packed + panel * panel_bytes, panel_bytes, weights.groups,
                                            output.at(begin, panel - panels.begin));
    }
  }
}

// The exact sums, zero points taken off. A tile calls panel(number)(row, sums) with what it has summed up.
struct Sums {
  const int32_t *zero, *weight_sum;
  int32_t* out;
  size_t stride;

  Sums at(size_t row, size_t panel) const {
    return {zero + row, weight_sum + panel * PANEL, out + row * stride + panel * PANEL, stride};
  }
  auto panel(size_t number) const {
    const Integers by = Integers::load(weight_sum + number * PANEL);
    return [=, *this](size_t row, Integers sums) {
      sums.less(zero[row], by).store(out + row * stride + number * PANEL);
    };
  }
};

// The same in FP32: scaled, with the bias, and activated.
template <Activation KIND>
struct Activated {
  const int32_t *zero, *weight_sum;
  const float *row_scale, *scale, *bias;
  float* out;
  size_t stride;

  Activated at(size_t row, size_t panel) const {
    const size_t channel = panel * PANEL;
    return {zero + row,   weight_sum + channel,           row_scale + row, scale + channel,
            bias + channel, out + row * stride + channel, stride};
  }
  auto panel(size_t number) const {
    const size_t channel = number * PANEL;
    const Integers by = Integers::load(weight_sum + channel);
    const Lanes times = Lanes::load(scale + channel), plus = Lanes::load(bias + channel);
    return [=, *this](size_t row, Integers sums) {
      const Lanes exact = Lanes::of(sums.less(zero[row], by));
      activate<KIND>(fma(exact, times * Lanes::all(row_scale[row]), plus)).store(out + row * stride + channel);
    };
  }
};

void exact_sums(Quantised rows, size_t count, const Weights& weights, Range panels, int32_t* out, size_t stride) {
  for_each_tile(rows, count, weights, panels, Sums{rows.zero, weights.sum + panels.begin * PANEL, out, stride});
}

template <Activation KIND>
inline void activated_product(Quantised rows, size_t count, const Weights& weights, Range panels, Matrix out) {
  const size_t channel = panels.begin * PANEL;
  for_each_tile(rows, count, weights, panels,
                Activated<KIND>{rows.zero, weights.sum + channel, rows.scale, weights.scale + channel,
                                weights.bias + channel, out.data, out.stride});
}

void product(Quantised rows, size_t count, const Weights& weights, Range panels, Activation kind, Matrix out) {
  switch (kind) {
    case Activation::gelu: return activated_product<Activation::gelu>(rows, count, weights, panels, out);
    case Activation::relu: return activated_product<Activation::relu>(rows, count, weights, panels, out);
    case Activation::none: return activated_product<Activation::none>(rows, count, weights, panels, out);
  }
}
}  // namespace
}  // namespace edgener
