// The operator edgener.EncoderLayer: its inputs checked and read into a Layer when a session is made.
#pragma once
#include "ort.h"

namespace edgener {

const ort::CustomOp& encoder_layer_operator();

}  // namespace edgener
