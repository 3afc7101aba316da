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

// What the way back gives: null where it is not wanted.
struct ScanLayerGradients {
  float *state;   // (B,H): of the last state on entry, of h_0 on return
  float *x;       // (T,B,I) dense
  float *weight;  // (G*H,I)
  float *bias;    // (G*H)
};

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
  const float *gates, *initial, *output, *grad_output;  // gates: as the forward pass kept them, or null
  const ScanLayerGradients& gradients;
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
      const long places = chunk() * scan().rows;
      for (float*& buffer : slopes) buffer = workspace.take<float>(places * size());
      if (!gates) packed.take(layer, workspace);
      if (gradients.x) columns = workspace.take<float>(panels().blocks * kWidth * size());
      zeros = workspace.take_zeroed<float>(kMaximumSlots * kWidth);
      rows = workspace.take<ChunkRows>(team);
      for (int thread = 0; thread < team; ++thread) {
        ChunkRows mine;
        mine.left = workspace.take<const float*>(places);
        mine.right = workspace.take<const float*>(places);
        mine.to = workspace.take<float*>(places);
        mine.product = {mine.right, layer.inputs, {{0, size(), gradients.weight}, {}}};
        mine.outer = gradients.weight ? workspace.take<float>(outer_products_scratch(&mine.product, 1)) : nullptr;
        mine.tile = workspace.take<float>(kChunk * kSumsPerRow);
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
    const ScanBackward<Cell> body{scan(), gates ? gates : to, initial, output, grad_output, gradients.state, to,
                                  steps.begin};
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
        mine->to[k] = gradients.x ? gradients.x + (time * scan().rows + row) * layer.inputs : nullptr;
      }
  }

  // This thread's share of the gradients of x, weights and bias that a chunk brings.
  void products(bool first, int thread, int team, const ChunkRows& mine) const {
    if (gradients.x) {
      Sequence q{};
      q.input_size = layer.inputs;
      const Range own = share(mine.count, thread, team);
      for (long k = own.begin; k < own.end; k += kChunk)
        input_gradient(q, mine.left + k, mine.to + k, std::min(kChunk, own.end - k), {{0, 0}, {size(), 0}}, columns,
                       zeros, {0, panels().panels}, mine.tile);
    }
    if (gradients.weight)
      outer_products(mine.left, mine.count, size(), &mine.product, 1, thread, team, mine.outer, !first);
    if (!gradients.bias) return;
    const Range own = share(size(), thread, team);
    if (first) std::fill(gradients.bias + own.begin, gradients.bias + own.end, 0.0f);
    for (long k = 0; k < mine.count; ++k)
      for (long i = own.begin; i < own.end; ++i) gradients.bias[i] += mine.left[k][i];
  }

  // Every thread.
  void work(int thread, int team, Barrier& barrier) {
    const Range blocks = share(blocks_of(scan().width), thread, team);
    if (!gates) packed.fill(layer, blocks);
    if (gradients.x) {
      pack_columns([&](long k) { return layer.weight + k * layer.inputs; }, size(), panels(), columns,
                   share(panels().panels, thread, team));
      clear_padding(scan(), gradients.x, layer.inputs, share(scan().rows, thread, team));
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

template <class Cell>
int scan_layer_backward(const ScanLayer& layer, const float* gates, const float* initial, const float* output,
                        const float* grad_output, const ScanLayerGradients& gradients) {
  LayerBackward<Cell> run{layer, gates, initial, output, grad_output, gradients};
  in_parallel(
      layer.threads(Cell::kGates), [&](int team) { return run.prepare(team); },
      [&](int thread, int team, Barrier& barrier) { run.work(thread, team, barrier); });
  return run.status;
}

}  // namespace gatewise
