// The map interpreter: elementwise work and reductions over a space [sample, position, channel].
//
// The space is cut into blocks of at most BLOCK elements: whole channel rows of one sample, or a
// piece of one row. Each operation is a vector loop over a block. Slots are pointers: an operand with
// all axes is read where it lies and a stored result written where it belongs, if the block's length is a
// multiple of GRAIN; else both go through a buffer, as stored integers do. Operands with fewer axes
// are repeated into a buffer when they change.
#pragma once
#include "map_layout.h"
#include "simd_integer.h"

namespace fewbit {
namespace FEWBIT_ISA {

// `n` adjacent elements as floats; may write up to a whole vector.
static inline void readElements(float* to, const Memory& memory, const Operand& operand, int64_t index, int64_t n) {
  if (operand.storage == F32) {
    memcpy(to, memory.f32(operand) + index, n * sizeof(float));
  } else {
    readIntegers(to, memory.at(operand), operand.storage, index, n);
  }
}
static inline float readOne(const Memory& memory, const Operand& operand, int64_t index) {
  const char* const from = memory.at(operand);
  switch (operand.storage) {
    case I32: return (float)((const int32_t*)from)[index];
    case I16: return ((const int16_t*)from)[index];
    case U8: return ((const uint8_t*)from)[index];
    case S8: return ((const int8_t*)from)[index];
    case BF16: return readBf16(((const uint16_t*)from)[index]);
    default: return ((const float*)from)[index];
  }
}

// What one result's reduction has taken in so far.
struct Accumulator {
  Lanes full, tail;  // blocks of l.rows rows; shorter ones
  int64_t tailRows;
  Partial partial;
  double pixel;  // of the row in work
};

// A thread's memory for one map. Slots: operands, registers, results.
struct Frame {
  const MapInstruction& map;
  const Layout& l;
  const Memory& memory;
  float** slots;
  float* buffers;
  Accumulator* accumulators;
  double* work;
  float* buffer(int64_t slot) const { return buffers + slot * SLOT; }
};

static int64_t slotCount(const MapInstruction& map) { return map.operandCount + map.registers + map.resultCount; }

enum { DOUBLES_PER_RESULT = 2 * SLOT };

static int64_t frameBytes(const MapInstruction& map) {
  const int64_t results = map.resultCount, slots = slotCount(map);
  return align64(slots * sizeof(float*)) + align64(results * sizeof(Accumulator)) +
         align64((slots * SLOT + results * LANES_PER_RESULT) * sizeof(float)) +
         align64((results * DOUBLES_PER_RESULT + 2 * SLOT) * sizeof(double));
}

static Frame frameIn(char* own, const MapInstruction& map, const Layout& l, const Memory& memory) {
  const int64_t slots = slotCount(map), results = map.resultCount;
  float** const pointers = (float**)own;
  own += align64(slots * sizeof(float*));
  Accumulator* const accumulators = (Accumulator*)own;
  own += align64(results * sizeof(Accumulator));
  float* const buffers = (float*)own;
  own += align64((slots * SLOT + results * LANES_PER_RESULT) * sizeof(float));
  double* const doubles = (double*)own;
  for (int64_t i = 0; i < slots; i++) pointers[i] = buffers + i * SLOT;
  for (int64_t i = 0; i < results; i++) {
    float* const lanes = buffers + slots * SLOT + i * LANES_PER_RESULT;
    accumulators[i] = {{lanes, 0}, {lanes + 2 * SLOT, 0}, 0, {doubles + i * DOUBLES_PER_RESULT, SLOT, 0}, 0};
  }
  return {map, l, memory, pointers, buffers, accumulators, doubles + results * DOUBLES_PER_RESULT};
}

// Repeats operands without a position axis over a block's rows: those that differ between samples
// or the others.
static void repeatOperands(Frame& f, const Block& b, bool ofSample) {
  for (int32_t i = 0; i < f.map.operandCount; i++) {
    const Operand& operand = f.map.operands[i];
    const int32_t axes = operandAxes(f.l, operand.axes);
    if (axes & POSITION || ofSample != !!(axes & SAMPLE)) continue;
    float* const to = f.buffer(i);
    const int64_t from = elementIndex(f.l, b, axes), distinct = axes & CHANNEL ? b.width : 1;
    const bool repeated = !f.map.code || accessOf(f.l, operand) == REPEATED;
    const int64_t length = repeated ? f.l.rows * b.width : ceilDivide(distinct, GRAIN) * GRAIN;
    readElements(to, f.memory, operand, from, distinct);
    for (int64_t n = distinct; n < length; n *= 2) memcpy(to + n, to, least(n, length - n) * sizeof(float));
  }
}

static float* contiguousOperand(const Operand& operand, const Memory& memory, int64_t from, const Block& b, float* buffer) {
  if (operand.storage == F32 && b.length == b.padded) return memory.f32(operand) + from;
  readElements(buffer, memory, operand, from, b.length);
  return buffer;
}

// Repeats each row's value over the row.
static void repeatPixels(const Frame& f, const Block& b, int32_t i, int64_t from) {
  for (int64_t row = 0; row < b.rows; row++) {
    const Vec value = splat(readOne(f.memory, f.map.operands[i], from + row));
    float* const to = f.buffer(i) + row * b.width;
    for (int64_t k = 0; k < b.width; k += LANES) store(to + k, value);
  }
}

static void bindSlots(Frame& f, const Block& b) {
  const MapInstruction& map = f.map;
  for (int32_t i = 0; i < map.operandCount; i++) {
    const Operand& operand = map.operands[i];
    const int32_t axes = operandAxes(f.l, operand.axes);
    if (!(axes & POSITION)) continue;
    const int64_t from = elementIndex(f.l, b, axes);
    if (axes & CHANNEL) {
      f.slots[i] = contiguousOperand(operand, f.memory, from, b, f.buffer(i));
    } else {
      repeatPixels(f, b, i, from);
    }
  }
  for (int32_t i = 0; i < map.resultCount; i++) {
    const int64_t slot = map.operandCount + map.registers + i;
    if (map.results[i].slot != slot) continue;
    float* const to = f.memory.f32(map.results[i].to) + elementIndex(f.l, b, FULL);
    f.slots[slot] = b.length == b.padded ? to : f.buffer(slot);
  }
}

template <typename F>
static inline void each(float* d, const float* a, int64_t n, F f) {
  for (int64_t i = 0; i < n; i += LANES) store(d + i, f(load(a + i)));
}
template <typename F>
static inline void each(float* d, const float* a, const float* b, int64_t n, F f) {
  for (int64_t i = 0; i < n; i += LANES) store(d + i, f(load(a + i), load(b + i)));
}
template <typename F>
static inline void each(float* d, const float* a, const float* b, const float* c, int64_t n, F f) {
  for (int64_t i = 0; i < n; i += LANES) store(d + i, f(load(a + i), load(b + i), load(c + i)));
}

static void operate(const MapOperation& o, float* const* slots, int64_t n) {
  float* const d = slots[o.destination];
  const float *a = slots[o.a], *b = slots[o.b], *c = slots[o.c];
#define FEWBIT_UNARY(name, value) \
  case fewbit::name: return each(d, a, n, [](Vec x) { return value; });
#define FEWBIT_BINARY(name, value) \
  case fewbit::name: return each(d, a, b, n, [](Vec x, Vec y) { return value; });
#define FEWBIT_TERNARY(name, value) \
  case fewbit::name: return each(d, a, b, c, n, [](Vec x, Vec y, Vec z) { return value; });
  switch (o.op) { FEWBIT_MAP_OPS(FEWBIT_UNARY, FEWBIT_BINARY, FEWBIT_TERNARY) }
#undef FEWBIT_UNARY
#undef FEWBIT_BINARY
#undef FEWBIT_TERNARY
}

static void storeResult(const Frame& f, const MapResult& result, const Block& b) {
  const int64_t index = elementIndex(f.l, b, FULL);
  const float* const from = f.slots[result.slot];
  if (result.to.storage != F32) return writeIntegers(f.memory.at(result.to), result.to.storage, index, from, b.length);
  float* const to = f.memory.f32(result.to) + index;
  if (to != from) memmove(to, from, b.length * sizeof(float));
}

static void reducePixels(Frame& f, const MapResult& result, const float* x, Accumulator& a, const Block& b) {
  float* const to = f.memory.f32(result.to) + b.sample * f.l.positions + b.row;
  const bool sum = result.reduction == SUM;
  for (int64_t row = 0; row < b.rows; row++) {
    const double value = (sum ? sumOf : maximumOf)(x + row * b.width, b.width);
    a.pixel = b.channel == 0 ? value : sum ? a.pixel + value : larger(a.pixel, value);
    if (b.channel + b.width == f.l.channels) to[row] = (float)a.pixel;
  }
}

static void runBlock(Frame& f, const Block& b) {
  const MapInstruction& map = f.map;
  bindSlots(f, b);
  for (int32_t i = 0; i < map.operationCount; i++) operate(map.operations[i], f.slots, b.padded);
  for (int32_t i = 0; i < map.resultCount; i++) {
    const MapResult& result = map.results[i];
    Accumulator& a = f.accumulators[i];
    if (result.reduction == NONE) {
      storeResult(f, result, b);
    } else if (resultAxes(f.l, result.to.axes) & POSITION) {
      reducePixels(f, result, f.slots[result.slot], a, b);
    } else {
      const bool full = b.rows == f.l.rows && b.width == f.l.width;
      if (!full) a.tailRows = b.rows;
      accumulate(full ? a.full : a.tail, result.reduction, f.slots[result.slot], b.padded);
    }
  }
}

// How many blocks from this one one call of the map's code may take: full ones of a sample that leave no
// buffer to fill or to read between them.
static int64_t adjacentBlocks(const Frame& f, const Block& b) {
  if (b.rows < f.l.rows || f.l.panels > 1 || b.length < b.padded) return 1;
  for (int32_t i = 0; i < f.map.operandCount; i++) {
    const int32_t axes = operandAxes(f.l, f.map.operands[i].axes);
    if (axes & POSITION && !(axes & CHANNEL)) return 1;
  }
  for (int32_t i = 0; i < f.map.resultCount; i++) {
    if (f.map.results[i].reduction != NONE && resultAxes(f.l, f.map.results[i].to.axes) & POSITION) return 1;
  }
  return (f.l.positions - b.row) / f.l.rows;
}

// The same as runBlock for `blocks` adjacent blocks, by the map's code. It reads and writes whole GRAINs, so
// a block that ends within one goes through buffers.
static void runCode(Frame& f, const Block& b, int64_t blocks) {
  const MapInstruction& map = f.map;
  const int32_t first = map.operandCount + map.registers;
  const bool whole = b.length == b.padded;
  char** const pointers = (char**)f.slots;
  for (int32_t i = 0; i < map.operandCount; i++) {
    const Operand& operand = map.operands[i];
    const int32_t axes = operandAxes(f.l, operand.axes);
    if (!(axes & POSITION)) continue;
    const int64_t from = elementIndex(f.l, b, axes), bytes = storageBytes(operand.storage);
    if (!(axes & CHANNEL)) {
      repeatPixels(f, b, i, from);
      continue;
    }
    pointers[i] = f.memory.at(operand) + from * bytes;
    if (!whole) pointers[i] = (char*)memcpy(f.buffer(i), pointers[i], b.length * bytes);
  }
  const bool full = b.rows == f.l.rows && b.width == f.l.width;
  int64_t count = 0;
  for (int32_t i = 0; i < map.resultCount; i++) {
    const MapResult& result = map.results[i];
    if (result.reduction == NONE) {
      char* const to = f.memory.at(result.to) + elementIndex(f.l, b, FULL) * storageBytes(result.to.storage);
      pointers[first + i] = whole ? to : (char*)f.buffer(first + i);
    } else if (!(resultAxes(f.l, result.to.axes) & POSITION)) {
      Accumulator& a = f.accumulators[i];
      Lanes& lanes = full ? a.full : a.tail;
      if (!full) a.tailRows = b.rows;
      if (lanes.blocks == 0) clear(lanes, result.reduction, b.padded);
      if (result.reduction == MOMENTS) count = lanes.blocks;
      lanes.blocks += blocks;
    }
  }
  float* const lanes = f.buffer(slotCount(map)) + (full ? 0 : 2 * SLOT);
  map.code(pointers, f.buffers, blocks, b.padded, count, lanes);
  for (int32_t i = 0; i < map.resultCount; i++) {
    const MapResult& result = map.results[i];
    const float* const buffer = f.buffer(first + i);
    if (result.reduction != NONE && resultAxes(f.l, result.to.axes) & POSITION) {
      reducePixels(f, result, buffer, f.accumulators[i], b);
    } else if (result.reduction == NONE && !whole) {
      const int64_t bytes = storageBytes(result.to.storage);
      memcpy(f.memory.at(result.to) + elementIndex(f.l, b, FULL) * bytes, buffer, b.length * bytes);
    }
  }
}

// Folds the lanes of every result that keeps samples, or of the others, into its partial.
static void foldResults(Frame& f, const Block& b, bool ofSample) {
  for (int32_t i = 0; i < f.map.resultCount; i++) {
    const MapResult& result = f.map.results[i];
    const int32_t axes = resultAxes(f.l, result.to.axes);
    if (result.reduction == NONE || axes & POSITION || ofSample != !!(axes & SAMPLE)) continue;
    Accumulator& a = f.accumulators[i];
    const int64_t kept = axes & CHANNEL ? b.width : 1;
    fold(a.full, result.reduction, f.l.rows * f.l.width / kept, kept, a.partial, f.work);
    fold(a.tail, result.reduction, a.tailRows * b.width / kept, kept, a.partial, f.work);
  }
}

// Writes the results of a sample; one without channels after the last panel.
static void finishSample(Frame& f, const Block& b) {
  foldResults(f, b, true);
  for (int32_t i = 0; i < f.map.resultCount; i++) {
    const MapResult& result = f.map.results[i];
    const int32_t axes = resultAxes(f.l, result.to.axes);
    const bool channels = axes & CHANNEL;
    if (result.reduction == NONE || axes & POSITION || !(axes & SAMPLE)) continue;
    if (!channels && b.channel + b.width < f.l.channels) continue;
    Partial& partial = f.accumulators[i].partial;
    float* const to = f.memory.f32(result.to) + elementIndex(f.l, b, axes);
    finish(partial, result.reduction, channels ? b.width : 1, to, f.l.samples * (channels ? f.l.channels : 1));
    partial.count = 0;
  }
}

// Results that keep neither samples nor pixels: each chunk leaves a partial in shared memory,
// [chunk][values], and a second phase merges them in the order of the chunks.
static inline bool isShared(const Layout& l, const MapResult& result) {
  return result.reduction != NONE && !(resultAxes(l, result.to.axes) & (SAMPLE | POSITION));
}
static inline int64_t keptBy(const Layout& l, const MapResult& result) {
  return resultAxes(l, result.to.axes) & CHANNEL ? l.channels : 1;
}
static inline int64_t partialDoubles(const Layout& l, const MapResult& result) {
  return isShared(l, result) ? keptBy(l, result) * (result.reduction == MOMENTS ? 2 : 1) : 0;
}

static Plan planMap(const MapInstruction& map) {
  const Layout l = layoutOf(map);
  Plan plan = {1, {l.chunks}, 0, frameBytes(map)};
  for (int32_t i = 0; i < map.resultCount; i++) {
    const MapResult& result = map.results[i];
    if (!isShared(l, result)) continue;
    plan.phases = 2;
    plan.chunks[1] = l.panels;
    plan.sharedBytes += l.chunks * partialDoubles(l, result) * sizeof(double);
  }
  return plan;
}

// Rows in the row blocks before `index`.
static inline int64_t rowsBefore(const Layout& l, int64_t index) {
  return index / l.blocks * l.positions + least(index % l.blocks * l.rows, l.positions);
}

// Points shared results to their partials for a panel, in which `rows` rows have been taken in.
static void enterPanel(Frame& f, int64_t chunk, char* memory, int64_t channel, int64_t rows) {
  double* shared = (double*)memory;
  for (int32_t i = 0; i < f.map.resultCount; i++) {
    const MapResult& result = f.map.results[i];
    const int64_t doubles = partialDoubles(f.l, result), kept = keptBy(f.l, result);
    if (doubles == 0) continue;
    Partial& partial = f.accumulators[i].partial;
    double* const values = shared + chunk * doubles;
    partial = kept == 1 ? Partial{values, 1, partial.count} : Partial{values + channel, kept, (double)rows};
    shared += f.l.chunks * doubles;
  }
}

// A span is a panel of adjacent row blocks: all of the chunk, or a sample's or a single one where a
// result needs the panels of a sample or row to follow one another.
static void runSpan(Frame& f, int64_t begin, int64_t end, int64_t panel) {
  repeatOperands(f, blockAt(f.l, begin, panel), false);
  for (int64_t index = begin, next; index < end; index = next) {
    const Block b = blockAt(f.l, index, panel);
    if (index == begin || b.row == 0) repeatOperands(f, b, true);
    if (f.map.code) {
      next = least(index + adjacentBlocks(f, b), least(end, index + FOLD_AFTER - (index - begin) % FOLD_AFTER));
      runCode(f, b, next - index);
    } else {
      next = index + 1;
      runBlock(f, b);
    }
    if (f.l.perSample && b.row + (next - index - 1) * f.l.rows + b.rows == f.l.positions) finishSample(f, b);
    if (next == end || (next - begin) % FOLD_AFTER == 0) {
      foldResults(f, b, true);
      foldResults(f, b, false);
    }
  }
}

static void runChunk(const MapInstruction& map, const Memory& memory, int64_t chunk, Work work) {
  const Layout l = layoutOf(map);
  Frame f = frameIn(work.own, map, l, memory);
  const int64_t begin = chunk * l.chunkBlocks, end = least(begin + l.chunkBlocks, l.samples * l.blocks);
  const int64_t span = l.panels == 1 ? l.chunkBlocks : l.rowByRow ? 1 : l.perSample ? l.blocks : l.chunkBlocks;
  for (int64_t from = begin; from < end; from += span) {
    for (int64_t panel = 0; panel < l.panels; panel++) {
      enterPanel(f, chunk, work.shared, panel * l.width, rowsBefore(l, from) - rowsBefore(l, begin));
      runSpan(f, from, least(from + span, end), panel);
    }
  }
}

// Merges the chunks' partials of one panel of channels; results without channels go with panel 0.
static void mergeChunks(const MapInstruction& map, const Memory& memory, int64_t panel, Work work) {
  const Layout l = layoutOf(map);
  const double* shared = (const double*)work.shared;
  for (int32_t i = 0; i < map.resultCount; i++) {
    const MapResult& result = map.results[i];
    const int64_t doubles = partialDoubles(l, result), kept = keptBy(l, result);
    const double* const partials = shared;
    shared += l.chunks * doubles;
    if (doubles == 0 || (kept == 1 && panel > 0)) continue;
    const int64_t channel = kept > 1 ? panel * l.width : 0, width = least(l.width, kept - channel);
    Partial total = {(double*)work.own, SLOT, 0};
    for (int64_t chunk = 0; chunk < l.chunks; chunk++) {
      const int64_t from = chunk * l.chunkBlocks, to = least(from + l.chunkBlocks, l.samples * l.blocks);
      const double count = (double)((rowsBefore(l, to) - rowsBefore(l, from)) * (kept > 1 ? 1 : l.channels));
      double* const values = const_cast<double*>(partials) + chunk * doubles + channel;
      merge(total, Partial{values, kept, count}, result.reduction, width);
    }
    finish(total, result.reduction, width, memory.f32(result.to) + channel, kept);
  }
}

static void runMap(const MapInstruction& map, const Memory& memory, const Chunk& chunk) {
  if (chunk.phase == 0) {
    runChunk(map, memory, chunk.index, chunk.work);
  } else {
    mergeChunks(map, memory, chunk.index, chunk.work);
  }
}

}  // namespace FEWBIT_ISA
}  // namespace fewbit
