// What comes in and goes out of one call of a sequence kernel, as C sees it.
//
// Axes: T steps, B batch rows, I input size, H hidden units, G gates, S saved values per unit. All arrays are float32,
// row-major and dense unless a stride is given; strides count floats.
#pragma once

#include <cstdint>

// The C interface. Every field is eight bytes wide, so that the layout is the same everywhere; a null pointer means
// "not there" (initial state zero, no bias, gradient not wanted ...). The same struct serves forward and backward.
struct GatewiseSequence {
  int64_t steps, batch, input_size, hidden_size;  // T, B, I, H
  int64_t threads;                                // at most this many
  int64_t training;                               // 1: keep in `gates` (and `cells`) what backward needs
  int64_t reverse;                                // 1: every row from its last step to its first
  int64_t flags;                                  // the cell's own switches, bits named in its fused.cpp
  int64_t rounding;                               // what enters products: a Rounding (sequence.h); without options

  const float* x;  // (T, B, I) by the two strides
  int64_t x_step_stride, x_batch_stride;
  const float *weight_ih, *weight_hh;              // (G H, I), (G H, H); no weight_hh where no gate sees the state
  const float *bias_ih, *bias_hh;                  // (G H)
  const float *h0, *c0;                            // (B, H)
  const int64_t* lengths;                          // (B), 0 <= length <= T
  const float* recurrent_mask;                     // (B, H)
  const uint8_t *zoneout_h_mask, *zoneout_c_mask;  // (T, B, H), 1 = keep the old value
  double zoneout_h, zoneout_c;                     // the expectation, where there is no mask
  const float *layer_norm_ih, *layer_norm_hh;      // (G H) gains
  const float *layer_norm_c, *layer_norm_c_bias;   // (H)
  const float* peephole;                           // (3, H) for i, f, o

  float *output, *h_n, *c_n;  // (T, B, H), (B, H), (B, H)
  float* cells;               // (T, B, H) states of a cell that has two, training only
  float* gates;               // (T, B, S H) kept values; backward turns them into gradients of the pre-activations
  float* normalized_x;        // (T, B, G H) normalised input product; backward turns it into the product's gradient
  float* normalized_h;        // (T, B, G H) the same for the recurrent product
  float* deviations;          // (T, B, 4) one over the deviations: input block 0, 1, state block 0, 1

  const float* grad_output;  // (T, B, H) by the two strides
  int64_t grad_output_step_stride, grad_output_batch_stride;
  const float *grad_h_n, *grad_c_n;  // (B, H)
  float* grad_x;                     // (T, B, I)
  float *grad_h0, *grad_c0;          // (B, H)
  float *grad_weight_ih, *grad_weight_hh;
  float *grad_bias_ih, *grad_bias_hh;
  float *grad_layer_norm_ih, *grad_layer_norm_hh, *grad_layer_norm_c, *grad_layer_norm_c_bias;
  float* grad_peephole;

  float* packed;         // forward: room for the packed weights, which outlive the call (gatewise_<cell>_packed); or null
  int64_t packed_ready;  // 1: they are there already, and no weight is read; 0: this call packs them
};
