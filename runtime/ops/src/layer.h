// One encoder layer with LayerNorm after each residual connection, over sequences laid end to end.
#pragma once
#include "kernels.h"

namespace edgener {

// Calls task(data, 0) to task(data, count - 1), beside each other where there are threads.
struct Parallel {
  void* context;
  void (*run)(void* context, void (*task)(void* data, size_t number), size_t count, void* data);
};

struct Layer {
  const Kernels& kernels;
  size_t hidden, intermediate;
  Heads heads;
  Activation activation;
  Weights qkv, output, between, feed_forward;
  Norm after_attention, after_feed_forward;
  bool rotated = false;  // the inputs of all products but that of the attention's output, where their width allows it

  // Sequence s is rows offsets[s] to offsets[s + 1] of x; y has the shape of x and may not overlap it.
  void run(const float* x, const int64_t* offsets, size_t sequences, float* y, Parallel parallel) const;
};

}  // namespace edgener
