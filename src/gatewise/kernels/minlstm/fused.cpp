// The minimal LSTM, one step and its way back: the equations of this folder's README.md; gates in memory f, i, n.
#include "../native/scan_layer_backward.h"
#include "../native/stream.h"

namespace gatewise {
namespace {

// The normalised gates without 0 / 0 where both are shut: with F = 1 + e^-f_x, I = 1 + e^-i_x, both scaled by e^m for
// m = min(f_x, i_x, 0) so that no exponential overflows, f' = I / (I + F) and i' = F / (I + F).
template <class F> struct Normalised {
  F forget, input;                // f', i'
  F not_forget_raw, not_input_raw;  // 1 - f, 1 - i: the slopes of log f and log i
};
template <class F> GATEWISE_INLINE Normalised<F> normalised(F forget_x, F input_x) {
  constexpr int W = lanes<F>;
  const F m = smaller(smaller(zero<W>(), forget_x), input_x);
  const F base = exp_of_negative(m), forget_tail = exp_of_negative(m - forget_x), input_tail = exp_of_negative(m - input_x);
  const F tiny = broadcast<W>(1e-37f);
  const F forget_sum = larger(tiny, base + forget_tail), input_sum = larger(tiny, base + input_tail);
  const F total = 1.0f / (forget_sum + input_sum);
  return {input_sum * total, forget_sum * total, forget_tail / forget_sum, input_tail / input_sum};
}

struct MinLstm {
  static constexpr int kGates = 3;
  template <class F> GATEWISE_INLINE F step(const F* gates, F hidden) {
    const Normalised<F> gate = normalised(gates[0], gates[1]);
    return gate.forget * hidden + gate.input * positive(gates[2]);
  }
  template <class F> GATEWISE_INLINE F gradient(const F* gates, F hidden, F grad_new, F* grad_gates) {
    const Normalised<F> gate = normalised(gates[0], gates[1]);
    const F candidate = positive(gates[2]);
    const F grad_logit = grad_new * (hidden - candidate) * (gate.forget * gate.input);
    grad_gates[0] = grad_logit * gate.not_forget_raw;
    grad_gates[1] = -grad_logit * gate.not_input_raw;
    grad_gates[2] = grad_new * gate.input * positive_slope(gates[2], candidate);
    return grad_new * gate.forget;
  }
};

}  // namespace
}  // namespace gatewise

GATEWISE_EXPORT int gatewise_minlstm_forward(const GatewiseSequence* sequence) {
  return gatewise::scan_layer_forward<gatewise::MinLstm>(*sequence);
}

GATEWISE_EXPORT int gatewise_minlstm_backward(const GatewiseSequence* sequence) {
  return gatewise::scan_layer_backward<gatewise::MinLstm>(*sequence);
}

GATEWISE_EXPORT const void* gatewise_minlstm_session(int64_t) {
  static constexpr gatewise::stream::Cell cell = gatewise::stream::scanning<gatewise::MinLstm>();
  return &cell;
}
