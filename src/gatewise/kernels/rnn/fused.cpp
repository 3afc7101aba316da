// The plain recurrent network over whole sequences, with its gradients: the equations of this folder's README.md.
//
// Options, which go by whole rows: layer norm of the two products, zoneout, recurrent dropout.
#include "../native/run.h"
#include "../native/stream.h"

namespace gatewise {
namespace {

constexpr int W = kWidth;
using V = Float<W>;

enum Flags : int64_t { kRelu = 1 };  // as in info.py

struct Rnn {
  const Sequence& q;
  const bool extra = q.recurrent_mask != nullptr || q.layer_norm_ih != nullptr ||
                     q.layer_norm_hh != nullptr || zoneout().on();
  static constexpr bool kUnitPanels = true;
  static constexpr bool kHasCell = false;

  Zoneout zoneout() const { return {q.zoneout_h_mask, float(q.zoneout_h)}; }
  int gates() const { return 1; }
  const int* order() const { return nullptr; }
  Product product() const { return Product::kOne; }
  int slots() const { return 1; }
  int input_slots() const { return 1; }
  int state_slots() const { return 1; }
  bool whole_rows() const { return extra; }
  bool relu() const { return (q.flags & kRelu) != 0; }
  static constexpr bool resets_before() { return false; }
  long saved_size() const { return q.hidden_size; }
  long backward_stride(long width) const { return 3 * width; }
  bool carries() const { return extra; }
  const float* recurrent_gradient() const { return q.normalized_h != nullptr ? q.normalized_h : q.gates; }
  const float* input_gradient() const { return q.normalized_x != nullptr ? q.normalized_x : q.gates; }
  long recurrent_size() const { return q.hidden_size; }
  long input_gradient_size() const { return q.hidden_size; }
  Stretches recurrent_stretches() const { return {{0, 0}, {q.hidden_size, 0}}; }
  Stretches input_stretches() const { return recurrent_stretches(); }
  int bias_sums() const { return extra ? int(kSumRows) : 1; }
  float start(int, long unit) const {
    return (q.bias_ih != nullptr ? q.bias_ih[unit] : 0.0f) + (q.bias_hh != nullptr ? q.bias_hh[unit] : 0.0f);
  }
  V activate(V sum) const { return relu() ? larger(zero<W>(), sum) : tanh(sum); }
  // The gradient of the sum, from that of the activation `h`.
  V through(V h, V dh) const { return relu() ? select(h > 0.0f, dh, zero<W>()) : dh * (1.0f - h * h); }

  void forward(const Step& step, const Tile& tile) const {
    const long H = q.hidden_size;
    for (int v = 0; v < tile.slots; ++v) {
      const long unit = tile.unit + v * W;
      const Part<W> part(H - unit);
      for (int r = 0; r < tile.rows; ++r) {
        const V sum = load<W>(tile.sums + r * tile.row_stride + v * tile.slot_stride);
        store(q.output + step.position[tile.first_row + r] * H + unit, part, activate(sum));
      }
    }
  }

  // Asks memory for what `backward` will read of a tile.
  void fetch(const BackwardStep& step, const Tile& tile) const {
    const long H = q.hidden_size;
    for (int r = 0; r < tile.rows; ++r) {
      const long row = tile.first_row + r;
      for (int gate = 0; gate < 1; ++gate) fetch_units(q.gates + (step.position[row] * 1 + gate) * H, tile);
      fetch_units(q.output + step.position[row] * H, tile);
      fetch_units(step.grad_output[row], tile);
    }
  }

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
        const V d = through(h, dh);
        store(q.gates + p * H + unit, part, d);
        sum += d;
      }
      store(bias + unit, load<W>(bias + unit) + sum);
    }
  }

  // One row from its two products, every option allowed.
  void forward_row(const Step& step, long row, float* sums, long width) const {
    const long H = q.hidden_size, p = step.position[row];
    RowParts parts(q, p, 1, sums, width);
    parts.measure(0, 1, 0);
    const Zoneout zone = zoneout();
    for (long u = 0; u < H; u += W) {
      const Part<W> part(H - u);
      const V h = activate(parts.input(0, u, part) + parts.state(0, u, part));
      if (q.gates != nullptr) store(q.gates + p * H + u, part, h);
      store(q.output + p * H + u, part,
            zone.on() ? zone.mix(zone.keep(p * H + u, part), load<W>(step.h[row] + u, part), h) : h);
    }
  }

  // One row's gradients. `sums` holds the recurrent product's part of dh, then free space.
  void backward_row(const BackwardStep& step, const BackwardShared& shared, long row, float* sums, long width,
                    float* totals) const {
    const long H = q.hidden_size, p = step.position[row], b = step.batch[row];
    float* kept = q.gates + p * H;
    const Zoneout zone = zoneout();
    for (long u = 0; u < H; u += W) {
      const Part<W> part(H - u);
      V dh = load<W>(sums + u), past{};
      if (q.recurrent_mask != nullptr) dh *= load<W>(q.recurrent_mask + b * H + u, part);
      dh += load<W>(step.grad_output[row] + u, part) + load<W>(step.carried[row] + u, part);
      if (zone.on()) {
        const V keep = zone.keep(p * H + u, part);
        past = zone.mix(keep, dh, zero<W>());
        dh = zone.mix(keep, zero<W>(), dh);
      }
      store(shared.carried_h + b * H + u, part, past);
      store(kept + u, part, through(load<W>(kept + u, part), dh));
    }
    const float* gradient[1] = {kept};
    both_sides_backward(q, p, 0, {gradient, gradient}, 0, 1, 1, width, totals);
  }

  int input_products(const float** x, OuterProduct* products) const {
    if (q.grad_weight_ih == nullptr) return 0;
    products[0] = {x, q.input_size, {{0, q.hidden_size, q.grad_weight_ih}, {}}};
    return 1;
  }
  int state_products(const float** h, const float**, OuterProduct* products) const {
    if (q.grad_weight_hh == nullptr) return 0;
    products[0] = {h, q.hidden_size, {{0, q.hidden_size, q.grad_weight_hh}, {}}};
    return 1;
  }

  void finish_gradients(float* const* sums, int threads, long width, Range units) const {
    if (extra) return gather_all(q, 1, 1, sums, threads, width, units);
    gather(sums, threads, 0, width, units, q.grad_bias_ih);
    gather(sums, threads, 0, width, units, q.grad_bias_hh);
  }
  void forward_reset(const Step&, long, float*, long, float*) const {}
  void backward_reset(const BackwardStep&, const BackwardShared&, long, float*, long, float*) const {}
};

}  // namespace

// ---- one step of a stream ----

namespace stream {
namespace {

void step(const Layer& layer, const Row& row) {
  for (long block = 0; block < layer.blocks; ++block) {
    F sums[2];
    start<1>(sums, layer, block);
    apply<1, 0, 1>(sums, panel(layer.weight_ih, block, layer.input, 1), row.x, layer.input);
    apply<1, 0, 1>(sums, panel(layer.weight_hh, block, layer.hidden, 1), row.h, layer.hidden);
    store_aligned(row.next + block * W, layer.flags & kRelu ? larger(F{}, sums[0]) : tanh(sums[0]));
  }
}

}  // namespace
}  // namespace stream
}  // namespace gatewise

GATEWISE_EXPORT int gatewise_rnn_forward(const GatewiseSequence* sequence) {
  return gatewise::run_forward(gatewise::Rnn{*sequence}, *sequence);
}

GATEWISE_EXPORT int64_t gatewise_rnn_packed(const GatewiseSequence* sequence) {
  return gatewise::packed_size(gatewise::Rnn{*sequence}, *sequence);
}

GATEWISE_EXPORT int gatewise_rnn_backward(const GatewiseSequence* sequence) {
  return gatewise::run_backward(gatewise::Rnn{*sequence}, *sequence);
}

GATEWISE_EXPORT const void* gatewise_rnn_session(int64_t) {
  static constexpr gatewise::stream::Cell cell{1, true, false, false, false, gatewise::stream::step};
  return &cell;
}
