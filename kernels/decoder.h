// Reads a program's words in the order in which src/runtime/encode.ts writes them.
//
// Without the standard library, for executor.cpp and wasm.cpp: `arena.allocate(bytes)` gives memory,
// aligned as an int64_t, for what map instructions point to; after a mistake all words read as zero.
#pragma once
#include "program.h"

namespace fewbit {

template <typename Arena>
class Decoder {
 public:
  Decoder(const int32_t* words, size_t count, Arena& arena) : next_(words), end_(words + count), arena_(arena) {}

  // Reads the start of a program, the bytes of its segments; gives the number of its instructions.
  int32_t start(int64_t (&bytes)[SEGMENTS]) {
    if (word() != 1) fail("not a program, or one of another version");
    const int32_t instructions = count();
    for (int64_t& segment : bytes) segment = size();
    return instructions;
  }
  Instruction instruction() {
    Instruction i;
    switch (i.kind = static_cast<Kind>(word())) {
      case MAP: i.map = map(); break;
      case PRODUCT: i.product = geometric<ProductInstruction>(); break;
      case WINDOW: i.window = geometric<WindowInstruction>(); break;
      case MOVE: i.move = move(); break;
      default: fail("the program has an instruction of no known kind");
    }
    return i;
  }
  void finish() {
    if (next_ != end_) fail("the program has words left over");
  }

  // The first mistake, or null.
  const char* problem() const { return problem_; }

 private:
  void fail(const char* problem) {
    if (!problem_) problem_ = problem;
    next_ = end_;
  }
  int32_t word() {
    if (next_ == end_) fail("the program is cut short");
    return problem_ ? 0 : *next_++;
  }
  int64_t size() {
    const uint32_t low = static_cast<uint32_t>(word());
    return (static_cast<int64_t>(word()) << 32) | low;
  }
  int32_t count() {
    const int32_t n = word();
    if (n >= 0 && n <= end_ - next_) return n;
    fail("the program is cut short");
    return 0;
  }

  template <typename T, typename Read>
  const T* array(int32_t n, const Read& read) {
    T* const items = static_cast<T*>(arena_.allocate(n * sizeof(T)));
    for (int32_t i = 0; i < n; i++) items[i] = read();
    return items;
  }

  Operand operand() {
    Operand o;
    o.segment = word(), o.storage = word(), o.axes = word();
    o.offset = size();
    if (o.segment < 0 || o.segment >= SEGMENTS) fail("an operand names no segment");
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
    m.code = nullptr;
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
    if (m.rank < 0 || m.rank > 8) {
      fail("a copy has more than 8 extents");
      m.rank = 0;
    }
    m.from = operand(), m.to = operand();
    m.toElements = size();
    for (int32_t i = 0; i < m.rank; i++) m.extents[i] = size(), m.fromStrides[i] = size(), m.toStrides[i] = size();
    return m;
  }

  const int32_t* next_;
  const int32_t* const end_;
  Arena& arena_;
  const char* problem_ = nullptr;
};

}  // namespace fewbit
