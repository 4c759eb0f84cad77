// Machine code for a map: one pass over adjacent blocks with every operation of a vector in registers,
// instead of the interpreter's pass an operation. The bits are those of the interpreter, which remains
// for WebAssembly, for maps with exp, log or tanh, and for those that need more registers than there are.
//
// A vector of the loop reads its operands (see Access), does the operations, adds to the lanes of the
// reductions (reduce.h), and stores. Where registers are left, fixed operands stay in them.
#pragma once
#include "assembler.h"
#include "map_values.h"

namespace fewbit {
namespace FEWBIT_ISA {

enum { SLOT_BYTES = SLOT * 4, LANES_BYTES = LANES_PER_RESULT * 4 };

// The arguments of MapCode (program.h) lie in RDI, RSI, RDX, RCX, R8 and R9. Offsets count elements from the
// first vector of the call, from the block's start, and the bytes from its channel row's start.
constexpr General POINTERS = RDI, BUFFERS = RSI, BLOCKS_LEFT = RDX, LENGTH = RCX, COUNT = R8, LANES_BASE = R9;
constexpr General OFFSET = RAX, IN_BLOCK = R10, IN_ROW = R11, ANY_STREAM = RBX;
constexpr General STREAMS[] = {RBP, R12, R13, R14, R15};
enum { STREAM_REGISTERS = 5 };

class MapCompiler : public MapValues {
 public:
  // At most `held` operands and constants stay in registers.
  MapCompiler(const MapValues& values, unsigned char* to, size_t room, int32_t held)
      : MapValues(values), code_(to, room, WIDE), held_(held) {}

  // Writes the code and gives its size, or 0 where the registers or the room do not suffice.
  size_t compile() {
    constants();
    prologue();
    code_.align(64);
    const int64_t block = code_.here();
    startBlock();
    code_.align(32);
    const int64_t vector = code_.here();
    body();
    code_.add(OFFSET, LANES);
    code_.add(IN_BLOCK, LANES);
    if (perChannel_) {
      code_.add(IN_ROW, LANES * 4);
      code_.compare(IN_ROW, (int32_t)layout_.channels * 4);
      const int64_t within = code_.jumpAhead(NOT_EQUAL);
      code_.clear(IN_ROW);
      code_.land(within);
    }
    code_.compare(IN_BLOCK, LENGTH);
    code_.jump(BELOW, vector);
    code_.decrement(BLOCKS_LEFT);
    code_.jump(NOT_EQUAL, block);
    epilogue();
    return failed_ ? 0 : code_.size();
  }

 private:
  static constexpr bool WIDE = LANES == 16;  // AVX-512
  static constexpr Width WHOLE = WIDE ? ZMM : YMM, HALF = WIDE ? YMM : XMM;
  enum { VECTOR_REGISTERS = WIDE ? 32 : 16, MASKS = 8, CONSTANTS_AT = 64 };

  // The code starts with a jump over them.
  void constants() {
    code_.jump(CONSTANTS_AT + CONSTANT_COUNT * LANES * 4);
    code_.align(CONSTANTS_AT);
    const uint32_t all[] = {0x80000000, 0x7fffffff, 0x3f800000, 0, 1, 0x7fff, 0x400000, 0xffff0000};
    for (const uint32_t bits : all) {
      for (int32_t i = 0; i < LANES; i++) code_.data(bits);
    }
  }

  bool isStreamed(int32_t slot) const {
    if (slot < map_.operandCount) return access(slot) == STREAMED;
    return map_.results[slot - slotOfResult(0)].reduction == NONE;
  }

  void prologue() {
    // Operands and stored results in the order of their slots; the last ones' pointers are read when needed.
    for (int32_t slot = 0; slot < slotOfResult(map_.resultCount); slot++) {
      if (slot >= map_.operandCount && slot < slotOfResult(0)) continue;
      if (isStreamed(slot) && streamCount_ < STREAM_REGISTERS) streams_[streamCount_++] = slot;
    }
    code_.push(ANY_STREAM);
    for (int32_t i = 0; i < streamCount_; i++) {
      code_.push(STREAMS[i]);
      code_.load(STREAMS[i], POINTERS, streams_[i] * 8);
    }
    code_.clear(OFFSET);
    free_ = VECTOR_REGISTERS == 32 ? ~0u : (1u << VECTOR_REGISTERS) - 1;
    freeMasks_ = (1u << MASKS) - 2;
    if (hasMoments_) inverse_ = take();
    int32_t left = held_;
    for (int32_t v = 0; v < valueCount_ && left > 0; v++) {
      if (!canBeHeld(v)) continue;
      left--;
      load(v);
      values_[v].held = true;
    }
    pinned_ = 0;
  }
  void epilogue() {
    code_.zeroUpper();
    for (int32_t i = streamCount_; i-- > 0;) code_.pop(STREAMS[i]);
    code_.pop(ANY_STREAM);
    code_.ret();
  }

  void startBlock() {
    code_.clear(IN_BLOCK);
    if (perChannel_) code_.clear(IN_ROW);
    if (!hasMoments_) return;
    // 1 / n, n the blocks with this one.
    code_.increment(COUNT);
    const int32_t n = take();
    code_.vector(VXORPS, XMM, n, n, inRegister(n));
    code_.vector(VCVTSI2SS, XMM, n, n, inRegister(COUNT));
    code_.vector(VMOVUPS, XMM, inverse_, 0, placeOf(constant(ONE)));
    code_.vector(VDIVSS, XMM, inverse_, inverse_, inRegister(n));
    code_.vector(VBROADCASTSS, WHOLE, inverse_, 0, inRegister(inverse_));
    give(n);
    pinned_ = 0;
  }

  // Registers. `pinned_` are those of the instruction that is being written.
  int32_t take() {
    if (!free_ && !held_) evict();
    if (!free_) {
      failed_ = true;
      return 0;
    }
    const int32_t r = __builtin_ctz(free_);
    free_ &= ~(1u << r);
    pinned_ |= 1u << r;
    return r;
  }
  void give(int32_t r) { free_ |= 1u << r; }
  // Drops an operand or a constant, which can be read again.
  void evict() {
    for (int32_t v = 0; v < constant(CONSTANT_COUNT); v++) {
      Value& value = values_[v];
      if (value.place < 0 || value.held || pinned_ >> value.place & 1) continue;
      give(value.place);
      value.place = -1;
      return;
    }
  }
  int32_t takeMask() {
    if (!freeMasks_) {
      failed_ = true;
      return 1;
    }
    const int32_t k = __builtin_ctz(freeMasks_);
    freeMasks_ &= ~(1u << k);
    return k;
  }

  int32_t storageOf(int32_t v) const { return isOperand(v) && access(v) == STREAMED ? map_.operands[v].storage : F32; }

  Place stream(int32_t slot, int32_t storage) {
    int32_t i = 0;
    while (i < streamCount_ && streams_[i] != slot) i++;
    if (i == streamCount_) code_.load(ANY_STREAM, POINTERS, slot * 8);
    return at(i == streamCount_ ? ANY_STREAM : STREAMS[i], 0, OFFSET, log2Bytes(storage));
  }
  Place placeOf(int32_t v) {
    if (!isOperand(v)) return at(RIP, CONSTANTS_AT + (v - constant(0)) * LANES * 4);
    switch (access(v)) {
      case STREAMED: return stream(v, map_.operands[v].storage);
      case REPEATED: return at(BUFFERS, v * SLOT_BYTES, IN_BLOCK, 2);
      case PER_CHANNEL: return at(BUFFERS, v * SLOT_BYTES, IN_ROW, 0);
      default: return at(BUFFERS, v * SLOT_BYTES);
    }
  }

  void load(int32_t v) {
    const int32_t r = values_[v].place = take(), storage = storageOf(v);
    const Place from = placeOf(v);
    switch (storage) {
      case F32: return code_.vector(VMOVUPS, WHOLE, r, 0, from);
      case I32: return code_.vector(VCVTDQ2PS, WHOLE, r, 0, from);
      case I16: code_.vector(VPMOVSXWD, WHOLE, r, 0, from); break;
      case U8: code_.vector(VPMOVZXBD, WHOLE, r, 0, from); break;
      case S8: code_.vector(VPMOVSXBD, WHOLE, r, 0, from); break;
      case BF16:
        code_.vector(VPMOVZXWD, WHOLE, r, 0, from);
        return code_.vector(SHIFT_WORDS, WHOLE, LEFT, r, inRegister(r), 16);
      default: failed_ = true;
    }
    code_.vector(VCVTDQ2PS, WHOLE, r, 0, inRegister(r));
  }
  int32_t registerOf(int32_t v) {
    if (values_[v].place < 0) load(v);
    pinned_ |= 1u << values_[v].place;
    return values_[v].place;
  }
  // A value as an instruction's last source: from memory where it is needed only once.
  Place source(int32_t v) {
    const Value& value = values_[v];
    const bool once = value.uses == 1 || (isConstant(v) && !value.held);
    if (value.place < 0 && storageOf(v) == F32 && once) return placeOf(v);
    return inRegister(registerOf(v));
  }
  void release(int32_t v) {
    Value& value = values_[v];
    if (--value.uses > 0 || value.held || value.place < 0) return;
    if (WIDE && value.isMask) {
      freeMasks_ |= 1u << value.place;
    } else {
      give(value.place);
    }
    value.place = -1;
  }

  void body() {
    for (int32_t i = 0; i < stepCount_; i++) {
      operate(steps_[i]);
      Value& value = values_[steps_[i].value];
      if (value.uses++ == 0)
        release(steps_[i].value);
      else
        value.uses--;
      pinned_ = 0;
      for (int32_t r = 0; r < map_.resultCount; r++) {
        const bool stored = map_.results[r].reduction == NONE;
        if (results_[r] == steps_[i].value && (!stored || i >= lastStreamed_)) write(r);
      }
      // A result that waited for the last read of the operands, which may lie in the same memory.
      if (i == lastStreamed_) {
        for (int32_t r = 0; r < map_.resultCount; r++) {
          if (values_[results_[r]].place >= 0 && !isOperand(results_[r]) && results_[r] < steps_[i].value) write(r);
        }
      }
    }
    for (int32_t r = 0; r < map_.resultCount; r++) {
      if (map_.results[r].reduction != NONE) write(r);
    }
    for (int32_t r = 0; r < map_.resultCount; r++) write(r);
  }

  void operate(const Step& s) {
    switch (s.op) {
      case SQRT: return unary(VSQRTPS, s, -1);
      case ROUND: return unary(VROUNDPS, s, 8);  // to nearest or even, without an exception
      case ROUND_BF16: return roundBf16(s);
      case NEG: return binary(VXORPS, s);
      case ABS: return binary(VANDPS, s);
      case fewbit::ADD: return binary(VADDPS, s);
      case SUB: return binary(VSUBPS, s);
      case MUL: return binary(VMULPS, s);
      case DIV: return binary(VDIVPS, s);
      case MIN: return binary(VMINPS, s);
      case MAX: return binary(VMAXPS, s);
      case LT: return comparison(s, 0x11);
      case LE: return comparison(s, 0x12);
      case EQ: return comparison(s, 0x00);
      case SELECT: return selection(s);
      default: failed_ = true;
    }
  }
  void unary(Opcode o, const Step& s, int32_t immediate) {
    const Place a = source(s.a);
    release(s.a);
    code_.vector(o, WHOLE, values_[s.value].place = take(), 0, a, immediate);
  }
  void binary(Opcode o, const Step& s) {
    const int32_t a = registerOf(s.a);
    const Place b = source(s.b);
    release(s.a);
    release(s.b);
    code_.vector(o, WHOLE, values_[s.value].place = take(), a, b);
  }
  // As roundBf16 in math.h.
  void roundBf16(const Step& s) {
    const int32_t a = registerOf(s.a), to = take();
    const auto withConstant = [&](Opcode o, int32_t from, int32_t c, int32_t into, int32_t mask) {
      code_.vector(o, WHOLE, into, from, source(constant(c)), -1, mask);
      release(constant(c));
    };
    code_.vector(SHIFT_WORDS, WHOLE, RIGHT, to, inRegister(a), 16);
    withConstant(VANDPS, to, LAST_BIT, to, 0);
    code_.vector(VPADDD, WHOLE, to, to, inRegister(a));
    withConstant(VPADDD, to, BELOW_HALF, to, 0);
    if (WIDE) {
      const int32_t isNaN = takeMask();
      code_.vector(VCMPPS, WHOLE, isNaN, a, inRegister(a), 3);
      withConstant(VORPS, a, QUIET, to, isNaN);
      freeMasks_ |= 1u << isNaN;
    } else {
      const int32_t quiet = take(), isNumber = take();
      withConstant(VORPS, a, QUIET, quiet, 0);
      code_.vector(VCMPPS, WHOLE, isNumber, a, inRegister(a), 0);
      code_.vector(VBLENDVPS, WHOLE, to, quiet, inRegister(to), isNumber << 4);
      give(quiet), give(isNumber);
    }
    withConstant(VANDPS, to, UPPER, to, 0);
    release(s.a);
    values_[s.value].place = to;
  }
  // 1 or 0, or a mask.
  void comparison(const Step& s, int32_t predicate) {
    Value& value = values_[s.value];
    const int32_t a = registerOf(s.a);
    Place b = source(s.b);
    if (WIDE) {
      const int32_t k = takeMask();
      code_.vector(VCMPPS, WHOLE, k, a, b, predicate);
      release(s.a);
      release(s.b);
      value.place = k;
      if (value.isMask) return;
      freeMasks_ |= 1u << k;
      b = source(constant(ONE));
      value.place = take();
      code_.vector(b.inMemory ? VMOVUPS : VMOVAPS, WHOLE, value.place, 0, b, -1, k, true);
    } else {
      value.place = take();
      code_.vector(VCMPPS, WHOLE, value.place, a, b, predicate);
      release(s.a);
      release(s.b);
      if (value.isMask) return;
      code_.vector(VANDPS, WHOLE, value.place, value.place, source(constant(ONE)));
    }
    release(constant(ONE));
  }
  void selection(const Step& s) {
    const Value& a = values_[s.a];
    int32_t mask = a.place;
    const bool own = !a.isMask;
    if (own) {
      const int32_t chooser = registerOf(s.a);
      mask = WIDE ? takeMask() : take();
      code_.vector(VCMPPS, WHOLE, mask, chooser, source(constant(ZERO)), 4);  // unequal or unordered
      release(constant(ZERO));
    }
    const int32_t c = registerOf(s.c);
    const Place b = source(s.b);
    release(s.a);
    release(s.b);
    release(s.c);
    const int32_t to = values_[s.value].place = take();
    if (WIDE) {
      code_.vector(VBLENDMPS, WHOLE, to, c, b, -1, mask);
      if (own) freeMasks_ |= 1u << mask;
    } else {
      code_.vector(VBLENDVPS, WHOLE, to, c, b, mask << 4);
      if (own) give(mask);
    }
  }

  void write(int32_t i) {
    if (written_[i]) return;
    written_[i] = true;
    const MapResult& result = map_.results[i];
    const int32_t v = results_[i];
    if (result.reduction == NONE) {
      storeElements(result.to.storage, registerOf(v), slotOfResult(i));
    } else if (isPixel(result)) {
      code_.vector(VMOVUPS_STORE, WHOLE, registerOf(v), 0, at(BUFFERS, slotOfResult(i) * SLOT_BYTES, IN_BLOCK, 2));
    } else {
      reduce(result.reduction, v, at(LANES_BASE, i * LANES_BYTES, IN_BLOCK, 2));
    }
    release(v);
    pinned_ = 0;
  }

  void reduce(int32_t reduction, int32_t v, Place lanes) {
    if (reduction != MOMENTS) {
      const Place x = reduction == SUM ? source(v) : inRegister(registerOf(v));
      const int32_t sum = take();
      if (reduction == SUM) {
        code_.vector(VMOVUPS, WHOLE, sum, 0, lanes);
        code_.vector(VADDPS, WHOLE, sum, sum, x);
      } else {
        code_.vector(VMAXPS, WHOLE, sum, x.number, lanes);
      }
      code_.vector(VMOVUPS_STORE, WHOLE, sum, 0, lanes);
      return give(sum);
    }
    const Place squares = at(LANES_BASE, lanes.displacement + SLOT_BYTES, IN_BLOCK, 2);
    const int32_t x = registerOf(v), mean = take(), difference = take(), rest = take();
    code_.vector(VMOVUPS, WHOLE, mean, 0, lanes);
    code_.vector(VSUBPS, WHOLE, difference, x, inRegister(mean));
    code_.vector(VFMADD231PS, WHOLE, mean, difference, inRegister(inverse_));
    code_.vector(VMOVUPS_STORE, WHOLE, mean, 0, lanes);
    code_.vector(VSUBPS, WHOLE, rest, x, inRegister(mean));
    code_.vector(VFMADD213PS, WHOLE, rest, difference, squares);
    code_.vector(VMOVUPS_STORE, WHOLE, rest, 0, squares);
    give(mean), give(difference), give(rest);
  }

  // As writeIntegers: to the nearest or even integer, and NaN becomes 0; bfloat16 is the upper half.
  void storeElements(int32_t storage, int32_t x, int32_t slot) {
    if (storage == F32) return code_.vector(VMOVUPS_STORE, WHOLE, x, 0, stream(slot, F32));
    const int32_t r = take();
    const bool bytes = storage == U8 || storage == S8;
    if (storage == BF16) {
      code_.vector(SHIFT_WORDS, WHOLE, RIGHT_SIGNED, r, inRegister(x), 16);
    } else if (WIDE) {
      const int32_t k = takeMask();
      code_.vector(VCMPPS, WHOLE, k, x, inRegister(x), 0);
      code_.vector(VCVTPS2DQ, WHOLE, r, 0, inRegister(x), -1, k, true);
      freeMasks_ |= 1u << k;
    } else {
      code_.vector(VCMPPS, WHOLE, r, x, inRegister(x), 0);
      code_.vector(VANDPS, WHOLE, r, r, inRegister(x));
      code_.vector(VCVTPS2DQ, WHOLE, r, 0, inRegister(r));
    }
    if (WIDE) {
      code_.vector(bytes ? VPMOVDB : VPMOVDW, WHOLE, r, 0, stream(slot, storage));
    } else {
      const int32_t high = take();
      code_.vector(VEXTRACTI128, WHOLE, r, 0, inRegister(high), 1);
      code_.vector(VPACKSSDW, HALF, r, r, inRegister(high));
      if (bytes) code_.vector(storage == U8 ? VPACKUSWB : VPACKSSWB, HALF, r, r, inRegister(r));
      code_.vector(bytes ? VMOVQ_STORE : VMOVDQU_STORE, HALF, r, 0, stream(slot, storage));
      give(high);
    }
    give(r);
  }

  Assembler code_;
  const int32_t held_;
  bool failed_ = false;
  int32_t streamCount_ = 0, inverse_ = 0;
  uint32_t free_ = 0, freeMasks_ = 0, pinned_ = 0;
  int32_t streams_[STREAM_REGISTERS] = {};
  bool written_[MOST_RESULTS] = {};
};

static size_t compileMap(const MapInstruction& map, unsigned char* to, size_t room) {
  const Layout layout = layoutOf(map);
  const MapValues values(map, layout);
  if (!values.canTranslate()) return 0;
  for (int32_t held = values.holdable(); held >= 0; held--) {
    if (const size_t size = MapCompiler(values, to, room, held).compile()) return size;
  }
  return 0;
}

}  // namespace FEWBIT_ISA
}  // namespace fewbit
