// One forward or backward call from beginning to end, the same for every cell: dealing out, packing, walking, gathering.
#pragma once

#include "run_backward.h"
#include "run_forward.h"

namespace gatewise {

// Beside what forward.h and backward.h ask of a Cell, it says how its weights lie:
//
//   int gates() const;                            // G, in the weights
//   const int* order() const;                     // which gate stands in which slot (gate panels)
//   float start(int slot, long unit) const;       // the bias a sum starts from
//   bool whole_rows() const;                      // some option is on: whole.h's walk and its functions per row
//   const float* recurrent_gradient() const;      // (T, B, recurrent_size()): what the recurrent weights see
//   const float* input_gradient() const;          // (T, B, input_gradient_size()): what the input weights see
//   Stretches recurrent_stretches(), input_stretches() const;
//   int bias_sums() const;                        // rows of H sums that each thread keeps
//   int input_products(..), state_products(..) const;  // which weights' gradients are which outer products
//   void finish_gradients(const float* const* sums, int threads, long width, Range units) const;

// How many floats `GatewiseSequence::packed` has room for; sizes and flags are read, nothing else.
template <class Cell> int64_t packed_size(const Cell& cell, const Sequence& q) { return packed_places(cell, q).total; }

template <class Cell> int run_forward(const Cell& cell, const Sequence& q) {
  ForwardRun<Cell> run{cell, q};
  in_parallel(
      useful_threads(q, multiply_adds(cell, q)), [&](int team) { return run.prepare(team); },
      [&](int thread, int team, Barrier& barrier) { run.work(thread, team, barrier); });
  return run.status;
}

template <class Cell> int run_backward(const Cell& cell, const Sequence& q) {
  BackwardRun<Cell> run{cell, q};
  in_parallel(
      useful_threads(q, multiply_adds(cell, q)), [&](int team) { return run.prepare(team); },
      [&](int thread, int team, Barrier& barrier) { run.work(thread, team, barrier); });
  return run.status;
}

}  // namespace gatewise
