// The loop of cells whose gates see the input only: h_t = a_t * h_{t-1} + b_t, sequential over time, parallel over
// rows and channels, with a_t and b_t computed from the pre-activations in registers.
//
// A Cell gives, for one register of channels,
//     kGates                                   pre-activations per channel
//     Float step(gates, hidden)                the new state
//     Float gradient(gates, hidden, grad_new, grad_gates)
//         fills grad_gates and returns the share of grad_new that goes back through `hidden`.
//
// Time is the outer loop and memory is read as it lies, (T,B,G*H): per step one thread touches its own stretch of the
// B*H channels, whose states stay in its first-level cache. No thread ever waits for another, and every channel is
// computed in the same order whatever the number of threads: same bits.
#pragma once

#include "activations.h"
#include "parallel.h"

namespace gatewise {

// Sizes and direction of one scan. lengths (B) may be null: every row has `steps`. In a reversed scan row b runs from
// lengths[b] - 1 down to 0. Steps past a row's end give zero output and zero gradient and leave its state alone.
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

// Registers of work below which a second thread costs more than it brings.
constexpr long kScanRegistersPerThread = 2048;

// Calls body(row, step, first channel, last channel) for every row and step of one share of the rows * width channels;
// steps in their order, or from the last to the first.
template <class Body> void walk_share(const Scan& scan, bool forward, Range mine, const Body& body) {
  const FlushSubnormals flush;
  const long blocks = (scan.width + kWidth - 1) / kWidth;
  for (long turn = 0; turn < scan.steps; ++turn) {
    const long step = forward ? turn : scan.steps - 1 - turn;
    for (long block = mine.begin; block < mine.end;) {
      const long row = block / blocks, first = block % blocks;
      const long last = mine.end - row * blocks < blocks ? mine.end - row * blocks : blocks;
      const long end = last * kWidth < scan.width ? last * kWidth : scan.width;
      body(row, step, first * kWidth, end);
      block = row * blocks + last;
    }
  }
}

// The whole scan, shared out over the threads that pay. One thread means the caller's own, without OpenMP.
template <class Body> void walk(const Scan& scan, bool forward, const Body& body) {
  const long registers = scan.rows * ((scan.width + kWidth - 1) / kWidth);
  const long useful = registers * scan.steps / kScanRegistersPerThread;
  if (scan.threads <= 1 || useful <= 1) return walk_share(scan, forward, {0, registers}, body);
  const int threads = int(useful < scan.threads ? useful : scan.threads);
#pragma omp parallel num_threads(threads)
  walk_share(scan, forward, share(registers, omp_get_thread_num(), omp_get_num_threads()), body);
}

// One step of some channels of one row, forward.
template <class Cell> struct ScanForward {
  const Scan& scan;
  const float* gates;  // (T,B,G*H)
  float* state;        // (B,H), h_{t-1} on entry, h_t on return
  float* output;       // (T,B,H)

  void operator()(long row, long step, long begin, long end) const {
    const long place = scan.time(row, step) * scan.rows + row;
    float* to = output + place * scan.width;
    const bool active = step < scan.length(row);
    const float* from = gates + place * Cell::kGates * scan.width;
    float* hidden = state + row * scan.width;
    for (long i = begin; i < end; i += kWidth) {
      const Part<kWidth> part(end - i);
      Float<kWidth> next{};
      if (active) {
        Float<kWidth> gate[Cell::kGates];
        for (int g = 0; g < Cell::kGates; ++g) gate[g] = load(from + g * scan.width + i, part);
        next = Cell::step(gate, load(hidden + i, part));
        store(hidden + i, part, next);
      }
      store(to + i, part, next);
    }
  }
};

// The same on the way back; grad_gates may be the gates themselves.
template <class Cell> struct ScanBackward {
  const Scan& scan;
  const float* gates;        // (T,B,G*H)
  const float* initial;      // (B,H)
  const float* output;       // (T,B,H)
  const float* grad_output;  // (T,B,H) or null
  float* grad_state;         // (B,H), that of h_t on entry, of h_{t-1} on return
  float* grad_gates;         // (T,B,G*H), or (.,B,G*H) from step `first_step` on, in the order of the steps
  long first_step = -1;

  void operator()(long row, long step, long begin, long end) const {
    const long place = scan.time(row, step) * scan.rows + row;
    const bool active = step < scan.length(row);
    const float* before = initial + row * scan.width;
    if (active && step > 0) before = output + (scan.time(row, step - 1) * scan.rows + row) * scan.width;
    const long here = first_step < 0 ? place : (step - first_step) * scan.rows + row;
    const float* from = gates + (gates == grad_gates ? here : place) * Cell::kGates * scan.width;
    float* to = grad_gates + here * Cell::kGates * scan.width;
    float* carried = grad_state + row * scan.width;
    for (long i = begin; i < end; i += kWidth) {
      const Part<kWidth> part(end - i);
      Float<kWidth> grad_gate[Cell::kGates] = {};
      if (active) {
        Float<kWidth> gate[Cell::kGates];
        for (int g = 0; g < Cell::kGates; ++g) gate[g] = load(from + g * scan.width + i, part);
        Float<kWidth> grad = load(carried + i, part);
        if (grad_output) grad += load(grad_output + place * scan.width + i, part);
        grad = Cell::gradient(gate, load(before + i, part), grad, grad_gate);
        store(carried + i, part, grad);
      }
      for (int g = 0; g < Cell::kGates; ++g) store(to + g * scan.width + i, part, grad_gate[g]);
    }
  }
};

// gates (T,B,G*H); state (B,H): h_0 on entry, the last state on return; output (T,B,H).
template <class Cell> void scan_forward(const Scan& scan, const float* gates, float* state, float* output) {
  walk(scan, true, ScanForward<Cell>{scan, gates, state, output});
}

// The way back. initial (B,H) and output (T,B,H) as the forward scan had and gave them; grad_output (T,B,H) or null;
// grad_state (B,H): the gradient of the last state on entry, that of h_0 on return; grad_gates (T,B,G*H) is written.
template <class Cell>
void scan_backward(const Scan& scan, const float* gates, const float* initial, const float* output,
                   const float* grad_output, float* grad_state, float* grad_gates) {
  walk(scan, false, ScanBackward<Cell>{scan, gates, initial, output, grad_output, grad_state, grad_gates});
}

// g(x) of Feng et al. 2024: x + 0.5 for x >= 0, else sigmoid(x); and its derivative given its value.
template <class F> GATEWISE_INLINE F positive(F x) { return select(x < 0.0f, sigmoid(x), x + 0.5f); }
template <class F> GATEWISE_INLINE F positive_slope(F x, F value) {
  return select(x < 0.0f, value * (1.0f - value), broadcast<lanes<F>>(1.0f));
}

}  // namespace gatewise
