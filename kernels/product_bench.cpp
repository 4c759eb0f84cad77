// Measures the product kernels on one thread, f32 and codes side by side:
//   node scripts/test-kernels.mjs --bench [INSTRUCTION-SET [PART-OF-A-NAME]]
#include <time.h>

#include <algorithm>
#include <string>

#include "product_test.h"

using namespace fewbit;

// Of this thread alone, as others may use the machine.
static double processorSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return double(now.tv_sec) + double(now.tv_nsec) * 1e-9;
}
template <class Run>
static double seconds(Run run) {
  const double start = processorSeconds();
  run();
  return processorSeconds() - start;
}
static double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + v.size() / 2, v.end());
  return v[v.size() / 2];
}

struct Column {
  const char* name;
  int op;
  Storage a, b, out;
};
static const Column columns[] = {
    {"forward", CONVOLUTION, F32, F32, F32},
    {"u8 x s8 -> i16", CONVOLUTION, U8, S8, I16},
    {"s8 x s8 -> i32", CONVOLUTION, S8, S8, I32},
    {"input gradient", CONVOLUTION_INPUT_GRADIENT, F32, F32, F32},
    {"filter gradient", CONVOLUTION_FILTER_GRADIENT, F32, F32, F32},
    {"filter gradient, u8", CONVOLUTION_FILTER_GRADIENT, U8, F32, F32},
    {"input gradient, bf16", CONVOLUTION_INPUT_GRADIENT, BF16, F32, F32},
    {"filter, u8 x bf16", CONVOLUTION_FILTER_GRADIENT, U8, BF16, F32},
};
enum { COLUMNS = sizeof columns / sizeof *columns };
static bool runs(const Column& c, const InstructionSet& set) { return set.pairs || (c.a != BF16 && c.b != BF16); }

// All columns in turn, again and again, and the peaks of f32 and of bfloat16 pairs (0: none) beside them.
static void bench(const char* name, const Geometry& g, bool input, const InstructionSet& set) {
  Random random(1);
  std::vector<Problem> problems;
  for (const Column& c : columns) {
    problems.emplace_back(c.op, g, c.a, c.b, c.out);
    for (Values* v : {&problems.back().a, &problems.back().b})
      v->storage == F32 || v->storage == BF16 ? v->fillUniform(random) : v->fillLattice(random, 0, 1);
  }
  std::vector<double> times[COLUMNS], peaks, pairPeaks;
  std::vector<Runner*> runners;
  for (Problem& p : problems) runners.push_back(new Runner(p.instruction, p.memory(), set.kernels));
  const int64_t rounds = 20000;
  for (double total = 0; total < 0.5 || peaks.size() < 5;) {
    peaks.push_back(double(rounds) * set.multiplyAdds.operationsPerRound / seconds([&] { set.multiplyAdds.run(rounds); }));
    if (set.pairs)
      pairPeaks.push_back(double(rounds) * set.pairs->operationsPerRound / seconds([&] { set.pairs->run(rounds); }));
    for (int i = 0; i < COLUMNS; i++) {
      if (!runs(columns[i], set)) continue;
      times[i].push_back(seconds([&] { runners[i]->run(); }));
      total += times[i].back();
    }
  }
  for (Runner* runner : runners) delete runner;
  printf("%-22s%5.0f%5.0f G", name, median(peaks) / 1e9, set.pairs ? median(pairPeaks) / 1e9 : 0);
  for (int i = 0; i < COLUMNS; i++) {
    if ((!input && columns[i].op == CONVOLUTION_INPUT_GRADIENT) || !runs(columns[i], set)) {
      printf("%22s", "");
      continue;
    }
    printf("  %8.3f ms %6.1f G", median(times[i]) * 1e3, operations(g) / median(times[i]) / 1e9);
  }
  printf("\n");
  fflush(stdout);
}

int main(int count, char** arguments) {
  const std::string wanted = count > 1 ? arguments[1] : "", only = count > 2 ? arguments[2] : "";
  for (const InstructionSet& set : instructionSets) {
    if (!set.supported || (!wanted.empty() && wanted != set.name)) continue;
    printf("%-22s%12s", set.name, "peak, bf16");
    for (const Column& c : columns) printf("  %20s", c.name);
    printf("\n");
    const auto run = [&](const char* name, const Geometry& g, bool input = true) {
      if (std::string(name).find(only) != std::string::npos) bench(name, g, input, set);
    };
    run("LeNet conv1", square({128, 28, 1, 20}, 5, 1, 0), false);
    run("LeNet conv2", square({128, 12, 20, 50}, 5, 1, 0));
    run("LeNet 800-500", matrix(128, 800, 500));
    run("LeNet 500-250", matrix(128, 500, 250));
    run("LeNet 250-10", matrix(128, 250, 10));
    run("ResNet 3-16", square({128, 32, 3, 16}, 3, 1, 1), false);
    run("ResNet 16-16", square({128, 32, 16, 16}, 3, 1, 1));
    run("ResNet 16-32 /2", square({128, 32, 16, 32}, 3, 2, 1));
    run("ResNet 32-32", square({128, 16, 32, 32}, 3, 1, 1));
    run("ResNet 32-64 /2", square({128, 16, 32, 64}, 3, 2, 1));
    run("ResNet 64-64", square({128, 8, 64, 64}, 3, 1, 1));
    run("ResNet 16-32 1x1 /2", square({128, 32, 16, 32}, 1, 2, 0));
    run("VGG 64-64", square({128, 32, 64, 64}, 3, 1, 1));
    run("VGG 64-128", square({128, 16, 64, 128}, 3, 1, 1));
    run("VGG 128-128", square({128, 16, 128, 128}, 3, 1, 1));
    run("VGG 256-256", square({128, 8, 256, 256}, 3, 1, 1));
    run("VGG 512-512 4x4", square({128, 4, 512, 512}, 3, 1, 1));
    run("VGG 512-512 2x2", square({128, 2, 512, 512}, 3, 1, 1));
    run("VGG 512-4096", matrix(128, 512, 4096));
    run("VGG 4096-4096", matrix(128, 4096, 4096));
    run("AlexNet 3-96 11x11 /4", square({16, 224, 3, 96}, 11, 4, 2), false);
    run("AlexNet 96-256 5x5", square({16, 27, 96, 256}, 5, 1, 2));
    run("AlexNet 256-384", square({16, 13, 256, 384}, 3, 1, 1));
    run("AlexNet 384-384", square({16, 13, 384, 384}, 3, 1, 1));
    run("AlexNet 9216-4096", matrix(128, 9216, 4096));
    run("ImageNet 3-64 7x7 /2", square({8, 224, 3, 64}, 7, 2, 3), false);
    run("ImageNet 64-64", square({8, 56, 64, 64}, 3, 1, 1));
    run("ImageNet 64-128 /2", square({8, 56, 64, 128}, 3, 2, 1));
    run("ImageNet 64-128 1x1 /2", square({8, 56, 64, 128}, 1, 2, 0));
    run("ImageNet 128-128", square({8, 28, 128, 128}, 3, 1, 1));
    run("ImageNet 256-256", square({16, 14, 256, 256}, 3, 1, 1));
    run("ImageNet 512-512", square({32, 7, 512, 512}, 3, 1, 1));
    run("ImageNet 3-64 3x3", square({2, 224, 3, 64}, 3, 1, 1), false);
    run("ImageNet 64-64 224", square({1, 224, 64, 64}, 3, 1, 1));
    run("ImageNet 512-512 28", square({4, 28, 512, 512}, 3, 1, 1));
    run("Other 64-64 56x56", square({1, 56, 64, 64}, 3, 1, 1));
    run("Other 256-256 13x13", square({8, 13, 256, 256}, 3, 1, 1));
    run("Other 1024^3", matrix(1024, 1024, 1024));
  }
}
