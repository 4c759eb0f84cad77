#include "pools.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

namespace fewbit {
namespace {

struct Entry {
  int threads;  // that it was made for
  bool idle;
  std::unique_ptr<Pool> pool;
};

std::mutex mutex;
std::vector<Entry> entries;
int users = 0;

// Ends the threads of idle pools where nobody is left to use them.
void endUnused() {
  if (users > 0) return;
  const auto idle = [](const Entry& entry) { return entry.idle; };
  entries.erase(std::remove_if(entries.begin(), entries.end(), idle), entries.end());
}

Pool& borrow(int threads) {
  for (Entry& entry : entries) {
    if (!entry.idle || entry.threads != threads) continue;
    entry.idle = false;
    return *entry.pool;
  }
  entries.push_back({threads, false, std::make_unique<Pool>(threads)});
  return *entries.back().pool;
}

void giveBack(const Pool& pool) {
  for (Entry& entry : entries) {
    if (entry.pool.get() == &pool) entry.idle = true;
  }
  endUnused();
}

}  // namespace

BorrowedPool::BorrowedPool(int threads)
    : pool_([threads]() -> Pool& {
        const std::lock_guard<std::mutex> lock(mutex);
        return borrow(threads);
      }()) {}

BorrowedPool::~BorrowedPool() {
  const std::lock_guard<std::mutex> lock(mutex);
  giveBack(pool_);
}

int availableThreads(int threads) {
  const std::lock_guard<std::mutex> lock(mutex);
  for (const Entry& entry : entries) {
    if (entry.threads == threads) return entry.pool->threads();
  }
  Pool& pool = borrow(threads);
  const int count = pool.threads();
  giveBack(pool);
  return count;
}

void beginUsingPools() {
  const std::lock_guard<std::mutex> lock(mutex);
  users++;
}

void endUsingPools() {
  const std::lock_guard<std::mutex> lock(mutex);
  users--;
  endUnused();
}

}  // namespace fewbit
