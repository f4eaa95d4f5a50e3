// Sixteen numbers as an array: the definition of what every other Lanes computes, bit for bit.
//
// min and max give their second argument where one is NaN. fma rounds once. Sums and extremes over the lanes are taken
// 8 lanes apart, then 4, 2 and 1. `larger` and `lower` compare bits: the larger number where one is not negative, the
// lower one where one is negative, and NaN where there is a NaN of that sign.
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
  static Integers zero() { return {}; }
  Integers plus_products(int32_t pair, Integers pairs) const {  // of the lower and of the upper 16 bits
    Integers out;
    for (int i = 0; i < 16; ++i)
      out.v[i] = v[i] + int16_t(pair) * int16_t(pairs.v[i]) + (pair >> 16) * (pairs.v[i] >> 16);
    return out;
  }
  Integers less(int32_t times, Integers by) const {  // this - times * by
    Integers out;
    for (int i = 0; i < 16; ++i) out.v[i] = v[i] - times * by.v[i];
    return out;
  }
  void store(int32_t* to) const { std::memcpy(to, v, sizeof v); }
  void keep() {}
  // Sixteen rows of sixteen as columns.
  static void store_columns(const Integers (&rows)[16], int32_t* to, size_t stride) {
    for (int i = 0; i < 16; ++i) {
      int32_t row[16];
      rows[i].store(row);
      for (int j = 0; j < 16; ++j) to[j * stride + i] = row[j];
    }
  }
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
  static uint32_t bits(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
  }
  static float number(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  static float larger(float a, float b) { return int32_t(bits(a)) > int32_t(bits(b)) ? a : b; }
  static float lower(float a, float b) { return bits(a) > bits(b) ? a : b; }
  Lanes absolute() const {
    return map([=](int i) { return std::fabs(v[i]); });
  }
  Lanes times_power_of_two(Lanes whole) const {  // which has ROUNDING added to it
    return map([=](int i) { return number(bits(v[i]) + (bits(whole.v[i]) << 23)); });
  }
  void store_words(int16_t* to) const {  // the lowest 16 bits
    for (int i = 0; i < 16; ++i) to[i] = int16_t(bits(v[i]));
  }
  float sum() const {
    return reduce([](float a, float b) { return a + b; });
  }
  float highest() const {
    return reduce([](float a, float b) { return a > b ? a : b; });
  }
  float largest() const { return reduce(larger); }
  float lowest() const { return reduce(lower); }
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
inline Lanes larger(Lanes a, Lanes b) {
  return Lanes::map([&](int i) { return Lanes::larger(a.v[i], b.v[i]); });
}
inline Lanes lower(Lanes a, Lanes b) {
  return Lanes::map([&](int i) { return Lanes::lower(a.v[i], b.v[i]); });
}
inline Integers pairs(Lanes first, Lanes second) {  // their lowest 16 bits
  Integers out;
  for (int i = 0; i < 16; ++i)
    out.v[i] = int32_t(Lanes::bits(second.v[i]) << 16 | (Lanes::bits(first.v[i]) & 0xffff));
  return out;
}
}  // namespace
}  // namespace edgener
