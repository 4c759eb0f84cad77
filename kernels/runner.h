// Threads on which programs run, so that none waits behind what Node does on its own pool, such as decoding images.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace fewbit {

class Runner {
 public:
  Runner() = default;
  // Waits for what was begun.
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Calls `run` and then `done` on a thread that has nothing else to do, or on this one where the system makes no thread.
  // From `done` on the thread takes another task.
  void begin(std::function<void()> run, std::function<void()> done);

 private:
  struct Task {
    std::function<void()> run, done;
  };
  void loop();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> waiting_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;  // threads that have nothing to do, less the tasks that wait for them
  bool ends_ = false;
};

}  // namespace fewbit
