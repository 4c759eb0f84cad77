// Vectors of the instruction set that this translation unit is built for, and nothing else.
//
// Everything lives in a namespace of its own per instruction set (FEWBIT_ISA), because an inline
// function compiled for AVX-512 would otherwise be linked for every CPU. `madd` is one fused
// multiply-add, so AVX2 and AVX-512 give the same bits; WebAssembly has none and rounds twice. The
// build uses -ffp-contract=off.
#pragma once
#ifdef __wasm_simd128__
#include <wasm_simd128.h>
#else
#include <immintrin.h>
#include <string.h>
#endif

#include "program.h"

#ifndef FEWBIT_ISA
#error "build with -DFEWBIT_ISA=avx2, avx512 or simd128"
#endif

#ifdef __wasm_simd128__
extern "C" {  // wasm.cpp
void* memcpy(void* to, const void* from, size_t bytes);
void* memmove(void* to, const void* from, size_t bytes);
void* memset(void* to, int byte, size_t bytes);
}
#endif

namespace fewbit {
namespace FEWBIT_ISA {

#if defined(__AVX512F__)
enum { LANES = 16 };
typedef float Vec __attribute__((vector_size(64)));
static inline Vec load(const float* p) { return _mm512_loadu_ps(p); }
static inline void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
static inline Vec splat(float s) { return _mm512_set1_ps(s); }
static inline Vec madd(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
#elif defined(__AVX2__)
enum { LANES = 8 };
typedef float Vec __attribute__((vector_size(32)));
static inline Vec load(const float* p) { return _mm256_loadu_ps(p); }
static inline void store(float* p, Vec v) { _mm256_storeu_ps(p, v); }
static inline Vec splat(float s) { return _mm256_set1_ps(s); }
static inline Vec madd(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
#elif defined(__wasm_simd128__)
enum { LANES = 4 };
typedef float Vec __attribute__((vector_size(16)));
static inline Vec load(const float* p) { return (Vec)wasm_v128_load(p); }
static inline void store(float* p, Vec v) { wasm_v128_store(p, (v128_t)v); }
static inline Vec splat(float s) { return (Vec)wasm_f32x4_splat(s); }
static inline Vec madd(Vec a, Vec b, Vec c) { return a * b + c; }
#else
#error "the kernels need AVX2 with FMA, AVX-512 or WebAssembly's SIMD"
#endif

// The first lanes of a vector alone.
#if defined(__AVX512F__)
typedef __mmask16 Mask;
static inline Mask firstLanes(int64_t n) { return Mask(0xffffu >> (16 - n)); }
static inline Vec load(const float* p, Mask m) { return _mm512_maskz_loadu_ps(m, p); }
static inline void store(float* p, Vec v, Mask m) { _mm512_mask_storeu_ps(p, m, v); }
#elif defined(__AVX2__)
typedef __m256i Mask;
static inline Mask firstLanes(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(int(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline Vec load(const float* p, Mask m) { return _mm256_maskload_ps(p, m); }
static inline void store(float* p, Vec v, Mask m) { _mm256_maskstore_ps(p, m, v); }
#else
// Whole vectors are read and written back: there is one thread, and wasm.cpp leaves room at the end.
typedef v128_t Mask;
// Read, not compared: clang would make choices between vectors of an and with a comparison, which are slower.
static inline Mask firstLanes(int64_t n) {
  static const int32_t lanes[2 * LANES] = {-1, -1, -1, -1};
  return wasm_v128_load(lanes + LANES - n);
}
static inline Vec load(const float* p, Mask m) { return (Vec)wasm_v128_and(wasm_v128_load(p), m); }
static inline void store(float* p, Vec v, Mask m) {
  wasm_v128_store(p, wasm_v128_bitselect((v128_t)v, wasm_v128_load(p), m));
}
#endif

}  // namespace FEWBIT_ISA
}  // namespace fewbit
