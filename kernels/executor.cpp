#include "executor.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

#include "decoder.h"

namespace fewbit {

// What instructions point to lives as long as the executable.
struct Arena {
  std::vector<std::unique_ptr<char[]>>& arrays;
  void* allocate(size_t bytes) {
    arrays.emplace_back(new char[bytes]);
    return arrays.back().get();
  }
};

static int64_t roundUp(int64_t bytes) { return (bytes + 63) / 64 * 64; }

Executable::Executable(const int32_t* words, size_t count, const Kernels& kernels, int threads, bool interpret)
    : kernels_(kernels), threads_(threads) {
  Arena arena{arrays_};
  Decoder<Arena> decoder(words, count, arena);
  steps_.resize(decoder.start(bytes_));
  for (Step& step : steps_) step.instruction = decoder.instruction();
  decoder.finish();
  if (decoder.problem()) throw std::runtime_error(decoder.problem());
  for (Step& step : steps_) {
    step.plan = kernels.plan(step.instruction);
    sharedBytes_ = std::max(sharedBytes_, roundUp(step.plan.sharedBytes));
    ownBytes_ = std::max(ownBytes_, roundUp(step.plan.ownBytes));
  }
  if (!interpret) translateMaps();
}

void Executable::translateMaps() {
  constexpr size_t room = 1 << 16;
  const std::unique_ptr<unsigned char[]> code(new unsigned char[room]);
  std::vector<std::pair<MapInstruction*, size_t>> translated;
  for (Step& step : steps_) {
    if (step.instruction.kind != MAP) continue;
    MapInstruction& map = step.instruction.map;
    const size_t bytes = kernels_.compile(map, code.get(), room);
    if (bytes > 0) translated.push_back({&map, code_.add(code.get(), bytes)});
  }
  char* const start = code_.seal();
  if (!start) return;
  for (const auto& [map, offset] : translated) map->code = reinterpret_cast<MapCode>(start + offset);
}

void Executable::run(const Memory& memory, char* work, Pool& pool, double* nanoseconds) const {
  using Clock = std::chrono::steady_clock;
  Clock::time_point start = Clock::now();
  for (size_t i = 0; i < steps_.size(); i++) {
    const Step& step = steps_[i];
    for (int32_t phase = 0; phase < step.plan.phases; phase++) {
      pool.run(step.plan.chunks[phase], [&](int64_t chunk, int thread) {
        kernels_.run(step.instruction, memory, {phase, chunk, {work, work + sharedBytes_ + thread * ownBytes_}});
      });
    }
    if (nanoseconds) {
      const Clock::time_point end = Clock::now();
      nanoseconds[i] += std::chrono::duration<double, std::nano>(end - start).count();
      start = end;
    }
  }
}

}  // namespace fewbit
