// The two register tiles that all products are made of, and packing for them.
//
// Both keep T x V vectors of outputs in registers and add to each a chain of fused multiply-adds;
// every loop over the accumulators must be fully unrolled, or g++ keeps them in memory.
#pragma once
#include "product_cut.h"

namespace fewbit {
namespace FEWBIT_ISA {

// Rows of a tile: as many accumulators as registers hold beside the operands. With one vector more
// rows are needed to hide the latency of a multiply-add. WebAssembly's sixteen registers also hold
// products before they are added.
template <int V>
struct Rows {
  enum { MOST = LANES == 16 ? (V == 2 ? 12 : 16) : LANES == 8 ? (V == 2 ? 6 : 12) : (V == 2 ? 4 : 8) };
};

// out[t][n] = chain over (segment, k) of a[t * aRow + segment * aSegment + k] * b[segment * bSegment + k * width + n]:
// T pixels by V vectors of output channels, where b is packed to the width of V vectors.
struct PixelTile {
  const float *a, *b;
  int64_t aRow, aSegment, bSegment, segments, length;
  float* out;
  int64_t outRow, lastLanes;
  bool resume;  // the chain starts from `out`, not from zero
};

// Hides from the compiler how a value was made. Of T addresses that it knows to be `row` apart it makes
// T variables and spills most of them.
template <class T>
static inline T opaque(T value) {
  __asm__("" : "+r"(value));
  return value;
}

template <int T, int V>
static inline void storeTile(const Vec (&sum)[T][V], float* out, int64_t outRow, int64_t lastLanes) {
  if (lastLanes == LANES) {  // AVX2's masked stores are slow
#pragma GCC unroll 16
    for (int t = 0; t < T; t++, out = opaque(out + outRow))
#pragma GCC unroll 4
      for (int v = 0; v < V; v++) store(out + v * LANES, sum[t][v]);
    return;
  }
  const Mask mask = firstLanes(lastLanes);
#pragma GCC unroll 16
  for (int t = 0; t < T; t++, out = opaque(out + outRow))
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) v == V - 1 ? store(out + v * LANES, sum[t][v], mask) : store(out + v * LANES, sum[t][v]);
}

// Four rows share a pointer: they are 0, 1, 2 and 3 times `row` from it.
template <int T, class Element = float>
struct RowPointers {
  enum { COUNT = (T + 3) / 4 };
  const Element* to[COUNT];
  const int64_t row, row3;

  RowPointers(const Element* a, int64_t aRow) : row(opaque(aRow)), row3(opaque(3 * aRow)) {
#pragma GCC unroll 4
    for (int i = 0; i < COUNT; i++) to[i] = opaque(a + i * 4 * aRow);
  }
  inline const Element* operator()(int t) const {
    const Element* p = to[t / 4];
    return t % 4 == 0 ? p : t % 4 == 1 ? p + row : t % 4 == 2 ? p + 2 * row : p + row3;
  }
  inline void step(int64_t n) {
#pragma GCC unroll 4
    for (int i = 0; i < COUNT; i++) to[i] += n;
  }
};

// Asks for the lines that a tile will be stored to.
template <int T, int V, class Element>
static inline void askForTile(Element* out, int64_t outRow) {
#pragma GCC unroll 16
  for (int t = 0; t < T; t++, out = opaque(out + outRow))
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) __builtin_prefetch(out + v * LANES, 1);
}

template <int T, int V>
static __attribute__((noinline)) void runTile(const PixelTile& p) {
  askForTile<T, V>(p.out, p.outRow);
  Vec sum[T][V];
#pragma GCC unroll 16
  for (int t = 0; t < T; t++)
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) sum[t][v] = splat(0);
  if (p.resume) {
    const Mask mask = firstLanes(p.lastLanes);
    const float* from = p.out;
#pragma GCC unroll 16
    for (int t = 0; t < T; t++, from = opaque(from + p.outRow))
#pragma GCC unroll 2
      for (int v = 0; v < V; v++) sum[t][v] = v == V - 1 ? load(from + v * LANES, mask) : load(from + v * LANES);
  }
  for (int64_t s = 0; s < p.segments; s++) {
    const float* b = p.b + s * p.bSegment;
    const float* const end = b + p.length * V * LANES;
    for (RowPointers<T> a(p.a + s * p.aSegment, p.aRow); b < end; a.step(1), b += V * LANES) {
      Vec weights[V];
#pragma GCC unroll 2
      for (int v = 0; v < V; v++) weights[v] = load(b + v * LANES);
#pragma GCC unroll 16
      for (int t = 0; t < T; t++) {
        const Vec x = splat(*a(t));
#pragma GCC unroll 2
        for (int v = 0; v < V; v++) sum[t][v] = madd(x, weights[v], sum[t][v]);
      }
    }
  }
  storeTile(sum, p.out, p.outRow, p.lastLanes);
}

// Stores a tile, or adds it to what is there.
template <int T, int V>
static inline void addTile(Vec (&sum)[T][V], float* out, int64_t outRow, int64_t lastLanes, bool add) {
  if (add) {
    const Mask mask = firstLanes(lastLanes);
    const float* from = out;
#pragma GCC unroll 16
    for (int t = 0; t < T; t++, from = opaque(from + outRow))
#pragma GCC unroll 4
      for (int v = 0; v < V; v++) sum[t][v] += v == V - 1 ? load(from + v * LANES, mask) : load(from + v * LANES);
  }
  storeTile(sum, out, outRow, lastLanes);
}

// Memory that the next unit of work reads, asked for some lines at a time while this one computes.
struct Ahead {
  const char *at[2], *end[2];
  int64_t lines;  // at a time

  Ahead() : at{}, end{}, lines(0) {}
  Ahead(const void* a, int64_t aBytes, const void* b, int64_t bBytes, int64_t times)
      : at{(const char*)a, (const char*)b},
        end{at[0] + aBytes, at[1] + bBytes},
        lines(ceilDivide(ceilDivide(aBytes, 64) + ceilDivide(bBytes, 64), times)) {}
  inline void ask() {
    for (int64_t n = lines; n > 0; n--) {
      const int i = at[0] < end[0] ? 0 : 1;
      if (at[i] >= end[i]) return;
      __builtin_prefetch(at[i], 0, 2);
      at[i] += 64;
    }
  }
};

// A tile of at most T rows. `runTile` and `advance`, which moves a tile down by a number of rows, are overloaded
// for each kind of tile.
template <int T, int V, class Tile>
static void runRows(int64_t rows, const Tile& tile) {
  if constexpr (T > 1)
    if (rows < T) return runRows<T - 1, V>(rows, tile);
  runTile<T, V>(tile);
}

// `rows` rows of V vectors, cut into tiles of nearly equal height, at most Most<V>::MOST.
template <template <int> class Most, int V, class Tile>
static void runTiles(int64_t rows, Tile tile) {
  const int64_t parts = ceilDivide(rows, Most<V>::MOST);
  for (int64_t i = 0; i < parts; i++) {
    const Range r = part(rows, parts, i);
    runRows<Most<V>::MOST, V>(r.end - r.begin, tile);
    advance(tile, r.end - r.begin);
  }
}
// As many vectors as are given, at most V.
template <template <int> class Most, int V, class Tile>
static void runVectors(int64_t vectors, int64_t rows, const Tile& tile) {
  if constexpr (V > 1)
    if (vectors < V) return runVectors<Most, V - 1>(vectors, rows, tile);
  runTiles<Most, V>(rows, tile);
}
static inline void advance(PixelTile& tile, int64_t rows) {
  tile.a += rows * tile.aRow;
  tile.out += rows * tile.outRow;
}
// `columns` columns (at most PANEL).
template <class Tile>
static void runPanel(int64_t rows, int64_t columns, Tile& tile) {
  tile.lastLanes = columns > LANES ? columns - LANES : columns;
  runVectors<Rows, 2>(columns > LANES ? 2 : 1, rows, tile);
}

#if defined(__wasm_simd128__)
static inline void transpose(Vec (&rows)[LANES]) {
  const v128_t a = (v128_t)rows[0], b = (v128_t)rows[1], c = (v128_t)rows[2], d = (v128_t)rows[3];
  const v128_t ab = wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), cd = wasm_i32x4_shuffle(c, d, 0, 4, 1, 5);
  const v128_t abHigh = wasm_i32x4_shuffle(a, b, 2, 6, 3, 7), cdHigh = wasm_i32x4_shuffle(c, d, 2, 6, 3, 7);
  rows[0] = (Vec)wasm_i64x2_shuffle(ab, cd, 0, 2), rows[1] = (Vec)wasm_i64x2_shuffle(ab, cd, 1, 3);
  rows[2] = (Vec)wasm_i64x2_shuffle(abHigh, cdHigh, 0, 2), rows[3] = (Vec)wasm_i64x2_shuffle(abHigh, cdHigh, 1, 3);
}
#else
// A butterfly: stage S exchanges, between rows that differ in bit S, the lanes that differ in bit S.
template <int... LANE>
struct Shuffle {
  // clang lacks __builtin_shuffle, g++ before 12 the other.
  template <int S>
  static inline void exchange(Vec& a, Vec& b) {
    const Vec x = a, y = b;
#if defined(__clang__)
    a = __builtin_shufflevector(x, y, (LANE & S ? LANES + LANE - S : LANE)...);
    b = __builtin_shufflevector(x, y, (LANE & S ? LANES + LANE : LANE + S)...);
#else
    typedef int32_t IntVec __attribute__((vector_size(sizeof(Vec))));
    a = __builtin_shuffle(x, y, IntVec{(LANE & S ? LANES + LANE - S : LANE)...});
    b = __builtin_shuffle(x, y, IntVec{(LANE & S ? LANES + LANE : LANE + S)...});
#endif
  }
};
#if defined(__AVX512F__)
typedef Shuffle<0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15> AllLanes;
#else
typedef Shuffle<0, 1, 2, 3, 4, 5, 6, 7> AllLanes;
#endif
template <int S>
static inline void exchange(Vec (&rows)[LANES]) {
#pragma GCC unroll 16
  for (int i = 0; i < LANES; i++)
    if (!(i & S)) AllLanes::exchange<S>(rows[i], rows[i + S]);
}
static inline void transpose(Vec (&rows)[LANES]) {
  exchange<1>(rows);
  exchange<2>(rows);
  exchange<4>(rows);
  if constexpr (LANES == 16) exchange<8>(rows);
}
#endif

// to[k][n] = from[k * fromRow + n], n < columns <= PANEL, zero up to a whole vector.
static void packPanel(float* to, const float* from, int64_t fromRow, int64_t rows, int64_t columns) {
  const int64_t width = roundToLanes(columns);
  const Mask mask = firstLanes(columns - (width - LANES));
  for (int64_t k = 0; k < rows; k++, to += width, from += fromRow) {
    if (width == PANEL) store(to, load(from));
    store(to + width - LANES, load(from + width - LANES, mask));
  }
}

// to[k][n] = from[n * fromRow + k], n < columns <= PANEL, zero up to a whole vector.
static void packTransposed(float* to, const float* from, int64_t fromRow, int64_t rows, int64_t columns) {
  const int64_t width = roundToLanes(columns);
  for (int64_t n = 0; n < columns; n += LANES)
    for (int64_t k = 0; k < rows; k += LANES) {
      const Mask mask = firstLanes(least(LANES, rows - k));
      Vec block[LANES];
#pragma GCC unroll 16
      for (int i = 0; i < LANES; i++) block[i] = n + i < columns ? load(from + (n + i) * fromRow + k, mask) : splat(0);
      transpose(block);
#pragma GCC unroll 16
      for (int i = 0; i < LANES; i++)
        if (k + i < rows) store(to + (k + i) * width + n, block[i]);
    }
}

static void zero(float* to, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] = 0;
}
static void copy(float* to, const float* from, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] = from[i];
}
// Copies, and asks for what lies `ahead` floats further on.
static void copyAhead(float* to, const float* from, int64_t n, int64_t ahead) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    __builtin_prefetch(from + i + ahead);
#pragma GCC unroll 4
    for (int v = 0; v < 16; v += LANES) store(to + i + v, load(from + i + v));
  }
  for (; i < n; i++) to[i] = from[i];
}

}  // namespace FEWBIT_ISA
}  // namespace fewbit
