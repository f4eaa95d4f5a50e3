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

// Calls each(row, panel, sums) for every row and panel; weights of a tile's panels stay in the first cache.
template <class Each>
void for_each_sum(Quantised rows, size_t count, const Weights& weights, Range panels, Each each) {
  alignas(64) int32_t sums[Dot::ROWS * Dot::PANELS * 16];
  const size_t tiles = ceil_div(count, Dot::ROWS), panel_bytes = weights.groups * PANEL * GROUP;
  for (size_t panel = panels.begin; panel < panels.end; panel += Dot::PANELS) {
    const size_t beside = panels.end - panel < Dot::PANELS ? panels.end - panel : Dot::PANELS;
    for (size_t tile = 0; tile < tiles; ++tile) {
      const size_t begin = count * tile / tiles, height = count * (tile + 1) / tiles - begin;
      TILES.of[beside][height](rows.bytes + begin * rows.stride, rows.stride, weights.packed + panel * panel_bytes,
                               panel_bytes, weights.groups, sums);
      for (size_t p = 0; p < beside; ++p)
        for (size_t row = 0; row < height; ++row) each(begin + row, panel + p, sums + (row * beside + p) * 16);
    }
  }
}

void exact_sums(Quantised rows, size_t count, const Weights& weights, Range panels, int32_t* out, size_t stride) {
  for_each_sum(rows, count, weights, panels, [&](size_t row, size_t panel, const int32_t* sums) {
    Integers::corrected(sums, rows.zero[row], weights.sum + panel * 16)
        .store(out + row * stride + (panel - panels.begin) * 16);
  });
}

template <Activation KIND>
void activated_product(Quantised rows, size_t count, const Weights& weights, Range panels, Matrix out) {
  for_each_sum(rows, count, weights, panels, [&](size_t row, size_t panel, const int32_t* sums) {
    const size_t channel = panel * 16;
    const Lanes exact = Lanes::of(Integers::corrected(sums, rows.zero[row], weights.sum + channel));
    const Lanes scale = Lanes::load(weights.scale + channel) * Lanes::all(rows.scale[row]);
    activate<KIND>(fma(exact, scale, Lanes::load(weights.bias + channel)))
        .store(out.from(row, channel - panels.begin * 16).data);
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
