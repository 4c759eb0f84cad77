// The convolution of codes: sums of products of 8-bit integers, exact in 32 bits.
//
// As in product_forward.h an output is a sum over one contiguous segment of inputs a kernel row:
// each is read in words of GROUP codes, so that only its end is rounded up; weights are zero there,
// and it does not matter what the input panel holds. A chunk copies the input rows that a band of
// output rows reads into a panel of its own, with zero borders.
//
// Where codes carry an offset, signed inputs x and the border 0 are stored as x + offset, and sums
// start from -offset times the sum of an output channel's weights: so that borders are exact, too.
#pragma once
#include "product_forward.h"
#include "simd_integer.h"

namespace fewbit {
namespace FEWBIT_ISA {

struct IntegerProduct {
  Geometry g;
  bool isSigned;  // inputs
  bool isShort;   // outputs are 16 bits
};

enum {
  PANEL_CODES = 64 << 10,  // of a band; it should stay in the second-level cache
  BAND_POSITIONS = 64,     // at least, so that weights are read from cache often enough
  PACK_WEIGHTS = 32 << 10,
  VECTORS = LANES == 16 ? 4 : 2,  // of a tile at most
};

static int64_t segmentWords(const Geometry& g) { return ceilDivide(g.kernelWidth * g.channels, GROUP); }
// Ints of LANES output channels: where sums start, then [kernel row][word][channel].
static int64_t blockInts(const Geometry& g) { return (1 + g.kernelHeight * segmentWords(g)) * LANES; }

static ForwardCut cutInteger(const Geometry& g) {
  const int64_t taps = g.kernelHeight * g.kernelWidth * g.channels;
  const int64_t wanted = wantedChunks(g.images * g.outHeight * g.outWidth * taps * g.outChannels / 4);
  const int64_t most = (PANEL_CODES / panelRow(g) - g.kernelHeight) / g.strideHeight + 1;
  const int64_t rows =
      clamp(clamp(g.images * g.outHeight / wanted, ceilDivide(BAND_POSITIONS, g.outWidth), most), 1, g.outHeight);
  ForwardCut cut;
  cut.bands = ceilDivide(g.outHeight, rows);
  cut.bandRows = ceilDivide(g.outHeight, cut.bands);
  cut.bandChunks = least(wanted, g.images * cut.bands);
  cut.channelChunks = clamp(wanted / cut.bandChunks, 1, ceilDivide(g.outChannels, COLUMNS));
  return cut;
}

static Plan planInteger(const IntegerProduct& p) {
  const Geometry& g = p.g;
  const ForwardCut cut = cutInteger(g);
  const int64_t taps = g.kernelHeight * g.kernelWidth * g.channels;
  Plan plan{};
  plan.phases = 2;
  plan.chunks[0] = clamp(taps * g.outChannels / PACK_WEIGHTS, 1, ceilDivide(g.outChannels, COLUMNS));
  plan.chunks[1] = cut.bandChunks * cut.channelChunks;
  plan.sharedBytes = ceilDivide(g.outChannels, LANES) * blockInts(g) * sizeof(int32_t);
  plan.ownBytes = (panelRows(g, cut.bandRows) * panelRow(g) + CODES) * sizeof(Code);
  return plan;
}

// A word of weights for each of `lanes` output channels, from `taps` rows of `row` weights.
static inline Ints weightWords(const int8_t* w, int64_t row, int64_t taps, int64_t lanes) {
  Words words = {};
#pragma GCC unroll 4
  for (int i = 0; i < GROUP; i++) {
    if (i >= taps) break;
    if constexpr (GROUP == 4) {
      words |= (Words)loadInts((const uint8_t*)w + i * row, lanes) << (i * 8);
    } else {
      words |= ((Words)loadInts(w + i * row, lanes) & 0xffffu) << (i * 16);
    }
  }
  return (Ints)words;
}

// Packs the weights of up to VECTORS blocks of output channels, from channel `n`. Lanes beyond the
// last channel get what follows in memory; they are not stored.
static void packBlocks(const IntegerProduct& p, const int8_t* w, int64_t n, int64_t blocks, int32_t* packed) {
  const Geometry& g = p.g;
  const int64_t length = g.kernelWidth * g.channels, block = blockInts(g);
  const int8_t* const end = w + g.kernelHeight * length * g.outChannels;
  const Ints codeOffset = (Ints)(Words{} + CODE_OFFSET * 0x01010101u);
  packed += n / LANES * block;
  int32_t* to = packed + LANES;
  Ints offset[VECTORS] = {};
  for (int64_t r = 0; r < g.kernelHeight; r++)
    for (int64_t k = 0; k < length; k += GROUP, to += LANES) {
      const int64_t taps = least(GROUP, length - k);
      const int8_t* const from = w + (r * length + k) * g.outChannels + n;
      const int64_t last = end - from - (taps - 1) * g.outChannels;  // from the last tap to the end
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; v++) {
        if (v >= blocks) continue;
        const int64_t readable = least(LANES, last - v * LANES);
        const Ints words = weightWords(from + v * LANES, g.outChannels, taps, readable);
        storeInts(to + v * block, words);
        if (CODE_OFFSET != 0 && p.isSigned) offset[v] = dot(offset[v], codeOffset, words);
      }
    }
#pragma GCC unroll 4
  for (int v = 0; v < VECTORS; v++)
    if (v < blocks) storeInts(packed + v * block, (Ints)(0u - (Words)offset[v]));
}

// to[i] = from[i] as a code of a panel; may write up to a whole vector more.
static void copyRow(Code* to, const uint8_t* from, bool isSigned, int64_t n) {
  int64_t i = 0;
  for (; i + CODES <= n; i += CODES) copyCodes(to + i, from + i, isSigned, CODES);
  if (i < n) copyCodes(to + i, from + i, isSigned, n - i);
}

// The panel of rows first ... first + rows of the image, counted from the top of its padding. Asks for as many
// rows behind them.
static void packInputs(const IntegerProduct& p, const uint8_t* image, int64_t first, int64_t rows, Code* to) {
  const Geometry& g = p.g;
  const int64_t row = g.width * g.channels, border = g.paddingWidth * g.channels;
  const Code zero = p.isSigned ? CODE_OFFSET : 0;
  const int64_t next = most(first + rows - g.paddingHeight, 0);
  for (int64_t i = next * row; i < least(next + rows, g.height) * row; i += 64) __builtin_prefetch(image + i);
  if (!padded(g)) return copyRow(to, image + first * row, p.isSigned, rows * row);
  const auto fill = [&](int64_t n) {
    for (int64_t i = 0; i < n; i++) *to++ = zero;
  };
  for (int64_t i = 0; i < rows; i++) {
    const int64_t h = first + i - g.paddingHeight;
    if (h < 0 || h >= g.height) {
      fill(panelRow(g));
      continue;
    }
    fill(border);
    copyRow(to, image + h * row, p.isSigned, row);
    to += row;
    fill(border);
  }
}

// out[t][n] = start[n] + sum over (segment, word) of dot(a[t * aRow + segment * aSegment + word * GROUP],
// b[segment][word][n]): T pixels by V vectors of output channels, `block` ints apart.
struct CodeTile {
  const Code* a;
  int64_t aRow, aSegment, segments, words;
  const int32_t* b;
  int64_t block;
  char* out;
  int64_t outRow, lastLanes;  // outRow in elements
  bool isShort;
};

template <int T, int V>
static __attribute__((noinline)) void runTile(const CodeTile& p) {
  const int64_t block = p.block;
  const int32_t* b = p.b;
  Ints sum[T][V];
#pragma GCC unroll 16
  for (int t = 0; t < T; t++)
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) sum[t][v] = loadInts(b + v * block);
  b += LANES;
  for (int64_t s = 0; s < p.segments; s++) {
    const int32_t* const end = b + p.words * LANES;
    for (RowPointers<T, Code> a(p.a + s * p.aSegment, p.aRow); b < end; a.step(GROUP), b += LANES) {
      Ints weights[V];
#pragma GCC unroll 4
      for (int v = 0; v < V; v++) weights[v] = loadInts(b + v * block);
#pragma GCC unroll 16
      for (int t = 0; t < T; t++) {
        const Ints x = splatWord(a(t));
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) sum[t][v] = dot(sum[t][v], x, weights[v]);
      }
    }
  }
  if (p.isShort) {
#pragma GCC unroll 16
    for (int t = 0; t < T; t++)
#pragma GCC unroll 4
      for (int v = 0; v < V; v++)
        storeInts((int16_t*)p.out + t * p.outRow + v * LANES, sum[t][v], v == V - 1 ? p.lastLanes : int64_t(LANES));
  } else {
#pragma GCC unroll 16
    for (int t = 0; t < T; t++)
#pragma GCC unroll 4
      for (int v = 0; v < V; v++) {
        int32_t* to = (int32_t*)p.out + t * p.outRow + v * LANES;
        v == V - 1 ? storeInts(to, sum[t][v], p.lastLanes) : storeInts(to, sum[t][v]);
      }
  }
}

static inline void advance(CodeTile& tile, int64_t rows) {
  tile.a += rows * tile.aRow;
  tile.out += rows * tile.outRow * (tile.isShort ? sizeof(int16_t) : sizeof(int32_t));
}

// As many accumulators as hide the latency of `dot` and leave registers for its operands.
enum { ACCUMULATORS = LANES == 16 ? 16 : LANES == 8 ? 12 : 8 };
template <int V>
struct CodeRows {
  enum { MOST = ACCUMULATORS / V };
};

// Output rows of an image, from its packed weights. The panel gets its rows one by one, just before they are first read.
static void runIntegerBand(const IntegerProduct& p, const uint8_t* image, const int32_t* packed, const Band& band,
                           Code* panel, char* out) {
  const Range channels = band.channels;
  const Geometry& g = p.g;
  const int64_t elementBytes = p.isShort ? sizeof(int16_t) : sizeof(int32_t);
  const int64_t row = g.strideHeight * panelRow(g), rows = band.rows.end - band.rows.begin,
                first = band.rows.begin * g.strideHeight;
  const bool column = g.outWidth == 1;  // then pixels follow one another from row to row
  int64_t ready = 0;
  CodeTile tile{};
  tile.aRow = column ? row : g.strideWidth * g.channels;
  tile.aSegment = panelRow(g);
  tile.segments = g.kernelHeight;
  tile.words = segmentWords(g);
  tile.block = blockInts(g);
  tile.outRow = g.outChannels;
  tile.isShort = p.isShort;
  for (int64_t n = channels.begin; n < channels.end; n += VECTORS * LANES) {
    const int64_t vectors = least(VECTORS, ceilDivide(channels.end - n, LANES));
    tile.lastLanes = least(channels.end - n - (vectors - 1) * LANES, LANES);
    tile.b = packed + n / LANES * tile.block;
    for (int64_t i = 0; i < (column ? 1 : rows); i++) {
      const int64_t wanted = panelRows(g, column ? rows : i + 1);
      if (ready < wanted) {
        packInputs(p, image, first + ready, wanted - ready, panel + ready * panelRow(g));
        ready = wanted;
      }
      tile.a = panel + i * row;
      tile.out = out + (i * g.outWidth * g.outChannels + n) * elementBytes;
      runVectors<CodeRows, VECTORS>(vectors, column ? rows : g.outWidth, tile);
    }
  }
}

static void runInteger(const IntegerProduct& p, const uint8_t* x, const int8_t* w, char* y, const Chunk& chunk) {
  const Geometry& g = p.g;
  int32_t* packed = reinterpret_cast<int32_t*>(chunk.work.shared);
  if (chunk.phase == 0) {
    const Range channels = columnPart(g.outChannels, planInteger(p).chunks[0], chunk.index);
    for (int64_t n = channels.begin; n < channels.end; n += VECTORS * LANES)
      packBlocks(p, w, n, least(VECTORS, ceilDivide(channels.end - n, LANES)), packed);
    return;
  }
  const ForwardCut cut = cutInteger(g);
  const Range bands = part(g.images * cut.bands, cut.bandChunks, chunk.index % cut.bandChunks);
  const Range channels = columnPart(g.outChannels, cut.channelChunks, chunk.index / cut.bandChunks);
  Code* panel = reinterpret_cast<Code*>(chunk.work.own);
  for (int64_t band = bands.begin; band < bands.end; band++) {
    const int64_t image = band / cut.bands;
    const Range rows = part(g.outHeight, cut.bands, band % cut.bands);
    const int64_t first = (image * g.outHeight + rows.begin) * g.outWidth * g.outChannels;
    runIntegerBand(p, x + image * g.height * g.width * g.channels, packed, {rows, channels}, panel,
                   y + first * (p.isShort ? sizeof(int16_t) : sizeof(int32_t)));
  }
}

}  // namespace FEWBIT_ISA
}  // namespace fewbit
