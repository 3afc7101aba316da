// The long short-term memory over whole sequences (Hochreiter and Schmidhuber 1997):
//
//   i, f, o = sigmoid(W x + b + U h)      g = tanh(W x + b + U h)      c' = f c + i g      h' = o tanh(c')
#include "../native/activations.h"
#include "../native/run.h"

namespace gatewise {
namespace {

constexpr int W = kWidth;
using V = Float<W>;

struct Lstm {
  const Sequence& q;
  static constexpr bool kUnitPanels = false;
  static constexpr bool kHasCell = true;
  static constexpr int kOrder[4] = {0, 1, 2, 3};

  int gates() const { return 4; }
  const int* order() const { return kOrder; }
  Product product() const { return Product::kFour; }
  int slots() const { return 4; }
  int input_slots() const { return 4; }
  int state_slots() const { return 4; }
  bool whole_rows() const { return false; }
  long whole_size(long width) const { return 4 * width; }
  bool carries() const { return false; }
  long saved_size() const { return 4 * q.hidden_size; }
  const float* recurrent_gradient() const { return q.gates; }
  long recurrent_size() const { return 4 * q.hidden_size; }
  Stretches recurrent_stretches() const { return {{0, 0}, {4 * q.hidden_size, 0}}; }
  Stretches input_stretches() const { return recurrent_stretches(); }
  int bias_sums() const { return 4; }
  float start(int slot, long unit) const {
    const long at = slot * q.hidden_size + unit;
    return (q.bias_ih != nullptr ? q.bias_ih[at] : 0.0f) + (q.bias_hh != nullptr ? q.bias_hh[at] : 0.0f);
  }

  void forward(const Step& step, const Tile& tile) const {
    const long H = q.hidden_size, unit = tile.unit;
    const Part<W> part(H - unit);
    for (int r = 0; r < tile.rows; ++r) {
      const float* sums = tile.sums + r * tile.row_stride;
      const long row = tile.first_row + r, p = step.position[row];
      const V i = sigmoid(load<W>(sums)), f = sigmoid(load<W>(sums + tile.slot_stride));
      const V g = tanh(load<W>(sums + 2 * tile.slot_stride)), o = sigmoid(load<W>(sums + 3 * tile.slot_stride));
      const V c = f * load<W>(step.c[row] + unit, part) + i * g;
      store(step.c_new[row] + unit, part, c);
      store(q.output + p * H + unit, part, o * tanh(c));
      if (q.gates == nullptr) continue;
      float* kept = q.gates + p * 4 * H + unit;
      store(kept, part, i);
      store(kept + H, part, f);
      store(kept + 2 * H, part, g);
      store(kept + 3 * H, part, o);
    }
  }
  void forward_whole(const Step&, float*, long, long) const {}

  void backward(const BackwardStep& step, const BackwardShared& shared, const Tile& tile, float* bias) const {
    const long H = q.hidden_size, width = round_up(H, W);
    for (int v = 0; v < tile.slots; ++v) {
      const long unit = tile.unit + v * W;
      const Part<W> part(H - unit);
      V sum_i{}, sum_f{}, sum_g{}, sum_o{};
      for (int r = 0; r < tile.rows; ++r) {
        const long row = tile.first_row + r, p = step.position[row];
        float* kept = q.gates + p * 4 * H + unit;
        float* carried = shared.carried_c + step.batch[row] * H + unit;
        const V i = load<W>(kept, part), f = load<W>(kept + H, part), g = load<W>(kept + 2 * H, part),
                o = load<W>(kept + 3 * H, part), c_before = load<W>(step.c[row] + unit, part);
        const V shown = tanh(f * c_before + i * g);
        const V dh = load<W>(tile.sums + r * tile.row_stride + v * W) + load<W>(step.grad_output[row] + unit, part) +
                     load<W>(step.carried[row] + unit, part);
        const V dc = load<W>(carried, part) + dh * o * (1.0f - shown * shown);
        const V d_o = dh * shown * (o * (1.0f - o));
        const V d_i = dc * g * (i * (1.0f - i));
        const V d_f = dc * c_before * (f * (1.0f - f));
        const V d_g = dc * i * (1.0f - g * g);
        store(carried, part, dc * f);
        store(kept, part, d_i);
        store(kept + H, part, d_f);
        store(kept + 2 * H, part, d_g);
        store(kept + 3 * H, part, d_o);
        sum_i += d_i, sum_f += d_f, sum_g += d_g, sum_o += d_o;
      }
      store(bias + unit, load<W>(bias + unit) + sum_i);
      store(bias + width + unit, load<W>(bias + width + unit) + sum_f);
      store(bias + 2 * width + unit, load<W>(bias + 2 * width + unit) + sum_g);
      store(bias + 3 * width + unit, load<W>(bias + 3 * width + unit) + sum_o);
    }
  }
  void backward_whole(const BackwardStep&, const BackwardShared&, BackwardScratch&, long) const {}

  int outer_products(const float** x, const float** h, const float**, OuterProduct* products) const {
    const long columns = 4 * q.hidden_size;
    int count = 0;
    if (q.grad_weight_ih != nullptr) products[count++] = {x, q.input_size, {{0, columns, q.grad_weight_ih}, {}}};
    if (q.grad_weight_hh != nullptr) products[count++] = {h, q.hidden_size, {{0, columns, q.grad_weight_hh}, {}}};
    return count;
  }

  void finish_gradients(float* const* sums, int threads, long width, Range units) const {
    const long H = q.hidden_size;
    for (int gate = 0; gate < 4; ++gate)
      for (long u = units.begin; u < units.end; ++u) {
        float total = 0.0f;
        for (int thread = 0; thread < threads; ++thread) total += sums[thread][gate * width + u];
        if (q.grad_bias_ih != nullptr) q.grad_bias_ih[gate * H + u] = total;
        if (q.grad_bias_hh != nullptr) q.grad_bias_hh[gate * H + u] = total;
      }
  }
};

}  // namespace
}  // namespace gatewise

GATEWISE_EXPORT int gatewise_lstm_forward(const GatewiseSequence* sequence) {
  return gatewise::run_forward(gatewise::Lstm{*sequence}, *sequence);
}

GATEWISE_EXPORT int gatewise_lstm_backward(const GatewiseSequence* sequence) {
  return gatewise::run_backward(gatewise::Lstm{*sequence}, *sequence);
}
