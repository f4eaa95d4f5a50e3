// No instruction set: the reference that tests compare with, never chosen to run.
#include "../lanes/portable.h"
#include "../dot/portable.h"
#include "../steps.h"
#include "sets.h"

namespace edgener {
namespace {
bool supported() {
  return true;
}
}  // namespace
const Kernels PORTABLE = table("portable", supported);
}  // namespace edgener
