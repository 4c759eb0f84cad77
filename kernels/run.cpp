// Runs programs that src/runtime/dump.ts wrote, without Node, so that sanitizers can watch them:
//   run THREADS INSTRUCTION-SET RESULT FILE...
// RESULT receives each program's state and outputs. Every segment and the work memory is an
// allocation of its own.
#include <stdlib.h>
#include <string.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <vector>

#include "executor.h"
#include "instruction_sets.h"

namespace {

using namespace fewbit;

struct Free {
  void operator()(char* p) const { free(p); }
};
using Buffer = std::unique_ptr<char[], Free>;

// Scratch and work memory hold nothing useful at the start; a pattern of NaNs shows a read of it.
Buffer allocate(size_t bytes) {
  void* data = nullptr;
  if (posix_memalign(&data, 64, bytes ? bytes : 1) != 0) throw std::runtime_error("out of memory");
  memset(data, 0xff, bytes);
  return Buffer(static_cast<char*>(data));
}

void read(std::ifstream& file, void* to, size_t bytes) {
  if (!file.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes))) {
    throw std::runtime_error("the file is missing or cut short");
  }
}

void run(const char* path, Pool& pool, const Kernels& kernels, std::ofstream& result) {
  std::ifstream file(path, std::ios::binary);
  int32_t count = 0;
  read(file, &count, sizeof count);
  std::vector<int32_t> words(count);
  read(file, words.data(), count * sizeof(int32_t));
  const Executable executable(words.data(), words.size(), kernels, pool.threads(), getenv("FEWBIT_INTERPRET") != nullptr);

  Buffer segments[SEGMENTS];
  Memory memory;
  for (int i = 0; i < SEGMENTS; i++) {
    segments[i] = allocate(executable.segmentBytes(i));
    memory.base[i] = segments[i].get();
  }
  for (const Segment given : {CONSTANTS, STATE, INPUTS}) read(file, memory.base[given], executable.segmentBytes(given));
  const Buffer work = allocate(executable.workBytes());
  executable.run(memory, work.get(), pool, nullptr);

  for (const Segment written : {STATE, OUTPUTS}) result.write(memory.base[written], executable.segmentBytes(written));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: run THREADS INSTRUCTION-SET RESULT FILE...\n");
    return 2;
  }
  Pool pool(atoi(argv[1]));
  std::ofstream result(argv[3], std::ios::binary);
  for (int i = 4; i < argc; i++) {
    fprintf(stderr, "%s\n", argv[i]);  // so that a report names its program
    try {
      run(argv[i], pool, instructionSet(argv[2]).kernels, result);
    } catch (const std::exception& error) {
      fprintf(stderr, "%s\n", error.what());
      return 1;
    }
  }
  return result.flush() ? 0 : 1;
}
