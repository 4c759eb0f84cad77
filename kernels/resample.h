// Images of red, green and blue bytes in another size: each place of the result is a weighted sum of some places of the
// image, first along rows and then along columns, rounded to bytes after each. Weights come from the caller
// (src/data/triangle.ts), so that what is computed here is exact: the same bits on every instruction set.
#pragma once
#ifndef __wasm__
#include <string.h>
#endif

#include "program.h"

namespace fewbit {

// A side of the result: place i is the sum of `taps` weights from weights[i * taps] on, which are not negative, times the
// places of the image from firsts[i] on, in 2^22ths.
struct ResampledSide {
  int32_t count, taps;
  const int32_t *firsts, *weights;
};

// Pixels [rows, rowPixels, 3] as out [down.count, across.count, 3].
struct Resampling {
  const uint8_t* pixels;
  int32_t rows, rowPixels;
  ResampledSide down, across;
  uint8_t* out;
};

// The work memory that a resampling needs: the image's rows as wide as the result's, and its last row.
inline int64_t resampledRowBytes(const Resampling& r) { return 3 * int64_t{r.across.count} + 8; }
inline int64_t resamplingWorkBytes(const Resampling& r) {
  return r.rows * resampledRowBytes(r) + 3 * int64_t{r.rowPixels} + 8;
}

using Resample = void (*)(const Resampling&, uint8_t* work);
extern const Resample avx2Resample;
extern const Resample avx2vnniResample;
extern const Resample avx512Resample;
extern const Resample avx512vnniResample;
extern const Resample avx512bf16Resample;

#if defined(FEWBIT_ISA) && !defined(__wasm__)
namespace FEWBIT_ISA {

static constexpr int32_t weightBits = 22;

static inline __m256i half() { return _mm256_set1_epi32(1 << (weightBits - 1)); }
static inline int32_t fourBytes(const uint8_t* p) {
  int32_t bytes;
  memcpy(&bytes, p, 4);
  return bytes;
}
static inline __m256i added(__m256i sums, __m128i bytes, int32_t weight) {
  return _mm256_add_epi32(sums, _mm256_mullo_epi32(_mm256_cvtepu8_epi32(bytes), _mm256_set1_epi32(weight)));
}
// Eight sums as bytes. Sums are below 2^30, and their bytes below 256: weights are not negative and sum to 2^22.
static inline int64_t rounded(__m256i sums) {
  const __m256i whole = _mm256_srli_epi32(sums, weightBits);
  const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
  return _mm_cvtsi128_si64(_mm_packus_epi16(words, words));
}

// Two rows at a time, a pixel and the byte beside it of each in half a vector. Both rows and what is written reach a byte
// beyond their last pixel.
static inline void acrossTwo(const uint8_t* a, const uint8_t* b, const ResampledSide& side, uint8_t* toA, uint8_t* toB) {
  const int32_t* weight = side.weights;
  for (int32_t i = 0; i < side.count; i++) {
    const int64_t first = 3 * int64_t{side.firsts[i]};
    __m256i sums = half();
    for (int32_t k = 0; k < side.taps; k++) {
      const __m128i one = _mm_cvtsi32_si128(fourBytes(a + first + 3 * k));
      sums = added(sums, _mm_insert_epi32(one, fourBytes(b + first + 3 * k), 1), *weight++);
    }
    const int64_t bytes = rounded(sums);
    const int32_t low = static_cast<int32_t>(bytes), high = static_cast<int32_t>(bytes >> 32);
    memcpy(toA + 3 * i, &low, 4);
    memcpy(toB + 3 * i, &high, 4);
  }
}

// One row of `bytes` bytes of several that lie `rowBytes` apart, each of which reaches 7 bytes further.
static inline void downOne(const uint8_t* from, int64_t rowBytes, int64_t bytes, const int32_t* weights, int32_t taps,
                           uint8_t* to) {
  for (int64_t at = 0; at < bytes; at += 8) {
    __m256i sums = half();
    for (int32_t k = 0; k < taps; k++) {
      sums = added(sums, _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from + k * rowBytes + at)), weights[k]);
    }
    const int64_t part = rounded(sums);
    if (bytes - at >= 8)
      memcpy(to + at, &part, 8);
    else
      memcpy(to + at, &part, bytes - at);
  }
}

static void resample(const Resampling& r, uint8_t* work) {
  const int64_t imageRow = 3 * int64_t{r.rowPixels}, row = resampledRowBytes(r);
  int32_t begin = r.rows, end = 0;
  for (int32_t i = 0; i < r.down.count; i++) {
    begin = r.down.firsts[i] < begin ? r.down.firsts[i] : begin;
    end = r.down.firsts[i] + r.down.taps > end ? r.down.firsts[i] + r.down.taps : end;
  }
  // The image's last row ends where memory may end.
  uint8_t* const last = work + r.rows * row;
  const auto rowAt = [&](int32_t y) -> const uint8_t* {
    const uint8_t* const own = r.pixels + y * imageRow;
    if (y + 1 < r.rows) return own;
    memcpy(last, own, imageRow);
    return last;
  };
  for (int32_t y = begin; y < end; y += 2) {
    const int32_t next = y + 1 < end ? y + 1 : y;
    acrossTwo(rowAt(y), rowAt(next), r.across, work + y * row, work + next * row);
  }
  const int64_t outRow = 3 * int64_t{r.across.count};
  for (int32_t i = 0; i < r.down.count; i++) {
    downOne(work + r.down.firsts[i] * row, row, outRow, r.down.weights + int64_t{i} * r.down.taps, r.down.taps,
            r.out + i * outRow);
  }
}

}  // namespace FEWBIT_ISA
#endif

}  // namespace fewbit
