// The filter gradient from inputs that are exact in bfloat16 and output gradients in bfloat16.
//
// Columns come in pairs: a word of the gradient's panel holds (g[2p], g[2p + 1]) of a channel, one of the input's
// panel (x[j], x[j + stride]), for every column j, so that each tap finds its pair whatever its column. A last pair
// without a second gradient gets zero. The columns of a matrix product are its rows, cut into units.
#pragma once
#include "product_bf16.h"
#include "product_filter_gradient.h"

#if defined(__AVX512BF16__)

namespace fewbit {
namespace FEWBIT_ISA {

// Words of a unit's two panels (they should stay in the second-level cache), and pairs of columns of a unit, at least.
enum { PANEL_PAIRS = 32 << 10, UNIT_PAIRS = 128 };

// Output columns of a unit at most, and words along a row of both panels.
struct PairColumns {
  int64_t columns, pairs, panelColumns;
};

// One long row is a matrix product.
static bool isOneRow(const Geometry& g) { return g.images == 1 && g.outHeight == 1; }

static PairColumns pairColumns(const Geometry& g) {
  const int64_t columns = isOneRow(g) ? least(g.outWidth, 2 * UNIT_PAIRS) : g.outWidth, pairs = ceilDivide(columns, 2);
  return {columns, pairs, 2 * (pairs - 1) * g.strideWidth + g.kernelWidth};
}

static FilterCut cutFilterBf16(const Geometry& g) {
  const int64_t weights = g.kernelHeight * g.kernelWidth * g.channels * g.outChannels;
  const int64_t wanted = wantedChunks(g.images * g.outHeight * g.outWidth * weights / 2);
  const PairColumns c = pairColumns(g);
  const int64_t row = c.panelColumns * g.channels * g.strideHeight + c.pairs * g.outChannels;
  int64_t rows = most(g.images * g.outHeight / wanted, ceilDivide(UNIT_PAIRS, c.pairs));
  rows = clamp(least(rows, PANEL_PAIRS / row), 1, g.outHeight);
  FilterCut cut{};
  cut.alongTaps = runsAlongTaps(g);
  cut.cutsColumns = isOneRow(g);
  cut.bands = cut.cutsColumns ? ceilDivide(g.outWidth, c.columns) : ceilDivide(g.outHeight, rows);
  cut.unitImages = cut.bands > 1 ? 1 : clamp(UNIT_PAIRS / (g.outHeight * c.pairs), 1, g.images);
  divideWork(g, wanted, weights >= LARGE_WEIGHTS ? wanted : 1, cut);
  return cut;
}

// Where a unit's operands are packed. The bytes of `own` hold a line of floats, then both panels.
struct PairLayout {
  const PairColumns c;
  const int64_t line, inputRow, gradientRow, inputImage, gradientImage;  // words; of an image with `rows` output rows
  PairLayout(const Geometry& g, int64_t rows)
      : c(pairColumns(g)),
        line((c.panelColumns + g.strideWidth) * g.channels),
        inputRow(c.panelColumns * g.channels),
        gradientRow(c.pairs * g.outChannels),
        inputImage(panelRows(g, rows) * inputRow),
        gradientImage(rows * gradientRow) {}
};

// Output rows of a unit at most.
static int64_t unitRows(const Geometry& g, const FilterCut& cut) {
  return cut.cutsColumns ? 1 : ceilDivide(g.outHeight, cut.bands);
}

static Plan planFilterBf16(const Geometry& g) {
  const FilterCut cut = cutFilterBf16(g);
  const PairLayout layout(g, unitRows(g, cut));
  const int64_t words = cut.unitImages * (layout.inputImage + layout.gradientImage) + layout.line;
  return planUnits(g, cut, (words + 4 * LANES) * sizeof(int32_t));
}

struct Pairs {
  typedef int32_t Word;
  typedef Ints Vector;
  enum { GRADIENT_BYTES = sizeof(Bf16) };
  static inline Ints load(const int32_t* from) { return loadInts(from); }
  static inline Ints loadLast(const int32_t* from, Mask) { return loadInts(from); }  // panels end in room for a vector
  static inline Ints splat(int32_t word) { return splatInts(word); }
  static inline Vec multiplyAdd(Vec sum, Ints a, Ints b) { return dotPairs(sum, a, b); }

  const Geometry& g;
  const Inputs x;
  const Bf16* const gradient;
  const FilterCut cut = cutFilterBf16(g);

  int64_t atOnce(int64_t) const { return 1; }
  void add(Range units, char* own, const Sum& sum, const Ahead& ahead) const {
    addUnit(*this, panels(unitOf(g, cut, units.begin), own), sum, ahead);
  }

  Panels<int32_t> panels(const Unit& unit, char* own) const {
    const PairLayout most(g, unitRows(g, cut)), layout(g, lengthOf(unit.rows));
    float* const line = reinterpret_cast<float*>(own);
    int32_t* const inputs = reinterpret_cast<int32_t*>(own) + layout.line + LANES;
    int32_t* const gradients = inputs + cut.unitImages * most.inputImage + LANES;
    for (int64_t i = 0; i < lengthOf(unit.images); i++) {
      const int64_t image = unit.images.begin + i;
      int32_t* to = inputs + i * layout.inputImage;
      for (int64_t row = 0; row < panelRows(g, lengthOf(unit.rows)); row++, to += layout.inputRow) {
        const int64_t h = unit.rows.begin * g.strideHeight + row - g.paddingHeight;
        if (h < 0 || h >= g.height)
          zero(reinterpret_cast<float*>(to), layout.inputRow);
        else
          packInputs(image * g.height + h, unit.columns.begin * g.strideWidth, line, to);
      }
      to = gradients + i * layout.gradientImage;
      for (int64_t row = unit.rows.begin; row < unit.rows.end; row++, to += layout.gradientRow)
        packGradient((image * g.outHeight + row) * g.outWidth, unit.columns, to);
    }
    Panels<int32_t> to;
    to.x = inputs;
    to.gradient = gradients;
    to.xWalk = {layout.inputImage, g.strideHeight * layout.inputRow, 2 * g.strideWidth * g.channels};
    to.gradientWalk = {layout.gradientImage, layout.gradientRow, g.outChannels};
    to.kernelRow = layout.inputRow;
    to.images = lengthOf(unit.images);
    to.rows = lengthOf(unit.rows);
    to.columns = layout.c.pairs;
    return to;
  }

  // The words of a row of inputs, counted over all images, from the column `first` of the padded image on.
  void packInputs(int64_t row, int64_t first, float* line, int32_t* to) const {
    const int64_t panelColumns = pairColumns(g).panelColumns;
    const int64_t words = panelColumns * g.channels, next = g.strideWidth * g.channels;
    const int64_t begin = clamp(g.paddingWidth - first, 0, panelColumns + g.strideWidth);
    const int64_t end = clamp(g.width + g.paddingWidth - first, begin, panelColumns + g.strideWidth);
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
    for (; i + LANES <= words; i += LANES)
      storeInts(to + i, pairUp(FEWBIT_ISA::load(line + i), FEWBIT_ISA::load(line + i + next)));
    if (i < words) {
      const Mask mask = firstLanes(words - i);
      storeInts(to + i, pairUp(FEWBIT_ISA::load(line + i, mask), FEWBIT_ISA::load(line + i + next, mask)), words - i);
    }
  }

  // The words of some columns of the row of gradients that begins at position `row`; zeros follow up to a whole row.
  void packGradient(int64_t row, Range columns, int32_t* to) const {
    const int64_t count = lengthOf(columns), pairs = count / 2, channels = g.outChannels;
    const Bf16* from = gradient + (row + columns.begin) * channels;
    for (int64_t p = 0; p < pairs; p++, from += 2 * channels, to += channels)
      for (int64_t n = 0; n < channels; n += LANES) {
        const int64_t lanes = least(LANES, channels - n);
        storeInts(to + n, pairUp(from + n, from + channels + n, lanes), lanes);
      }
    if (count % 2) {
      for (int64_t n = 0; n < channels; n += LANES) {
        const int64_t lanes = least(LANES, channels - n);
        storeInts(to + n, pairWithZero(from + n, lanes), lanes);
      }
      to += channels;
    }
    for (int64_t n = ceilDivide(count, 2) * channels; n < pairColumns(g).pairs * channels; n++) *to++ = 0;
  }
};

}  // namespace FEWBIT_ISA
}  // namespace fewbit

#endif
