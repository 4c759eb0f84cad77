// A fixed set of threads that share the chunks of one job at a time.
#pragma once
#include <stdint.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace fewbit {

class Pool {
 public:
  // The thread that calls `run` is thread 0; `threads - 1` workers help it, or fewer where the system makes no more.
  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(chunk, thread) for every chunk, in any order, and returns when all have ended.
  template <typename Body>
  void run(int64_t chunks, const Body& body) {
    const auto call = [](const void* context, int64_t chunk, int thread) {
      (*static_cast<const Body*>(context))(chunk, thread);
    };
    run(Job{call, &body, chunks});
  }

 private:
  struct Job {
    void (*call)(const void* context, int64_t chunk, int thread);
    const void* context;
    int64_t chunks;
  };

  void end(size_t keep);
  void run(const Job& job);
  void work(const Job& job, int thread);
  void loop(int thread);

  std::vector<std::thread> workers_;
  std::atomic<const Job*> job_{nullptr};  // what there is to join, if anything
  std::atomic<int64_t> next_{0};          // the chunk to take next
  std::atomic<int> active_{0};            // workers that may hold `job_`
  std::atomic<uint32_t> published_{0};    // counts jobs; workers wait for it to change
  std::atomic<int> asleep_{0};            // workers waiting on `wake_`
  std::atomic<bool> callerAsleep_{false};
  std::atomic<int> keep_;  // workers behind this one end
  std::mutex mutex_;
  std::condition_variable wake_, finished_;
};

}  // namespace fewbit
