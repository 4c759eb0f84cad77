// The maps of one instruction set (see isa.h).
#include "simd.h"

#include "isa.h"
#include "map.h"
#ifndef __wasm__
#include "map_code.h"
#endif

namespace fewbit {
namespace FEWBIT_ISA {

Plan planOf(const MapInstruction& map) { return planMap(map); }

void runChunkOf(const MapInstruction& map, const Memory& memory, const Chunk& chunk) { runMap(map, memory, chunk); }

#ifdef __wasm__
size_t codeOf(const MapInstruction&, unsigned char*, size_t) { return 0; }
#else
size_t codeOf(const MapInstruction& map, unsigned char* to, size_t room) { return compileMap(map, to, room); }
#endif

}  // namespace FEWBIT_ISA
}  // namespace fewbit
