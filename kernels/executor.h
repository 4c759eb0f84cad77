// Runs encoded Programs (src/runtime/encode.ts) on a table of kernels.
#pragma once
#include <memory>
#include <vector>

#include "code_memory.h"
#include "pool.h"
#include "program.h"

namespace fewbit {

class Executable {
 public:
  // Decodes the words, which are copied, plans every instruction for `threads` threads, and translates maps
  // to machine code, unless `interpret`. Throws std::runtime_error where they are not a program.
  Executable(const int32_t* words, size_t count, const Kernels& kernels, int threads, bool interpret);

  int threads() const { return static_cast<int>(threads_); }
  size_t instructions() const { return steps_.size(); }
  int64_t segmentBytes(int segment) const { return bytes_[segment]; }

  // Memory that `run` needs beside the segments, 64-byte aligned.
  int64_t workBytes() const { return sharedBytes_ + threads_ * ownBytes_; }

  // Runs every instruction once. `nanoseconds`, if given, has a number for each, to which its time is added.
  void run(const Memory& memory, char* work, Pool& pool, double* nanoseconds) const;

 private:
  void translateMaps();

  struct Step {
    Instruction instruction;
    Plan plan;
  };
  const Kernels& kernels_;
  const int64_t threads_;
  int64_t bytes_[SEGMENTS];
  std::vector<Step> steps_;
  std::vector<std::unique_ptr<char[]>> arrays_;  // what map instructions point to
  CodeMemory code_;
  int64_t sharedBytes_ = 0, ownBytes_ = 0;
};

}  // namespace fewbit
