// A loop of independent fused multiply-adds that stays in registers: what this CPU can do at most.
#pragma once
#include "program.h"

namespace fewbit {

struct MultiplyAdds {
  float (*run)(int64_t rounds);
  int32_t operationsPerRound;
};
extern const MultiplyAdds avx2MultiplyAdds;
extern const MultiplyAdds avx2vnniMultiplyAdds;
extern const MultiplyAdds avx512MultiplyAdds;
extern const MultiplyAdds avx512vnniMultiplyAdds;
extern const MultiplyAdds avx512bf16MultiplyAdds;
extern const MultiplyAdds avx512bf16Pairs;

#if defined(FEWBIT_ISA) && !defined(__wasm__)
namespace FEWBIT_ISA {

static float multiplyAdd(int64_t rounds) {
  Vec sums[12];
#pragma GCC unroll 12
  for (int i = 0; i < 12; i++) sums[i] = splat((float)i);
  Vec x = splat(0.999f), y = splat(0.001f);
  for (int64_t round = 0; round < rounds; round++) {
    __asm__ volatile("" : "+v"(x), "+v"(y));  // keeps the compiler from computing ahead
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++) sums[i] = madd(sums[i], x, y);
  }
  Vec total = sums[0];
#pragma GCC unroll 12
  for (int i = 1; i < 12; i++) total = total + sums[i];
  return total[0];
}

#if defined(__AVX512BF16__)
static float multiplyAddPairs(int64_t rounds) {
  Vec sums[12];
#pragma GCC unroll 12
  for (int i = 0; i < 12; i++) sums[i] = splat((float)i);
  __m512i x = _mm512_set1_epi32(0x3f7f3f7f), y = _mm512_set1_epi32(0x3a833a83);
  for (int64_t round = 0; round < rounds; round++) {
    __asm__ volatile("" : "+v"(x), "+v"(y));
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++) sums[i] = _mm512_dpbf16_ps(sums[i], (__m512bh)x, (__m512bh)y);
  }
  Vec total = sums[0];
#pragma GCC unroll 12
  for (int i = 1; i < 12; i++) total = total + sums[i];
  return total[0];
}
#endif

}  // namespace FEWBIT_ISA
#endif

}  // namespace fewbit
