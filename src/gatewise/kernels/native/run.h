// One forward or backward call from beginning to end, the same for every cell: dealing out, packing, walking, gathering.
#pragma once

#include <algorithm>
#include <new>

#include "weight_gradient.h"
#include "whole.h"

namespace gatewise {

// Beside what forward.h and backward.h ask of a Cell, it says how its weights lie:
//
//   int gates() const;                            // G, in the weights
//   const int* order() const;                     // which gate stands in which slot (gate panels)
//   float start(int slot, long unit) const;       // the bias a sum starts from
//   bool whole_rows() const;                      // some option is on: whole.h's walk and its functions per row
//   const float* recurrent_gradient() const;      // (T, B, recurrent_size()): what the recurrent weights see
//   const float* input_gradient() const;          // (T, B, input_gradient_size()): what the input weights see
//   Stretches recurrent_stretches(), input_stretches() const;
//   int bias_sums() const;                        // rows of H sums that each thread keeps
//   int input_products(..), state_products(..) const;  // which weights' gradients are which outer products
//   void finish_gradients(const float* const* sums, int threads, long width, Range units) const;

template <class Cell> double multiply_adds(const Cell& cell, const Sequence& q) {
  return double(q.steps) * double(q.batch) * double(cell.gates() * q.hidden_size) *
         double(q.hidden_size + (q.x != nullptr ? q.input_size : 0));
}

// This thread's part of the packed forward weights and of the values that the sums start from.
template <class Cell>
void pack_forward(const Cell& cell, const Sequence& q, float* weight_x, float* weight_h, float* weight_n, float* start,
                  int thread, int threads) {
  const long H = q.hidden_size;
  const Panels panels(H);
  if constexpr (Cell::kUnitPanels) {
    const Range mine = share(panels.panels, thread, threads);
    if (weight_x != nullptr) pack_units(q.weight_ih, q.input_size, panels, weight_x, mine);
    pack_units(q.weight_hh, H, panels, weight_h, mine);
  } else {
    const Range mine = share(panels.blocks, thread, threads);
    if (weight_n != nullptr)
      pack_units(q.weight_hh + 2 * H * H, H, panels, weight_n, share(panels.panels, thread, threads));
    if (weight_x != nullptr)
      pack_gates(q.weight_ih, H, q.input_size, cell.order(), cell.input_slots(), weight_x, mine);
    pack_gates(q.weight_hh, H, H, cell.order(), cell.state_slots(), weight_h, mine);
  }
  const Range blocks = share(panels.blocks, thread, threads);
  for (long block = blocks.begin; block < blocks.end; ++block)
    for (int slot = 0; slot < cell.slots(); ++slot)
      for (int lane = 0; lane < kWidth; ++lane) {
        const long unit = block * kWidth + lane;
        start[(block * cell.slots() + slot) * kWidth + lane] = unit < H ? cell.start(slot, unit) : 0.0f;
      }
}

template <class Cell> int run_forward(const Cell& cell, const Sequence& q) {
  const long H = q.hidden_size, B = q.batch, I = q.x != nullptr ? q.input_size : 0;
  const Panels panels(H);
  const long width = panels.blocks * kWidth;
  Workspace workspace;
  Plan plan;
  ForwardShared shared;
  Status status = kOk;
  float *weight_x = nullptr, *weight_h = nullptr, *weight_n = nullptr, *start = nullptr;
  Step* steps = nullptr;
  float **sums = nullptr, **masked = nullptr, **reset = nullptr;
  const auto prepare = [&](int team) {
    try {
      status = make_plan(q, team, !cell.whole_rows(), workspace, &plan);
      if (status != kOk) return false;
      weight_x = I > 0 ? workspace.take<float>(width * cell.input_slots() * I) : nullptr;
      weight_h = workspace.take<float>(width * cell.state_slots() * H);
      weight_n = q.reset_before ? workspace.take<float>(width * H) : nullptr;
      start = workspace.take<float>(width * cell.slots());
      shared.weight_x = weight_x;
      shared.weight_h = weight_h;
      shared.weight_n = weight_n;
      shared.start = start;
      shared.zeros = workspace.take_zeroed<float>(std::max(width * 4, I));
      if (plan.split_units && I > 0) shared.projected = workspace.take<float>(q.steps * B * width * cell.slots());
      if (Cell::kHasCell && q.cells == nullptr) shared.running_c = workspace.take<float>(B * H);
      steps = workspace.take<Step>(team);
      sums = workspace.take<float*>(team);
      masked = workspace.take<float*>(team);
      reset = workspace.take<float*>(team);
      for (int thread = 0; thread < team; ++thread) {
        const long rows = plan.of(thread).count;
        steps[thread] = make_step(rows, workspace);
        sums[thread] = workspace.take<float>(std::max(cell.whole_rows() ? rows * 2 * cell.gates() * width : 0L,
                                                      long(kTileRows * kMaximumSlots * kWidth)));
        masked[thread] = q.recurrent_mask != nullptr ? workspace.take<float>(rows * H) : nullptr;
        reset[thread] = q.reset_before ? workspace.take<float>(rows * H) : nullptr;
      }
      return true;
    } catch (const std::bad_alloc&) {
      status = kOutOfMemory;
      return false;
    }
  };
  in_parallel(useful_threads(q, multiply_adds(cell, q)), prepare, [&](int thread, int team, Barrier& barrier) {
    pack_forward(cell, q, weight_x, weight_h, weight_n, start, thread, team);
    if (shared.running_c != nullptr) {
      const Range mine = share(B * H, thread, team);
      for (long i = mine.begin; i < mine.end; ++i) shared.running_c[i] = q.c0 != nullptr ? q.c0[i] : 0.0f;
    }
    barrier.wait();
    if (shared.projected != nullptr) {
      project_input(cell, q, shared, share(q.steps * B, thread, team));
      barrier.wait();
    }
    const long count = Cell::kUnitPanels ? panels.panels : panels.blocks;
    if (cell.whole_rows())
      walk_forward_whole(cell, q, shared, plan.of(thread), steps[thread], sums[thread], masked[thread], reset[thread]);
    else
      walk_forward(cell, q, shared, plan.of(thread), plan.split_units ? share(count, thread, team) : Range{0, count},
                   steps[thread], sums[thread], masked[thread], plan.split_units ? &barrier : nullptr);
    barrier.wait();
    finish_forward(q, shared, share(B, thread, team));
  });
  return status;
}

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
void weight_gradients(const Cell& cell, const TallRows& rows, const OuterProduct* products, int inputs, int count,
                      int thread, int threads, float* scratch) {
  if (cell.input_gradient() == cell.recurrent_gradient()) {
    if (count > 0)
      outer_products(rows.state_left, rows.count, cell.recurrent_size(), products, count, thread, threads, scratch);
    return;
  }
  if (inputs > 0)
    outer_products(rows.input_left, rows.count, cell.input_gradient_size(), products, inputs, thread, threads, scratch);
  if (count > inputs)
    outer_products(rows.state_left, rows.count, cell.recurrent_size(), products + inputs, count - inputs, thread,
                   threads, scratch);
}

// grad_gates_x (T, B, G H): the first gates of each row of gradients, zero in the padding.
template <class Cell> void copy_gate_gradients(const Sequence& q, const Cell& cell, Range times) {
  const long size = cell.gates() * q.hidden_size;
  for (long t = times.begin; t < times.end; ++t)
    for (long b = 0; b < q.batch; ++b) {
      const long p = t * q.batch + b;
      if (q.lengths != nullptr && t >= q.lengths[b])
        std::memset(q.grad_gates_x + p * size, 0, size * sizeof(float));
      else
        std::memcpy(q.grad_gates_x + p * size, cell.input_gradient() + p * cell.input_gradient_size(),
                    size * sizeof(float));
    }
}

template <class Cell> int run_backward(const Cell& cell, const Sequence& q) {
  const long H = q.hidden_size, B = q.batch, I = q.x != nullptr ? q.input_size : 0;
  const Panels panels(H), input_panels(std::max(I, 1L));
  const long width = panels.blocks * kWidth, input_depth = cell.gates() * H;
  const long depth = cell.recurrent_stretches().length[0] + cell.recurrent_stretches().length[1];
  Workspace workspace;
  Plan plan;
  BackwardShared shared;
  Status status = kOk;
  float *weight_h = nullptr, *weight_n = nullptr, *weight_x = nullptr, *masked = nullptr;
  BackwardScratch* scratch = nullptr;
  float **sums = nullptr, **outer = nullptr;
  TallRows rows{};
  OuterProduct products[3];
  int inputs = 0, products_count = 0;
  const auto prepare = [&](int team) {
    try {
      status = make_plan(q, team, !cell.whole_rows(), workspace, &plan);
      if (status != kOk) return false;
      shared.weight_h = weight_h = workspace.take<float>(width * depth);
      if (q.grad_x != nullptr) shared.weight_x = weight_x = workspace.take<float>(input_panels.blocks * kWidth * input_depth);
      if (q.reset_before) shared.weight_n = weight_n = workspace.take<float>(width * H);
      shared.zeros = workspace.take_zeroed<float>(std::max(width * 4, I));
      shared.carried_h = workspace.take<float>(B * H);
      shared.carried_c = q.grad_c0 != nullptr ? q.grad_c0 : workspace.take<float>(B * H);
      rows.state_left = workspace.take<const float*>(plan.real_steps);
      rows.input_left = workspace.take<const float*>(plan.real_steps);
      rows.h = workspace.take<const float*>(plan.real_steps);
      rows.x = I > 0 ? workspace.take<const float*>(plan.real_steps) : nullptr;
      rows.reset = q.reset_before ? workspace.take<const float*>(plan.real_steps) : nullptr;
      rows.count = plan.real_steps;
      if (q.recurrent_mask != nullptr) masked = workspace.take<float>(q.steps * B * H);
      inputs = cell.input_products(rows.x, products);
      products_count = inputs + cell.state_products(rows.h, rows.reset, products + inputs);
      scratch = workspace.take<BackwardScratch>(team);
      sums = workspace.take<float*>(team);
      outer = workspace.take<float*>(team);
      for (int thread = 0; thread < team; ++thread) {
        const long mine = plan.of(thread).count;
        BackwardScratch& s = scratch[thread];
        s.step = make_backward_step(mine, workspace);
        s.tile = workspace.take<float>(kTileRows * kMaximumSlots * kWidth);
        s.sums = cell.whole_rows() ? workspace.take<float>(mine * cell.backward_stride(width)) : nullptr;
        s.bias = sums[thread] = workspace.take_zeroed<float>(cell.bias_sums() * width);
        s.gradients = workspace.take<const float*>(mine);
        s.grad_x = workspace.take<float*>(mine);
        outer[thread] = workspace.take<float>(outer_products_scratch(products, products_count));
      }
      return true;
    } catch (const std::bad_alloc&) {
      status = kOutOfMemory;
      return false;
    }
  };
  in_parallel(useful_threads(q, multiply_adds(cell, q)), prepare, [&](int thread, int team, Barrier& barrier) {
    pack_columns([&](long k) { return q.weight_hh + k * H; }, depth, panels, weight_h,
                 share(panels.panels, thread, team));
    if (weight_n != nullptr)
      pack_columns([&](long k) { return q.weight_hh + (2 * H + k) * H; }, H, panels, weight_n,
                   share(panels.panels, thread, team));
    if (weight_x != nullptr)
      pack_columns([&](long k) { return q.weight_ih + k * I; }, input_depth, input_panels, weight_x,
                   share(input_panels.panels, thread, team));
    const Range states = share(B * H, thread, team);
    for (long i = states.begin; i < states.end; ++i) {
      shared.carried_h[i] = q.grad_h_n != nullptr ? q.grad_h_n[i] : 0.0f;
      shared.carried_c[i] = q.grad_c_n != nullptr ? q.grad_c_n[i] : 0.0f;
    }
    list_rows(cell, q, shared.zeros, masked, &rows, share(q.steps, thread, team));
    barrier.wait();
    if (cell.whole_rows())
      walk_backward_whole(cell, q, shared, plan.of(thread), scratch[thread]);
    else
      walk_backward(cell, q, shared, plan.of(thread),
                    plan.split_units ? share(panels.panels, thread, team) : Range{0, panels.panels}, scratch[thread],
                    plan.split_units ? &barrier : nullptr);
    barrier.wait();
    if (q.grad_x != nullptr) {
      if (plan.split_units)
        input_gradient_of(q, cell.input_gradient(), cell.input_gradient_size(), cell.input_stretches(), shared,
                          share(q.steps * B, thread, team), scratch[thread].tile);
      const Range mine = share(B, thread, team);
      for (long b = mine.begin; b < mine.end; ++b)
        for (long t = q.lengths != nullptr ? q.lengths[b] : q.steps; t < q.steps; ++t)
          std::memset(q.grad_x + (t * B + b) * I, 0, I * sizeof(float));
    }
    weight_gradients(cell, rows, products, inputs, products_count, thread, team, outer[thread]);
    if (q.grad_gates_x != nullptr) copy_gate_gradients(q, cell, share(q.steps, thread, team));
    cell.finish_gradients(sums, team, width, share(H, thread, team));
  });
  return status;
}

}  // namespace gatewise
