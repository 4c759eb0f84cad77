// The input gradient of a convolution, in general: output gradients times transposed weights, scattered.
//
// Row h of an image gets the rows i of the output gradient and r of the kernel with
// i * stride + r = h + padding, so bands of input rows are independent and rows beyond the border
// cost nothing. A tile is a column of pixels: its rows land on different rows of the image, while
// neighbours in a row overlap and each would have to wait for the store of the one before.
#pragma once
#include "product_tile.h"

namespace fewbit {
namespace FEWBIT_ISA {

// Bands are `bandRows` rows of the input of one image.
struct ScatterCut {
  int64_t bands, bandRows, chunks;
};

static ScatterCut cutScatter(const Geometry& g) {
  const int64_t taps = g.kernelHeight * g.kernelWidth * g.channels;
  const int64_t wanted = wantedChunks(g.images * g.outHeight * g.outWidth * taps * g.outChannels);
  const int64_t most = clamp(PANEL_FLOATS / panelRow(g), 1, g.height);
  ScatterCut cut;
  cut.bands = ceilDivide(g.height, clamp(g.images * g.height / wanted, 1, most));
  cut.bandRows = ceilDivide(g.height, cut.bands);
  cut.chunks = least(wanted, g.images * cut.bands);
  return cut;
}

static Plan planScatter(const Geometry& g) {
  const ScatterCut cut = cutScatter(g);
  const int64_t length = g.kernelWidth * g.channels;
  Plan plan{};
  plan.phases = 2;
  plan.chunks[0] = g.kernelHeight;
  plan.chunks[1] = cut.chunks;
  plan.sharedBytes = g.kernelHeight * g.outChannels * roundToLanes(length) * sizeof(float);
  plan.ownBytes = g.paddingWidth ? cut.bandRows * panelRow(g) * sizeof(float) : 0;
  return plan;
}

// Packs kernel row r as [panel][output channel][column and channel of the panel].
static void packScatter(const Geometry& g, const float* w, int64_t r, float* packed) {
  const int64_t length = g.kernelWidth * g.channels;
  for (int64_t n = 0; n < length; n += PANEL)
    packTransposed(packed + r * roundToLanes(length) * g.outChannels + n * g.outChannels,
                   w + (r * length + n) * g.outChannels, g.outChannels, g.outChannels, least(PANEL, length - n));
}

// `to` is the band's first row, `rowLength` long, with `border` floats of padding before the image.
static void scatterBand(const Geometry& g, const float* gradient, const float* packed, Range rows, float* to) {
  const int64_t length = g.kernelWidth * g.channels, gradientRow = g.outWidth * g.outChannels;
  PixelTile tile{};
  tile.aRow = gradientRow;
  tile.segments = 1;
  tile.length = g.outChannels;
  tile.outRow = g.strideHeight * panelRow(g);
  tile.mode = ADD;
  zero(to, (rows.end - rows.begin) * panelRow(g));
  for (int64_t r = 0; r < g.kernelHeight; r++) {
    const int64_t shift = g.paddingHeight - r;  // i * stride = h + shift
    const int64_t first = ceilDivide(most(rows.begin + shift, 0), g.strideHeight);
    const int64_t end = least(ceilDivide(most(rows.end + shift, 0), g.strideHeight), g.outHeight);
    if (first >= end) continue;
    // Additions to one element must follow the same order for any width of a panel: by COLUMNS, then by column.
    for (int64_t n = 0; n < length; n += COLUMNS)
      for (int64_t j = 0; j < g.outWidth; j++)
        for (int64_t panel = n; panel < least(n + COLUMNS, length); panel += PANEL) {
          tile.a = gradient + first * gradientRow + j * g.outChannels;
          tile.b = packed + (r * roundToLanes(length) + panel) * g.outChannels;
          tile.out = to + (first * g.strideHeight - shift - rows.begin) * panelRow(g) +
                     j * g.strideWidth * g.channels + panel;
          runPanel(end - first, least(PANEL, length - panel), tile);
        }
  }
}

static void runScatter(const Geometry& g, const float* gradient, const float* w, float* dx, int32_t phase,
                       int64_t chunk, Work work) {
  float* packed = reinterpret_cast<float*>(work.shared);
  if (phase == 0) return packScatter(g, w, chunk, packed);
  const ScatterCut cut = cutScatter(g);
  const Range bands = part(g.images * cut.bands, cut.chunks, chunk);
  const int64_t row = g.width * g.channels;
  for (int64_t band = bands.begin; band < bands.end; band++) {
    const int64_t image = band / cut.bands;
    const Range rows = part(g.height, cut.bands, band % cut.bands);
    const float* from = gradient + image * g.outHeight * g.outWidth * g.outChannels;
    float* to = dx + (image * g.height + rows.begin) * row;
    if (!g.paddingWidth) {
      scatterBand(g, from, packed, rows, to);
      continue;
    }
    float* own = reinterpret_cast<float*>(work.own);
    scatterBand(g, from, packed, rows, own);
    for (int64_t h = 0; h < rows.end - rows.begin; h++)
      copy(to + h * row, own + h * panelRow(g) + g.paddingWidth * g.channels, row);
  }
}

}  // namespace FEWBIT_ISA
}  // namespace fewbit
