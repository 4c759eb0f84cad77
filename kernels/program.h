// A Program as the kernels see it, and the interface between executor and kernels.
//
// This header is compiled into every instruction set's translation unit, so it has no functions
// with external linkage and includes no standard-library C++ header.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "map_ops.h"

namespace fewbit {

enum Segment : int32_t { CONSTANTS, STATE, INPUTS, OUTPUTS, SCRATCH, SEGMENTS };
enum Storage : int32_t { F32, I32, I16, U8, S8, BF16 };  // a stored integer means just that number
enum Kind : int32_t { MAP, PRODUCT, WINDOW, MOVE };

// Which axes of [sample, position, channel] a value has: 4 + 2 + 1, as in src/runtime/program.ts.
struct Operand {
  int32_t segment, storage, axes;
  int64_t offset;  // bytes
};

#define FEWBIT_NAME(name, value) name,
enum MapOp : int32_t { FEWBIT_MAP_OPS(FEWBIT_NAME, FEWBIT_NAME, FEWBIT_NAME) };
#undef FEWBIT_NAME
enum Reduction : int32_t { NONE, SUM, REDUCE_MAX, MOMENTS };

// A register operation. Slots number the operands first, then `registers` block-sized registers,
// then the results: a stored result whose slot is its own is written where it belongs by an
// operation. An operation may write a register that it also reads.
struct MapOperation {
  int32_t op, destination, a, b, c;
};
struct MapResult {
  Operand to;
  int32_t slot, reduction;
};
// Machine code that runs a map over so many adjacent blocks of `length` elements (map_code.h). `pointers`
// has one a slot, of which the code uses those of operands and results with all axes; `count` blocks
// lie in the lanes of the reductions before.
typedef void (*MapCode)(char* const* pointers, float* buffers, int64_t blocks, int64_t length, int64_t count, float* lanes);

struct MapInstruction {
  int64_t samples, positions, channels;
  int32_t operandCount, operationCount, resultCount, registers;
  const Operand* operands;
  const MapOperation* operations;
  const MapResult* results;
  MapCode code;  // null where the map is interpreted
};

struct Geometry {
  int64_t images, height, width, channels;
  int64_t kernelHeight, kernelWidth, strideHeight, strideWidth, paddingHeight, paddingWidth;
  int64_t outHeight, outWidth, outChannels;
};

enum ProductOp : int32_t { CONVOLUTION, CONVOLUTION_INPUT_GRADIENT, CONVOLUTION_FILTER_GRADIENT };
struct ProductInstruction {
  int32_t op;
  Geometry geometry;
  // x, w, y; g, w, dx; x, g, dw. x may be U8 or S8 (in CONVOLUTION with S8 w and integer y). g may be BF16, and then
  // the other operand's values are exact in bfloat16.
  Operand a, b, out;
};

enum WindowOp : int32_t {
  WINDOW_SUM,
  WINDOW_MAX,
  WINDOW_SUM_GRADIENT,
  WINDOW_MAX_GRADIENT,
  DEPTHWISE,
  DEPTHWISE_INPUT_GRADIENT,
  DEPTHWISE_FILTER_GRADIENT
};
struct WindowInstruction {
  int32_t op;
  Geometry geometry;
  Operand a, b, out;  // b for WINDOW_MAX_GRADIENT: x, g, dx; and depthwise: x, w, y; g, w, dx; x, g, dw
};

enum MoveOp : int32_t { COPY, RANDOM };
struct MoveInstruction {
  int32_t op, rank, stream;
  Operand from, to;
  int64_t toElements;
  int64_t extents[8], fromStrides[8], toStrides[8];  // elements
};

struct Instruction {
  Kind kind;
  union {
    MapInstruction map;
    ProductInstruction product;
    WindowInstruction window;
    MoveInstruction move;
  };
};

// The base address of each segment.
struct Memory {
  char* base[SEGMENTS];
  char* at(const Operand& operand) const { return base[operand.segment] + operand.offset; }
  float* f32(const Operand& operand) const { return reinterpret_cast<float*>(at(operand)); }
};

// Memory for one instruction beside its operands, 64-byte aligned, contents undefined at the start:
// `shared` by all threads for all phases (packed weights, partial sums), `own` by one thread for one chunk.
struct Work {
  char* shared;
  char* own;
};

// An instruction runs as a few phases, one after the other; the chunks of a phase run on any thread
// in any order. Phases and chunks depend on shapes only, never on the number of threads or the
// instruction set: that is what makes results equal to the bit.
enum { MAX_PHASES = 4 };
// Most kernels cut a phase into at most so many chunks, so that more threads would have nothing to do.
enum { MOST_THREADS = 64 };
struct Plan {
  int32_t phases;
  int64_t chunks[MAX_PHASES];
  int64_t sharedBytes, ownBytes;  // may be more than WebAssembly can address
};

// A chunk of a phase, and the memory that it works in.
struct Chunk {
  int32_t phase;
  int64_t index;
  Work work;
};

struct Kernels {
  Plan (*plan)(const Instruction&);
  void (*run)(const Instruction&, const Memory&, const Chunk&);
  // Writes machine code for a map that may lie at any address. Gives its bytes, or 0 where the map must be
  // interpreted or `room` is too little.
  size_t (*compile)(const MapInstruction&, unsigned char* to, size_t room);
};

// One table per instruction set, each in its own translation unit (isa.cpp) and namespace.
extern const Kernels avx2Kernels;
extern const Kernels avx2vnniKernels;
extern const Kernels avx512Kernels;
extern const Kernels avx512vnniKernels;
extern const Kernels avx512bf16Kernels;
extern const Kernels simd128Kernels;

}  // namespace fewbit
