// What the translation units of one instruction set (isa.cpp, isa_map.cpp, isa_product.cpp) give one another: a changed
// kernel is compiled with its family alone.
#pragma once
#include "program.h"

namespace fewbit {
namespace FEWBIT_ISA {

Plan planOf(const MapInstruction&);
Plan planOf(const ProductInstruction&);
void runChunkOf(const MapInstruction&, const Memory&, int32_t phase, int64_t chunk, Work);
void runChunkOf(const ProductInstruction&, const Memory&, int32_t phase, int64_t chunk, Work);
size_t codeOf(const MapInstruction&, unsigned char* to, size_t room);

}  // namespace FEWBIT_ISA
}  // namespace fewbit
