#include "runner.h"

#include <system_error>
#include <utility>

namespace fewbit {

Runner::~Runner() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ends_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Runner::begin(std::function<void()> run, std::function<void()> done) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    try {
      if (idle_ > 0) {
        idle_--;
      } else {
        threads_.emplace_back([this] { loop(); });
      }
      waiting_.push_back({std::move(run), std::move(done)});
      wake_.notify_one();
      return;
    } catch (const std::system_error&) {
      // A limit of threads is reached.
    }
  }
  run();
  done();
}

void Runner::loop() {
  for (;;) {
    std::unique_lock<std::mutex> lock(mutex_);
    wake_.wait(lock, [this] { return ends_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const Task task = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    task.run();
    lock.lock();
    idle_++;
    lock.unlock();
    task.done();
  }
}

}  // namespace fewbit
