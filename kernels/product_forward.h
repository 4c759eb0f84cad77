// The convolution of NHWC images, and its input gradient where that is a convolution with flipped weights.
//
// In NHWC the kernel-width x channels inputs of one kernel row are contiguous, so an output is one
// chain over a few contiguous segments and needs no im2col: only, where there is padding, a panel
// with zero borders of the rows that a band of output rows reads.
#pragma once
#include "product_tile.h"

namespace fewbit {
namespace FEWBIT_ISA {

struct Forward {
  Geometry g;
  bool flipped;  // weights are [row][column][g.outChannels][g.channels], to be used from last tap to first
};

// Bands are `bandRows` output rows of one image; a chunk is a range of bands times a range of channels.
struct ForwardCut {
  int64_t bands, bandRows, bandChunks, channelChunks;
};

static bool padded(const Geometry& g) { return g.paddingHeight || g.paddingWidth; }
static int64_t panelRow(const Geometry& g) { return (g.width + 2 * g.paddingWidth) * g.channels; }
static int64_t panelRows(const Geometry& g, int64_t outRows) { return (outRows - 1) * g.strideHeight + g.kernelHeight; }

static ForwardCut cutForward(const Geometry& g) {
  const int64_t taps = g.kernelHeight * g.kernelWidth * g.channels;
  const int64_t rowWork = g.outWidth * taps * g.outChannels;
  const int64_t wanted = wantedChunks(g.images * g.outHeight * rowWork);
  const int64_t most = (PANEL_FLOATS / panelRow(g) - g.kernelHeight) / g.strideHeight + 1;
  const int64_t rows = clamp(g.images * g.outHeight / wanted, 1, clamp(most, 1, g.outHeight));
  ForwardCut cut;
  cut.bands = ceilDivide(g.outHeight, rows);
  cut.bandRows = ceilDivide(g.outHeight, cut.bands);
  cut.bandChunks = least(wanted, g.images * cut.bands);
  cut.channelChunks = clamp(wanted / cut.bandChunks, 1, ceilDivide(g.outChannels, COLUMNS));
  return cut;
}

static Plan planForward(const Forward& p) {
  const Geometry& g = p.g;
  const ForwardCut cut = cutForward(g);
  const int64_t taps = g.kernelHeight * g.kernelWidth * g.channels;
  Plan plan{};
  plan.phases = 2;
  plan.chunks[0] = clamp(taps * g.outChannels / PACK_FLOATS, 1, ceilDivide(g.outChannels, COLUMNS));
  plan.chunks[1] = cut.bandChunks * cut.channelChunks;
  plan.sharedBytes = taps * roundToLanes(g.outChannels) * sizeof(float);
  plan.ownBytes = padded(g) ? panelRows(g, cut.bandRows) * panelRow(g) * sizeof(float) : 0;
  return plan;
}

// Packs weights as [panel][tap][channel of the panel].
static void packForward(const Forward& p, const float* w, Range channels, float* packed) {
  const Geometry& g = p.g;
  const int64_t places = g.kernelHeight * g.kernelWidth, taps = places * g.channels;
  for (int64_t n = channels.begin; n < channels.end; n += PANEL) {
    const int64_t width = least(PANEL, channels.end - n);
    float* to = packed + n * taps;
    if (!p.flipped) {
      packPanel(to, w + n, g.outChannels, taps, width);
      continue;
    }
    for (int64_t place = places - 1; place >= 0; place--, to += g.channels * roundToLanes(width))
      packTransposed(to, w + (place * g.outChannels + n) * g.channels, g.channels, g.channels, width);
  }
}

enum { MOST_CROSSING = 128 };  // pixels of a band by tiles that cross the ends of rows

// Rows first ... first + rows of the image, counted from the top of its padding, with their borders. Asks for
// what lies `ahead` floats behind them.
static void padRows(const Geometry& g, const float* image, int64_t first, int64_t rows, float* to, int64_t ahead) {
  const int64_t row = g.width * g.channels, border = g.paddingWidth * g.channels;
  for (int64_t i = 0; i < rows; i++, to += row + 2 * border) {
    const int64_t h = first + i - g.paddingHeight;
    if (h < 0 || h >= g.height) {
      zero(to, row + 2 * border);
      continue;
    }
    zero(to, border);
    ahead ? copyAhead(to + border, image + h * row, row, ahead) : copy(to + border, image + h * row, row);
    zero(to + border + row, border);
  }
}

// out[t][n] as of a PixelTile, of pixels that lie anywhere: of several rows of a narrow image, which one row would not fill.
struct PixelsTile {
  const float *a, *b;
  const int64_t* pixels;  // where each begins, from `a` on
  int64_t aSegment, bSegment, segments, length;
  float* out;
  int64_t outRow, lastLanes;
};

template <int T, int V>
static __attribute__((noinline)) void runTile(const PixelsTile& p) {
  askForTile<T, V>(p.out, p.outRow);
  Vec sum[T][V];
#pragma GCC unroll 16
  for (int t = 0; t < T; t++)
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) sum[t][v] = splat(0);
  for (int64_t s = 0; s < p.segments; s++) {
    const float *to[T], *b = p.b + s * p.bSegment;
#pragma GCC unroll 16
    for (int t = 0; t < T; t++) to[t] = opaque(p.a + s * p.aSegment + p.pixels[t]);
    for (int64_t k = 0; k < p.length; k++, b += V * LANES) {
      Vec weights[V];
#pragma GCC unroll 2
      for (int v = 0; v < V; v++) weights[v] = load(b + v * LANES);
#pragma GCC unroll 16
      for (int t = 0; t < T; t++) {
        const Vec x = splat(to[t][k]);
#pragma GCC unroll 2
        for (int v = 0; v < V; v++) sum[t][v] = madd(x, weights[v], sum[t][v]);
      }
    }
  }
  storeTile(sum, p.out, p.outRow, p.lastLanes);
}
static inline void advance(PixelsTile& tile, int64_t pixels) {
  tile.pixels += pixels;
  tile.out += pixels * tile.outRow;
}

// Whether tiles over rows' ends are so many fewer that they pay. They need a register a pixel.
static bool crossesRows(const Geometry& g, int64_t rows) {
  const int64_t height = Rows<2>::MOST, pixels = rows * g.outWidth;
  return height < 8 && pixels <= MOST_CROSSING &&
         6 * ceilDivide(pixels, height) <= 5 * rows * ceilDivide(g.outWidth, height);
}

// Output rows and channels of an image.
struct Band {
  Range rows, channels;
};

// Computes a band of an image by tiles that cross the ends of rows.
static void runNarrowBand(const Geometry& g, const float* image, const float* packed, const Band& band, float* own,
                          float* out) {
  const int64_t taps = g.kernelHeight * g.kernelWidth * g.channels, first = band.rows.begin * g.strideHeight;
  const int64_t rows = band.rows.end - band.rows.begin;
  if (padded(g)) padRows(g, image, first, panelRows(g, rows), own, 0);
  int64_t pixels[MOST_CROSSING];
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < g.outWidth; j++)
      pixels[i * g.outWidth + j] = i * g.strideHeight * panelRow(g) + j * g.strideWidth * g.channels;
  PixelsTile tile{};
  tile.a = padded(g) ? own : image + first * panelRow(g);
  tile.pixels = pixels;
  tile.aSegment = panelRow(g);
  tile.segments = g.kernelHeight;
  tile.length = g.kernelWidth * g.channels;
  tile.outRow = g.outChannels;
  for (int64_t n = band.channels.begin; n < band.channels.end; n += PANEL) {
    tile.b = packed + n * taps;
    tile.bSegment = tile.length * roundToLanes(least(PANEL, band.channels.end - n));
    tile.out = out + band.rows.begin * g.outWidth * g.outChannels + n;
    runPanel(rows * g.outWidth, least(PANEL, band.channels.end - n), tile);
  }
}

// Computes a band of an image. Where there is padding, `own` gets the rows of its panel one by one, just before
// they are first read: the first-level cache still holds them then, and the rows that follow have time to come.
static void runBand(const Geometry& g, const float* image, const float* packed, const Band& band, float* own, float* out) {
  const Range rows = band.rows, channels = band.channels;
  const int64_t taps = g.kernelHeight * g.kernelWidth * g.channels, first = rows.begin * g.strideHeight;
  const float* const from = padded(g) ? own : image + first * panelRow(g);
  int64_t ready = padded(g) ? 0 : panelRows(g, rows.end - rows.begin);
  if (crossesRows(g, rows.end - rows.begin)) return runNarrowBand(g, image, packed, band, own, out);
  PixelTile tile{};
  tile.aRow = g.strideWidth * g.channels;
  tile.aSegment = panelRow(g);
  tile.segments = g.kernelHeight;
  tile.length = g.kernelWidth * g.channels;
  tile.outRow = g.outChannels;
  for (int64_t n = channels.begin; n < channels.end; n += PANEL)
    for (int64_t i = rows.begin; i < rows.end; i++) {
      const int64_t top = (i - rows.begin) * g.strideHeight, wanted = top + g.kernelHeight;
      if (ready < wanted) {
        padRows(g, image, first + ready, wanted - ready, own + ready * panelRow(g), (wanted - ready) * g.width * g.channels);
        ready = wanted;
      }
      tile.a = from + top * panelRow(g);
      tile.b = packed + n * taps;
      tile.bSegment = tile.length * roundToLanes(least(PANEL, channels.end - n));
      tile.out = out + i * g.outWidth * g.outChannels + n;
      runPanel(g.outWidth, least(PANEL, channels.end - n), tile);
    }
}

static void runForward(const Forward& p, const float* x, const float* w, float* y, const Chunk& chunk) {
  const Geometry& g = p.g;
  float* packed = reinterpret_cast<float*>(chunk.work.shared);
  if (chunk.phase == 0) return packForward(p, w, columnPart(g.outChannels, planForward(p).chunks[0], chunk.index), packed);
  const ForwardCut cut = cutForward(g);
  const Range bands = part(g.images * cut.bands, cut.bandChunks, chunk.index % cut.bandChunks);
  const Range channels = columnPart(g.outChannels, cut.channelChunks, chunk.index / cut.bandChunks);
  for (int64_t band = bands.begin; band < bands.end; band++) {
    const int64_t image = band / cut.bands;
    const Range rows = part(g.outHeight, cut.bands, band % cut.bands);
    runBand(g, x + image * g.height * g.width * g.channels, packed, {rows, channels},
            reinterpret_cast<float*>(chunk.work.own), y + image * g.outHeight * g.outWidth * g.outChannels);
  }
}

}  // namespace FEWBIT_ISA
}  // namespace fewbit
