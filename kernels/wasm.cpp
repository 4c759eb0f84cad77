// The kernels in WebAssembly: one loaded program in linear memory, and the memory functions that a
// C library would bring. src/runtime/wasm.ts is the only caller and has checked the program.
//
// Memory, upwards: the stack, the module's data, then blocks in the order in which they were allocated.
#include "decoder.h"

#define EXPORT(name) extern "C" __attribute__((export_name(#name), visibility("default")))

extern "C" {

void* memset(void* to, int byte, size_t bytes) {
  char* t = static_cast<char*>(to);
  for (size_t i = 0; i < bytes; i++) t[i] = static_cast<char>(byte);
  return to;
}

// Backwards where the target begins inside the source.
void* memmove(void* to, const void* from, size_t bytes) {
  char* t = static_cast<char*>(to);
  const char* f = static_cast<const char*>(from);
  if (static_cast<size_t>(t - f) < bytes) {
    while (bytes-- > 0) t[bytes] = f[bytes];
  } else {
    for (size_t i = 0; i < bytes; i++) t[i] = f[i];
  }
  return to;
}

void* memcpy(void* to, const void* from, size_t bytes) { return memmove(to, from, bytes); }

extern char __heap_base;  // the linker's: the first byte after the module's data
}

namespace {

using namespace fewbit;

constexpr size_t alignment = 64, page = 65536;
// The kernels read and write whole vectors at a block's end.
constexpr size_t slack = 64;

struct Step {
  Instruction instruction;
  Plan plan;
};

size_t used = 0;  // blocks end here
Step* steps = nullptr;
int64_t sharedBytes = 0, ownBytes = 0;
char* work = nullptr;
Memory memory;

int64_t roundUp(int64_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

}  // namespace

// Frees all blocks.
EXPORT(reset) void reset() { used = static_cast<size_t>(roundUp(reinterpret_cast<size_t>(&__heap_base))); }

// A block of its own, 64-byte aligned, contents undefined. Traps where memory cannot grow so far.
EXPORT(allocate) void* allocate(size_t bytes) {
  const size_t block = used, have = __builtin_wasm_memory_size(0);
  const uint64_t end = uint64_t{block} + roundUp(bytes), pages = (end + slack + page - 1) / page;
  if (pages > have && (pages > 65536 || __builtin_wasm_memory_grow(0, pages - have) == SIZE_MAX)) __builtin_trap();
  used = static_cast<size_t>(end);
  return reinterpret_cast<void*>(block);
}

// Decodes and plans a program of so many words, which it no longer needs then. Gives what is wrong with it, or null.
EXPORT(load) const char* load(const int32_t* words, size_t count) {
  struct {
    void* allocate(size_t bytes) { return ::allocate(bytes); }
  } arena;
  Decoder<decltype(arena)> decoder(words, count, arena);
  int64_t bytes[SEGMENTS];
  const int32_t instructions = decoder.start(bytes);
  steps = static_cast<Step*>(allocate(instructions * sizeof(Step)));
  for (int32_t i = 0; i < instructions; i++) steps[i].instruction = decoder.instruction();
  decoder.finish();
  if (decoder.problem()) return decoder.problem();
  sharedBytes = ownBytes = 0;
  for (int32_t i = 0; i < instructions; i++) {
    const Plan plan = steps[i].plan = simd128Kernels.plan(steps[i].instruction);
    if (plan.sharedBytes > sharedBytes) sharedBytes = roundUp(plan.sharedBytes);
    if (plan.ownBytes > ownBytes) ownBytes = plan.ownBytes;
  }
  return nullptr;
}

// The work memory that the program needs; it may be more than there can be.
EXPORT(workBytes) double workBytes() { return static_cast<double>(sharedBytes + ownBytes); }

// Says where a segment of the program lies; the work memory is the one after the last.
EXPORT(place) void place(int32_t segment, char* base) { (segment == SEGMENTS ? work : memory.base[segment]) = base; }

// Runs one instruction.
EXPORT(run) void run(int32_t index) {
  const Step& step = steps[index];
  const Work parts{work, work + static_cast<size_t>(sharedBytes)};
  for (int32_t phase = 0; phase < step.plan.phases; phase++) {
    for (int64_t chunk = 0; chunk < step.plan.chunks[phase]; chunk++) {
      simd128Kernels.run(step.instruction, memory, {phase, chunk, parts});
    }
  }
}
