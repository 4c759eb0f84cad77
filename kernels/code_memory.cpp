#include "code_memory.h"

#include <string.h>
#include <sys/mman.h>

namespace fewbit {

constexpr size_t alignment = 64;  // a cache line

CodeMemory::~CodeMemory() {
  if (pages_) munmap(pages_, bytes_);
}

size_t CodeMemory::add(const unsigned char* code, size_t bytes) {
  const size_t offset = (written_.size() + alignment - 1) / alignment * alignment;
  written_.resize(offset);
  written_.insert(written_.end(), code, code + bytes);
  return offset;
}

const char* CodeMemory::seal() {
  if (written_.empty() || pages_) return static_cast<const char*>(pages_);
  void* const pages = mmap(nullptr, written_.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  if (pages == MAP_FAILED) return nullptr;
  memcpy(pages, written_.data(), written_.size());
  if (mprotect(pages, written_.size(), PROT_READ | PROT_EXEC) != 0) {
    munmap(pages, written_.size());
    return nullptr;
  }
  pages_ = pages;
  bytes_ = written_.size();
  written_ = {};
  return static_cast<const char*>(pages_);
}

bool CodeMemory::allowed() {
  const unsigned char ret = 0xc3;
  CodeMemory memory;
  memory.add(&ret, 1);
  return memory.seal() != nullptr;
}

}  // namespace fewbit
