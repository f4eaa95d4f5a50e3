#include "encoder_layer.h"

#include <memory>
#include <sstream>

#include "instruction_sets.h"
#include "layer.h"

namespace edgener {
namespace {

// Place of each input; a product is three: weight, scale, bias.
enum Input { X, OFFSETS, QKV, OUTPUT = 5, ATTENTION_GAMMA = 8, ATTENTION_BETA, BETWEEN, FEED_FORWARD = 13, GAMMA = 16, BETA, COUNT };

bool is_weight(size_t input) { return input == QKV || input == OUTPUT || input == BETWEEN || input == FEED_FORWARD; }

constexpr size_t LARGEST = 60000;  // inputs of a product: 255 * 127 * LARGEST stays below 2^31

void expect(bool holds, size_t input, const std::string& what) {
  if (!holds) throw std::invalid_argument("edgener.EncoderLayer: input " + std::to_string(input) + " " + what);
}

class Reader {
 public:
  Reader(const ort::Api* api, const void* info) : api_(api), info_(info) {}

  ort::Tensor constant(size_t input) const {
    int is_constant = 0;
    const void* value = nullptr;
    ort::check(api_, ort::CONSTANT_INPUT, info_, input, &is_constant, &value);
    expect(is_constant && value, input, "has to be an initialiser");
    return {api_, value};
  }
  const float* floats(size_t input, size_t count) const {
    const auto tensor = constant(input);
    expect(tensor.shape == std::vector<int64_t>{int64_t(count)}, input, "needs " + std::to_string(count) + " numbers");
    return tensor.as<float>();
  }
  int64_t whole(const char* name) const {
    int64_t value = 0;
    ort::check(api_, ort::ATTRIBUTE_INT, info_, name, &value);
    return value;
  }
  float real(const char* name) const {
    float value = 0;
    ort::check(api_, ort::ATTRIBUTE_FLOAT, info_, name, &value);
    return value;
  }
  Activation activation() const {
    char name[16] = {};
    size_t size = sizeof name;
    ort::check(api_, ort::ATTRIBUTE_STRING, info_, "activation", &name[0], &size);
    if (std::string(name) == "gelu") return Activation::gelu;
    if (std::string(name) == "relu") return Activation::relu;
    throw std::invalid_argument("edgener.EncoderLayer: activation is " + std::string(name) + ", not gelu or relu");
  }

 private:
  const ort::Api* api_;
  const void* info_;
};

std::vector<int32_t> sums_of(const int8_t* packed, size_t panels, size_t groups) {
  std::vector<int32_t> sums(panels * PANEL);
  for (size_t panel = 0; panel < panels; ++panel)
    for (size_t group = 0; group < groups; ++group)
      for (size_t at = 0; at < PANEL * GROUP; ++at, ++packed) sums[panel * PANEL + at / GROUP] += *packed;
  return sums;
}

class Kernel {
 public:
  Kernel(const ort::Api* api, const void* info) : api_(api), layer_(read(Reader(api, info))) {}

  void compute(void* context) const {
    const void *x_value = nullptr, *offsets_value = nullptr;
    ort::check(api_, ort::INPUT, static_cast<const void*>(context), size_t(X), &x_value);
    ort::check(api_, ort::INPUT, static_cast<const void*>(context), size_t(OFFSETS), &offsets_value);
    const ort::Tensor x(api_, x_value), offsets(api_, offsets_value);
    expect(x.shape.size() == 2 && x.shape[1] == int64_t(layer_.hidden), X,
           "needs rows of " + std::to_string(layer_.hidden) + " numbers");
    check_offsets(offsets, x.shape[0]);
    void* y_value = nullptr;
    ort::check(api_, ort::OUTPUT, context, size_t(0), x.shape.data(), x.shape.size(), &y_value);
    const ort::Tensor y(api_, y_value);
    Threads threads{api_, context};
    layer_.run(x.as<float>(), offsets.as<int64_t>(), offsets.shape[0] - 1, static_cast<float*>(y.data),
               {&threads, Threads::run});
  }

 private:
  struct Threads {  // onnxruntime's own
    const ort::Api* api;
    void* context;

    static void run(void* self, void (*task)(void*, size_t), size_t count, void* data) {
      const auto* threads = static_cast<Threads*>(self);
      ort::check(threads->api, ort::PARALLEL_FOR, static_cast<const void*>(threads->context), task, count, size_t(0), data);
    }
  };

  static void check_offsets(const ort::Tensor& offsets, int64_t rows) {
    expect(offsets.shape.size() == 1 && offsets.shape[0] >= 1, OFFSETS, "has one number more than there are sequences");
    const int64_t *at = offsets.as<int64_t>(), *last = at + offsets.shape[0] - 1;
    expect(*at == 0 && *last == rows, OFFSETS, "goes from 0 to the number of rows");
    for (; at < last; ++at) expect(at[0] <= at[1], OFFSETS, "never falls");
  }

  Weights product(const Reader& reader, size_t input, size_t panels, size_t groups) {
    const auto weight = reader.constant(input);
    const std::vector<int64_t> shape{int64_t(panels), int64_t(groups), PANEL, GROUP};
    expect(weight.shape == shape, input,
           "needs the shape [" + std::to_string(panels) + ", " + std::to_string(groups) + ", 16, 4]");
    expect(groups * GROUP <= LARGEST, input, "has more than " + std::to_string(LARGEST) + " inputs");
    sums_.push_back(sums_of(weight.as<int8_t>(), panels, groups));
    return {weight.as<int8_t>(), reader.floats(input + 1, panels * PANEL), reader.floats(input + 2, panels * PANEL),
            sums_.back().data(), panels, groups};
  }

  Layer read(const Reader& reader) {
    const size_t hidden = reader.constant(BETA).shape.at(0), panels = ceil_div(hidden, PANEL), groups = ceil_div(hidden, GROUP);
    const auto between = reader.constant(BETWEEN).shape, feed_forward = reader.constant(FEED_FORWARD).shape;
    const size_t between_panels = between.at(0), between_groups = feed_forward.at(1);
    expect(ceil_div(between_groups * GROUP, PANEL) == between_panels, FEED_FORWARD, "does not follow input 10");
    const int64_t heads = reader.whole("heads");
    if (heads < 1 || hidden % heads)
      throw std::invalid_argument("edgener.EncoderLayer: " + std::to_string(hidden) + " numbers do not part into " +
                                  std::to_string(heads) + " heads");
    const float epsilon = reader.real("epsilon");
    return {best_kernels(),
            hidden,
            between_groups * GROUP,
            {size_t(heads), hidden / heads},
            reader.activation(),
            product(reader, QKV, 3 * panels, groups),
            product(reader, OUTPUT, panels, groups),
            product(reader, BETWEEN, between_panels, groups),
            product(reader, FEED_FORWARD, panels, between_groups),
            {reader.floats(ATTENTION_GAMMA, hidden), reader.floats(ATTENTION_BETA, hidden), epsilon},
            {reader.floats(GAMMA, hidden), reader.floats(BETA, hidden), epsilon},
            reader.whole("rotated") != 0};
  }

  const ort::Api* api_;
  std::vector<std::vector<int32_t>> sums_;
  Layer layer_;
};

struct Operator : ort::CustomOp {
  Operator() : ort::CustomOp{} {
    using Self = const ort::CustomOp*;
    version = ort::VERSION;
    name = [](Self) { return "EncoderLayer"; };
    provider = [](Self) -> const char* { return nullptr; };
    input_count = [](Self) { return size_t(COUNT); };
    input_type = [](Self, size_t input) { return int(is_weight(input) ? ort::INT8 : input == OFFSETS ? ort::INT64 : ort::FLOAT); };
    output_count = [](Self) { return size_t(1); };
    output_type = [](Self, size_t) { return int(ort::FLOAT); };
    input_characteristic = output_characteristic = [](Self, size_t) { return 0; };  // required
    input_memory = [](Self, size_t) { return 0; };
    variadic_input_min = variadic_output_min = [](Self) { return 1; };
    variadic_input_homogeneous = variadic_output_homogeneous = [](Self) { return 1; };
    start_version = [](Self) { return 1; };
    end_version = [](Self) { return 0x7fffffff; };
    create_kernel_v2 = [](Self, const ort::Api* api, const void* info, void** kernel) {
      return ort::guarded(api, [&] { *kernel = new Handle{api, Kernel(api, info)}; });
    };
    compute_v2 = [](void* kernel, void* context) {
      const auto* handle = static_cast<Handle*>(kernel);
      return ort::guarded(handle->api, [&] { handle->kernel.compute(context); });
    };
    destroy = [](void* kernel) { delete static_cast<Handle*>(kernel); };
  }
  struct Handle {
    const ort::Api* api;
    Kernel kernel;
  };
};

}  // namespace

const ort::CustomOp& encoder_layer_operator() {
  static const Operator instance;
  return instance;
}

}  // namespace edgener
