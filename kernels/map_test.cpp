// Checks that maps read and store values of every storage, on every instruction set of this CPU. What
// else maps do is tested by whole programs (src/runtime/conformance.test.ts).
#include "test.h"

using namespace fewbit;

using Place = int64_t[3];  // [sample, position, channel]

// Index of an element of the space in a value with some of its axes; the last one's plus 1 is its size.
static int64_t indexIn(int32_t axes, const Place& extents, const Place& place) {
  int64_t index = 0;
  for (int i = 0; i < 3; i++)
    if (axes & 4 >> i) index = index * extents[i] + place[i];
  return index;
}
static int64_t countOf(int32_t axes, const Place& extents) {
  return indexIn(axes, extents, {extents[0] - 1, extents[1] - 1, extents[2] - 1}) + 1;
}

static Counts counts;

// Values with some of the axes.
struct Input {
  Values values;
  int32_t axes;
};

// out = a + b, each in a storage and with axes of its own; and out = a where `copies`.
static void test(const Place& extents, Input first, Input second, Storage to, bool copies) {
  Values &a = first.values, &b = second.values;
  const int32_t aAxes = first.axes, bAxes = second.axes;
  const Operand operands[] = {{CONSTANTS, a.storage, aAxes, 0}, {STATE, b.storage, bAxes, 0}};
  const MapOperation operation = {ADD, 2, 0, 1, 0};
  const MapResult result = {{OUTPUTS, to, 7, 0}, copies ? 0 : 2, NONE};
  Instruction instruction;
  instruction.kind = MAP;
  instruction.map = {extents[0], extents[1], extents[2], 2, 1, 1, 1, operands, &operation, &result};
  for (const InstructionSet& set : instructionSets) {
    if (!set.supported) continue;
    Values out(to, countOf(7, extents));
    Memory memory{};
    memory.base[CONSTANTS] = a.bytes.data();
    memory.base[STATE] = b.bytes.data();
    memory.base[OUTPUTS] = out.bytes.data();
    Runner(instruction, memory, set.kernels).run(true);
    bool right = true;
    int64_t i = 0;
    for (int64_t n = 0; n < extents[0]; n++)
      for (int64_t p = 0; p < extents[1]; p++)
        for (int64_t c = 0; c < extents[2]; c++, i++) {
          const Place place = {n, p, c};
          const double x = a.get(indexIn(aAxes, extents, place)), y = b.get(indexIn(bAxes, extents, place));
          right = right && out.get(i) == (copies ? x : x + y);
        }
    if (counts.fails(right))
      printf("FAILED %s: %s axes %d %s %s axes %d -> %s, %ldx%ldx%ld\n", set.name, storageNames[a.storage], aAxes,
             copies ? "beside" : "+", storageNames[b.storage], bAxes, storageNames[to], (long)extents[0], (long)extents[1],
             (long)extents[2]);
  }
}

int main() {
  Random random(1);
  const Storage storages[] = {F32, I32, I16, U8, S8, BF16};
  const auto sums = [&](const Place& extents) {
    for (const Storage from : storages)
      for (const Storage to : {F32, I16, U8, S8, BF16}) {
        const int32_t aAxes = random() % 2 ? 7 : random() % 8, bAxes = random() % 8;
        Values a(from, countOf(aAxes, extents)), b(storages[random() % 6], countOf(bAxes, extents));
        a.fillLattice(random, from == U8 || to == U8 ? 0 : -64, 63);
        b.fillLattice(random, b.storage == U8 || to == U8 ? 0 : -64, 63);
        test(extents, {a, aAxes}, {b, bAxes}, to, false);
      }
  };
  for (int64_t channels = 1; channels <= 50; channels++) {
    sums({3, 41, channels});
    sums({1, 1 + int64_t(random() % 1500), channels});
  }
  sums({2, 3, 1030});
  sums({2, 1, 2500});
  sums({5, 700, 3});
  // The whole range of each storage, 16 bits included.
  for (const Storage storage : {I16, U8, S8}) {
    const int low = storage == U8 ? 0 : storage == S8 ? -128 : -32768, high = storage == U8 ? 255 : -1 - low;
    const Place extents = {1, high - low + 1, 1};
    Values a(storage, countOf(7, extents)), b(F32, 1);
    for (int64_t i = 0; i < a.count; i++) a.set(i, low + i);
    b.fillLattice(random, 0, 0);
    test(extents, {a, 7}, {b, 0}, storage, false);
    test(extents, {a, 7}, {b, 0}, storage, true);
    test(extents, {a, 7}, {b, 0}, F32, true);
  }
  // Every bfloat16 that is a number, as it is.
  const Place all = {1, 65536 - 256, 1};
  Values halves(BF16, countOf(7, all)), zero(F32, 1);
  for (int64_t i = 0, bits = 0; bits < 65536; bits++)
    if ((bits & 0x7f80) != 0x7f80) halves.as<uint16_t>()[i++] = uint16_t(bits);
  zero.set(0, 0);
  test(all, {halves, 7}, {zero, 0}, BF16, true);
  test(all, {halves, 7}, {zero, 0}, F32, true);
  return counts.report("map_test");
}
