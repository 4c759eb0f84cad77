// The input gradient from output gradients in bfloat16 and weights that are exact in it.
//
// With a stride, the inputs h = phase + stride * i of one phase see the kernel rows
// r = first + stride * m, m < taps, and the gradient rows i + shift - m; columns likewise. For each
// pair of phases that is a convolution of stride 1 with the flipped taps, of which a row is one
// contiguous segment of the gradient. A chunk copies the gradient rows that a band needs into a panel
// with zero borders, which all phases read.
#pragma once
#include "cut.h"
#include "product_bf16.h"
#include "product_forward.h"

#if defined(__AVX512BF16__)

namespace fewbit {
namespace FEWBIT_ISA {

struct Phase {
  int64_t inputs, taps, first, shift;
};

// One axis of a convolution: the gradient's places `lowest` + i ... `highest` + i are read for the i-th input of a phase.
struct PhasedAxis {
  int64_t inputs, gradients, kernel, stride, padding, lowest, highest;
  int64_t phases() const { return least(stride, inputs); }
  int64_t most() const { return ceilDivide(inputs, stride); }  // inputs of a phase
  int64_t panel(int64_t count) const { return count + highest - lowest; }
  Phase phase(int64_t index) const {
    const int64_t place = index + padding, first = place % stride;
    return {ceilDivide(inputs - index, stride), first < kernel ? ceilDivide(kernel - first, stride) : 0, first,
            place / stride};
  }
};

static PhasedAxis axisOf(int64_t inputs, int64_t gradients, int64_t kernel, int64_t stride, int64_t padding) {
  PhasedAxis axis{inputs, gradients, kernel, stride, padding, 0, 0};
  bool any = false;
  for (int64_t i = 0; i < axis.phases(); i++) {
    const Phase p = axis.phase(i);
    if (p.taps == 0) continue;
    const int64_t low = p.shift - p.taps + 1;
    axis.lowest = any ? least(axis.lowest, low) : low;
    axis.highest = any ? most(axis.highest, p.shift) : p.shift;
    any = true;
  }
  return axis;
}

struct Bf16Cut {
  PhasedAxis rows, columns;
  int64_t blocks;  // of LANES input channels
  int64_t bands, bandRows, bandChunks, channelChunks, packChunks;
};

enum { PANEL_BF16 = 64 << 10, BAND_PIXELS = 64 };

static int64_t pairsOf(const Geometry& g, const Phase& columns) { return ceilDivide(columns.taps * g.outChannels, 2); }

static Bf16Cut cutBf16(const Geometry& g) {
  Bf16Cut cut;
  cut.rows = axisOf(g.height, g.outHeight, g.kernelHeight, g.strideHeight, g.paddingHeight);
  cut.columns = axisOf(g.width, g.outWidth, g.kernelWidth, g.strideWidth, g.paddingWidth);
  cut.blocks = ceilDivide(g.channels, LANES);
  const int64_t taps = g.kernelHeight * g.kernelWidth * g.channels;
  const int64_t wanted = wantedChunks(g.images * g.outHeight * g.outWidth * taps * g.outChannels / 2);
  const int64_t panelRow = cut.columns.panel(cut.columns.most()) * g.outChannels;
  const int64_t fitting = PANEL_BF16 / panelRow - (cut.rows.highest - cut.rows.lowest);
  const int64_t pixels = cut.columns.most() * g.strideHeight * g.strideWidth;
  const int64_t rows = most(g.images * cut.rows.most() / wanted, ceilDivide(BAND_PIXELS, pixels));
  cut.bandRows = clamp(least(rows, fitting), 1, cut.rows.most());
  cut.bands = ceilDivide(cut.rows.most(), cut.bandRows);
  cut.bandRows = ceilDivide(cut.rows.most(), cut.bands);
  cut.bandChunks = least(wanted, g.images * cut.bands);
  cut.channelChunks = clamp(wanted / cut.bandChunks, 1, ceilDivide(g.channels, COLUMNS));
  cut.packChunks = clamp(taps * g.outChannels / PACK_FLOATS, 1, ceilDivide(g.channels, COLUMNS));
  return cut;
}

// Words of packed weights before those of a pair of phases.
static int64_t packedBefore(const Geometry& g, const Bf16Cut& cut, int64_t a, int64_t b) {
  int64_t words = 0;
  for (int64_t i = 0; i <= a; i++)
    for (int64_t j = 0; j < (i < a ? cut.columns.phases() : b); j++)
      words += cut.rows.phase(i).taps * pairsOf(g, cut.columns.phase(j));
  return words * cut.blocks * LANES;
}

static Plan planInputGradientBf16(const Geometry& g) {
  const Bf16Cut cut = cutBf16(g);
  const int64_t panel = cut.rows.panel(cut.bandRows) * cut.columns.panel(cut.columns.most()) * g.outChannels;
  const int64_t segment = (ceilDivide(g.kernelWidth, g.strideWidth) * g.outChannels + 1) * LANES;
  Plan plan{};
  plan.phases = 2;
  plan.chunks[0] = cut.packChunks;
  plan.chunks[1] = cut.bandChunks * cut.channelChunks;
  plan.sharedBytes = packedBefore(g, cut, cut.rows.phases() - 1, cut.columns.phases()) * sizeof(int32_t);
  plan.ownBytes = most(align64((panel + 1) * sizeof(Bf16)), segment * sizeof(float));
  return plan;
}

// The phases of rows and of columns that make a convolution of stride 1, and where its packed weights begin:
// [pair of phases][block][kernel row][pair][channel].
struct PhasePair {
  int64_t row, column;  // phases
  Phase rows, columns;
  int64_t packed;
};
static PhasePair phasePair(const Geometry& g, const Bf16Cut& cut, int64_t row, int64_t column) {
  return {row, column, cut.rows.phase(row), cut.columns.phase(column), packedBefore(g, cut, row, column)};
}

// Packs the flipped weights of a block of input channels for one pair of phases; `segment` is a row of them.
static void packBlock(const Geometry& g, const PhasePair& phases, const float* w, int64_t channel, float* segment,
                      int32_t* to) {
  const Phase &rows = phases.rows, &columns = phases.columns;
  const int64_t lanes = least(LANES, g.channels - channel), length = columns.taps * g.outChannels;
  for (int64_t m = rows.taps - 1; m >= 0; m--) {
    const int64_t r = rows.first + m * g.strideHeight;
    for (int64_t n = 0; n < columns.taps; n++) {
      const int64_t c = columns.first + (columns.taps - 1 - n) * g.strideWidth;
      packTransposed(segment + n * g.outChannels * LANES,
                     w + ((r * g.kernelWidth + c) * g.channels + channel) * g.outChannels, g.outChannels, g.outChannels,
                     lanes);
    }
    store(segment + length * LANES, splat(0));
    for (int64_t k = 0; k < length; k += 2, to += LANES)
      storeInts(to, pairUp(load(segment + k * LANES), load(segment + (k + 1) * LANES)));
  }
}

static void packWeightsBf16(const Geometry& g, const Bf16Cut& cut, const float* w, Range channels, char* own,
                            int32_t* packed) {
  for (int64_t a = 0; a < cut.rows.phases(); a++)
    for (int64_t b = 0; b < cut.columns.phases(); b++) {
      const PhasePair phases = phasePair(g, cut, a, b);
      const int64_t block = phases.rows.taps * pairsOf(g, phases.columns) * LANES;
      for (int64_t n = channels.begin; n < channels.end; n += LANES)
        packBlock(g, phases, w, n, reinterpret_cast<float*>(own), packed + phases.packed + n / LANES * block);
    }
}

// The panel of `rows` rows of an image's gradient from row `first`, columns from `lowest`. Asks for as many rows
// behind them.
static void packGradient(const Geometry& g, const PhasedAxis& columns, const Bf16* image, int64_t first, int64_t rows,
                         Bf16* to) {
  const int64_t gradientRow = g.outWidth * g.outChannels, panelColumns = columns.panel(columns.most());
  const int64_t begin = clamp(columns.lowest, 0, g.outWidth);
  const int64_t end = clamp(columns.lowest + panelColumns, begin, g.outWidth);
  const int64_t next = most(first + rows, 0);
  for (int64_t i = next * gradientRow; i < least(next + rows, g.outHeight) * gradientRow; i += 32)
    __builtin_prefetch(image + i);
  for (int64_t i = 0; i < rows; i++) {
    const int64_t h = first + i;
    const bool inside = h >= 0 && h < g.outHeight && begin < end;
    const int64_t left = inside ? begin - columns.lowest : panelColumns, count = inside ? end - begin : 0;
    zeroBf16(to, left * g.outChannels);
    to += left * g.outChannels;
    if (!inside) continue;
    memcpy(to, image + h * gradientRow + begin * g.outChannels, count * g.outChannels * sizeof(Bf16));
    to += count * g.outChannels;
    const int64_t right = panelColumns - left - count;
    zeroBf16(to, right * g.outChannels);
    to += right * g.outChannels;
  }
  *to = 0;  // an odd segment's last pair reads one more
}

// out[t][n] = sum over (segment, pair) of dotPairs(a[t * aRow + segment * aSegment + 2 * pair], b[segment][pair][n]):
// T pixels by V vectors of channels, `block` words apart.
struct PairTile {
  const Bf16* a;
  int64_t aRow, aSegment, segments, pairs;
  const int32_t* b;
  int64_t block;
  float* out;
  int64_t outRow, lastLanes;
};

template <int T, int V>
static __attribute__((noinline)) void runTile(const PairTile& p) {
  const int64_t block = p.block;
  const int32_t* b = p.b;
  askForTile<T, V>(p.out, p.outRow);
  Vec sum[T][V];
#pragma GCC unroll 16
  for (int t = 0; t < T; t++)
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) sum[t][v] = splat(0);
  for (int64_t s = 0; s < p.segments; s++) {
    const int32_t* const end = b + p.pairs * LANES;
    for (RowPointers<T, Bf16> a(p.a + s * p.aSegment, p.aRow); b < end; a.step(2), b += LANES) {
      Ints weights[V];
#pragma GCC unroll 4
      for (int v = 0; v < V; v++) weights[v] = loadInts(b + v * block);
#pragma GCC unroll 16
      for (int t = 0; t < T; t++) {
        const Ints x = splatPair(a(t));
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) sum[t][v] = dotPairs(sum[t][v], x, weights[v]);
      }
    }
  }
  storeTile(sum, p.out, p.outRow, p.lastLanes);
}

static inline void advance(PairTile& tile, int64_t rows) {
  tile.a += rows * tile.aRow;
  tile.out += rows * tile.outRow;
}
enum { PAIR_VECTORS = 4 };  // of a tile at most

// A band's panel of the gradient, from row `first` on. It gets its rows one by one, just before they are first read.
struct GradientPanel {
  const Geometry& g;
  const PhasedAxis& columns;
  const Bf16* image;
  int64_t first, ready;
  Bf16* to;

  const Bf16* rows(int64_t end) {
    const int64_t row = columns.panel(columns.most()) * g.outChannels;
    if (ready < end) packGradient(g, columns, image, first + ready, end - ready, to + ready * row);
    ready = most(ready, end);
    return to;
  }
};

// Computes the rows of a band that belong to one pair of phases. The panel begins at gradient row rows.begin + lowest.
static void runPhases(const PhasePair& phases, const Bf16Cut& cut, const Band& band, GradientPanel& panel,
                      const int32_t* packed, float* image) {
  const Geometry& g = panel.g;
  const Phase &rows = phases.rows, &columns = phases.columns;
  const int64_t count = least(band.rows.end, rows.inputs) - band.rows.begin;
  if (count <= 0) return;
  const int64_t panelRow = cut.columns.panel(cut.columns.most()) * g.outChannels;
  const int64_t outRow = g.strideHeight * g.width * g.channels;
  const bool column = columns.inputs == 1;  // then pixels follow one another from row to row
  PairTile tile{};
  tile.aRow = column ? panelRow : g.outChannels;
  tile.aSegment = panelRow;
  tile.segments = columns.taps > 0 ? rows.taps : 0;
  tile.pairs = pairsOf(g, columns);
  tile.block = rows.taps * tile.pairs * LANES;
  tile.outRow = column ? outRow : g.strideWidth * g.channels;
  const bool none = tile.segments == 0;
  const int64_t top = none ? 0 : rows.shift - rows.taps + 1 - cut.rows.lowest;
  const int64_t left = none ? 0 : columns.shift - columns.taps + 1 - cut.columns.lowest;
  float* const out = image + ((band.rows.begin * g.strideHeight + phases.row) * g.width + phases.column) * g.channels;
  for (int64_t n = band.channels.begin; n < band.channels.end; n += PAIR_VECTORS * LANES) {
    const int64_t vectors = least(PAIR_VECTORS, ceilDivide(band.channels.end - n, LANES));
    tile.lastLanes = least(band.channels.end - n - (vectors - 1) * LANES, LANES);
    tile.b = packed + phases.packed + n / LANES * tile.block;
    for (int64_t i = 0; i < (column ? 1 : count); i++) {
      tile.a = panel.rows(top + tile.segments + (column ? count - 1 : i)) + (top + i) * panelRow + left * g.outChannels;
      tile.out = out + i * outRow + n;
      runVectors<PairRows, PAIR_VECTORS>(vectors, column ? count : columns.inputs, tile);
    }
  }
}

static void runInputGradientBf16(const Geometry& g, const Bf16* gradient, const float* w, float* dx, const Chunk& chunk) {
  const Bf16Cut cut = cutBf16(g);
  int32_t* const packed = reinterpret_cast<int32_t*>(chunk.work.shared);
  if (chunk.phase == 0)
    return packWeightsBf16(g, cut, w, columnPart(g.channels, cut.packChunks, chunk.index), chunk.work.own, packed);
  const Range bands = part(g.images * cut.bands, cut.bandChunks, chunk.index % cut.bandChunks);
  const Range channels = columnPart(g.channels, cut.channelChunks, chunk.index / cut.bandChunks);
  for (int64_t index = bands.begin; index < bands.end; index++) {
    const int64_t image = index / cut.bands;
    const Band band{part(cut.rows.most(), cut.bands, index % cut.bands), channels};
    GradientPanel panel{g,
                        cut.columns,
                        gradient + image * g.outHeight * g.outWidth * g.outChannels,
                        band.rows.begin + cut.rows.lowest,
                        0,
                        reinterpret_cast<Bf16*>(chunk.work.own)};
    for (int64_t a = 0; a < cut.rows.phases(); a++)
      for (int64_t b = 0; b < cut.columns.phases(); b++)
        runPhases(phasePair(g, cut, a, b), cut, band, panel, packed, dx + image * g.height * g.width * g.channels);
  }
}

}  // namespace FEWBIT_ISA
}  // namespace fewbit

#endif
