// Products of bfloat16 pairs: the two gradients of a layer on codes, whose gradient is kept in 16 bits.
//
// A lane adds the products of two pairs of bfloat16 in one instruction. Codes of at most 8 bits are
// exact in bfloat16, so a product rounds nothing; sums are f32, and numbers below the smallest normal
// one count as zero. A word of 32 bits holds a pair.
#pragma once
#include "simd_integer.h"

#if defined(__AVX512BF16__)

namespace fewbit {
namespace FEWBIT_ISA {

typedef uint16_t Bf16;
static inline Ints splatPair(const Bf16* p) { return splatWord((const Code*)p); }
static inline Vec dotPairs(Vec sum, Ints a, Ints b) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }
// Pairs of numbers that are exact in bfloat16.
static inline Ints pairUp(Vec first, Vec second) { return (Ints)(((Words)first >> 16) | ((Words)second & 0xffff0000u)); }
static inline Ints pairUp(const Bf16* first, const Bf16* second, int64_t n) {
  return (Ints)(((Words)loadInts((const int16_t*)first, n) & 0xffffu) | (Words)loadInts((const int16_t*)second, n) << 16);
}
static inline Ints pairWithZero(const Bf16* first, int64_t n) {
  return (Ints)((Words)loadInts((const int16_t*)first, n) & 0xffffu);
}
static void zeroBf16(Bf16* to, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] = 0;
}

// Accumulators that hide the latency of `dotPairs` and leave registers for its operands.
template <int V>
struct PairRows {
  enum { MOST = V == 1 ? 16 : 24 / V };
};

}  // namespace FEWBIT_ISA
}  // namespace fewbit

#endif
