// Cells whose gates see the input only: h_t = a_t * h_{t-1} + b_t, sequential over time, parallel over rows and
// channels, with a_t and b_t computed from the pre-activations in registers. scan_layer.h runs a whole layer of them.
//
// A Cell gives, for one register of channels,
//     kGates                                   pre-activations per channel
//     Float step(gates, hidden)                the new state
//     Float gradient(gates, hidden, grad_new, grad_gates)
//         fills grad_gates and returns the share of grad_new that goes back through `hidden`.
#pragma once

#include "activations.h"
#include "parallel.h"

namespace gatewise {

// Sizes and direction of one scan. lengths (B) may be null: every row has `steps`. In a reversed scan row b runs from
// lengths[b] - 1 down to 0. Every channel is computed in the same order whatever the number of threads: same bits.
struct Scan {
  int threads;
  bool reverse;
  long steps, rows, width;  // T, B, H
  const int64_t* lengths;

  long length(long row) const { return lengths ? long(lengths[row]) : steps; }
  bool lengths_fit() const {
    for (long row = 0; lengths && row < rows; ++row)
      if (lengths[row] < 0 || lengths[row] > steps) return false;
    return true;
  }
  // Where the step-th update of a row lies in time; for step >= length, a padded place.
  long time(long row, long step) const {
    const long length = this->length(row);
    return reverse && step < length ? length - 1 - step : step;
  }
};

// One step of some channels of one row on the way back; grad_gates may be the gates themselves.
template <class Cell> struct ScanBackward {
  const Scan& scan;
  const float* gates;        // (T,B,G*H), or grad_gates
  const float* initial;      // (B,H)
  const float* output;       // (T,B,H)
  const float* grad_output;  // (T,B,H) by the two strides, or null
  long grad_step_stride, grad_batch_stride;
  float* grad_state;         // (B,H), that of h_t on entry, of h_{t-1} on return
  float* grad_gates;         // (.,B,G*H) from step `first_step` on, in the order of the steps
  long first_step;

  void operator()(long row, long step, long begin, long end) const {
    const long time = scan.time(row, step), place = time * scan.rows + row;
    const float* before = initial + row * scan.width;
    if (step > 0) before = output + (scan.time(row, step - 1) * scan.rows + row) * scan.width;
    const long here = (step - first_step) * scan.rows + row;
    const float* from = gates + (gates == grad_gates ? here : place) * Cell::kGates * scan.width;
    const float* given = grad_output ? grad_output + time * grad_step_stride + row * grad_batch_stride : nullptr;
    float* to = grad_gates + here * Cell::kGates * scan.width;
    float* carried = grad_state + row * scan.width;
    for (long i = begin; i < end; i += kWidth) {
      const Part<kWidth> part(end - i);
      Float<kWidth> grad_gate[Cell::kGates] = {}, gate[Cell::kGates];
      for (int g = 0; g < Cell::kGates; ++g) gate[g] = load(from + g * scan.width + i, part);
      Float<kWidth> grad = load(carried + i, part);
      if (given) grad += load(given + i, part);
      grad = Cell::gradient(gate, load(before + i, part), grad, grad_gate);
      store(carried + i, part, grad);
      for (int g = 0; g < Cell::kGates; ++g) store(to + g * scan.width + i, part, grad_gate[g]);
    }
  }
};

// g(x) of Feng et al. 2024: x + 0.5 for x >= 0, else sigmoid(x); and its derivative given its value.
template <class F> GATEWISE_INLINE F positive(F x) { return select(x < 0.0f, sigmoid(x), x + 0.5f); }
template <class F> GATEWISE_INLINE F positive_slope(F x, F value) {
  return select(x >= 0.0f, broadcast<lanes<F>>(1.0f), value * (1.0f - value));  // NaN gives NaN
}

}  // namespace gatewise
