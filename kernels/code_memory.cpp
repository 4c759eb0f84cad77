#include "code_memory.h"

#include <string.h>
#include <sys/mman.h>
#ifdef __APPLE__
#include <libkern/OSCacheControl.h>
#include <pthread.h>
#endif

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

// Executable pages that hold `code`, or null.
#ifdef __APPLE__
// As Apple's "Porting just-in-time compilers to Apple silicon" says: a signed program with the hardened runtime gets
// executable memory with MAP_JIT alone, and the entitlement com.apple.security.cs.allow-jit, which Node's own has. On Apple
// silicon each thread switches between writing and executing such pages; on Intel they are protected as elsewhere.
static void* executablePages(const unsigned char* code, size_t bytes) {
  const int all = PROT_READ | PROT_WRITE | PROT_EXEC;
  void* const pages = mmap(nullptr, bytes, all, MAP_PRIVATE | MAP_ANON | MAP_JIT, -1, 0);
  if (pages == MAP_FAILED) return nullptr;
  const bool switches = pthread_jit_write_protect_supported_np();
  if (switches) pthread_jit_write_protect_np(0);
  memcpy(pages, code, bytes);
  if (switches) pthread_jit_write_protect_np(1);
  if (!switches && mprotect(pages, bytes, PROT_READ | PROT_EXEC) != 0) {
    munmap(pages, bytes);
    return nullptr;
  }
  sys_icache_invalidate(pages, bytes);
  return pages;
}
#else
static void* executablePages(const unsigned char* code, size_t bytes) {
  void* const pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  if (pages == MAP_FAILED) return nullptr;
  memcpy(pages, code, bytes);
  if (mprotect(pages, bytes, PROT_READ | PROT_EXEC) == 0) return pages;
  munmap(pages, bytes);
  return nullptr;
}
#endif

char* CodeMemory::seal() {
  if (written_.empty() || pages_) return static_cast<char*>(pages_);
  pages_ = executablePages(written_.data(), written_.size());
  if (!pages_) return nullptr;
  bytes_ = written_.size();
  written_ = {};
  return static_cast<char*>(pages_);
}

bool CodeMemory::allowed() {
  const unsigned char ret = 0xc3;
  CodeMemory memory;
  memory.add(&ret, 1);
  return memory.seal() != nullptr;
}

}  // namespace fewbit
