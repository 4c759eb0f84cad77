// How work is cut into chunks: by its shape only, so that the bits do not depend on the threads.
#pragma once
#include <stdint.h>

#include "product_cut.h"

namespace fewbit {
namespace FEWBIT_ISA {

static inline int64_t align64(int64_t bytes) { return (bytes + 63) / 64 * 64; }

enum { MAX_CHUNKS = MOST_THREADS, CHUNK_ELEMENTS = 8192 };

// Equal chunks of whole units: one chunk up to CHUNK_ELEMENTS elements, at most MAX_CHUNKS.
struct Cut {
  int64_t units, perChunk, chunks;
  Cut(int64_t count, int64_t elements) : units(count) {
    perChunk = ceilDivide(units, least(MAX_CHUNKS, 1 + elements / CHUNK_ELEMENTS));
    chunks = ceilDivide(units, perChunk);
  }
  int64_t begin(int64_t chunk) const { return chunk * perChunk; }
  int64_t end(int64_t chunk) const { return least(begin(chunk) + perChunk, units); }
};

}  // namespace FEWBIT_ISA
}  // namespace fewbit
