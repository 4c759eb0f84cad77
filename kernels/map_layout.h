// A map's space as its loops see it: which axes remain, and how it is cut into blocks and chunks.
#pragma once
#include "cut.h"
#include "reduce.h"
#include "simd_integer.h"

namespace fewbit {
namespace FEWBIT_ISA {

enum { SAMPLE = 4, POSITION = 2, CHANNEL = 1, FULL = 7 };

// A map's space after merging axes that no operand and no result tells apart, and its cutting.
struct Layout {
  int64_t samples, positions, channels;
  int32_t unit;            // axes of extent 1 before merging
  bool merged, collapsed;  // samples and positions are one axis (position); channels are, too
  bool perSample;          // some result keeps samples: chunks hold whole samples
  bool rowByRow;           // some result keeps pixels: a row's pieces follow one another
  int64_t rows, width;     // of a full block
  int64_t panels;          // blocks side by side in a row
  int64_t blocks;          // blocks below one another in a sample
  int64_t chunks, chunkBlocks;
};

static int32_t operandAxes(const Layout& l, int32_t axes) {
  if ((axes | l.unit) == FULL) return FULL;
  axes &= ~l.unit;
  return l.merged && (axes & (SAMPLE | POSITION)) ? (axes & CHANNEL) | POSITION : axes;
}
static int32_t resultAxes(const Layout& l, int32_t axes) {
  axes &= ~l.unit;
  return l.merged && (axes & (SAMPLE | POSITION)) ? (axes & CHANNEL) | POSITION : axes;
}

static Layout layoutOf(const MapInstruction& map) {
  Layout l = {};
  l.unit = (map.samples == 1 ? SAMPLE : 0) | (map.positions == 1 ? POSITION : 0) | (map.channels == 1 ? CHANNEL : 0);
  const int32_t both = (SAMPLE | POSITION) & ~l.unit;
  l.merged = l.collapsed = true;
  for (int32_t i = 0; i < map.operandCount; i++) {
    const int32_t axes = map.operands[i].axes & ~l.unit;
    if ((axes | l.unit) == FULL) continue;
    if ((axes & both) != 0 && (axes & both) != both) l.merged = false;
    if (axes != 0) l.collapsed = false;
  }
  for (int32_t i = 0; i < map.resultCount; i++) {
    const MapResult& result = map.results[i];
    if (result.reduction == NONE) continue;
    const int32_t axes = result.to.axes & ~l.unit;
    const bool pixel = both && (axes & both) == both && !(axes & CHANNEL) && result.reduction != MOMENTS;
    if ((axes & both) != 0 && !pixel) l.merged = false;
    if (axes != 0) l.collapsed = false;
  }
  l.samples = map.samples, l.positions = map.positions, l.channels = map.channels;
  l.collapsed = l.collapsed && l.merged;
  if (l.merged) l.positions *= l.samples, l.samples = 1;
  if (l.collapsed) l.positions *= l.channels, l.channels = 1;
  for (int32_t i = 0; i < map.resultCount; i++) {
    if (map.results[i].reduction == NONE) continue;
    const int32_t axes = resultAxes(l, map.results[i].to.axes);
    if (axes & POSITION)
      l.rowByRow = true;
    else if (axes & SAMPLE)
      l.perSample = true;
  }

  l.width = least(l.channels, BLOCK);
  l.rows = l.channels > BLOCK ? 1 : BLOCK / l.channels;
  // Whole vectors where that costs less than half of the block.
  for (int64_t rows = l.rows; rows * 2 > l.rows; rows--) {
    if (rows * l.width % GRAIN == 0) {
      l.rows = rows;
      break;
    }
  }
  l.rows = least(l.rows, l.positions);
  l.panels = ceilDivide(l.channels, l.width);
  l.blocks = ceilDivide(l.positions, l.rows);
  const Cut cut(l.perSample ? l.samples : l.samples * l.blocks, map.samples * map.positions * map.channels);
  l.chunks = cut.chunks;
  l.chunkBlocks = l.perSample ? cut.perChunk * l.blocks : cut.perChunk;
  return l;
}

// A block: `rows` rows from `row` of a sample, `width` channels from `channel`.
struct Block {
  int64_t sample, row, rows, channel, width, length, padded;
};
static inline Block blockAt(const Layout& l, int64_t index, int64_t panel) {
  Block b;
  b.sample = index / l.blocks;
  b.row = index % l.blocks * l.rows;
  b.rows = least(l.rows, l.positions - b.row);
  b.channel = panel * l.width;
  b.width = least(l.width, l.channels - b.channel);
  b.length = b.rows * b.width;
  b.padded = ceilDivide(b.length, GRAIN) * GRAIN;
  return b;
}

// Index of the block's first element in a value with these axes.
static inline int64_t elementIndex(const Layout& l, const Block& b, int32_t axes) {
  int64_t index = axes & SAMPLE ? b.sample : 0;
  if (axes & POSITION) index = index * l.positions + b.row;
  if (axes & CHANNEL) index = index * l.channels + b.channel;
  return index;
}

// How the loop over a block finds an operand: where it lies, step by step; in a buffer that repeats it
// over the block; in a buffer of one channel row; or as one vector.
enum Access { STREAMED, REPEATED, PER_CHANNEL, FIXED };

// Rows of whole vectors need no repetition: a loop that knows the channel reads them again and again.
static inline bool hasWholeRows(const Layout& l) { return l.panels == 1 && l.channels % GRAIN == 0; }

static Access accessOf(const Layout& l, const Operand& operand) {
  const int32_t axes = operandAxes(l, operand.axes);
  if (axes & POSITION) return axes & CHANNEL ? STREAMED : REPEATED;
  if (!(axes & CHANNEL)) return FIXED;
  return !hasWholeRows(l) ? REPEATED : l.channels == LANES ? FIXED : PER_CHANNEL;
}

}  // namespace FEWBIT_ISA
}  // namespace fewbit
