// Memory for machine code: written first and made executable then, never both at a time.
#pragma once
#include <stddef.h>

#include <vector>

namespace fewbit {

class CodeMemory {
 public:
  CodeMemory() = default;
  ~CodeMemory();
  CodeMemory(const CodeMemory&) = delete;
  CodeMemory& operator=(const CodeMemory&) = delete;

  // Adds code, which may lie at any address. Gives its offset.
  size_t add(const unsigned char* code, size_t bytes);
  // Makes what was added executable; gives where it begins, or null where the system refuses.
  char* seal();

  // Whether the system allows machine code at all.
  static bool allowed();

 private:
  std::vector<unsigned char> written_;
  void* pages_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace fewbit
