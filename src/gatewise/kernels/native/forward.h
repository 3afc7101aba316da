// The forward walk through time, the same for every cell.
//
// For each step, each panel of units and each tile of rows: the tile product sums bias + x W_ih^T + h W_hh^T into a
// small buffer that stays in the first-level cache, then the cell's own `forward` turns these sums into gates and the
// new state. A Cell says how its weights are laid out and what it does with the sums:
//
//   struct Cell {
//     static constexpr bool kUnitPanels;  // a panel is up to 4 unit blocks of one gate, or all gates of one block
//     Product product() const;            // which slots the input and the state feed (gate panels)
//     int slots() const;                  // sums per unit
//     int input_slots(), state_slots() const;  // how many slots each product feeds
//     bool resets_before() const;  // with options: three gates, whose last one's product is with what `forward_reset`
//                                  // makes of the state, and so comes after the others'
//     void forward(const Step&, const Tile&) const;
//   };
#pragma once

#include <algorithm>

#include "bf16.h"
#include "direct.h"
#include "int8.h"
#include "microkernel.h"
#include "sequence.h"
#include "tiling.h"

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
  const float** c = nullptr;          // (H) second state before the step
  float** c_new = nullptr;            // (H)
};

// The forward weights and everything else the threads share.
struct ForwardShared {
  float* weight_x = nullptr;        // packed; null: each panel is packed where it is used, or not at all
  float* weight_h = nullptr;        // likewise
  bool packs_in_walk = false;       // the first step packs each panel into those, just before it multiplies with it
  bool direct = false;              // no panel of the state's weights is packed but those of blocks that are not whole, and
                                    // none of the input's where its product is not made ahead (direct.h)
  bool fetches_next = false;        // a direct product asks for the next panel's weights
  long turn = 0;                    // odd: the first step goes through the panels backwards, where steps do so in turns
  const float* weight_n = nullptr;  // where the cell resets before: the last gate's recurrent weights
  const float* start = nullptr;     // [block][slots][kWidth]
  const float* finite = nullptr;    // [first block of a panel]: 1 where its recurrent weights are; null: not known
  float* projected = nullptr;       // rows of [block][slots][kWidth]: input products of some steps, or null
  long projected_steps = 0;         // how many steps' rows it holds at most
  const float* zeros = nullptr;     // (max(H, I)) zeros
  float* running_c = nullptr;       // (B, H) second state of a call without training
  Rounding rounding = kFloat32;     // of the rows and weights of the products
  Bf16Products products = kNoBf16;  // with that rounding: what multiplies them
  long input_words = 0, state_words = 0;  // what stands for I and H numbers in a panel

  ProductTile tile(Product product, int rows) const {
    return rounding == kInt8   ? int8_product_tile(product, rows)
           : rounding == kBf16 ? bf16_product_tile(products, product, rows)
                               : product_tile(product, rows);
  }
  // Words that a rounded row of `length` numbers takes, and such a row.
  long row_words(long length) const { return rounding == kInt8 ? int8_row_words(length) : bf16_words(products, length); }
  void round(const float* from, long length, float* to) const {
    if (rounding == kInt8)
      to_int8_row(from, length, to);
    else
      to_bf16_row(products, from, length, to);
  }
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
  return step;
}

// Sets the pointers for step s of `rows`; returns how many rows run.
// With rounding the rows of the state and of x are rounded into `masked`: (rows, words of a state), (rows, words of an input),
// each with tile_room.
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
    if (shared.rounding != kFloat32) {
      const long state = shared.row_words(H);
      float* rounded = masked + r * state;
      shared.round(step->h[r], H, rounded);
      step->h_product[r] = rounded;
      if (q.x != nullptr && shared.projected == nullptr) {
        rounded = masked + tile_room(rows.count) * state + r * shared.row_words(q.input_size);
        shared.round(step->x[r], q.input_size, rounded);
        step->x[r] = rounded;
      }
    }
    if (q.recurrent_mask != nullptr) {
      float* target = masked + r * H;
      const float* mask = q.recurrent_mask + b * H;
      for (long u = 0; u < H; ++u) target[u] = step->h[r][u] * mask[u];
      step->h_product[r] = target;
    }
  }
}

// Which rows of which steps stand in ForwardShared::projected, and where the inputs come from.
struct Ahead {
  const float** x = nullptr;  // (projected_steps * rows)
  long* first = nullptr;      // (projected_steps): where each step's rows begin
  float* rounded = nullptr;   // with rounding: (projected_steps * rows, words of an input)
  long count = 0;
};

inline Ahead make_ahead(const Sequence& q, const ForwardShared& shared, long rows, Workspace& workspace) {
  const long count = shared.projected_steps * rows;
  return {workspace.take<const float*>(count), workspace.take<long>(shared.projected_steps),
          shared.rounding != kFloat32 ? workspace.take<float>(tile_room(count) * shared.row_words(q.input_size)) : nullptr,
          0};
}

// Lists the rows that run in the steps from s on, as many steps as fit.
inline void look_ahead(const Sequence& q, const ForwardShared& shared, const Rows& rows, long s, Ahead* ahead) {
  ahead->count = 0;
  long running = rows.count;
  for (long i = 0; i < shared.projected_steps && s + i < rows.steps(); ++i) {
    running = rows.running(s + i, running);
    ahead->first[i] = ahead->count;
    for (long r = 0; r < running; ++r) {
      const long b = rows.batch[r], t = time_of(q, rows.length[r], s + i);
      const float* x = q.x + t * q.x_step_stride + b * q.x_batch_stride;
      if (shared.rounding != kFloat32) {
        float* rounded = ahead->rounded + ahead->count * shared.row_words(q.input_size);
        shared.round(x, q.input_size, rounded);
        x = rounded;
      }
      ahead->x[ahead->count++] = x;
    }
  }
}

// How many floats the rows of `count` take when they are laid across tile by tile, for direct products.
inline long across_size(long count, long length) { return Tiling(count).tiles * length * kWidth; }

// Lays the rows of each tile across, where direct products read them so.
inline void lay_tiles_across(const float* const* rows, long count, long length, float* to) {
  const Tiling tiling(count);
  for (long i = 0; i < tiling.tiles; ++i) {
    const int height = int(tiling.begin(i + 1) - tiling.begin(i));
    if (height > kTurnedRows) lay_across(rows + tiling.begin(i), height, length, to + i * length * kWidth);
  }
}

// A panel's weights for one of the two products: packed, or as they were given.
struct PanelWeights {
  const float* packed = nullptr;
  bool finite = false;  // known to be, as they were packed just now
  Columns columns;
  // The product of some rows, where they are not packed; `across` has all tiles.
  void add_to(const Tile& tile, const float* const* rows, const float* across, long number, long length) const {
    if (columns.count > 0)
      add_direct(columns, rows, across + number * length * kWidth, tile.rows, length, tile.sums, tile.row_stride);
  }
};

// Panel j of the input's weights (else the state's), packed now, into `room`, or as it was given.
template <class Cell>
PanelWeights fresh_panel(const Cell& cell, const Sequence& q, const ForwardShared& shared, bool input, long j, float* room) {
  const Panels panels(q.hidden_size);
  const long block = Cell::kUnitPanels ? panels.first_block(j) : j;
  const int blocks = Cell::kUnitPanels ? panels.slots(j) : 1;
  const int slots = Cell::kUnitPanels ? 1 : input ? cell.input_slots() : cell.state_slots();
  PanelWeights panel;
  const float* weights = input ? q.weight_ih : q.weight_hh;
  const long length = input ? q.input_size : q.hidden_size;
  const bool whole = (block + blocks) * kWidth <= q.hidden_size;
  if (shared.direct && whole && !(input && shared.projected != nullptr)) {
    panel.columns.count = Cell::kUnitPanels ? blocks : slots;
    panel.columns.next = shared.fetches_next ? blocks * kWidth * length : 0;
    for (int c = 0; c < panel.columns.count; ++c) {
      const long gate = Cell::kUnitPanels ? 0 : cell.order()[c], unit = (block + (Cell::kUnitPanels ? c : 0)) * kWidth;
      panel.columns.weights[c] = weights + (gate * q.hidden_size + unit) * length;
      panel.columns.slots[c] = !input && cell.product() == Product::kLastApart && c == 2 ? 3 : c;
    }
    return panel;
  }
  if constexpr (Cell::kUnitPanels)
    panel.finite = pack_unit_panel(weights, length, panels, j, room);
  else
    panel.finite = pack_gate_panel(weights, q.hidden_size, length, cell.order(), slots, j, room);
  panel.packed = room;
  return panel;
}

// The same, packed before where panels are; `first`: in the walk's first step, which may have to pack it into its place.
template <class Cell>
GATEWISE_INLINE PanelWeights panel_of(const Cell& cell, const Sequence& q, const ForwardShared& shared, bool input, long j,
                                      bool first, float* room) {
  float* packed = input ? shared.weight_x : shared.weight_h;
  if (packed == nullptr) return fresh_panel(cell, q, shared, input, j, room);
  const int slots = Cell::kUnitPanels ? 1 : input ? cell.input_slots() : cell.state_slots();
  packed += (Cell::kUnitPanels ? Panels(q.hidden_size).first_block(j) : j) * slots *
            (input ? shared.input_words : shared.state_words) * kWidth;
  if (first && shared.packs_in_walk) return fresh_panel(cell, q, shared, input, j, packed);
  PanelWeights panel;
  panel.packed = packed;
  return panel;
}

// Whether the recurrent weights of panel j are finite, by reading them as they were given.
template <class Cell> bool finite_weights(const Cell& cell, const Sequence& q, long j) {
  const Panels panels(q.hidden_size);
  const long H = q.hidden_size, first = Cell::kUnitPanels ? panels.first_block(j) : j;
  const long unit = first * kWidth, last = std::min(H, (first + (Cell::kUnitPanels ? panels.slots(j) : 1)) * kWidth);
  for (int slot = 0; slot < cell.state_slots(); ++slot) {
    const long gate = Cell::kUnitPanels ? 0 : cell.order()[slot];
    if (!all_finite(q.weight_hh + (gate * H + unit) * H, (last - unit) * H)) return false;
  }
  return true;
}

// Panel j of the state's weights; nothing where its product may be left out of the first step. No initial state is a state
// of zeros, whose product adds 0 to each sum: but NaN, where a weight is infinite or NaN. A panel of whole numbers shows that
// in its scales, with which it begins.
template <class Cell>
GATEWISE_INLINE PanelWeights state_panel(const Cell& cell, const Sequence& q, const ForwardShared& shared, const Step& step,
                                         long j, float* room) {
  const bool zeros = step.first && q.h0 == nullptr && shared.rounding != kBf16;
  if (!zeros) return panel_of(cell, q, shared, false, j, step.first, room);
  if (shared.rounding == kInt8) {
    const PanelWeights panel = panel_of(cell, q, shared, false, j, step.first, room);
    const int slots = Cell::kUnitPanels ? Panels(q.hidden_size).slots(j) : cell.state_slots();
    return all_finite(panel.packed, slots * kWidth) ? PanelWeights{} : panel;
  }
  if (shared.finite != nullptr
          ? shared.finite[Cell::kUnitPanels ? Panels(q.hidden_size).first_block(j) : j] != 0.0f
          : shared.weight_h == nullptr && finite_weights(cell, q, j))
    return {};
  const PanelWeights panel = panel_of(cell, q, shared, false, j, true, room);
  return panel.finite ? PanelWeights{} : panel;
}

// x W_ih^T + bias of those rows for the panels in `mine`, into shared.projected: each panel is read once for all of them.
template <class Cell>
void project_ahead(const Cell& cell, const Sequence& q, const ForwardShared& shared, const Ahead& ahead, Range mine,
                   bool first, float* room, TileUnit& unit) {
  const Panels panels(q.hidden_size);
  const int slots = cell.slots();
  const long width = panels.blocks * slots * kWidth;
  const float* start[kMostTileRows];
  unit.reshape(ahead.count);
  const Tiling tiling = unit.tiling(ahead.count);
  const Segment nothing{ahead.x, nullptr, 0};
  for (long j = mine.begin; j < mine.end; ++j) {
    const long block = Cell::kUnitPanels ? panels.first_block(j) : j;
    const Product product = Cell::kUnitPanels ? blocks_product(panels.slots(j)) : cell.product();
    const float* weights = panel_of(cell, q, shared, true, j, first, room).packed;
    std::fill(start, start + kMostTileRows, shared.start + block * slots * kWidth);
    for (long i = 0; i < tiling.tiles; ++i) {
      const long begin = tiling.begin(i);
      const int height = int(tiling.begin(i + 1) - begin);
      shared.tile(product, height)(start, {ahead.x + begin, weights, shared.input_words}, nothing,
                                   shared.projected + begin * width + block * slots * kWidth, width, kWidth);
    }
  }
}

// Per-thread scratch of the walk.
struct ForwardScratch {
  Step step;
  Ahead ahead;
  float *panel_x = nullptr, *panel_h = nullptr;  // room for one panel that is packed where it is used
  float* sums = nullptr;    // one tile's, or with options all rows'
  float* masked = nullptr;  // (rows, H) states times the recurrent mask; or rounded rows, see enter_step
  float* reset = nullptr;   // (rows, H) where the cell resets before
  float *across_x = nullptr, *across_h = nullptr;  // a step's tiles, for direct products
};

// From so many weights per step and thread on (1 MB) every other step goes through the panels backwards: the second-level
// cache then still has those that the step before read last, where the same order would find none.
constexpr double kTurnedWeights = 262144;

// Runs `rows` through all their steps for the panels in `mine`; meets the other threads at `barrier` if given.
template <class Cell>
void walk_forward(const Cell& cell, const Sequence& q, const ForwardShared& shared, const Rows& rows, Range mine,
                  ForwardScratch& scratch, Barrier* barrier) {
  const Panels panels(q.hidden_size);
  const int slots = cell.slots();
  const long H = q.hidden_size, width = panels.blocks * kWidth;
  const bool ahead = shared.projected != nullptr, fused = !ahead && q.x != nullptr;
  const double units = double(H) * mine.size() / (Cell::kUnitPanels ? panels.panels : panels.blocks);
  const bool back_and_forth =
      shared.rounding == kInt8 || cell.gates() * units * (H + (fused ? q.input_size : 0)) > kTurnedWeights;
  const float* start[kMostTileRows];
  Step& step = scratch.step;
  TileUnit unit(shared.products, shared.rounding == kInt8, rows.count);
  for (long s = 0; s < rows.steps(); ++s) {
    enter_step(q, shared, rows, s, &step, scratch.masked);
    const long turn = ahead ? s % shared.projected_steps : 0;
    if (ahead && turn == 0) {
      look_ahead(q, shared, rows, s, &scratch.ahead);
      project_ahead(cell, q, shared, scratch.ahead, mine, step.first, scratch.panel_x, unit);
      unit.reshape(rows.count);
    }
    const float* begin_at = ahead ? shared.projected + scratch.ahead.first[turn] * slots * width : shared.start;
    const long begin_stride = ahead ? slots * width : 0;
    const Tiling tiling = unit.tiling(step.count);
    if (fused && shared.direct) lay_tiles_across(step.x, step.count, q.input_size, scratch.across_x);
    if (shared.direct) lay_tiles_across(step.h, step.count, q.hidden_size, scratch.across_h);
    const bool backwards = back_and_forth && (s + shared.turn) % 2 == 1;
    for (long turned = mine.begin; turned < mine.end; ++turned) {
      const long j = backwards ? mine.begin + mine.end - 1 - turned : turned;
      const long block = Cell::kUnitPanels ? panels.first_block(j) : j;
      const int blocks = Cell::kUnitPanels ? panels.slots(j) : 1;
      const Product product = Cell::kUnitPanels ? blocks_product(blocks) : cell.product();
      PanelWeights x = fused ? panel_of(cell, q, shared, true, j, step.first, scratch.panel_x) : PanelWeights{};
      PanelWeights h = state_panel(cell, q, shared, step, j, scratch.panel_h);
      if (backwards) x.columns.next = -x.columns.next, h.columns.next = -h.columns.next;
      for (long i = 0; i < tiling.tiles; ++i) {
        const long begin = tiling.begin(i);
        const int height = int(tiling.begin(i + 1) - begin);
        for (int r = 0; r < height; ++r) start[r] = begin_at + (begin + r) * begin_stride + block * slots * kWidth;
        const Tile tile{begin, height, block * kWidth, blocks, scratch.sums,
                        long(Cell::kUnitPanels ? blocks : slots) * kWidth, kWidth};
        shared.tile(product, height)(start, {step.x + begin, x.packed, x.packed ? shared.input_words : 0},
                                     {step.h_product + begin, h.packed, h.packed ? shared.state_words : 0}, tile.sums,
                                     tile.row_stride, tile.slot_stride);
        x.add_to(tile, step.x + begin, scratch.across_x, i, q.input_size);
        h.add_to(tile, step.h + begin, scratch.across_h, i, q.hidden_size);
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
