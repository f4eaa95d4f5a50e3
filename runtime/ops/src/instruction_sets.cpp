#include "instruction_sets.h"

#include <stdexcept>

#include "sets/sets.h"

namespace edgener {

std::vector<const Kernels*> supported_kernels() {
  std::vector<const Kernels*> found;
  for (const Kernels* kernels : BUILT)
    if (kernels != &PORTABLE && kernels->supported()) found.push_back(kernels);
  return found;
}

const Kernels& best_kernels() {
  const auto found = supported_kernels();
  if (found.empty()) throw std::runtime_error("edgener-ops: this CPU has none of the instruction sets it was built for");
  return *found.front();
}

}  // namespace edgener
