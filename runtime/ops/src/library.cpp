// What the shared library exports: the operators for onnxruntime, and the instruction sets for the Python package.
#include <string>

#include "encoder_layer.h"
#include "instruction_sets.h"

using namespace edgener;

extern "C" __attribute__((visibility("default"))) ort::Status RegisterCustomOps(void* options, const ort::ApiBase* base) {
  const ort::Api* api = base->get_api(ort::VERSION);
  return ort::guarded(api, [&] {
    best_kernels();
    void* domain = nullptr;
    ort::check(api, ort::CREATE_DOMAIN, "edgener", &domain);
    ort::check(api, ort::DOMAIN_ADD, domain, &encoder_layer_operator());
    ort::check(api, ort::ADD_DOMAIN, options, domain);
  });
}

// Names of the sets that this CPU can run, the best first, with a space after each.
extern "C" __attribute__((visibility("default"))) const char* EdgenerInstructionSets() {
  static const std::string names = [] {
    std::string found;
    for (const Kernels* kernels : supported_kernels()) found += std::string(kernels->name) + " ";
    return found;
  }();
  return names.c_str();
}
