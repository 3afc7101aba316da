// Threads: OpenMP's pool (the one torch uses), a barrier for the few places where threads must meet, and fair shares.
#pragma once

#include <omp.h>

#include <atomic>
#include <thread>

#include "vector.h"

namespace gatewise {

// The part of 0..count that falls to one of `shares`: sizes differ by at most one.
struct Range {
  long begin, end;
  long size() const { return end - begin; }
};
inline Range share(long count, int index, int shares) {
  return {count * index / shares, count * (index + 1) / shares};
}

// All `threads` of a region call wait(); none goes on before the last has come. Spins, since a step of a small network
// lasts microseconds; gives the core away when the others evidently are not running.
class Barrier {
 public:
  int threads = 1;
  void wait() {
    if (threads == 1) return;
    const int generation = generation_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == threads - 1) {
      arrived_.store(0, std::memory_order_relaxed);
      generation_.store(generation + 1, std::memory_order_release);
      return;
    }
    for (long spins = 0; generation_.load(std::memory_order_acquire) == generation; ++spins) {
      if (spins < 4000)
        pause();
      else
        std::this_thread::yield();
    }
  }

 private:
  static void pause() {
#if defined(__SSE2__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
  }
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<int> generation_{0};
};

// In a team of at most `threads`: one thread calls prepare(team size), which says whether to go on; then every thread
// calls body(thread, team size, barrier). Subnormals are flushed to zero inside. A team of one is the caller's own
// thread: OpenMP is not entered, so a forked child may call. Neither function may throw.
template <class Prepare, class Body> void in_parallel(int threads, const Prepare& prepare, const Body& body) {
  Barrier barrier;
  if (threads <= 1) {
    const FlushSubnormals flush;
    barrier.threads = 1;
    if (prepare(1)) body(0, 1, barrier);
    return;
  }
  bool ready = false;
#pragma omp parallel num_threads(threads)
  {
    const FlushSubnormals flush;
    const int team = omp_get_num_threads();
#pragma omp single
    {
      barrier.threads = team;
      ready = prepare(team);
    }
    if (ready) body(omp_get_thread_num(), team, barrier);
  }
}

}  // namespace gatewise
