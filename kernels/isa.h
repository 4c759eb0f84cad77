// What the translation units of one instruction set (isa.cpp, isa_map.cpp, isa_product.cpp) give one another: a changed
// kernel is compiled with its family alone.
#pragma once
#include "program.h"

namespace fewbit {
namespace FEWBIT_ISA {

Plan planOf(const MapInstruction&);
Plan planOf(const ProductInstruction&);
void runChunkOf(const MapInstruction&, const Memory&, const Chunk&);
void runChunkOf(const ProductInstruction&, const Memory&, const Chunk&);
size_t codeOf(const MapInstruction&, unsigned char* to, size_t room);

}  // namespace FEWBIT_ISA
}  // namespace fewbit
