// What the tests of the kernels share: random and hostile inputs, and layers and rows that own their memory.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <random>
#include <vector>

#include "layer.h"
#include "sets/sets.h"

using namespace edgener;

inline int failures = 0;

#define EXPECT(condition, ...)                                  \
  do {                                                          \
    if (!(condition)) {                                         \
      ++failures;                                               \
      std::printf("%s:%d: %s: ", __FILE__, __LINE__, #condition); \
      std::printf(__VA_ARGS__);                                 \
      std::printf("\n");                                        \
    }                                                           \
  } while (0)

inline std::mt19937& generator() {
  static std::mt19937 engine(16);
  return engine;
}
inline float normal() { return std::normal_distribution<float>()(generator()); }
inline int whole(int from, int to) { return std::uniform_int_distribution<int>(from, to)(generator()); }

enum class Content { usual, zeros, extremes, tiny, spike, constant, last };

inline std::vector<float> numbers(size_t count, Content content = Content::usual) {
  std::vector<float> made(count);
  for (float& value : made) switch (content) {
      case Content::usual: value = normal(); break;
      case Content::extremes: value = whole(0, 1) ? 3.4e38f : -3.4e38f; break;
      case Content::tiny: value = normal() * 1e-38f; break;
      case Content::spike: value = whole(0, 40) ? normal() * 1e-3f : 1e4f; break;
      case Content::constant: value = -7; break;
      default: value = 0;
    }
  return made;
}

// Memory that ends right behind what was asked for, so that a sanitizer sees what reads or writes beyond.
template <class T>
struct Exact {
  explicit Exact(size_t count) : data(static_cast<T*>(std::calloc(count ? count : 1, sizeof(T)))) {}
  Exact(const Exact&) = delete;
  ~Exact() { std::free(data); }
  T* data;
};

// Weights of one product with their scales, biases and sums.
class OwnedWeights {
 public:
  // extreme: all weights are 127 or -127
  OwnedWeights(size_t panels, size_t groups, bool extreme = false)
      : packed_(panels * groups * 64), scale_(numbers(panels * 16)), bias_(numbers(panels * 16)), sum_(panels * 16) {
    for (size_t at = 0; at < packed_.size(); ++at) {
      packed_[at] = int8_t(extreme ? (whole(0, 1) ? 127 : -127) : whole(-127, 127));
      sum_[at / (groups * 64) * 16 + at / 4 % 16] += packed_[at];
    }
    for (float& scale : scale_) scale = std::fabs(scale) * 1e-3f;
    weights = {packed_.data(), scale_.data(), bias_.data(), sum_.data(), panels, groups};
  }
  Weights weights;

 private:
  std::vector<int8_t> packed_;
  std::vector<float> scale_, bias_;
  std::vector<int32_t> sum_;
};

// Rows quantised by a set of kernels.
class OwnedRows {
 public:
  OwnedRows(const Kernels& kernels, const float* x, size_t rows, size_t width)
      : bytes_(rows * row_stride(kernels, width)), scale_(rows), zero_(rows) {
    quantised = {bytes_.data(), scale_.data(), zero_.data(), row_stride(kernels, width)};
    kernels.quantise({x, width}, rows, width, nullptr, quantised);
  }
  Quantised quantised;

 private:
  std::vector<uint8_t> bytes_;
  std::vector<float> scale_;
  std::vector<int32_t> zero_;
};

// The weights of a layer, for any set of kernels.
class OwnedLayer {
 public:
  OwnedLayer(size_t heads, size_t head_size, size_t between)
      : heads_{heads, head_size}, hidden_(heads * head_size), between_(ceil_div(between, 4) * 4),
        norms_(numbers(4 * hidden_)), qkv_(3 * ceil_div(hidden_, 16), ceil_div(hidden_, 4)),
        output_(ceil_div(hidden_, 16), ceil_div(hidden_, 4)),
        wide_(ceil_div(between, 16), ceil_div(hidden_, 4)),
        narrow_(ceil_div(hidden_, 16), between_ / 4) {}

  Layer with(const Kernels& kernels, Activation activation = Activation::gelu) const {
    const float* at = norms_.data();
    return {kernels, hidden_, between_, heads_, activation, qkv_.weights, output_.weights, wide_.weights, narrow_.weights,
            {at, at + hidden_, 1e-12f}, {at + 2 * hidden_, at + 3 * hidden_, 1e-5f}, true};
  }
  size_t hidden() const { return hidden_; }

 private:
  Heads heads_;
  size_t hidden_, between_;
  std::vector<float> norms_;
  OwnedWeights qkv_, output_, wide_, narrow_;
};

// Tasks in order, or backwards as threads might run them.
inline Parallel in_order() {
  return {nullptr, [](void*, void (*task)(void*, size_t), size_t count, void* data) {
            for (size_t number = 0; number < count; ++number) task(data, number);
          }};
}
inline Parallel backwards() {
  return {nullptr, [](void*, void (*task)(void*, size_t), size_t count, void* data) {
            while (count-- > 0) task(data, count);
          }};
}

inline std::vector<float> run(const Layer& layer, const std::vector<float>& x, const std::vector<int64_t>& offsets,
                              Parallel parallel = in_order()) {
  const Exact<float> in(x.size()), out(x.size());
  std::copy(x.begin(), x.end(), in.data);
  layer.run(in.data, offsets.data(), offsets.size() - 1, out.data, parallel);
  return {out.data, out.data + x.size()};
}

inline std::vector<int64_t> offsets_of(const std::vector<size_t>& lengths) {
  std::vector<int64_t> offsets{0};
  for (size_t length : lengths) offsets.push_back(offsets.back() + int64_t(length));
  return offsets;
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || !std::memcmp(a.data(), b.data(), a.size() * sizeof(float)));
}
