// A forward call: memory for all threads, packed weights, the walk, the final states.
#pragma once

#include <atomic>
#include <new>

#include "whole.h"

namespace gatewise {

// How many numbers of weights one step of one row meets.
template <class Cell> double weights_of(const Cell& cell, const Sequence& q) {
  return double(cell.gates() * q.hidden_size) * double(q.hidden_size + (q.x != nullptr ? q.input_size : 0));
}
template <class Cell> double multiply_adds(const Cell& cell, const Sequence& q) {
  return double(q.steps) * double(q.batch) * weights_of(cell, q);
}

// Weights (gates * units, length) -> panels of whole numbers (int8.h), this thread's share.
template <class Cell>
void pack_int8(const Cell& cell, const float* weights, long length, int gates, const Panels& panels, float* to,
               Range mine) {
  for (long j = mine.begin; j < mine.end; ++j) {
    const long block = Cell::kUnitPanels ? panels.first_block(j) : j;
    const int slots = Cell::kUnitPanels ? panels.slots(j) : gates;
    const float* rows[kMaximumSlots][kWidth];
    for (int slot = 0; slot < slots; ++slot) {
      const long gate = Cell::kUnitPanels ? 0 : cell.order()[slot];
      rows_of_block(weights + gate * panels.size * length, panels.size, length, Cell::kUnitPanels ? block + slot : block,
                    rows[slot]);
    }
    to_int8_panel(rows[0], slots, length, to + block * (Cell::kUnitPanels ? 1 : gates) * int8_words(length) * kWidth);
  }
}

// This thread's part of the packed forward weights and of the values that the sums start from.
template <class Cell>
void pack_forward(const Cell& cell, const Sequence& q, const ForwardShared& shared, const float* weight_ih,
                  const float* weight_hh, float* weight_x, float* weight_h, float* weight_n, float* start, float* finite,
                  int thread, int threads) {
  const long H = q.hidden_size, input = shared.input_words, state = shared.state_words;
  const Panels panels(H);
  if (shared.rounding == kInt8) {
    const Range mine = share(Cell::kUnitPanels ? panels.panels : panels.blocks, thread, threads);
    if (weight_x != nullptr) pack_int8(cell, weight_ih, q.input_size, cell.input_slots(), panels, weight_x, mine);
    pack_int8(cell, weight_hh, H, cell.state_slots(), panels, weight_h, mine);
  } else if constexpr (Cell::kUnitPanels) {
    const Range mine = share(panels.panels, thread, threads);
    if (weight_x != nullptr) pack_units(weight_ih, input, panels, weight_x, mine);
    if (weight_h != nullptr) pack_units(weight_hh, state, panels, weight_h, mine, finite);
  } else {
    const Range mine = share(panels.blocks, thread, threads);
    if (weight_n != nullptr)
      pack_units(weight_hh + 2 * H * H, H, panels, weight_n, share(panels.panels, thread, threads));
    if (weight_x != nullptr)
      pack_gates(weight_ih, H, input, cell.order(), cell.input_slots(), weight_x, mine);
    if (weight_h != nullptr) pack_gates(weight_hh, H, state, cell.order(), cell.state_slots(), weight_h, mine, finite);
  }
  const Range blocks = share(panels.blocks, thread, threads);
  for (long block = blocks.begin; block < blocks.end; ++block)
    for (int slot = 0; slot < cell.slots(); ++slot)
      for (int lane = 0; lane < kWidth; ++lane) {
        const long unit = block * kWidth + lane;
        start[(block * cell.slots() + slot) * kWidth + lane] = unit < H ? cell.start(slot, unit) : 0.0f;
      }
}

// What stands for a row of `length` weights in a panel.
inline long words_of(const Sequence& q, long length) {
  return q.rounding == kInt8 ? int8_words(length) : q.rounding == kBf16 ? bf16_words(bf16_products(), length) : length;
}

// Where packed weights lie in memory that outlives a call, in floats, each part from the start of a cache line.
struct PackedPlaces {
  long h, n, start, finite, total;
};
template <class Cell> PackedPlaces packed_places(const Cell& cell, const Sequence& q) {
  const long width = blocks_of(q.hidden_size) * kWidth;
  const long h = round_up(width * cell.input_slots() * words_of(q, q.input_size), 16);
  const long n = h + round_up(width * cell.state_slots() * words_of(q, q.hidden_size), 16);
  const long start = n + (cell.resets_before() ? round_up(width * q.hidden_size, 16) : 0);
  const long finite = start + width * cell.slots();
  return {h, n, start, finite, finite + blocks_of(q.hidden_size)};
}

constexpr double kManyWeights = 2e6;  // packed and as given they take 16 MB

#if defined(__AVX512F__)
constexpr long kAheadRows = kTileRows + 1, kManyAheadRows = 64;
constexpr double kDirectWeights = 2.5e5, kFarWeights = 1e6;  // packed and as given they take 2 and 8 MB
constexpr double kFetchedWeights = 5e5;  // 2 MB, a second-level cache
#else
constexpr long kAheadRows = kTileRows, kManyAheadRows = 0;
constexpr double kDirectWeights = kManyWeights, kFarWeights = 1e30;
constexpr double kFetchedWeights = 0;
#endif

// How many steps this process's calls have made before one of `steps`: a call begins with the panels that the call before
// ended with. Calls of one step after the other, as decoding makes them, find part of their weights in the cache.
inline long turns_before(long steps) {
  static std::atomic<long> turns{0};
  return turns.fetch_add(steps, std::memory_order_relaxed) & 1;
}

// Everything one forward call holds.
template <class Cell> struct ForwardRun {
  const Cell& cell;
  const Sequence& q;
  Workspace workspace{};
  Plan plan{};
  ForwardShared shared{};
  Status status = kOk;
  float *weight_x = nullptr, *weight_h = nullptr, *weight_n = nullptr, *start = nullptr, *finite = nullptr;
  float *pairs_ih = nullptr, *pairs_hh = nullptr;  // bf16: (G H, input_words), (G H, state_words), the rounded weights
  ForwardScratch* scratch = nullptr;

  long inputs() const { return q.x != nullptr ? q.input_size : 0; }
  long width() const { return blocks_of(q.hidden_size) * kWidth; }

  // One thread, before the others start: false ends the call with `status`.
  bool prepare(int team) {
    try {
      if (q.rounding == kInt8 && (cell.whole_rows() || q.training)) status = kNotSupported;
      if (q.rounding == kBf16 && (cell.whole_rows() || q.packed != nullptr || bf16_products() == kNoBf16))
        status = kNotSupported;
      const double size = weights_of(cell, q) / (q.rounding == kInt8 ? 4 : q.rounding == kBf16 ? 2 : 1);
      if (status == kOk) status = make_plan(q, team, size, units_shared(), workspace, &plan);
      if (status != kOk) return false;
      shared.turn = turns_before(q.steps);
      take_shared(team);
      scratch = workspace.take<ForwardScratch>(team);
      for (int thread = 0; thread < team; ++thread) scratch[thread] = make_scratch(thread);
      return true;
    } catch (const std::bad_alloc&) {
      status = kOutOfMemory;
      return false;
    }
  }

  // Whether the inputs' products of many steps are made at once, so that their weights are read once for all of these:
  // where all threads share each step's units, and where one thread has too few rows for the weights that a step reads.
  bool projects_ahead(int team) const {
    const double weights = weights_of(cell, q);
    const long most = most_rows(), more = most == kTileRows ? kAheadRows : most;
    const bool few = 2 * q.batch <= most || (q.batch < more && weights > 1e5) ||
                     (most == kTileRows && q.batch < kManyAheadRows && weights > kManyWeights);
    const bool thin = team == 1 && q.steps > 1 && q.steps * q.batch >= most && few;
    const bool together = plan.split_units && q.steps > 1;
    return inputs() > 0 && !cell.whole_rows() && (together || thin) && !few_uses();
  }

  // Rows of a tile at most.
  long most_rows() const { return q.rounding == kBf16 && is_tiled(bf16_products()) ? kBf16TileRows : kTileRows; }

  void take_shared(int team) {
    const long H = q.hidden_size, B = q.batch, I = inputs();
    shared.rounding = Rounding(q.rounding);
    if (shared.rounding == kBf16) shared.products = bf16_products();
    shared.input_words = words_of(q, I);
    shared.state_words = words_of(q, H);
    if (shared.rounding == kBf16) {
      pairs_ih = workspace.take<float>(cell.gates() * H * shared.input_words);
      pairs_hh = workspace.take<float>(cell.gates() * H * shared.state_words);
    }
    const bool ahead = projects_ahead(team);
    // Twice as many rows where that leaves the input's panels to be packed in place, each once.
    const long rows = q.packed == nullptr && q.steps * B <= 2 * kPositions ? q.steps * B : kPositions;
    if (ahead) shared.projected_steps = std::max(1L, std::min<long>(q.steps, (rows + B - 1) / std::max(B, 1L)));
    place_weights(ahead, team);
    shared.weight_x = weight_x;
    shared.weight_h = weight_h;
    shared.weight_n = weight_n;
    shared.start = start;
    shared.finite = finite;
    shared.zeros = workspace.take_zeroed<float>(std::max(width() * 4, I));
    if (ahead) {
      shared.projected = workspace.take<float>(tile_room(shared.projected_steps * B) * width() * cell.slots());
    }
    if (Cell::kHasCell && q.cells == nullptr) shared.running_c = workspace.take<float>(B * H);
  }

  // When the threads share units rather than rows: with one tile of rows from fewer weights on, and at once where weights
  // are not packed, since each thread would go through all of them for its rows.
  Sharing units_shared() const {
    if (cell.whole_rows() || q.batch > most_rows()) return {kCachedWeights, 8 * kWidth};
    if (few_uses()) return {0.0, 2 * kWidth};
    return {kNearWeights, 8 * kWidth};
  }

  // Whether panels are used by so few tiles that packing them costs more than it saves (docs/kernels.md has the
  // measurements): two; four or six where the weights, packed a second time, would push each other out of a cache.
  bool few_uses() const {
    const double weights = weights_of(cell, q);
    return may_be_direct() && uses() <= (weights > kFarWeights ? 6 : weights > kDirectWeights ? 4 : 2);
  }
  // The same of the state's panels alone, where the input's product is made ahead: each is read from beyond the caches at
  // every step, packed or not.
  bool few_state_uses() const { return may_be_direct() && uses() <= 12 && weights_of(cell, q) > kFarWeights; }
  bool may_be_direct() const { return kDirectRows > 0 && q.packed == nullptr && q.rounding == kFloat32; }
  // How many tiles meet each weight.
  long uses() const { return q.steps * Tiling(q.batch).tiles; }

  // Room for packed weights: what the caller lends, or this call's own; none for panels that are used once and by one
  // thread, which packs them then, into the nearest cache, or that are not packed at all.
  void place_weights(bool ahead, int team) {
    const long I = inputs();
    if (q.packed != nullptr) {
      const PackedPlaces places = packed_places(cell, q);
      weight_x = I > 0 ? q.packed : nullptr;
      weight_h = q.packed + places.h;
      weight_n = cell.resets_before() ? q.packed + places.n : nullptr;
      start = q.packed + places.start;
      finite = shared.rounding == kFloat32 ? q.packed + places.finite : nullptr;
      return;
    }
    const bool may = (team == 1 || plan.split_units) && !cell.whole_rows() && shared.rounding == kFloat32;
    shared.direct = may && (ahead ? few_state_uses() : few_uses());
    shared.packs_in_walk = may;
    shared.fetches_next = weights_of(cell, q) / team > kFetchedWeights;
    const bool once_x = (shared.direct && !ahead) || (may && (ahead ? shared.projected_steps >= q.steps : q.steps == 1));
    const bool once_h = shared.direct || (may && q.steps == 1);
    if (I > 0 && !once_x) weight_x = workspace.take<float>(width() * cell.input_slots() * shared.input_words);
    if (!once_h) weight_h = workspace.take<float>(width() * cell.state_slots() * shared.state_words);
    weight_n = cell.resets_before() ? workspace.take<float>(width() * q.hidden_size) : nullptr;
    start = workspace.take<float>(width() * cell.slots());
    if (q.h0 == nullptr && !may && !cell.whole_rows() && shared.rounding == kFloat32)
      finite = workspace.take<float>(blocks_of(q.hidden_size));
  }

  ForwardScratch make_scratch(int thread) {
    const long rows = plan.of(thread).count, H = q.hidden_size;
    const bool whole = cell.whole_rows(), first = thread == 0 || !plan.split_units;  // else as the first thread's
    ForwardScratch mine;
    mine.step = make_step(rows, workspace);
    if (shared.projected != nullptr) mine.ahead = make_ahead(q, shared, rows, workspace);
    const long sums = whole ? rows * 2 * cell.gates() * width() : long(kMostTileRows * kMaximumSlots * kWidth);
    mine.sums = whole && !first ? scratch[0].sums : workspace.take<float>(sums);
    if (q.recurrent_mask != nullptr) mine.masked = workspace.take<float>(rows * H);
    if (shared.rounding != kFloat32)
      mine.masked = workspace.take<float>(tile_room(rows) * (shared.row_words(H) + shared.row_words(q.input_size)));
    const long panel = kMaximumSlots * kWidth;  // floats per number that a unit reads
    if (inputs() > 0 && shared.weight_x == nullptr) mine.panel_x = workspace.take<float>(panel * q.input_size);
    if (shared.weight_h == nullptr) mine.panel_h = workspace.take<float>(panel * H);
    if (shared.direct) {
      mine.across_x = workspace.take<float>(across_size(rows, inputs()));
      mine.across_h = workspace.take<float>(across_size(rows, H));
    }
    if (cell.resets_before()) mine.reset = first ? workspace.take<float>(rows * H) : scratch[0].reset;
    return mine;
  }

  // This thread's part of the rounded weights.
  void round_weights(int thread, int team) {
    const Range mine = share(cell.gates() * q.hidden_size, thread, team);
    for (long row = mine.begin; row < mine.end; ++row) {
      if (inputs() > 0) shared.round(q.weight_ih + row * q.input_size, q.input_size, pairs_ih + row * shared.input_words);
      shared.round(q.weight_hh + row * q.hidden_size, q.hidden_size, pairs_hh + row * shared.state_words);
    }
  }

  // Every thread.
  void work(int thread, int team, Barrier& barrier) {
    const Panels panels(q.hidden_size);
    if (shared.rounding == kBf16) {
      round_weights(thread, team);
      barrier.wait();
    }
    if (q.packed == nullptr || !q.packed_ready)
      pack_forward(cell, q, shared, pairs_ih != nullptr ? pairs_ih : q.weight_ih, pairs_hh != nullptr ? pairs_hh : q.weight_hh,
                   shared.packs_in_walk ? nullptr : weight_x, shared.packs_in_walk ? nullptr : weight_h, weight_n, start,
                   finite, thread, team);
    if (shared.running_c != nullptr) {
      const Range mine = share(q.batch * q.hidden_size, thread, team);
      for (long i = mine.begin; i < mine.end; ++i) shared.running_c[i] = q.c0 != nullptr ? q.c0[i] : 0.0f;
    }
    barrier.wait();
    const int part = plan.split_units ? thread : 0, parts = plan.split_units ? team : 1;
    Barrier* meet = plan.split_units ? &barrier : nullptr;
    if (cell.whole_rows())
      walk_forward_whole(cell, q, shared, plan.of(thread), {part, parts, meet}, scratch[thread]);
    else
      walk_forward(cell, q, shared, plan.of(thread), share(Cell::kUnitPanels ? panels.panels : panels.blocks, part, parts),
                   scratch[thread], meet);
    barrier.wait();
    finish_forward(q, shared, share(q.batch, thread, team));
  }
};

}  // namespace gatewise
