// A backward call: memory for all threads, packed weights, the walk back, the weights' gradients.
#pragma once

#include "bf16_pack.h"
#include "run_forward.h"
#include "weight_gradient.h"

namespace gatewise {

// The rows of the three tall matrices behind the weights' gradients, one entry per real step.
struct TallRows {
  const float **state_left, **input_left, **x, **h, **reset;
  long count = 0;
};

// Fills this thread's share. `gradients` is (T, B, size).
template <class Cell>
void list_rows(const Cell& cell, const Sequence& q, const float* zeros, float* masked, TallRows* rows, Range times) {
  const long H = q.hidden_size, B = q.batch;
  long k = 0;
  for (long t = 0; t < times.begin; ++t)
    for (long b = 0; b < B; ++b) k += q.lengths == nullptr || t < q.lengths[b];
  for (long t = times.begin; t < times.end; ++t) {
    for (long b = 0; b < B; ++b) {
      const long length = q.lengths != nullptr ? q.lengths[b] : q.steps, p = t * B + b;
      if (t >= length) continue;
      const bool first = t == time_of(q, length, 0);
      const float* h = !first            ? q.output + (q.reverse ? p + B : p - B) * H
                       : q.h0 != nullptr ? q.h0 + b * H
                                         : zeros;
      if (masked != nullptr) {
        for (long u = 0; u < H; ++u) masked[p * H + u] = h[u] * q.recurrent_mask[b * H + u];
        h = masked + p * H;
      }
      rows->state_left[k] = cell.recurrent_gradient() + p * cell.recurrent_size();
      rows->input_left[k] = cell.input_gradient() + p * cell.input_gradient_size();
      if (rows->x != nullptr) rows->x[k] = q.x + t * q.x_step_stride + b * q.x_batch_stride;
      if (rows->reset != nullptr) rows->reset[k] = q.gates + p * 4 * H + 3 * H;
      rows->h[k++] = h;
    }
  }
}

// The outer products; where input and state see the same gradients, in one go.
template <class Cell>
void weight_gradients(const Cell& cell, Bf16Products pairs, const TallRows& rows, const OuterProduct* products, int inputs,
                      int count, int thread, int threads, float* scratch) {
  if (cell.input_gradient() == cell.recurrent_gradient()) {
    if (count > 0)
      outer_products(pairs, rows.state_left, rows.count, cell.recurrent_size(), products, count, thread, threads, scratch);
    return;
  }
  if (inputs > 0)
    outer_products(pairs, rows.input_left, rows.count, cell.input_gradient_size(), products, inputs, thread, threads,
                   scratch);
  if (count > inputs)
    outer_products(pairs, rows.state_left, rows.count, cell.recurrent_size(), products + inputs, count - inputs, thread,
                   threads, scratch);
}

// Everything one backward call holds.
template <class Cell> struct BackwardRun {
  const Cell& cell;
  const Sequence& q;
  Workspace workspace{};
  Plan plan{};
  BackwardShared shared{};
  Status status = kOk;
  float *weight_h = nullptr, *weight_n = nullptr, *weight_x = nullptr, *masked = nullptr;
  BackwardScratch* scratch = nullptr;
  float **sums = nullptr, **outer = nullptr;
  TallRows rows{};
  OuterProduct products[3]{};
  int inputs = 0, products_count = 0;

  long input_size() const { return q.x != nullptr ? q.input_size : 0; }
  long width() const { return blocks_of(q.hidden_size) * kWidth; }
  long depth() const { return cell.recurrent_stretches().length[0] + cell.recurrent_stretches().length[1]; }
  long input_depth() const { return cell.gates() * q.hidden_size; }
  long words(long numbers) const { return depth_of(shared, {{0, 0}, {numbers, 0}}); }
  // A single step passes no gradient on to a step before it.
  bool reads_state_weights() const { return q.steps > 1 || q.grad_h0 != nullptr || cell.whole_rows(); }
  Panels input_panels() const { return Panels(std::max(input_size(), 1L)); }

  // One thread, before the others start: false ends the call with `status`.
  bool prepare(int team) {
    try {
      if (q.rounding == kBf16) shared.products = bf16_products();
      if (q.rounding == kInt8 || (q.rounding == kBf16 && (cell.whole_rows() || shared.products == kNoBf16)))
        status = kNotSupported;
      const double size = weights_of(cell, q) / (q.rounding == kBf16 ? 2 : 1);
      if (status == kOk) status = make_plan(q, team, size, {kCachedWeights, 8 * kWidth}, workspace, &plan);
      if (status != kOk) return false;
      take_shared();
      take_rows();
      scratch = workspace.take<BackwardScratch>(team);
      sums = workspace.take<float*>(team);
      outer = workspace.take<float*>(team);
      for (int thread = 0; thread < team; ++thread) {
        scratch[thread] = make_scratch(thread);
        sums[thread] = scratch[thread].bias;
        outer[thread] = workspace.take<float>(outer_products_scratch(shared.products, products, products_count));
      }
      return true;
    } catch (const std::bad_alloc&) {
      status = kOutOfMemory;
      return false;
    }
  }

  void take_shared() {
    const long H = q.hidden_size, B = q.batch;
    shared.weight_h = weight_h = workspace.take<float>(width() * words(depth()));
    if (q.grad_x != nullptr)
      shared.weight_x = weight_x = workspace.take<float>(input_panels().blocks * kWidth * words(input_depth()));
    if (cell.resets_before()) shared.weight_n = weight_n = workspace.take<float>(width() * H);
    shared.zeros = workspace.take_zeroed<float>(std::max(width() * 4, input_size()));
    shared.carried_h = workspace.take<float>(B * H);
    shared.carried_c = q.grad_c0 != nullptr ? q.grad_c0 : workspace.take<float>(B * H);
    if (q.recurrent_mask != nullptr) masked = workspace.take<float>(q.steps * B * H);
  }

  void take_rows() {
    rows.count = plan.real_steps;
    rows.state_left = workspace.take<const float*>(rows.count);
    rows.input_left = workspace.take<const float*>(rows.count);
    rows.h = workspace.take<const float*>(rows.count);
    rows.x = input_size() > 0 ? workspace.take<const float*>(rows.count) : nullptr;
    rows.reset = cell.resets_before() ? workspace.take<const float*>(rows.count) : nullptr;
    inputs = cell.input_products(rows.x, products);
    products_count = inputs + cell.state_products(rows.h, rows.reset, products + inputs);
  }

  BackwardScratch make_scratch(int thread) {
    const long mine = plan.of(thread).count;
    const bool first = thread == 0 || !plan.split_units;  // else the sums of all rows are the first thread's
    BackwardScratch s;
    s.step = make_backward_step(mine, workspace);
    s.tile = workspace.take<float>(tile_room(std::max(mine, kPositions)) * kSumsPerRow);
    s.rounded = shared.products == kNoBf16 ? nullptr
                                           : workspace.take<float>(tile_room(std::max(mine, kPositions)) *
                                                                   words(std::max(depth(), input_depth())));
    s.sums = nullptr;
    if (cell.whole_rows()) s.sums = first ? workspace.take<float>(mine * cell.backward_stride(width())) : scratch[0].sums;
    s.bias = workspace.take_zeroed<float>(cell.bias_sums() * width());
    s.gradients = workspace.take<const float*>(mine);
    s.grad_x = workspace.take<float*>(mine);
    return s;
  }

  // Weights as the products read them.
  template <class Row> void pack_columns_of(const Row& row, long length, const Panels& panels, float* to, Range mine) {
    if (shared.products == kNoBf16)
      pack_columns(row, length, panels, to, mine);
    else
      pack_column_words(shared.products, row, length, panels, to, mine);
  }

  // This thread's part of the packed weights and of the gradients that the last states bring.
  void pack(int thread, int team) {
    const long H = q.hidden_size, I = input_size();
    const Panels panels(H);
    const Range mine = share(panels.panels, thread, team);
    if (reads_state_weights()) pack_columns_of([&](long k) { return q.weight_hh + k * H; }, depth(), panels, weight_h, mine);
    if (weight_n != nullptr)
      pack_columns([&](long k) { return q.weight_hh + (2 * H + k) * H; }, H, panels, weight_n, mine);
    if (weight_x != nullptr)
      pack_columns_of([&](long k) { return q.weight_ih + k * I; }, input_depth(), input_panels(), weight_x,
                      share(input_panels().panels, thread, team));
    const Range states = share(q.batch * H, thread, team);
    for (long i = states.begin; i < states.end; ++i) {
      shared.carried_h[i] = q.grad_h_n != nullptr ? q.grad_h_n[i] : 0.0f;
      shared.carried_c[i] = q.grad_c_n != nullptr ? q.grad_c_n[i] : 0.0f;
    }
    list_rows(cell, q, shared.zeros, masked, &rows, share(q.steps, thread, team));
  }

  // What of the gradient of x the walk left: all of it where the threads split the units, and the padding's zeros.
  void finish_input_gradient(int thread, int team) {
    if (q.grad_x == nullptr) return;
    if (plan.split_units)
      input_gradient_of(q, cell.input_gradient(), cell.input_gradient_size(), cell.input_stretches(), shared,
                        share(q.steps * q.batch, thread, team), scratch[thread].rounded, scratch[thread].tile);
    const Range mine = share(q.batch, thread, team);
    for (long b = mine.begin; b < mine.end; ++b)
      for (long t = q.lengths != nullptr ? q.lengths[b] : q.steps; t < q.steps; ++t)
        std::memset(q.grad_x + (t * q.batch + b) * input_size(), 0, input_size() * sizeof(float));
  }

  // Every thread.
  void work(int thread, int team, Barrier& barrier) {
    pack(thread, team);
    barrier.wait();
    const Panels panels(q.hidden_size);
    const int part = plan.split_units ? thread : 0, parts = plan.split_units ? team : 1;
    Barrier* meet = plan.split_units ? &barrier : nullptr;
    if (cell.whole_rows())
      walk_backward_whole(cell, q, shared, plan.of(thread), {part, parts, meet}, scratch[thread]);
    else
      walk_backward(cell, q, shared, plan.of(thread), share(panels.panels, part, parts), scratch[thread], meet);
    barrier.wait();
    finish_input_gradient(thread, team);
    weight_gradients(cell, shared.products, rows, products, inputs, products_count, thread, team, outer[thread]);
    cell.finish_gradients(sums, team, width(), share(q.hidden_size, thread, team));
  }
};

}  // namespace gatewise
