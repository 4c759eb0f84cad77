// Strided copies and random numbers.
#pragma once
#include "cut.h"

namespace fewbit {
namespace FEWBIT_ISA {

struct Axis {
  int64_t extent, from, to;  // strides in elements
};

// A copy as outer axes around planes: `along` has the smallest stride of the target, `across` reads
// adjacent elements if `along` does not. Planes are copied in tiles.
struct CopyLayout {
  Axis outer[8];
  int32_t outerCount;
  Axis along, across;
  int64_t tileAlong, tileAcross, tilesAlong, tilesAcross, tiles, elements;
};

static CopyLayout layoutOf(const MoveInstruction& move) {
  // The target's order, outermost first; neighbours that are one stretch in both become one axis.
  Axis axes[9];
  int32_t count = 0;
  int64_t elements = 1;
  for (int32_t i = 0; i < move.rank; i++) {
    const Axis axis = {move.extents[i], move.fromStrides[i], move.toStrides[i]};
    elements *= axis.extent;
    if (axis.extent == 1) continue;
    int32_t at = count++;
    for (; at > 0 && axes[at - 1].to < axis.to; at--) axes[at] = axes[at - 1];
    axes[at] = axis;
  }
  int32_t merged = 0;
  for (int32_t i = 0; i < count; i++) {
    const Axis& inner = axes[i];
    if (merged > 0) {
      Axis& last = axes[merged - 1];
      if (last.from == inner.from * inner.extent && last.to == inner.to * inner.extent) {
        last = {last.extent * inner.extent, inner.from, inner.to};
        continue;
      }
    }
    axes[merged++] = inner;
  }

  CopyLayout l = {};
  l.elements = elements;
  l.along = merged > 0 ? axes[merged - 1] : Axis{1, 1, 1};
  l.across = {1, 0, 0};
  int32_t across = merged - 2;
  for (int32_t i = 0; i + 1 < merged && l.along.from != 1; i++) {
    if (axes[i].from == 1) across = i;
  }
  for (int32_t i = 0; i + 1 < merged; i++) {
    if (i == across)
      l.across = axes[i];
    else
      l.outer[l.outerCount++] = axes[i];
  }
  const bool turned = l.across.from == 1 && l.along.from != 1;
  l.tileAlong = least(l.along.extent, turned ? 64 : 4096);
  l.tileAcross = least(l.across.extent, most(1, 4096 / l.tileAlong));
  l.tilesAlong = ceilDivide(l.along.extent, l.tileAlong);
  l.tilesAcross = ceilDivide(l.across.extent, l.tileAcross);
  l.tiles = l.tilesAlong * l.tilesAcross;
  for (int32_t i = 0; i < l.outerCount; i++) l.tiles *= l.outer[i].extent;
  return l;
}

// Copies n elements along one axis; elements are 4 bytes of either storage.
static inline void copyLine(const int32_t* from, int64_t fromStride, int32_t* to, int64_t toStride, int64_t n) {
  if (fromStride == 1 && toStride == 1) {
    if (n >= 16) {
      memcpy(to, from, n * sizeof(int32_t));
    } else {
      for (int64_t i = 0; i < n; i++) to[i] = from[i];
    }
  } else if (fromStride == 0 && toStride == 1) {
    for (int64_t i = 0; i < n; i++) to[i] = from[0];
  } else {
    for (int64_t i = 0; i < n; i++) to[i * toStride] = from[i * fromStride];
  }
}

static void copyTile(const CopyLayout& l, const int32_t* from, int32_t* to, int64_t along, int64_t across) {
  // Squares of cache lines where lines of the source run across those of the target.
  const int64_t square = l.along.from == 1 || l.across.from != 1 ? along : 16;
  for (int64_t start = 0; start < along; start += square) {
    const int64_t n = least(square, along - start);
    const int32_t* source = from + start * l.along.from;
    int32_t* target = to + start * l.along.to;
    for (int64_t i = 0; i < across; i++, source += l.across.from, target += l.across.to) {
      copyLine(source, l.along.from, target, l.along.to, n);
    }
  }
}

static void copyChunk(const MoveInstruction& move, const Memory& memory, int64_t chunk) {
  const CopyLayout l = layoutOf(move);
  const Cut cut(l.tiles, l.elements);
  const int32_t* const from = reinterpret_cast<const int32_t*>(memory.f32(move.from));
  int32_t* const to = reinterpret_cast<int32_t*>(memory.f32(move.to));
  for (int64_t tile = cut.begin(chunk); tile < cut.end(chunk); tile++) {
    int64_t rest = tile;
    const int64_t along = rest % l.tilesAlong * l.tileAlong;
    rest /= l.tilesAlong;
    const int64_t across = rest % l.tilesAcross * l.tileAcross;
    rest /= l.tilesAcross;
    int64_t read = along * l.along.from + across * l.across.from;
    int64_t write = along * l.along.to + across * l.across.to;
    for (int32_t i = l.outerCount - 1; i >= 0; i--) {
      read += rest % l.outer[i].extent * l.outer[i].from;
      write += rest % l.outer[i].extent * l.outer[i].to;
      rest /= l.outer[i].extent;
    }
    copyTile(l, from + read, to + write, least(l.tileAlong, l.along.extent - along),
             least(l.tileAcross, l.across.extent - across));
  }
}

// Philox4x32-10 (Salmon et al., SC 2011) for adjacent counters at once.
enum { COUNTERS = 16, NUMBERS = 4 * COUNTERS, RANDOM_UNIT = 4096 };

static void philox(uint32_t counter, uint32_t stream, uint32_t k0, uint32_t k1, float* to) {
  uint32_t c0[COUNTERS], c1[COUNTERS], c2[COUNTERS], c3[COUNTERS];
  for (int i = 0; i < COUNTERS; i++) c0[i] = counter + i, c1[i] = stream, c2[i] = 0, c3[i] = 0;
  for (int round = 0; round < 10; round++, k0 += 0x9e3779b9u, k1 += 0xbb67ae85u) {
    for (int i = 0; i < COUNTERS; i++) {
      const uint64_t p0 = uint64_t{0xd2511f53u} * c0[i], p1 = uint64_t{0xcd9e8d57u} * c2[i];
      c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0;
      c1[i] = (uint32_t)p1;
      c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
      c3[i] = (uint32_t)p0;
    }
  }
  const uint32_t* const words[4] = {c0, c1, c2, c3};
  for (int i = 0; i < NUMBERS; i++) to[i] = (float)(int32_t)(words[i % 4][i / 4] >> 8) * 0x1p-24f;
}

static void randomChunk(const MoveInstruction& move, const Memory& memory, int64_t chunk) {
  const Cut cut(ceilDivide(move.toElements, RANDOM_UNIT), move.toElements);
  uint32_t key[2];
  memcpy(key, memory.f32(move.from), sizeof key);
  float* const to = memory.f32(move.to);
  const int64_t end = least(cut.end(chunk) * RANDOM_UNIT, move.toElements);
  for (int64_t i = cut.begin(chunk) * RANDOM_UNIT; i < end; i += NUMBERS) {
    float numbers[NUMBERS];
    philox((uint32_t)(i / 4), (uint32_t)move.stream, key[0], key[1], numbers);
    memcpy(to + i, numbers, least(NUMBERS, end - i) * sizeof(float));
  }
}

static Plan planMove(const MoveInstruction& move) {
  if (move.op == RANDOM) return {1, {Cut(ceilDivide(move.toElements, RANDOM_UNIT), move.toElements).chunks}, 0, 0};
  const CopyLayout l = layoutOf(move);
  return {1, {Cut(l.tiles, l.elements).chunks}, 0, 0};
}

static void runMove(const MoveInstruction& move, const Memory& memory, const Chunk& chunk) {
  if (move.op == RANDOM) {
    randomChunk(move, memory, chunk.index);
  } else {
    copyChunk(move, memory, chunk.index);
  }
}

}  // namespace FEWBIT_ISA
}  // namespace fewbit
