// What the map interpreter and the windows need beside simd.h: comparisons, choice, integers,
// and exp, log and tanh of our own.
//
// AVX2 and AVX-512 give the same bits: the same operations in the same order, `madd` always fused.
// `minimum(a, b)` is a < b ? a : b and `maximum(a, b)` is a > b ? a : b, so both give b for a NaN.
#pragma once
#include "product_cut.h"

namespace fewbit {
namespace FEWBIT_ISA {

typedef int32_t Ints __attribute__((vector_size(sizeof(Vec))));
typedef uint32_t Words __attribute__((vector_size(sizeof(Vec))));  // wrap around where Ints may not overflow

#if defined(__AVX512F__)
static inline Mask isLess(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
static inline Mask isAtMost(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
static inline Mask isEqual(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
static inline Mask isUnequal(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_NEQ_UQ); }
static inline Vec choose(Mask m, Vec a, Vec b) { return _mm512_mask_blend_ps(m, b, a); }
static inline Vec minimum(Vec a, Vec b) { return _mm512_min_ps(a, b); }
static inline Vec maximum(Vec a, Vec b) { return _mm512_max_ps(a, b); }
static inline Vec squareRoot(Vec a) { return _mm512_sqrt_ps(a); }
static inline Vec roundEven(Vec a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
static inline Ints toInts(Vec a) { return (Ints)_mm512_cvtps_epi32(a); }
static inline Vec toFloats(Ints a) { return _mm512_cvtepi32_ps((__m512i)a); }
#elif defined(__AVX2__)
static inline Mask isLess(Vec a, Vec b) { return (Mask)_mm256_cmp_ps(a, b, _CMP_LT_OQ); }
static inline Mask isAtMost(Vec a, Vec b) { return (Mask)_mm256_cmp_ps(a, b, _CMP_LE_OQ); }
static inline Mask isEqual(Vec a, Vec b) { return (Mask)_mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
static inline Mask isUnequal(Vec a, Vec b) { return (Mask)_mm256_cmp_ps(a, b, _CMP_NEQ_UQ); }
static inline Vec choose(Mask m, Vec a, Vec b) { return _mm256_blendv_ps(b, a, (Vec)m); }
static inline Vec minimum(Vec a, Vec b) { return _mm256_min_ps(a, b); }
static inline Vec maximum(Vec a, Vec b) { return _mm256_max_ps(a, b); }
static inline Vec squareRoot(Vec a) { return _mm256_sqrt_ps(a); }
static inline Vec roundEven(Vec a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
static inline Ints toInts(Vec a) { return (Ints)_mm256_cvtps_epi32(a); }
static inline Vec toFloats(Ints a) { return _mm256_cvtepi32_ps((__m256i)a); }
#else
static inline Mask isLess(Vec a, Vec b) { return wasm_f32x4_lt((v128_t)a, (v128_t)b); }
static inline Mask isAtMost(Vec a, Vec b) { return wasm_f32x4_le((v128_t)a, (v128_t)b); }
static inline Mask isEqual(Vec a, Vec b) { return wasm_f32x4_eq((v128_t)a, (v128_t)b); }
static inline Mask isUnequal(Vec a, Vec b) { return wasm_f32x4_ne((v128_t)a, (v128_t)b); }
static inline Vec choose(Mask m, Vec a, Vec b) { return (Vec)wasm_v128_bitselect((v128_t)a, (v128_t)b, m); }
static inline Vec minimum(Vec a, Vec b) { return (Vec)wasm_f32x4_pmin((v128_t)b, (v128_t)a); }
static inline Vec maximum(Vec a, Vec b) { return (Vec)wasm_f32x4_pmax((v128_t)b, (v128_t)a); }
static inline Vec squareRoot(Vec a) { return (Vec)wasm_f32x4_sqrt((v128_t)a); }
static inline Vec roundEven(Vec a) { return (Vec)wasm_f32x4_nearest((v128_t)a); }
static inline Ints toInts(Vec a) { return (Ints)wasm_i32x4_trunc_sat_f32x4((v128_t)roundEven(a)); }
static inline Vec toFloats(Ints a) { return (Vec)wasm_f32x4_convert_i32x4((v128_t)a); }
#endif

static inline Ints splatInts(int32_t s) { return s - Ints{}; }
static inline Vec oneWhere(Mask m) { return choose(m, splat(1), splat(0)); }
static inline Vec negative(Vec a) { return (Vec)((Ints)a ^ splatInts(INT32_MIN)); }
static inline Vec absolute(Vec a) { return (Vec)((Ints)a & splatInts(INT32_MAX)); }
// The nearest bfloat16, half to even; NaN stays NaN.
static inline Vec roundBf16(Vec a) {
  const Words bits = (Words)a;
  const Words nearest = bits + 0x7fffu + (bits >> 16 & 1u), quiet = bits | 0x400000u;
  return (Vec)((Words)choose(isEqual(a, a), (Vec)nearest, (Vec)quiet) & 0xffff0000u);
}

// The polynomials are those of Cephes (S. Moshier, expf.c, logf.c, tanhf.c).

// 2^n for n in [-126, 127].
static inline Vec powerOfTwo(Ints n) { return (Vec)(((Words)n + 127u) << 23); }

// exp(x) = 2^n exp(r), r = x - n log 2. The factor 2^n goes in twice 2^(n/2), so that results below
// the smallest normal number and overflow to infinity come out right.
static inline Vec exponential(Vec x) {
  x = maximum(splat(-104.0f), minimum(splat(89.0f), x));
  const Vec n = roundEven(x * splat(1.44269504088896341f));
  const Vec r = madd(n, splat(2.12194440e-4f), madd(n, splat(-0.693359375f), x));
  Vec p = splat(1.9875691500e-4f);
  p = madd(p, r, splat(1.3981999507e-3f));
  p = madd(p, r, splat(8.3334519073e-3f));
  p = madd(p, r, splat(4.1665795894e-2f));
  p = madd(p, r, splat(1.6666665459e-1f));
  p = madd(p, r, splat(5.0000001201e-1f));
  p = madd(p, r * r, r) + splat(1);
  const Ints half = toInts(n) >> 1;
  return p * powerOfTwo(half) * powerOfTwo(toInts(n) - half);
}

// log(x) = e log 2 + log(m), m in [sqrt(1/2), sqrt(2)).
static inline Vec logarithm(Vec x) {
  const Mask tiny = isLess(x, splat(1.17549435e-38f));
  const Vec scaled = choose(tiny, x * splat(8388608.0f), x);
  const Ints bits = (Ints)((Words)scaled - 0x3f3504f3u);  // exponent counted from sqrt(1/2)
  const Vec m = (Vec)((bits & 0x007fffff) + 0x3f3504f3) - splat(1);
  const Vec e = toFloats(bits >> 23) - choose(tiny, splat(23), splat(0));
  const Vec z = m * m;
  Vec p = splat(7.0376836292e-2f);
  p = madd(p, m, splat(-1.1514610310e-1f));
  p = madd(p, m, splat(1.1676998740e-1f));
  p = madd(p, m, splat(-1.2420140846e-1f));
  p = madd(p, m, splat(1.4249322787e-1f));
  p = madd(p, m, splat(-1.6668057665e-1f));
  p = madd(p, m, splat(2.0000714765e-1f));
  p = madd(p, m, splat(-2.4999993993e-1f));
  p = madd(p, m, splat(3.3333331174e-1f));
  const Vec low = madd(z, splat(-0.5f), madd(e, splat(-2.12194440e-4f), p * m * z));
  const Vec y = madd(e, splat(0.693359375f), m + low);
  const Vec infinity = splat(__builtin_inff());
  const Vec special =
      choose(isEqual(x, splat(0)), -infinity, choose(isEqual(x, infinity), infinity, splat(__builtin_nanf(""))));
  const Vec inDomain = choose(isLess(x, infinity), y, special);
  return choose(isLess(splat(0), x), inDomain, special);
}

// tanh(x) = sign(x) (1 - 2 / (exp(2|x|) + 1)); a polynomial where that would cancel.
static inline Vec hyperbolicTangent(Vec x) {
  const Vec a = absolute(x), z = a * a;
  Vec p = splat(-5.70498872745e-3f);
  p = madd(p, z, splat(2.06390887954e-2f));
  p = madd(p, z, splat(-5.37397155531e-2f));
  p = madd(p, z, splat(1.33314422036e-1f));
  p = madd(p, z, splat(-3.33332819422e-1f));
  const Vec small = madd(p * z, a, a);
  const Vec large = splat(1) - splat(2) / (exponential(a + a) + splat(1));
  const Vec y = choose(isLess(a, splat(0.625f)), small, large);
  return (Vec)((Ints)y | ((Ints)x & splatInts(INT32_MIN)));
}

}  // namespace FEWBIT_ISA
}  // namespace fewbit
