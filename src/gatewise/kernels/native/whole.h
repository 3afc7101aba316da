// The walk through time with options: layer norm, zoneout, recurrent dropout, peepholes, a reset before the product.
//
// The plain walk finishes a tile of rows and units while its sums are in the first-level cache. Options want more: a
// normalisation needs all units of a row, and each option would double the number of plain kernels. So here the tile
// products of one step are first written out for all units, input and recurrent part apart, and then the cell goes
// over each row from end to end with every option as an ordinary branch. The products, which are most of the work,
// are the same.
//
// A row's sums lie as [input part: gates][recurrent part: gates], each gate `width` (padded H) floats.
#pragma once

#include "activations.h"
#include "options.h"

namespace gatewise {

// ---- who does what in a step ----

// Alone a thread does all of a step for its own rows. Several that share their rows each compute the products of some
// units; then, since a normalisation needs the whole row, each goes over some rows. They meet after either.
struct Team {
  int thread, threads;
  Barrier* barrier;  // null: alone
  Range part(long count) const { return share(count, thread, threads); }
  void meet() const {
    if (barrier != nullptr) barrier->wait();
  }
};

// ---- forward ----

// One product for all rows of a step and this thread's units: out[r][slot * width + unit], nothing added.
// Gate panels (`order` packing) with `slots` gates, or unit panels where slots == 0.
inline void whole_product(const float* const* rows, long count, long length, const float* weights, int slots,
                          const Panels& panels, const Team& team, const float* zeros, float* out, long row_stride) {
  const Tiling tiling(count);
  const long width = panels.blocks * kWidth;
  const float* start[kTileRows];
  for (int r = 0; r < kTileRows; ++r) start[r] = zeros;
  const Segment nothing{rows, nullptr, 0};
  const Range mine = team.part(slots > 0 ? panels.blocks : panels.panels);
  for (long j = mine.begin; j < mine.end; ++j) {
    const long block = slots > 0 ? j : panels.first_block(j);
    const int across = slots > 0 ? slots : panels.slots(j);
    for (long i = 0; i < tiling.tiles; ++i) {
      const long begin = tiling.begin(i);
      const int height = int(tiling.begin(i + 1) - begin);
      product_tile(blocks_product(across), height)(
          start, {rows + begin, weights + block * (slots > 0 ? slots : 1) * length * kWidth, length}, nothing,
          out + begin * row_stride + block * kWidth, row_stride, slots > 0 ? width : kWidth);
    }
  }
}

template <class Cell>
void walk_forward_whole(const Cell& cell, const Sequence& q, const ForwardShared& shared, const Rows& rows,
                        const Team& team, ForwardScratch& scratch) {
  const long H = q.hidden_size;
  Step& step = scratch.step;
  float *sums = scratch.sums, *reset = scratch.reset;
  const Panels panels(H);
  const long width = panels.blocks * kWidth, gates = cell.gates(), stride = 2 * gates * width;
  const int slots = Cell::kUnitPanels ? 0 : int(gates);
  for (long s = 0; s < rows.steps(); ++s) {
    enter_step(q, shared, rows, s, &step, scratch.masked);
    if (q.x != nullptr)
      whole_product(step.x, step.count, q.input_size, shared.weight_x, slots, panels, team, shared.zeros, sums, stride);
    float* state = sums + gates * width;
    if (!cell.resets_before()) {
      whole_product(step.h_product, step.count, H, shared.weight_h, slots, panels, team, shared.zeros, state, stride);
    } else {
      whole_product(step.h_product, step.count, H, shared.weight_h, 2, panels, team, shared.zeros, state, stride);
      team.meet();
      for (long r = team.thread; r < step.count; r += team.threads)
        cell.forward_reset(step, r, sums + r * stride, width, reset + r * H);
      team.meet();
      for (long r = 0; r < step.count; ++r) step.h_product[r] = reset + r * H;
      whole_product(step.h_product, step.count, H, shared.weight_n, 0, panels, team, shared.zeros, state + 2 * width,
                    stride);
    }
    team.meet();
    for (long r = team.thread; r < step.count; r += team.threads) cell.forward_row(step, r, sums + r * stride, width);
    team.meet();
  }
}

// ---- backward ----

// One product with packed columns for all rows and this thread's units: out[r * stride + unit].
inline void whole_column_product(const BackwardShared& shared, const float* const* rows, long count, const Stretches& at,
                                 const float* weights, const Panels& panels, const Team& team, long continuing, float* out,
                                 long stride) {
  const Tiling tiling(count);
  const long depth = at.length[0] + at.length[1];
  const Range mine = team.part(panels.panels);
  for (long j = mine.begin; j < mine.end; ++j) {
    const long block = panels.first_block(j);
    for (long i = 0; i < tiling.tiles; ++i) {
      const long begin = tiling.begin(i);
      const Tile tile{begin, int(tiling.begin(i + 1) - begin), block * kWidth, panels.slots(j),
                      out + begin * stride + block * kWidth, stride, kWidth};
      column_tile(shared, rows + begin, at, weights + block * depth * kWidth, false, begin >= continuing, tile);
    }
  }
}

// Asks memory for everything that the backward function of one row will read, while it works on the row before.
template <class Cell> void fetch_row(const Cell& cell, const Sequence& q, const BackwardStep& step, long row) {
  if (row >= step.count) return;
  const long p = step.position[row], H = q.hidden_size;
  const auto fetch = [](const void* from, long bytes) {
    for (long i = 0; i < bytes; i += 64) __builtin_prefetch(static_cast<const char*>(from) + i);
  };
  fetch(q.gates + p * cell.saved_size(), 4 * cell.saved_size());
  fetch(step.grad_output[row], 4 * H);
  fetch(step.h[row], 4 * H);
  if (q.cells != nullptr) fetch(step.c[row], 4 * H);
  if (q.normalized_x != nullptr) fetch(q.normalized_x + p * cell.gates() * H, 4 * cell.gates() * H);
  if (q.normalized_h != nullptr) fetch(q.normalized_h + p * cell.gates() * H, 4 * cell.gates() * H);
  if (q.zoneout_h_mask != nullptr) fetch(q.zoneout_h_mask + p * H, H);
  if (q.zoneout_c_mask != nullptr) fetch(q.zoneout_c_mask + p * H, H);
  __asm__ volatile("");  // see fetch_units
}

// A row's scratch on the way back: [gradient of the state][second product][gates to normalise ...].
template <class Cell>
void walk_backward_whole(const Cell& cell, const Sequence& q, const BackwardShared& shared, const Rows& rows,
                         const Team& team, BackwardScratch& scratch) {
  const long H = q.hidden_size;
  const Panels panels(H);
  const long width = panels.blocks * kWidth, stride = cell.backward_stride(width);
  const bool fused = shared.weight_x != nullptr && team.barrier == nullptr;
  BackwardStep& step = scratch.step;
  step.count = 0;
  for (long s = rows.steps() - 1; s >= 0; --s) {
    const long continuing = enter_backward_step(q, shared, rows, s, cell.recurrent_gradient(), cell.recurrent_size(),
                                                true, &step);
    whole_column_product(shared, step.next, step.count, cell.recurrent_stretches(), shared.weight_h, panels, team,
                         continuing, scratch.sums, stride);
    team.meet();
    fetch_row(cell, q, step, team.thread);
    for (long r = team.thread; r < step.count; r += team.threads) {
      fetch_row(cell, q, step, r + team.threads);
      cell.backward_row(step, shared, r, scratch.sums + r * stride, width, scratch.bias);
    }
    team.meet();
    if (cell.resets_before()) {
      for (long r = 0; r < step.count; ++r)
        scratch.gradients[r] = cell.recurrent_gradient() + step.position[r] * cell.recurrent_size() + 2 * H;
      whole_column_product(shared, scratch.gradients, step.count, {{0, 0}, {H, 0}}, shared.weight_n, panels, team,
                           step.count, scratch.sums + width, stride);
      team.meet();
      for (long r = team.thread; r < step.count; r += team.threads)
        cell.backward_reset(step, shared, r, scratch.sums + r * stride, width, scratch.bias);
      team.meet();
    }
    if (fused) input_gradient_of_step(cell, q, shared, kTileRows, scratch);
  }
  if (q.grad_h0 != nullptr) finish_initial_state(cell, q, shared, rows, team.part(panels.panels), kTileRows, scratch);
}

}  // namespace gatewise
