// The forward walk through time, the same for every cell.
//
// For each step, each panel of units and each tile of rows: the tile product sums bias + x W_ih^T + h W_hh^T into a
// small buffer that stays in the first-level cache, then the cell's own `forward` turns these sums into gates and the
// new state. A Cell says how its weights are laid out and what it does with the sums:
//
//   struct Cell {
//     static constexpr bool kUnitPanels;  // a panel is up to 4 unit blocks of one gate (RNN), or all gates of one block
//     Product product() const;            // which slots the input and the state feed (gate panels)
//     int slots() const;                  // sums per unit
//     int input_slots(), state_slots() const;  // how many slots each product feeds
//     void forward(const Step&, const Tile&) const;
//   };
#pragma once

#include "microkernel.h"
#include "sequence.h"

namespace gatewise {

// Some rows and units of one step, with their sums: sums[r * row_stride + slot * slot_stride + lane].
struct Tile {
  long first_row;  // index into the arrays of Step
  int rows;
  long unit;  // first hidden unit
  int slots;
  float* sums;
  long row_stride, slot_stride;
};

// The rows that run at one step. Position p = t B + b: row p of every (T, B, .) array.
struct Step {
  long count = 0;
  bool first = false;           // the first step of every row
  long* position = nullptr;
  long* batch = nullptr;
  const float** x = nullptr;          // (I)
  const float** h = nullptr;          // (H) state before the step
  const float** h_product = nullptr;  // (H) the same times the recurrent mask
  const float** c = nullptr;          // (H) LSTM cell before the step
  float** c_new = nullptr;            // (H)
  const float** start = nullptr;      // where the sums begin: bias, or the input product
};

// The forward weights and everything else the threads share.
struct ForwardShared {
  const float* weight_x = nullptr;  // packed; null: the input product is in `projected`
  const float* weight_h = nullptr;
  const float* weight_n = nullptr;  // GRU with reset before: the candidate's recurrent weights
  const float* start = nullptr;     // [block][slots][kWidth]
  float* projected = nullptr;       // (T, B) rows of [block][slots][kWidth], or null
  const float* zeros = nullptr;     // (max(H, I)) zeros
  float* running_c = nullptr;       // (B, H) LSTM cell of a call without training
};

// Splits `count` rows into tiles of nearly equal height.
struct Tiling {
  long count, tiles;
  explicit Tiling(long count_) : count(count_), tiles((count_ + kTileRows - 1) / kTileRows) {}
  long begin(long tile) const { return count * tile / tiles; }
};

// One thread's pointers, made once per call.
inline Step make_step(long rows, Workspace& workspace) {
  Step step;
  step.position = workspace.take<long>(rows);
  step.batch = workspace.take<long>(rows);
  step.x = workspace.take<const float*>(rows);
  step.h = workspace.take<const float*>(rows);
  step.h_product = workspace.take<const float*>(rows);
  step.c = workspace.take<const float*>(rows);
  step.c_new = workspace.take<float*>(rows);
  step.start = workspace.take<const float*>(rows);
  return step;
}

// Sets the pointers for step s of `rows`; returns how many rows run.
inline void enter_step(const Sequence& q, const ForwardShared& shared, const Rows& rows, long s, Step* step,
                       float* masked) {
  const long H = q.hidden_size, B = q.batch;
  step->count = rows.running(s, s == 0 ? rows.count : step->count);
  step->first = s == 0;
  for (long r = 0; r < step->count; ++r) {
    const long b = rows.batch[r], t = time_of(q, rows.length[r], s), p = t * B + b;
    const long before = q.reverse ? p + B : p - B;
    step->position[r] = p;
    step->batch[r] = b;
    step->x[r] = q.x != nullptr ? q.x + t * q.x_step_stride + b * q.x_batch_stride : nullptr;
    step->h[r] = s > 0 ? q.output + before * H : q.h0 != nullptr ? q.h0 + b * H : shared.zeros;
    step->h_product[r] = step->h[r];
    if (q.cells != nullptr) {
      step->c[r] = s > 0 ? q.cells + before * H : q.c0 != nullptr ? q.c0 + b * H : shared.zeros;
      step->c_new[r] = q.cells + p * H;
    } else if (shared.running_c != nullptr) {
      step->c[r] = step->c_new[r] = shared.running_c + b * H;
    }
    if (q.recurrent_mask != nullptr) {
      float* target = masked + r * H;
      const float* mask = q.recurrent_mask + b * H;
      for (long u = 0; u < H; ++u) target[u] = step->h[r][u] * mask[u];
      step->h_product[r] = target;
    }
  }
}

// x W_ih^T + bias for all real steps at once, into shared.projected: for tiny batches, where the walk through time
// would read the input weights again for every row. Threads share the positions.
template <class Cell>
void project_input(const Cell& cell, const Sequence& q, const ForwardShared& shared, Range positions) {
  const Panels panels(q.hidden_size);
  const int slots = cell.slots();
  const long width = panels.blocks * slots * kWidth;
  const float* rows[kTileRows];
  const float* start[kTileRows];
  const long units = Cell::kUnitPanels ? panels.panels : panels.blocks;
  const Tiling tiling(positions.size());
  const Segment nothing{rows, nullptr, 0};
  for (long j = 0; j < units; ++j) {
    const long block = Cell::kUnitPanels ? panels.first_block(j) : j;
    const Product product = Cell::kUnitPanels ? blocks_product(panels.slots(j)) : cell.product();
    const long used = Cell::kUnitPanels ? 1 : cell.input_slots();
    for (long i = 0; i < tiling.tiles; ++i) {
      const long begin = positions.begin + tiling.begin(i);
      const int height = int(positions.begin + tiling.begin(i + 1) - begin);
      for (int r = 0; r < height; ++r) {
        const long p = begin + r;
        rows[r] = q.x + p / q.batch * q.x_step_stride + p % q.batch * q.x_batch_stride;
        start[r] = shared.start + block * slots * kWidth;
      }
      product_tile(product, height)(start, {rows, shared.weight_x + block * used * q.input_size * kWidth, q.input_size},
                                    nothing, shared.projected + begin * width + block * slots * kWidth, width, kWidth);
    }
  }
}

// Runs `rows` through all their steps for the panels in `mine`; meets the other threads at `barrier` if given.
template <class Cell>
void walk_forward(const Cell& cell, const Sequence& q, const ForwardShared& shared, const Rows& rows, Range mine,
                  Step step, float* sums, float* masked, Barrier* barrier) {
  const long H = q.hidden_size;
  const Panels panels(H);
  const int slots = cell.slots();
  const long width = panels.blocks * kWidth;
  const bool fused = shared.projected == nullptr && q.x != nullptr;
  const float* start[kTileRows];
  for (long s = 0; s < rows.steps(); ++s) {
    enter_step(q, shared, rows, s, &step, masked);
    const Tiling tiling(step.count);
    for (long j = mine.begin; j < mine.end; ++j) {
      const long block = Cell::kUnitPanels ? panels.first_block(j) : j;
      const int blocks = Cell::kUnitPanels ? panels.slots(j) : 1;
      const Product product = Cell::kUnitPanels ? blocks_product(blocks) : cell.product();
      const float* weight_x = fused ? shared.weight_x + block * cell.input_slots() * q.input_size * kWidth : nullptr;
      const float* weight_h = shared.weight_h + block * cell.state_slots() * H * kWidth;
      for (long i = 0; i < tiling.tiles; ++i) {
        const long begin = tiling.begin(i);
        const int height = int(tiling.begin(i + 1) - begin);
        for (int r = 0; r < height; ++r)
          start[r] = (shared.projected ? shared.projected + step.position[begin + r] * slots * width : shared.start) +
                     block * slots * kWidth;
        const Tile tile{begin, height, block * kWidth, blocks,
                        sums,  long(Cell::kUnitPanels ? blocks : slots) * kWidth, kWidth};
        product_tile(product, height)(start, {step.x + begin, weight_x, fused ? q.input_size : 0},
                                      {step.h_product + begin, weight_h, H}, tile.sums, tile.row_stride,
                                      tile.slot_stride);
        cell.forward(step, tile);
      }
    }
    if (barrier != nullptr) barrier->wait();
  }
}

// Final states and the zeros of the padding, for this thread's share of the batch.
inline void finish_forward(const Sequence& q, const ForwardShared& shared, Range batch) {
  const long H = q.hidden_size, B = q.batch;
  for (long b = batch.begin; b < batch.end; ++b) {
    const long length = q.lengths != nullptr ? q.lengths[b] : q.steps;
    const long last = length > 0 ? time_of(q, length, length - 1) * B + b : -1;
    const float* h = last >= 0 ? q.output + last * H : q.h0 != nullptr ? q.h0 + b * H : shared.zeros;
    std::memcpy(q.h_n + b * H, h, H * sizeof(float));
    if (q.c_n != nullptr) {
      const float* c = q.cells == nullptr ? shared.running_c + b * H
                       : last >= 0        ? q.cells + last * H
                       : q.c0 != nullptr  ? q.c0 + b * H
                                          : shared.zeros;
      std::memcpy(q.c_n + b * H, c, H * sizeof(float));
    }
    for (long t = length; t < q.steps; ++t) std::memset(q.output + (t * B + b) * H, 0, H * sizeof(float));
  }
}

}  // namespace gatewise
