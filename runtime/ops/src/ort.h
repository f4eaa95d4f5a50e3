// What is used of onnxruntime's C API (version 23: onnxruntime 1.23 and later), without its headers.
//
// The API is a table of functions that only ever grows, so places stay. tests/test_versions.py runs it on old and new.
#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace edgener::ort {

using Status = void*;
struct Api {
  void* entry[300];
};
struct ApiBase {
  const Api* (*get_api)(uint32_t version);
  const char* (*version_string)();
};
constexpr uint32_t VERSION = 23;

enum Entry {  // place in OrtApi
  CREATE_STATUS = 0,
  ERROR_MESSAGE = 2,
  CREATE_DOMAIN = 26,
  DOMAIN_ADD = 27,
  ADD_DOMAIN = 28,
  TENSOR_DATA = 51,
  ELEMENT_TYPE = 60,
  DIMENSIONS_COUNT = 61,
  DIMENSIONS = 62,
  TYPE_AND_SHAPE = 65,
  ATTRIBUTE_FLOAT = 85,
  ATTRIBUTE_INT = 86,
  ATTRIBUTE_STRING = 87,
  INPUT = 90,
  OUTPUT = 91,
  RELEASE_STATUS = 93,
  RELEASE_TYPE_AND_SHAPE = 99,
  CONSTANT_INPUT = 249,
  PARALLEL_FOR = 274,
};
enum ElementType { FLOAT = 1, INT8 = 3, INT64 = 7 };
constexpr int INVALID_ARGUMENT = 2;

struct CustomOp {  // OrtCustomOp
  uint32_t version;
  void* (*create_kernel)(const CustomOp*, const Api*, const void* info);
  const char* (*name)(const CustomOp*);
  const char* (*provider)(const CustomOp*);
  int (*input_type)(const CustomOp*, size_t);
  size_t (*input_count)(const CustomOp*);
  int (*output_type)(const CustomOp*, size_t);
  size_t (*output_count)(const CustomOp*);
  void (*compute)(void* kernel, void* context);
  void (*destroy)(void* kernel);
  int (*input_characteristic)(const CustomOp*, size_t);
  int (*output_characteristic)(const CustomOp*, size_t);
  int (*input_memory)(const CustomOp*, size_t);
  int (*variadic_input_min)(const CustomOp*);
  int (*variadic_input_homogeneous)(const CustomOp*);
  int (*variadic_output_min)(const CustomOp*);
  int (*variadic_output_homogeneous)(const CustomOp*);
  Status (*create_kernel_v2)(const CustomOp*, const Api*, const void* info, void** kernel);
  Status (*compute_v2)(void* kernel, void* context);
  Status (*infer_shape)(const CustomOp*, void*);
  int (*start_version)(const CustomOp*);
  int (*end_version)(const CustomOp*);
  size_t (*may_inplace)(int**, int**);
  void (*release_may_inplace)(int*, int*);
  size_t (*alias_map)(int**, int**);
  void (*release_alias_map)(int*, int*);
};

template <class... Arguments>
Status call(const Api* api, Entry entry, Arguments... arguments) {
  return reinterpret_cast<Status (*)(Arguments...)>(api->entry[entry])(arguments...);
}
template <class... Arguments>
void release(const Api* api, Entry entry, Arguments... arguments) {
  reinterpret_cast<void (*)(Arguments...)>(api->entry[entry])(arguments...);
}

// As `call`, but what the API reports is thrown.
template <class... Arguments>
void check(const Api* api, Entry entry, Arguments... arguments) {
  const Status status = call(api, entry, arguments...);
  if (!status) return;
  const std::string message = reinterpret_cast<const char* (*)(const void*)>(api->entry[ERROR_MESSAGE])(status);
  release(api, RELEASE_STATUS, status);
  throw std::runtime_error(message);
}

// Runs `body`; what it throws becomes a status.
template <class Body>
Status guarded(const Api* api, const Body& body) {
  try {
    body();
    return nullptr;
  } catch (const std::exception& error) {
    return call(api, CREATE_STATUS, INVALID_ARGUMENT, error.what());
  }
}

struct Tensor {
  void* data = nullptr;
  std::vector<int64_t> shape;

  Tensor(const Api* api, const void* value) {
    void* info = nullptr;
    size_t rank = 0;
    check(api, TYPE_AND_SHAPE, value, &info);
    check(api, DIMENSIONS_COUNT, static_cast<const void*>(info), &rank);
    shape.resize(rank);
    check(api, DIMENSIONS, static_cast<const void*>(info), shape.data(), rank);
    release(api, RELEASE_TYPE_AND_SHAPE, info);
    check(api, TENSOR_DATA, const_cast<void*>(value), &data);
  }
  template <class T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
};

}  // namespace edgener::ort
