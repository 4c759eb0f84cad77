// The operations of maps, in the order of `mapOps` in src/runtime/instructions.ts: their names, and what each does with
// vectors x, y and z in terms of simd.h and math.h. Machine code for those that have some is in map_code.h; maps with
// others are interpreted.
#pragma once

#define FEWBIT_MAP_OPS(UNARY, BINARY, TERNARY) \
  UNARY(NEG, negative(x))                      \
  UNARY(ABS, absolute(x))                      \
  UNARY(EXP, exponential(x))                   \
  UNARY(LOG, logarithm(x))                     \
  UNARY(SQRT, squareRoot(x))                   \
  UNARY(TANH, hyperbolicTangent(x))            \
  UNARY(ROUND, roundEven(x))                   \
  UNARY(ROUND_BF16, roundBf16(x))              \
  BINARY(ADD, x + y)                           \
  BINARY(SUB, x - y)                           \
  BINARY(MUL, x* y)                            \
  BINARY(DIV, x / y)                           \
  BINARY(MIN, minimum(x, y))                   \
  BINARY(MAX, maximum(x, y))                   \
  BINARY(LT, oneWhere(isLess(x, y)))           \
  BINARY(LE, oneWhere(isAtMost(x, y)))         \
  BINARY(EQ, oneWhere(isEqual(x, y)))          \
  TERNARY(SELECT, choose(isUnequal(x, splat(0)), y, z))
