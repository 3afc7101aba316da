// The plain recurrent network over whole sequences (Elman 1990): h' = tanh(W x + b + U h) or max(0, W x + b + U h).
#include "../native/activations.h"
#include "../native/run.h"

namespace gatewise {
namespace {

constexpr int W = kWidth;
using V = Float<W>;

struct Rnn {
  const Sequence& q;
  static constexpr bool kUnitPanels = true;
  static constexpr bool kHasCell = false;

  int gates() const { return 1; }
  const int* order() const { return nullptr; }
  Product product() const { return Product::kOne; }
  int slots() const { return 1; }
  int input_slots() const { return 1; }
  int state_slots() const { return 1; }
  bool whole_rows() const { return false; }
  long whole_size(long width) const { return width; }
  bool carries() const { return false; }
  long saved_size() const { return q.hidden_size; }
  const float* recurrent_gradient() const { return q.gates; }
  long recurrent_size() const { return q.hidden_size; }
  Stretches recurrent_stretches() const { return {{0, 0}, {q.hidden_size, 0}}; }
  Stretches input_stretches() const { return recurrent_stretches(); }
  int bias_sums() const { return 1; }
  float start(int, long unit) const {
    return (q.bias_ih != nullptr ? q.bias_ih[unit] : 0.0f) + (q.bias_hh != nullptr ? q.bias_hh[unit] : 0.0f);
  }

  void forward(const Step& step, const Tile& tile) const {
    const long H = q.hidden_size;
    for (int v = 0; v < tile.slots; ++v) {
      const long unit = tile.unit + v * W;
      const Part<W> part(H - unit);
      for (int r = 0; r < tile.rows; ++r) {
        const V sum = load<W>(tile.sums + r * tile.row_stride + v * tile.slot_stride);
        const V h = q.relu ? larger(zero<W>(), sum) : tanh(sum);
        store(q.output + step.position[tile.first_row + r] * H + unit, part, h);
      }
    }
  }
  void forward_whole(const Step&, float*, long, long) const {}

  void backward(const BackwardStep& step, const BackwardShared&, const Tile& tile, float* bias) const {
    const long H = q.hidden_size;
    for (int v = 0; v < tile.slots; ++v) {
      const long unit = tile.unit + v * W;
      const Part<W> part(H - unit);
      V sum{};
      for (int r = 0; r < tile.rows; ++r) {
        const long row = tile.first_row + r, p = step.position[row];
        const V h = load<W>(q.output + p * H + unit, part);
        const V dh = load<W>(tile.sums + r * tile.row_stride + v * W) + load<W>(step.grad_output[row] + unit, part) +
                     load<W>(step.carried[row] + unit, part);
        const V d = q.relu ? select(h > 0.0f, dh, zero<W>()) : dh * (1.0f - h * h);
        store(q.gates + p * H + unit, part, d);
        sum += d;
      }
      store(bias + unit, load<W>(bias + unit) + sum);
    }
  }
  void backward_whole(const BackwardStep&, const BackwardShared&, BackwardScratch&, long) const {}

  int outer_products(const float** x, const float** h, const float**, OuterProduct* products) const {
    const long H = q.hidden_size;
    int count = 0;
    if (q.grad_weight_ih != nullptr) products[count++] = {x, q.input_size, {{0, H, q.grad_weight_ih}, {}}};
    if (q.grad_weight_hh != nullptr) products[count++] = {h, H, {{0, H, q.grad_weight_hh}, {}}};
    return count;
  }

  void finish_gradients(float* const* sums, int threads, long, Range units) const {
    for (long u = units.begin; u < units.end; ++u) {
      float total = 0.0f;
      for (int thread = 0; thread < threads; ++thread) total += sums[thread][u];
      if (q.grad_bias_ih != nullptr) q.grad_bias_ih[u] = total;
      if (q.grad_bias_hh != nullptr) q.grad_bias_hh[u] = total;
    }
  }
};

}  // namespace
}  // namespace gatewise

GATEWISE_EXPORT int gatewise_rnn_forward(const GatewiseSequence* sequence) {
  return gatewise::run_forward(gatewise::Rnn{*sequence}, *sequence);
}

GATEWISE_EXPORT int gatewise_rnn_backward(const GatewiseSequence* sequence) {
  return gatewise::run_backward(gatewise::Rnn{*sequence}, *sequence);
}
