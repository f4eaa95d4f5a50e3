// Quantised rows by packed weights: a loop over tiles, whose exact sums an epilogue turns into FP32.
#pragma once
#include "kernels.h"

namespace edgener {
namespace {
using Tile = void (*)(const uint8_t* rows, size_t stride, const int8_t* weights, size_t panel_bytes, size_t groups,
                      int32_t* sums);

struct Tiles {
  Tile of[Dot::PANELS + 1][Dot::ROWS + 1];  // by panels and rows
};

template <int P, int R>
constexpr void fill_tiles(Tiles& tiles) {
  tiles.of[P][R] = &Dot::template tile<R, P>;
  if constexpr (R > 1) fill_tiles<P, R - 1>(tiles);
  else if constexpr (P > 1) fill_tiles<P - 1, Dot::ROWS>(tiles);
}
constexpr Tiles make_tiles() {
  Tiles tiles{};
  fill_tiles<Dot::PANELS, Dot::ROWS>(tiles);
  return tiles;
}
constexpr Tiles TILES = make_tiles();

// Calls each(begin, end, panel, sums) for the rows of every tile and its panels; weights stay in the first cache.
template <class Each>
inline void for_each_tile(Quantised rows, size_t count, const Weights& weights, Range panels, Each each) {
  alignas(64) int32_t sums[Dot::ROWS * Dot::PANELS * 16];
  const size_t tiles = ceil_div(count, Dot::ROWS), panel_bytes = weights.groups * PANEL * GROUP;
  for (size_t panel = panels.begin; panel < panels.end; panel += Dot::PANELS) {
    const size_t beside = panels.end - panel < Dot::PANELS ? panels.end - panel : Dot::PANELS;
    for (size_t tile = 0; tile < tiles; ++tile) {
      const size_t begin = count * tile / tiles, end = count * (tile + 1) / tiles;
      TILES.of[beside][end - begin](rows.bytes + begin * rows.stride, rows.stride, weights.packed + panel * panel_bytes,
                                    panel_bytes, weights.groups, sums);
      for (size_t p = 0; p < beside; ++p) each(begin, end, panel + p, sums + p * 16, beside * 16);
    }
  }
}

void exact_sums(Quantised rows, size_t count, const Weights& weights, Range panels, int32_t* out, size_t stride) {
  for_each_tile(rows, count, weights, panels,
                [&](size_t row, size_t end, size_t panel, const int32_t* sums, size_t step) {
                  for (; row < end; ++row, sums += step)
                    Integers::corrected(sums, rows.zero[row], weights.sum + panel * 16)
                        .store(out + row * stride + (panel - panels.begin) * 16);
                });
}

template <Activation KIND>
inline void activated_product(Quantised rows, size_t count, const Weights& weights, Range panels, Matrix out) {
  for_each_tile(rows, count, weights, panels, [&](size_t row, size_t end, size_t panel, const int32_t* sums, size_t step) {
    const Lanes scale = Lanes::load(weights.scale + panel * 16), bias = Lanes::load(weights.bias + panel * 16);
    float* to = out.from(row, (panel - panels.begin) * 16).data;
    for (; row < end; ++row, sums += step, to += out.stride) {
      const Lanes exact = Lanes::of(Integers::corrected(sums, rows.zero[row], weights.sum + panel * 16));
      activate<KIND>(fma(exact, scale * Lanes::all(rows.scale[row]), bias)).store(to);
    }
  });
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
