// Every step of an encoder layer in terms of Lanes and Dot, which the file that includes this one has defined.
#pragma once
#include "kernels.h"
//
#include "activation.h"
#include "rows.h"
//
#include "attention.h"
#include "product.h"

namespace edgener {
namespace {
constexpr Kernels table(const char* name, bool (*supported)()) {
  return {name,    supported, size_t(Dot::ROWS), Dot::BYTES_PER_ELEMENT, &quantise, &product, &exact_sums,
          &attend, &residual_norm};
}
}  // namespace
}  // namespace edgener
