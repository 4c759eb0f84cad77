// Checks the product kernels against plain loops in double, and both instruction sets against each
// other to the bit; with `bench` as argument, measures them. A program of its own:
//
//   F="-std=c++17 -O3 -ffp-contract=off -fno-exceptions -fno-rtti"; cd kernels
//   g++ $F -DFEWBIT_ISA=avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -c isa.cpp -o 512.o
//   g++ $F -DFEWBIT_ISA=avx2 -mavx2 -mfma -c isa.cpp -o 2.o
//   g++ -std=c++17 -O2 product_test.cpp 512.o 2.o -o product_test
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "peak.h"
#include "program.h"

using namespace fewbit;
using Clock = std::chrono::steady_clock;
using Floats = std::vector<float>;

static const char* const opNames[] = {"forward", "input gradient", "filter gradient"};
static const bool hasAvx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                              __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");

static Geometry geometry(int64_t images, int64_t height, int64_t width, int64_t channels, int64_t outChannels,
                         int64_t kernelHeight, int64_t kernelWidth, int64_t strideHeight, int64_t strideWidth,
                         int64_t paddingHeight, int64_t paddingWidth) {
  return {images,       height,      width,         channels,     kernelHeight,
          kernelWidth,  strideHeight, strideWidth,  paddingHeight, paddingWidth,
          (height + 2 * paddingHeight - kernelHeight) / strideHeight + 1,
          (width + 2 * paddingWidth - kernelWidth) / strideWidth + 1, outChannels};
}
static Geometry square(int64_t images, int64_t size, int64_t channels, int64_t outChannels, int64_t kernel,
                       int64_t stride, int64_t padding) {
  return geometry(images, size, size, channels, outChannels, kernel, kernel, stride, stride, padding, padding);
}
static Geometry matrix(int64_t m, int64_t k, int64_t n) { return square(m, 1, k, n, 1, 1, 0); }

static int64_t inputs(const Geometry& g) { return g.images * g.height * g.width * g.channels; }
static int64_t weights(const Geometry& g) { return g.kernelHeight * g.kernelWidth * g.channels * g.outChannels; }
static int64_t outputs(const Geometry& g) { return g.images * g.outHeight * g.outWidth * g.outChannels; }
static double operations(const Geometry& g) {
  return 2.0 * outputs(g) * g.kernelHeight * g.kernelWidth * g.channels;
}

// An instruction on memory of its own that ends where its values end, so that sanitizers see overruns.
struct Problem {
  ProductInstruction product{};
  Floats a, b;
  int64_t outSize;

  Problem(int op, const Geometry& g, std::mt19937& random) {
    product.op = op;
    product.geometry = g;
    product.a = {CONSTANTS, F32, 7, 0};
    product.b = {STATE, F32, 7, 0};
    product.out = {OUTPUTS, F32, 7, 0};
    a.resize(op == CONVOLUTION_INPUT_GRADIENT ? outputs(g) : inputs(g));
    b.resize(op == CONVOLUTION_FILTER_GRADIENT ? outputs(g) : weights(g));
    outSize = op == CONVOLUTION ? outputs(g) : op == CONVOLUTION_INPUT_GRADIENT ? inputs(g) : weights(g);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (float& v : a) v = uniform(random);
    for (float& v : b) v = uniform(random);
  }
};

class Runner {
 public:
  Runner(const Problem& problem, const Kernels& kernels, Floats& out) : kernels_(kernels) {
    instruction_.kind = PRODUCT;
    instruction_.product = problem.product;
    plan_ = kernels.plan(instruction_);
    memory_.base[CONSTANTS] = (char*)problem.a.data();
    memory_.base[STATE] = (char*)problem.b.data();
    memory_.base[OUTPUTS] = (char*)out.data();
    shared_ = allocate(plan_.sharedBytes);
    own_ = allocate(plan_.ownBytes);
  }
  ~Runner() {
    free(shared_);
    free(own_);
  }
  // With `backwards`, chunks in reverse order and with fresh memory: their order must not matter.
  void run(bool backwards = false) {
    for (int phase = 0; phase < plan_.phases; phase++)
      for (int64_t i = 0; i < plan_.chunks[phase]; i++) {
        if (backwards) memset(own_, 0xff, plan_.ownBytes);
        const int64_t chunk = backwards ? plan_.chunks[phase] - 1 - i : i;
        kernels_.run(instruction_, memory_, phase, chunk, {shared_, own_});
      }
  }
  const Plan& plan() const { return plan_; }

 private:
  static char* allocate(size_t bytes) {
    void* p = nullptr;
    if (posix_memalign(&p, 64, bytes ? bytes : 1)) abort();
    memset(p, 0xff, bytes);
    return (char*)p;
  }
  const Kernels& kernels_;
  Instruction instruction_;
  Plan plan_;
  Memory memory_{};
  char *shared_, *own_;
};

// Calls `visit` with the indices of input, weight and output of every product.
template <class Visit>
static void eachProduct(const Geometry& g, Visit visit) {
  for (int64_t n = 0; n < g.images; n++)
    for (int64_t i = 0; i < g.outHeight; i++)
      for (int64_t j = 0; j < g.outWidth; j++)
        for (int64_t r = 0; r < g.kernelHeight; r++)
          for (int64_t c = 0; c < g.kernelWidth; c++) {
            const int64_t h = i * g.strideHeight + r - g.paddingHeight, w = j * g.strideWidth + c - g.paddingWidth;
            if (h < 0 || h >= g.height || w < 0 || w >= g.width) continue;
            const int64_t x = ((n * g.height + h) * g.width + w) * g.channels;
            const int64_t y = ((n * g.outHeight + i) * g.outWidth + j) * g.outChannels;
            for (int64_t ci = 0; ci < g.channels; ci++)
              for (int64_t co = 0; co < g.outChannels; co++)
                visit(x + ci, ((r * g.kernelWidth + c) * g.channels + ci) * g.outChannels + co, y + co);
          }
}

static std::vector<double> expected(const Problem& p) {
  std::vector<double> out(p.outSize);
  const int op = p.product.op;
  eachProduct(p.product.geometry, [&](int64_t x, int64_t w, int64_t y) {
    if (op == CONVOLUTION) out[y] += double(p.a[x]) * p.b[w];
    if (op == CONVOLUTION_INPUT_GRADIENT) out[x] += double(p.a[y]) * p.b[w];
    if (op == CONVOLUTION_FILTER_GRADIENT) out[w] += double(p.a[x]) * p.b[y];
  });
  return out;
}
// The chain that the forward product promises, to the bit (a product with zero padding changes nothing).
static Floats chain(const Problem& p) {
  Floats out(p.outSize);
  eachProduct(p.product.geometry,
              [&](int64_t x, int64_t w, int64_t y) { out[y] = std::fma(p.a[x], p.b[w], out[y]); });
  return out;
}

static int failures = 0, checks = 0;
static void check(bool right, const char* what, int op, const Geometry& g) {
  checks++;
  if (right) return;
  failures++;
  printf("FAILED %s: %s, %ld images %ldx%ldx%ld -> %ld, kernel %ldx%ld stride %ldx%ld padding %ldx%ld\n", opNames[op],
         what, (long)g.images, (long)g.height, (long)g.width, (long)g.channels, (long)g.outChannels,
         (long)g.kernelHeight, (long)g.kernelWidth, (long)g.strideHeight, (long)g.strideWidth, (long)g.paddingHeight,
         (long)g.paddingWidth);
}

static bool same(const Floats& a, const Floats& b) { return !memcmp(a.data(), b.data(), a.size() * sizeof(float)); }

static void test(int op, const Geometry& g, std::mt19937& random) {
  const Problem problem(op, g, random);
  Floats out(problem.outSize, NAN), again(problem.outSize, NAN), wide(problem.outSize, NAN);
  Runner(problem, avx2Kernels, out).run();
  Runner(problem, avx2Kernels, again).run(true);
  check(same(out, again), "chunks depend on their order", op, g);
  const std::vector<double> right = expected(problem);
  double error = 0, size = 1e-30;
  for (int64_t i = 0; i < problem.outSize; i++) {
    error = std::isnan(out[i]) ? INFINITY : std::max(error, std::fabs(out[i] - right[i]));
    size = std::max(size, std::fabs(right[i]));
  }
  check(error <= 1e-5 * size, "differs from plain loops", op, g);
  if (op == CONVOLUTION) check(same(out, chain(problem)), "is not one chain", op, g);
  if (!hasAvx512) return;
  Runner runner(problem, avx512Kernels, wide);
  runner.run(true);
  check(same(out, wide), "AVX-512 differs from AVX2", op, g);
}

static void testAll() {
  std::mt19937 random(1);
  const auto pick = [&](std::vector<int64_t> from) { return from[random() % from.size()]; };
  for (int op = 0; op < 3; op++) {
    for (int i = 0; i < 400; i++) {
      const int64_t kh = pick({1, 1, 2, 3, 3, 5, 7}), kw = random() % 4 ? kh : pick({1, 2, 3, 5});
      const int64_t ph = pick({0, 0, 1, kh / 2, kh - 1, kh + 1}), pw = random() % 4 ? ph : pick({0, 1, 2});
      const int64_t sh = pick({1, 1, 1, 2, 3}), sw = random() % 4 ? sh : pick({1, 2});
      const int64_t h = std::max<int64_t>(1, kh - 2 * ph) + random() % 14;
      const int64_t w = std::max<int64_t>(1, kw - 2 * pw) + random() % 30;
      const std::vector<int64_t> channels = {1, 2, 3, 7, 8, 10, 16, 17, 20, 32, 33, 50, 64, 80};
      test(op, geometry(1 + random() % 5, h, w, pick(channels), pick(channels), kh, kw, sh, sw, ph, pw), random);
    }
    for (int i = 0; i < 60; i++) test(op, matrix(1 + random() % 300, 1 + random() % 1100, 1 + random() % 130), random);
    for (const Geometry& g :
         {square(70, 12, 20, 50, 5, 1, 0), square(40, 28, 1, 20, 5, 1, 0), square(3, 256, 3, 10, 3, 1, 1),
          square(1, 7, 384, 1000, 3, 1, 1), square(1, 227, 3, 32, 11, 4, 0), square(70, 2, 64, 64, 3, 1, 1),
          square(2, 33, 130, 70, 3, 2, 1), square(20, 16, 16, 32, 1, 2, 0), square(1, 20, 1000, 8, 3, 1, 1),
          matrix(1000, 300, 270), matrix(1, 2000, 1000)})
      test(op, g, random);
  }
  printf("%d passed, %d failed\n", checks - failures, failures);
}

template <class Run>
static double seconds(Run run) {
  const Clock::time_point start = Clock::now();
  run();
  return std::chrono::duration<double>(Clock::now() - start).count();
}
static double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + v.size() / 2, v.end());
  return v[v.size() / 2];
}

// Shares of the peak that is measured between the repetitions, as others may use the machine.
static void bench(const char* name, const Geometry& g, const Kernels& kernels, const MultiplyAdds& peak,
                  std::vector<int> ops) {
  std::mt19937 random(1);
  printf("%-24s", name);
  for (int op = 0; op < 3; op++) {
    if (std::find(ops.begin(), ops.end(), op) == ops.end()) {
      printf("%28s", "");
      continue;
    }
    const Problem problem(op, g, random);
    Floats out(problem.outSize);
    Runner runner(problem, kernels, out);
    std::vector<double> times, peaks;
    runner.run();
    const int64_t rounds = 20000;
    for (double total = 0; total < 0.15 || times.size() < 5;) {
      peaks.push_back(double(rounds) * peak.operationsPerRound / seconds([&] { peak.run(rounds); }));
      times.push_back(seconds([&] { runner.run(); }));
      total += times.back();
    }
    const double rate = operations(g) / median(times);
    printf("  %8.3f ms %6.1f G %4.0f%%", median(times) * 1e3, rate / 1e9, 100 * rate / median(peaks));
  }
  printf("\n");
}

static void benchAll(const Kernels& kernels, const MultiplyAdds& peak, const std::string& only) {
  const std::vector<int> all = {0, 1, 2};
  const auto run = [&](const char* name, const Geometry& g, const std::vector<int>& ops) {
    if (std::string(name).find(only) != std::string::npos) bench(name, g, kernels, peak, ops);
  };
  run("LeNet conv1", square(128, 28, 1, 20, 5, 1, 0), {0, 2});
  run("LeNet conv2", square(128, 12, 20, 50, 5, 1, 0), all);
  run("LeNet 800-500", matrix(128, 800, 500), all);
  run("LeNet 500-250", matrix(128, 500, 250), all);
  run("LeNet 250-10", matrix(128, 250, 10), all);
  run("ResNet 3-16", square(128, 32, 3, 16, 3, 1, 1), {0, 2});
  run("ResNet 16-16", square(128, 32, 16, 16, 3, 1, 1), all);
  run("ResNet 16-32 /2", square(128, 32, 16, 32, 3, 2, 1), all);
  run("ResNet 32-32", square(128, 16, 32, 32, 3, 1, 1), all);
  run("ResNet 32-64 /2", square(128, 16, 32, 64, 3, 2, 1), all);
  run("ResNet 64-64", square(128, 8, 64, 64, 3, 1, 1), all);
  run("ResNet 16-32 1x1 /2", square(128, 32, 16, 32, 1, 2, 0), all);
  run("Other 64-64 56x56", square(1, 56, 64, 64, 3, 1, 1), all);
  run("Other 512-512 4x4", square(32, 4, 512, 512, 3, 1, 1), all);
  run("Other 256-256 13x13", square(8, 13, 256, 256, 3, 1, 1), all);
  run("Other 1024^3", matrix(1024, 1024, 1024), all);
}

int main(int count, char** arguments) {
  if (count < 2) {
    testAll();
    return failures > 0;
  }
  const std::string only = count > 2 ? arguments[2] : "";
  printf("%-24s  %-28s%-28s%s\n", "one thread, median", opNames[0], opNames[1], opNames[2]);
  if (hasAvx512) {
    printf("AVX-512\n");
    benchAll(avx512Kernels, avx512MultiplyAdds, only);
  }
  printf("AVX2\n");
  benchAll(avx2Kernels, avx2MultiplyAdds, only);
}
