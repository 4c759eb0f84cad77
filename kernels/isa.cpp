// The kernels of one instruction set as a table, with windows, moves, images in other sizes and the probe; built once for
// each set (see simd.h).
#include "simd.h"

#include "depthwise.h"
#include "isa.h"
#include "move.h"
#include "peak.h"
#include "resample.h"
#include "window.h"

namespace fewbit {
namespace FEWBIT_ISA {

static Plan plan(const Instruction& instruction) {
  switch (instruction.kind) {
    case MAP: return planOf(instruction.map);
    case PRODUCT: return planOf(instruction.product);
    case WINDOW: return isDepthwise(instruction.window) ? planDepthwise(instruction.window) : planWindow(instruction.window);
    case MOVE: return planMove(instruction.move);
    default: return {};
  }
}

static void run(const Instruction& instruction, const Memory& memory, const Chunk& chunk) {
  switch (instruction.kind) {
    case MAP: return runChunkOf(instruction.map, memory, chunk);
    case PRODUCT: return runChunkOf(instruction.product, memory, chunk);
    case WINDOW:
      return isDepthwise(instruction.window) ? runDepthwise(instruction.window, memory, chunk)
                                             : runWindow(instruction.window, memory, chunk);
    case MOVE: return runMove(instruction.move, memory, chunk);
    default: return;
  }
}

}  // namespace FEWBIT_ISA

#define FEWBIT_JOIN(a, b) a##b
#define FEWBIT_NAME(isa, suffix) FEWBIT_JOIN(isa, suffix)
const Kernels FEWBIT_NAME(FEWBIT_ISA, Kernels) = {FEWBIT_ISA::plan, FEWBIT_ISA::run, FEWBIT_ISA::codeOf};
#ifndef __wasm__
const Resample FEWBIT_NAME(FEWBIT_ISA, Resample) = FEWBIT_ISA::resample;
const MultiplyAdds FEWBIT_NAME(FEWBIT_ISA, MultiplyAdds) = {FEWBIT_ISA::multiplyAdd, FEWBIT_ISA::LANES * 2 * 12};
#ifdef __AVX512BF16__
const MultiplyAdds FEWBIT_NAME(FEWBIT_ISA, Pairs) = {FEWBIT_ISA::multiplyAddPairs, FEWBIT_ISA::LANES * 4 * 12};
#endif
#endif

}  // namespace fewbit
