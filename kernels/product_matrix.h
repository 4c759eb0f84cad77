// Matrix products: out[m][n] = sum over k of a[m][k] * b[k][n], or * b[n][k] where b is `transposed`.
//
// A chunk packs a panel of b, block by block of k so that it stays in cache, and runs it over its
// rows; a chain is continued from block to block, so blocks do not change its value.
#pragma once
#include "product_tile.h"

namespace fewbit {
namespace FEWBIT_ISA {

struct Matrix {
  int64_t m, k, n;
  bool transposed;
};

enum { MATRIX_BLOCK = 512, MATRIX_ROWS = 256 };

static int64_t matrixRowChunks(const Matrix& p) { return clamp(p.m / MATRIX_ROWS, 1, wantedChunks(p.m * p.k * p.n)); }
static int64_t matrixColumnChunks(const Matrix& p) {
  return clamp(ceilDivide(wantedChunks(p.m * p.k * p.n), matrixRowChunks(p)), 1, ceilDivide(p.n, COLUMNS));
}

static Plan planMatrix(const Matrix& p) {
  const int64_t panel = least(p.k, MATRIX_BLOCK) * PANEL * sizeof(float);
  return {1, {matrixRowChunks(p) * matrixColumnChunks(p)}, 0, panel};
}

static void runMatrix(const Matrix& p, const float* a, const float* b, float* out, const Chunk& chunk) {
  const int64_t rowChunks = matrixRowChunks(p);
  const Range rows = part(p.m, rowChunks, chunk.index % rowChunks);
  const Range columns = columnPart(p.n, matrixColumnChunks(p), chunk.index / rowChunks);
  float* packed = reinterpret_cast<float*>(chunk.work.own);
  const int64_t blocks = ceilDivide(p.k, MATRIX_BLOCK);
  for (int64_t n = columns.begin; n < columns.end; n += PANEL) {
    const int64_t width = least(PANEL, columns.end - n);
    for (int64_t i = 0; i < blocks; i++) {
      const Range k = part(p.k, blocks, i);
      if (p.transposed)
        packTransposed(packed, b + n * p.k + k.begin, p.k, k.end - k.begin, width);
      else
        packPanel(packed, b + k.begin * p.n + n, p.n, k.end - k.begin, width);
      PixelTile tile{};
      tile.a = a + rows.begin * p.k + k.begin;
      tile.aRow = p.k;
      tile.segments = 1;
      tile.length = k.end - k.begin;
      tile.b = packed;
      tile.out = out + rows.begin * p.n + n;
      tile.outRow = p.n;
      tile.resume = i > 0;
      runPanel(rows.end - rows.begin, width, tile);
    }
  }
}

}  // namespace FEWBIT_ISA
}  // namespace fewbit
