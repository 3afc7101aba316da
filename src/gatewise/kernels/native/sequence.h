// One call of a sequence kernel: what comes in, what goes out, and how the rows are dealt to threads.
//
// Axes: T steps, B batch rows, I input size, H hidden units, G gates, S saved values per unit. All arrays are float32, row-major and dense unless a stride is given; strides count floats.
#pragma once

#include <cstdint>

#include "pack.h"
#include "workspace.h"

#define GATEWISE_EXPORT extern "C" __attribute__((visibility("default")))

// The C interface. Every field is eight bytes wide, so that the layout is the same everywhere; a null pointer means
// "not there" (initial state zero, no bias, gradient not wanted ...). The same struct serves forward and backward.
struct GatewiseSequence {
  int64_t steps, batch, input_size, hidden_size;  // T, B, I, H
  int64_t threads;                                // at most this many
  int64_t training;                               // 1: keep in `gates` (and `cells`) what backward needs
  int64_t reverse;                                // 1: every row from its last step to its first
  int64_t flags;                                  // the cell's own switches, bits named in its fused.cpp
  int64_t rounding;                               // what enters products: a Rounding; forward without options or training

  const float* x;  // (T, B, I) by the two strides
  int64_t x_step_stride, x_batch_stride;
  const float *weight_ih, *weight_hh;              // (G H, I), (G H, H); no weight_hh where no gate sees the state
  const float *bias_ih, *bias_hh;                  // (G H)
  const float *h0, *c0;                            // (B, H)
  const int64_t* lengths;                          // (B), 0 <= length <= T
  const float* recurrent_mask;                     // (B, H)
  const uint8_t *zoneout_h_mask, *zoneout_c_mask;  // (T, B, H), 1 = keep the old value
  double zoneout_h, zoneout_c;                     // the expectation, where there is no mask
  const float *layer_norm_ih, *layer_norm_hh;      // (G H) gains
  const float *layer_norm_c, *layer_norm_c_bias;   // (H)
  const float* peephole;                           // (3, H) for i, f, o

  float *output, *h_n, *c_n;  // (T, B, H), (B, H), (B, H)
  float* cells;               // (T, B, H) states of a cell that has two, training only
  float* gates;               // (T, B, S H) kept values; backward turns them into gradients of the pre-activations
  float* normalized_x;        // (T, B, G H) normalised input product; backward turns it into the product's gradient
  float* normalized_h;        // (T, B, G H) the same for the recurrent product
  float* deviations;          // (T, B, 4) one over the deviations: input block 0, 1, state block 0, 1

  const float* grad_output;  // (T, B, H) by the two strides
  int64_t grad_output_step_stride, grad_output_batch_stride;
  const float *grad_h_n, *grad_c_n;  // (B, H)
  float* grad_x;                     // (T, B, I)
  float *grad_h0, *grad_c0;          // (B, H)
  float *grad_weight_ih, *grad_weight_hh;
  float *grad_bias_ih, *grad_bias_hh;
  float *grad_layer_norm_ih, *grad_layer_norm_hh, *grad_layer_norm_c, *grad_layer_norm_c_bias;
  float* grad_peephole;

  float* packed;         // forward: room for the packed weights, which outlive the call (gatewise_<cell>_packed); or null
  int64_t packed_ready;  // 1: they are there already, and no weight is read; 0: this call packs them
};

namespace gatewise {

using Sequence = GatewiseSequence;

// What enters the products: floats as they are, bfloat16 (bf16.h), or whole numbers (int8.h).
enum Rounding : int64_t { kFloat32 = 0, kBf16 = 1, kInt8 = 2 };

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
// per thread.
struct Plan {
  bool split_units = false;
  Rows* rows = nullptr;   // per thread (split rows), or one entry for all
  long real_steps = 0;    // sum of all lengths
  bool ragged = false;    // some row is shorter than T
  const Rows& of(int thread) const { return rows[split_units ? 0 : thread]; }
};

// Checks the lengths and deals the rows. `threads` must be the size of the team that will run; `weights` is how many
// numbers of weights one step reads.
Status make_plan(const Sequence& q, int threads, double weights, bool may_split_units, Workspace& workspace, Plan* plan);

// Where step s of a row of `length` steps lies in time.
inline long time_of(const Sequence& q, long length, long step) { return q.reverse ? length - 1 - step : step; }

// How many threads this much work (multiply-adds) is worth.
int useful_threads(const Sequence& q, double work);

}  // namespace gatewise
