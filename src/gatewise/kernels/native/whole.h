// The walk through time with options: layer norm, zoneout, recurrent dropout, peepholes, the other readings of the GRU.
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
#include "backward.h"

namespace gatewise {

constexpr float kEpsilon = 1e-5f;  // added to a variance

// ---- layer norm of one row ----

// f(i, part, lane) for i = 0, W, 2W ... < count, `lane` running 0 1 2 3 0 1 ...: four sums side by side do not wait for
// each other.
template <class Function> GATEWISE_INLINE void in_four_lanes(long count, const Function& f) {
  constexpr int W = kWidth;
  const Part<W> whole(W);
  long i = 0;
  for (; i + 4 * W <= count; i += 4 * W)
#pragma GCC unroll 4
    for (int lane = 0; lane < 4; ++lane) f(i + lane * W, whole, lane);
  for (; i < count; i += W) f(i, Part<W>(count - i), 0);
}

GATEWISE_INLINE float total_of(const Float<kWidth> (&sums)[4]) { return sum((sums[0] + sums[1]) + (sums[2] + sums[3])); }

// `values` (gates x width, H of each width real, the rest zero) becomes (values - mean) / deviation, also written to
// `copy` (gates x H, dense) if given. Returns 1 / deviation.
inline float normalise(float* values, int gates, long H, long width, float* copy = nullptr) {
  constexpr int W = kWidth;
  const float count = float(gates * H);
  Float<W> totals[4] = {}, squares[4] = {};
  in_four_lanes(gates * width, [&](long i, const Part<W>&, int lane) { totals[lane] += load<W>(values + i); });
  const float mean = total_of(totals) / count;
  for (int gate = 0; gate < gates; ++gate)
    in_four_lanes(H, [&](long u, const Part<W>& part, int lane) {
      float* at = values + gate * width + u;
      store(at, part, load<W>(at) - mean);  // lanes beyond H stay zero
      const Float<W> centred = load<W>(at, part);
      squares[lane] += centred * centred;
    });
  const float scale = 1.0f / __builtin_sqrtf(total_of(squares) / count + kEpsilon);
  for (int gate = 0; gate < gates; ++gate)
    for (long u = 0; u < H; u += W) {
      const Part<W> part(H - u);
      const Float<W> value = load<W>(values + gate * width + u) * scale;
      store(values + gate * width + u, value);
      if (copy != nullptr) store(copy + gate * H + u, part, value);
    }
  return scale;
}

// The way back: `normalised` (gates x H, dense) becomes the gradient of the values, given `scale` = 1 / deviation and
// gradient[gate][u] = gradient of the normalised value times its gain at gradient + gate * H.
inline void normalise_backward(const float* gradient, float* normalised, int gates, long H, float scale) {
  constexpr int W = kWidth;
  Float<W> totals[4] = {}, along[4] = {};
  const long count = gates * H;
  in_four_lanes(count, [&](long i, const Part<W>& part, int lane) {
    const Float<W> g = load<W>(gradient + i, part);
    totals[lane] += g;
    along[lane] += g * load<W>(normalised + i, part);
  });
  const float mean = total_of(totals) / float(count), mean_along = total_of(along) / float(count);
  for (long i = 0; i < count; i += W) {
    const Part<W> part(count - i);
    const Float<W> g = load<W>(gradient + i, part), n = load<W>(normalised + i, part);
    store(normalised + i, part, scale * (g - mean - n * mean_along));
  }
}

// ---- zoneout ----

// How much of the old value is kept at one place: 0 or 1 from a mask, or the expectation.
struct Zoneout {
  const uint8_t* mask;  // (T, B, H) or null
  float expectation;
  bool on() const { return mask != nullptr || expectation != 0.0f; }

  GATEWISE_INLINE Float<kWidth> bytes(const uint8_t* from, const Part<kWidth>& part) {
    typedef uint8_t Bytes __attribute__((vector_size(kWidth)));
    Bytes read{};
    if (part.full())
      std::memcpy(&read, from, kWidth);
    else
      for (int i = 0; i < part.count; ++i) read[i] = from[i];
    return to_float<kWidth>(__builtin_convertvector(read, Int<kWidth>));
  }
  Float<kWidth> keep(long at, const Part<kWidth>& part) const {
    return mask != nullptr ? bytes(mask + at, part) : broadcast<kWidth>(expectation);
  }
  // keep old + (1 - keep) fresh; with a mask a plain choice, so that an infinity on the other side does no harm.
  Float<kWidth> mix(Float<kWidth> keep, Float<kWidth> old, Float<kWidth> fresh) const {
    if (mask != nullptr) return select(keep > 0.5f, old, fresh);
    return keep * old + (1.0f - keep) * fresh;
  }
};

// ---- the two sides of a pre-activation ----

// One row's products and where its parameters lie.
struct RowParts {
  const Sequence& q;
  long position, gates_size;  // t B + b; G H
  const float *x, *h;         // products, gate by gate `width` apart, normalised where that is on
  long width;

  // W_ih x + b_ih, or LN(W_ih x) gain + b_ih, or the given gates_x.
  Float<kWidth> input(int gate, long unit, const Part<kWidth>& part) const {
    const long at = gate * q.hidden_size + unit;
    if (q.gates_x != nullptr) return load<kWidth>(q.gates_x + position * gates_size + at, part);
    Float<kWidth> value = load<kWidth>(x + gate * width + unit);
    if (q.layer_norm_ih != nullptr) value *= load<kWidth>(q.layer_norm_ih + at, part);
    if (q.bias_ih != nullptr) value += load<kWidth>(q.bias_ih + at, part);
    return value;
  }
  // W_hh h + b_hh, or LN(W_hh h) gain + b_hh.
  Float<kWidth> state(int gate, long unit, const Part<kWidth>& part) const {
    const long at = gate * q.hidden_size + unit;
    Float<kWidth> value = load<kWidth>(h + gate * width + unit);
    if (q.layer_norm_hh != nullptr) value *= load<kWidth>(q.layer_norm_hh + at, part);
    if (q.bias_hh != nullptr) value += load<kWidth>(q.bias_hh + at, part);
    return value;
  }
};

// Normalises `gates` gates of one row and keeps the result for the way back.
inline void normalise_and_keep(const Sequence& q, float* values, int first_gate, int gates, long width, float* kept,
                               long gates_size, long position, int deviation) {
  float* copy = kept == nullptr ? nullptr : kept + position * gates_size + first_gate * q.hidden_size;
  const float scale = normalise(values, gates, q.hidden_size, width, copy);
  if (kept != nullptr) q.deviations[position * 4 + deviation] = scale;
}

// ---- sums over rows and time, one set per thread ----

enum SumRow { kBiasX = 0, kBiasH = 4, kGainX = 8, kGainH = 12, kPeephole = 16, kGainC = 19, kBiasC = 20, kSumRows = 21 };

GATEWISE_INLINE void add_to(float* sums, Float<kWidth> value) { store(sums, load<kWidth>(sums) + value); }

// Total over threads of one row of sums, into `to` (H) if wanted.
inline void gather(float* const* sums, int threads, long row, long width, Range units, float* to) {
  if (to == nullptr) return;
  for (long u = units.begin; u < units.end; ++u) {
    float total = 0.0f;
    for (int thread = 0; thread < threads; ++thread) total += sums[thread][row * width + u];
    to[u] = total;
  }
}

// One side of one row: adds the gradients of `gates` pre-activations (each H floats, at gradient[gate]) to the sums of
// bias and gain and, where the product was normalised, turns `normalised` into the gradient of the product itself.
inline void side_backward(const float* const* gradient, int gates, const float* gain, float* normalised, float scale,
                          long H, long width, float* bias_sums, float* gain_sums, float* scaled) {
  for (int gate = 0; gate < gates; ++gate)
    for (long u = 0; u < H; u += kWidth) {
      const Part<kWidth> part(H - u);
      const Float<kWidth> d = load<kWidth>(gradient[gate] + u, part);
      add_to(bias_sums + gate * width + u, d);
      if (normalised == nullptr) continue;
      add_to(gain_sums + gate * width + u, d * load<kWidth>(normalised + gate * H + u, part));
      store(scaled + gate * H + u, part, d * load<kWidth>(gain + gate * H + u, part));
    }
  if (normalised != nullptr) normalise_backward(scaled, normalised, gates, H, scale);
}

// All sums of the option path for a cell of `gates` gates.
inline void gather_all(const Sequence& q, int gates, float* const* sums, int threads, long width, Range units) {
  const long H = q.hidden_size;
  const auto row = [&](float* base, int gate) { return base != nullptr ? base + gate * H : nullptr; };
  for (int gate = 0; gate < gates; ++gate) {
    gather(sums, threads, kBiasX + gate, width, units, row(q.grad_bias_ih, gate));
    gather(sums, threads, kBiasH + gate, width, units, row(q.grad_bias_hh, gate));
    gather(sums, threads, kGainX + gate, width, units, row(q.grad_layer_norm_ih, gate));
    gather(sums, threads, kGainH + gate, width, units, row(q.grad_layer_norm_hh, gate));
    if (gate < gates - 1) gather(sums, threads, kPeephole + gate, width, units, row(q.grad_peephole, gate));
  }
  gather(sums, threads, kGainC, width, units, q.grad_layer_norm_c);
  gather(sums, threads, kBiasC, width, units, q.grad_layer_norm_c_bias);
}

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
    if (!q.reset_before) {
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
inline void whole_column_product(const float* const* rows, long count, const Stretches& at, const float* weights,
                                 const Panels& panels, const Team& team, const float* zeros, long continuing, float* out,
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
      column_tile(rows + begin, at, weights + block * depth * kWidth, zeros, false, begin >= continuing, tile);
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
    whole_column_product(step.next, step.count, cell.recurrent_stretches(), shared.weight_h, panels, team, shared.zeros,
                         continuing, scratch.sums, stride);
    team.meet();
    fetch_row(cell, q, step, team.thread);
    for (long r = team.thread; r < step.count; r += team.threads) {
      fetch_row(cell, q, step, r + team.threads);
      cell.backward_row(step, shared, r, scratch.sums + r * stride, width, scratch.bias);
    }
    team.meet();
    if (q.reset_before) {
      for (long r = 0; r < step.count; ++r)
        scratch.gradients[r] = cell.recurrent_gradient() + step.position[r] * cell.recurrent_size() + 2 * H;
      whole_column_product(scratch.gradients, step.count, {{0, 0}, {H, 0}}, shared.weight_n, panels, team, shared.zeros,
                           step.count, scratch.sums + width, stride);
      team.meet();
      for (long r = team.thread; r < step.count; r += team.threads)
        cell.backward_reset(step, shared, r, scratch.sums + r * stride, width, scratch.bias);
      team.meet();
    }
    if (fused) input_gradient_of_step(cell, q, shared, scratch);
  }
  if (q.grad_h0 != nullptr) finish_initial_state(cell, q, shared, rows, team.part(panels.panels), scratch);
}

}  // namespace gatewise
