// The input gradient of a convolution, in general: output gradients times transposed weights, gathered.
//
// Row h of an image gets the rows i of the output gradient and r of the kernel with
// i * stride + r = h + padding. For each column j of the gradient one chain over (r, output
// channel) gives the contributions of all kernel columns c; pixel w is then the sum of those with
// j * stride + c = w + padding. Only products that exist are computed.
#pragma once
#include "product_tile.h"

namespace fewbit {
namespace FEWBIT_ISA {

static Plan planGather(const Geometry& g) {
  const int64_t length = g.kernelWidth * g.channels, rowWork = g.outWidth * g.kernelHeight * length * g.outChannels;
  Plan plan{};
  plan.phases = 2;
  plan.chunks[0] = g.kernelHeight;
  plan.chunks[1] = least(wantedChunks(g.images * g.outHeight * rowWork), g.images * g.height);
  plan.sharedBytes = g.kernelHeight * g.outChannels * roundToLanes(length) * sizeof(float);
  plan.ownBytes = g.outWidth * roundToLanes(length) * sizeof(float);
  return plan;
}

// Packs kernel row r as [panel][r][output channel][column and channel of the panel].
static void packGather(const Geometry& g, const float* w, int64_t r, float* packed) {
  const int64_t length = g.kernelWidth * g.channels;
  for (int64_t n = 0; n < length; n += PANEL) {
    const int64_t columns = least(PANEL, length - n);
    packTransposed(packed + (n * g.kernelHeight + r * roundToLanes(columns)) * g.outChannels,
                   w + (r * length + n) * g.outChannels, g.outChannels, g.outChannels, columns);
  }
}

// to[w][channel] = sum over kernel columns c of contributions[j][c][channel].
static void gatherRow(const Geometry& g, const float* contributions, int64_t stride, float* to) {
  for (int64_t w = 0; w < g.width; w++, to += g.channels) {
    const int64_t place = w + g.paddingWidth;
    const int64_t lastColumn = least(place / g.strideWidth, g.outWidth - 1);
    const int64_t firstColumn = most(ceilDivide(place - g.kernelWidth + 1, g.strideWidth), 0);
    for (int64_t n = 0; n < g.channels; n += LANES) {
      const Mask mask = firstLanes(least(LANES, g.channels - n));
      Vec sum = splat(0);
      for (int64_t j = lastColumn; j >= firstColumn; j--)
        sum += load(contributions + j * stride + (place - j * g.strideWidth) * g.channels + n, mask);
      store(to + n, sum, mask);
    }
  }
}

static void gatherImageRow(const Geometry& g, const float* gradient, const float* packed, int64_t h, float* own, float* to) {
  const int64_t length = g.kernelWidth * g.channels, gradientRow = g.outWidth * g.outChannels;
  const int64_t place = h + g.paddingHeight;
  const int64_t lastRow = least(place / g.strideHeight, g.outHeight - 1);
  const int64_t firstRow = most(ceilDivide(place - g.kernelHeight + 1, g.strideHeight), 0);
  if (firstRow > lastRow) return zero(to, g.width * g.channels);
  PixelTile tile{};
  tile.a = gradient + lastRow * gradientRow;
  tile.aRow = g.outChannels;
  tile.aSegment = -gradientRow;
  tile.segments = lastRow - firstRow + 1;
  tile.length = g.outChannels;
  tile.outRow = roundToLanes(length);
  for (int64_t n = 0; n < length; n += PANEL) {
    const int64_t columns = least(PANEL, length - n), tap = roundToLanes(columns) * g.outChannels;
    tile.b = packed + n * g.kernelHeight * g.outChannels + (place - lastRow * g.strideHeight) * tap;
    tile.bSegment = g.strideHeight * tap;
    tile.out = own + n;
    runPanel(g.outWidth, columns, tile);
  }
  gatherRow(g, own, tile.outRow, to);
}

static void runGather(const Geometry& g, const float* gradient, const float* w, float* dx, const Chunk& chunk) {
  float* packed = reinterpret_cast<float*>(chunk.work.shared);
  if (chunk.phase == 0) return packGather(g, w, chunk.index, packed);
  const Range rows = part(g.images * g.height, planGather(g).chunks[1], chunk.index);
  for (int64_t row = rows.begin; row < rows.end; row++)
    gatherImageRow(g, gradient + row / g.height * g.outHeight * g.outWidth * g.outChannels, packed, row % g.height,
                   reinterpret_cast<float*>(chunk.work.own), dx + row * g.width * g.channels);
}

}  // namespace FEWBIT_ISA
}  // namespace fewbit
