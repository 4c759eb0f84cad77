// Writes x86-64 machine code: the vector instructions that maps need, and a few others.
//
// A vector instruction is a row of Intel's manual (volume 2): prefix, opcode map, W and opcode. One
// row serves AVX-512, encoded as EVEX with 32 registers and masks, and AVX2, encoded as VEX with 16.
#pragma once
#include <string.h>

#include "program.h"

namespace fewbit {
namespace FEWBIT_ISA {

struct Opcode {
  uint8_t prefix, map, w, code;  // prefix: none, 66, F3, F2; map: 0F, 0F38, 0F3A from 1
};
enum : uint8_t { P_NONE, P_66, P_F3, P_F2 };
enum : uint8_t { M_0F = 1, M_0F38, M_0F3A };

constexpr Opcode VMOVUPS = {P_NONE, M_0F, 0, 0x10}, VMOVUPS_STORE = {P_NONE, M_0F, 0, 0x11};
constexpr Opcode VMOVAPS = {P_NONE, M_0F, 0, 0x28};
constexpr Opcode VADDPS = {P_NONE, M_0F, 0, 0x58}, VSUBPS = {P_NONE, M_0F, 0, 0x5c};
constexpr Opcode VMULPS = {P_NONE, M_0F, 0, 0x59}, VDIVPS = {P_NONE, M_0F, 0, 0x5e};
constexpr Opcode VMINPS = {P_NONE, M_0F, 0, 0x5d}, VMAXPS = {P_NONE, M_0F, 0, 0x5f};
constexpr Opcode VSQRTPS = {P_NONE, M_0F, 0, 0x51}, VROUNDPS = {P_66, M_0F3A, 0, 0x08};
constexpr Opcode VANDPS = {P_NONE, M_0F, 0, 0x54}, VORPS = {P_NONE, M_0F, 0, 0x56};
constexpr Opcode VXORPS = {P_NONE, M_0F, 0, 0x57}, VPADDD = {P_66, M_0F, 0, 0xfe};
constexpr Opcode SHIFT_WORDS = {P_66, M_0F, 0, 0x72};  // which way says `reg`; `second` is written
constexpr Opcode VCMPPS = {P_NONE, M_0F, 0, 0xc2};
constexpr Opcode VBLENDMPS = {P_66, M_0F38, 0, 0x65}, VBLENDVPS = {P_66, M_0F3A, 0, 0x4a};
constexpr Opcode VFMADD213PS = {P_66, M_0F38, 0, 0xa8}, VFMADD231PS = {P_66, M_0F38, 0, 0xb8};
constexpr Opcode VCVTDQ2PS = {P_NONE, M_0F, 0, 0x5b}, VCVTPS2DQ = {P_66, M_0F, 0, 0x5b};
constexpr Opcode VPMOVZXBD = {P_66, M_0F38, 0, 0x31}, VPMOVSXBD = {P_66, M_0F38, 0, 0x21};
constexpr Opcode VPMOVSXWD = {P_66, M_0F38, 0, 0x23}, VPMOVZXWD = {P_66, M_0F38, 0, 0x33};
constexpr Opcode VPMOVDB = {P_F3, M_0F38, 0, 0x31}, VPMOVDW = {P_F3, M_0F38, 0, 0x33};
constexpr Opcode VEXTRACTI128 = {P_66, M_0F3A, 0, 0x39}, VPACKSSDW = {P_66, M_0F, 0, 0x6b};
constexpr Opcode VPACKUSWB = {P_66, M_0F, 0, 0x67}, VPACKSSWB = {P_66, M_0F, 0, 0x63};
constexpr Opcode VMOVQ_STORE = {P_66, M_0F, 0, 0xd6}, VMOVDQU_STORE = {P_F3, M_0F, 0, 0x7f};
constexpr Opcode VCVTSI2SS = {P_F3, M_0F, 1, 0x2a}, VDIVSS = {P_F3, M_0F, 0, 0x5e};
constexpr Opcode VBROADCASTSS = {P_66, M_0F38, 0, 0x18};

enum General { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, NO_INDEX = -1, RIP = -2 };
enum Shift { RIGHT = 2, RIGHT_SIGNED = 4, LEFT = 6 };
enum Condition { BELOW = 2, NOT_EQUAL = 5 };

// What an instruction reads or writes: a register, or memory at base + index * 2^scale + displacement;
// with the base RIP the displacement counts from the start of the code.
struct Place {
  bool inMemory;
  int32_t number;  // the register or the base
  int32_t index, scale, displacement;
};
static inline Place inRegister(int32_t number) { return {false, number, NO_INDEX, 0, 0}; }
static inline Place at(int32_t base, int32_t displacement, int32_t index = NO_INDEX, int32_t scale = 0) {
  return {true, base, index, scale, displacement};
}

enum Width { XMM, YMM, ZMM };  // 128, 256 and 512 bits

class Assembler {
 public:
  Assembler(unsigned char* to, size_t room, bool evex) : start_(to), next_(to), end_(to + room), evex_(evex) {}

  // Bytes written; 0 where there was no room for them.
  size_t size() const { return full_ ? 0 : next_ - start_; }

  // `second` is the encoding's extra source (vvvv), and `mask` k1 to k7 (EVEX only); an immediate of -1 is none.
  void vector(Opcode o, Width width, int32_t reg, int32_t second, Place rm, int32_t immediate = -1, int32_t mask = 0,
              bool zeroing = false) {
    const int32_t base = rm.number < 0 ? 0 : rm.number, index = rm.index < 0 ? 0 : rm.index;
    const int32_t x = rm.inMemory ? index >> 3 & 1 : base >> 4 & 1, b = base >> 3 & 1, r = reg >> 3 & 1;
    if (evex_) {
      byte(0x62);
      byte(!r << 7 | !x << 6 | !b << 5 | !(reg >> 4) << 4 | o.map);
      byte(o.w << 7 | (~second & 15) << 3 | 4 | o.prefix);
      byte(zeroing << 7 | width << 5 | !(second >> 4) << 3 | mask);
    } else {
      byte(0xc4);
      byte(!r << 7 | !x << 6 | !b << 5 | o.map);
      byte(o.w << 7 | (~second & 15) << 3 | (width == YMM) << 2 | o.prefix);
    }
    byte(o.code);
    modRm(reg, rm, immediate >= 0 ? 1 : 0);
    if (immediate >= 0) byte(immediate);
  }

  void load(General to, General base, int32_t displacement) {
    rex(to, base);
    byte(0x8b);
    modRm(to, at(base, displacement), 0);
  }
  void clear(General r) { rex(r, r), byte(0x31), byte(0xc0 | (r & 7) << 3 | (r & 7)); }
  void add(General r, int32_t value) { rex(0, r), byte(0x81), byte(0xc0 | (r & 7)), word(value); }
  void compare(General r, int32_t value) { rex(0, r), byte(0x81), byte(0xf8 | (r & 7)), word(value); }
  void compare(General a, General b) { rex(b, a), byte(0x39), byte(0xc0 | (b & 7) << 3 | (a & 7)); }
  void increment(General r) { rex(0, r), byte(0xff), byte(0xc0 | (r & 7)); }
  void decrement(General r) { rex(0, r), byte(0xff), byte(0xc8 | (r & 7)); }
  void push(General r) { rex(0, r), byte(0x50 | (r & 7)); }
  void pop(General r) { rex(0, r), byte(0x58 | (r & 7)); }
  void zeroUpper() { byte(0xc5), byte(0xf8), byte(0x77); }
  void ret() { byte(0xc3); }
  void jump(int64_t target) { byte(0xe9), word((int32_t)(target - here() - 4)); }

  int64_t here() const { return next_ - start_; }
  void align(int64_t bytes) {
    while (!full_ && here() % bytes) byte(0x90);
  }
  void data(uint32_t value) { word((int32_t)value); }
  void jump(Condition c, int64_t target) { byte(0x0f), byte(0x80 | c), word((int32_t)(target - here() - 4)); }
  // A jump over what follows, up to `land`.
  int64_t jumpAhead(Condition c) {
    jump(c, here());
    return here();
  }
  void land(int64_t jumped) {
    if (full_) return;
    const int32_t distance = (int32_t)(here() - jumped);
    memcpy(start_ + jumped - 4, &distance, 4);
  }

 private:
  void byte(int32_t value) {
    if (next_ == end_)
      full_ = true;
    else
      *next_++ = (unsigned char)value;
  }
  void word(int32_t value) {
    for (int i = 0; i < 4; i++) byte(value >> 8 * i);
  }
  void rex(int32_t reg, int32_t rm) { byte(0x48 | (reg >> 3 & 1) << 2 | (rm >> 3 & 1)); }

  void modRm(int32_t reg, Place rm, int32_t bytesBehind) {
    const int32_t r = (reg & 7) << 3, base = rm.number & 7;
    if (!rm.inMemory) return byte(0xc0 | r | base);
    if (rm.number == RIP) {
      byte(r | 5);
      return word((int32_t)(rm.displacement - here() - 4 - bytesBehind));
    }
    // A displacement of 4 bytes, or none; the base RBP or R13 always has one.
    const bool displaced = rm.displacement != 0 || base == RBP;
    const bool scaled = rm.index != NO_INDEX || base == RSP;
    byte((displaced ? 0x80 : 0) | r | (scaled ? 4 : base));
    if (scaled) byte(rm.scale << 6 | (rm.index == NO_INDEX ? 4 : rm.index & 7) << 3 | base);
    if (displaced) word(rm.displacement);
  }

  unsigned char *const start_, *next_, *const end_;
  const bool evex_;
  bool full_ = false;
};

}  // namespace FEWBIT_ISA
}  // namespace fewbit
