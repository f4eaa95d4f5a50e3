// Which of the tables that were compiled in this CPU can run.
#pragma once
#include <vector>

#include "kernels.h"

namespace edgener {

// The best first, and without the portable one, which is for tests.
std::vector<const Kernels*> supported_kernels();

const Kernels& best_kernels();  // throws where there is none

}  // namespace edgener
