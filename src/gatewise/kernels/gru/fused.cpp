// The gated recurrent unit over whole sequences (Cho et al. 2014), reset after the product as PyTorch has it:
//
//   r, z = sigmoid(W x + b + U h)      n = tanh(W x + b + r (U h + b'))      h' = z h + (1 - z) n
#include "../native/activations.h"
#include "../native/run.h"

namespace gatewise {
namespace {

constexpr int W = kWidth;
using V = Float<W>;

struct Gru {
  const Sequence& q;
  static constexpr bool kUnitPanels = false;
  static constexpr bool kHasCell = false;
  static constexpr int kOrder[3] = {0, 1, 2};

  int gates() const { return 3; }
  const int* order() const { return kOrder; }
  Product product() const { return Product::kGruAfter; }
  int slots() const { return 4; }
  int input_slots() const { return 3; }
  int state_slots() const { return 3; }
  bool whole_rows() const { return false; }
  long whole_size(long width) const { return 4 * width; }
  bool carries() const { return true; }
  long saved_size() const { return 4 * q.hidden_size; }
  const float* recurrent_gradient() const { return q.gates; }
  long recurrent_size() const { return 4 * q.hidden_size; }
  Stretches recurrent_stretches() const { return {{0, 3 * q.hidden_size}, {2 * q.hidden_size, q.hidden_size}}; }
  Stretches input_stretches() const { return {{0, 0}, {3 * q.hidden_size, 0}}; }
  int bias_sums() const { return 4; }
  float start(int slot, long unit) const {
    const long H = q.hidden_size;
    const float ih = q.bias_ih != nullptr && slot < 3 ? q.bias_ih[slot * H + unit] : 0.0f;
    const float hh = q.bias_hh != nullptr && slot != 2 ? q.bias_hh[std::min(slot, 2) * H + unit] : 0.0f;
    return ih + hh;
  }

  void forward(const Step& step, const Tile& tile) const {
    const long H = q.hidden_size, unit = tile.unit;
    const Part<W> part(H - unit);
    for (int r = 0; r < tile.rows; ++r) {
      const float* sums = tile.sums + r * tile.row_stride;
      const long row = tile.first_row + r, p = step.position[row];
      const V product = load<W>(sums + 3 * tile.slot_stride);
      const V reset = sigmoid(load<W>(sums)), update = sigmoid(load<W>(sums + tile.slot_stride));
      const V candidate = tanh(reset * product + load<W>(sums + 2 * tile.slot_stride));
      store(q.output + p * H + unit, part, update * (load<W>(step.h[row] + unit, part) - candidate) + candidate);
      if (q.gates == nullptr) continue;
      float* kept = q.gates + p * 4 * H + unit;
      store(kept, part, reset);
      store(kept + H, part, update);
      store(kept + 2 * H, part, candidate);
      store(kept + 3 * H, part, product);
    }
  }
  void forward_whole(const Step&, float*, long, long) const {}

  void backward(const BackwardStep& step, const BackwardShared& shared, const Tile& tile, float* bias) const {
    const long H = q.hidden_size, width = round_up(H, W);
    for (int v = 0; v < tile.slots; ++v) {
      const long unit = tile.unit + v * W;
      const Part<W> part(H - unit);
      V sum_r{}, sum_z{}, sum_n{}, sum_p{};
      for (int r = 0; r < tile.rows; ++r) {
        const long row = tile.first_row + r, p = step.position[row];
        float* kept = q.gates + p * 4 * H + unit;
        const V reset = load<W>(kept, part), update = load<W>(kept + H, part), candidate = load<W>(kept + 2 * H, part),
                product = load<W>(kept + 3 * H, part), before = load<W>(step.h[row] + unit, part);
        const V dh = load<W>(tile.sums + r * tile.row_stride + v * W) + load<W>(step.grad_output[row] + unit, part) +
                     load<W>(step.carried[row] + unit, part);
        const V dh_kept = dh * update;
        const V d_n = (dh - dh_kept) * (1.0f - candidate * candidate);
        const V d_z = dh_kept * (1.0f - update) * (before - candidate);
        const V d_p = d_n * reset;
        const V d_r = d_p * product * (1.0f - reset);
        store(shared.carried_h + step.batch[row] * H + unit, part, dh_kept);
        store(kept, part, d_r);
        store(kept + H, part, d_z);
        store(kept + 2 * H, part, d_n);
        store(kept + 3 * H, part, d_p);
        sum_r += d_r, sum_z += d_z, sum_n += d_n, sum_p += d_p;
      }
      store(bias + unit, load<W>(bias + unit) + sum_r);
      store(bias + width + unit, load<W>(bias + width + unit) + sum_z);
      store(bias + 2 * width + unit, load<W>(bias + 2 * width + unit) + sum_n);
      store(bias + 3 * width + unit, load<W>(bias + 3 * width + unit) + sum_p);
    }
  }
  void backward_whole(const BackwardStep&, const BackwardShared&, BackwardScratch&, long) const {}

  int outer_products(const float** x, const float** h, const float**, OuterProduct* products) const {
    const long H = q.hidden_size;
    int count = 0;
    if (q.grad_weight_ih != nullptr) products[count++] = {x, q.input_size, {{0, 3 * H, q.grad_weight_ih}, {}}};
    if (q.grad_weight_hh != nullptr)
      products[count++] = {
          h, H, {{0, 2 * H, q.grad_weight_hh}, {3 * H, 4 * H, q.grad_weight_hh + 2 * H * H}}};
    return count;
  }

  void finish_gradients(float* const* sums, int threads, long width, Range units) const {
    const long H = q.hidden_size;
    for (int row = 0; row < 4; ++row)
      for (long u = units.begin; u < units.end; ++u) {
        float total = 0.0f;
        for (int thread = 0; thread < threads; ++thread) total += sums[thread][row * width + u];
        if (q.grad_bias_ih != nullptr && row < 3) q.grad_bias_ih[row * H + u] = total;
        if (q.grad_bias_hh != nullptr && row != 2) q.grad_bias_hh[std::min(row, 2) * H + u] = total;
      }
  }
};

}  // namespace
}  // namespace gatewise

GATEWISE_EXPORT int gatewise_gru_forward(const GatewiseSequence* sequence) {
  return gatewise::run_forward(gatewise::Gru{*sequence}, *sequence);
}

GATEWISE_EXPORT int gatewise_gru_backward(const GatewiseSequence* sequence) {
  return gatewise::run_backward(gatewise::Gru{*sequence}, *sequence);
}
