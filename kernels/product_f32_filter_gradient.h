// The filter gradient from output gradients in f32, and inputs that are f32 or integers.
//
// Inputs that are stored as bytes are converted unit by unit into a thread's own panel, as padded ones
// are copied; the sums are the same.
#pragma once
#include "product_blocks.h"

namespace fewbit {
namespace FEWBIT_ISA {

enum {
  UNIT_POSITIONS = 64,  // at least, so that adding units costs little
  MATRIX_UNIT = 256,    // rows of a matrix product, at most
};

static bool packs(const Geometry& g, int32_t storage) { return padded(g) || storage != F32; }

static FilterCut cutFilter(const Geometry& g) {
  const int64_t weights = g.kernelHeight * g.kernelWidth * g.channels * g.outChannels;
  const int64_t positions = g.outHeight * g.outWidth;
  const int64_t wanted = wantedChunks(g.images * positions * weights);
  FilterCut cut{};
  cut.alongTaps = runsAlongTaps(g);
  int64_t rows = clamp(g.images * g.outHeight / wanted, ceilDivide(UNIT_POSITIONS, g.outWidth), g.outHeight);
  if (padded(g)) rows = clamp((PANEL_FLOATS / panelRow(g) - g.kernelHeight) / g.strideHeight + 1, 1, rows);
  if (g.width == 1) rows = least(rows, MATRIX_UNIT);
  cut.bands = ceilDivide(g.outHeight, rows);
  cut.unitImages = cut.bands > 1 ? 1 : least(ceilDivide(UNIT_POSITIONS, positions), g.images);
  // Each part of the weights packs the images again; where there is nothing to pack, parts need no partial sums.
  const bool few = padded(g) || weights < LARGE_WEIGHTS;
  divideWork(g, wanted, few ? ceilDivide(weights, LARGE_WEIGHTS) : wanted, cut);
  return cut;
}

static Plan planFilter(const Geometry& g, int32_t storage) {
  const FilterCut cut = cutFilter(g);
  if (packsBlocks(g, cut)) return planUnits(g, cut, blockBytes(g, cut));
  const int64_t panel = cut.unitImages * panelRows(g, ceilDivide(g.outHeight, cut.bands)) * panelRow(g);
  return planUnits(g, cut, packs(g, storage) ? (panel + LANES) * sizeof(float) : 0);
}

// Rows first ... first + rows of an image, counted from the top of its padding, with their borders, as floats.
static void packRows(const Geometry& g, const Inputs& x, int64_t image, Range rows, float* to) {
  const int64_t row = g.width * g.channels, border = g.paddingWidth * g.channels, start = image * g.height * row;
  if (x.storage == F32) return padRows(g, (const float*)x.data + start, rows.begin, lengthOf(rows), to, 0);
  if (!padded(g)) return readIntegers(to, x.data, x.storage, start + rows.begin * row, lengthOf(rows) * row);
  for (int64_t i = rows.begin; i < rows.end; i++, to += row + 2 * border) {
    const int64_t h = i - g.paddingHeight;
    const bool inside = h >= 0 && h < g.height;
    if (inside) readIntegers(to + border, x.data, x.storage, start + h * row, row);
    zero(to, inside ? border : border + row);
    zero(to + border + row, border);
  }
}

struct Floats {
  typedef float Word;
  typedef Vec Vector;
  enum { GRADIENT_BYTES = sizeof(float) };
  static inline Vec load(const float* from) { return FEWBIT_ISA::load(from); }
  static inline Vec loadLast(const float* from, Mask mask) { return FEWBIT_ISA::load(from, mask); }
  static inline Vec splat(float value) { return FEWBIT_ISA::splat(value); }
  static inline Vec multiplyAdd(Vec sum, Vec a, Vec b) { return madd(a, b, sum); }

  const Geometry& g;
  const Inputs x;
  const float* const gradient;
  const FilterCut cut = cutFilter(g);

  int64_t atOnce(int64_t unit) const { return packsBlocks(g, cut) ? unitsAtOnce(g, cut, unit) : 1; }
  void add(Range units, char* own, const Sum& sum, const Ahead& ahead) const {
    if (packsBlocks(g, cut)) return Blocks{g, x, gradient, cut}.addUnits(units, own, sum);
    addUnit(*this, panels(unitOf(g, cut, units.begin), own), sum, ahead);
  }

  Panels<float> panels(const Unit& unit, char* own) const {
    const int64_t first = unit.rows.begin * g.strideHeight, rows = panelRows(g, lengthOf(unit.rows));
    const int64_t panel = rows * panelRow(g), image = g.height * g.width * g.channels;
    float* const packed = reinterpret_cast<float*>(own);
    const bool isPacked = packs(g, x.storage);
    if (isPacked)
      for (int64_t i = 0; i < lengthOf(unit.images); i++)
        packRows(g, x, unit.images.begin + i, {first, first + rows}, packed + i * panel);
    const int64_t gradientRow = g.outWidth * g.outChannels;
    Panels<float> to;
    to.x = isPacked ? packed : (const float*)x.data + unit.images.begin * image + first * panelRow(g);
    to.gradient = gradient + (unit.images.begin * g.outHeight + unit.rows.begin) * gradientRow;
    to.xWalk = {isPacked ? panel : image, g.strideHeight * panelRow(g), g.strideWidth * g.channels};
    to.gradientWalk = {g.outHeight * gradientRow, gradientRow, g.outChannels};
    to.kernelRow = panelRow(g);
    to.images = lengthOf(unit.images);
    to.rows = lengthOf(unit.rows);
    to.columns = g.outWidth;
    if (to.columns == 1) {  // then the rows are walked as columns
      to.columns = to.rows;
      to.rows = 1;
      to.xWalk.column = to.xWalk.row;
      to.gradientWalk.column = to.gradientWalk.row;
    }
    return to;
  }
};

}  // namespace FEWBIT_ISA
}  // namespace fewbit
