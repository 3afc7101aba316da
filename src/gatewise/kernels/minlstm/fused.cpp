// Minimal LSTM (Feng et al. 2024, arXiv:2410.01201, appendix B), whole sequence.
#include "cell.h"
#include "scan_layer_backward.h"

#define EXPORTED extern "C" __attribute__((visibility("default")))

// gates (T,B,3H); state (B,H) in: h_0, out: last; output (T,B,H); lengths (B) or null. 0, or 1 where a
// length lies outside 0 to T: then nothing was written.
EXPORTED int32_t gatewise_minlstm_forward(int32_t threads, int32_t reverse, int64_t steps, int64_t rows, int64_t width,
                                       const float* gates, const int64_t* lengths, float* state, float* output) {
  const gatewise::Scan scan{threads, reverse != 0, long(steps), long(rows), long(width), lengths};
  if (!scan.lengths_fit()) return 1;
  gatewise::scan_forward<gatewise::MinLstm>(scan, gates, state, output);
  return 0;
}

// grad_state (B,H) in: gradient of the last state, out: of h_0; grad_gates (T,B,3H); grad_output (T,B,H) or null.
EXPORTED void gatewise_minlstm_backward(int32_t threads, int32_t reverse, int64_t steps, int64_t rows, int64_t width,
                                        const float* gates, const int64_t* lengths, const float* initial,
                                        const float* output, const float* grad_output, float* grad_state,
                                        float* grad_gates) {
  gatewise::scan_backward<gatewise::MinLstm>({threads, reverse != 0, long(steps), long(rows), long(width), lengths},
                                             gates, initial, output, grad_output, grad_state, grad_gates);
}

// The same with the input product: x (T,B,I) by its strides, weight (3H,I), bias or null; gates (T,B,3H) for the way back, or
// null. 0, 1 where a length does not fit, 2 when memory is short.
EXPORTED int32_t gatewise_minlstm_layer_forward(int32_t threads, int32_t reverse, int64_t steps, int64_t rows,
                                               int64_t inputs, int64_t width, const float* x, int64_t x_step_stride,
                                               int64_t x_batch_stride, const float* weight, const float* bias,
                                               const int64_t* lengths, float* state, float* output, float* gates) {
  return gatewise::scan_layer_forward<gatewise::MinLstm>(
      gatewise::make_scan_layer(threads, reverse, steps, rows, inputs, width, x, x_step_stride, x_batch_stride, weight,
                                bias, lengths),
      state, output, gates);
}

// Gradients of h_0 (in place of that of the last state), x, weight and bias; null where not wanted. gates null: computed again.
EXPORTED int32_t gatewise_minlstm_layer_backward(int32_t threads, int32_t reverse, int64_t steps, int64_t rows,
                                                int64_t inputs, int64_t width, const float* x, int64_t x_step_stride,
                                                int64_t x_batch_stride, const float* weight, const float* bias,
                                                const int64_t* lengths,
                                                const float* gates, const float* initial, const float* output,
                                                const float* grad_output, float* grad_state, float* grad_x,
                                                float* grad_weight, float* grad_bias) {
  return gatewise::scan_layer_backward<gatewise::MinLstm>(
      gatewise::make_scan_layer(threads, reverse, steps, rows, inputs, width, x, x_step_stride, x_batch_stride, weight,
                                bias, lengths),
      gates, initial, output, grad_output, {grad_state, grad_x, grad_weight, grad_bias});
}
