// What product_test.cpp and product_bench.cpp share: products to run.
#pragma once
#include "test.h"

namespace fewbit {

inline const char* const opNames[] = {"forward", "input gradient", "filter gradient"};

// What a convolution reads, and how many channels it makes of it.
struct Images {
  int64_t count, height, width, channels, outChannels;
};
// Its kernel as [height, width].
struct Taps {
  int64_t kernel[2], stride[2], padding[2];
};

inline Geometry geometry(const Images& x, const Taps& t) {
  return {x.count,
          x.height,
          x.width,
          x.channels,
          t.kernel[0],
          t.kernel[1],
          t.stride[0],
          t.stride[1],
          t.padding[0],
          t.padding[1],
          (x.height + 2 * t.padding[0] - t.kernel[0]) / t.stride[0] + 1,
          (x.width + 2 * t.padding[1] - t.kernel[1]) / t.stride[1] + 1,
          x.outChannels};
}

struct SquareImages {
  int64_t count, size, channels, outChannels;
};
inline Geometry square(const SquareImages& x, int64_t kernel, int64_t stride, int64_t padding) {
  return geometry({x.count, x.size, x.size, x.channels, x.outChannels},
                  {{kernel, kernel}, {stride, stride}, {padding, padding}});
}
inline Geometry matrix(int64_t m, int64_t k, int64_t n) { return square({m, 1, k, n}, 1, 1, 0); }

inline int64_t inputs(const Geometry& g) { return g.images * g.height * g.width * g.channels; }
inline int64_t weights(const Geometry& g) { return g.kernelHeight * g.kernelWidth * g.channels * g.outChannels; }
inline int64_t outputs(const Geometry& g) { return g.images * g.outHeight * g.outWidth * g.outChannels; }
inline double operations(const Geometry& g) { return 2.0 * outputs(g) * g.kernelHeight * g.kernelWidth * g.channels; }

// A product and its operands' values.
struct Problem {
  Instruction instruction;
  Values a, b, out;

  Problem(int op, const Geometry& g, Storage aStorage = F32, Storage bStorage = F32, Storage outStorage = F32)
      : a(aStorage, op == CONVOLUTION_INPUT_GRADIENT ? outputs(g) : inputs(g)),
        b(bStorage, op == CONVOLUTION_FILTER_GRADIENT ? outputs(g) : weights(g)),
        out(outStorage, op == CONVOLUTION                  ? outputs(g)
                        : op == CONVOLUTION_INPUT_GRADIENT ? inputs(g)
                                                           : weights(g)) {
    instruction.kind = PRODUCT;
    instruction.product = {op, g, {CONSTANTS, aStorage, 7, 0}, {STATE, bStorage, 7, 0}, {OUTPUTS, outStorage, 7, 0}};
  }
  int op() const { return instruction.product.op; }
  const Geometry& geometry() const { return instruction.product.geometry; }
  Memory memory() {
    Memory memory{};
    memory.base[CONSTANTS] = a.bytes.data();
    memory.base[STATE] = b.bytes.data();
    memory.base[OUTPUTS] = out.bytes.data();
    return memory;
  }
};

// Calls `visit` with the indices of input, weight and output of every product.
template <class Visit>
void eachProduct(const Geometry& g, Visit visit) {
  for (int64_t n = 0; n < g.images; n++)
    for (int64_t i = 0; i < g.outHeight; i++)
      for (int64_t j = 0; j < g.outWidth; j++)
        for (int64_t r = 0; r < g.kernelHeight; r++)
          for (int64_t c = 0; c < g.kernelWidth; c++) {
            const int64_t h = i * g.strideHeight + r - g.paddingHeight, w = j * g.strideWidth + c - g.paddingWidth;
            if (h < 0 || h >= g.height || w < 0 || w >= g.width) continue;
            const int64_t x = ((n * g.height + h) * g.width + w) * g.channels;
            const int64_t y = ((n * g.outHeight + i) * g.outWidth + j) * g.outChannels;
            for (int64_t ci = 0; ci < g.channels; ci++)
              for (int64_t co = 0; co < g.outChannels; co++)
                visit(x + ci, ((r * g.kernelWidth + c) * g.channels + ci) * g.outChannels + co, y + co);
          }
}

}  // namespace fewbit
