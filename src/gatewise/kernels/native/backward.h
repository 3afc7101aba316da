// The backward walk through time, the same for every cell.
//
// Going back, the gradient of the state after step s is
//
//   dh_s = grad_output_s + (gradient of the pre-activations of step s + 1) W_hh + what the cell carries on directly.
//
// For each panel of units and tile of rows the tile product computes the middle term, then the cell's `backward` turns
// dh_s into the gradients of the pre-activations of step s, written over the kept gates. They are at once multiplied
// by W_ih for the gradient of x. Rows whose last step is s start from their grad_h_n instead of the product.
#pragma once

#include "forward.h"

namespace gatewise {

// The rows that take part at one step on the way back. Step::h and Step::c are the states before the step.
struct BackwardStep : Step {
  const float** grad_output = nullptr;  // (H)
  const float** carried = nullptr;      // (H) further gradient of the state after this step
  const float** next = nullptr;         // gradients of the pre-activations one step later, or zeros
};

struct BackwardShared {
  const float* weight_h = nullptr;  // packed columns, product order
  const float* weight_n = nullptr;  // as in ForwardShared
  const float* weight_x = nullptr;  // packed columns, or null: no gradient of x wanted inside the walk
  const float* zeros = nullptr;
  float* carried_h = nullptr;  // (B, H)
  float* carried_c = nullptr;  // (B, H)
};

// Where in a row of gradients the recurrent product reads: two stretches, offset and length in floats.
struct Stretches {
  long offset[2], length[2];
};

inline BackwardStep make_backward_step(long rows, Workspace& workspace) {
  BackwardStep step;
  static_cast<Step&>(step) = make_step(rows, workspace);
  step.grad_output = workspace.take<const float*>(rows);
  step.carried = workspace.take<const float*>(rows);
  step.next = workspace.take<const float*>(rows);
  return step;
}

// Sets the pointers for step s; returns how many of its rows, from the front, have a later step.
// `next` and `row_size` say where the recurrent product of the step after reads: (T, B, row_size).
inline long enter_backward_step(const Sequence& q, const BackwardShared& shared, const Rows& rows, long s,
                                const float* next, long row_size, bool carries, BackwardStep* step) {
  const long H = q.hidden_size, B = q.batch;
  long continuing = step->count;
  while (step->count < rows.count && rows.length[step->count] > s) ++step->count;
  step->first = s == 0;
  for (long r = 0; r < step->count; ++r) {
    const long b = rows.batch[r], t = time_of(q, rows.length[r], s), p = t * B + b;
    const long before = q.reverse ? p + B : p - B, after = q.reverse ? p - B : p + B;
    step->position[r] = p;
    step->batch[r] = b;
    step->h[r] = s > 0 ? q.output + before * H : q.h0 != nullptr ? q.h0 + b * H : shared.zeros;
    if (q.cells != nullptr) step->c[r] = s > 0 ? q.cells + before * H : q.c0 != nullptr ? q.c0 + b * H : shared.zeros;
    step->grad_output[r] = q.grad_output == nullptr
                               ? shared.zeros
                               : q.grad_output + t * q.grad_output_step_stride + b * q.grad_output_batch_stride;
    step->carried[r] = carries || r >= continuing ? shared.carried_h + b * H : shared.zeros;
    step->next[r] = r < continuing ? next + after * row_size : shared.zeros;
  }
  return continuing;
}

// A panel of columns is read in pieces of this many rows, each for all tiles, so that it is fetched from afar only once:
// 256 KB of AVX-512 panel.
constexpr long kPieceRows = 1024;
constexpr long kSumsPerRow = kMaximumSlots * kWidth;

// Rows from .. to of a product that is `at` in all.
inline Stretches piece_of(const Stretches& at, long from, long to) {
  const long middle = at.length[0];
  const long first = std::min(from, middle), last = std::min(to, middle);
  const long later = std::max(from, middle) - middle, latest = std::max(to, middle) - middle;
  return {{at.offset[0] + first, at.offset[1] + later}, {last - first, latest - later}};
}

// One tile of a product with packed columns: sums[r] = stretches of rows[r] times the columns, added to what `sums`
// holds or to zero; only zero with `nothing`.
inline void column_tile(const float* const* rows, const Stretches& at, const float* weights, const float* zeros,
                        bool add, bool nothing, const Tile& tile) {
  const float *first[kTileRows], *second[kTileRows], *start[kTileRows];
  for (int r = 0; r < tile.rows; ++r) {
    first[r] = rows[r] + at.offset[0];
    second[r] = rows[r] + at.offset[1];
    start[r] = add ? tile.sums + r * tile.row_stride : zeros;
  }
  product_tile(blocks_product(tile.slots), tile.rows)(
      start, {first, weights, nothing ? 0 : at.length[0]},
      {second, weights + at.length[0] * tile.slots * kWidth, nothing ? 0 : at.length[1]}, tile.sums, tile.row_stride,
      tile.slot_stride);
}

// One panel of that product for all rows: before(tile) ahead of the last piece of a tile, after(tile) when its sums are
// complete. `sums` has room for kSumsPerRow of every row; `weights` is the panel; from row `continuing` on sums are zero.
template <class Before, class After>
void column_panel(const float* const* rows, long count, long continuing, const Stretches& at, const float* weights,
                  const float* zeros, long unit, int slots, float* sums, const Before& before, const After& after) {
  const Tiling tiling(count);
  const long depth = at.length[0] + at.length[1], pieces = std::max(1L, (depth + kPieceRows - 1) / kPieceRows);
  for (long piece = 0; piece < pieces; ++piece) {
    const long from = depth * piece / pieces, to = depth * (piece + 1) / pieces;
    const Stretches here = piece_of(at, from, to);
    const bool last = piece + 1 == pieces;
    for (long i = 0; i < tiling.tiles; ++i) {
      const long begin = tiling.begin(i);
      float* tile_sums = pieces == 1 ? sums : sums + begin * kSumsPerRow;  // one piece: always in the nearest cache
      const Tile tile{begin, int(tiling.begin(i + 1) - begin), unit, slots, tile_sums, long(slots) * kWidth, kWidth};
      if (last) before(tile);
      column_tile(rows + begin, here, weights + from * slots * kWidth, zeros, piece > 0, begin >= continuing, tile);
      if (last) after(tile);
    }
  }
}

// grad_x for some rows: to[r][0..I) = gradients[r] W_ih, for the panels of the input in `mine`.
inline void input_gradient(const Sequence& q, const float* const* gradients, float* const* to, long count,
                           const Stretches& at, const float* weights, const float* zeros, Range mine, float* sums) {
  const Panels panels(q.input_size);
  const long depth = at.length[0] + at.length[1];
  for (long j = mine.begin; j < mine.end; ++j) {
    const long block = panels.first_block(j);
    const auto store_tile = [&](const Tile& tile) {
      for (int v = 0; v < tile.slots; ++v) {
        const long column = tile.unit + v * kWidth;
        const Part<kWidth> part(q.input_size - column);
        for (int r = 0; r < tile.rows; ++r)
          store(to[tile.first_row + r] + column, part, load<kWidth>(tile.sums + r * tile.row_stride + v * kWidth));
      }
    };
    column_panel(gradients, count, count, at, weights + block * depth * kWidth, zeros, block * kWidth, panels.slots(j),
                 sums, [](const Tile&) {}, store_tile);
  }
}

// The same for all real positions in a share of (T, B): after a walk whose threads split the units.
constexpr long kPositions = 16 * kRegisterRows;
inline void input_gradient_of(const Sequence& q, const float* gradients, long row_size, const Stretches& at,
                              const BackwardShared& shared, Range positions, float* sums) {
  const float* from[kPositions];
  float* to[kPositions];
  for (long p = positions.begin; p < positions.end;) {
    long count = 0;
    for (; p < positions.end && count < kPositions; ++p) {
      if (q.lengths != nullptr && p / q.batch >= q.lengths[p % q.batch]) continue;
      from[count] = gradients + p * row_size;
      to[count++] = q.grad_x + p * q.input_size;
    }
    if (count > 0)
      input_gradient(q, from, to, count, at, shared.weight_x, shared.zeros, {0, Panels(q.input_size).panels}, sums);
  }
}

// Asks memory for the units of a tile in one row, so that they arrive while the tile product runs.
GATEWISE_INLINE void fetch_units(const float* from, const Tile& tile) {
  for (long i = 0; i < tile.slots * kWidth; i += 16) __builtin_prefetch(from + tile.unit + i, 1);
  __asm__ volatile("");  // GCC 12 takes a function that only prefetches for one without effect, and drops the call
}

// Per-thread scratch of the walk.
struct BackwardScratch {
  BackwardStep step;
  float* tile;       // the sums of one panel: kSumsPerRow for every row
  float* sums;       // options: whatever the cell keeps per row
  float* bias;       // [row of sums][padded units], over time and rows
  const float** gradients;
  float** grad_x;
};

// grad_h0 = gradients of step 0 times W_hh, plus what is carried on.
template <class Cell>
void finish_initial_state(const Cell& cell, const Sequence& q, const BackwardShared& shared, const Rows& rows,
                          Range mine, BackwardScratch& scratch) {
  const long H = q.hidden_size;
  const Panels panels(H);
  const Stretches at = cell.recurrent_stretches();
  const long depth = at.length[0] + at.length[1];
  BackwardStep& step = scratch.step;
  for (long r = 0; r < rows.count; ++r) {
    const long b = rows.batch[r], length = rows.length[r];
    step.batch[r] = b;
    step.next[r] = length > 0 ? cell.recurrent_gradient() + (time_of(q, length, 0) * q.batch + b) * cell.recurrent_size()
                              : shared.zeros;
    step.carried[r] = cell.carries() || length == 0 ? shared.carried_h + b * H : shared.zeros;
  }
  const auto store_tile = [&](const Tile& tile) {
    for (int v = 0; v < tile.slots; ++v) {
      const long unit = tile.unit + v * kWidth;
      const Part<kWidth> part(H - unit);
      for (int r = 0; r < tile.rows; ++r) {
        const long row = tile.first_row + r, b = step.batch[row];
        Float<kWidth> value = load<kWidth>(tile.sums + r * tile.row_stride + v * kWidth);
        if (q.recurrent_mask != nullptr) value *= load<kWidth>(q.recurrent_mask + b * H + unit, part);
        store(q.grad_h0 + b * H + unit, part, value + load<kWidth>(step.carried[row] + unit, part));
      }
    }
  };
  for (long j = mine.begin; j < mine.end; ++j) {
    const long block = panels.first_block(j);
    column_panel(step.next, rows.count, rows.count, at, shared.weight_h + block * depth * kWidth, shared.zeros,
                 block * kWidth, panels.slots(j), scratch.tile, [](const Tile&) {}, store_tile);
  }
}

// grad_x of the rows that run at this step, for a thread that has them to itself.
template <class Cell>
void input_gradient_of_step(const Cell& cell, const Sequence& q, const BackwardShared& shared, BackwardScratch& scratch) {
  const BackwardStep& step = scratch.step;
  for (long r = 0; r < step.count; ++r) {
    scratch.gradients[r] = cell.input_gradient() + step.position[r] * cell.input_gradient_size();
    scratch.grad_x[r] = q.grad_x + step.position[r] * q.input_size;
  }
  input_gradient(q, scratch.gradients, scratch.grad_x, step.count, cell.input_stretches(), shared.weight_x,
                 shared.zeros, {0, Panels(q.input_size).panels}, scratch.tile);
}

// Runs `rows` back through all their steps for the panels in `mine`.
template <class Cell>
void walk_backward(const Cell& cell, const Sequence& q, const BackwardShared& shared, const Rows& rows, Range mine,
                   BackwardScratch& scratch, Barrier* barrier) {
  const long H = q.hidden_size;
  const Panels panels(H);
  const Stretches at = cell.recurrent_stretches();
  const long depth = at.length[0] + at.length[1];
  const bool fused = shared.weight_x != nullptr && barrier == nullptr;
  BackwardStep& step = scratch.step;
  step.count = 0;
  for (long s = rows.steps() - 1; s >= 0; --s) {
    const long continuing = enter_backward_step(q, shared, rows, s, cell.recurrent_gradient(), cell.recurrent_size(),
                                                cell.carries(), &step);
    for (long j = mine.begin; j < mine.end; ++j) {
      const long block = panels.first_block(j);
      column_panel(
          step.next, step.count, continuing, at, shared.weight_h + block * depth * kWidth, shared.zeros, block * kWidth,
          panels.slots(j), scratch.tile, [&](const Tile& tile) { cell.fetch(step, tile); },
          [&](const Tile& tile) { cell.backward(step, shared, tile, scratch.bias); });
    }
    if (barrier != nullptr) barrier->wait();
    if (fused) input_gradient_of_step(cell, q, shared, scratch);
  }
  if (q.grad_h0 != nullptr) finish_initial_state(cell, q, shared, rows, mine, scratch);
}

}  // namespace gatewise
