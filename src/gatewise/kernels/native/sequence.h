// One call of a sequence kernel: what comes in, what goes out, and how the rows are dealt to threads.
//
// Axes: T steps, B batch rows, I input size, H hidden units, G gates, S saved values per unit. All arrays are float32,
// row-major and dense unless a stride is given; strides count floats.
#pragma once

#include "interface.h"
#include "pack.h"
#include "workspace.h"

#define GATEWISE_EXPORT extern "C" __attribute__((visibility("default")))

namespace gatewise {

using Sequence = GatewiseSequence;

// What enters the products: floats as they are, bfloat16 (bf16.h), or whole numbers (int8.h).
enum Rounding : int64_t { kFloat32 = 0, kBf16 = 1, kInt8 = 2 };  // kInt8: forward without training

// What a kernel call returns.
enum Status : int { kOk = 0, kBadLength = 1, kOutOfMemory = 2, kNotSupported = 3 };

// The rows one thread walks through, longest first, so that at every step the rows still running are the first ones.
struct Rows {
  const long* batch;   // which batch row
  const long* length;  // its number of steps
  long count;
  long steps() const { return count > 0 ? length[0] : 0; }
  // How many rows are longer than `step`, given an upper bound from the step before.
  long running(long step, long bound) const {
    while (bound > 0 && length[bound - 1] <= step) --bound;
    return bound;
  }
};

// How one call is dealt out. Either each thread has its own rows and all units (no barrier in the time loop), or all
// threads share all rows and each has its own units (a barrier after every step): for tiny batches, and where the
// weights are larger than a second-level cache, so that each step reads them from further away: then once, not once
// per thread. A forward walk with one tile of rows does so from fewer weights on: each thread's part then stays in its
// own second-level cache, and a tile of all rows costs less than two tiles of half of them.
struct Plan {
  bool split_units = false;
  Rows* rows = nullptr;   // per thread (split rows), or one entry for all
  long real_steps = 0;    // sum of all lengths
  bool ragged = false;    // some row is shorter than T
  const Rows& of(int thread) const { return rows[split_units ? 0 : thread]; }
};

// More weights than these come from behind the second-level cache at every step (1 MB: what each core has at least), and
// from far behind it (4 MB).
constexpr double kNearWeights = 2.5e5, kCachedWeights = 1e6;

// From how many weights on, and how many units for each, threads share the units of a step.
struct Sharing {
  double weights;
  long units;
};

// Checks the lengths and deals the rows. `threads` must be the size of the team that will run; `weights` is how many
// numbers of weights one step reads.
Status make_plan(const Sequence& q, int threads, double weights, Sharing shared, Workspace& workspace, Plan* plan);

// Where step s of a row of `length` steps lies in time.
inline long time_of(const Sequence& q, long length, long step) { return q.reverse ? length - 1 - step : step; }

// How many threads this much work (multiply-adds) is worth.
int useful_threads(const Sequence& q, double work);

}  // namespace gatewise
