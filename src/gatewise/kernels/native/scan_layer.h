// A whole layer of a scanning cell: the input product W_ih x + b_ih and the scan over time in one go.
//
// The gates of such a cell do not see the state, so a tile of the product may hold rows of several time steps, and every
// thread can have its own hidden units for all rows and steps: none ever waits for another. The sums go from the tile
// through the cell's equations to the output while they are in the first-level cache.
#pragma once

#include <algorithm>
#include <new>

#include "backward.h"
#include "scan.h"
#include "weight_gradient.h"

namespace gatewise {

// One call. Strides count floats; the last axis of x is dense.
struct ScanLayer {
  Scan scan;
  long inputs;                          // I
  const float* x;                       // (T,B,I)
  long x_step_stride, x_batch_stride;
  const float *weight, *bias;           // (G*H,I), (G*H) or null

  const float* x_at(long time, long row) const { return x + time * x_step_stride + row * x_batch_stride; }
  // Threads that this much work (multiply-adds) pays for.
  int threads(int gates) const {
    return double(scan.steps) * double(scan.rows * inputs * gates) * double(scan.width) < 2e5 ? 1 : scan.threads;
  }
};

// Of a GatewiseSequence it uses what such a cell has: no second state, recurrent weights, masks or gains.
inline ScanLayer make_scan_layer(const Sequence& q) {
  return {{int(q.threads), q.reverse != 0, long(q.steps), long(q.batch), long(q.hidden_size), q.lengths},
          long(q.input_size), q.x, long(q.x_step_stride), long(q.x_batch_stride), q.weight_ih, q.bias_ih};
}

// Rows of the product waiting to be computed, in the order of their steps.
constexpr long kChunk = 16 * kRegisterRows;
struct Waiting {
  long count = 0;
  const float* x[kChunk];
  long place[kChunk], row[kChunk];
};

template <class Cell> struct LayerForward {
  const ScanLayer& layer;
  const float *weights, *start;  // packed: [block][I][G][W], [block][G][W]
  float *state, *output;          // null: only the gates are wanted
  float* gates;                   // (T,B,G*H) or null

  // The waiting rows, for this thread's blocks of units.
  void flush(Waiting& waiting, Range blocks) const {
    constexpr int G = Cell::kGates, W = kWidth;
    const Tiling tiling(waiting.count);
    alignas(64) float sums[kTileRows * G * W];
    for (long block = blocks.begin; block < blocks.end; ++block) {
      const float* begin_sums[kTileRows];
      std::fill(begin_sums, begin_sums + kTileRows, start + block * G * W);
      for (long i = 0; i < tiling.tiles; ++i) {
        const long first = tiling.begin(i);
        const int height = int(tiling.begin(i + 1) - first);
        product_tile(blocks_product(G), height)(
            begin_sums, {waiting.x + first, weights + block * layer.inputs * G * W, layer.inputs},
            {waiting.x + first, nullptr, 0}, sums, G * W, W);
        for (int r = 0; r < height; ++r) apply(sums + r * G * W, waiting.place[first + r], waiting.row[first + r], block);
      }
    }
    waiting.count = 0;
  }

  void apply(const float* sums, long place, long row, long block) const {
    constexpr int G = Cell::kGates, W = kWidth;
    const long width = layer.scan.width, unit = block * W;
    const Part<W> part(width - unit);
    Float<W> gate[G];
    for (int g = 0; g < G; ++g) gate[g] = load_aligned<W>(sums + g * W);
    for (int g = 0; gates && g < G; ++g) store(gates + (place * G + g) * width + unit, part, gate[g]);
    if (!state) return;
    const Float<W> next = Cell::step(gate, load(state + row * width + unit, part));
    store(state + row * width + unit, part, next);
    store(output + place * width + unit, part, next);
  }

  // All steps, or with `local` only those of one chunk, whose gates then lie one after the other.
  void run(Range blocks, Range steps, bool local = false) const {
    const Scan& scan = layer.scan;
    Waiting waiting;
    for (long step = steps.begin; step < steps.end; ++step)
      for (long row = 0; row < scan.rows; ++row) {
        if (step >= scan.length(row)) continue;
        const long time = scan.time(row, step);
        waiting.x[waiting.count] = layer.x_at(time, row);
        waiting.place[waiting.count] = (local ? step - steps.begin : time) * scan.rows + row;
        waiting.row[waiting.count] = row;
        if (++waiting.count == kChunk) flush(waiting, blocks);
      }
    flush(waiting, blocks);
  }
};

// Zeros past the end of each row of a (T,B,size) array, for a share of the rows.
inline void clear_padding(const Scan& scan, float* values, long size, Range rows) {
  for (long row = rows.begin; row < rows.end; ++row)
    for (long time = scan.length(row); time < scan.steps; ++time)
      std::memset(values + (time * scan.rows + row) * size, 0, size_t(size) * sizeof(float));
}

// The packed weights and the bias where each tile's sums start, for a share of the blocks of units.
template <class Cell> struct PackedLayer {
  float *weights = nullptr, *start = nullptr;

  void take(const ScanLayer& layer, Workspace& workspace) {
    const long size = blocks_of(layer.scan.width) * Cell::kGates * kWidth;
    weights = workspace.take<float>(size * layer.inputs);
    start = workspace.take_zeroed<float>(size);
  }
  void fill(const ScanLayer& layer, Range blocks) const {
    constexpr int G = Cell::kGates, W = kWidth;
    const long width = layer.scan.width;
    int order[G];
    for (int g = 0; g < G; ++g) order[g] = g;
    pack_gates(layer.weight, width, layer.inputs, order, G, weights, blocks);
    for (long unit = blocks.begin * W; layer.bias && unit < std::min(blocks.end * W, width); ++unit)
      for (int g = 0; g < G; ++g) start[(unit / W * G + g) * W + unit % W] = layer.bias[g * width + unit];
  }
};

// Copies `count` numbers, or writes as many zeros where there are none to copy.
inline void copy_or_clear(float* to, const float* from, long count) {
  if (from != nullptr)
    std::memcpy(to, from, size_t(count) * sizeof(float));
  else if (to != nullptr)
    std::memset(to, 0, size_t(count) * sizeof(float));
}

// One call. In training the gates are kept for the way back where there is room for them.
template <class Cell> int scan_layer_forward(const Sequence& q) {
  const ScanLayer layer = make_scan_layer(q);
  const Scan& scan = layer.scan;
  if (!scan.lengths_fit()) return kBadLength;
  copy_or_clear(q.h_n, q.h0, scan.rows * scan.width);
  float* const gates = q.training ? q.gates : nullptr;
  Workspace workspace;
  PackedLayer<Cell> packed;
  Status status = kOk;
  const auto prepare = [&](int) {
    try {
      packed.take(layer, workspace);
      return true;
    } catch (const std::bad_alloc&) {
      status = kOutOfMemory;
      return false;
    }
  };
  in_parallel(layer.threads(Cell::kGates), prepare, [&](int thread, int team, Barrier&) {
    const Range mine = share(blocks_of(scan.width), thread, team);
    packed.fill(layer, mine);
    LayerForward<Cell>{layer, packed.weights, packed.start, q.h_n, q.output, gates}.run(mine, {0, scan.steps});
    clear_padding(scan, q.output, scan.width, share(scan.rows, thread, team));
  });
  return status;
}

}  // namespace gatewise
