// The filter gradient from inputs that are exact in bfloat16 and output gradients in bfloat16.
//
// As in product_filter_gradient.h, with pairs of adjacent output columns: a word of the gradient's
// panel holds (g[2p], g[2p + 1]) of a channel, one of the input's panel (x[j], x[j + stride]), for every
// column j, so that each tap finds its pair whatever its column. A last pair without a second gradient
// gets zero. The columns of a matrix product are its rows, cut into units.
#pragma once
#include "product_bf16.h"
#include "product_filter_gradient.h"

#if defined(__AVX512BF16__)

namespace fewbit {
namespace FEWBIT_ISA {

// Words of a unit's two panels (they should stay in the second-level cache).
enum { PANEL_PAIRS = 32 << 10, UNIT_PAIRS = 128 };

struct PairsCut {
  FilterCut f;
  int64_t columns, panelColumns, pairs;  // of a unit at most: output columns, words along a row of both panels
};

static int64_t panelColumns(const Geometry& g, int64_t pairs) { return 2 * (pairs - 1) * g.strideWidth + g.kernelWidth; }

static PairsCut cutPairs(const Geometry& g) {
  const int64_t length = g.kernelWidth * g.channels, weights = g.kernelHeight * length * g.outChannels;
  const int64_t wanted = wantedChunks(g.images * g.outHeight * g.outWidth * weights / 2);
  PairsCut cut;
  FilterCut& f = cut.f;
  f.alongTaps = tileCost(length, g.outChannels) * 20 < tileCost(g.outChannels, length) * 19;

  // One long row is a matrix product.
  const bool matrix = g.images == 1 && g.outHeight == 1;
  cut.columns = matrix ? least(g.outWidth, 2 * UNIT_PAIRS) : g.outWidth;
  cut.pairs = ceilDivide(cut.columns, 2);
  cut.panelColumns = panelColumns(g, cut.pairs);
  const int64_t row = cut.panelColumns * g.channels * g.strideHeight + cut.pairs * g.outChannels;
  int64_t rows = most(g.images * g.outHeight / wanted, ceilDivide(UNIT_PAIRS, cut.pairs));
  rows = clamp(least(rows, PANEL_PAIRS / row), 1, g.outHeight);
  f.bands = matrix ? ceilDivide(g.outWidth, cut.columns) : ceilDivide(g.outHeight, rows);
  f.unitImages = f.bands > 1 ? 1 : clamp(UNIT_PAIRS / (g.outHeight * cut.pairs), 1, g.images);
  f.imageUnits = ceilDivide(g.images, f.unitImages);

  const int64_t units = f.imageUnits * f.bands;
  f.strips = g.kernelHeight * ceilDivide(f.alongTaps ? length : g.outChannels, COLUMNS);
  f.stripChunks = weights >= LARGE_WEIGHTS ? least(wanted, f.strips) : 1;
  f.groups = clamp(wanted / f.stripChunks, 1, least(least(units, MOST_GROUPS), PARTIAL_FLOATS / weights));
  if (f.groups * f.stripChunks < 16) f.stripChunks = clamp(ceilDivide(least(wanted, 16), f.groups), 1, f.strips);
  f.foldChunks = clamp(f.groups * weights / (4 * PACK_FLOATS), 1, ceilDivide(g.kernelHeight * length, COLUMNS));
  return cut;
}

// Words of one image of a unit.
static int64_t inputWords(const Geometry& g, const PairsCut& cut, int64_t rows) {
  return panelRows(g, rows) * cut.panelColumns * g.channels;
}
static int64_t gradientWords(const Geometry& g, const PairsCut& cut, int64_t rows) {
  return rows * cut.pairs * g.outChannels;
}

static int64_t unitRows(const Geometry& g, const FilterCut& f) {
  return g.images == 1 && g.outHeight == 1 ? 1 : ceilDivide(g.outHeight, f.bands);
}

static Plan planFilterBf16(const Geometry& g) {
  const PairsCut cut = cutPairs(g);
  const FilterCut& f = cut.f;
  const int64_t rows = unitRows(g, f), weights = g.kernelHeight * g.kernelWidth * g.channels * g.outChannels;
  Plan plan{};
  plan.phases = isDirect(f) ? 1 : 2;
  plan.chunks[0] = f.groups * f.stripChunks;
  plan.chunks[1] = isDirect(f) ? 0 : f.foldChunks;
  plan.sharedBytes = isDirect(f) ? 0 : f.groups * weights * sizeof(float);
  const int64_t line = (cut.panelColumns + g.strideWidth) * g.channels;
  const int64_t words = f.unitImages * (inputWords(g, cut, rows) + gradientWords(g, cut, rows)) + line;
  plan.ownBytes = (words + 4 * LANES) * sizeof(int32_t);
  return plan;
}

// The words of one row of inputs, from the column `first` of the padded image on; null gives zeros.
static void packInputPairs(const Geometry& g, const PairsCut& cut, const Inputs& x, int64_t row, int64_t first, float* line,
                           int32_t* to) {
  const int64_t words = cut.panelColumns * g.channels, next = g.strideWidth * g.channels;
  const int64_t begin = clamp(g.paddingWidth - first, 0, cut.panelColumns + g.strideWidth);
  const int64_t end = clamp(g.width + g.paddingWidth - first, begin, cut.panelColumns + g.strideWidth);
  const int64_t from = row * g.width + first + begin - g.paddingWidth, count = (end - begin) * g.channels;
  zero(line, begin * g.channels);
  if (count > 0) {
    if (x.storage == F32)
      copyAhead(line + begin * g.channels, (const float*)x.data + from * g.channels, count, 0);
    else
      readIntegers(line + begin * g.channels, x.data, x.storage, from * g.channels, count);
  }
  zero(line + end * g.channels, words + next - end * g.channels);
  int64_t i = 0;
  for (; i + LANES <= words; i += LANES) storeInts(to + i, pairUp(load(line + i), load(line + i + next)));
  if (i < words) {
    const Mask mask = firstLanes(words - i);
    storeInts(to + i, pairUp(load(line + i, mask), load(line + i + next, mask)), words - i);
  }
}

// The words of one row of gradients: `columns` columns from `from`.
static void packGradientPairs(const Geometry& g, const PairsCut& cut, const Bf16* from, int64_t columns, int32_t* to) {
  const int64_t pairs = columns / 2, channels = g.outChannels;
  for (int64_t p = 0; p < pairs; p++, from += 2 * channels, to += channels)
    for (int64_t n = 0; n < channels; n += LANES) {
      const int64_t lanes = least(LANES, channels - n);
      storeInts(to + n, pairUp(from + n, from + channels + n, lanes), lanes);
    }
  if (columns % 2) {
    for (int64_t n = 0; n < channels; n += LANES) {
      const int64_t lanes = least(LANES, channels - n);
      storeInts(to + n, pairWithZero(from + n, lanes), lanes);
    }
    to += channels;
  }
  for (int64_t n = ceilDivide(columns, 2) * channels; n < cut.pairs * channels; n++) *to++ = 0;
}

// out[t][n] = or += sum over (image, row, pair) of dotPairs(broadcast[t], vector[n]); walks count words.
struct PairPositions {
  const int32_t *broadcast, *vector;
  Walk broadcastWalk, vectorWalk;
  int64_t images, rows, pairs;
  float* out;
  int64_t outRow, lastLanes;
  bool add;
  Ahead* ahead;  // asked at every row
};

template <int T, int V>
static __attribute__((noinline)) void runTile(const PairPositions& p) {
  const Mask mask = firstLanes(p.lastLanes);
  const int64_t aColumn = p.broadcastWalk.column, bColumn = p.vectorWalk.column;
  Vec sum[T][V];
#pragma GCC unroll 16
  for (int t = 0; t < T; t++)
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) sum[t][v] = splat(0);
  for (int64_t image = 0; image < p.images; image++)
    for (int64_t row = 0; row < p.rows; row++) {
      const int32_t* a = p.broadcast + image * p.broadcastWalk.image + row * p.broadcastWalk.row;
      const int32_t* b = p.vector + image * p.vectorWalk.image + row * p.vectorWalk.row;
      p.ahead->ask();
      for (int64_t pair = 0; pair < p.pairs; pair++, a += aColumn, b += bColumn) {
        Ints values[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) values[v] = loadInts(b + v * LANES);
#pragma GCC unroll 16
        for (int t = 0; t < T; t++) {
          const Ints x = splatInts(a[t]);
#pragma GCC unroll 4
          for (int v = 0; v < V; v++) sum[t][v] = dotPairs(sum[t][v], x, values[v]);
        }
      }
    }
  addTile(sum, p.out, p.outRow, mask, p.add);
}

static inline void advance(PairPositions& tile, int64_t rows) {
  tile.broadcast += rows;
  tile.out += rows * tile.outRow;
}

// Adds one unit, packed, to the strips of `sum`.
static void runUnitPairs(const Geometry& g, const PairsCut& cut, const int32_t* x, const int32_t* gradient, int64_t images,
                         int64_t rows, Range strips, float* sum, bool add, Ahead ahead) {
  const bool alongTaps = cut.f.alongTaps;
  const int64_t length = g.kernelWidth * g.channels, taps = g.kernelHeight * length;
  const int64_t vectors = alongTaps ? length : g.outChannels, broadcasts = alongTaps ? g.outChannels : length;
  const int64_t stripsPerRow = ceilDivide(vectors, COLUMNS), panelRow = cut.panelColumns * g.channels;
  const Walk alongX{inputWords(g, cut, rows), g.strideHeight * panelRow, 2 * g.strideWidth * g.channels};
  const Walk alongGradient{gradientWords(g, cut, rows), cut.pairs * g.outChannels, g.outChannels};
  for (int64_t strip = strips.begin; strip < strips.end; strip++) {
    const int64_t r = strip / stripsPerRow, n = strip % stripsPerRow * COLUMNS;
    const int32_t* xr = x + r * panelRow;
    PairPositions tile{};
    tile.vector = alongTaps ? xr + n : gradient + n;
    tile.broadcast = alongTaps ? gradient : xr;
    tile.vectorWalk = alongTaps ? alongX : alongGradient;
    tile.broadcastWalk = alongTaps ? alongGradient : alongX;
    tile.images = images;
    tile.rows = rows;
    tile.pairs = cut.pairs;
    tile.out = alongTaps ? sum + r * length + n : sum + r * length * g.outChannels + n;
    tile.outRow = alongTaps ? taps : g.outChannels;
    tile.add = add;
    tile.ahead = &ahead;
    runPanel(broadcasts, least(COLUMNS, vectors - n), tile);
  }
}

static void runGroupPairs(const Geometry& g, const PairsCut& cut, const Inputs& x, const Bf16* gradient, Range units,
                          Range strips, char* own, float* sum) {
  const FilterCut& f = cut.f;
  const bool matrix = g.images == 1 && g.outHeight == 1;
  const int64_t most = unitRows(g, f);
  float* const line = reinterpret_cast<float*>(own);
  int32_t* const inputs = reinterpret_cast<int32_t*>(own) + (cut.panelColumns + g.strideWidth) * g.channels + LANES;
  int32_t* const gradients = inputs + f.unitImages * inputWords(g, cut, most) + LANES;
  for (int64_t unit = units.begin; unit < units.end; unit++) {
    const Range images = part(g.images, f.imageUnits, unit / f.bands);
    const Range band = part(matrix ? g.outWidth : g.outHeight, f.bands, unit % f.bands);
    const Range rows = matrix ? Range{0, 1} : band, columns = matrix ? band : Range{0, g.outWidth};
    const int64_t count = rows.end - rows.begin, xRows = panelRows(g, count);
    const bool more = unit + 1 < units.end && !matrix;
    const Ahead ahead = more ? askFor(g, f, x, gradient, sizeof(Bf16), unit + 1, strips) : Ahead();
    for (int64_t i = 0; i < images.end - images.begin; i++) {
      const int64_t image = images.begin + i;
      int32_t* to = inputs + i * inputWords(g, cut, count);
      for (int64_t row = 0; row < xRows; row++, to += cut.panelColumns * g.channels) {
        const int64_t h = rows.begin * g.strideHeight + row - g.paddingHeight;
        if (h < 0 || h >= g.height)
          zero(reinterpret_cast<float*>(to), cut.panelColumns * g.channels);
        else
          packInputPairs(g, cut, x, image * g.height + h, columns.begin * g.strideWidth, line, to);
      }
      to = gradients + i * gradientWords(g, cut, count);
      for (int64_t row = rows.begin; row < rows.end; row++, to += cut.pairs * g.outChannels)
        packGradientPairs(g, cut, gradient + ((image * g.outHeight + row) * g.outWidth + columns.begin) * g.outChannels,
                          columns.end - columns.begin, to);
    }
    runUnitPairs(g, cut, inputs, gradients, images.end - images.begin, count, strips, sum, unit > units.begin, ahead);
  }
}

static void runFilterBf16(const Geometry& g, const Inputs& x, const Bf16* gradient, float* dw, int32_t phase, int64_t chunk,
                          Work work) {
  const PairsCut cut = cutPairs(g);
  const FilterCut& f = cut.f;
  const int64_t taps = g.kernelHeight * g.kernelWidth * g.channels;
  float* partial = reinterpret_cast<float*>(work.shared);
  if (phase == 1) return foldGroups(g, f, partial, columnPart(taps, f.foldChunks, chunk), dw);
  const int64_t group = chunk % f.groups;
  const Range units = part(f.imageUnits * f.bands, f.groups, group);
  const Range strips = part(f.strips, f.stripChunks, chunk / f.groups);
  runGroupPairs(g, cut, x, gradient, units, strips, work.own, isDirect(f) ? dw : partial + group * taps * g.outChannels);
}

}  // namespace FEWBIT_ISA
}  // namespace fewbit

#endif
