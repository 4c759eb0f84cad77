// The kernels of one instruction set; built once for each (see simd.h).
#include "simd.h"

#include "map.h"
#ifndef __wasm__
#include "map_code.h"
#endif
#include "move.h"
#include "peak.h"
#include "window.h"
#if __has_include("product.h")
#include "product.h"
#endif

namespace fewbit {
namespace FEWBIT_ISA {

static Plan plan(const Instruction& instruction) {
  switch (instruction.kind) {
    case MAP: return planMap(instruction.map);
#if __has_include("product.h")
    case PRODUCT: return planProduct(instruction.product);
#endif
    case WINDOW: return planWindow(instruction.window);
    case MOVE: return planMove(instruction.move);
    default: return {};
  }
}

static void run(const Instruction& instruction, const Memory& memory, int32_t phase, int64_t chunk, Work work) {
  switch (instruction.kind) {
    case MAP: return runMap(instruction.map, memory, phase, chunk, work);
#if __has_include("product.h")
    case PRODUCT: return runProduct(instruction.product, memory, phase, chunk, work);
#endif
    case WINDOW: return runWindow(instruction.window, memory, phase, chunk, work);
    case MOVE: return runMove(instruction.move, memory, phase, chunk, work);
    default: return;
  }
}

#ifdef __wasm__
static size_t compile(const MapInstruction&, unsigned char*, size_t) { return 0; }
#else
static size_t compile(const MapInstruction& map, unsigned char* to, size_t room) { return compileMap(map, to, room); }
#endif

}  // namespace FEWBIT_ISA

#define FEWBIT_JOIN(a, b) a##b
#define FEWBIT_NAME(isa, suffix) FEWBIT_JOIN(isa, suffix)
const Kernels FEWBIT_NAME(FEWBIT_ISA, Kernels) = {FEWBIT_ISA::plan, FEWBIT_ISA::run, FEWBIT_ISA::compile};
#ifndef __wasm__
const MultiplyAdds FEWBIT_NAME(FEWBIT_ISA, MultiplyAdds) = {FEWBIT_ISA::multiplyAdd, FEWBIT_ISA::LANES * 2 * 12};
#ifdef __AVX512BF16__
const MultiplyAdds FEWBIT_NAME(FEWBIT_ISA, Pairs) = {FEWBIT_ISA::multiplyAddPairs, FEWBIT_ISA::LANES * 4 * 12};
#endif
#endif

}  // namespace fewbit
