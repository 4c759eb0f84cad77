// What the test programs share: values of any storage, running an instruction, and counting checks.
#pragma once
#include <stdlib.h>
#include <string.h>

#include <cstdio>
#include <random>
#include <vector>

#include "instruction_sets.h"

namespace fewbit {

using Random = std::mt19937;

// Values as they are stored, in an allocation that ends where they end, so that sanitizers see overruns.
struct Values {
  Storage storage;
  int64_t count;
  std::vector<char> bytes;

  // Filled with a pattern that is NaN in f32.
  Values(Storage s, int64_t n) : storage(s), count(n), bytes(n * size(s), char(0xff)) {}

  static int64_t size(Storage storage) {
    return storage == U8 || storage == S8 ? 1 : storage == I16 || storage == BF16 ? 2 : 4;
  }
  template <typename T>
  T* as() {
    return reinterpret_cast<T*>(bytes.data());
  }
  template <typename T>
  const T* as() const {
    return reinterpret_cast<const T*>(bytes.data());
  }
  double get(int64_t i) const {
    switch (storage) {
      case F32: return as<float>()[i];
      case I32: return as<int32_t>()[i];
      case I16: return as<int16_t>()[i];
      case U8: return as<uint8_t>()[i];
      case BF16: {
        const uint32_t bits = uint32_t(as<uint16_t>()[i]) << 16;
        float value;
        memcpy(&value, &bits, sizeof value);
        return value;
      }
      default: return as<int8_t>()[i];
    }
  }
  std::vector<double> numbers() const {
    std::vector<double> all(count);
    for (int64_t i = 0; i < count; i++) all[i] = get(i);
    return all;
  }
  void set(int64_t i, double value) {
    switch (storage) {
      case F32: as<float>()[i] = float(value); break;
      case I32: as<int32_t>()[i] = int32_t(value); break;
      case I16: as<int16_t>()[i] = int16_t(value); break;
      case U8: as<uint8_t>()[i] = uint8_t(value); break;
      case BF16: as<uint16_t>()[i] = upperHalf(float(value)); break;
      default: as<int8_t>()[i] = int8_t(value);
    }
  }
  // Towards zero, so that what is exact stays as it is.
  static uint16_t upperHalf(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return uint16_t(bits >> 16);
  }
  void fillUniform(Random& random) {
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (int64_t i = 0; i < count; i++) set(i, uniform(random));
  }
  void fillLattice(Random& random, int low, int high) {
    std::uniform_int_distribution<int> uniform(low, high);
    for (int64_t i = 0; i < count; i++) set(i, uniform(random));
  }
};

// One instruction with work memory of its own.
class Runner {
 public:
  Runner(const Instruction& instruction, const Memory& memory, const Kernels& kernels)
      : kernels_(kernels), instruction_(instruction), memory_(memory), plan_(kernels.plan(instruction)) {
    shared_ = allocate(plan_.sharedBytes);
    own_ = allocate(plan_.ownBytes);
  }
  ~Runner() {
    free(shared_);
    free(own_);
  }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // With `backwards`, chunks in reverse order and with fresh memory: their order must not matter.
  void run(bool backwards = false) {
    for (int phase = 0; phase < plan_.phases; phase++)
      for (int64_t i = 0; i < plan_.chunks[phase]; i++) {
        if (backwards) memset(own_, 0xff, plan_.ownBytes);
        const int64_t chunk = backwards ? plan_.chunks[phase] - 1 - i : i;
        kernels_.run(instruction_, memory_, {phase, chunk, {shared_, own_}});
      }
  }

 private:
  static char* allocate(size_t bytes) {
    void* p = nullptr;
    if (posix_memalign(&p, 64, bytes ? bytes : 1)) abort();
    memset(p, 0xff, bytes);
    return static_cast<char*>(p);
  }
  const Kernels& kernels_;
  const Instruction instruction_;
  const Memory memory_;
  const Plan plan_;
  char *shared_, *own_;
};

inline const char* const storageNames[] = {"f32", "i32", "i16", "u8", "s8", "bf16"};

struct Counts {
  int passed = 0, failed = 0;
  // Counts a check and gives whether it failed.
  bool fails(bool right) {
    (right ? passed : failed)++;
    return !right;
  }
  int report(const char* program) const {
    printf("%s: %d passed, %d failed\n", program, passed, failed);
    return failed > 0;
  }
};

}  // namespace fewbit
