// How products are cut: into panels of columns for registers, and into chunks for threads.
//
// Chunks follow from shapes only. Work is divided by COLUMNS, which is the same for all instruction sets.
#pragma once
#include "simd.h"

namespace fewbit {
namespace FEWBIT_ISA {

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t ceilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t clamp(int64_t a, int64_t low, int64_t high) { return most(low, least(a, high)); }

// Columns come in panels of two vectors; the last one has one vector where that is enough.
enum { PANEL = 2 * LANES, COLUMNS = 32 };
static inline int64_t roundToLanes(int64_t n) { return ceilDivide(n, LANES) * LANES; }

// Floats of a padded panel of images (it should stay in the second-level cache) and of a chunk of packing.
enum { PANEL_FLOATS = 64 << 10, PACK_FLOATS = 16 << 10 };

// Part `index` of `total` things cut into `parts` of nearly equal size; of columns, in whole COLUMNS.
struct Range {
  int64_t begin, end;
};
static inline Range part(int64_t total, int64_t parts, int64_t index) {
  return {total * index / parts, total * (index + 1) / parts};
}
static inline Range columnPart(int64_t total, int64_t parts, int64_t index) {
  const Range r = part(ceilDivide(total, COLUMNS), parts, index);
  return {r.begin * COLUMNS, least(r.end * COLUMNS, total)};
}

// Chunks for this many multiply-adds: each should take some ten microseconds, and there should be
// several for each of many threads.
static inline int64_t wantedChunks(int64_t multiplyAdds) { return clamp(multiplyAdds >> 20, 1, MOST_THREADS); }

}  // namespace FEWBIT_ISA
}  // namespace fewbit
