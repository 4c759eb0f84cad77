// Vectors of the instruction set that this translation unit is built for, and nothing else.
//
// Everything lives in a namespace of its own per instruction set (FEWBIT_ISA), because an inline
// function compiled for AVX-512 would otherwise be linked for every CPU. `madd` is always one fused
// multiply-add, so AVX2 and AVX-512 give the same bits; the build uses -ffp-contract=off.
#pragma once
#include <immintrin.h>

#include "program.h"

#ifndef FEWBIT_ISA
#error "build with -DFEWBIT_ISA=avx2 or avx512"
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
#else
#error "the native kernels need AVX2 with FMA or AVX-512"
#endif

}  // namespace FEWBIT_ISA
}  // namespace fewbit
