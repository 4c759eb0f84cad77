// The filter gradient: dw[tap][output channel] = sum over output positions of x[position, tap] * g[position, channel].
//
// The positions of a unit (a band of rows of an image, or a few small images) are one chain from
// zero; a group adds its units in order to one partial sum, and a second phase adds the groups in
// order. Vectors run over output channels, or over the taps of a kernel row where that leaves
// fewer lanes idle; partial sums are transposed then.
//
// Inputs that are stored as bytes are converted unit by unit into a thread's own panel, as padded ones
// are copied; the sums are the same.
#pragma once
#include "product_forward.h"
#include "simd_integer.h"

namespace fewbit {
namespace FEWBIT_ISA {

enum {
  UNIT_POSITIONS = 64,  // at least, so that adding units costs little
  MATRIX_UNIT = 256,    // rows of a matrix product, at most
  MOST_GROUPS = 16,
  PARTIAL_FLOATS = 8 << 20,   // of all partial sums
  LARGE_WEIGHTS = 128 << 10,  // of a chunk: its partial sum should stay in the second-level cache
};

struct FilterCut {
  bool alongTaps;  // vectors run over taps
  int64_t unitImages, bands, imageUnits, groups, strips, stripChunks, foldChunks;
};

// Half cycles per position of one kernel row with 16 lanes: a multiply-add, or a load, each.
static int64_t tileCost(int64_t vectorLength, int64_t broadcastLength) {
  int64_t cost = 0;
  for (int64_t n = 0; n < vectorLength; n += 32) {
    const int64_t v = vectorLength - n > 16 ? 2 : 1, rows = v == 2 ? 12 : 16;
    const int64_t tiles = ceilDivide(broadcastLength, rows);
    cost += most(most(broadcastLength * v, broadcastLength + tiles * v), 8 * tiles);
  }
  return cost;
}

static FilterCut cutFilter(const Geometry& g) {
  const int64_t length = g.kernelWidth * g.channels, weights = g.kernelHeight * length * g.outChannels;
  const int64_t positions = g.outHeight * g.outWidth;
  const int64_t wanted = wantedChunks(g.images * positions * weights);
  FilterCut cut;
  cut.alongTaps = tileCost(length, g.outChannels) * 20 < tileCost(g.outChannels, length) * 19;

  int64_t rows = clamp(g.images * g.outHeight / wanted, ceilDivide(UNIT_POSITIONS, g.outWidth), g.outHeight);
  if (padded(g)) rows = clamp((PANEL_FLOATS / panelRow(g) - g.kernelHeight) / g.strideHeight + 1, 1, rows);
  if (g.width == 1) rows = least(rows, MATRIX_UNIT);
  cut.bands = ceilDivide(g.outHeight, rows);
  cut.unitImages = cut.bands > 1 ? 1 : least(ceilDivide(UNIT_POSITIONS, positions), g.images);
  cut.imageUnits = ceilDivide(g.images, cut.unitImages);

  const int64_t units = cut.imageUnits * cut.bands;
  cut.strips = g.kernelHeight * ceilDivide(cut.alongTaps ? length : g.outChannels, COLUMNS);
  // Each part of the weights packs the images again; where there is nothing to pack, parts need no partial sums.
  const int64_t strips = padded(g) || weights < LARGE_WEIGHTS ? ceilDivide(weights, LARGE_WEIGHTS) : wanted;
  cut.stripChunks = least(strips, cut.strips);
  cut.groups = clamp(wanted / cut.stripChunks, 1, least(least(units, MOST_GROUPS), PARTIAL_FLOATS / weights));
  if (cut.groups * cut.stripChunks < 16) cut.stripChunks = clamp(ceilDivide(least(wanted, 16), cut.groups), 1, cut.strips);
  cut.foldChunks = clamp(cut.groups * weights / (4 * PACK_FLOATS), 1, ceilDivide(g.kernelHeight * length, COLUMNS));
  return cut;
}

// Whether the only group's sum is the result as it is.
static bool isDirect(const FilterCut& cut) { return cut.groups == 1 && !cut.alongTaps; }

// The inputs: f32 or bytes.
struct Inputs {
  const char* data;
  int32_t storage;
};
static bool packs(const Geometry& g, int32_t storage) { return padded(g) || storage != F32; }

static Plan planFilter(const Geometry& g, int32_t storage) {
  const FilterCut cut = cutFilter(g);
  const bool direct = isDirect(cut);
  const int64_t rows = ceilDivide(g.outHeight, cut.bands);
  Plan plan{};
  plan.phases = direct ? 1 : 2;
  plan.chunks[0] = cut.groups * cut.stripChunks;
  plan.chunks[1] = direct ? 0 : cut.foldChunks;
  const int64_t weights = g.kernelHeight * g.kernelWidth * g.channels * g.outChannels;
  plan.sharedBytes = direct ? 0 : cut.groups * weights * sizeof(float);
  const int64_t panel = cut.unitImages * panelRows(g, rows) * panelRow(g);
  plan.ownBytes = packs(g, storage) ? (panel + LANES) * sizeof(float) : 0;
  return plan;
}

// Rows first ... first + rows of an image, counted from the top of its padding, with their borders, as floats.
static void packRows(const Geometry& g, const Inputs& x, int64_t image, int64_t first, int64_t rows, float* to) {
  const int64_t row = g.width * g.channels, border = g.paddingWidth * g.channels;
  const int64_t start = image * g.height * row;
  if (x.storage == F32) return padRows(g, (const float*)x.data + start, first, rows, to, 0);
  if (!padded(g)) return readIntegers(to, x.data, x.storage, start + first * row, rows * row);
  for (int64_t i = 0; i < rows; i++, to += row + 2 * border) {
    const int64_t h = first + i - g.paddingHeight;
    const bool inside = h >= 0 && h < g.height;
    if (inside) readIntegers(to + border, x.data, x.storage, start + h * row, row);
    zero(to, inside ? border : border + row);
    zero(to + border + row, border);
  }
}

// Adds one unit, whose inputs start at `x`, to the strips of `sum`.
static void runUnit(const Geometry& g, bool alongTaps, const float* x, int64_t xImage, const float* gradient, int64_t images,
                    int64_t rows, Range strips, float* sum, bool add, Ahead ahead) {
  const int64_t length = g.kernelWidth * g.channels, taps = g.kernelHeight * length;
  const int64_t vectors = alongTaps ? length : g.outChannels, broadcasts = alongTaps ? g.outChannels : length;
  const int64_t stripsPerRow = ceilDivide(vectors, COLUMNS);
  int64_t xRow = g.strideHeight * panelRow(g), xColumn = g.strideWidth * g.channels;
  int64_t gradientRow = g.outWidth * g.outChannels, gradientColumn = g.outChannels, columns = g.outWidth;
  if (columns == 1) {
    columns = rows;
    rows = 1;
    xColumn = xRow;
    gradientColumn = gradientRow;
  }
  const int64_t gradientImage = g.outHeight * g.outWidth * g.outChannels;
  for (int64_t strip = strips.begin; strip < strips.end; strip++) {
    const int64_t r = strip / stripsPerRow, begin = strip % stripsPerRow * COLUMNS;
    const float* xr = x + r * panelRow(g);
    for (int64_t n = begin; n < least(begin + COLUMNS, vectors); n += PANEL) {
      PositionTile tile{};
      const Walk alongX{xImage, xRow, xColumn}, alongGradient{gradientImage, gradientRow, gradientColumn};
      tile.vector = alongTaps ? xr + n : gradient + n;
      tile.broadcast = alongTaps ? gradient : xr;
      tile.vectorWalk = alongTaps ? alongX : alongGradient;
      tile.broadcastWalk = alongTaps ? alongGradient : alongX;
      tile.images = images;
      tile.rows = rows;
      tile.columns = columns;
      tile.out = alongTaps ? sum + r * length + n : sum + r * length * g.outChannels + n;
      tile.outRow = alongTaps ? taps : g.outChannels;
      tile.add = add;
      tile.ahead = &ahead;
      runPanel(broadcasts, least(PANEL, vectors - n), tile);
    }
  }
}

// What a unit reads of the inputs and of the gradient, of elements of so many bytes.
static Ahead askFor(const Geometry& g, const FilterCut& cut, const Inputs& x, const void* gradient, int64_t gradientBytes,
                    int64_t unit, Range strips) {
  const Range images = part(g.images, cut.imageUnits, unit / cut.bands);
  const Range rows = part(g.outHeight, cut.bands, unit % cut.bands);
  const int64_t row = g.width * g.channels * storageBytes(x.storage),
                gradientRow = g.outWidth * g.outChannels * gradientBytes;
  const int64_t first = most(rows.begin * g.strideHeight - g.paddingHeight, 0);
  const int64_t last = least(first + panelRows(g, rows.end - rows.begin), g.height);
  const int64_t count = images.end - images.begin - 1, outRows = rows.end - rows.begin;
  return Ahead(x.data + (images.begin * g.height + first) * row, (count * g.height + last - first) * row,
               (const char*)gradient + (images.begin * g.outHeight + rows.begin) * gradientRow,
               (count * g.outHeight + outRows) * gradientRow,
               (g.outWidth == 1 ? 1 : (count + 1) * outRows) * (strips.end - strips.begin));
}

static void runGroup(const Geometry& g, const FilterCut& cut, const Inputs& x, const float* gradient, Range units,
                     Range strips, float* own, float* sum) {
  const int64_t xImage = g.height * g.width * g.channels, gradientRow = g.outWidth * g.outChannels;
  const bool packed = packs(g, x.storage);
  for (int64_t unit = units.begin; unit < units.end; unit++) {
    const Range images = part(g.images, cut.imageUnits, unit / cut.bands);
    const Range rows = part(g.outHeight, cut.bands, unit % cut.bands);
    const Ahead ahead = unit + 1 < units.end ? askFor(g, cut, x, gradient, sizeof(float), unit + 1, strips) : Ahead();
    const int64_t count = images.end - images.begin, first = rows.begin * g.strideHeight;
    const int64_t xRows = panelRows(g, rows.end - rows.begin), panel = xRows * panelRow(g);
    if (packed)
      for (int64_t i = 0; i < count; i++) packRows(g, x, images.begin + i, first, xRows, own + i * panel);
    const float* from = packed ? own : (const float*)x.data + images.begin * xImage + first * panelRow(g);
    runUnit(g, cut.alongTaps, from, packed ? panel : xImage,
            gradient + (images.begin * g.outHeight + rows.begin) * gradientRow, count, rows.end - rows.begin, strips, sum,
            unit > units.begin, ahead);
  }
}

// Adds the groups' partial sums of a range of taps.
static void foldGroups(const Geometry& g, const FilterCut& cut, const float* partial, Range taps, float* dw) {
  const int64_t allTaps = g.kernelHeight * g.kernelWidth * g.channels, weights = allTaps * g.outChannels;
  if (!cut.alongTaps) {
    for (int64_t i = taps.begin * g.outChannels; i < taps.end * g.outChannels; i += LANES) {
      const Mask mask = firstLanes(least(LANES, taps.end * g.outChannels - i));
      Vec sum = load(partial + i, mask);
      for (int64_t group = 1; group < cut.groups; group++) sum += load(partial + group * weights + i, mask);
      store(dw + i, sum, mask);
    }
    return;
  }
  for (int64_t n = 0; n < g.outChannels; n += LANES)
    for (int64_t k = taps.begin; k < taps.end; k += LANES) {
      const Mask kMask = firstLanes(least(LANES, taps.end - k)), nMask = firstLanes(least(LANES, g.outChannels - n));
      Vec block[LANES];
#pragma GCC unroll 16
      for (int i = 0; i < LANES; i++) {
        block[i] = splat(0);
        if (n + i >= g.outChannels) continue;
        const float* from = partial + (n + i) * allTaps + k;
        block[i] = load(from, kMask);
        for (int64_t group = 1; group < cut.groups; group++) block[i] += load(from + group * weights, kMask);
      }
      transpose(block);
#pragma GCC unroll 16
      for (int i = 0; i < LANES; i++)
        if (k + i < taps.end) store(dw + (k + i) * g.outChannels + n, block[i], nMask);
    }
}

static void runFilter(const Geometry& g, const Inputs& x, const float* gradient, float* dw, int32_t phase, int64_t chunk,
                      Work work) {
  const FilterCut cut = cutFilter(g);
  const int64_t taps = g.kernelHeight * g.kernelWidth * g.channels;
  float* partial = reinterpret_cast<float*>(work.shared);
  if (phase == 1) return foldGroups(g, cut, partial, columnPart(taps, cut.foldChunks, chunk), dw);
  const int64_t group = chunk % cut.groups;
  const Range units = part(cut.imageUnits * cut.bands, cut.groups, group);
  const Range strips = part(cut.strips, cut.stripChunks, chunk / cut.groups);
  runGroup(g, cut, x, gradient, units, strips, reinterpret_cast<float*>(work.own),
           isDirect(cut) ? dw : partial + group * taps * g.outChannels);
}

}  // namespace FEWBIT_ISA
}  // namespace fewbit
