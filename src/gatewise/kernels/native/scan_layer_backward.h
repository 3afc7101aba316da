// The way back through a layer of a scanning cell, in chunks of time.
//
// The gradients of the pre-activations are needed three times: by the scan that makes them, by the gradient of x and by
// that of the weights. For a long sequence they would travel through memory each time. So the way back takes some
// hundred positions at once, last steps first: pre-activations (kept, or computed again), scan, then both products,
// while everything is in the second-level cache. Each thread scans its own hidden units; both products need all units,
// so the threads meet once per chunk. Two buffers take turns: nobody writes what another may still read.
#pragma once

#include "scan_layer.h"

namespace gatewise {

constexpr long kChunkPositions = 256;

// One thread's lists of a chunk's real positions: gradients, inputs, where the gradient of x goes.
struct ChunkRows {
  const float **left, **right;
  float** to;
  long count = 0;
  OuterProduct product{};
  float *outer, *tile;  // scratch
};

template <class Cell> struct LayerBackward {
  const ScanLayer& layer;
  const Sequence& q;
  const float* gates = q.gates;  // as the forward pass kept them, or null
  const float* initial = q.h0;
  float* carried = q.grad_h0;    // (B,H) gradient of the state: of the last one at first, of h_0 in the end
  Workspace workspace{};
  Status status = kOk;
  PackedLayer<Cell> packed{};
  float *columns = nullptr, *zeros = nullptr, *slopes[2] = {};
  ChunkRows* rows = nullptr;

  const Scan& scan() const { return layer.scan; }
  long size() const { return Cell::kGates * scan().width; }
  Panels panels() const { return Panels(std::max(layer.inputs, 1L)); }
  long chunk() const { return std::max(1L, kChunkPositions / std::max(scan().rows, 1L)); }

  // One thread, before the others start: false ends the call with `status`.
  bool prepare(int team) {
    try {
      const long places = chunk() * scan().rows, states = scan().rows * scan().width;
      if (!initial) initial = workspace.take_zeroed<float>(states);
      if (!carried) carried = workspace.take<float>(states);
      copy_or_clear(carried, q.grad_h_n, states);
      for (float*& buffer : slopes) buffer = workspace.take<float>(places * size());
      if (!gates) packed.take(layer, workspace);
      if (q.grad_x) columns = workspace.take<float>(panels().blocks * kWidth * size());
      zeros = workspace.take_zeroed<float>(kMaximumSlots * kWidth);
      rows = workspace.take<ChunkRows>(team);
      for (int thread = 0; thread < team; ++thread) {
        ChunkRows mine;
        mine.left = workspace.take<const float*>(places);
        mine.right = workspace.take<const float*>(places);
        mine.to = workspace.take<float*>(places);
        mine.product = {mine.right, layer.inputs, {{0, size(), q.grad_weight_ih}, {}}};
        mine.outer = q.grad_weight_ih ? workspace.take<float>(outer_products_scratch(kNoBf16, &mine.product, 1)) : nullptr;
        mine.tile = workspace.take<float>(tile_room(kChunk) * kSumsPerRow);
        rows[thread] = mine;
      }
      return true;
    } catch (const std::bad_alloc&) {
      status = kOutOfMemory;
      return false;
    }
  }

  // Gradients of the pre-activations of this thread's units, for the steps of a chunk, into `to`.
  void scan_back(Range steps, Range blocks, float* to) const {
    if (!gates)
      LayerForward<Cell>{layer, packed.weights, packed.start, nullptr, nullptr, to}.run(blocks, steps, true);
    const ScanBackward<Cell> body{scan(), gates ? gates : to, initial, q.output, q.grad_output,
                                  q.grad_output_step_stride, q.grad_output_batch_stride, carried, to, steps.begin};
    const long end = std::min(blocks.end * kWidth, scan().width);
    for (long step = steps.end - 1; step >= steps.begin; --step)
      for (long row = 0; row < scan().rows; ++row)
        if (step < scan().length(row)) body(row, step, blocks.begin * kWidth, end);
  }

  void list_rows(Range steps, const float* from, ChunkRows* mine) const {
    mine->count = 0;
    for (long step = steps.begin; step < steps.end; ++step)
      for (long row = 0; row < scan().rows; ++row) {
        if (step >= scan().length(row)) continue;
        const long time = scan().time(row, step), k = mine->count++;
        mine->left[k] = from + ((step - steps.begin) * scan().rows + row) * size();
        mine->right[k] = layer.x_at(time, row);
        mine->to[k] = q.grad_x ? q.grad_x + (time * scan().rows + row) * layer.inputs : nullptr;
      }
  }

  // This thread's share of the gradients of x, weights and bias that a chunk brings.
  void products(bool first, int thread, int team, const ChunkRows& mine) const {
    if (q.grad_x) {
      BackwardShared shared;
      shared.weight_x = columns;
      shared.zeros = zeros;
      const Range own = share(mine.count, thread, team);
      for (long k = own.begin; k < own.end; k += kChunk)
        input_gradient(q, shared, kTileRows, mine.left + k, mine.to + k, std::min(kChunk, own.end - k),
                       {{0, 0}, {size(), 0}}, {0, panels().panels}, nullptr, mine.tile);
    }
    if (q.grad_weight_ih)
      outer_products(kNoBf16, mine.left, mine.count, size(), &mine.product, 1, thread, team, mine.outer, !first);
    if (!q.grad_bias_ih) return;
    const Range own = share(size(), thread, team);
    if (first) std::fill(q.grad_bias_ih + own.begin, q.grad_bias_ih + own.end, 0.0f);
    for (long k = 0; k < mine.count; ++k)
      for (long i = own.begin; i < own.end; ++i) q.grad_bias_ih[i] += mine.left[k][i];
  }

  // Every thread.
  void work(int thread, int team, Barrier& barrier) {
    const Range blocks = share(blocks_of(scan().width), thread, team);
    if (!gates) packed.fill(layer, blocks);
    if (q.grad_x) {
      pack_columns([&](long k) { return layer.weight + k * layer.inputs; }, size(), panels(), columns,
                   share(panels().panels, thread, team));
      clear_padding(scan(), q.grad_x, layer.inputs, share(scan().rows, thread, team));
    }
    const long chunks = std::max(1L, (scan().steps + chunk() - 1) / chunk());
    for (long turn = 0; turn < chunks; ++turn) {
      const Range steps{(chunks - 1 - turn) * chunk(), std::min(scan().steps, (chunks - turn) * chunk())};
      float* to = slopes[turn % 2];
      scan_back(steps, blocks, to);
      list_rows(steps, to, &rows[thread]);
      barrier.wait();
      products(turn == 0, thread, team, rows[thread]);
    }
  }
};

// The way back of one call; gates that were not kept are computed again.
template <class Cell> int scan_layer_backward(const Sequence& q) {
  const ScanLayer layer = make_scan_layer(q);
  LayerBackward<Cell> run{layer, q};
  in_parallel(
      layer.threads(Cell::kGates), [&](int team) { return run.prepare(team); },
      [&](int thread, int team, Barrier& barrier) { run.work(thread, team, barrier); });
  return run.status;
}

}  // namespace gatewise
