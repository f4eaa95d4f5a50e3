// The steps of an encoder layer, as one table of functions per instruction set.
#pragma once
#include <cstddef>
#include <cstdint>

namespace edgener {

constexpr size_t PANEL = 16;  // output channels that lie together in the packed weights
constexpr size_t GROUP = 4;   // inputs that lie together within a panel

constexpr size_t ROTATED = 8;  // times 16 numbers that a Hadamard matrix mixes

// Only rows that part into such blocks are rotated.
constexpr bool rotates(size_t width) { return width % (16 * ROTATED) == 0; }

constexpr size_t ceil_div(size_t count, size_t by) { return (count + by - 1) / by; }

// INT8 weights [panels][groups][16][4], and a scale, a bias and the sum of its weights for each output channel.
struct Weights {
  const int8_t* packed;
  const float* scale;
  const float* bias;
  const int32_t* sum;
  size_t panels, groups;
};

// Rows of activations in 8 bits: x is near scale * (q - zero). How q lies in memory is the instruction set's own.
struct Quantised {
  uint8_t* bytes;
  float* scale;
  int32_t* zero;
  size_t stride;

  Quantised from(size_t row) const { return {bytes + row * stride, scale + row, zero + row, stride}; }
};

struct Range {
  size_t begin, end;
};

struct View {  // FP32 to read, row after row
  const float* data;
  size_t stride;

  View from(size_t row, size_t column = 0) const { return {data + row * stride + column, stride}; }
};

struct Matrix {  // FP32 to write, row after row
  float* data;
  size_t stride;

  Matrix from(size_t row, size_t column = 0) const { return {data + row * stride + column, stride}; }
  operator View() const { return {data, stride}; }
};

enum class Activation { none, gelu, relu };

struct Heads {
  size_t count, size;
};

struct Norm {
  const float* gamma;
  const float* beta;
  float epsilon;
};

struct Kernels {
  const char* name;
  bool (*supported)();
  size_t tile_rows;          // rows of a product that are computed together
  size_t bytes_per_element;  // of quantised activations
  // Quantises rows of `width` numbers, each over its own range; rotated before where `scratch` has room for a row.
  void (*quantise)(View x, size_t rows, size_t width, float* scratch, Quantised to);
  // Rows by the weights of these panels, activated; the first panel's channels go to the first columns of `out`.
  void (*product)(Quantised rows, size_t count, const Weights& weights, Range panels, Activation activation, Matrix out);
  // The exact sums of a product, zero points taken off: what every set has to agree on.
  void (*sums)(Quantised rows, size_t count, const Weights& weights, Range panels, int32_t* out, size_t stride);
  // Attention within one sequence; `scratch` holds attention_scratch(length, size) numbers.
  void (*attend)(View query, View key, View value, size_t length, Heads heads, Matrix out, float* scratch);
  // out = LayerNorm(x + y).
  void (*residual_norm)(View x, View y, size_t rows, size_t width, Norm norm, Matrix out);
};

// Bytes from one quantised row to the next: whole cache lines, an odd number, so that rows do not share cache sets.
inline size_t row_stride(const Kernels& kernels, size_t width) {
  return (ceil_div(ceil_div(width, 16) * 16 * kernels.bytes_per_element, 64) | 1) * 64;
}

constexpr size_t ATTENTION_ROWS = 12;  // queries that are computed together, at most

// Numbers from one row of scores to the next: an odd number of cache lines, as in row_stride.
inline size_t score_stride(size_t length) { return (ceil_div(length, 16) | 1) * 16; }

// Queries, keys and values of one head in 16 bits, scores, weights in 16 bits, and sums of values.
inline size_t attention_scratch(size_t length, size_t head_size) {
  const size_t padded = ceil_div(head_size, 32) * 32;
  return score_stride(length) * (3 * padded / 2 + 2 * ATTENTION_ROWS) + ATTENTION_ROWS * padded;
}

}  // namespace edgener
