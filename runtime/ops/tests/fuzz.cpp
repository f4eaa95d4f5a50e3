// Random shapes and contents into a layer, for libFuzzer (clang) or by itself: every set gives the portable one's bits.
#include "cases.h"

namespace {

// Numbers from the bytes of an input; zeros when they have run out.
class Source {
 public:
  Source(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  size_t small(size_t from, size_t to) { return from + byte() % (to - from + 1); }
  float number() {
    uint32_t bits = 0;
    for (int at = 0; at < 4; ++at) bits = bits << 8 | byte();
    if (bits % 8) return float(int32_t(bits)) * 1e-9f;  // most of a usual size, the others of any: NaN, infinite, tiny
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }

 private:
  uint8_t byte() { return size_ ? (--size_, *data_++) : 0; }
  const uint8_t* data_;
  size_t size_;
};

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  for (size_t at = 0; at < a.size(); ++at)
    if (!(std::isnan(a[at]) && std::isnan(b[at])) && std::memcmp(&a[at], &b[at], sizeof(float))) return false;
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Source source(data, size);
  generator().seed(source.small(0, 255));
  const OwnedLayer owned(source.small(1, 5), source.small(1, 40), source.small(1, 90));
  std::vector<size_t> lengths(source.small(0, 6));
  for (size_t& length : lengths) length = source.small(0, 70);
  const auto offsets = offsets_of(lengths);
  std::vector<float> x(size_t(offsets.back()) * owned.hidden());
  for (float& value : x) value = source.number();
  const auto activation = source.small(0, 1) ? Activation::gelu : Activation::relu;
  const auto expected = run(owned.with(PORTABLE, activation), x, offsets);
  for (const Kernels* kernels : BUILT)
    if (kernels->supported() && !same(run(owned.with(*kernels, activation), x, offsets, backwards()), expected)) {
      std::printf("%s differs from portable\n", kernels->name);
      std::abort();
    }
  return 0;
}

#ifndef LIBFUZZER
int main(int count, char** arguments) {
  const long rounds = count > 1 ? std::atol(arguments[1]) : 300;
  std::mt19937 random(1);
  for (long round = 0; round < rounds; ++round) {
    std::vector<uint8_t> bytes(random() % 20000);
    for (uint8_t& byte : bytes) byte = uint8_t(random());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  std::printf("%ld random inputs, no difference\n", rounds);
}
#endif
