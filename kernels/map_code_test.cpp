// Checks that the machine code of random maps gives the interpreter's bits, on every instruction set of
// this CPU, and touches nothing beyond its operands: each ends where a page ends that may not be read.
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>

#include "code_memory.h"
#include "test.h"

using namespace fewbit;

static Random random_(1);
static int below(int n) { return int(random_() % uint32_t(n)); }
static bool oneIn(int n) { return below(n) == 0; }
template <typename T, size_t N>
static T oneOf(const T (&list)[N]) {
  return list[below(N)];
}

// Bytes that end with a page.
class Guarded {
 public:
  explicit Guarded(size_t bytes) : bytes_(bytes) {
    const size_t page = size_t(sysconf(_SC_PAGESIZE));
    size_ = (bytes + page - 1) / page * page + page;
    pages_ = static_cast<char*>(mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0));
    if (pages_ == MAP_FAILED || mprotect(pages_ + size_ - page, page, PROT_NONE)) abort();
    data = pages_ + size_ - page - bytes;
  }
  ~Guarded() { munmap(pages_, size_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  size_t bytes() const { return bytes_; }
  char* data;

 private:
  char* pages_;
  size_t bytes_, size_;
};

struct RandomMap {
  int64_t extents[3];
  std::vector<Operand> operands;
  std::vector<MapOperation> operations;
  std::vector<MapResult> results;
  int registers = 0;
  bool hasCode = true;  // as long as registers suffice
};

static int64_t elements(const RandomMap& m, int32_t axes) {
  return (axes & 4 ? m.extents[0] : 1) * (axes & 2 ? m.extents[1] : 1) * (axes & 1 ? m.extents[2] : 1);
}

// Where a value begins in INPUTS or OUTPUTS: at a multiple of 4 bytes, not of a vector.
static int64_t place(int64_t& end, int64_t bytes) {
  const int64_t offset = (end + 3) / 4 * 4;
  end = offset + bytes;
  return offset;
}

static int64_t inputBytes, outputBytes;

static RandomMap randomMap(int64_t samples, int64_t positions, int64_t channels) {
  RandomMap m{{samples, positions, channels}, {}, {}, {}};
  inputBytes = outputBytes = 0;
  const Storage storages[] = {F32, F32, F32, I32, I16, U8, S8, BF16};
  const Storage stored[] = {F32, F32, I16, U8, S8, BF16};
  const int32_t axes[] = {7, 7, 7, 1, 1, 0, 4, 5, 6, 2, 3};
  for (int i = 1 + below(10); i > 0; i--) {
    const Storage storage = oneOf(storages);
    Operand o{INPUTS, storage, m.operands.empty() ? 7 : oneOf(axes), 0};
    o.offset = place(inputBytes, elements(m, o.axes) * Values::size(storage));
    m.operands.push_back(o);
  }
  // A parameter that is updated where it lies: a register then holds its new value until the end.
  const int count = int(m.operands.size());
  const bool inPlace = oneIn(4);
  if (inPlace) m.operands[0] = {OUTPUTS, F32, 7, place(outputBytes, elements(m, 7) * 4)};

  m.registers = 1 + below(8);
  std::vector<int> written;
  for (int i = 0; i < count; i++) written.push_back(i);
  const int operations = below(25);
  for (int i = 0; i < operations; i++) {
    const auto any = [&] { return written[size_t(below(int(written.size())))]; };
    int32_t op = below(SELECT + 1);
    if (op == EXP || op == LOG || op == TANH) op = oneIn(20) ? op : SELECT;
    m.hasCode = m.hasCode && op != EXP && op != LOG && op != TANH;
    const int destination = count + below(m.registers);
    m.operations.push_back({op, destination, any(), any(), any()});
    bool known = false;
    for (const int slot : written) known = known || slot == destination;
    if (!known) written.push_back(destination);
  }
  const int32_t keptSets[][3] = {{0, 1, 1}, {0, 1, 4}, {1, 4, 5}, {6, 6, 0}};
  const int32_t* const kept = keptSets[below(4)];
  bool momentsOfSamples = false, momentsOfAll = false;
  for (int i = below(4); i > 0; i--) {
    const int32_t axes_ = kept[below(3)];
    const Reduction reduction = axes_ == 6 ? Reduction(SUM + below(2)) : Reduction(SUM + below(3));
    if (reduction == MOMENTS) (axes_ & 4 ? momentsOfSamples : momentsOfAll) = true;
    const int64_t bytes = elements(m, axes_) * (reduction == MOMENTS ? 8 : 4);
    const int slot = written[size_t(below(int(written.size())))];
    m.results.push_back({{OUTPUTS, F32, axes_, place(outputBytes, bytes)}, slot, reduction});
  }
  m.hasCode = m.hasCode && !(momentsOfSamples && momentsOfAll);
  for (int i = m.results.empty() ? 1 + below(3) : below(3); i > 0; i--) {
    const Storage storage = oneOf(stored);
    int slot = written[size_t(below(int(written.size())))];
    if (inPlace && slot == 0) slot = count > 1 ? 1 : written.back();
    if (inPlace && slot == 0) continue;
    const int64_t offset = place(outputBytes, elements(m, 7) * Values::size(storage));
    m.results.push_back({{OUTPUTS, storage, 7, offset}, slot, NONE});
  }
  if (inPlace && written.back() >= count) m.results.push_back({m.operands[0], written.back(), NONE});
  if (m.results.empty()) m.results.push_back({{OUTPUTS, F32, 0, place(outputBytes, 4)}, 0, SUM});
  // A stored result that an operation writes where it belongs.
  const int own = count + m.registers + int(m.results.size()) - 1;
  MapResult& last = m.results.back();
  if (!inPlace && last.reduction == NONE && last.to.storage == F32 && !m.operations.empty() && oneIn(2)) {
    m.operations.back().destination = last.slot = own;
    for (size_t i = 0; i + 1 < m.results.size(); i++)
      if (m.results[i].slot >= count && oneIn(2))
        m.results[i].slot = own;
      else if (m.results[i].slot >= count)
        m.results[i].slot = 0;
  }
  return m;
}

static void fill(char* to, Storage storage, int64_t n) {
  const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-40f, 3e9f, -3e9f, 0.5f, 1.5f};
  for (int64_t i = 0; i < n; i++) {
    const int draw = below(129) - 64;
    switch (storage) {
      case F32: ((float*)to)[i] = oneIn(500) ? oneOf(special) : float(draw) / 4; break;
      case I32: ((int32_t*)to)[i] = oneIn(50) ? int32_t(random_()) : draw; break;
      case I16: ((int16_t*)to)[i] = int16_t(random_()); break;
      case BF16: {
        const float value = oneIn(500) ? oneOf(special) : float(draw) / 4;
        memcpy(to + 2 * i, (const char*)&value + 2, 2);
        break;
      }
      default: to[i] = char(random_());
    }
  }
}

// The bits, of which those of NaN may differ: no operation promises them.
static bool isSame(const RandomMap& m, const char* a, const char* b) {
  bool same = true;
  for (const MapResult& r : m.results) {
    const int64_t n = elements(m, r.to.axes) * (r.reduction == MOMENTS ? 2 : 1);
    const char *p = a + r.to.offset, *q = b + r.to.offset;
    const int64_t bytes = Values::size(Storage(r.to.storage));
    if (r.to.storage != F32 && r.to.storage != BF16) {
      same = same && memcmp(p, q, size_t(n * bytes)) == 0;
      continue;
    }
    for (int64_t i = 0; i < n; i++) {
      float x = 0, y = 0;
      memcpy((char*)&x + 4 - bytes, p + bytes * i, size_t(bytes));
      memcpy((char*)&y + 4 - bytes, q + bytes * i, size_t(bytes));
      same = same && (memcmp(&x, &y, 4) == 0 || (std::isnan(x) && std::isnan(y)));
    }
  }
  return same;
}

static Counts counts;
static int maps = 0, translated = 0, translatable = 0;

static void test(int64_t samples, int64_t positions, int64_t channels) {
  const RandomMap m = randomMap(samples, positions, channels);
  const size_t bytesOut = size_t(outputBytes);
  const Guarded inputs{size_t(inputBytes)}, first{bytesOut}, expected{bytesOut}, actual{bytesOut};
  for (const Operand& o : m.operands) {
    fill((o.segment == INPUTS ? inputs : first).data + o.offset, Storage(o.storage), elements(m, o.axes));
  }
  Instruction instruction;
  instruction.kind = MAP;
  instruction.map = {samples,
                     positions,
                     channels,
                     int32_t(m.operands.size()),
                     int32_t(m.operations.size()),
                     int32_t(m.results.size()),
                     m.registers,
                     m.operands.data(),
                     m.operations.data(),
                     m.results.data(),
                     nullptr};
  for (const InstructionSet& set : instructionSets) {
    if (!set.supported) continue;
    const auto run = [&](MapCode code, const Guarded& outputs) {
      memcpy(outputs.data, first.data, first.bytes());
      Memory memory{};
      memory.base[INPUTS] = inputs.data;
      memory.base[OUTPUTS] = outputs.data;
      instruction.map.code = code;
      Runner(instruction, memory, set.kernels).run(true);
    };
    run(nullptr, expected);
    std::vector<unsigned char> code(1 << 16);
    const size_t bytes = set.kernels.compile(instruction.map, code.data(), code.size());
    maps++;
    translatable += m.hasCode;
    translated += bytes > 0;
    if (bytes == 0) continue;
    CodeMemory memory;
    memory.add(code.data(), bytes);
    const char* const start = memory.seal();
    if (!start) abort();
    run(reinterpret_cast<MapCode>(reinterpret_cast<uintptr_t>(start)), actual);
    if (counts.fails(isSame(m, actual.data, expected.data))) {
      printf("FAILED %s: map of %ldx%ldx%ld, %zu operands, %zu operations, %zu results\n", set.name, (long)samples,
             (long)positions, (long)channels, m.operands.size(), m.operations.size(), m.results.size());
    }
    // Too little room is noticed.
    counts.fails(set.kernels.compile(instruction.map, code.data(), 300) == 0);
  }
}

int main() {
  if (!CodeMemory::allowed()) {
    printf("map_code_test: this system allows no machine code\n");
    return 0;
  }
  const int64_t channels[] = {1, 1, 2, 3, 8, 10, 16, 16, 20, 32, 32, 48, 50, 64, 96, 100, 256, 1008, 1024, 1030, 2500, 4096};
  for (int i = 0; i < 3000; i++) {
    const int64_t c = oneOf(channels), samples = 1 + below(oneIn(2) ? 4 : 1);
    const int64_t most = std::max<int64_t>(1, 8000 / (samples * c));
    test(samples, 1 + below(int(most)), c);
  }
  // Many chunks, and more blocks than the lanes take before they are folded.
  for (int i = 0; i < 20; i++) {
    test(1, 9000, 16);
    test(3, 700, 64);
    test(2, 21000, 16);
    test(2, 5000, 10);
  }
  for (int i = 0; i < 12; i++) test(2, 300 * 1024 + 5, 1);
  // Only what needs too many registers may go without.
  if (counts.fails(translated > translatable * 0.9)) printf("FAILED: too few maps have code\n");
  printf("%d of %d maps have code\n", translated, maps);
  return counts.report("map_code_test");
}
