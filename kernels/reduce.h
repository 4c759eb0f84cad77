// Reductions of a map: float lanes of block length while a chunk runs, folded into doubles.
//
// A block holds `rows` rows of `kept` values each; equal places in all rows reduce to one value. A
// lane takes one element a block, so all lanes of a block length have one count. Folding the lanes
// and merging the partial results happens in a fixed order in double, whatever the threads.
//
// A maximum ignores NaN: lanes start at -infinity and take x where x > lane.
#pragma once
#include "math.h"

namespace fewbit {
namespace FEWBIT_ISA {

enum {
  BLOCK = 1024,  // elements of a block at most; its registers stay in L1
  GRAIN = 16,    // blocks are processed in multiples of this on every instruction set
  // Floats between buffers: room for one more vector, and no two places that are in use at a time share their last 12 bits,
  // which would make a load wait for the store before it.
  SLOT = BLOCK + 21 * GRAIN,
  LANES_PER_RESULT = 4 * SLOT,  // means and squares, of blocks of full and of other length
  FOLD_AFTER = 256,             // blocks that float lanes take before they are folded
};

// The values of one length of block: float lanes for sum and maximum; for moments the means, and
// the sums of squared deviations one SLOT behind.
struct Lanes {
  float* values;
  int64_t blocks;
};

// Empties the lanes for blocks of this length. A sum starts at -0, since -0 + x is x for every x.
static void clear(const Lanes& lanes, int32_t reduction, int64_t length) {
  const Vec start = splat(reduction == SUM ? -0.0f : reduction == REDUCE_MAX ? -__builtin_inff() : 0.0f);
  for (int64_t i = 0; i < length; i += LANES) {
    store(lanes.values + i, start);
    if (reduction == MOMENTS) store(lanes.values + SLOT + i, start);
  }
}

// Adds a block. Moments by Welford: mean += (x - mean) / n, squares += (x - old mean)(x - new mean).
static void accumulate(Lanes& lanes, int32_t reduction, const float* x, int64_t length) {
  if (lanes.blocks == 0) clear(lanes, reduction, length);
  lanes.blocks++;
  float* const values = lanes.values;
  if (reduction == SUM) {
    for (int64_t i = 0; i < length; i += LANES) store(values + i, load(values + i) + load(x + i));
  } else if (reduction == REDUCE_MAX) {
    for (int64_t i = 0; i < length; i += LANES) store(values + i, maximum(load(x + i), load(values + i)));
  } else {
    const Vec inverse = splat(1.0f / (float)lanes.blocks);
    for (int64_t i = 0; i < length; i += LANES) {
      const Vec old = load(values + i), difference = load(x + i) - old;
      const Vec mean = madd(difference, inverse, old);
      store(values + i, mean);
      store(values + SLOT + i, madd(difference, load(x + i) - mean, load(values + SLOT + i)));
    }
  }
}

// Reduces `rows` rows of `kept` doubles to the first by halves.
template <typename Combine>
static inline void halve(double* d, int64_t rows, int64_t kept, Combine combine) {
  while (rows > 1) {
    const int64_t half = (rows + 1) / 2, n = (rows - half) * kept;
    for (int64_t i = 0; i < n; i++) d[i] = combine(d[i], d[half * kept + i]);
    rows = half;
  }
}
static inline double plus(double a, double b) { return a + b; }
static inline double larger(double a, double b) { return b > a ? b : a; }

// A reduced result: `count` elements a value; for moments means, then squares `stride` behind.
struct Partial {
  double* values;
  int64_t stride;
  double count;
};

// Merges `from` into `to`. Moments by Chan, Golub and LeVeque: with d the difference of the means,
// mean = mean_a + d n_b / n, squares = squares_a + squares_b + d^2 n_a n_b / n.
static void merge(Partial& to, const Partial& from, int32_t reduction, int64_t kept) {
  double *a = to.values, *squaresA = a + to.stride;
  const double *b = from.values, *squaresB = b + from.stride;
  const double n = to.count + from.count, weight = from.count / n, cross = to.count * weight;
  if (to.count == 0) {
    for (int64_t i = 0; i < kept; i++) a[i] = b[i];
    if (reduction == MOMENTS) {
      for (int64_t i = 0; i < kept; i++) squaresA[i] = squaresB[i];
    }
  } else if (reduction == SUM) {
    for (int64_t i = 0; i < kept; i++) a[i] += b[i];
  } else if (reduction == REDUCE_MAX) {
    for (int64_t i = 0; i < kept; i++) a[i] = larger(a[i], b[i]);
  } else {
    for (int64_t i = 0; i < kept; i++) {
      const double d = b[i] - a[i];
      a[i] += d * weight;
      squaresA[i] += squaresB[i] + d * d * cross;
    }
  }
  to.count = n;
}

// Folds the lanes of blocks of `rows` rows into `to` and empties them. `work` holds 2 SLOT doubles.
// All lanes have one count n, so mean = sum of means / rows and squares = sum of squares + n sum of (mean_lane - mean)^2.
static void fold(Lanes& lanes, int32_t reduction, int64_t rows, int64_t kept, Partial& to, double* work) {
  if (lanes.blocks == 0) return;
  const float* const values = lanes.values;
  const double count = (double)lanes.blocks;
  for (int64_t i = 0; i < rows * kept; i++) work[i] = values[i];
  if (reduction == REDUCE_MAX) {
    halve(work, rows, kept, larger);
  } else {
    halve(work, rows, kept, plus);
  }
  if (reduction == MOMENTS) {
    double* const squares = work + SLOT;
    for (int64_t i = 0; i < kept; i++) work[i] /= (double)rows;
    for (int64_t row = 0; row < rows; row++) {
      for (int64_t i = row * kept, k = 0; k < kept; i++, k++) {
        const double d = values[i] - work[k];
        squares[i] = values[SLOT + i] + count * (d * d);
      }
    }
    halve(squares, rows, kept, plus);
  }
  merge(to, Partial{work, SLOT, count * (double)rows}, reduction, kept);
  lanes.blocks = 0;
}

// Writes a partial's values as floats; the variance is the mean of the squares.
static void finish(const Partial& from, int32_t reduction, int64_t kept, float* to, int64_t toStride) {
  for (int64_t i = 0; i < kept; i++) to[i] = (float)from.values[i];
  if (reduction != MOMENTS) return;
  for (int64_t i = 0; i < kept; i++) to[toStride + i] = (float)(from.values[from.stride + i] / from.count);
}

// Sum and maximum of n adjacent values, for results that keep each pixel.
static double sumOf(const float* x, int64_t n) {
  double s[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
#pragma GCC unroll 8
    for (int lane = 0; lane < 8; lane++) s[lane] += x[i + lane];
  }
#pragma GCC unroll 7
  for (int lane = 0; lane < 7; lane++) {
    if (i + lane < n) s[lane] += x[i + lane];
  }
  return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}
static double maximumOf(const float* x, int64_t n) {
  float result = -__builtin_inff();
  for (int64_t i = 0; i < n; i++) result = x[i] > result ? x[i] : result;
  return result;
}

}  // namespace FEWBIT_ISA
}  // namespace fewbit
