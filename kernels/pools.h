// The thread pools of this process. A program borrows one for a run, so that executors own no threads: there are as
// many pools as runs were ever under way at a time.
#pragma once
#include "pool.h"

namespace fewbit {

class BorrowedPool {
 public:
  // An idle pool that was made for this many threads, or a new one.
  explicit BorrowedPool(int threads);
  ~BorrowedPool();
  BorrowedPool(const BorrowedPool&) = delete;
  BorrowedPool& operator=(const BorrowedPool&) = delete;

  Pool& operator*() const { return pool_; }

 private:
  Pool& pool_;
};

// How many threads a run on so many has: fewer where the system makes no more. Makes a pool if there is none.
int availableThreads(int threads);

// Each user of the pools, an environment of Node's, says when it begins and ends; the last one ends all threads, since this
// library may be unloaded then.
void beginUsingPools();
void endUsingPools();

}  // namespace fewbit
