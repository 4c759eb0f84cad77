#include "executor.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace fewbit {

// Reads the words in the order in which src/runtime/encode.ts writes them.
class Decoder {
 public:
  Decoder(const int32_t* words, size_t count, Executable& to) : next_(words), end_(words + count), to_(to) {}

  void program() {
    if (word() != 1) throw std::runtime_error("not a program, or one of another version");
    const int32_t instructions = count();
    for (int64_t& bytes : to_.bytes_) bytes = size();
    for (int32_t i = 0; i < instructions; i++) to_.steps_.push_back({instruction(), {}});
    if (next_ != end_) throw std::runtime_error("the program has words left over");
  }

 private:
  int32_t word() {
    if (next_ == end_) throw std::runtime_error("the program is cut short");
    return *next_++;
  }
  int64_t size() {
    const uint32_t low = static_cast<uint32_t>(word());
    return (static_cast<int64_t>(word()) << 32) | low;
  }
  int32_t count() {
    const int32_t n = word();
    if (n < 0 || n > end_ - next_) throw std::runtime_error("the program is cut short");
    return n;
  }

  template <typename T, typename Read>
  const T* array(int32_t n, const Read& read) {
    to_.arrays_.emplace_back(new char[n * sizeof(T) + alignof(T)]);
    T* const items = reinterpret_cast<T*>(to_.arrays_.back().get());
    for (int32_t i = 0; i < n; i++) items[i] = read();
    return items;
  }

  Operand operand() {
    Operand o;
    o.segment = word(), o.storage = word(), o.axes = word();
    o.offset = size();
    if (o.segment < 0 || o.segment >= SEGMENTS) throw std::runtime_error("an operand names no segment");
    return o;
  }
  MapOperation mapOperation() {
    MapOperation o;
    o.op = word(), o.destination = word(), o.a = word(), o.b = word(), o.c = word();
    return o;
  }
  MapResult mapResult() {
    MapResult r;
    r.to = operand();
    r.slot = word(), r.reduction = word();
    return r;
  }
  MapInstruction map() {
    MapInstruction m;
    m.samples = size(), m.positions = size(), m.channels = size();
    m.operandCount = count(), m.operationCount = count(), m.resultCount = count(), m.registers = word();
    m.operands = array<Operand>(m.operandCount, [this] { return operand(); });
    m.operations = array<MapOperation>(m.operationCount, [this] { return mapOperation(); });
    m.results = array<MapResult>(m.resultCount, [this] { return mapResult(); });
    return m;
  }
  Geometry geometry() {
    Geometry g;
    g.images = size(), g.height = size(), g.width = size(), g.channels = size();
    g.kernelHeight = size(), g.kernelWidth = size(), g.strideHeight = size(), g.strideWidth = size();
    g.paddingHeight = size(), g.paddingWidth = size();
    g.outHeight = size(), g.outWidth = size(), g.outChannels = size();
    return g;
  }
  // Products and windows have the same fields.
  template <typename T>
  T geometric() {
    T t;
    t.op = word();
    t.geometry = geometry();
    t.a = operand(), t.b = operand(), t.out = operand();
    return t;
  }
  MoveInstruction move() {
    MoveInstruction m = {};
    m.op = word(), m.rank = word(), m.stream = word();
    if (m.rank < 0 || m.rank > 8) throw std::runtime_error("a copy has more than 8 extents");
    m.from = operand(), m.to = operand();
    m.toElements = size();
    for (int32_t i = 0; i < m.rank; i++) m.extents[i] = size(), m.fromStrides[i] = size(), m.toStrides[i] = size();
    return m;
  }
  Instruction instruction() {
    Instruction i;
    switch (i.kind = static_cast<Kind>(word())) {
      case MAP: i.map = map(); break;
      case PRODUCT: i.product = geometric<ProductInstruction>(); break;
      case WINDOW: i.window = geometric<WindowInstruction>(); break;
      case MOVE: i.move = move(); break;
      default: throw std::runtime_error("the program has an instruction of no known kind");
    }
    return i;
  }

  const int32_t* next_;
  const int32_t* const end_;
  Executable& to_;
};

static size_t roundUp(size_t bytes) { return (bytes + 63) / 64 * 64; }

Executable::Executable(const int32_t* words, size_t count, const Kernels& kernels, int threads)
    : kernels_(kernels), threads_(threads) {
  Decoder(words, count, *this).program();
  for (Step& step : steps_) {
    step.plan = kernels.plan(step.instruction);
    sharedBytes_ = std::max(sharedBytes_, roundUp(step.plan.sharedBytes));
    ownBytes_ = std::max(ownBytes_, roundUp(step.plan.ownBytes));
  }
}

void Executable::run(const Memory& memory, char* work, Pool& pool, double* nanoseconds) const {
  using Clock = std::chrono::steady_clock;
  Clock::time_point start = Clock::now();
  for (size_t i = 0; i < steps_.size(); i++) {
    const Step& step = steps_[i];
    for (int32_t phase = 0; phase < step.plan.phases; phase++) {
      pool.run(step.plan.chunks[phase], [&](int64_t chunk, int thread) {
        kernels_.run(step.instruction, memory, phase, chunk, Work{work, work + sharedBytes_ + thread * ownBytes_});
      });
    }
    if (nanoseconds) {
      const Clock::time_point end = Clock::now();
      nanoseconds[i] += std::chrono::duration<double, std::nano>(end - start).count();
      start = end;
    }
  }
}

}  // namespace fewbit
