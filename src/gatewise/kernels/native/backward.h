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
  Bf16Products products = kNoBf16;  // what multiplies gradients and columns as pairs, which are rounded then
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

// What stands for the numbers of these stretches in a product's rows and columns.
inline long depth_of(const BackwardShared& shared, const Stretches& at) {
  const long numbers = at.length[0] + at.length[1];
  return shared.products != kNoBf16 ? bf16_words(shared.products, numbers) : numbers;
}

// Where piece i of `pieces` begins: pairs are cut at whole tiles only.
inline long piece_begin(const BackwardShared& shared, long depth, long i, long pieces) {
  const long at = depth * i / pieces;
  return shared.products != kNoBf16 && i < pieces ? at / kUnitWords * kUnitWords : at;
}

// Rows of gradients as pairs side by side in `to`, stretch after stretch, which `rows` then names; those from row `real`
// on become zeros. The first stretch ends with a whole pair where there is a second.
inline void round_gradients(const BackwardShared& shared, const float** rows, long count, long real, const Stretches& at,
                            float* to) {
  const long words = depth_of(shared, at), whole = at.length[0] / 2;
  for (long r = 0; r < count; ++r, to += words) {
    if (r >= real)
      std::memset(to, 0, words * sizeof(float));
    else
      to_bf16_row(shared.products, rows[r] + at.offset[0], at.length[0], to);
    if (r < real && at.length[1] > 0) {
      to_bf16_row(shared.products, rows[r] + at.offset[1], at.length[1], to + whole);
      const long end = whole + bf16_words(shared.products, at.length[1]);
      if (end < words) std::memset(to + end, 0, (words - end) * sizeof(float));
    }
    rows[r] = to;
  }
}

// Rows from .. to of a product that is `at` in all.
inline Stretches piece_of(const Stretches& at, long from, long to) {
  const long middle = at.length[0];
  const long first = std::min(from, middle), last = std::min(to, middle);
  const long later = std::max(from, middle) - middle, latest = std::max(to, middle) - middle;
  return {{at.offset[0] + first, at.offset[1] + later}, {last - first, latest - later}};
}

// One tile of a product with packed columns: sums[r] = stretches of rows[r] times the columns, added to what `sums`
// holds or to zero; only zero with `nothing`.
inline void column_tile(const BackwardShared& shared, const float* const* rows, const Stretches& at, const float* weights,
                        bool add, bool nothing, const Tile& tile) {
  const float *first[kMostTileRows], *second[kMostTileRows], *start[kMostTileRows];
  for (int r = 0; r < tile.rows; ++r) {
    first[r] = rows[r] + at.offset[0];
    second[r] = rows[r] + at.offset[1];
    start[r] = add ? tile.sums + r * tile.row_stride : shared.zeros;
  }
  const Product product = blocks_product(tile.slots);
  const ProductTile multiply = shared.products != kNoBf16 ? bf16_product_tile(shared.products, product, tile.rows)
                                                          : product_tile(product, tile.rows);
  multiply(
      start, {first, weights, nothing ? 0 : at.length[0]},
      {second, weights + at.length[0] * tile.slots * kWidth, nothing ? 0 : at.length[1]}, tile.sums, tile.row_stride,
      tile.slot_stride);
}

// One panel of that product for all rows: before(tile) ahead of the last piece of a tile, after(tile) when its sums are
// complete. `sums` has room for kSumsPerRow of tile_room(count) rows; `weights` is the panel; from row `continuing` on
// sums are zero. With rounding `rows` are as round_gradients leaves them, and `at` is one stretch of words.
template <class Before, class After>
void column_panel(const BackwardShared& shared, long tile_rows, const float* const* rows, long count, long continuing,
                  const Stretches& at, const float* weights, long unit, int slots, float* sums, const Before& before,
                  const After& after) {
  const Tiling tiling(count, tile_rows);
  const long depth = at.length[0] + at.length[1], pieces = std::max(1L, (depth + kPieceRows - 1) / kPieceRows);
  for (long piece = 0; piece < pieces; ++piece) {
    const long from = piece_begin(shared, depth, piece, pieces), to = piece_begin(shared, depth, piece + 1, pieces);
    const Stretches here = piece_of(at, from, to);
    const bool last = piece + 1 == pieces;
    for (long i = 0; i < tiling.tiles; ++i) {
      const long begin = tiling.begin(i);
      float* tile_sums = pieces == 1 ? sums : sums + i * tile_rows * kSumsPerRow;  // one: always in the nearest cache
      const Tile tile{begin, int(tiling.begin(i + 1) - begin), unit, slots, tile_sums, long(slots) * kWidth, kWidth};
      if (last) before(tile);
      column_tile(shared, rows + begin, here, weights + from * slots * kWidth, piece > 0, begin >= continuing, tile);
      if (last) after(tile);
    }
  }
}

// The stretches that a product reads after round_gradients, or as they are.
inline Stretches words_at(const BackwardShared& shared, const Stretches& at) {
  return shared.products != kNoBf16 ? Stretches{{0, 0}, {depth_of(shared, at), 0}} : at;
}

// grad_x for some rows: to[r][0..I) = gradients[r] W_ih, for the panels of the input in `mine`. With rounding the rows
// become pairs in `rounded`, unless that is null: then they are already.
inline void input_gradient(const Sequence& q, const BackwardShared& shared, long tile_rows, const float** gradients,
                           float* const* to, long count, const Stretches& numbers, Range mine, float* rounded,
                           float* sums) {
  if (rounded != nullptr) round_gradients(shared, gradients, count, count, numbers, rounded);
  const Stretches at = words_at(shared, numbers);
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
    column_panel(shared, tile_rows, gradients, count, count, at, shared.weight_x + block * depth * kWidth, block * kWidth,
                 panels.slots(j), sums, [](const Tile&) {}, store_tile);
  }
}

// The same for all real positions in a share of (T, B): after a walk whose threads split the units.
constexpr long kPositions = 16 * kRegisterRows;
inline void input_gradient_of(const Sequence& q, const float* gradients, long row_size, const Stretches& at,
                              const BackwardShared& shared, Range positions, float* rounded, float* sums) {
  Bf16Unit unit(shared.products, kPositions);
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
      input_gradient(q, shared, unit.tile_rows(), from, to, count, at, {0, Panels(q.input_size).panels}, rounded, sums);
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
  float* tile;       // the sums of one panel: kSumsPerRow for every row and what tiles need beside (tile_room)
  float* rounded;    // with rounding: the rows of a product as pairs
  float* sums;       // options: whatever the cell keeps per row
  float* bias;       // [row of sums][padded units], over time and rows
  const float** gradients;
  float** grad_x;
};

// grad_h0 = gradients of step 0 times W_hh, plus what is carried on.
template <class Cell>
void finish_initial_state(const Cell& cell, const Sequence& q, const BackwardShared& shared, const Rows& rows,
                          Range mine, long tile_rows, BackwardScratch& scratch) {
  const long H = q.hidden_size;
  const Panels panels(H);
  const Stretches at = words_at(shared, cell.recurrent_stretches());
  const long depth = at.length[0] + at.length[1];
  BackwardStep& step = scratch.step;
  long real = 0;  // rows with steps come first
  for (long r = 0; r < rows.count; ++r) {
    const long b = rows.batch[r], length = rows.length[r];
    step.batch[r] = b;
    real += length > 0;
    step.next[r] = length > 0 ? cell.recurrent_gradient() + (time_of(q, length, 0) * q.batch + b) * cell.recurrent_size()
                              : shared.zeros;
    step.carried[r] = cell.carries() || length == 0 ? shared.carried_h + b * H : shared.zeros;
  }
  if (scratch.rounded != nullptr)
    round_gradients(shared, step.next, rows.count, real, cell.recurrent_stretches(), scratch.rounded);
  const auto store_tile = [&](const Tile& tile) {
    for (int v = 0; v < tile.slots; ++v) {
      const long first = tile.unit + v * kWidth;
      const Part<kWidth> part(H - first);
      for (int r = 0; r < tile.rows; ++r) {
        const long row = tile.first_row + r, b = step.batch[row];
        Float<kWidth> value = load<kWidth>(tile.sums + r * tile.row_stride + v * kWidth);
        if (q.recurrent_mask != nullptr) value *= load<kWidth>(q.recurrent_mask + b * H + first, part);
        store(q.grad_h0 + b * H + first, part, value + load<kWidth>(step.carried[row] + first, part));
      }
    }
  };
  for (long j = mine.begin; j < mine.end; ++j) {
    const long block = panels.first_block(j);
    column_panel(shared, tile_rows, step.next, rows.count, rows.count, at,
                 shared.weight_h + block * depth * kWidth, block * kWidth, panels.slots(j), scratch.tile,
                 [](const Tile&) {}, store_tile);
  }
}

// grad_x of the rows that run at this step, for a thread that has them to itself.
template <class Cell>
void input_gradient_of_step(const Cell& cell, const Sequence& q, const BackwardShared& shared, long tile_rows,
                            BackwardScratch& scratch) {
  const BackwardStep& step = scratch.step;
  for (long r = 0; r < step.count; ++r) {
    scratch.gradients[r] = cell.input_gradient() + step.position[r] * cell.input_gradient_size();
    scratch.grad_x[r] = q.grad_x + step.position[r] * q.input_size;
  }
  input_gradient(q, shared, tile_rows, scratch.gradients, scratch.grad_x, step.count, cell.input_stretches(),
                 {0, Panels(q.input_size).panels}, scratch.rounded, scratch.tile);
}

// Runs `rows` back through all their steps for the panels in `mine`.
template <class Cell>
void walk_backward(const Cell& cell, const Sequence& q, const BackwardShared& shared, const Rows& rows, Range mine,
                   BackwardScratch& scratch, Barrier* barrier) {
  const long H = q.hidden_size;
  const Panels panels(H);
  const Bf16Unit unit(shared.products, rows.count);
  const Stretches at = words_at(shared, cell.recurrent_stretches());
  const long depth = at.length[0] + at.length[1];
  const bool fused = shared.weight_x != nullptr && barrier == nullptr;
  BackwardStep& step = scratch.step;
  step.count = 0;
  for (long s = rows.steps() - 1; s >= 0; --s) {
    const long continuing = enter_backward_step(q, shared, rows, s, cell.recurrent_gradient(), cell.recurrent_size(),
                                                cell.carries(), &step);
    if (scratch.rounded != nullptr)
      round_gradients(shared, step.next, step.count, continuing, cell.recurrent_stretches(), scratch.rounded);
    for (long j = mine.begin; j < mine.end; ++j) {
      const long block = panels.first_block(j);
      column_panel(
          shared, unit.tile_rows(), step.next, step.count, continuing, at, shared.weight_h + block * depth * kWidth,
          block * kWidth, panels.slots(j), scratch.tile, [&](const Tile& tile) { cell.fetch(step, tile); },
          [&](const Tile& tile) { cell.backward(step, shared, tile, scratch.bias); });
    }
    if (barrier != nullptr) barrier->wait();
    if (fused) input_gradient_of_step(cell, q, shared, unit.tile_rows(), scratch);
  }
  if (q.grad_h0 != nullptr) finish_initial_state(cell, q, shared, rows, mine, unit.tile_rows(), scratch);
}

}  // namespace gatewise
