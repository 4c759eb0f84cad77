// Integer vectors: dot products of codes for product_integer.h, and codes to and from floats.
//
// A code is an integer of 8 bits (or 16, for sums) in memory. For products GROUP codes stand side by
// side in a word of 32 bits, one word a lane; `dot` adds to each lane the products of the codes of two
// words. VNNI multiplies 4 unsigned bytes by 4 signed ones, so signed inputs are stored CODE_OFFSET
// higher; elsewhere codes are widened to 16 bits and multiplied in pairs. Both are exact.
//
// `n` counts elements, from 1 to a whole vector. Those beyond are neither read nor written (copyCodes
// may write them); what a load gives for them is not used.
#pragma once
#include "math.h"

namespace fewbit {
namespace FEWBIT_ISA {

#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
typedef uint8_t Code;
enum { CODE_OFFSET = 128 };
#else
typedef int16_t Code;
enum { CODE_OFFSET = 0 };
#endif
enum { GROUP = 4 / sizeof(Code), CODES = sizeof(Vec) / sizeof(Code) };  // codes of a word, of a vector

typedef int32_t UnalignedWord __attribute__((aligned(1), may_alias));
static inline Ints splatWord(const Code* p) { return splatInts(*(const UnalignedWord*)p); }

#if defined(__AVX512F__)

static inline Ints loadInts(const int32_t* p) { return (Ints)_mm512_loadu_si512(p); }
static inline Ints loadInts(const int32_t* p, int64_t n) { return (Ints)_mm512_maskz_loadu_epi32(firstLanes(n), p); }
static inline Ints loadInts(const int16_t* p, int64_t n) {
  return (Ints)_mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(firstLanes(n), p));
}
static inline Ints loadInts(const uint8_t* p, int64_t n) {
  return (Ints)_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(firstLanes(n), p));
}
static inline Ints loadInts(const int8_t* p, int64_t n) {
  return (Ints)_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(firstLanes(n), p));
}
static inline void storeInts(int32_t* p, Ints v) { _mm512_storeu_si512(p, (__m512i)v); }
static inline void storeInts(int32_t* p, Ints v, int64_t n) { _mm512_mask_storeu_epi32(p, firstLanes(n), (__m512i)v); }
static inline void storeInts(int16_t* p, Ints v, int64_t n) {
  const __m256i narrow = _mm512_cvtepi32_epi16((__m512i)v);
  n == LANES ? _mm256_storeu_si256((__m256i*)p, narrow) : _mm256_mask_storeu_epi16(p, firstLanes(n), narrow);
}
static inline void storeInts(uint8_t* p, Ints v, int64_t n) {
  const __m128i narrow = _mm512_cvtepi32_epi8((__m512i)v);
  n == LANES ? _mm_storeu_si128((__m128i*)p, narrow) : _mm_mask_storeu_epi8(p, firstLanes(n), narrow);
}
static inline void storeInts(int8_t* p, Ints v, int64_t n) { storeInts((uint8_t*)p, v, n); }

#if defined(__AVX512VNNI__)
static inline Ints dot(Ints sum, Ints codes, Ints weights) {
  return (Ints)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)codes, (__m512i)weights);
}
static inline void copyCodes(Code* to, const uint8_t* from, bool isSigned, int64_t n) {
  const __mmask64 mask = ~0ull >> (64 - n);
  const __m512i codes = _mm512_maskz_loadu_epi8(mask, from);
  _mm512_storeu_si512(to, _mm512_xor_si512(codes, _mm512_set1_epi8(isSigned ? CODE_OFFSET : 0)));
}
#else
static inline Ints dot(Ints sum, Ints codes, Ints weights) {
  return (Ints)((Words)sum + (Words)_mm512_madd_epi16((__m512i)codes, (__m512i)weights));
}
static inline void copyCodes(Code* to, const uint8_t* from, bool isSigned, int64_t n) {
  const __m256i bytes = _mm256_maskz_loadu_epi8(~0u >> (32 - n), from);
  _mm512_storeu_si512(to, isSigned ? _mm512_cvtepi8_epi16(bytes) : _mm512_cvtepu8_epi16(bytes));
}
#endif

#elif defined(__AVX2__)

// Vectors of which a part lies in memory; tails only, so a loop will do.
static inline __m128i loadPart(const void* p, int64_t bytes) {
  char part[16] = {};
  for (int64_t i = 0; i < bytes; i++) part[i] = ((const char*)p)[i];
  return _mm_loadu_si128((const __m128i*)part);
}
static inline void storePart(void* p, __m128i v, int64_t bytes) {
  char part[16];
  _mm_storeu_si128((__m128i*)part, v);
  for (int64_t i = 0; i < bytes; i++) ((char*)p)[i] = part[i];
}
static inline __m128i loadEight(const void* p, int64_t n) {
  return n == LANES ? _mm_loadl_epi64((const __m128i*)p) : loadPart(p, n);
}

static inline Ints loadInts(const int32_t* p) { return (Ints)_mm256_loadu_si256((const __m256i*)p); }
static inline Ints loadInts(const int32_t* p, int64_t n) { return (Ints)_mm256_maskload_epi32(p, firstLanes(n)); }
static inline Ints loadInts(const int16_t* p, int64_t n) {
  return (Ints)_mm256_cvtepi16_epi32(n == LANES ? _mm_loadu_si128((const __m128i*)p) : loadPart(p, 2 * n));
}
static inline Ints loadInts(const uint8_t* p, int64_t n) { return (Ints)_mm256_cvtepu8_epi32(loadEight(p, n)); }
static inline Ints loadInts(const int8_t* p, int64_t n) { return (Ints)_mm256_cvtepi8_epi32(loadEight(p, n)); }
static inline void storeInts(int32_t* p, Ints v) { _mm256_storeu_si256((__m256i*)p, (__m256i)v); }
static inline void storeInts(int32_t* p, Ints v, int64_t n) { _mm256_maskstore_epi32(p, firstLanes(n), (__m256i)v); }
// Saturate, which changes no value within range.
static inline __m128i toShorts(Ints v) {
  return _mm_packs_epi32(_mm256_castsi256_si128((__m256i)v), _mm256_extracti128_si256((__m256i)v, 1));
}
static inline void storeInts(int16_t* p, Ints v, int64_t n) {
  n == LANES ? _mm_storeu_si128((__m128i*)p, toShorts(v)) : storePart(p, toShorts(v), 2 * n);
}
static inline void storeEight(void* p, __m128i v, int64_t n) {
  n == LANES ? _mm_storel_epi64((__m128i*)p, v) : storePart(p, v, n);
}
static inline void storeInts(uint8_t* p, Ints v, int64_t n) { storeEight(p, _mm_packus_epi16(toShorts(v), toShorts(v)), n); }
static inline void storeInts(int8_t* p, Ints v, int64_t n) { storeEight(p, _mm_packs_epi16(toShorts(v), toShorts(v)), n); }

#if defined(__AVXVNNI__)
static inline Ints dot(Ints sum, Ints codes, Ints weights) {
  return (Ints)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)codes, (__m256i)weights);
}
static inline void copyCodes(Code* to, const uint8_t* from, bool isSigned, int64_t n) {
  if (n < CODES) {
    for (int64_t i = 0; i < n; i++) to[i] = from[i] ^ (isSigned ? CODE_OFFSET : 0);
    return;
  }
  const __m256i codes = _mm256_loadu_si256((const __m256i*)from);
  _mm256_storeu_si256((__m256i*)to, _mm256_xor_si256(codes, _mm256_set1_epi8(isSigned ? (char)CODE_OFFSET : 0)));
}
#else
static inline Ints dot(Ints sum, Ints codes, Ints weights) {
  return (Ints)((Words)sum + (Words)_mm256_madd_epi16((__m256i)codes, (__m256i)weights));
}
static inline void copyCodes(Code* to, const uint8_t* from, bool isSigned, int64_t n) {
  const __m128i bytes = n == CODES ? _mm_loadu_si128((const __m128i*)from) : loadPart(from, n);
  _mm256_storeu_si256((__m256i*)to, isSigned ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes));
}
#endif

#elif defined(__wasm_simd128__)

// Loads read whole vectors: wasm.cpp leaves room at the end of memory.
template <typename T>
static inline void storePart(T* p, Ints v, int64_t n) {
  for (int64_t i = 0; i < n; i++) p[i] = (T)v[i];
}

static inline Ints loadInts(const int32_t* p) { return (Ints)wasm_v128_load(p); }
static inline Ints loadInts(const int32_t* p, int64_t) { return loadInts(p); }
static inline Ints loadInts(const int16_t* p, int64_t) { return (Ints)wasm_i32x4_load16x4(p); }
static inline Ints loadInts(const uint8_t* p, int64_t) {
  return (Ints)wasm_u32x4_extend_low_u16x8(wasm_u16x8_extend_low_u8x16(wasm_v128_load32_zero(p)));
}
static inline Ints loadInts(const int8_t* p, int64_t) {
  return (Ints)wasm_i32x4_extend_low_i16x8(wasm_i16x8_extend_low_i8x16(wasm_v128_load32_zero(p)));
}
static inline void storeInts(int32_t* p, Ints v) { wasm_v128_store(p, (v128_t)v); }
static inline void storeInts(int32_t* p, Ints v, int64_t n) { n == LANES ? storeInts(p, v) : storePart(p, v, n); }
// Saturates, which changes no value within range.
static inline v128_t toShorts(Ints v) { return wasm_i16x8_narrow_i32x4((v128_t)v, (v128_t)v); }
static inline void storeInts(int16_t* p, Ints v, int64_t n) {
  if (n < LANES) return storePart(p, v, n);
  wasm_v128_store64_lane(p, toShorts(v), 0);
}
static inline void storeInts(uint8_t* p, Ints v, int64_t n) {
  if (n < LANES) return storePart(p, v, n);
  wasm_v128_store32_lane(p, wasm_u8x16_narrow_i16x8(toShorts(v), toShorts(v)), 0);
}
static inline void storeInts(int8_t* p, Ints v, int64_t n) {
  if (n < LANES) return storePart(p, v, n);
  wasm_v128_store32_lane(p, wasm_i8x16_narrow_i16x8(toShorts(v), toShorts(v)), 0);
}

static inline Ints dot(Ints sum, Ints codes, Ints weights) {
  return (Ints)wasm_i32x4_add((v128_t)sum, wasm_i32x4_dot_i16x8((v128_t)codes, (v128_t)weights));
}
static inline void copyCodes(Code* to, const uint8_t* from, bool isSigned, int64_t) {
  wasm_v128_store(to, isSigned ? wasm_i16x8_load8x8(from) : wasm_u16x8_load8x8(from));
}
#endif

template <typename T>
static inline void toFloats(float* to, const T* from, int64_t n) {
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) store(to + i, toFloats(loadInts(from + i, LANES)));
  if (i < n) store(to + i, toFloats(loadInts(from + i, n - i)));
}
// NaN counts as 0, as in a typed array: what the conversions make of it differs.
static inline Ints toCodes(Vec v) { return toInts(choose(isEqual(v, v), v, splat(0))); }
template <typename T>
static inline void fromFloats(T* to, const float* from, int64_t n) {
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) storeInts(to + i, toCodes(load(from + i)), LANES);
  if (i < n) storeInts(to + i, toCodes(load(from + i)), n - i);
}

// Of an element.
static inline int32_t log2Bytes(int32_t storage) {
  return storage == U8 || storage == S8 ? 0 : storage == I16 || storage == BF16 ? 1 : 2;
}
static inline int64_t storageBytes(int32_t storage) { return 1 << log2Bytes(storage); }

// bfloat16: the upper half of a float.
static inline float readBf16(uint16_t half) {
  const uint32_t bits = (uint32_t)half << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}
static inline void fromBf16(float* to, const int16_t* from, int64_t n) {
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) store(to + i, (Vec)((Words)loadInts(from + i, LANES) << 16));
  if (i < n) store(to + i, (Vec)((Words)loadInts(from + i, n - i) << 16));
}
static inline void toBf16(int16_t* to, const float* from, int64_t n) {
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) storeInts(to + i, (Ints)load(from + i) >> 16, LANES);
  if (i < n) storeInts(to + i, (Ints)load(from + i) >> 16, n - i);
}

// Elements `index` ... `index` + n of what is not stored as floats, as floats; may write up to a whole vector.
static inline void readIntegers(float* to, const char* from, int32_t storage, int64_t index, int64_t n) {
  switch (storage) {
    case I32: return toFloats(to, (const int32_t*)from + index, n);
    case I16: return toFloats(to, (const int16_t*)from + index, n);
    case U8: return toFloats(to, (const uint8_t*)from + index, n);
    case S8: return toFloats(to, (const int8_t*)from + index, n);
    case BF16: return fromBf16(to, (const int16_t*)from + index, n);
  }
}
// The reverse, from floats that the storage holds exactly; may read up to a whole vector.
static inline void writeIntegers(char* to, int32_t storage, int64_t index, const float* from, int64_t n) {
  switch (storage) {
    case I16: return fromFloats((int16_t*)to + index, from, n);
    case U8: return fromFloats((uint8_t*)to + index, from, n);
    case S8: return fromFloats((int8_t*)to + index, from, n);
    case BF16: return toBf16((int16_t*)to + index, from, n);
  }
}

}  // namespace FEWBIT_ISA
}  // namespace fewbit
