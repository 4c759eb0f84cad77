// The products of one instruction set (see isa.h).
#include "simd.h"

#include "isa.h"
#include "product.h"

namespace fewbit {
namespace FEWBIT_ISA {

Plan planOf(const ProductInstruction& product) { return planProduct(product); }

void runChunkOf(const ProductInstruction& product, const Memory& memory, const Chunk& chunk) {
  runProduct(product, memory, chunk);
}

}  // namespace FEWBIT_ISA
}  // namespace fewbit
