// Sixteen numbers in four NEON registers.
#pragma once
#include <arm_neon.h>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace edgener {
namespace {
struct Integers {
  int32x4_t v[4];

  static Integers load(const int32_t* from) {
    return {{vld1q_s32(from), vld1q_s32(from + 4), vld1q_s32(from + 8), vld1q_s32(from + 12)}};
  }
  static Integers zero() { return {{vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)}}; }
  Integers less(int32_t times, Integers by) const {
    Integers out;
    for (int i = 0; i < 4; ++i) out.v[i] = vmlsq_n_s32(v[i], by.v[i], times);
    return out;
  }
  Integers plus_products(int32_t pair, Integers pairs) const {
    Integers out;
    for (int i = 0; i < 4; ++i) {
      out.v[i] = vmlal_n_s16(v[i], vmovn_s32(pairs.v[i]), int16_t(pair));
      out.v[i] = vmlal_n_s16(out.v[i], vshrn_n_s32(pairs.v[i], 16), int16_t(pair >> 16));
    }
    return out;
  }
  void store(int32_t* to) const {
    for (int i = 0; i < 4; ++i) vst1q_s32(to + 4 * i, v[i]);
  }
  void keep() { asm volatile("" : "+w"(v[0]), "+w"(v[1]), "+w"(v[2]), "+w"(v[3])); }
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
  static constexpr int QUERIES = 2;
  float32x4_t v[4];

  template <class Each>
  static Lanes map(Each each) {
    return {{each(0), each(1), each(2), each(3)}};
  }
  static Lanes load(const float* from) {
    return map([=](int i) { return vld1q_f32(from + 4 * i); });
  }
  static Lanes load(const float* from, size_t count) {
    float padded[16] = {};
    std::memcpy(padded, from, count * sizeof(float));
    return load(padded);
  }
  static Lanes all(float value) {
    return map([=](int) { return vdupq_n_f32(value); });
  }
  static Lanes of(Integers integers) {
    return map([=](int i) { return vcvtq_f32_s32(integers.v[i]); });
  }
  void store(float* to) const {
    for (int i = 0; i < 4; ++i) vst1q_f32(to + 4 * i, v[i]);
  }
  void store(float* to, size_t count) const {
    float whole[16];
    store(whole);
    std::memcpy(to, whole, count * sizeof(float));
  }
  Lanes first(size_t count) const {
    float whole[16];
    store(whole);
    return load(whole, count);
  }
  int32x4_t bits(int i) const { return vreinterpretq_s32_f32(v[i]); }
  int16x4_t low_words(int i) const { return vmovn_s32(bits(i)); }
  void store_words(int16_t* to) const {
    for (int i = 0; i < 4; ++i) vst1_s16(to + 4 * i, low_words(i));
  }
  Lanes absolute() const {
    return map([=](int i) { return vabsq_f32(v[i]); });
  }
  Lanes times_power_of_two(Lanes whole) const {
    return map([=](int i) { return vreinterpretq_f32_s32(vaddq_s32(bits(i), vshlq_n_s32(whole.bits(i), 23))); });
  }
  template <class Combine>
  float reduce(Combine combine) const {
    auto four = combine(combine(v[0], v[2]), combine(v[1], v[3]));
    auto two = combine(four, vextq_f32(four, four, 2));
    return vgetq_lane_f32(combine(two, vextq_f32(two, two, 1)), 0);
  }
  float sum() const {
    return reduce([](float32x4_t a, float32x4_t b) { return vaddq_f32(a, b); });
  }
  float highest() const {
    return reduce([](float32x4_t a, float32x4_t b) { return vmaxq_f32(a, b); });
  }
  static float32x4_t larger(float32x4_t a, float32x4_t b) {
    return vreinterpretq_f32_s32(vmaxq_s32(vreinterpretq_s32_f32(a), vreinterpretq_s32_f32(b)));
  }
  static float32x4_t lower(float32x4_t a, float32x4_t b) {
    return vreinterpretq_f32_u32(vmaxq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b)));
  }
  float largest() const { return reduce(larger); }
  float lowest() const { return reduce(lower); }
};

inline Lanes operator+(Lanes a, Lanes b) {
  return Lanes::map([&](int i) { return vaddq_f32(a.v[i], b.v[i]); });
}
inline Lanes operator-(Lanes a, Lanes b) {
  return Lanes::map([&](int i) { return vsubq_f32(a.v[i], b.v[i]); });
}
inline Lanes operator*(Lanes a, Lanes b) {
  return Lanes::map([&](int i) { return vmulq_f32(a.v[i], b.v[i]); });
}
inline Lanes fma(Lanes a, Lanes b, Lanes c) {
  return Lanes::map([&](int i) { return vfmaq_f32(c.v[i], a.v[i], b.v[i]); });
}
inline Lanes min(Lanes a, Lanes b) {
  return Lanes::map([&](int i) { return vminq_f32(a.v[i], b.v[i]); });
}
inline Lanes max(Lanes a, Lanes b) {
  return Lanes::map([&](int i) { return vmaxq_f32(a.v[i], b.v[i]); });
}
inline Lanes larger(Lanes a, Lanes b) {
  return Lanes::map([&](int i) { return Lanes::larger(a.v[i], b.v[i]); });
}
inline Lanes lower(Lanes a, Lanes b) {
  return Lanes::map([&](int i) { return Lanes::lower(a.v[i], b.v[i]); });
}
inline Integers pairs(Lanes first, Lanes second) {
  Integers out;
  for (int i = 0; i < 4; ++i) out.v[i] = vsliq_n_s32(first.bits(i), second.bits(i), 16);
  return out;
}
}  // namespace
}  // namespace edgener
