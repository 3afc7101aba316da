// The gated recurrent unit over whole sequences, with its gradients: the equations of this folder's README.md.
//
// The plain walk resets after the product and keeps. Options, which go by whole rows: reset before the product, the
// other reading of the update gate, layer norm, zoneout, recurrent dropout.
#include "../native/run.h"
#include "../native/stream.h"

namespace gatewise {
namespace {

constexpr int W = kWidth;
using V = Float<W>;

enum Flags : int64_t { kResetBefore = 1, kUpdateReplace = 2 };  // as in info.py

struct Gru {
  const Sequence& q;
  const bool extra = resets_before() || replaces() || q.recurrent_mask != nullptr ||
                     q.layer_norm_ih != nullptr || q.layer_norm_hh != nullptr || zoneout().on();
  static constexpr bool kUnitPanels = false;
  static constexpr bool kHasCell = false;
  static constexpr int kOrder[3] = {0, 1, 2};

  Zoneout zoneout() const { return {q.zoneout_h_mask, float(q.zoneout_h)}; }
  bool resets_before() const { return (q.flags & kResetBefore) != 0; }
  bool replaces() const { return (q.flags & kUpdateReplace) != 0; }
  int gates() const { return 3; }
  const int* order() const { return kOrder; }
  Product product() const { return Product::kLastApart; }
  int slots() const { return 4; }
  int input_slots() const { return 3; }
  int state_slots() const { return resets_before() ? 2 : 3; }
  bool whole_rows() const { return extra; }
  long saved_size() const { return 4 * q.hidden_size; }
  long backward_stride(long width) const { return 5 * width; }
  bool carries() const { return true; }
  const float* recurrent_gradient() const { return q.normalized_h != nullptr ? q.normalized_h : q.gates; }
  const float* input_gradient() const { return q.normalized_x != nullptr ? q.normalized_x : q.gates; }
  long recurrent_size() const { return (q.normalized_h != nullptr ? 3 : 4) * q.hidden_size; }
  long input_gradient_size() const { return (q.normalized_x != nullptr ? 3 : 4) * q.hidden_size; }
  // Kept r, z, n, U h + b' become the gradients of r, z, n (input side) and of U h + b': the recurrent weights of n see
  // the last. With reset before, n is the same on both sides and r h stays in the last place.
  Stretches recurrent_stretches() const {
    const long H = q.hidden_size;
    if (resets_before()) return {{0, 0}, {2 * H, 0}};
    if (q.normalized_h != nullptr) return {{0, 0}, {3 * H, 0}};
    return {{0, 3 * H}, {2 * H, H}};
  }
  Stretches input_stretches() const { return {{0, 0}, {3 * q.hidden_size, 0}}; }
  int bias_sums() const { return extra ? int(kSumRows) : 4; }
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

  // Asks memory for what `backward` will read of a tile.
  void fetch(const BackwardStep& step, const Tile& tile) const {
    const long H = q.hidden_size;
    for (int r = 0; r < tile.rows; ++r) {
      const long row = tile.first_row + r;
      for (int gate = 0; gate < 4; ++gate) fetch_units(q.gates + (step.position[row] * 4 + gate) * H, tile);
      fetch_units(step.h[row], tile);
      fetch_units(step.grad_output[row], tile);
    }
  }

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

  // Reset before the product: the gates r and z of one row, and reset[u] = r h (mask), which U_n will see.
  void forward_reset(const Step& step, long row, float* sums, long width, float* reset) const {
    const long H = q.hidden_size, p = step.position[row];
    RowParts parts(q, p, 3, sums, width);
    parts.measure(0, 2, 0);
    for (long u = 0; u < H; u += W) {
      const Part<W> part(H - u);
      const V r = sigmoid(parts.input(0, u, part) + parts.state(0, u, part));
      const V z = sigmoid(parts.input(1, u, part) + parts.state(1, u, part));
      V product = r * load<W>(step.h[row] + u, part);
      if (q.recurrent_mask != nullptr)
        product *= load<W>(q.recurrent_mask + step.batch[row] * H + u, part);
      store(reset + u, part, product);
      store(sums + u, r);
      store(sums + width + u, z);
      if (q.gates != nullptr) store(q.gates + p * 4 * H + 3 * H + u, part, product);
    }
  }

  // The candidate and the new state of one row, every option allowed.
  void forward_row(const Step& step, long row, float* sums, long width) const {
    const long H = q.hidden_size, p = step.position[row];
    RowParts parts(q, p, 3, sums, width);
    if (!resets_before()) parts.measure(0, 2, 0);
    parts.measure(2, 1, 1);
    const Zoneout zone = zoneout();
    for (long u = 0; u < H; u += W) {
      const Part<W> part(H - u);
      const V before = load<W>(step.h[row] + u, part), product = parts.state(2, u, part);
      V r, z;
      if (resets_before()) {
        r = load<W>(sums + u), z = load<W>(sums + width + u);
      } else {
        r = sigmoid(parts.input(0, u, part) + parts.state(0, u, part));
        z = sigmoid(parts.input(1, u, part) + parts.state(1, u, part));
      }
      const V n = tanh(parts.input(2, u, part) + (resets_before() ? product : r * product));
      const V h = replaces() ? z * (n - before) + before : z * (before - n) + n;
      store(q.output + p * H + u, part, zone.on() ? zone.mix(zone.keep(p * H + u, part), before, h) : h);
      if (q.gates == nullptr) continue;
      float* kept = q.gates + p * 4 * H + u;
      store(kept, part, r);
      store(kept + H, part, z);
      store(kept + 2 * H, part, n);
      if (!resets_before()) store(kept + 3 * H, part, product);
    }
  }

  // One row's gradients of z and n (and, reset after, of r). `sums` holds the recurrent product's part of dh.
  void backward_row(const BackwardStep& step, const BackwardShared& shared, long row, float* sums, long width,
                    float* totals) const {
    const long H = q.hidden_size, p = step.position[row], b = step.batch[row];
    float* kept = q.gates + p * 4 * H;
    const Zoneout zone = zoneout();
    for (long u = 0; u < H; u += W) {
      const Part<W> part(H - u);
      const V r = load<W>(kept + u, part), z = load<W>(kept + H + u, part), n = load<W>(kept + 2 * H + u, part);
      const V before = load<W>(step.h[row] + u, part);
      V dh = load<W>(sums + u), past{};
      if (q.recurrent_mask != nullptr) dh *= load<W>(q.recurrent_mask + b * H + u, part);
      dh += load<W>(step.grad_output[row] + u, part) + load<W>(step.carried[row] + u, part);
      if (zone.on()) {
        const V keep = zone.keep(p * H + u, part);
        past = zone.mix(keep, dh, zero<W>());
        dh = zone.mix(keep, zero<W>(), dh);
      }
      const V old_share = replaces() ? 1.0f - z : z;
      const V d_n = dh * (1.0f - old_share) * (1.0f - n * n);
      const V d_z = dh * (replaces() ? n - before : before - n) * (z * (1.0f - z));
      store(shared.carried_h + b * H + u, part, past + dh * old_share);
      store(kept + H + u, part, d_z);
      store(kept + 2 * H + u, part, d_n);
      if (resets_before()) continue;
      store(kept + u, part, d_n * load<W>(kept + 3 * H + u, part) * (r * (1.0f - r)));
      store(kept + 3 * H + u, part, d_n * r);
    }
    block_backward(p, 2, 1, width, totals);
    if (!resets_before()) block_backward(p, 0, 2, width, totals);
  }

  // Reset before: sums + width holds the gradient of r h; from it those of r and of h.
  void backward_reset(const BackwardStep& step, const BackwardShared& shared, long row, float* sums, long width,
                      float* totals) const {
    const long H = q.hidden_size, p = step.position[row], b = step.batch[row];
    float* kept = q.gates + p * 4 * H;
    for (long u = 0; u < H; u += W) {
      const Part<W> part(H - u);
      const V r = load<W>(kept + u, part);
      V d = load<W>(sums + width + u);
      if (q.recurrent_mask != nullptr) d *= load<W>(q.recurrent_mask + b * H + u, part);
      float* carried = shared.carried_h + b * H + u;
      store(carried, part, load<W>(carried, part) + d * r);
      store(kept + u, part, d * load<W>(step.h[row] + u, part) * (r * (1.0f - r)));
    }
    block_backward(p, 0, 2, width, totals);
  }

  // Both sides of the gates first .. first + count: sums of bias and gain, and back through their layer norm.
  void block_backward(long p, int first, int count, long width, float* totals) const {
    const long H = q.hidden_size;
    float* kept = q.gates + p * 4 * H + first * H;
    const float* input[2] = {kept, kept + H};
    const float* state[2] = {first == 2 && !resets_before() ? kept + H : kept, kept + H};
    both_sides_backward(q, p, first == 0 ? 0 : 1, {input, state}, first, count, 3, width, totals);
  }

  int input_products(const float** x, OuterProduct* products) const {
    if (q.grad_weight_ih == nullptr) return 0;
    products[0] = {x, q.input_size, {{0, 3 * q.hidden_size, q.grad_weight_ih}, {}}};
    return 1;
  }
  int state_products(const float** h, const float** reset, OuterProduct* products) const {
    const long H = q.hidden_size;
    float *gates = q.grad_weight_hh, *candidate = gates + 2 * H * H;
    if (gates == nullptr) return 0;
    if (resets_before()) {
      products[0] = {h, H, {{0, 2 * H, gates}, {}}};
      products[1] = {reset, H, {{2 * H, 3 * H, candidate}, {}}};
      return 2;
    }
    if (q.normalized_h != nullptr)
      products[0] = {h, H, {{0, 3 * H, gates}, {}}};
    else
      products[0] = {h, H, {{0, 2 * H, gates}, {3 * H, 4 * H, candidate}}};
    return 1;
  }

  void finish_gradients(float* const* sums, int threads, long width, Range units) const {
    if (extra) return gather_all(q, 3, resets_before() ? 3 : 2, sums, threads, width, units);
    const long H = q.hidden_size;
    for (int gate = 0; gate < 3; ++gate) {
      gather(sums, threads, gate, width, units, q.grad_bias_ih ? q.grad_bias_ih + gate * H : nullptr);
      gather(sums, threads, gate < 2 ? gate : 3, width, units, q.grad_bias_hh ? q.grad_bias_hh + gate * H : nullptr);
    }
  }
};

}  // namespace

// ---- one step of a stream ----

namespace stream {
namespace {

GATEWISE_INLINE F blend(const Layer& layer, F update, F old, F candidate) {
  return layer.flags & kUpdateReplace ? old + update * (candidate - old) : candidate + update * (old - candidate);
}

// Reset after the product.
void step_after(const Layer& layer, const Row& row) {
  for (long block = 0; block < layer.blocks; ++block) {
    F sums[4], product[3] = {};
    start<3>(sums, layer, block);
    product[2] = sums[3];
    apply<3, 0, 3>(sums, panel(layer.weight_ih, block, layer.input, 3), row.x, layer.input);
    apply<3, 0, 3>(product, panel(layer.weight_hh, block, layer.hidden, 3), row.h, layer.hidden);
    const F reset = sigmoid(sums[0] + product[0]), update = sigmoid(sums[1] + product[1]);
    const F candidate = tanh(sums[2] + reset * product[2]);
    store_aligned(row.next + block * W, blend(layer, update, load_aligned<W>(row.h + block * W), candidate));
  }
}

// Reset before the product: all of r is needed before any n.
void step_before(const Layer& layer, const Row& row) {
  for (long block = 0; block < layer.blocks; ++block) {
    F sums[4];
    start<3>(sums, layer, block);
    apply<3, 0, 2>(sums, panel(layer.weight_ih, block, layer.input, 3), row.x, layer.input);
    apply<3, 0, 2>(sums, panel(layer.weight_hh, block, layer.hidden, 3), row.h, layer.hidden);
    store_aligned(row.scratch + block * W, sigmoid(sums[0]) * load_aligned<W>(row.h + block * W));
    store_aligned(row.next + block * W, sigmoid(sums[1]));
  }
  for (long block = 0; block < layer.blocks; ++block) {
    F sums[4];
    start<3>(sums, layer, block);
    sums[2] += sums[3];
    apply<3, 2, 3>(sums, panel(layer.weight_ih, block, layer.input, 3), row.x, layer.input);
    apply<3, 2, 3>(sums, panel(layer.weight_hh, block, layer.hidden, 3), row.scratch, layer.hidden);
    const F update = load_aligned<W>(row.next + block * W);
    store_aligned(row.next + block * W, blend(layer, update, load_aligned<W>(row.h + block * W), tanh(sums[2])));
  }
}

}  // namespace
}  // namespace stream
}  // namespace gatewise

GATEWISE_EXPORT int gatewise_gru_forward(const GatewiseSequence* sequence) {
  return gatewise::run_forward(gatewise::Gru{*sequence}, *sequence);
}

GATEWISE_EXPORT int64_t gatewise_gru_packed(const GatewiseSequence* sequence) {
  return gatewise::packed_size(gatewise::Gru{*sequence}, *sequence);
}

GATEWISE_EXPORT int gatewise_gru_backward(const GatewiseSequence* sequence) {
  return gatewise::run_backward(gatewise::Gru{*sequence}, *sequence);
}

GATEWISE_EXPORT const void* gatewise_gru_session(int64_t flags) {
  static constexpr gatewise::stream::Cell after{3, true, false, true, false, gatewise::stream::step_after};
  static constexpr gatewise::stream::Cell before{3, true, false, true, true, gatewise::stream::step_before};
  return flags & gatewise::kResetBefore ? &before : &after;
}
