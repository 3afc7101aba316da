// What a cell does in one step of a stream (session.cpp), and what such steps share.
//
// The weights lie in the order in which a step reads them: for each block of W hidden units, for each input k, the rows
// of all gates side by side. One block's gates meet in registers, where the cell's equations are applied.
//
// Each cell's fused.cpp exports `gatewise_<cell>_session(flags)`, which gives its stream::Cell.
#pragma once

#include <cstdint>

#include "activations.h"

namespace gatewise {
namespace stream {

constexpr int W = kWidth;
using F = Float<W>;

// One layer's weights as a step sees them. Widths are rounded up to whole registers inside; the lanes past H have zero
// weights and are never read outside.
struct Layer {
  int64_t flags;                       // the cell's own, as in sequence.h
  long input, hidden, blocks;          // I, H, ceil(H / W)
  const float *weight_ih, *weight_hh;  // (blocks, I or H, G, W)
  const float* bias;                   // (blocks, G + 1, W): b_ih + b_hh; see Cell::biases_apart
};

// One row of a step, each (H) but x (I): reads x, h and the second state, writes `next` and the second state.
struct Row {
  const float *x, *h;
  float *next, *cell, *scratch;
};

struct Cell {
  int gates;
  bool recurrent;     // has weight_hh
  bool second_state;  // has a cell state beside the hidden one
  bool biases_apart;  // the last gate's b_hh stands behind the sums of b_ih + b_hh, not in them
  bool scratch;       // wants Row::scratch
  void (*step)(const Layer&, const Row&);
};

// sums[g] += weights (columns, G, W) applied to x (columns), for the gates FIRST to LAST - 1. Several partial sums per
// gate hide the latency of the multiply-add.
template <int G, int FIRST, int LAST> GATEWISE_INLINE void apply(F* sums, const float* weights, const float* x, long columns) {
  constexpr int kChains = LAST - FIRST == 1 ? 8 : LAST - FIRST == 2 ? 4 : 2;
  F partial[kChains][LAST - FIRST] = {};
  long k = 0;
  for (; k + kChains <= columns; k += kChains)
#pragma GCC unroll 8
    for (int chain = 0; chain < kChains; ++chain)
#pragma GCC unroll 4
      for (int g = FIRST; g < LAST; ++g)
        partial[chain][g - FIRST] += x[k + chain] * load_aligned<W>(weights + ((k + chain) * G + g) * W);
  for (; k < columns; ++k)
#pragma GCC unroll 4
    for (int g = FIRST; g < LAST; ++g) partial[0][g - FIRST] += x[k] * load_aligned<W>(weights + (k * G + g) * W);
#pragma GCC unroll 8
  for (int chain = 0; chain < kChains; ++chain)
#pragma GCC unroll 4
    for (int g = FIRST; g < LAST; ++g) sums[g] += partial[chain][g - FIRST];
}

template <int G> GATEWISE_INLINE void start(F* sums, const Layer& layer, long block) {
#pragma GCC unroll 5
  for (int g = 0; g <= G; ++g) sums[g] = load_aligned<W>(layer.bias + (block * (G + 1) + g) * W);
}

inline const float* panel(const float* weights, long block, long columns, int gates) {
  return weights + block * columns * gates * W;
}

// A cell whose gates see the input only (scan.h).
template <class Scanning> void step_scanning(const Layer& layer, const Row& row) {
  constexpr int G = Scanning::kGates;
  for (long block = 0; block < layer.blocks; ++block) {
    F sums[G + 1];
    start<G>(sums, layer, block);
    apply<G, 0, G>(sums, panel(layer.weight_ih, block, layer.input, G), row.x, layer.input);
    store_aligned(row.next + block * W, Scanning::step(sums, load_aligned<W>(row.h + block * W)));
  }
}

template <class Scanning> constexpr Cell scanning() {
  return {Scanning::kGates, false, false, false, false, step_scanning<Scanning>};
}

}  // namespace stream
}  // namespace gatewise
