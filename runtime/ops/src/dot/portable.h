// Sums of products one by one: the reference for every other Dot.
#pragma once

namespace edgener {
namespace {
struct Dot {
  static constexpr int ROWS = 1, PANELS = 1;
  static constexpr size_t BYTES_PER_ELEMENT = 1;
  static constexpr int32_t OFFSET = 0;

  static void write(uint8_t* row, size_t at, Lanes q) {
    for (int i = 0; i < 16; ++i) {
      uint32_t bits;
      std::memcpy(&bits, &q.v[i], sizeof bits);
      row[at + i] = uint8_t(bits);
    }
  }

  template <int R, int P, class Output>
  static void tile(const uint8_t* row, size_t, const int8_t* weights, size_t, size_t groups,
                   const Output& output) {
    int32_t sums[16] = {};
    for (size_t group = 0; group < groups; ++group)
      for (int channel = 0; channel < 16; ++channel)
        for (int i = 0; i < 4; ++i)
          sums[channel] += int32_t(row[group * 4 + i]) * weights[(group * 16 + channel) * 4 + i];
    output.panel(0)(0, Integers::load(sums));
  }
};
}  // namespace
}  // namespace edgener
