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
  Integers less(int32_t times, Integers by) const {
    Integers out;
    for (int i = 0; i < 4; ++i) out.v[i] = vmlsq_n_s32(v[i], by.v[i], times);
    return out;
  }
  void store(int32_t* to) const {
    for (int i = 0; i < 4; ++i) vst1q_s32(to + 4 * i, v[i]);
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
  int16x4_t low_words(int i) const { return vmovn_s32(vreinterpretq_s32_f32(v[i])); }
  Lanes rounded() const {
    return map([=](int i) { return vrndnq_f32(v[i]); });
  }
  Lanes absolute() const {
    return map([=](int i) { return vabsq_f32(v[i]); });
  }
  Lanes power_of_two() const {
    return map([=](int i) {
      return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(v[i]), vdupq_n_s32(127)), 23));
    });
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
  float lowest() const {
    return reduce([](float32x4_t a, float32x4_t b) { return vminq_f32(a, b); });
  }
  float highest() const {
    return reduce([](float32x4_t a, float32x4_t b) { return vmaxq_f32(a, b); });
  }
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
}  // namespace
}  // namespace edgener
