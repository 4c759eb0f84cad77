// Checks images in another size on every instruction set of this CPU against sums place by place, in allocations that end
// where images end, so that sanitizers see what lies beyond.
#include <memory>

#include "test.h"

using namespace fewbit;

struct Side {
  int32_t count, taps;
  std::vector<int32_t> firsts, weights;
  ResampledSide view() const { return {count, taps, firsts.data(), weights.data()}; }
};

// Places from anywhere, and weights that sum to 2^22.
static Side randomSide(Random& random, int32_t extent) {
  const auto below = [&](int32_t n) { return static_cast<int32_t>(random() % n); };
  Side side{1 + below(40), 1 + below(extent < 9 ? extent : 9), {}, {}};
  for (int32_t i = 0; i < side.count; i++) {
    side.firsts.push_back(below(4) == 0 ? extent - side.taps : below(extent - side.taps + 1));
    int32_t left = 1 << 22;
    for (int32_t k = 0; k < side.taps; k++) {
      const int32_t weight = k + 1 < side.taps ? below(left + 1) : left;
      side.weights.push_back(weight);
      left -= weight;
    }
  }
  return side;
}

static uint8_t rounded(int64_t sum) { return static_cast<uint8_t>((sum + (1 << 21)) >> 22); }

static std::vector<uint8_t> expectedOf(const std::vector<uint8_t>& pixels, int32_t rows, int32_t width, const Side& down,
                                       const Side& across) {
  std::vector<uint8_t> wide(int64_t{rows} * across.count * 3), out(int64_t{down.count} * across.count * 3);
  for (int32_t y = 0; y < rows; y++)
    for (int32_t i = 0; i < across.count; i++)
      for (int32_t c = 0; c < 3; c++) {
        int64_t sum = 0;
        for (int32_t k = 0; k < across.taps; k++)
          sum += int64_t{across.weights[i * across.taps + k]} * pixels[(y * width + across.firsts[i] + k) * 3 + c];
        wide[(y * across.count + i) * 3 + c] = rounded(sum);
      }
  const int32_t row = across.count * 3;
  for (int32_t i = 0; i < down.count; i++)
    for (int32_t x = 0; x < row; x++) {
      int64_t sum = 0;
      for (int32_t k = 0; k < down.taps; k++)
        sum += int64_t{down.weights[i * down.taps + k]} * wide[(down.firsts[i] + k) * row + x];
      out[i * row + x] = rounded(sum);
    }
  return out;
}

int main() {
  Counts counts;
  Random random(1);
  for (int repetition = 0; repetition < 300; repetition++) {
    const int32_t rows = 1 + random() % 30, width = 1 + random() % 30;
    const Side down = randomSide(random, rows), across = randomSide(random, width);
    std::vector<uint8_t> pixels(int64_t{rows} * width * 3);
    // White shows what would be more than a byte.
    for (uint8_t& pixel : pixels) pixel = repetition % 3 == 0 ? 255 : random();
    const std::vector<uint8_t> expected = expectedOf(pixels, rows, width, down, across);
    for (const InstructionSet& set : instructionSets) {
      if (!set.supported) continue;
      std::vector<uint8_t> out(expected.size());
      const Resampling resampling = {pixels.data(), rows, width, down.view(), across.view(), out.data()};
      const std::unique_ptr<uint8_t[]> work(new uint8_t[resamplingWorkBytes(resampling)]);
      set.resample(resampling, work.get());
      if (counts.fails(out == expected))
        printf("FAILED %s: %dx%d to %dx%d of %d and %d places\n", set.name, rows, width, down.count, across.count, down.taps,
               across.taps);
    }
  }
  return counts.report("resample_test");
}
