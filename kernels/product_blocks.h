// The filter gradient from f32 operands that are packed in the order in which tiles read them.
//
// Read where they lie, a tile's operands are a pixel's channels apart: with a power of two of them few sets of the
// first-level cache hold all lines, and a page ends after a few pixels. Here the inputs of a unit lie as
// [block of channels][image][row][column][BLOCK] and its gradients as [panel of outputs][position][channel of the
// panel], both read one after the other. The sums are the same.
#pragma once
#include "product_filter_gradient.h"

namespace fewbit {
namespace FEWBIT_ISA {

enum {
  BLOCK = Rows<2>::MOST,  // channels of the inputs that a tile multiplies by
  BLOCKS_AT_ONCE = 64,    // whose lines the first-level cache holds while they are packed
  ROWS_AT_ONCE = 8,       // likewise, of a matrix
  UNITS_FLOATS = 128 << 10,
  MOST_UNITS = 8,  // that are packed at once
};

// out[t][n] = or += chain over (image, row, column) of a[t] * b[n]; b is dense.
struct BlockTile {
  const float *a, *b;
  Walk walk;         // of a
  int64_t position;  // the first one's, counted over all that is packed
  int64_t images, rows, columns;
  float* out;
  int64_t outRow, lastLanes;
  bool add;
};

template <int T, int V>
static __attribute__((noinline)) void runTile(const BlockTile& p) {
  askForTile<T, V>(p.out, p.outRow);
  Vec sum[T][V];
#pragma GCC unroll 16
  for (int t = 0; t < T; t++)
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) sum[t][v] = splat(0);
  const float* b = p.b;
  const int64_t step = p.walk.column;
  for (int64_t image = 0; image < p.images; image++)
    for (int64_t row = 0; row < p.rows; row++) {
      const float* a = p.a + image * p.walk.image + row * p.walk.row;
      for (const float* const end = b + p.columns * V * LANES; b < end; a += step, b += V * LANES) {
        Vec values[V];
#pragma GCC unroll 2
        for (int v = 0; v < V; v++) values[v] = load(b + v * LANES);
#pragma GCC unroll 16
        for (int t = 0; t < T; t++) {
          const Vec x = splat(a[t]);
#pragma GCC unroll 2
          for (int v = 0; v < V; v++) sum[t][v] = madd(x, values[v], sum[t][v]);
        }
      }
    }
  addTile(sum, p.out, p.outRow, p.lastLanes, p.add);
}

// Rows of the inputs that are packed together: of a matrix product some, whose lines are not read again for each block.
static int64_t rowsAtOnce(const Geometry& g) { return g.width == 1 && !padded(g) ? ROWS_AT_ONCE : 1; }

static int64_t roundTo16(int64_t n) { return (n + 15) / 16 * 16; }

// How a unit of so many images and output rows is packed. All in floats.
struct BlockLayout {
  int64_t blocks, width, rows, positions;  // blocks of channels; of a panel of inputs; of a panel of gradients
  int64_t block, inputs, all;
  BlockLayout(const Geometry& g, int64_t images, int64_t outRows)
      : blocks(ceilDivide(g.channels, BLOCK)),
        width(g.width + 2 * g.paddingWidth),
        rows(panelRows(g, outRows)),
        positions(images * outRows * g.outWidth),
        block(roundTo16(images * rows * width * BLOCK + LANES)),  // whole vectors are stored
        inputs(blocks * block),
        all(inputs + positions * roundToLanes(g.outChannels)) {}
};

static bool packsBlocks(const Geometry& g, const FilterCut& cut) { return !cut.alongTaps && g.channels >= BLOCK; }

static int64_t lineFloats(const Geometry& g) { return roundTo16(rowsAtOnce(g) * g.width * g.channels + LANES); }

// Units that are packed together, as one: bands of an image, or images. Rows that bands share are packed once, and a
// tile's sums are read and written in the first-level cache for all units but the first.
static int64_t unitsAtOnce(const Geometry& g, const FilterCut& cut) {
  const BlockLayout layout(g, cut.unitImages, ceilDivide(g.outHeight, cut.bands));
  const int64_t units = cut.bands > 1 ? cut.bands : ceilDivide(cut.imageUnits, cut.groups);
  return clamp(UNITS_FLOATS / layout.all, 1, least(units, MOST_UNITS));
}
// As many, or fewer: those from `unit` to the end of its image.
static int64_t unitsAtOnce(const Geometry& g, const FilterCut& cut, int64_t unit) {
  return cut.bands > 1 ? least(unitsAtOnce(g, cut), cut.bands - unit % cut.bands) : unitsAtOnce(g, cut);
}
static int64_t blockBytes(const Geometry& g, const FilterCut& cut) {
  const int64_t units = unitsAtOnce(g, cut), rows = ceilDivide(g.outHeight, cut.bands);
  const BlockLayout layout =
      cut.bands > 1 ? BlockLayout(g, 1, least(units * rows, g.outHeight)) : BlockLayout(g, units * cut.unitImages, rows);
  return (layout.all + lineFloats(g)) * sizeof(float);
}

// to[block][pixel][BLOCK] of `pixels` pixels that lie one after the other. Whole vectors are stored, whose last lanes the
// next pixel, or nobody, overwrites.
static void packPixels(const BlockLayout& layout, const Geometry& g, const float* from, int64_t pixels, float* to) {
  const int64_t whole =
      g.channels < LANES ? 0 : (g.channels - LANES) / BLOCK + 1;  // of which a vector lies within the pixel
  for (int64_t begin = 0; begin < layout.blocks; begin += BLOCKS_AT_ONCE) {
    const int64_t end = least(begin + BLOCKS_AT_ONCE, layout.blocks);
    for (int64_t p = 0; p < pixels; p++) {
      const float* const pixel = from + p * g.channels;
      float* place = to + begin * layout.block + p * BLOCK;
      int64_t i = begin;
      for (; i < least(end, whole); i++, place += layout.block) store(place, load(pixel + i * BLOCK));
      for (; i < end; i++, place += layout.block)
        store(place, load(pixel + i * BLOCK, firstLanes(least(LANES, g.channels - i * BLOCK))));
    }
  }
}

static void zeroPixels(const BlockLayout& layout, int64_t pixels, float* to) {
  for (int64_t i = 0; i < layout.blocks; i++, to += layout.block)
    for (int64_t p = 0; p < pixels; p++) store(to + p * BLOCK, splat(0));
}

struct Blocks {
  const Geometry& g;
  const Inputs x;
  const float* const gradient;
  const FilterCut& cut;

  // Numbers `index` ... `index` + n of the inputs as floats.
  const float* floats(int64_t index, int64_t n, float* line) const {
    if (x.storage == F32) return (const float*)x.data + index;
    readIntegers(line, x.data, x.storage, index, n);
    return line;
  }

  void packInputs(const BlockLayout& layout, const Unit& unit, float* line, float* inputs) const {
    const int64_t row = g.width * g.channels, step = rowsAtOnce(g);
    for (int64_t i = unit.images.begin; i < unit.images.end; i++)
      for (int64_t r = 0; r < layout.rows; r += step) {
        const int64_t h = unit.rows.begin * g.strideHeight + r - g.paddingHeight;
        float* const to = inputs + ((i - unit.images.begin) * layout.rows + r) * layout.width * BLOCK;
        if (h < 0 || h >= g.height) {
          zeroPixels(layout, layout.width, to);
          continue;
        }
        const int64_t rows = least(step, layout.rows - r), after = g.paddingWidth + g.width;
        if (g.paddingWidth) zeroPixels(layout, g.paddingWidth, to);
        packPixels(layout, g, floats((i * g.height + h) * row, rows * row, line), rows * g.width,
                   to + g.paddingWidth * BLOCK);
        if (g.paddingWidth) zeroPixels(layout, g.paddingWidth, to + after * BLOCK);
      }
  }

  // Adds units to some strips of a sum, one after the other. `own` has `blockBytes`.
  void addUnits(Range units, char* own, const Sum& sum) const {
    const Unit all = unitsOf(g, cut, units);
    const BlockLayout layout(g, lengthOf(all.images), lengthOf(all.rows));
    float* const inputs = reinterpret_cast<float*>(own) + lineFloats(g);
    float* const gradients = inputs + layout.inputs;
    packInputs(layout, all, reinterpret_cast<float*>(own), inputs);
    BlockTile whole{}, tiles[MOST_UNITS];
    whole.a = inputs;
    whole.walk = {layout.rows * layout.width * BLOCK, g.strideHeight * layout.width * BLOCK, g.strideWidth * BLOCK};
    whole.outRow = g.outChannels;
    for (int64_t i = units.begin; i < units.end; i++) {
      whole.add = sum.add || i > units.begin;
      tiles[i - units.begin] = tileOf(unitOf(g, cut, i), all, whole);
    }
    const int64_t stripsPerRow = ceilDivide(g.outChannels, COLUMNS);
    for (int64_t strip = sum.strips.begin; strip < sum.strips.end; strip++) {
      const int64_t r = strip / stripsPerRow, begin = strip % stripsPerRow * COLUMNS;
      float* const out = sum.to + r * g.kernelWidth * g.channels * g.outChannels;
      for (int64_t n = begin; n < least(begin + COLUMNS, g.outChannels); n += PANEL) {
        const int64_t columns = least(PANEL, g.outChannels - n);
        float* const panel = gradients + n * layout.positions;
        if (strip - sum.strips.begin < stripsPerRow) packGradients(all, {n, n + columns}, panel);
        for (BlockTile& tile : tiles) tile.lastLanes = columns > LANES ? columns - LANES : columns;
        columns > LANES ? addPanel<2>(layout, tiles, lengthOf(units), r, panel, out + n)
                        : addPanel<1>(layout, tiles, lengthOf(units), r, panel, out + n);
      }
    }
  }

  void packGradients(const Unit& unit, Range channels, float* to) const {
    const int64_t positions = lengthOf(unit.rows) * g.outWidth, row = g.outWidth * g.outChannels;
    for (int64_t i = unit.images.begin; i < unit.images.end; i++, to += positions * roundToLanes(lengthOf(channels)))
      packPanel(to, gradient + (i * g.outHeight + unit.rows.begin) * row + channels.begin, g.outChannels, positions,
                lengthOf(channels));
  }

  // A unit's tile for the first block and tap, all but the gradients and the sums.
  BlockTile tileOf(const Unit& unit, const Unit& all, const BlockTile& whole) const {
    BlockTile tile = whole;
    const int64_t images = unit.images.begin - all.images.begin, rows = unit.rows.begin - all.rows.begin;
    tile.a += images * tile.walk.image + rows * tile.walk.row;
    tile.position = (images * g.outHeight + rows) * g.outWidth;
    tile.images = lengthOf(unit.images);
    tile.rows = lengthOf(unit.rows);
    tile.columns = g.outWidth;
    if (tile.columns == 1) {  // then the rows are walked as columns
      tile.columns = tile.rows;
      tile.rows = 1;
      tile.walk.column = tile.walk.row;
    }
    return tile;
  }

  // The taps of row r of the kernel for a panel of outputs. A block's kernel columns, which read the same, follow one
  // another.
  template <int V>
  void addPanel(const BlockLayout& layout, const BlockTile* tiles, int64_t count, int64_t r, const float* b,
                float* out) const {
    for (int64_t block = 0; block < layout.blocks; block++) {
      const int64_t channel = block * BLOCK;
      for (int64_t c = 0; c < g.kernelWidth; c++)
        for (int64_t i = 0; i < count; i++) {
          BlockTile tile = tiles[i];
          tile.a += block * layout.block + (r * layout.width + c) * BLOCK;
          tile.b = b + tile.position * V * LANES;
          tile.out = out + (c * g.channels + channel) * g.outChannels;
          runRows<BLOCK, V>(least(BLOCK, g.channels - channel), tile);
        }
    }
  }
};

}  // namespace FEWBIT_ISA
}  // namespace fewbit
