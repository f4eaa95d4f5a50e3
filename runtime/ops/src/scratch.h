// Memory for intermediate results: one set of buffers per thread, which grow and are used again.
#pragma once
#include <cstdlib>
#include <memory>
#include <new>

#include "kernels.h"

namespace edgener {

template <class T>
class Buffer {
 public:
  T* at_least(size_t count) {
    if (count > count_) {
      data_.reset(static_cast<T*>(std::aligned_alloc(64, ceil_div(count * sizeof(T), 64) * 64)));
      count_ = data_ ? count : 0;
      if (!data_) throw std::bad_alloc();
    }
    return data_.get();
  }

 private:
  struct Free {
    void operator()(T* data) const { std::free(data); }
  };
  std::unique_ptr<T, Free> data_;
  size_t count_ = 0;
};

class QuantisedBuffer {
 public:
  Quantised at_least(const Kernels& kernels, size_t rows, size_t width) {
    const size_t stride = row_stride(kernels, width);
    return {bytes_.at_least(rows * stride), scale_.at_least(rows), zero_.at_least(rows), stride};
  }

 private:
  Buffer<uint8_t> bytes_;
  Buffer<float> scale_;
  Buffer<int32_t> zero_;
};

}  // namespace edgener
