// Every instruction set of this CPU against the portable one: exact sums, and the same bits from a whole layer.
#include "cases.h"

namespace {

std::vector<int32_t> sums(const Kernels& kernels, const std::vector<float>& x, size_t rows, const Weights& weights) {
  const OwnedRows owned(kernels, x.data(), rows, x.size() / rows);
  const size_t width = weights.panels * 16;
  std::vector<int32_t> out(rows * width);
  kernels.sums(owned.quantised, rows, weights, {0, weights.panels}, out.data(), width);
  return out;
}

void test_sums(const Kernels& kernels) {
  for (size_t width : {1, 3, 4, 5, 16, 17, 64, 100, 387})
    for (size_t panels : {1, 2, 3, 7})
      for (size_t rows : {1, 2, 3, 5, 11, 12, 13, 31})
        for (int content = 0; content < int(Content::last); ++content) {
          const OwnedWeights owned(panels, ceil_div(width, 4), rows % 2);
          const auto x = numbers(rows * width, Content(content));
          EXPECT(sums(kernels, x, rows, owned.weights) == sums(PORTABLE, x, rows, owned.weights),
                 "%s, %zu rows of %zu by %zu panels, content %d", kernels.name, rows, width, panels, content);
        }
}

void test_many_rows(const Kernels& kernels) {
  const OwnedWeights owned(3, 10);
  const auto x = numbers(10000 * 40);
  EXPECT(sums(kernels, x, 10000, owned.weights) == sums(PORTABLE, x, 10000, owned.weights), "%s", kernels.name);
}

// The largest sums that there can be: 255 * 127 each.
void test_largest_sums(const Kernels& kernels) {
  const size_t width = 60000;
  OwnedWeights owned(1, width / 4, true);
  std::vector<float> x(width, 1);
  EXPECT(sums(kernels, x, 1, owned.weights) == sums(PORTABLE, x, 1, owned.weights), "%s", kernels.name);
  std::vector<int8_t> all(width * 16, 127);
  std::vector<int32_t> sum(16, int32_t(width) * 127);
  Weights weights = owned.weights;
  weights.packed = all.data();
  weights.sum = sum.data();
  EXPECT(sums(kernels, x, 1, weights)[15] == int32_t(width) * 127 * 255, "%s", kernels.name);
}

// Its distance from zero is a whole number of steps and all but half of one, which rounds either way.
void test_lowest_number(const Kernels& kernels) {
  const std::vector<std::vector<float>> rows{{-0.5606839f, 0.8908328f}, {-1.8978791f, 0.56501734f}, {-2.7852867f, 1.4804674f}};
  std::vector<int8_t> packed(64);
  std::vector<int32_t> sum(16);
  packed[0] = 1;
  sum[0] = 1;
  const OwnedWeights owned(1, 1);
  Weights weights = owned.weights;
  weights.packed = packed.data();
  weights.sum = sum.data();
  for (const auto& row : rows) EXPECT(sums(kernels, row, 1, weights)[0] < -90, "%s, %g", kernels.name, row[0]);
}

std::vector<float> product(const Kernels& kernels, const std::vector<float>& x, size_t rows, const Weights& weights,
                           Activation activation) {
  const OwnedRows owned(kernels, x.data(), rows, x.size() / rows);
  const Exact<float> out(rows * weights.panels * 16);
  kernels.product(owned.quantised, rows, weights, {0, weights.panels}, activation, {out.data, weights.panels * 16});
  return {out.data, out.data + rows * weights.panels * 16};
}

void test_product(const Kernels& kernels) {
  for (auto activation : {Activation::none, Activation::gelu, Activation::relu}) {
    const OwnedWeights owned(5, 11);
    const auto x = numbers(14 * 43);
    EXPECT(same_bits(product(kernels, x, 14, owned.weights, activation), product(PORTABLE, x, 14, owned.weights, activation)),
           "%s, activation %d", kernels.name, int(activation));
  }
}

void test_not_finite(const Kernels& kernels) {
  const OwnedWeights owned(2, 6);
  for (float bad : {NAN, INFINITY, -INFINITY})
    for (size_t place : {0, 15, 16, 22}) {
      auto x = numbers(13 * 23);
      const auto good = product(kernels, x, 13, owned.weights, Activation::gelu);
      x[5 * 23 + place] = bad;
      const auto out = product(kernels, x, 13, owned.weights, Activation::gelu);
      for (size_t at = 0; at < out.size(); ++at) {
        const bool right = at / 32 == 5 ? std::isnan(out[at]) : out[at] == good[at];
        EXPECT(right, "%s, %g at %zu: %g at %zu", kernels.name, bad, place, out[at], at);
      }
    }
}

void test_gelu(const Kernels& kernels) {
  double worst = 0;
  OwnedWeights owned(1, 1);
  std::vector<float> zeros(1), bias(16), scale(16);
  Weights weights = owned.weights;
  weights.bias = bias.data();
  weights.scale = scale.data();
  for (float x = -12; x < 12; x += 1.7e-4f) {
    bias[0] = x;
    const double exact = 0.5 * x * std::erfc(-double(x) / std::sqrt(2.0));
    worst = std::max(worst, std::fabs(product(kernels, zeros, 1, weights, Activation::gelu)[0] - exact));
  }
  EXPECT(worst < 1e-6, "%s: %g", kernels.name, worst);
}

// Within what 10 bits for values leave: half a step of the largest.
void test_attention(const Kernels& kernels) {
  for (size_t length : {1, 2, 13, 15, 16, 17, 33, 70, 150})
    for (size_t size : {8, 26, 32, 64}) {
      const auto q = numbers(length * size), k = numbers(length * size);
      const auto v = numbers(length * size);
      std::vector<float> out(length * size), scratch(attention_scratch(length, size));
      kernels.attend({q.data(), size}, {k.data(), size}, {v.data(), size}, length, {1, size}, {out.data(), size}, scratch.data());
      for (size_t row = 0; row < length; ++row) {
        std::vector<double> weights(length), exact(size);
        double total = 0, largest = 0;
        for (float x : v) largest = std::max(largest, double(std::fabs(x)));
        for (size_t key = 0; key < length; ++key) {
          for (size_t at = 0; at < size; ++at) weights[key] += double(q[row * size + at]) * k[key * size + at];
          total += weights[key] = std::exp(weights[key] / std::sqrt(double(size)));
        }
        for (size_t at = 0; at < size; ++at) {
          for (size_t key = 0; key < length; ++key) exact[at] += weights[key] / total * v[key * size + at];
          EXPECT(std::fabs(exact[at] - out[row * size + at]) < largest / 1023, "%s, %zu of %zu: %g, %g", kernels.name, length, size,
                 exact[at], out[row * size + at]);
        }
      }
    }
}

// The largest sums that there can be: no weight of the softmax is smaller than another, no number smaller than the rest.
void test_largest_attention(const Kernels& kernels) {
  for (size_t size : {1, 32, 33, 64, 128}) {
    const size_t length = 130;
    const std::vector<float> ones(length * size, -1);
    std::vector<float> out(length * size), scratch(attention_scratch(length, size));
    const View x{ones.data(), size};
    kernels.attend(x, x, x, length, {1, size}, {out.data(), size}, scratch.data());
    for (float number : out) EXPECT(std::fabs(number + 1) < 1e-4, "%s, %zu: %g", kernels.name, size, number);
  }
}

void test_layer(const Kernels& kernels) {
  struct Shape {
    size_t heads, size, between;
  };
  const std::vector<std::vector<size_t>> batches{{1}, {7}, {20, 3, 0, 1}, {49}, {65}, {40, 70, 10, 0, 5, 90}};
  for (const Shape& shape : {Shape{2, 16, 64}, Shape{3, 32, 200}, Shape{4, 13, 50}, Shape{1, 5, 7}, Shape{4, 32, 384}}) {
    const OwnedLayer owned(shape.heads, shape.size, shape.between);
    for (const auto& lengths : batches) {
      const auto offsets = offsets_of(lengths);
      const auto x = numbers(size_t(offsets.back()) * owned.hidden());
      const auto y = run(owned.with(kernels), x, offsets);
      EXPECT(same_bits(y, run(owned.with(PORTABLE), x, offsets)), "%s, %zu heads of %zu, %zu rows", kernels.name,
             shape.heads, shape.size, size_t(offsets.back()));
      EXPECT(same_bits(y, run(owned.with(kernels), x, offsets, backwards())), "%s, backwards", kernels.name);
    }
  }
}

// A sequence alone has the bits that it has in any batch.
void test_batch_effect(const Kernels& kernels) {
  const OwnedLayer owned(4, 32, 256);
  const std::vector<size_t> lengths{20, 1, 33, 64, 7, 0, 65, 100, 12};
  const auto offsets = offsets_of(lengths);
  const auto x = numbers(size_t(offsets.back()) * owned.hidden());
  const auto y = run(owned.with(kernels), x, offsets);
  for (size_t at = 0; at < lengths.size(); ++at) {
    const auto from = offsets[at] * int64_t(owned.hidden()), to = offsets[at + 1] * int64_t(owned.hidden());
    const auto alone = run(owned.with(kernels), {x.begin() + from, x.begin() + to}, {0, int64_t(lengths[at])});
    EXPECT(same_bits(alone, {y.begin() + from, y.begin() + to}), "%s, sequence of %zu", kernels.name, lengths[at]);
  }
}

// NaN in one sequence leaves the others as they were.
void test_poisoned_sequence(const Kernels& kernels) {
  const OwnedLayer owned(4, 32, 256);
  const auto offsets = offsets_of({9, 30, 4});
  auto x = numbers(43 * owned.hidden());
  const auto good = run(owned.with(kernels), x, offsets);
  x[20 * owned.hidden() + 3] = NAN;
  const auto y = run(owned.with(kernels), x, offsets);
  for (size_t at = 0; at < y.size(); ++at) {
    const size_t row = at / owned.hidden();
    EXPECT(row >= 9 && row < 39 ? std::isnan(y[at]) : y[at] == good[at], "%s, row %zu: %g", kernels.name, row, y[at]);
  }
}

}  // namespace

int main() {
  for (const Kernels* kernels : BUILT) {
    if (!kernels->supported()) {
      std::printf("%s: not run, this CPU does not have it\n", kernels->name);
      continue;
    }
    generator().seed(16);
    for (auto* test : {test_sums, test_many_rows, test_largest_sums, test_lowest_number, test_product, test_not_finite, test_gelu,
                       test_attention, test_largest_attention, test_layer, test_batch_effect, test_poisoned_sequence})
      test(*kernels);
    std::printf("%s: run\n", kernels->name);
  }
  std::printf(failures ? "%d failures\n" : "all as the portable kernels\n", failures);
  return failures ? 1 : 0;
}
