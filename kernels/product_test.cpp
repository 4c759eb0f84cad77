// Checks the product kernels against plain loops in double, which are exact for codes, and all
// instruction sets of this CPU against each other to the bit. A program of its own:
// scripts/test-kernels.mjs builds and runs it.
#include <algorithm>
#include <cmath>
#include <string>

#include "product_test.h"

using namespace fewbit;

static Counts counts;
static void check(bool right, const char* what, const char* set, const Problem& p) {
  if (!counts.fails(right)) return;
  const Geometry& g = p.geometry();
  printf("FAILED %s %s, %s x %s -> %s: %s, %ld images %ldx%ldx%ld -> %ld, kernel %ldx%ld stride %ldx%ld padding %ldx%ld\n",
         set, opNames[p.op()], storageNames[p.a.storage], storageNames[p.b.storage], storageNames[p.out.storage], what,
         (long)g.images, (long)g.height, (long)g.width, (long)g.channels, (long)g.outChannels, (long)g.kernelHeight,
         (long)g.kernelWidth, (long)g.strideHeight, (long)g.strideWidth, (long)g.paddingHeight, (long)g.paddingWidth);
}
static bool same(const Values& a, const Values& b) { return a.bytes == b.bytes; }

// Runs a problem on AVX2, then on every instruction set of this CPU with chunks in reverse order: all
// must give the same bits.
static void runEverywhere(Problem& problem) {
  Runner(problem.instruction, problem.memory(), instructionSet("avx2").kernels).run();
  const Values out = problem.out;
  for (const InstructionSet& set : instructionSets) {
    if (!set.supported) continue;
    std::fill(problem.out.bytes.begin(), problem.out.bytes.end(), char(0xff));
    Runner(problem.instruction, problem.memory(), set.kernels).run(true);
    check(same(out, problem.out), "gives other bits than AVX2 does", set.name, problem);
  }
  problem.out = out;
}

static std::vector<double> expected(const Problem& p) {
  const std::vector<double> a = p.a.numbers(), b = p.b.numbers();
  std::vector<double> out(p.out.count);
  const Geometry& g = p.geometry();
  if (p.op() == CONVOLUTION) eachProduct(g, [&](int64_t x, int64_t w, int64_t y) { out[y] += a[x] * b[w]; });
  if (p.op() == CONVOLUTION_INPUT_GRADIENT) eachProduct(g, [&](int64_t x, int64_t w, int64_t y) { out[x] += a[y] * b[w]; });
  if (p.op() == CONVOLUTION_FILTER_GRADIENT) eachProduct(g, [&](int64_t x, int64_t w, int64_t y) { out[w] += a[x] * b[y]; });
  return out;
}
// The chain that the f32 forward product promises, to the bit (a product with zero padding changes nothing).
static Values chain(Problem& p) {
  Values out(F32, p.out.count);
  std::fill(out.bytes.begin(), out.bytes.end(), char(0));
  const float *a = p.a.as<float>(), *b = p.b.as<float>();
  float* to = out.as<float>();
  eachProduct(p.geometry(), [&](int64_t x, int64_t w, int64_t y) { to[y] = std::fma(a[x], b[w], to[y]); });
  return out;
}

static void testFloats(int op, const Geometry& g, Random& random) {
  Problem problem(op, g);
  problem.a.fillUniform(random);
  problem.b.fillUniform(random);
  runEverywhere(problem);
  const std::vector<double> right = expected(problem), out = problem.out.numbers();
  double error = 0, size = 1e-30;
  for (size_t i = 0; i < out.size(); i++) {
    error = std::isnan(out[i]) ? INFINITY : std::max(error, std::fabs(out[i] - right[i]));
    size = std::max(size, std::fabs(right[i]));
  }
  check(error <= 1e-5 * size, "differs from plain loops", "avx2", problem);
  if (op == CONVOLUTION) check(same(problem.out, chain(problem)), "is not one chain", "avx2", problem);
}

struct Lattice {
  int low, high;
};

// Exact sums of codes; 16 bits where their bound allows, and 32 in any case.
static void testCodes(const Geometry& g, Storage storage, Lattice a, Lattice b, Random& random) {
  const int64_t taps = g.kernelHeight * g.kernelWidth * g.channels;
  const int64_t bound = taps * std::max(std::abs(a.low), a.high) * std::max(std::abs(b.low), b.high);
  for (const Storage out : {I32, I16}) {
    if (out == I16 && bound > INT16_MAX) continue;
    Problem problem(CONVOLUTION, g, storage, S8, out);
    problem.a.fillLattice(random, a.low, a.high);
    problem.b.fillLattice(random, b.low, b.high);
    runEverywhere(problem);
    check(problem.out.numbers() == expected(problem), "differs from plain loops", "avx2", problem);
  }
}

// Codes give the same bits as the same numbers in f32.
static void testCodedFilterGradient(const Geometry& g, Storage storage, Lattice a, Random& random) {
  Problem codes(CONVOLUTION_FILTER_GRADIENT, g, storage), floats(CONVOLUTION_FILTER_GRADIENT, g);
  codes.a.fillLattice(random, a.low, a.high);
  for (int64_t i = 0; i < codes.a.count; i++) floats.a.set(i, codes.a.get(i));
  floats.b.fillUniform(random);
  codes.b = floats.b;
  runEverywhere(codes);
  runEverywhere(floats);
  check(same(codes.out, floats.out), "differs from that of floats", "avx2", codes);
}

// A gradient in bfloat16 and codes: only the sums round. Chunks in another order give the same bits.
static void testBf16(int op, const Geometry& g, Storage storage, Lattice codes, Random& random) {
  const InstructionSet& set = instructionSets[0];
  if (!set.supported || std::string(set.name) != "avx512bf16") return;
  const bool input = op == CONVOLUTION_INPUT_GRADIENT;
  Problem problem(op, g, input ? BF16 : storage, input ? storage : BF16);
  Values &gradient = input ? problem.a : problem.b, &other = input ? problem.b : problem.a;
  gradient.fillUniform(random);
  other.fillLattice(random, codes.low, codes.high);
  Runner(problem.instruction, problem.memory(), set.kernels).run();
  const Values out = problem.out;
  std::fill(problem.out.bytes.begin(), problem.out.bytes.end(), char(0xff));
  Runner(problem.instruction, problem.memory(), set.kernels).run(true);
  check(same(out, problem.out), "depends on the order of chunks", set.name, problem);
  const std::vector<double> right = expected(problem), got = out.numbers();
  double error = 0, size = 1e-30;
  for (size_t i = 0; i < got.size(); i++) {
    error = std::isnan(got[i]) ? INFINITY : std::max(error, std::fabs(got[i] - right[i]));
    size = std::max(size, std::fabs(right[i]));
  }
  check(error <= 1e-5 * size, "differs from plain loops", set.name, problem);
}
static void testBf16Of(const Geometry& g, Random& random) {
  testBf16(CONVOLUTION_INPUT_GRADIENT, g, F32, random() % 2 ? Lattice{-1, 1} : Lattice{-255, 255}, random);
  testBf16(CONVOLUTION_FILTER_GRADIENT, g, U8, random() % 2 ? Lattice{0, 3} : Lattice{0, 255}, random);
  testBf16(CONVOLUTION_FILTER_GRADIENT, g, S8, {-128, 127}, random);
  testBf16(CONVOLUTION_FILTER_GRADIENT, g, F32, {-255, 255}, random);
}

static void testCodesOf(const Geometry& g, Random& random) {
  const Lattice unsignedCodes[] = {{0, 1}, {0, 3}, {0, 15}, {0, 255}, {255, 255}};
  const Lattice signedCodes[] = {{-1, 1}, {-2, 1}, {-8, 7}, {-128, 127}, {-128, -128}, {127, 127}};
  const Lattice positive = unsignedCodes[random() % 5], either = signedCodes[random() % 6];
  testCodes(g, U8, positive, signedCodes[random() % 6], random);
  testCodes(g, S8, either, signedCodes[random() % 6], random);
  testCodedFilterGradient(g, U8, positive, random);
  testCodedFilterGradient(g, S8, either, random);
}

int main() {
  Random random(1);
  const auto pick = [&](std::vector<int64_t> from) { return from[random() % from.size()]; };
  const std::vector<Geometry> particular = {square({70, 12, 20, 50}, 5, 1, 0),
                                            square({40, 28, 1, 20}, 5, 1, 0),
                                            square({3, 256, 3, 10}, 3, 1, 1),
                                            square({1, 7, 384, 1000}, 3, 1, 1),
                                            square({1, 227, 3, 32}, 11, 4, 0),
                                            square({70, 2, 64, 64}, 3, 1, 1),
                                            square({2, 33, 130, 70}, 3, 2, 1),
                                            square({20, 16, 16, 32}, 1, 2, 0),
                                            square({1, 20, 1000, 8}, 3, 1, 1),
                                            matrix(1000, 300, 270),
                                            matrix(1, 2000, 1000)};
  for (int op = 0; op < 5; op++) {  // the fourth: codes; the fifth: gradients in bfloat16
    const auto test = [&](const Geometry& g) {
      op < 3 ? testFloats(op, g, random) : op == 3 ? testCodesOf(g, random) : testBf16Of(g, random);
    };
    for (int i = 0; i < 400; i++) {
      const int64_t kh = pick({1, 1, 2, 3, 3, 5, 7, 11}), kw = random() % 4 ? kh : pick({1, 2, 3, 5, 11});
      const int64_t ph = pick({0, 0, 1, kh / 2, kh - 1, kh + 1}), pw = random() % 4 ? ph : pick({0, 1, 2, 5});
      const int64_t sh = pick({1, 1, 1, 2, 3, 4}), sw = random() % 4 ? sh : pick({1, 2});
      const int64_t h = std::max<int64_t>(1, kh - 2 * ph) + random() % 14;
      const int64_t w = std::max<int64_t>(1, kw - 2 * pw) + random() % 30;
      const std::vector<int64_t> channels = {1, 2, 3, 7, 8, 10, 16, 17, 20, 32, 33, 50, 64, 80, 130};
      const int64_t inChannels = pick(channels), outChannels = pick(channels);
      test(geometry({1 + int64_t(random() % 5), h, w, inChannels, outChannels}, {{kh, kw}, {sh, sw}, {ph, pw}}));
    }
    for (int i = 0; i < 60; i++) test(matrix(1 + random() % 300, 1 + random() % 1100, 1 + random() % 130));
    for (const Geometry& g : particular) test(g);
  }
  // All codes at their extremes at once: as large as sums get.
  for (const Geometry& g : {square({2, 9, 130, 40}, 5, 1, 2), square({1, 11, 3, 64}, 11, 1, 5), matrix(17, 4097, 70)})
    for (const int weight : {-128, 127}) {
      testCodes(g, U8, {255, 255}, {weight, weight}, random);
      testCodes(g, S8, {-128, -128}, {weight, weight}, random);
      testCodes(g, S8, {127, 127}, {weight, weight}, random);
    }
  return counts.report("product_test");
}
