// The filter gradient: dw[tap][output channel] = sum over output positions of x[position, tap] * g[position, channel].
//
// The positions of a unit (a band of rows of an image, or a few small images) are one chain from
// zero; a group adds its units in order to one partial sum, and a second phase adds the groups in
// order. Vectors run over output channels, or over the taps of a kernel row where that leaves
// fewer lanes idle; partial sums are transposed then.
//
// How units are cut, walked and summed stands here once. What an element is, and how a unit's operands come to lie
// in panels, is an `Elements` policy: product_f32_filter_gradient.h and product_bf16_filter_gradient.h. It has
//
//   Word, Vector             an element of a panel (a number, or a pair of them), and a vector of them
//   load, loadLast, splat    of a vector, of the last vector of a row of outputs, of one word
//   multiplyAdd              sum + a * b in each lane
//   GRADIENT_BYTES           of one output gradient in memory
//   g, cut, x, gradient      the product, how it is cut, and its operands
//   panels(unit, own)        packs a unit's operands into `own` where need be, and says where they lie
#pragma once
#include "product_forward.h"
#include "simd_integer.h"

namespace fewbit {
namespace FEWBIT_ISA {

enum {
  MOST_GROUPS = 16,
  PARTIAL_FLOATS = 8 << 20,   // of all partial sums
  LARGE_WEIGHTS = 128 << 10,  // of a chunk: its partial sum should stay in the second-level cache
};

struct FilterCut {
  bool alongTaps;    // vectors run over taps
  bool cutsColumns;  // of one long row, which is a matrix product; else bands are of rows
  int64_t unitImages, bands, imageUnits, groups, strips, stripChunks, foldChunks;
};

// The inputs: f32 or integers.
struct Inputs {
  const char* data;
  int32_t storage;
};

// Images, output rows and output columns.
struct Unit {
  Range images, rows, columns;
};
static inline int64_t lengthOf(Range range) { return range.end - range.begin; }

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
static bool runsAlongTaps(const Geometry& g) {
  const int64_t length = g.kernelWidth * g.channels;
  return tileCost(length, g.outChannels) * 20 < tileCost(g.outChannels, length) * 19;
}

// Divides the work of a cut whose bands and images of a unit are known: into `strips` parts of the weights, and
// groups of units, for `wanted` chunks.
static void divideWork(const Geometry& g, int64_t wanted, int64_t strips, FilterCut& cut) {
  const int64_t length = g.kernelWidth * g.channels, weights = g.kernelHeight * length * g.outChannels;
  cut.imageUnits = ceilDivide(g.images, cut.unitImages);
  cut.strips = g.kernelHeight * ceilDivide(cut.alongTaps ? length : g.outChannels, COLUMNS);
  cut.stripChunks = least(strips, cut.strips);
  const int64_t units = cut.imageUnits * cut.bands;
  cut.groups = clamp(wanted / cut.stripChunks, 1, least(least(units, MOST_GROUPS), PARTIAL_FLOATS / weights));
  if (cut.groups * cut.stripChunks < 16) cut.stripChunks = clamp(ceilDivide(least(wanted, 16), cut.groups), 1, cut.strips);
  cut.foldChunks = clamp(cut.groups * weights / (4 * PACK_FLOATS), 1, ceilDivide(g.kernelHeight * length, COLUMNS));
}

// Whether the only group's sum is the result as it is.
static bool isDirect(const FilterCut& cut) { return cut.groups == 1 && !cut.alongTaps; }

// The plan of a cut whose units need so many bytes of a thread's own.
static Plan planUnits(const Geometry& g, const FilterCut& cut, int64_t ownBytes) {
  const bool direct = isDirect(cut);
  Plan plan{};
  plan.phases = direct ? 1 : 2;
  plan.chunks[0] = cut.groups * cut.stripChunks;
  plan.chunks[1] = direct ? 0 : cut.foldChunks;
  const int64_t weights = g.kernelHeight * g.kernelWidth * g.channels * g.outChannels;
  plan.sharedBytes = direct ? 0 : cut.groups * weights * sizeof(float);
  plan.ownBytes = ownBytes;
  return plan;
}

static Unit unitOf(const Geometry& g, const FilterCut& cut, int64_t index) {
  const Range band = part(cut.cutsColumns ? g.outWidth : g.outHeight, cut.bands, index % cut.bands);
  return {part(g.images, cut.imageUnits, index / cut.bands), cut.cutsColumns ? Range{0, g.outHeight} : band,
          cut.cutsColumns ? band : Range{0, g.outWidth}};
}

// Units as one: bands of one image, or whole images.
static Unit unitsOf(const Geometry& g, const FilterCut& cut, Range units) {
  const Unit first = unitOf(g, cut, units.begin), last = unitOf(g, cut, units.end - 1);
  return {{first.images.begin, last.images.end}, {first.rows.begin, last.rows.end}, {first.columns.begin, last.columns.end}};
}

// Words from one image, row and column to the next.
struct Walk {
  int64_t image, row, column;
};

// A unit's operands: words of the inputs that the first tap reads, `kernelRow` words before those of the next row of the
// kernel, and of the gradient.
template <class Word>
struct Panels {
  const Word *x, *gradient;
  Walk xWalk, gradientWalk;
  int64_t kernelRow, images, rows, columns;
};

// out[t][n] = or += chain over (image, row, column) of broadcast[t] * vector[n].
template <class Elements>
struct PositionTile {
  const typename Elements::Word *broadcast, *vector;
  Walk broadcastWalk, vectorWalk;
  int64_t images, rows, columns;
  float* out;
  int64_t outRow, lastLanes;
  bool add;
  Ahead* ahead;  // asked at every row
};

template <int T, int V, class Elements>
static __attribute__((noinline)) void runTile(const PositionTile<Elements>& p) {
  const Mask mask = firstLanes(p.lastLanes);
  const int64_t aColumn = p.broadcastWalk.column, bColumn = p.vectorWalk.column;
  Vec sum[T][V];
#pragma GCC unroll 16
  for (int t = 0; t < T; t++)
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) sum[t][v] = splat(0);
  for (int64_t image = 0; image < p.images; image++)
    for (int64_t row = 0; row < p.rows; row++) {
      const typename Elements::Word* a = p.broadcast + image * p.broadcastWalk.image + row * p.broadcastWalk.row;
      const typename Elements::Word* b = p.vector + image * p.vectorWalk.image + row * p.vectorWalk.row;
      p.ahead->ask();
      for (int64_t column = 0; column < p.columns; column++, a += aColumn, b += bColumn) {
        typename Elements::Vector values[V];
#pragma GCC unroll 2
        for (int v = 0; v < V; v++)
          values[v] = v == V - 1 ? Elements::loadLast(b + v * LANES, mask) : Elements::load(b + v * LANES);
#pragma GCC unroll 16
        for (int t = 0; t < T; t++) {
          const typename Elements::Vector x = Elements::splat(a[t]);
#pragma GCC unroll 2
          for (int v = 0; v < V; v++) sum[t][v] = Elements::multiplyAdd(sum[t][v], x, values[v]);
        }
      }
    }
  addTile(sum, p.out, p.outRow, p.lastLanes, p.add);
}

template <class Elements>
static inline void advance(PositionTile<Elements>& tile, int64_t rows) {
  tile.broadcast += rows;
  tile.out += rows * tile.outRow;
}

// Where a group adds its units: some strips of a partial sum, which the first unit overwrites.
struct Sum {
  float* to;
  Range strips;
  bool add;
};

template <class Elements>
static void addUnit(const Elements& elements, const Panels<typename Elements::Word>& unit, const Sum& sum, Ahead ahead) {
  const Geometry& g = elements.g;
  const bool alongTaps = elements.cut.alongTaps;
  const int64_t length = g.kernelWidth * g.channels, taps = g.kernelHeight * length;
  const int64_t vectors = alongTaps ? length : g.outChannels, broadcasts = alongTaps ? g.outChannels : length;
  const int64_t stripsPerRow = ceilDivide(vectors, COLUMNS);
  for (int64_t strip = sum.strips.begin; strip < sum.strips.end; strip++) {
    const int64_t r = strip / stripsPerRow, begin = strip % stripsPerRow * COLUMNS;
    const typename Elements::Word* const x = unit.x + r * unit.kernelRow;
    for (int64_t n = begin; n < least(begin + COLUMNS, vectors); n += PANEL) {
      PositionTile<Elements> tile{};
      tile.vector = alongTaps ? x + n : unit.gradient + n;
      tile.broadcast = alongTaps ? unit.gradient : x;
      tile.vectorWalk = alongTaps ? unit.xWalk : unit.gradientWalk;
      tile.broadcastWalk = alongTaps ? unit.gradientWalk : unit.xWalk;
      tile.images = unit.images;
      tile.rows = unit.rows;
      tile.columns = unit.columns;
      tile.out = alongTaps ? sum.to + r * length + n : sum.to + r * length * g.outChannels + n;
      tile.outRow = alongTaps ? taps : g.outChannels;
      tile.add = sum.add;
      tile.ahead = &ahead;
      runPanel(broadcasts, least(PANEL, vectors - n), tile);
    }
  }
}

// What a unit reads of both operands, to be asked for while as many strips of the one before it run.
template <class Elements>
static Ahead askFor(const Elements& elements, const Unit& unit, int64_t strips) {
  const Geometry& g = elements.g;
  const int64_t row = g.width * g.channels * storageBytes(elements.x.storage);
  const int64_t gradientRow = g.outWidth * g.outChannels * Elements::GRADIENT_BYTES;
  const int64_t outRows = lengthOf(unit.rows), count = lengthOf(unit.images) - 1;
  const int64_t first = most(unit.rows.begin * g.strideHeight - g.paddingHeight, 0);
  const int64_t last = least(first + panelRows(g, outRows), g.height);
  return Ahead(elements.x.data + (unit.images.begin * g.height + first) * row, (count * g.height + last - first) * row,
               (const char*)elements.gradient + (unit.images.begin * g.outHeight + unit.rows.begin) * gradientRow,
               (count * g.outHeight + outRows) * gradientRow, (g.outWidth == 1 ? 1 : (count + 1) * outRows) * strips);
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

template <class Elements>
static void runFilter(const Elements& elements, float* dw, const Chunk& chunk) {
  const Geometry& g = elements.g;
  const FilterCut& cut = elements.cut;
  const int64_t taps = g.kernelHeight * g.kernelWidth * g.channels;
  float* const partial = reinterpret_cast<float*>(chunk.work.shared);
  if (chunk.phase == 1) return foldGroups(g, cut, partial, columnPart(taps, cut.foldChunks, chunk.index), dw);
  const int64_t group = chunk.index % cut.groups;
  const Range units = part(cut.imageUnits * cut.bands, cut.groups, group);
  const Range strips = part(cut.strips, cut.stripChunks, chunk.index / cut.groups);
  Sum sum{isDirect(cut) ? dw : partial + group * taps * g.outChannels, strips, false};
  const auto from = [&](int64_t unit) { return Range{unit, least(unit + elements.atOnce(unit), units.end)}; };
  for (Range now = from(units.begin); now.begin < units.end; sum.add = true) {
    const Range next = from(now.end);
    const bool asks = next.begin < units.end && !cut.cutsColumns;
    const Ahead ahead = asks ? askFor(elements, unitsOf(g, cut, next), lengthOf(strips)) : Ahead();
    elements.add(now, chunk.work.own, sum, ahead);
    now = next;
  }
}

}  // namespace FEWBIT_ISA
}  // namespace fewbit
