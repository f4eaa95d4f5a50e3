#include "layer.h"

#include <algorithm>
#include <vector>

#include "scratch.h"

namespace edgener {
namespace {

constexpr size_t BLOCK = 24;         // rows that go through a step together: they stay in the second cache
constexpr size_t COLUMN_ROWS = 64;   // up to here all rows are one block, and threads share its columns
constexpr size_t NUMBERS = 32768;  // to quantise are worth a thread
constexpr size_t TASKS = 8;          // that a step is cut into, if it can be: enough for the threads of a small machine

void serial(void*, void (*task)(void*, size_t), size_t count, void* data) {
  for (size_t number = 0; number < count; ++number) task(data, number);
}
constexpr Parallel SERIAL{nullptr, serial};

template <class Each>
void for_each(Parallel parallel, size_t count, const Each& each) {
  if (count == 1) return each(0);
  parallel.run(
      parallel.context, [](void* data, size_t number) { (*static_cast<const Each*>(data))(number); }, count,
      const_cast<Each*>(&each));
}

// Into how many equal parts to cut so many things for threads to share.
size_t even_parts(size_t count) {
  size_t parts = TASKS;
  while (count % parts) --parts;
  return parts;
}

// Part `number` of `parts` of this many things.
Range part(size_t count, size_t parts, size_t number) { return {count * number / parts, count * (number + 1) / parts}; }

// Sequences one after the other, in groups of about BLOCK rows.
std::vector<Range> group_sequences(const int64_t* offsets, size_t sequences) {
  std::vector<Range> groups;
  for (size_t begin = 0, end = 0; begin < sequences; begin = end) {
    for (end = begin + 1; end < sequences && size_t(offsets[end + 1] - offsets[begin]) <= BLOCK;) ++end;
    groups.push_back({begin, end});
  }
  return groups;
}

struct Run {
  const Layer& layer;
  const float* x;
  const int64_t* offsets;
  float* y;
  const Kernels& kernels = layer.kernels;
  const size_t hidden = layer.hidden, padded = ceil_div(hidden, PANEL) * PANEL;

  View input() const { return {x, hidden}; }
  Matrix output() const { return {y, hidden}; }

  void quantise_in_parts(Parallel parallel, View from, size_t rows, size_t width, bool rotated, Quantised to) const {
    const size_t parts = ceil_div(rows * width, NUMBERS);
    for_each(parallel, parts, [&](size_t number) {
      const Range range = part(rows, parts, number);
      static thread_local Buffer<float> buffer;
      float* scratch = rotated && rotates(width) ? buffer.at_least(width) : nullptr;
      kernels.quantise(from.from(range.begin), range.end - range.begin, width, scratch, to.from(range.begin));
    });
  }

  // Columns of a product, shared out among threads.
  void product_in_parts(Parallel parallel, Quantised rows, size_t count, const Weights& weights, Activation activation,
                        Matrix out) const {
    const size_t parts = parallel.run == serial ? 1 : even_parts(ceil_div(weights.panels, 2));
    for_each(parallel, parts, [&](size_t number) {
      Range panels = part(ceil_div(weights.panels, 2), parts, number);  // in twos, as the widest tiles take them
      panels = {panels.begin * 2, std::min(panels.end * 2, weights.panels)};
      kernels.product(rows, count, weights, panels, activation, out.from(0, panels.begin * PANEL));
    });
  }

  // Query, key, value and attention of some heads of some sequences; their context goes to y.
  void attend(Quantised rows, Range sequences, Range heads) const {
    static thread_local Buffer<float> qkv_buffer, scratch_buffer;
    const size_t size = layer.heads.size, first = offsets[sequences.begin], count = offsets[sequences.end] - first;
    const Range panels = {heads.begin * size / PANEL, ceil_div(heads.end * size, PANEL)};
    const size_t width = (panels.end - panels.begin) * PANEL, all = padded / PANEL;
    const Matrix qkv{qkv_buffer.at_least(count * 3 * width + 2 * PANEL), 3 * width};
    for (size_t which = 0; which < 3; ++which)
      kernels.product(rows.from(first), count, layer.qkv, {which * all + panels.begin, which * all + panels.end},
                      Activation::none, qkv.from(0, which * width));
    for (size_t sequence = sequences.begin; sequence < sequences.end; ++sequence) {
      const size_t at = offsets[sequence] - first, length = offsets[sequence + 1] - offsets[sequence];
      kernels.attend(qkv.from(at), qkv.from(at, width), qkv.from(at, 2 * width), length,
                     {heads.end - heads.begin, size}, output().from(first + at, heads.begin * size),
                     scratch_buffer.at_least(attention_scratch(length, size)));
    }
  }

  void attend_all(Parallel parallel, size_t sequences) const {
    static thread_local QuantisedBuffer buffer;
    const size_t rows = offsets[sequences];
    const Quantised quantised = buffer.at_least(kernels, rows, hidden);
    quantise_in_parts(parallel, input(), rows, hidden, layer.rotated, quantised);
    const auto groups = group_sequences(offsets, sequences);
    const bool whole_panels = layer.heads.size % PANEL == 0;
    const size_t parts = whole_panels && groups.size() < TASKS ? even_parts(layer.heads.count) : 1;
    for_each(parallel, groups.size() * parts, [&](size_t number) {
      attend(quantised, groups[number / parts], part(layer.heads.count, parts, number % parts));
    });
  }

  // Everything after the attention, for some rows: y has the context before and the result after.
  void finish(Parallel parallel, Range range) const {
    static thread_local Buffer<float> product_buffer, attended_buffer, between_buffer;
    static thread_local QuantisedBuffer quantised_buffer, wide_buffer;
    const size_t rows = range.end - range.begin;
    const Matrix product{product_buffer.at_least(rows * padded), padded};
    const Matrix attended{attended_buffer.at_least(rows * hidden), hidden};
    const Matrix between{between_buffer.at_least(rows * layer.between.panels * PANEL), layer.between.panels * PANEL};
    const Quantised quantised = quantised_buffer.at_least(kernels, rows, hidden);
    const Quantised wide = wide_buffer.at_least(kernels, rows, layer.intermediate);
    const Matrix out = output().from(range.begin);

    quantise_in_parts(parallel, out, rows, hidden, false, quantised);
    product_in_parts(parallel, quantised, rows, layer.output, Activation::none, product);
    kernels.residual_norm(input().from(range.begin), product, rows, hidden, layer.after_attention, attended);
    quantise_in_parts(parallel, attended, rows, hidden, layer.rotated, quantised);
    product_in_parts(parallel, quantised, rows, layer.between, layer.activation, between);
    quantise_in_parts(parallel, between, rows, layer.intermediate, layer.rotated, wide);
    product_in_parts(parallel, wide, rows, layer.feed_forward, Activation::none, product);
    kernels.residual_norm(attended, product, rows, hidden, layer.after_feed_forward, out);
  }
};

}  // namespace

void Layer::run(const float* x, const int64_t* offsets, size_t sequences, float* y, Parallel parallel) const {
  const size_t rows = sequences ? offsets[sequences] : 0;
  if (!rows) return;
  const Run run{*this, x, offsets, y};
  run.attend_all(parallel, sequences);
  if (rows <= COLUMN_ROWS) return run.finish(parallel, {0, rows});
  const size_t blocks = ceil_div(rows, 2 * BLOCK) * 2;  // an even number: two threads have the same to do
  for_each(parallel, blocks, [&](size_t number) { run.finish(SERIAL, part(rows, blocks, number)); });
}

}  // namespace edgener
