// Pools where the system makes fewer threads than are asked for, and what remains of borrowed ones.
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <vector>

#include "pools.h"

using namespace fewbit;

static int failures = 0;

static void expect(bool condition, const char* what) {
  if (condition) return;
  fprintf(stderr, "failed: %s\n", what);
  failures++;
}

// Every chunk once, by threads that there are.
static bool runsAll(Pool& pool) {
  std::vector<std::atomic<int>> times(1000);
  std::atomic<bool> known{true};
  pool.run(1000, [&](int64_t chunk, int thread) {
    times[chunk]++;
    if (thread < 0 || thread >= pool.threads()) known = false;
  });
  bool once = true;
  for (const std::atomic<int>& count : times) once = once && count == 1;
  return once && known;
}

static long threadsNow() {
  FILE* const status = fopen("/proc/self/status", "r");
  long count = -1;
  char line[256];
  while (status && fgets(line, sizeof line, status)) {
    if (sscanf(line, "Threads: %ld", &count) == 1) break;
  }
  if (status) fclose(status);
  return count;
}

int main() {
  beginUsingPools();
  const Pool* first;
  {
    const BorrowedPool a(4), b(4), other(3);
    first = &*a;
    expect(first != &*b, "runs side by side have pools of their own");
    expect((*a).threads() == 4 && (*other).threads() == 3, "a pool has the threads that are asked for");
    expect(runsAll(*a) && runsAll(*b), "all chunks run");
  }
  for (int i = 0; i < 1000; i++) {
    const BorrowedPool pool(4);
    expect(i > 0 || &*pool == first, "an idle pool is borrowed again");
  }
  expect(availableThreads(4) == 4, "available threads");
#ifdef __linux__
  expect(threadsNow() == 1 + 3 + 3 + 2, "a thousand runs leave the threads of as many pools as ran side by side");
#endif
  endUsingPools();
#ifdef __linux__
  expect(threadsNow() == 1, "the last user ends all threads");
#endif
  {
    const BorrowedPool late(4);
    expect(runsAll(*late), "a run that ends after the last user");
  }

  // The system counts the threads of a user, and denies root none: another user's, who has no others.
  if (getuid() == 0 && (setgid(54321) != 0 || setuid(54321) != 0)) {
    printf("not tested: a limit of threads, since this root cannot become another user\n");
  } else {
    const rlimit few = {6, 6};
    expect(setrlimit(RLIMIT_NPROC, &few) == 0, "a limit of threads can be set");
    for (int i = 0; i < 100; i++) {
      Pool pool(48);
      expect(pool.threads() >= 1 && pool.threads() < 48, "fewer threads than asked for");
      expect(runsAll(pool), "all chunks run on fewer threads");
    }
  }
  printf("pools: %s\n", failures == 0 ? "ok" : "failed");
  return failures == 0 ? 0 : 1;
}
