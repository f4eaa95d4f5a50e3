// Sixteen numbers as an array: the definition of what every other Lanes computes, bit for bit.
//
// min and max give their second argument where one is NaN. fma rounds once. Sums and extremes over the lanes are taken
// 8 lanes apart, then 4, 2 and 1. `rounded` rounds halves to the even number.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace edgener {
namespace {
struct Integers {
  int32_t v[16];

  static Integers load(const int32_t* from) {
    Integers out;
    std::memcpy(out.v, from, sizeof out.v);
    return out;
  }
  Integers less(int32_t times, Integers by) const {  // this - times * by
    Integers out;
    for (int i = 0; i < 16; ++i) out.v[i] = v[i] - times * by.v[i];
    return out;
  }
  void store(int32_t* to) const { std::memcpy(to, v, sizeof v); }
};

struct Lanes {
  static constexpr int QUERIES = 1;
  float v[16];

  template <class Each>
  static Lanes map(Each each) {
    Lanes out;
    for (int i = 0; i < 16; ++i) out.v[i] = each(i);
    return out;
  }
  template <class Combine>
  float reduce(Combine combine) const {
    float all[16];
    std::memcpy(all, v, sizeof v);
    for (int apart = 8; apart > 0; apart /= 2)
      for (int i = 0; i < apart; ++i) all[i] = combine(all[i], all[i + apart]);
    return all[0];
  }
  static Lanes load(const float* from) {
    return map([=](int i) { return from[i]; });
  }
  static Lanes load(const float* from, size_t count) {
    return map([=](int i) { return size_t(i) < count ? from[i] : 0.0f; });
  }
  static Lanes all(float value) {
    return map([=](int) { return value; });
  }
  static Lanes of(Integers integers) {
    return map([=](int i) { return float(integers.v[i]); });
  }
  void store(float* to) const { std::memcpy(to, v, sizeof v); }
  void store(float* to, size_t count) const { std::memcpy(to, v, count * sizeof(float)); }
  Lanes first(size_t count) const {
    return map([=](int i) { return size_t(i) < count ? v[i] : 0.0f; });
  }
  static int32_t whole(float value) { return value == value ? int32_t(std::nearbyint(value)) : 0; }
  Lanes rounded() const {
    return map([=](int i) { return std::nearbyint(v[i]); });
  }
  Lanes absolute() const {
    return map([=](int i) { return std::fabs(v[i]); });
  }
  Lanes power_of_two() const {
    return map([=](int i) {
      uint32_t bits = uint32_t(whole(v[i]) + 127) << 23;
      float power;
      std::memcpy(&power, &bits, sizeof power);
      return power;
    });
  }
  float sum() const {
    return reduce([](float a, float b) { return a + b; });
  }
  float lowest() const {
    return reduce([](float a, float b) { return a < b ? a : b; });
  }
  float highest() const {
    return reduce([](float a, float b) { return a > b ? a : b; });
  }
};

inline Lanes operator+(Lanes a, Lanes b) {
  return Lanes::map([&](int i) { return a.v[i] + b.v[i]; });
}
inline Lanes operator-(Lanes a, Lanes b) {
  return Lanes::map([&](int i) { return a.v[i] - b.v[i]; });
}
inline Lanes operator*(Lanes a, Lanes b) {
  return Lanes::map([&](int i) { return a.v[i] * b.v[i]; });
}
inline Lanes fma(Lanes a, Lanes b, Lanes c) {
  return Lanes::map([&](int i) { return std::fma(a.v[i], b.v[i], c.v[i]); });
}
inline Lanes min(Lanes a, Lanes b) {
  return Lanes::map([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
inline Lanes max(Lanes a, Lanes b) {
  return Lanes::map([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
}  // namespace
}  // namespace edgener
