// Minimal GRU (Feng et al. 2024, arXiv:2410.01201, appendix B), whole sequence.
#include "cell.h"

#define EXPORTED extern "C" __attribute__((visibility("default")))

// gates (T,B,2H); state (B,H) in: h_0, out: last; output (T,B,H); lengths (B) or null. 0, or 1 where a
// length lies outside 0 to T: then nothing was written.
EXPORTED int32_t gatewise_mingru_forward(int32_t threads, int32_t reverse, int64_t steps, int64_t rows, int64_t width,
                                      const float* gates, const int64_t* lengths, float* state, float* output) {
  const gatewise::Scan scan{threads, reverse != 0, long(steps), long(rows), long(width), lengths};
  if (!scan.lengths_fit()) return 1;
  gatewise::scan_forward<gatewise::MinGru>(scan, gates, state, output);
  return 0;
}

// grad_state (B,H) in: gradient of the last state, out: of h_0; grad_gates (T,B,2H); grad_output (T,B,H) or null.
EXPORTED void gatewise_mingru_backward(int32_t threads, int32_t reverse, int64_t steps, int64_t rows, int64_t width,
                                       const float* gates, const int64_t* lengths, const float* initial,
                                       const float* output, const float* grad_output, float* grad_state,
                                       float* grad_gates) {
  gatewise::scan_backward<gatewise::MinGru>({threads, reverse != 0, long(steps), long(rows), long(width), lengths},
                                            gates, initial, output, grad_output, grad_state, grad_gates);
}
