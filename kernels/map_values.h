// The values of a map as its machine code sees them: operands, constants, and one for each operation,
// where the interpreter's slots are written again and again.
#pragma once
#include "map_layout.h"

namespace fewbit {
namespace FEWBIT_ISA {

class MapValues {
 public:
  MapValues(const MapInstruction& map, const Layout& layout) : map_(map), layout_(layout), canTranslate_(number()) {}

  bool canTranslate() const { return canTranslate_; }
  // How many operands and constants could stay in registers.
  int32_t holdable() const {
    int32_t count = 0;
    for (int32_t v = 0; v < valueCount_; v++) count += canBeHeld(v);
    return count;
  }

 protected:
  enum { MOST_OPERANDS = 64, MOST_OPERATIONS = 128, MOST_RESULTS = 32, CONSTANT_COUNT = 8 };
  enum { MOST_VALUES = MOST_OPERANDS + CONSTANT_COUNT + MOST_OPERATIONS };

  // Operands, then these constants, then the results of operations. A comparison whose value only
  // chooses stays a mask: in a mask register, or a vector of ones.
  struct Value {
    int32_t place, uses;  // its register, or -1
    bool held, isMask;
  };
  enum { SIGN, MAGNITUDE, ONE, ZERO, LAST_BIT, BELOW_HALF, QUIET, UPPER };  // the last four to round to bfloat16
  struct Step {
    int32_t op, a, b, c, value;
  };

  int32_t constant(int32_t which) const { return map_.operandCount + which; }
  bool isOperand(int32_t v) const { return v < map_.operandCount; }
  bool isConstant(int32_t v) const { return !isOperand(v) && v < constant(CONSTANT_COUNT); }
  Access access(int32_t v) const { return isOperand(v) ? accessOf(layout_, map_.operands[v]) : FIXED; }
  bool canBeHeld(int32_t v) const { return v < constant(CONSTANT_COUNT) && values_[v].uses && access(v) == FIXED; }
  bool isPixel(const MapResult& r) const { return r.reduction != NONE && resultAxes(layout_, r.to.axes) & POSITION; }
  int32_t slotOfResult(int32_t i) const { return map_.operandCount + map_.registers + i; }

  static int32_t arity(int32_t op) {
#define FEWBIT_UNARY(name, value) \
  case fewbit::name: return 1;
#define FEWBIT_BINARY(name, value) \
  case fewbit::name: return 2;
#define FEWBIT_TERNARY(name, value) \
  case fewbit::name: return 3;
    switch (op) { FEWBIT_MAP_OPS(FEWBIT_UNARY, FEWBIT_BINARY, FEWBIT_TERNARY) }
#undef FEWBIT_UNARY
#undef FEWBIT_BINARY
#undef FEWBIT_TERNARY
    return 0;
  }
  static bool compares(int32_t op) { return op == LT || op == LE || op == EQ; }

  // Stores of integers round by themselves, to the same integers: a rounding that only they need is left out.
  void storeUnrounded() {
    for (int32_t r = 0; r < map_.resultCount; r++) {
      const int32_t storage = map_.results[r].to.storage, v = results_[r];
      if (storage != I16 && storage != U8 && storage != S8) continue;
      int32_t readers = 0, at = -1;
      for (int32_t i = 0; i < stepCount_; i++) {
        const Step& s = steps_[i];
        readers += (s.a == v) + (s.b == v) + (s.c == v);
        if (s.value == v && s.op == ROUND) at = i;
      }
      for (int32_t i = 0; i < map_.resultCount; i++) readers += results_[i] == v;
      if (at < 0 || readers > 1) continue;
      results_[r] = steps_[at].a;
      stepCount_--;
      for (int32_t i = at; i < stepCount_; i++) steps_[i] = steps_[i + 1];
    }
  }

  // Gives each write of a slot a number of its own, and counts the uses of each value. False where the map
  // must be interpreted.
  bool number() {
    if (map_.operandCount > MOST_OPERANDS || map_.operationCount > MOST_OPERATIONS) return false;
    if (map_.resultCount > MOST_RESULTS || map_.registers > MOST_OPERATIONS) return false;
    int32_t inSlot[MOST_OPERANDS + MOST_OPERATIONS + MOST_RESULTS];
    valueCount_ = constant(CONSTANT_COUNT);
    for (int32_t i = 0; i < map_.operandCount; i++) inSlot[i] = i;
    for (Value& v : values_) v = {-1, 0, false, false};
    for (int32_t i = 0; i < map_.operationCount; i++) {
      const MapOperation& o = map_.operations[i];
      if (o.op == EXP || o.op == LOG || o.op == TANH) return false;
      Step& s = steps_[i];
      s = {o.op, inSlot[o.a], arity(o.op) > 1 ? inSlot[o.b] : -1, arity(o.op) > 2 ? inSlot[o.c] : -1, valueCount_};
      if (o.op == NEG) s.b = constant(SIGN);
      if (o.op == ABS) s.b = constant(MAGNITUDE);
      inSlot[o.destination] = valueCount_++;
      values_[s.value].isMask = compares(o.op);
    }
    stepCount_ = map_.operationCount;
    for (int32_t i = 0; i < stepCount_; i++) {
      const Step& s = steps_[i];
      if (s.op != SELECT) values_[s.a].isMask = false;
      if (s.b >= 0) values_[s.b].isMask = false;
      if (s.c >= 0) values_[s.c].isMask = false;
    }
    for (int32_t i = 0; i < map_.resultCount; i++) results_[i] = inSlot[map_.results[i].slot];
    storeUnrounded();
    for (int32_t i = 0; i < map_.resultCount; i++) {
      values_[results_[i]].isMask = false;
      values_[results_[i]].uses++;
    }
    for (int32_t i = 0; i < stepCount_; i++) {
      const Step& s = steps_[i];
      const int32_t arguments[] = {s.a, s.b, s.c};
      for (const int32_t v : arguments) {
        if (v < 0) continue;
        values_[v].uses++;
        if (isOperand(v) && access(v) == STREAMED) lastStreamed_ = i;
      }
      if (compares(s.op) && !values_[s.value].isMask) values_[constant(ONE)].uses++;
      if (s.op == SELECT && !values_[s.a].isMask) values_[constant(ZERO)].uses++;
      for (int32_t c = LAST_BIT; s.op == ROUND_BF16 && c <= UPPER; c++) values_[constant(c)].uses++;
    }
    for (int32_t v = 0; v < map_.operandCount; v++) {
      perChannel_ = perChannel_ || (values_[v].uses && access(v) == PER_CHANNEL);
    }
    bool momentsOfSample = false;
    for (int32_t i = 0; i < map_.resultCount; i++) {
      const MapResult& r = map_.results[i];
      const int32_t storage = r.to.storage;
      if (storage != F32 && storage != I16 && storage != U8 && storage != S8 && storage != BF16) return false;
      if (isOperand(results_[i])) lastStreamed_ = stepCount_;
      if (r.reduction != MOMENTS) continue;
      // One count of blocks serves all.
      const bool ofSample = resultAxes(layout_, r.to.axes) & SAMPLE;
      if (hasMoments_ && ofSample != momentsOfSample) return false;
      hasMoments_ = true, momentsOfSample = ofSample;
    }
    return true;
  }

  const MapInstruction& map_;
  const Layout& layout_;
  int32_t valueCount_ = 0, stepCount_ = 0;
  bool perChannel_ = false, hasMoments_ = false;
  int32_t lastStreamed_ = -1;  // the operation after which no operand is read
  Value values_[MOST_VALUES];
  Step steps_[MOST_OPERATIONS];
  int32_t results_[MOST_RESULTS];
  const bool canTranslate_;
};

}  // namespace FEWBIT_ISA
}  // namespace fewbit
