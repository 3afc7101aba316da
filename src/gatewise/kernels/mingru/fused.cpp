// The minimal GRU, one step and its way back: the equations of this folder's README.md; gates in memory z, n.
#include "../native/scan_layer_backward.h"
#include "../native/stream.h"

namespace gatewise {
namespace {

struct MinGru {
  static constexpr int kGates = 2;
  template <class F> GATEWISE_INLINE F step(const F* gates, F hidden) {
    const Gate<F> update = gate(gates[0]);
    return update.shut * hidden + update.open * positive(gates[1]);
  }
  template <class F> GATEWISE_INLINE F gradient(const F* gates, F hidden, F grad_new, F* grad_gates) {
    const Gate<F> update = gate(gates[0]);
    const F candidate = positive(gates[1]), grad_candidate = grad_new * update.open;
    grad_gates[0] = grad_candidate * update.shut * (candidate - hidden);
    grad_gates[1] = grad_candidate * positive_slope(gates[1], candidate);
    return grad_new * update.shut;
  }
};

}  // namespace
}  // namespace gatewise

GATEWISE_EXPORT int gatewise_mingru_forward(const GatewiseSequence* sequence) {
  return gatewise::scan_layer_forward<gatewise::MinGru>(*sequence);
}

GATEWISE_EXPORT int gatewise_mingru_backward(const GatewiseSequence* sequence) {
  return gatewise::scan_layer_backward<gatewise::MinGru>(*sequence);
}

GATEWISE_EXPORT const void* gatewise_mingru_session(int64_t) {
  static constexpr gatewise::stream::Cell cell = gatewise::stream::scanning<gatewise::MinGru>();
  return &cell;
}
