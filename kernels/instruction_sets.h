// The instruction sets that kernels are built for, fastest first, and which of them this CPU has.
//
// Not every compiler knows every set: scripts/build-kernels.mjs leaves out those that it does not, with
// FEWBIT_NO_<set> defined.
#pragma once
#include <string.h>
#ifdef __APPLE__
#include <sys/sysctl.h>
#else
#include <cpuid.h>
#endif

#include "peak.h"
#include "program.h"
#include "resample.h"

namespace fewbit {

struct InstructionSet {
  const char* name;
  const Kernels& kernels;
  const MultiplyAdds& multiplyAdds;
  const MultiplyAdds* pairs;  // of bfloat16, where it has them
  Resample resample;
  bool supported;
};

#ifdef __APPLE__
// By the system's word: it saves the registers of AVX-512 only once a program has used them, so that the CPU's own flags
// deny it before.
inline bool hasFeature(const char* name) {
  int value = 0;
  size_t bytes = sizeof value;
  return sysctlbyname(name, &value, &bytes, nullptr, 0) == 0 && value != 0;
}
inline bool hasAvx2() { return hasFeature("hw.optional.avx2_0") && hasFeature("hw.optional.fma"); }
inline bool hasAvx512() {
  return hasAvx2() && hasFeature("hw.optional.avx512f") && hasFeature("hw.optional.avx512bw") &&
         hasFeature("hw.optional.avx512dq") && hasFeature("hw.optional.avx512vl");
}
inline bool hasAvx512Vnni() { return hasAvx512() && hasFeature("hw.optional.avx512vnni"); }
// No Mac has these.
inline bool hasAvx512Bf16() { return false; }
inline bool hasAvxVnni() { return false; }
#else
// The builtins also ask whether the operating system saves the registers. Those that are newer than AVX-512 are asked
// for by number, since not all compilers know their names.
inline bool hasAvx2() {
  __builtin_cpu_init();  // clang's know nothing before, and this runs before main
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
inline bool hasAvx512() {
  return hasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
struct CpuId {
  unsigned a = 0, b = 0, c = 0, d = 0;
  explicit CpuId(unsigned part) { __get_cpuid_count(7, part, &a, &b, &c, &d); }
};
inline bool hasAvx512Vnni() { return hasAvx512() && (CpuId(0).c & 1u << 11); }
inline bool hasAvx512Bf16() { return hasAvx512Vnni() && (CpuId(1).a & 1u << 5); }
inline bool hasAvxVnni() { return hasAvx2() && (CpuId(1).a & 1u << 4); }
#endif

inline const InstructionSet instructionSets[] = {
#ifndef FEWBIT_NO_avx512bf16
    {"avx512bf16", avx512bf16Kernels, avx512bf16MultiplyAdds, &avx512bf16Pairs, avx512bf16Resample, hasAvx512Bf16()},
#endif
#ifndef FEWBIT_NO_avx512vnni
    {"avx512vnni", avx512vnniKernels, avx512vnniMultiplyAdds, nullptr, avx512vnniResample, hasAvx512Vnni()},
#endif
#ifndef FEWBIT_NO_avx512
    {"avx512", avx512Kernels, avx512MultiplyAdds, nullptr, avx512Resample, hasAvx512()},
#endif
#ifndef FEWBIT_NO_avx2vnni
    {"avx2vnni", avx2vnniKernels, avx2vnniMultiplyAdds, nullptr, avx2vnniResample, hasAvxVnni()},
#endif
    {"avx2", avx2Kernels, avx2MultiplyAdds, nullptr, avx2Resample, hasAvx2()},
};

// The set of this name, or the last.
inline const InstructionSet& instructionSet(const char* name) {
  const InstructionSet* set = instructionSets;
  while (set + 1 < instructionSets + sizeof instructionSets / sizeof *instructionSets && strcmp(set->name, name)) set++;
  return *set;
}

}  // namespace fewbit
