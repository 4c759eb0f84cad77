// The instruction sets that kernels are built for, fastest first, and which of them this CPU has.
#pragma once
#include <cpuid.h>
#include <string.h>

#include "peak.h"
#include "program.h"

namespace fewbit {

struct InstructionSet {
  const char* name;
  const Kernels& kernels;
  const MultiplyAdds& multiplyAdds;
  const MultiplyAdds* pairs;  // of bfloat16, where it has them
  bool supported;
};

// Not all compilers know the name of AVX-VNNI.
inline bool hasAvxVnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 4);
}

// The builtins also ask whether the operating system saves the registers.
inline bool hasAvx2() {
  __builtin_cpu_init();  // clang's know nothing before, and this runs before main
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
inline const bool hasAvx512 = hasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");

inline const InstructionSet instructionSets[] = {
    {"avx512bf16", avx512bf16Kernels, avx512bf16MultiplyAdds, &avx512bf16Pairs,
     hasAvx512 && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16")},
    {"avx512vnni", avx512vnniKernels, avx512vnniMultiplyAdds, nullptr,
     hasAvx512 && __builtin_cpu_supports("avx512vnni")},
    {"avx512", avx512Kernels, avx512MultiplyAdds, nullptr, hasAvx512},
    {"avx2vnni", avx2vnniKernels, avx2vnniMultiplyAdds, nullptr, hasAvx2() && hasAvxVnni()},
    {"avx2", avx2Kernels, avx2MultiplyAdds, nullptr, hasAvx2()},
};

// The set of this name, or the last.
inline const InstructionSet& instructionSet(const char* name) {
  const InstructionSet* set = instructionSets;
  while (set + 1 < instructionSets + sizeof instructionSets / sizeof *instructionSets && strcmp(set->name, name)) set++;
  return *set;
}

}  // namespace fewbit
