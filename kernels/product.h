// Products: NHWC convolutions, their two gradients, and matrix products as 1x1 convolutions.
//
// An output of the f32 forward product is one chain of fused multiply-adds from zero in the order
// (kernel row, column, channel). How each of the others is summed depends on shapes only. The
// forward product of codes is exact. A gradient in bfloat16 is multiplied by instruction sets that have
// it, and by no others (`src/runtime/native.ts` sees to that).
#pragma once
#include "product_bf16_filter_gradient.h"
#include "product_bf16_input_gradient.h"
#include "product_f32_filter_gradient.h"
#include "product_forward.h"
#include "product_input_gradient.h"
#include "product_integer.h"
#include "product_matrix.h"

namespace fewbit {
namespace FEWBIT_ISA {

static bool isMatrix(const Geometry& g) {
  return g.kernelHeight * g.kernelWidth == 1 && g.strideHeight * g.strideWidth == 1 && !padded(g);
}

// A matrix product's pixels as one column of an image, so that bands of rows cut it.
static Geometry asColumn(Geometry g) {
  g.height = g.outHeight = g.images * g.height * g.width;
  g.images = g.width = g.outWidth = 1;
  return g;
}

static Matrix forwardMatrix(const Geometry& g) { return {g.images * g.height * g.width, g.channels, g.outChannels, false}; }
static Matrix inputGradientMatrix(const Geometry& g) {
  return {g.images * g.height * g.width, g.outChannels, g.channels, true};
}

// The input gradient is a convolution of the output gradient with flipped weights, for a stride of
// 1 and padding of at most the kernel; it computes height * width outputs for outHeight * outWidth
// products, so that gathering is better for unpadded large kernels.
static bool flips(const Geometry& g) {
  return g.strideHeight * g.strideWidth == 1 && g.paddingHeight < g.kernelHeight && g.paddingWidth < g.kernelWidth &&
         g.height * g.width * 5 <= g.outHeight * g.outWidth * 6;
}
static Geometry flippedGeometry(Geometry g) {
  const Geometry from = g;
  g.height = from.outHeight;
  g.width = from.outWidth;
  g.channels = from.outChannels;
  g.paddingHeight = from.kernelHeight - 1 - from.paddingHeight;
  g.paddingWidth = from.kernelWidth - 1 - from.paddingWidth;
  g.outHeight = from.height;
  g.outWidth = from.width;
  g.outChannels = from.channels;
  return g;
}

static bool isInteger(const ProductInstruction& p) { return p.op == CONVOLUTION && p.a.storage != F32; }
static IntegerProduct integerProduct(const ProductInstruction& p) {
  return {isMatrix(p.geometry) ? asColumn(p.geometry) : p.geometry, p.a.storage == S8, p.out.storage == I16};
}

static bool isBf16(const ProductInstruction& p) { return (p.op == CONVOLUTION_INPUT_GRADIENT ? p.a : p.b).storage == BF16; }
#if defined(__AVX512BF16__)
// A matrix product's pixels as one row of an image, so that its pairs are of neighbours.
static Geometry asRow(Geometry g) {
  g.width = g.outWidth = g.images * g.height * g.width;
  g.images = g.height = g.outHeight = 1;
  return g;
}
static Plan planBf16(const ProductInstruction& p) {
  const bool matrix = isMatrix(p.geometry);
  if (p.op == CONVOLUTION_INPUT_GRADIENT) return planInputGradientBf16(matrix ? asColumn(p.geometry) : p.geometry);
  return planFilterBf16(matrix ? asRow(p.geometry) : p.geometry);
}
static void runBf16(const ProductInstruction& p, const Memory& memory, const Chunk& chunk) {
  const bool matrix = isMatrix(p.geometry);
  float* const out = memory.f32(p.out);
  if (p.op == CONVOLUTION_INPUT_GRADIENT) {
    const Geometry g = matrix ? asColumn(p.geometry) : p.geometry;
    return runInputGradientBf16(g, (const Bf16*)memory.at(p.a), memory.f32(p.b), out, chunk);
  }
  const Geometry g = matrix ? asRow(p.geometry) : p.geometry;
  runFilter(Pairs{g, {memory.at(p.a), p.a.storage}, (const Bf16*)memory.at(p.b)}, out, chunk);
}
#else
static Plan planBf16(const ProductInstruction&) { return {}; }
static void runBf16(const ProductInstruction&, const Memory&, const Chunk&) {}
#endif

static Plan planProduct(const ProductInstruction& p) {
  const Geometry& g = p.geometry;
  if (isBf16(p)) return planBf16(p);
  if (isInteger(p)) return planInteger(integerProduct(p));
  switch (p.op) {
    case CONVOLUTION: return isMatrix(g) ? planMatrix(forwardMatrix(g)) : planForward({g, false});
    case CONVOLUTION_INPUT_GRADIENT:
      if (isMatrix(g)) return planMatrix(inputGradientMatrix(g));
      return flips(g) ? planForward({flippedGeometry(g), true}) : planGather(g);
    default: return planFilter(isMatrix(g) ? asColumn(g) : g, p.a.storage);
  }
}

static void runProduct(const ProductInstruction& p, const Memory& memory, const Chunk& chunk) {
  const Geometry& g = p.geometry;
  if (isBf16(p)) return runBf16(p, memory, chunk);
  if (isInteger(p))
    return runInteger(integerProduct(p), (const uint8_t*)memory.at(p.a), (const int8_t*)memory.at(p.b), memory.at(p.out),
                      chunk);
  const float *a = memory.f32(p.a), *b = memory.f32(p.b);
  float* out = memory.f32(p.out);
  switch (p.op) {
    case CONVOLUTION:
      if (isMatrix(g)) return runMatrix(forwardMatrix(g), a, b, out, chunk);
      return runForward({g, false}, a, b, out, chunk);
    case CONVOLUTION_INPUT_GRADIENT:
      if (isMatrix(g)) return runMatrix(inputGradientMatrix(g), a, b, out, chunk);
      if (flips(g)) return runForward({flippedGeometry(g), true}, a, b, out, chunk);
      return runGather(g, a, b, out, chunk);
    default: {
      const Geometry images = isMatrix(g) ? asColumn(g) : g;
      return runFilter(Floats{images, {memory.at(p.a), p.a.storage}, b}, out, chunk);
    }
  }
}

}  // namespace FEWBIT_ISA
}  // namespace fewbit
