#include "pool.h"

#include <immintrin.h>

#include <chrono>
#include <system_error>

namespace fewbit {
namespace {

// Waits actively, but for at most 20 microseconds: the cores are also needed for preparing batches.
template <typename Condition>
bool spinUntil(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(20);
  do {
    for (int i = 0; i < 32; i++) {
      if (condition()) return true;
      _mm_pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return condition();
}

}  // namespace

Pool::Pool(int threads) : keep_(threads) {
  workers_.reserve(threads);
  try {
    for (int thread = 1; thread < threads; thread++) workers_.emplace_back([this, thread] { loop(thread); });
  } catch (const std::system_error&) {
    // A limit of threads is reached. Half of those made are given back: the rest of the process needs some, too.
    end(workers_.size() / 2);
  }
}

Pool::~Pool() { end(0); }

// Ends all workers but the first `keep`.
void Pool::end(size_t keep) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    keep_ = static_cast<int>(keep);
    published_++;
  }
  wake_.notify_all();
  while (workers_.size() > keep) {
    workers_.back().join();
    workers_.pop_back();
  }
}

void Pool::work(const Job& job, int thread) {
  for (;;) {
    const int64_t chunk = next_.fetch_add(1);
    if (chunk >= job.chunks) return;
    job.call(job.context, chunk, thread);
  }
}

// A worker counts itself active before it looks for the job; the caller takes the job away before
// it looks whether any worker is active. Both are sequentially consistent, so either the worker
// finds no job or the caller waits for it.
void Pool::run(const Job& job) {
  if (job.chunks <= 1 || workers_.empty()) {
    for (int64_t chunk = 0; chunk < job.chunks; chunk++) job.call(job.context, chunk, 0);
    return;
  }
  next_ = 0;
  job_ = &job;
  published_++;
  if (asleep_ > 0) {
    // A worker about to sleep holds the mutex from its last look at `published_`.
    {
      std::lock_guard<std::mutex> lock(mutex_);
    }
    if (job.chunks > threads()) {
      wake_.notify_all();
    } else {
      for (int64_t i = 1; i < job.chunks; i++) wake_.notify_one();
    }
  }
  work(job, 0);
  job_ = nullptr;
  const auto idle = [this] { return active_ == 0; };
  if (spinUntil(idle)) return;
  std::unique_lock<std::mutex> lock(mutex_);
  callerAsleep_ = true;
  finished_.wait(lock, idle);
  callerAsleep_ = false;
}

void Pool::loop(int thread) {
  uint32_t seen = 0;
  for (;;) {
    const auto published = [&] { return published_ != seen; };
    if (!spinUntil(published)) {
      std::unique_lock<std::mutex> lock(mutex_);
      asleep_++;
      wake_.wait(lock, published);
      asleep_--;
    }
    seen = published_;
    if (thread > keep_) return;
    active_++;
    if (const Job* job = job_) work(*job, thread);
    if (--active_ == 0 && callerAsleep_) {
      std::lock_guard<std::mutex> lock(mutex_);
      finished_.notify_one();
    }
  }
}

}  // namespace fewbit
